//! Orders in which the rows of an epoch become batches.

use std::collections::BTreeMap;

use rand::RngExt;
use rand::seq::SliceRandom;

use super::rng;

/// Purposes of the random streams, so that two samplers with one seed do not draw alike.
mod stream {
    pub(super) const SHUFFLED: u64 = 1;
    pub(super) const BLOCKS: u64 = 2;
    pub(super) const BALANCED: u64 = 3;
}

/// A rule that cuts an epoch into batches of rows.
///
/// [`Sampler::batches`] is a pure function of seed and epoch: it does not matter which epochs were asked for before, which
/// is what lets a resumed run go on exactly where the first stopped.
pub trait Sampler: Send + Sync {
    /// The batches of an epoch in their order; none of them is empty.
    fn batches(&self, seed: u64, epoch: usize) -> Vec<Vec<usize>>;
}

/// Every row once an epoch, in an order drawn anew for each.
#[derive(Debug, Clone)]
pub struct Shuffled {
    rows: Vec<usize>,
    batch_size: usize,
}

impl Shuffled {
    /// Batches of `batch_size` rows (0 counts as 1); the last one has what is left.
    pub fn new(rows: Vec<usize>, batch_size: usize) -> Self {
        Self { rows, batch_size: batch_size.max(1) }
    }
}

impl Sampler for Shuffled {
    fn batches(&self, seed: u64, epoch: usize) -> Vec<Vec<usize>> {
        let mut rows = self.rows.clone();
        rows.shuffle(&mut rng(seed, &[stream::SHUFFLED, epoch as u64]));
        rows.chunks(self.batch_size).map(<[usize]>::to_vec).collect()
    }
}

/// Every row once an epoch, always in the order given: for evaluation, and for published systems that do not shuffle.
#[derive(Debug, Clone)]
pub struct InOrder {
    rows: Vec<usize>,
    batch_size: usize,
}

impl InOrder {
    /// Batches of `batch_size` rows (0 counts as 1); the last one has what is left.
    pub fn new(rows: Vec<usize>, batch_size: usize) -> Self {
        Self { rows, batch_size: batch_size.max(1) }
    }
}

impl Sampler for InOrder {
    fn batches(&self, _seed: u64, _epoch: usize) -> Vec<Vec<usize>> {
        self.rows.chunks(self.batch_size).map(<[usize]>::to_vec).collect()
    }
}

/// For rows that pair two entities (a drug and a target, a patient and an item): batches of few distinct entities.
///
/// Each epoch deals the entities `a` and the entities `b` into groups at random; the rows whose `a` is in group i and whose
/// `b` is in group j are a block. A system that encodes each entity of a batch once then encodes
/// `a_per_block + b_per_block` of them for up to `a_per_block × b_per_block` rows. Where few of the pairs are in the table,
/// blocks that share their group of `b` are merged up to that size: put the side that costs more to encode in `b`. A batch
/// never has more rows than that; every row is in exactly one batch of the epoch.
#[derive(Debug, Clone)]
pub struct Blocks {
    rows: Vec<(usize, u32, u32)>,
    a_per_block: usize,
    b_per_block: usize,
}

impl Blocks {
    /// `a` and `b` hold the entities of each of `rows`, in the same order; a row beyond their end counts as having entity 0.
    /// The sizes count as 1 if 0.
    pub fn new(rows: Vec<usize>, a: Vec<u32>, b: Vec<u32>, a_per_block: usize, b_per_block: usize) -> Self {
        let entities = |of: Vec<u32>| of.into_iter().chain(std::iter::repeat(0));
        let rows = rows.into_iter().zip(entities(a)).zip(entities(b)).map(|((row, a), b)| (row, a, b)).collect();
        Self { rows, a_per_block: a_per_block.max(1), b_per_block: b_per_block.max(1) }
    }
}

