//! Divisions of sequences: what must not stand on both sides.
//!
//! | split | keeps together | says |
//! |---|---|---|
//! | chromosome | rows of one contig | how well a model does on a part of the genome that it has not seen |
//! | cluster | similar sequences, on either strand | the same, where nobody knows where the sequences lie |
//! | group | rows of one group: a gene family, a pair, a subject | how well it does on a new family |
//! | random | copies of a sequence, on either strand | how well it does on the like of what it has seen |
//!
//! Rows of one group of the set ([`SequenceSet::groups`]), such as a sequence and its shuffles, stay together in a
//! random and in a cluster split as well, and a row without a place takes the contig of its group. Pairs of two
//! sequences, such as an enhancer and a promoter, must have neither side in common: [`linked`] and [`pairs()`].
//!
//! ```
//! use genomics::split::linked;
//! // Enhancers 0, 0, 1, 2 with promoters 5, 6, 6, 7: the first three pairs hang together.
//! assert_eq!(linked(&[0, 0, 1, 2], &[5, 6, 6, 7]), [0, 0, 0, 1]);
//! ```

mod cluster;
mod kind;
mod pairs;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use nn_core::config::{ConfigError, in_range};
use nn_core::data::{DataError, Fractions, Part, Split, group_ids, grouped, rng};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

pub use self::cluster::{ClusterConfig, clusters};
pub use self::kind::SplitKind;
pub use self::pairs::{linked, pairs};

use crate::dataset::SequenceSet;
use crate::locus::Locus;
use crate::sequence::reverse_complement;

/// Why a set cannot be divided.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// A setting out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The upstream parts are not a function of the set.
    #[error(
        "the upstream test part comes with the data and cannot be drawn; read it from its file, or choose another split"
    )]
    NoUpstream,
    /// Rows without a place on the genome.
    #[error(
        "{missing} of {rows} rows, the first of them {name}, have no place on the genome; use a cluster split, or give \
         loci"
    )]
    NoLoci {
        /// Rows without a place.
        missing: usize,
        /// All rows.
        rows: usize,
        /// Name of the first without.
        name: String,
    },
    /// No groups.
    #[error("the rows have no groups; name the column that holds them, or use a cluster split")]
    NoGroups,
    /// Clusters of rows that are no sequences.
    #[error("the rows are no sequences, so they have no clusters; use random, chromosome or group")]
    NoSequences,
    /// A contig on which no row lies.
    #[error("no row lies on {contig}, which the {part} part should have; rows lie on {known}")]
    NoSuchContig {
        /// The contig asked for.
        contig: String,
        /// The part that names it.
        part: Part,
        /// Those there are.
        known: String,
    },
    /// A contig of two parts.
    #[error("contig {contig} is asked for in the validation and in the test part")]
    Twice {
        /// The contig.
        contig: String,
    },
    /// Too few rows or groups.
    #[error("cannot make a {kind} split of {rows} rows: {cause}")]
    Undividable {
        /// The kind asked for.
        kind: SplitKind,
        /// Rows of the set.
        rows: usize,
        /// What stands in the way.
        cause: DataError,
    },
}

/// How a set is divided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SplitConfig {
    /// What is kept together.
    pub kind: SplitKind,
    /// Contigs of the validation part of a chromosome split; drawn if none is named and `validation_fraction` is above
    /// 0.
    pub validation_contigs: Vec<String>,
    /// Contigs of the test part of a chromosome split; drawn if none is named and `test_fraction` is above 0.
    pub test_contigs: Vec<String>,
    /// Share of the rows that the validation part should have, 0 for none; met as closely as whole groups allow.
    pub validation_fraction: f64,
    /// Share of the rows that the test part should have, 0 for none.
    pub test_fraction: f64,
    /// What counts as similar in a cluster split.
    pub cluster: ClusterConfig,
    /// Seed.
    pub seed: u64,
}

impl Default for SplitConfig {
    fn default() -> Self {
        Self {
            kind: SplitKind::default(),
            validation_contigs: Vec::new(),
            test_contigs: Vec::new(),
            validation_fraction: 0.1,
            test_fraction: 0.2,
            cluster: ClusterConfig::default(),
            seed: 1,
        }
    }
}

impl SplitConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("validation_fraction", self.validation_fraction, 0.0..=0.9)?;
        in_range("test_fraction", self.test_fraction, 0.0..=0.9)?;
        in_range("validation_fraction + test_fraction", self.validation_fraction + self.test_fraction, 0.0..=0.95)?;
        if self.kind != SplitKind::Chromosome && !(self.validation_contigs.is_empty() && self.test_contigs.is_empty()) {
            let problem = "validation_contigs and test_contigs are for a chromosome split; leave them out, or use \
                           split = \"chromosome\"";
            return Err(ConfigError::Conflict(problem.to_owned()));
        }
        self.cluster.validate()
    }
}

