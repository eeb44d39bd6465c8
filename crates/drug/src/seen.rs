//! What models were trained on, as hashes: how much of a later table is new to them.
//!
//! A score on drugs, targets or pairs that a model has learnt from says little of any others. A run therefore keeps
//! beside its models the hash of each drug (its flat canonical SMILES, as the splits tell drugs apart; one that cannot
//! be read counts by its letters), of each sequence, and of each drug with its sequence. A hash is the first 64 bits of
//! the SHA-256, so that two of two million strings share one with a probability of 10⁻⁷. The mean of the values is kept
//! as well: a model has to come closer than that.
//!
//! ```
//! use drug::seen::Seen;
//! use drug::synthetic::{SyntheticConfig, affinity_table};
//! let (table, _) = affinity_table(&SyntheticConfig { drugs: 4, targets: 3, ..SyntheticConfig::default() })?;
//! let seen = Seen::new(&table, &[0, 1]);
//! assert_eq!(seen.overlap(&table, &[1, 2]).rows, [true, false]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::chem::Molecule;
use crate::table::{AffinityTable, Pair};

/// Name of the file, in the folder of the models' weights.
pub const FILE: &str = "seen.bin";

/// What the file begins with. Behind it stand, in words of 8 bytes with the lowest first: the mean, the number of drugs,
/// of targets and of pairs, and their hashes, each kind ascending; then the SHA-256 of all that.
const MAGIC: &[u8] = b"galseen1";
/// Bytes of a SHA-256.
const DIGEST: usize = 32;

/// A record of training that is there and cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeenError {
    /// The file cannot be read.
    #[error("cannot read {path}: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The file is not what [`Seen::to_bytes`] gave.
    #[error(
        "{path} does not say what the models were trained on: {problem}; without the file they can be used all the same"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// The drugs, targets and pairs that models were trained on.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Hashes, ascending and each once, as the two below.
    drugs: Vec<u64>,
    targets: Vec<u64>,
    pairs: Vec<u64>,
    mean: f64,
}

/// How many of some things there are, and how many of them were in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Those that were in training.
    pub seen: usize,
    /// All of them.
    pub of: usize,
}

/// What rows of a table have in common with those that models were trained on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// Their distinct drugs, by flat canonical SMILES.
    pub drugs: Share,
    /// Their distinct targets, by sequence.
    pub targets: Share,
    /// The rows, by drug and target together.
    pub pairs: Share,
    /// For each row whether its pair was in training.
    pub rows: Vec<bool>,
}

impl Seen {
    /// What `rows` of `table` hold; without a row the mean is no number. Give it every row that had a part in any of the
    /// models, also those that decided when to stop or that sized an interval.
    pub fn new(table: &AffinityTable, rows: &[usize]) -> Self {
        let found = Hashes::new(table).of_rows(table, rows);
        let [drugs, targets, pairs] = [0, 1, 2].map(|kind| distinct(&found, kind));
        let values = table.values(rows);
        Self { drugs, targets, pairs, mean: values.iter().sum::<f64>() / values.len() as f64 }
    }

    /// Mean of the values, in the units of the models' quantity.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// How much of `rows` of `table` was in training.
    pub fn overlap(&self, table: &AffinityTable, rows: &[usize]) -> Overlap {
        let found = Hashes::new(table).of_rows(table, rows);
        let contains = |known: &[u64], hash: u64| known.binary_search(&hash).is_ok();
        let share = |known: &[u64], kind: usize| {
            let all = distinct(&found, kind);
            Share { seen: all.iter().filter(|&&hash| contains(known, hash)).count(), of: all.len() }
        };
        let rows: Vec<bool> = found.iter().map(|hashes| contains(&self.pairs, hashes[2])).collect();
        let pairs = Share { seen: rows.iter().filter(|&&seen| seen).count(), of: rows.len() };
        Overlap { drugs: share(&self.drugs, 0), targets: share(&self.targets, 1), pairs, rows }
    }

