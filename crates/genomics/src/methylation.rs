//! Methylation of single cells: the state of each site in each cell, and the nearest observed neighbours of a site.
//!
//! Angermueller, Lee, Reik and Stegle 2017, *`DeepCpG`: accurate prediction of single-cell DNA methylation states using
//! deep learning*, Genome Biology 18:67; neighbours as in their `deepcpg/data/feature_extractor.py` and `models/utils.py`.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::locus::{Locus, Strand};

/// State of a neighbour that is not there.
const NO_STATE: f32 = 0.5;
/// Distance of a neighbour that is not there, in units of the reach.
const NO_DISTANCE: f32 = 1.0;

/// Calls that make no table.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MethylationError {
    /// There are no cells, or no calls.
    #[error("there are no {what}; give at least one")]
    Empty {
        /// What is missing.
        what: &'static str,
    },
    /// A share that is none.
    #[error("cell {cell}, {locus}: the state is {state}; allowed: 0 (not methylated) to 1 (methylated)")]
    State {
        /// Name of the cell.
        cell: String,
        /// The site.
        locus: Locus,
        /// The value found.
        state: f32,
    },
    /// Two calls of one site in one cell.
    #[error("cell {cell}, {locus}: the site is called twice; merge the calls of both strands first")]
    Twice {
        /// Name of the cell.
        cell: String,
        /// The site.
        locus: Locus,
    },
}

/// States of all sites in all cells.
#[derive(Debug, Clone, PartialEq)]
pub struct MethylationTable {
    cells: Vec<String>,
    sites: Vec<Locus>,
    /// `[sites, cells]`, NaN where a cell has no call.
    states: Vec<f32>,
    /// Sites that each cell has a call of, in order.
    observed: Vec<Vec<u32>>,
    /// First site of the contig of each site, and the one behind its last.
    contigs: Vec<(u32, u32)>,
}

impl MethylationTable {
    /// The sites that any cell has a call of, in the order of contig names and positions, with the states of `cells`:
    /// names with their calls, in any order. A call is a cytosine with the share of its reads that are methylated, as
    /// [`sets::methylation`](crate::io::sets::methylation()) reads them; the strand counts nothing.
    ///
    /// # Errors
    /// [`MethylationError`] with the cell and the site.
    pub fn from_cells(cells: &[(String, Vec<(Locus, f32)>)]) -> Result<Self, MethylationError> {
        if cells.is_empty() {
            return Err(MethylationError::Empty { what: "cells" });
        }
        let mut table: BTreeMap<(&str, i64), (&Locus, Vec<f32>)> = BTreeMap::new();
        for (index, (cell, calls)) in cells.iter().enumerate() {
            for (locus, state) in calls {
                let site = table.entry((locus.contig.as_ref(), locus.start));
                let (_, states) = site.or_insert_with(|| (locus, vec![f32::NAN; cells.len()]));
                if !(0.0..=1.0).contains(state) {
                    return Err(MethylationError::State { cell: cell.clone(), locus: locus.clone(), state: *state });
                }
                if !states[index].is_nan() {
                    return Err(MethylationError::Twice { cell: cell.clone(), locus: locus.clone() });
                }
                states[index] = *state;
            }
        }
        if table.is_empty() {
            return Err(MethylationError::Empty { what: "calls" });
        }
        let (sites, states): (Vec<Locus>, Vec<Vec<f32>>) =
            table.into_values().map(|(locus, states)| (locus.centred(1).on(Strand::Forward), states)).unzip();
        Ok(Self::assembled(cells.iter().map(|(name, _)| name.clone()).collect(), sites, states.concat()))
    }

    fn assembled(cells: Vec<String>, sites: Vec<Locus>, states: Vec<f32>) -> Self {
        let columns = cells.len();
        let called = |cell: usize| {
            let sites = states.iter().skip(cell).step_by(columns).zip(0_u32..);
            sites.filter(|(state, _)| !state.is_nan()).map(|(_, site)| site).collect()
        };
        let observed = (0..columns).map(called).collect();
        let mut contigs = Vec::with_capacity(sites.len());
        for run in sites.chunk_by(|a, b| a.contig == b.contig) {
            let first = contigs.len() as u32;
            contigs.extend(std::iter::repeat_n((first, first + run.len() as u32), run.len()));
        }
        Self { cells, sites, states, observed, contigs }
    }

    /// Number of sites.
    pub fn len(&self) -> usize {
        self.sites.len()
    }

    /// Whether there is no site; never so.
    pub fn is_empty(&self) -> bool {
        self.sites.is_empty()
    }

    /// Names of the cells.
    pub fn cells(&self) -> &[String] {
        &self.cells
    }

    /// The cytosine of each site, one base long.
    pub fn sites(&self) -> &[Locus] {
        &self.sites
    }

    /// `[sites, cells]`, row-major; not a number where a cell has no call.
    pub fn states(&self) -> &[f32] {
        &self.states
    }

    /// States of a site in all cells; not a number where a cell has no call.
    ///
    /// # Panics
    /// If the site is not there.
    pub fn row(&self, site: usize) -> &[f32] {
        &self.states[site * self.cells.len()..(site + 1) * self.cells.len()]
    }

    /// For each of the sites `rows` and each cell the nearest called sites on its contig, itself left out: the states of
    /// `each_side` to the left, the farthest first, and of as many to the right, the nearest first; then their distances
    /// in the same order, in units of `reach` bases and at most 1. A neighbour that is not there has state 0.5 and
    /// distance 1.
    ///
    /// # Shapes
    /// - output `[rows, cells, 4 * each_side]`
    ///
    /// # Panics
    /// If a site is not there, or `reach` is 0.
    pub fn neighbours(&self, rows: &[usize], each_side: usize, reach: usize) -> Vec<f32> {
        assert!(reach > 0, "neighbours within a reach of 0 bases");
        let width = 4 * each_side;
        let mut values = vec![0.0; rows.len() * self.cells.len() * width];
        if width > 0 {
            let cells = values.par_chunks_mut(width).enumerate().with_min_len(64);
            cells.for_each(|(place, values)| {
                let (row, cell) = (rows[place / self.cells.len()], place % self.cells.len());
                self.around(row, cell, reach as f32, values);
            });
        }
        values
    }

    fn around(&self, row: usize, cell: usize, reach: f32, values: &mut [f32]) {
        let (states, distances) = values.split_at_mut(values.len() / 2);
        states.fill(NO_STATE);
        distances.fill(NO_DISTANCE);
        let each_side = states.len() / 2;
        let ((first, end), observed) = (self.contigs[row], &self.observed[cell]);
        let at = observed.partition_point(|&site| (site as usize) < row);
        let left = observed[..at].iter().rev().take_while(|&&site| site >= first).take(each_side);
        let behind = &observed[at..];
        let behind = behind.strip_prefix(&[row as u32]).unwrap_or(behind);
        let right = behind.iter().take_while(|&&site| site < end).take(each_side);
        let places = (0..each_side).rev().zip(left).chain((each_side..).zip(right));
        for (place, &site) in places {
            let site = site as usize;
            states[place] = self.states[site * self.cells.len() + cell];
            let apart = self.sites[site].start.abs_diff(self.sites[row].start) as f32;
            distances[place] = apart.min(reach) / reach;
        }
    }
}

#[cfg(test)]
mod tests;