/// Divides a set.
///
/// The contigs of a chromosome split that are not named are drawn at random; where no contig is small enough for the
/// share asked for, the one nearest to it is taken, so that any genome of three contigs can be divided.
///
/// # Errors
/// [`SplitError`].
pub fn split(set: &SequenceSet, config: &SplitConfig) -> Result<Split, SplitError> {
    config.validate()?;
    if config.kind == SplitKind::Upstream {
        return Err(SplitError::NoUpstream);
    }
    divide(&groups_with(set, config.kind, &config.cluster)?, &set.loci, config)
}

/// As [`split`], for rows whose [`groups`] are told already; `loci` are where the rows lie, for the contigs that
/// the settings name.
///
/// # Errors
/// [`SplitError`].
pub fn divide(groups: &[u64], loci: &[Option<Locus>], config: &SplitConfig) -> Result<Split, SplitError> {
    config.validate()?;
    let kind = config.kind;
    let undividable = |cause| SplitError::Undividable { kind, rows: groups.len(), cause };
    let fractions = Fractions { validation: config.validation_fraction, test: config.test_fraction };
    if kind != SplitKind::Chromosome {
        return grouped(groups, fractions, config.seed).map_err(undividable);
    }
    let named = [(Part::Validation, &config.validation_contigs), (Part::Test, &config.test_contigs)];
    let [validation, test] = named.map(|(part, contigs)| rows_on(loci, groups, part, contigs));
    let (validation, test) = (validation?, test?);
    if let Some(contig) = config
        .validation_contigs
        .iter()
        .find(|contig| config.test_contigs.iter().any(|other| bare(other) == bare(contig)))
    {
        return Err(SplitError::Twice { contig: contig.clone() });
    }
    by_contig(groups, [validation, test], fractions, config.seed).map_err(undividable)
}

/// The rows of the named contigs; `None` if none is named.
fn rows_on(
    loci: &[Option<Locus>],
    groups: &[u64],
    part: Part,
    contigs: &[String],
) -> Result<Option<Vec<usize>>, SplitError> {
    if contigs.is_empty() {
        return Ok(None);
    }
    let mut numbers: BTreeMap<String, u64> = BTreeMap::new();
    for (locus, group) in loci.iter().zip(groups) {
        if let Some(locus) = locus {
            numbers.entry(bare(&locus.contig)).or_insert(*group);
        }
    }
    let mut wanted = BTreeSet::new();
    for contig in contigs {
        let Some(group) = numbers.get(&bare(contig)) else {
            let known: BTreeSet<&str> = loci.iter().flatten().map(|locus| locus.contig.as_ref()).collect();
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            return Err(SplitError::NoSuchContig { contig: contig.clone(), part, known });
        };
        wanted.insert(*group);
    }
    Ok(Some((0..groups.len()).filter(|row| wanted.contains(&groups[*row])).collect()))
}

/// Fills the parts that are not given with whole groups.
fn by_contig(
    groups: &[u64],
    given: [Option<Vec<usize>>; 2],
    fractions: Fractions,
    seed: u64,
) -> Result<Split, DataError> {
    let mut left: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (row, &group) in groups.iter().enumerate() {
        left.entry(group).or_default().push(row);
    }
    for row in given.iter().flatten().flatten() {
        left.remove(&groups[*row]);
    }
    let mut left: Vec<Vec<usize>> = left.into_values().collect();
    left.shuffle(&mut rng(seed, &[0]));
    let [validation, test] = given;
    // The test part is drawn first, so that it does not depend on the share of the validation part; each part leaves
    // one group for each of those after it.
    let due = 1 + usize::from(validation.is_none() && fractions.validation > 0.0);
    let test = test.unwrap_or_else(|| drawn(&mut left, groups.len() as f64 * fractions.test, due));
    let validation = validation.unwrap_or_else(|| drawn(&mut left, groups.len() as f64 * fractions.validation, 1));
    let split = Split::new(left.concat(), validation, test);
    let asked = [true, fractions.validation > 0.0, fractions.test > 0.0];
    for (part, asked) in Part::ALL.into_iter().zip(asked) {
        if asked && split.part(part).is_empty() {
            let (groups, parts) = (groups.iter().collect::<BTreeSet<_>>().len(), 1 + asked_parts(fractions));
            return Err(DataError::TooFewGroups { groups, parts });
        }
    }
    Ok(split)
}

