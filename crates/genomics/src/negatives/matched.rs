//! Windows of the genome with the length, composition, repeats and unknown bases of given ones.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use nn_core::data::rng;
use rand::RngExt;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::{BinCount, Filling, Intervals, MatchConfig, Matched, NegativesError};
use crate::genome::{Edge, Genome, GenomeError};
use crate::locus::{Locus, Strand};
use crate::sequence::gc_content;

/// Stretches that share a random stream.
const BLOCK: u64 = 4096;
/// Candidates that are tried for a positive whose length is not the median.
const TRIES: usize = 1000;

/// The kind of a window: number of the contig if that counts, bins of the three shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    contig: Option<usize>,
    gc: usize,
    repeats: usize,
    unknown: usize,
}

/// Contig and start of windows of one kind.
type Pool = VecDeque<(usize, i64)>;

/// Number of bins of the given width in 0..=1.
fn bins(width: f64) -> usize {
    ((1.0 / width - 1e-9).ceil() as usize).max(1)
}

pub(super) fn bin(share: f64, width: f64) -> usize {
    // A share that is a multiple of the width belongs above it, however it was rounded.
    ((share / width + 1e-9) as usize).min(bins(width) - 1)
}

fn edges(bin: usize, width: f64) -> [f64; 2] {
    [bin as f64 * width, ((bin + 1) as f64 * width).min(1.0)]
}

/// Where the windows are looked for.
struct Search<'a> {
    genome: &'a Genome,
    config: &'a MatchConfig,
    /// Name, first base and base behind the last one of each contig.
    contigs: Vec<(Arc<str>, i64, i64)>,
    /// What negatives must not touch.
    taken: Intervals,
}

impl Search<'_> {
    fn locus(&self, contig: usize, start: i64, length: usize, strand: Strand) -> Locus {
        Locus { contig: Arc::clone(&self.contigs[contig].0), start, end: start + length as i64, strand }
    }

    fn kind(&self, contig: usize, locus: &Locus) -> Result<Kind, GenomeError> {
        let sequence = self.genome.window(locus, Edge::Pad)?;
        let known = sequence.iter().filter(|base| matches!(base, b'A' | b'C' | b'G' | b'T')).count();
        Ok(Kind {
            contig: self.config.same_contig.then_some(contig),
            gc: bin(gc_content(&sequence), self.config.gc_bin),
            repeats: bin(self.genome.masked_share(locus), self.config.repeat_bin),
            unknown: bin(1.0 - known as f64 / sequence.len() as f64, self.config.unknown_bin),
        })
    }

    /// Whether a window lies on its contig and touches nothing that is taken.
    fn free(&self, contig: usize, locus: &Locus) -> bool {
        let (_, first, end) = self.contigs[contig];
        first <= locus.start && locus.end <= end && !self.taken.overlap(locus)
    }

    /// Free windows of `width` bases of the kinds that are wanted: the contig and the start of each, in random order.
    fn candidates(&self, width: usize, wanted: &BTreeMap<Kind, usize>) -> Result<BTreeMap<Kind, Pool>, NegativesError> {
        // Windows that start on each contig, and on those before it.
        let mut before = Vec::with_capacity(self.contigs.len() + 1);
        let mut total = 0_u64;
        for (_, first, end) in &self.contigs {
            before.push(total);
            total += u64::try_from(end - first - width as i64 + 1).unwrap_or(0);
        }
        if total == 0 {
            return Err(NegativesError::Width { width });
        }
        let stretches = total.min(self.config.candidates as u64);
        let start_of = |stretch: u64| (u128::from(total) * u128::from(stretch) / u128::from(stretches)) as u64;
        let blocks: Vec<Vec<(Kind, usize, i64)>> = (0..stretches.div_ceil(BLOCK))
            .into_par_iter()
            .map(|block| {
                let mut draw = rng(self.config.seed, &[0, block]);
                let mut found = Vec::new();
                for stretch in block * BLOCK..((block + 1) * BLOCK).min(stretches) {
                    let place = draw.random_range(start_of(stretch)..start_of(stretch + 1));
                    let contig = before.partition_point(|&windows| windows <= place) - 1;
                    let start = self.contigs[contig].1 + (place - before[contig]) as i64;
                    let locus = self.locus(contig, start, width, Strand::Forward);
                    if self.free(contig, &locus) {
                        let kind = self.kind(contig, &locus)?;
                        if wanted.contains_key(&kind) {
                            found.push((kind, contig, start));
                        }
                    }
                }
                Ok(found)
            })
            .collect::<Result<_, GenomeError>>()?;
        let mut kinds: BTreeMap<Kind, Vec<(usize, i64)>> = BTreeMap::new();
        for (kind, contig, start) in blocks.into_iter().flatten() {
            kinds.entry(kind).or_default().push((contig, start));
        }
        let mut draw = rng(self.config.seed, &[1]);
        kinds.values_mut().for_each(|places| places.shuffle(&mut draw));
        Ok(kinds.into_iter().map(|(kind, places)| (kind, Pool::from(places))).collect())
    }
}

/// Disjoint intervals of a contig: end by start.
type Chosen = BTreeMap<i64, i64>;

fn clashes(chosen: &[Chosen], contig: usize, locus: &Locus) -> bool {
    // Of disjoint intervals, the last one that begins before the end reaches farthest.
    chosen[contig].range(..locus.end).next_back().is_some_and(|(_, end)| *end > locus.start)
}