/// The group of each entity, when all are dealt at random into groups of `size`.
fn dealt(entities: impl Iterator<Item = u32>, size: usize, rng: &mut impl rand::Rng) -> BTreeMap<u32, usize> {
    let mut entities: Vec<u32> = entities.collect();
    entities.sort_unstable();
    entities.dedup();
    entities.shuffle(rng);
    entities.into_iter().enumerate().map(|(place, entity)| (entity, place / size)).collect()
}

impl Sampler for Blocks {
    fn batches(&self, seed: u64, epoch: usize) -> Vec<Vec<usize>> {
        let mut rng = rng(seed, &[stream::BLOCKS, epoch as u64]);
        let of_a = dealt(self.rows.iter().map(|row| row.1), self.a_per_block, &mut rng);
        let of_b = dealt(self.rows.iter().map(|row| row.2), self.b_per_block, &mut rng);
        // The entities were shuffled, so that going through the groups in their order is a random order already.
        let mut blocks: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        for (row, a, b) in &self.rows {
            blocks.entry((of_b[b], of_a[a])).or_default().push(*row);
        }
        let most = self.a_per_block * self.b_per_block;
        let mut batches = Vec::new();
        let mut batch: Vec<usize> = Vec::new();
        for mut block in blocks.into_values() {
            if batch.len() + block.len() > most && !batch.is_empty() {
                batches.push(std::mem::take(&mut batch));
            }
            // More rows than pairs: some pairs were measured more than once.
            while block.len() > most {
                batches.push(block.split_off(block.len() - most));
            }
            batch.append(&mut block);
        }
        if !batch.is_empty() {
            batches.push(batch);
        }
        batches.shuffle(&mut rng);
        batches
    }
}

/// As many rows an epoch as there are, but each label equally often (to one row): rows of rare labels come several times,
/// and of frequent labels only some do. Within a label all rows come once before one comes again.
#[derive(Debug, Clone)]
pub struct Balanced {
    classes: Vec<Vec<usize>>,
    batch_size: usize,
}

impl Balanced {
    /// `labels` holds the label of each of `rows`, in the same order; a row beyond its end counts as having label 0.
    /// Batches have `batch_size` rows (0 counts as 1), the last one what is left.
    pub fn new(rows: Vec<usize>, labels: &[u64], batch_size: usize) -> Self {
        let mut classes: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (position, row) in rows.into_iter().enumerate() {
            classes.entry(labels.get(position).copied().unwrap_or(0)).or_default().push(row);
        }
        Self { classes: classes.into_values().collect(), batch_size: batch_size.max(1) }
    }
}