fn asked_parts(fractions: Fractions) -> usize {
    usize::from(fractions.validation > 0.0) + usize::from(fractions.test > 0.0)
}

/// Takes groups, in their order, as long as each brings the number of rows nearer to `wanted`; if none does, the one
/// whose size is nearest. At least `due` groups are left.
fn drawn(left: &mut Vec<Vec<usize>>, wanted: f64, due: usize) -> Vec<usize> {
    let mut rows = Vec::new();
    let mut free = left.len().saturating_sub(due);
    if wanted <= 0.0 || free == 0 {
        return rows;
    }
    left.retain(|group| {
        let size = rows.len() as f64;
        let nearer = (size + group.len() as f64 - wanted).abs() < (wanted - size).abs();
        if !nearer || free == 0 {
            return true;
        }
        free -= 1;
        rows.extend_from_slice(group);
        false
    });
    if rows.is_empty() {
        let distance = |place: &usize| (left[*place].len() as f64 - wanted).abs();
        let nearest = (0..left.len()).min_by(|a, b| distance(a).total_cmp(&distance(b)));
        rows = nearest.map(|place| left.remove(place)).unwrap_or_default();
    }
    rows
}

/// For each row of the set, the number of the group that `kind` keeps together; similarity as [`ClusterConfig`] has it
/// by default.
///
/// # Errors
/// [`SplitError::NoLoci`], [`SplitError::NoGroups`].
pub fn groups(set: &SequenceSet, kind: SplitKind) -> Result<Vec<u64>, SplitError> {
    groups_with(set, kind, &ClusterConfig::default())
}

/// As [`groups`], with a similarity of one's own.
///
/// # Errors
/// As [`groups`], and [`SplitError::Config`].
pub fn groups_with(set: &SequenceSet, kind: SplitKind, cluster: &ClusterConfig) -> Result<Vec<u64>, SplitError> {
    let sequences = || set.sequences.iter().map(Vec::as_slice).collect::<Vec<&[u8]>>();
    let joined = |own: Vec<u64>| match &set.groups {
        Some(groups) => linked(&own, groups),
        None => own,
    };
    match kind {
        SplitKind::Upstream | SplitKind::Random => Ok(joined(copies(&sequences()))),
        SplitKind::Cluster => {
            cluster.validate()?;
            Ok(joined(clusters(&sequences(), cluster)))
        }
        SplitKind::Group => set.groups.clone().ok_or(SplitError::NoGroups),
        SplitKind::Chromosome => contigs(&set.names, &set.loci, set.groups.as_deref()),
    }
}

/// For each sequence, the number of the group of its copies and reverse complements.
pub fn copies(sequences: &[&[u8]]) -> Vec<u64> {
    group_ids(sequences.iter().map(|sequence| {
        let other = reverse_complement(sequence);
        if other.as_slice() < *sequence { other } else { sequence.to_vec() }
    }))
}

/// The number of the contig of each row; a row without a place takes that of its group. `rows` are the names of the
/// rows.
///
/// # Errors
/// [`SplitError::NoLoci`].
pub fn contigs(rows: &[String], loci: &[Option<Locus>], groups: Option<&[u64]>) -> Result<Vec<u64>, SplitError> {
    let mut names: Vec<Option<String>> =
        loci.iter().map(|locus| locus.as_ref().map(|locus| bare(&locus.contig))).collect();
    if let Some(groups) = groups {
        let mut of_group: HashMap<u64, String> = HashMap::new();
        for (name, group) in names.iter().zip(groups) {
            if let Some(name) = name {
                of_group.entry(*group).or_insert_with(|| name.clone());
            }
        }
        for (name, group) in names.iter_mut().zip(groups) {
            if name.is_none() {
                *name = of_group.get(group).cloned();
            }
        }
    }
    match names.iter().position(Option::is_none) {
        Some(first) => Err(SplitError::NoLoci {
            missing: names.iter().filter(|name| name.is_none()).count(),
            rows: names.len(),
            name: rows.get(first).cloned().unwrap_or_default(),
        }),
        None => Ok(group_ids(names)),
    }
}

/// A contig's name without `chr`, in capitals: published sets write `chr1`, `CHR1` and `1` in one file.
fn bare(contig: &str) -> String {
    let upper = contig.to_ascii_uppercase();
    match upper.strip_prefix("CHR") {
        Some(rest) if !rest.is_empty() => rest.to_owned(),
        _ => upper,
    }
}

#[cfg(test)]
mod tests;
