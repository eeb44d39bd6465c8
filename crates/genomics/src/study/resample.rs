//! What a bootstrap of a study's test part draws whole: rows of one group are not independent.

use std::collections::BTreeSet;

use nn_core::data::group_ids;

use super::Plan;
use crate::dataset::SequenceSet;
use crate::split::{SplitKind, copies, linked};

/// Contigs that a bootstrap by contig needs: fewer do not say how much they differ.
pub(crate) const FEWEST_CONTIGS: usize = 10;

/// What a bootstrap draws whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawn {
    /// Contigs.
    Contigs,
    /// What the split keeps together.
    Groups,
    /// Windows, because the rows lie on few contigs; those that overlap, are copies of each other or belong together are
    /// drawn together.
    Windows,
    /// Rows one by one, because they lie on few contigs.
    Rows,
}

impl Drawn {
    /// In words, for a sentence.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Contigs => "whole contigs",
            Self::Groups => "what the split keeps together",
            Self::Windows => "windows, as there are fewer than ten contigs; overlapping windows and copies together",
            Self::Rows => "rows one by one, as there are fewer than ten contigs",
        }
    }
}

/// Contigs where there are at least ten, else what the split keeps together, or windows where that is contigs.
pub(super) fn groups(set: &SequenceSet, plan: &Plan, rows: &[usize]) -> (Drawn, Vec<u64>) {
    let together: Vec<u64> = rows.iter().map(|&row| plan.groups()[row]).collect();
    let by_contig = if plan.kind() == SplitKind::Chromosome {
        Some(together.clone())
    } else {
        let names: Option<Vec<&str>> =
            rows.iter().map(|&row| set.loci[row].as_ref().map(|locus| locus.contig.as_ref())).collect();
        names.map(group_ids)
    };
    let many = |contigs: &Vec<u64>| contigs.iter().collect::<BTreeSet<_>>().len() >= FEWEST_CONTIGS;
    match by_contig.filter(many) {
        Some(contigs) => (Drawn::Contigs, contigs),
        None if plan.kind() == SplitKind::Chromosome => (Drawn::Windows, windows(set, rows)),
        None => (Drawn::Groups, together),
    }
}

/// The number of the group of each row: rows whose windows overlap, that are copies of each other on either strand, or
/// that are of one group of the set.
fn windows(set: &SequenceSet, rows: &[usize]) -> Vec<u64> {
    let mut placed: Vec<(&str, i64, i64, usize)> = rows
        .iter()
        .enumerate()
        .filter_map(|(place, &row)| {
            let locus = set.loci[row].as_ref()?;
            Some((locus.contig.as_ref(), locus.start, locus.end, place))
        })
        .collect();
    placed.sort_unstable();
    let mut stretches: Vec<u64> = (0..rows.len() as u64).collect();
    // contig, end and number of the stretch that windows have covered without a gap
    let mut last: Option<(&str, i64, u64)> = None;
    for (contig, start, end, place) in placed {
        last = Some(match last {
            Some((name, behind, stretch)) if name == contig && start < behind => {
                stretches[place] = stretch;
                (name, behind.max(end), stretch)
            }
            _ => (contig, end, stretches[place]),
        });
    }
    let sequences: Vec<&[u8]> = rows.iter().map(|&row| set.sequences[row].as_slice()).collect();
    let mut alike = copies(&sequences);
    if let Some(groups) = &set.groups {
        let own: Vec<u64> = rows.iter().map(|&row| groups[row]).collect();
        alike = linked(&alike, &own);
    }
    linked(&stretches, &alike)
}
