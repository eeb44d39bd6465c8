//! Batches that a network with batch normalisation can learn from.
//!
//! One value has no variance: where the deepest maps of a network have one position, a batch of one row cannot be
//! normalised. What is left over at the end of an epoch may be such a batch.

use nn_core::config::ConfigError;
use nn_core::data::Sampler;

/// Batches of at least so many rows: fewer, left over at the end of an epoch, go with the batch before them.
pub(super) struct AtLeast {
    sampler: Box<dyn Sampler>,
    rows: usize,
}

impl AtLeast {
    pub(super) fn new(sampler: Box<dyn Sampler>, rows: usize) -> Self {
        Self { sampler, rows }
    }
}

impl Sampler for AtLeast {
    fn batches(&self, seed: u64, epoch: usize) -> Vec<Vec<usize>> {
        let mut batches = self.sampler.batches(seed, epoch);
        if batches.len() > 1 && batches.last().is_some_and(|last| last.len() < self.rows) {
            let last = batches.pop().unwrap_or_default();
            if let Some(before) = batches.last_mut() {
                before.extend(last);
            }
        }
        batches
    }
}

/// Refuses steps of fewer rows than the network needs.
///
/// # Errors
/// [`ConfigError::Conflict`].
pub(super) fn enough(rows: usize, needed: usize, system: &str) -> Result<(), ConfigError> {
    if rows >= needed {
        return Ok(());
    }
    Err(ConfigError::Conflict(format!(
        "a step of training has {rows} row, but {system} normalises over the batch and its deepest map has one position; \
         raise learning.batch_size to {needed} or more, and give as many rows, or use larger patches or pictures"
    )))
}

#[cfg(test)]
mod tests {
    use nn_core::data::Shuffled;

    use super::*;

    #[test]
    fn a_single_row_goes_with_the_batch_before_it() {
        let sizes = |rows: usize, least: usize| -> Vec<usize> {
            let sampler = AtLeast::new(Box::new(Shuffled::new((0..rows).collect(), 4)), least);
            let batches = sampler.batches(1, 0);
            let mut seen = batches.concat();
            seen.sort_unstable();
            assert_eq!(seen, (0..rows).collect::<Vec<_>>(), "every row once");
            batches.iter().map(Vec::len).collect()
        };
        assert_eq!(sizes(9, 2), [4, 5]);
        assert_eq!(sizes(9, 1), [4, 4, 1]);
        assert_eq!(sizes(10, 2), [4, 4, 2]);
        assert_eq!(sizes(8, 2), [4, 4]);
        assert_eq!(sizes(1, 2), [1]);
    }

    #[test]
    fn too_few_rows_are_refused() {
        assert!(enough(2, 2, "linknet").is_ok() && enough(1, 1, "unet").is_ok());
        let text = enough(1, 2, "linknet").unwrap_err().to_string();
        assert!(text.contains("has 1 row") && text.contains("learning.batch_size to 2"), "{text}");
    }
}