/// Windows of the genome, `per_positive` for each of `positives`: of its length and on its strand, in its bins of the
/// shares of G and C, soft-masked and unknown bases, and clear of all positives, of `exclude`, and of each other.
///
/// Places are looked at all over the genome, so that a kind of which there are too few is rare indeed. Windows of the
/// median length of the positives are sorted into bins beforehand; for other lengths, the window with the middle of
/// such a place is tried. Contigs go by any name that the genome resolves; of the exclusions, which often cover a whole
/// assembly, those on contigs that a smaller genome lacks are passed over, unless none at all lies on it.
///
/// # Errors
/// [`NegativesError::Short`] with the number of each kind unless `allow_short`, [`NegativesError::Config`],
/// [`NegativesError::NoPositives`], [`NegativesError::Empty`], [`NegativesError::Width`], [`NegativesError::Locus`] for
/// contigs that the genome does not have.
pub fn matched(
    genome: &Genome,
    positives: &[Locus],
    exclude: &[Locus],
    config: &MatchConfig,
) -> Result<Matched, NegativesError> {
    config.validate()?;
    if let Some((row, locus)) = positives.iter().enumerate().find(|(_, locus)| locus.is_empty()) {
        return Err(NegativesError::Empty { row: row + 1, locus: locus.clone() });
    }
    let mut lengths: Vec<usize> = positives.iter().map(Locus::len).collect();
    lengths.sort_unstable();
    let Some(&width) = lengths.get(lengths.len() / 2) else { return Err(NegativesError::NoPositives) };

    let names = genome.names();
    names.resolve_all(positives.iter().map(|locus| locus.contig.as_ref()))?;
    let known: Vec<&Locus> = exclude.iter().filter(|locus| names.position(&locus.contig).is_ok()).collect();
    if known.is_empty() {
        names.resolve_all(exclude.iter().map(|locus| locus.contig.as_ref()))?;
    }
    let contigs: Vec<(Arc<str>, i64, i64)> = genome
        .contigs()
        .map(|(name, length)| {
            let range = genome.range(name).unwrap_or(0..length as i64);
            (Arc::from(name), range.start, range.end)
        })
        .collect();
    let place = |locus: &Locus| names.position(&locus.contig);
    let resolved = |locus: &Locus| {
        Ok::<_, NegativesError>(Locus { contig: Arc::clone(&contigs[place(locus)?].0), ..locus.clone() })
    };
    let taken: Vec<Locus> = positives.iter().chain(known).map(resolved).collect::<Result<_, _>>()?;
    let search = Search { genome, config, taken: Intervals::new(&taken, config.gap), contigs: contigs.clone() };
    let kinds: Vec<Kind> = positives
        .par_iter()
        .map(|locus| Ok::<_, NegativesError>(search.kind(place(locus)?, locus)?))
        .collect::<Result<_, _>>()?;
    let mut wanted: BTreeMap<Kind, usize> = BTreeMap::new();
    for kind in &kinds {
        *wanted.entry(*kind).or_default() += config.per_positive;
    }

    let mut candidates = search.candidates(width, &wanted)?;
    let looked_at: BTreeMap<Kind, usize> = candidates.iter().map(|(kind, places)| (*kind, places.len())).collect();
    let mut order: Vec<usize> = (0..positives.len()).flat_map(|row| vec![row; config.per_positive]).collect();
    order.shuffle(&mut rng(config.seed, &[2]));
    let mut chosen: Vec<Chosen> = vec![Chosen::new(); contigs.len()];
    let mut found: Vec<(usize, Locus)> = Vec::with_capacity(order.len());
    let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
    for row in order {
        let Some(pool) = candidates.get_mut(&kinds[row]) else { continue };
        if let Some((contig, locus)) = search.take(pool, &positives[row], width, kinds[row], &chosen)? {
            chosen[contig].insert(locus.start, locus.end);
            *counts.entry(kinds[row]).or_default() += 1;
            found.push((row, locus));
        }
    }
    found.sort();
    let listed = wanted.iter().map(|(kind, wanted)| BinCount {
        contig: kind.contig.map(|contig| contigs[contig].0.to_string()),
        gc: edges(kind.gc, config.gc_bin),
        repeats: edges(kind.repeats, config.repeat_bin),
        unknown: edges(kind.unknown, config.unknown_bin),
        wanted: *wanted,
        found: counts.get(kind).copied().unwrap_or(0),
        candidates: looked_at.get(kind).copied().unwrap_or(0),
    });
    let filling = Filling { wanted: wanted.values().sum(), found: found.len(), bins: listed.collect() };
    if filling.found < filling.wanted && !config.allow_short {
        return Err(NegativesError::Short(Box::new(filling)));
    }
    let (of, loci): (Vec<usize>, Vec<Locus>) = found.into_iter().unzip();
    Ok(Matched { loci, of, filling })
}

impl Search<'_> {
    /// The next candidate that serves a positive, with the number of its contig.
    fn take(
        &self,
        pool: &mut Pool,
        positive: &Locus,
        width: usize,
        kind: Kind,
        chosen: &[Chosen],
    ) -> Result<Option<(usize, Locus)>, NegativesError> {
        let length = positive.len();
        if length == width {
            // What clashes with a chosen window will do so for good.
            while let Some((contig, start)) = pool.pop_front() {
                let locus = self.locus(contig, start, width, positive.strand);
                if !clashes(chosen, contig, &locus) {
                    return Ok(Some((contig, locus)));
                }
            }
            return Ok(None);
        }
        for _ in 0..pool.len().min(TRIES) {
            let Some((contig, start)) = pool.pop_front() else { break };
            let locus = self.locus(contig, start, width, positive.strand).centred(length);
            let fits = self.free(contig, &locus) && !clashes(chosen, contig, &locus);
            if fits && self.kind(contig, &locus)? == kind {
                return Ok(Some((contig, locus)));
            }
            pool.push_back((contig, start));
        }
        Ok(None)
    }
}