    /// The content of the file [`FILE`]. Equal rows give equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let lists = [&self.drugs, &self.targets, &self.pairs];
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&self.mean.to_le_bytes());
        for list in lists {
            bytes.extend_from_slice(&(list.len() as u64).to_le_bytes());
        }
        for hash in lists.into_iter().flatten() {
            bytes.extend_from_slice(&hash.to_le_bytes());
        }
        let digest = Sha256::digest(&bytes);
        bytes.extend_from_slice(&digest);
        bytes
    }

    /// What the models at `path` were trained on: a run folder, a folder of weights, or a weights file, beside which the
    /// record lies. `None` where there is none: models of earlier versions, and files that were moved elsewhere.
    ///
    /// # Errors
    /// [`SeenError`] with the file.
    pub fn of_model(path: &Path) -> Result<Option<Self>, SeenError> {
        let inside = path.join("model");
        let folder: &Path = if path.is_file() {
            path.parent().unwrap_or(path)
        } else if inside.is_dir() {
            &inside
        } else {
            path
        };
        let file = folder.join(FILE);
        match std::fs::read(&file) {
            Ok(bytes) => match Self::from_bytes(&bytes) {
                Ok(seen) => Ok(Some(seen)),
                Err(problem) => Err(SeenError::Damaged { path: file, problem }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(SeenError::Read { path: file, cause }),
        }
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, &'static str> {
        const SHORT: &str = "it is cut short";
        let (content, digest) = bytes.split_at(bytes.len().saturating_sub(DIGEST));
        let words = content.strip_prefix(MAGIC).ok_or("it is no such file")?;
        if Sha256::digest(content)[..] != *digest {
            return Err("a byte in it was altered, or it is cut short");
        }
        let words: Vec<u64> = words.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
        let [mean, drugs, targets, pairs, hashes @ ..] = words.as_slice() else { return Err(SHORT) };
        let (of_drugs, hashes) = hashes.split_at_checked(*drugs as usize).ok_or(SHORT)?;
        let (of_targets, of_pairs) = hashes.split_at_checked(*targets as usize).ok_or(SHORT)?;
        if of_pairs.len() as u64 != *pairs {
            return Err(SHORT);
        }
        let [drugs, targets, pairs] = [of_drugs, of_targets, of_pairs].map(<[u64]>::to_vec);
        Ok(Self { drugs, targets, pairs, mean: f64::from_bits(*mean) })
    }
}

/// The hash of each string of a table.
struct Hashes {
    drugs: Vec<u64>,
    targets: Vec<u64>,
}

impl Hashes {
    fn new(table: &AffinityTable) -> Self {
        let of_drug = |smiles: &str| match Molecule::parse(smiles) {
            Ok(molecule) => hash(molecule.canonical_flat().as_bytes()),
            Err(_) => hash(smiles.as_bytes()),
        };
        Self {
            drugs: table.drugs.par_iter().map(|drug| of_drug(&drug.smiles)).collect(),
            targets: table.targets.iter().map(|target| hash(target.sequence.as_bytes())).collect(),
        }
    }

    /// For each row its drug, its target and its pair.
    fn of_rows(&self, table: &AffinityTable, rows: &[usize]) -> Vec<[u64; 3]> {
        let of_pair = |pair: Pair| {
            let (drug, target) = (self.drugs[pair.drug as usize], self.targets[pair.target as usize]);
            [drug, target, hash(&[drug.to_le_bytes(), target.to_le_bytes()].concat())]
        };
        rows.iter().map(|&row| of_pair(table.pairs[row])).collect()
    }
}

/// The hashes of one kind (0 drugs, 1 targets, 2 pairs), ascending and each once.
fn distinct(rows: &[[u64; 3]], kind: usize) -> Vec<u64> {
    let mut hashes: Vec<u64> = rows.iter().map(|hashes| hashes[kind]).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// The first 64 bits of the SHA-256.
fn hash(bytes: &[u8]) -> u64 {
    Sha256::digest(bytes).iter().take(8).fold(0, |bits, &byte| (bits << 8) | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{SyntheticConfig, affinity_table};
    use crate::table::{Drug, Quantity, Target};
    use std::collections::HashSet;
    use std::fs;

    /// One row for each drug and target, all of value 5 but the last, of 8.
    fn table(rows: &[(&str, &str)]) -> AffinityTable {
        let pair = |row: usize| {
            let value = if row + 1 == rows.len() { 8.0 } else { 5.0 };
            Pair { drug: row as u32, target: row as u32, value }
        };
        AffinityTable {
            drugs: rows.iter().map(|row| Drug { id: "d".into(), smiles: row.0.into() }).collect(),
            targets: rows.iter().map(|row| Target { id: "t".into(), sequence: row.1.into() }).collect(),
            pairs: (0..rows.len()).map(pair).collect(),
            quantity: Quantity::Pkd,
        }
    }

    #[test]
    fn a_hash_is_the_start_of_sha_256() {
        // FIPS 180-4, example of one block: SHA-256("abc") = ba7816bf 8f01cfea 414140de …
        assert_eq!(hash(b"abc"), 0xba78_16bf_8f01_cfea);
    }

    #[test]
    fn spellings_stereoisomers_and_names_are_seen_through() {
        let seen = Seen::new(&table(&[("CCO", "MKV"), ("C[C@H](O)CC", "MKV"), ("C1CC", "MKVL")]), &[0, 1, 2]);
        assert_eq!(seen.mean(), 6.0);
        let asked = table(&[("OCC", "MKV"), ("CC(O)CC", "MKVL"), ("C1CC", "MKVL"), ("C1C", "MKV"), ("CCO", "MKV")]);
        let overlap = seen.overlap(&asked, &[0, 1, 2, 3, 4]);
        assert_eq!(overlap.rows, [true, false, true, false, true]);
        assert_eq!(overlap.drugs, Share { seen: 3, of: 4 });
        assert_eq!(overlap.targets, Share { seen: 2, of: 2 });
        assert_eq!(overlap.pairs, Share { seen: 3, of: 5 });
        // Of the rows that are asked about only.
        assert_eq!(seen.overlap(&asked, &[3]).drugs, Share { seen: 0, of: 1 });
    }

    /// Against sets of the strings themselves.
    #[test]
    fn the_overlap_is_that_of_the_strings() {
        let (table, _) =
            affinity_table(&SyntheticConfig { drugs: 12, targets: 6, ..SyntheticConfig::default() }).unwrap();
        // The rows go drug by drug: half of the drugs are trained on, each with every other target.
        let trained: Vec<usize> = (0..table.pairs.len() / 2).filter(|row| row % 2 == 0).collect();
        let asked: Vec<usize> = (0..table.pairs.len()).filter(|row| row % 3 != 1).collect();
        let strings = |row: usize| {
            let pair = table.pairs[row];
            let molecule = Molecule::parse(&table.drugs[pair.drug as usize].smiles).unwrap();
            (molecule.canonical_flat(), table.targets[pair.target as usize].sequence.clone())
        };
        let known: HashSet<_> = trained.iter().map(|&row| strings(row)).collect();
        let overlap = Seen::new(&table, &trained).overlap(&table, &asked);
        let expected: Vec<bool> = asked.iter().map(|&row| known.contains(&strings(row))).collect();
        assert_eq!(overlap.rows, expected);
        let share = |of: fn(&(String, String)) -> &String| {
            let known: HashSet<&String> = known.iter().map(of).collect();
            let strings: HashSet<String> = asked.iter().map(|&row| of(&strings(row)).clone()).collect();
            Share { seen: strings.iter().filter(|string| known.contains(string)).count(), of: strings.len() }
        };
        assert_eq!((overlap.drugs, overlap.targets), (share(|pair| &pair.0), share(|pair| &pair.1)));
        assert!(overlap.drugs.seen > 0 && overlap.drugs.seen < overlap.drugs.of, "{:?}", overlap.drugs);
    }

    #[test]
    fn what_was_written_is_read_back_and_any_damage_is_seen() {
        let seen = Seen::new(&table(&[("CCO", "MKV"), ("CCN", "MKV")]), &[0, 1]);
        let bytes = seen.to_bytes();
        assert_eq!(Seen::from_bytes(&bytes), Ok(seen));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            assert!(Seen::from_bytes(&damaged).is_err(), "byte {at}");
            assert!(Seen::from_bytes(&bytes[..at]).is_err(), "{at} bytes");
        }
    }

    #[test]
    fn it_is_found_where_the_models_are() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        fs::create_dir(run.join("model")).unwrap();
        let weights = run.join("model/fold-0.safetensors");
        fs::write(&weights, "weights").unwrap();
        let places = [run.to_path_buf(), run.join("model"), weights];
        for place in &places {
            assert_eq!(Seen::of_model(place).unwrap(), None, "{}", place.display());
        }
        let seen = Seen::new(&table(&[("CCO", "MKV")]), &[0]);
        fs::write(run.join("model").join(FILE), seen.to_bytes()).unwrap();
        for place in &places {
            assert_eq!(Seen::of_model(place).unwrap().as_ref(), Some(&seen), "{}", place.display());
        }
        fs::write(run.join("model").join(FILE), "other").unwrap();
        let error = Seen::of_model(run).unwrap_err().to_string();
        assert!(error.contains("seen.bin does not say") && error.contains("no such file"), "{error}");
    }
}
