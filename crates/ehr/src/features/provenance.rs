//! On whom something was fitted.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::labels::Label;
use crate::split::{Part, Split};
use crate::view::View;

/// Who a vocabulary, a scaler, an imputation or an embedding was fitted on.
///
/// A file has a digest only, of the sorted subject numbers: a model names no patient. In memory the numbers are there
/// too, so that the audit can name them. Two are equal if their digests are.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Provenance {
    subjects: usize,
    digest: String,
    #[serde(skip)]
    ids: BTreeSet<i64>,
}

impl PartialEq for Provenance {
    fn eq(&self, other: &Self) -> bool {
        self.subjects == other.subjects && self.digest == other.digest
    }
}

impl Eq for Provenance {}

impl Provenance {
    /// Of subject numbers, in any order and repeated as one likes.
    pub fn of(subjects: impl IntoIterator<Item = i64>) -> Self {
        let ids: BTreeSet<i64> = subjects.into_iter().collect();
        let mut hash = Sha256::new();
        for id in &ids {
            hash.update(id.to_le_bytes());
        }
        let mut digest = String::with_capacity(64);
        for byte in hash.finalize() {
            // Writing to a string cannot fail.
            let _ = write!(digest, "{byte:02x}");
        }
        Self { subjects: ids.len(), digest, ids }
    }

    /// Of the subjects of views.
    pub fn of_views(views: &[View<'_>]) -> Self {
        Self::of(views.iter().map(View::subject_id))
    }

    /// Of the labelled subjects of the training part: what everything that is fitted should say.
    pub fn of_training(split: &Split, labels: &[Label]) -> Self {
        Self::of(split.rows(labels, Part::Train).into_iter().map(|row| labels[row].subject))
    }

    /// How many subjects.
    pub fn subjects(&self) -> usize {
        self.subjects
    }

    /// SHA-256 of the subject numbers, ascending, as little-endian 64-bit integers; hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The subjects, if they are still known; after reading from a file they are not.
    pub fn ids(&self) -> Option<&BTreeSet<i64>> {
        (self.ids.len() == self.subjects).then_some(&self.ids)
    }
}
