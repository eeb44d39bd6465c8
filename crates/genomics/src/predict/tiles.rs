//! A genome cut into tiles, each scored by the window around its middle.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};

use super::PredictError;
use crate::genome::{Edge, Genome};
use crate::locus::Locus;
use crate::model::{Ensemble, at_once};
use crate::sequence::ALPHABET;

/// Bases between two tiles at most.
const LARGEST_STEP: usize = 1 << 20;

/// Neighbouring tiles of one contig with their predictions.
#[derive(Debug, Clone, PartialEq)]
pub struct Tile {
    /// The contig.
    pub contig: Arc<str>,
    /// First base of the tile, from 0.
    pub start: i64,
    /// The base behind its last one.
    pub end: i64,
    /// Probability of each task or class, or the value of each task; none where no base of the window is known.
    pub values: Option<Vec<f64>>,
}

/// Scores contigs tile by tile, so many at once as one batch has: an iterator over the tiles in the order of the genome.
///
/// Tile `k` of a contig covers `step` bases from `k · step` on, the last one what is left. It gets what the model makes
/// of the window around its middle, the same window that an interval of these bases gets; bases that the contig does not
/// have are unknown.
pub struct Tiles<'a> {
    ensemble: &'a Ensemble,
    genome: &'a Genome,
    contigs: Vec<(Arc<str>, i64, i64)>,
    step: usize,
    device: Device,
    /// Contig and first base of the next tile that was not scored.
    next: (usize, i64),
    /// Scored tiles in reverse order.
    ready: Vec<Tile>,
}

impl<'a> Tiles<'a> {
    /// Tiles of `contigs`, or of the whole genome where none is named.
    ///
    /// # Errors
    /// [`PredictError::Genome`] for a contig that is not there, [`PredictError::Tiling`] for a step of 0 or of more than
    /// a million bases.
    pub fn new(
        ensemble: &'a Ensemble,
        genome: &'a Genome,
        contigs: &[String],
        step: usize,
    ) -> Result<Self, PredictError> {
        if step == 0 || step > LARGEST_STEP {
            return Err(PredictError::Tiling { step, most: LARGEST_STEP });
        }
        let named: Vec<String> = if contigs.is_empty() {
            genome.contigs().map(|(name, _)| name.to_owned()).collect()
        } else {
            let resolve = |name: &String| genome.names().resolve(name).map(str::to_owned);
            contigs.iter().map(resolve).collect::<Result<_, _>>().map_err(crate::genome::GenomeError::from)?
        };
        let ranges: Vec<(Arc<str>, i64, i64)> = named
            .iter()
            .filter_map(|name| genome.range(name).map(|range| (Arc::from(name.as_str()), range.start, range.end)))
            .collect();
        let first = ranges.first().map_or(0, |(_, start, _)| *start);
        let device = ensemble.models()[0].device();
        Ok(Self { ensemble, genome, contigs: ranges, step, device, next: (0, first), ready: Vec::new() })
    }

    /// Names and lengths of the contigs, in the order of the tiles.
    pub fn contigs(&self) -> impl Iterator<Item = (&str, i64)> {
        self.contigs.iter().map(|(name, _, end)| (name.as_ref(), *end))
    }

    /// Places of the next tiles, as many as are scored at once.
    fn places(&mut self) -> Result<Vec<Locus>, PredictError> {
        let most = at_once(self.ensemble.window());
        let mut places = Vec::with_capacity(most);
        while places.len() < most && self.next.0 < self.contigs.len() {
            let (contig, _, end) = &self.contigs[self.next.0];
            if self.next.1 >= *end {
                self.next.0 += 1;
                self.next.1 = self.contigs.get(self.next.0).map_or(0, |(_, start, _)| *start);
                continue;
            }
            let last = (self.next.1 + self.step as i64).min(*end);
            let place = Locus::new(Arc::clone(contig), self.next.1, last);
            places.push(place.map_err(crate::genome::GenomeError::from)?);
            self.next.1 = last;
        }
        Ok(places)
    }

    fn score(&mut self) -> Result<(), PredictError> {
        let places = self.places()?;
        let window = self.ensemble.window();
        let windows: Vec<Locus> = places.iter().map(|place| place.centred(window)).collect();
        let known: Vec<bool> = windows.iter().map(|locus| self.genome.unknown_share(locus) < 1.0).collect();
        let scored: Vec<Locus> =
            windows.into_iter().zip(&known).filter(|(_, known)| **known).map(|(locus, _)| locus).collect();
        let mut values = Vec::new();
        if !scored.is_empty() {
            let unknown = self.ensemble.card().preprocessing.unknown;
            let data = self.genome.one_hot(&scored, Edge::Pad, unknown)?;
            let x = Tensor::from_data(TensorData::new(data, [scored.len(), ALPHABET.len(), window]), &self.device);
            values = self.ensemble.shown(&self.ensemble.logits_of(&x)?);
        }
        let mut values = values.chunks(self.ensemble.outputs().max(1));
        let tiles = places.into_iter().zip(known).map(|(place, known)| Tile {
            contig: place.contig,
            start: place.start,
            end: place.end,
            values: known.then(|| values.next()).flatten().map(<[f64]>::to_vec),
        });
        let tiles: Vec<Tile> = tiles.collect();
        self.ready.extend(tiles.into_iter().rev());
        Ok(())
    }
}

impl Iterator for Tiles<'_> {
    type Item = Result<Tile, PredictError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty()
            && let Err(error) = self.score()
        {
            // Nothing more comes after an error.
            self.next.0 = self.contigs.len();
            return Some(Err(error));
        }
        self.ready.pop().map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StrandPolicy;
    use crate::model::tests::fresh;

    /// What is held of a contig does not grow with it: nothing before the first tile is asked for, then no more tiles than
    /// are scored at once.
    #[test]
    fn no_more_tiles_are_held_than_are_scored_at_once() {
        let ensemble = Ensemble::new(vec![fresh(1, 20, StrandPolicy::Given)]).unwrap();
        let genome = Genome::from_contigs([("chr1".to_owned(), b"ACGTTGCAAC".repeat(100_000))]).unwrap();
        let mut tiles = Tiles::new(&ensemble, &genome, &[], 250).unwrap();
        assert!(tiles.ready.is_empty());
        let (most, mut seen) = (at_once(20), 0);
        while let Some(tile) = tiles.next() {
            assert_eq!(tile.unwrap().start, 250 * seen);
            assert!(tiles.ready.len() < most, "{} tiles are held", tiles.ready.len() + 1);
            seen += 1;
        }
        assert_eq!(seen, 4000);
        assert!(4000 > 4 * most as i64, "the contig takes several batches");
    }
}