impl Sampler for Balanced {
    fn batches(&self, seed: u64, epoch: usize) -> Vec<Vec<usize>> {
        let total: usize = self.classes.iter().map(Vec::len).sum();
        let classes = self.classes.len();
        if total == 0 {
            return Vec::new();
        }
        let mut rng = rng(seed, &[stream::BALANCED, epoch as u64]);
        // Which labels get the rows that do not divide evenly changes with the epoch.
        let first = rng.random_range(0..classes);
        let mut drawn = Vec::with_capacity(total);
        for (label, rows) in self.classes.iter().enumerate() {
            let place = (label + classes - first) % classes;
            let mut wanted = total / classes + usize::from(place < total % classes);
            while wanted > 0 {
                let mut pass = rows.clone();
                pass.shuffle(&mut rng);
                pass.truncate(wanted);
                wanted -= pass.len();
                drawn.append(&mut pass);
            }
        }
        drawn.shuffle(&mut rng);
        drawn.chunks(self.batch_size).map(<[usize]>::to_vec).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn sorted(batches: &[Vec<usize>]) -> Vec<usize> {
        let mut rows = batches.concat();
        rows.sort_unstable();
        rows
    }

    #[test]
    fn in_order_keeps_the_order() {
        let sampler = InOrder::new(vec![4, 2, 9, 1, 7], 2);
        assert_eq!(sampler.batches(1, 0), [vec![4, 2], vec![9, 1], vec![7]]);
        assert_eq!(sampler.batches(2, 5), sampler.batches(1, 0));
    }

    #[test]
    fn a_full_table_becomes_full_blocks() {
        // 48 x 60 pairs, all measured: 3 x 5 blocks of 16 x 12 pairs.
        let rows: Vec<usize> = (0..48 * 60).collect();
        let (a, b): (Vec<u32>, Vec<u32>) = rows.iter().map(|&row| ((row / 60) as u32, (row % 60) as u32)).unzip();
        let batches = Blocks::new(rows, a.clone(), b.clone(), 16, 12).batches(3, 1);
        assert_eq!(batches.len(), 15);
        for batch in &batches {
            assert_eq!(batch.len(), 16 * 12);
            assert_eq!(batch.iter().map(|&row| a[row]).collect::<BTreeSet<_>>().len(), 16);
            assert_eq!(batch.iter().map(|&row| b[row]).collect::<BTreeSet<_>>().len(), 12);
        }
    }

    #[test]
    fn a_sparse_table_merges_along_b() {
        // One pair in four measured: batches are filled up, from blocks that share their b.
        let rows: Vec<usize> = (0..64 * 64).filter(|row| row * 7 % 4 == row / 64 % 4).collect();
        let column = |of: fn(usize) -> usize| rows.iter().map(|&row| of(row) as u32).collect::<Vec<_>>();
        let (a, b) = (column(|row| row / 64), column(|row| row % 64));
        let batches = Blocks::new(rows.clone(), a, b, 16, 16).batches(3, 1);
        assert!(batches.len() <= rows.len().div_ceil(256) + 4, "{} batches", batches.len());
        let targets = |batch: &Vec<usize>| batch.iter().map(|row| row % 64).collect::<BTreeSet<_>>().len();
        let mean = batches.iter().map(targets).sum::<usize>() as f64 / batches.len() as f64;
        assert!(mean < 24.0, "{mean} distinct b in a batch; at random it would be about 62");
    }

    #[test]
    fn balanced_draws_each_label_equally_and_uses_every_rare_row() {
        let labels: Vec<u64> = (0..1000).map(|row| u64::from(row % 100 == 0)).collect();
        let batches = Balanced::new((0..1000).collect(), &labels, 64).batches(1, 0);
        let rows = sorted(&batches);
        assert_eq!(rows.len(), 1000);
        let rare: Vec<usize> = rows.iter().copied().filter(|&row| labels[row] == 1).collect();
        assert_eq!(rare.len(), 500);
        // Ten rare rows in 500 draws, pass by pass: 50 times each.
        for row in (0..1000).step_by(100) {
            assert_eq!(rare.iter().filter(|&&found| found == row).count(), 50);
        }
        let frequent: BTreeSet<usize> = rows.into_iter().filter(|&row| labels[row] == 0).collect();
        assert_eq!(frequent.len(), 500);
        assert!(Balanced::new(vec![], &[], 4).batches(0, 0).is_empty());
    }

    proptest! {
        #[test]
        fn every_row_once_an_epoch_as_a_function_of_seed_and_epoch(
            pairs in vec((0_u32..9, 0_u32..9), 30..120),
            size in 1_usize..5,
            seed in any::<u64>(),
            epoch in 0_usize..1000,
        ) {
            let n = pairs.len();
            let (a, b): (Vec<u32>, Vec<u32>) = pairs.into_iter().unzip();
            let rows: Vec<usize> = (0..n).map(|row| row * 3).collect();
            let samplers: [Box<dyn Sampler>; 2] = [
                Box::new(Shuffled::new(rows.clone(), size * size)),
                Box::new(Blocks::new(rows.clone(), a, b, size, size)),
            ];
            for sampler in &samplers {
                let batches = sampler.batches(seed, epoch);
                prop_assert_eq!(sorted(&batches), rows.clone());
                prop_assert!(batches.iter().all(|batch| !batch.is_empty() && batch.len() <= size * size));
                prop_assert_eq!(&batches, &sampler.batches(seed, epoch));
                prop_assert_ne!(&batches, &sampler.batches(seed, epoch + 1));
                prop_assert_ne!(&batches, &sampler.batches(seed.wrapping_add(1), epoch));
            }
        }
    }
}
