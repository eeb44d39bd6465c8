//! One contig, many names: `chr20`, `20`, `NC_000020.10`.

use std::collections::HashMap;

use super::LocusError;

/// The contigs of one assembly, and the other names under which they are known.
///
/// A name is looked up as it stands, then in the alias table, then by rule: `chr` before it or not, in any case; `M`
/// and `MT`; `RefSeq` accessions with or without their version; the accessions of the human chromosomes (`NC_000001` to
/// `NC_000024`, `NC_012920`) for their numbers. Other accessions need an alias table.
///
/// ```
/// use genomics::locus::ContigNames;
/// let names = ContigNames::new(["chr20".to_owned(), "chrM".to_owned()]);
/// assert_eq!(names.resolve("20")?, "chr20");
/// assert_eq!(names.resolve("NC_000020.10")?, "chr20");
/// assert_eq!(names.resolve("MT")?, "chrM");
/// # Ok::<(), genomics::locus::LocusError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContigNames {
    known: Vec<String>,
    exact: HashMap<String, usize>,
    aliases: HashMap<String, usize>,
    /// By rule: the contig, and a second one if the rule cannot tell them apart.
    ruled: HashMap<String, (usize, Option<usize>)>,
}

impl ContigNames {
    /// The names of an assembly, in its order; a name that comes again is passed over.
    pub fn new(known: impl IntoIterator<Item = String>) -> Self {
        let mut names = Self::default();
        for name in known {
            let place = names.known.len();
            if names.exact.contains_key(&name) {
                continue;
            }
            names.exact.insert(name.clone(), place);
            names
                .ruled
                .entry(rule(&name))
                .and_modify(|entry| entry.1 = entry.1.or(Some(place)))
                .or_insert((place, None));
            names.known.push(name);
        }
        names
    }

    /// Adds an alias table. Of each pair, whichever name is known stands for the other; pairs of which neither is known
    /// are passed over, since such tables cover whole assemblies.
    pub fn with_aliases(mut self, pairs: &[(String, String)]) -> Self {
        for (one, other) in pairs {
            for (alias, known) in [(one, other), (other, one)] {
                if let Ok(place) = self.position(known) {
                    self.aliases.entry(alias.clone()).or_insert(place);
                }
            }
        }
        self
    }

    /// Number of contigs.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there is no contig.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The names in the order of the assembly.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.known.iter().map(String::as_str)
    }

    /// The assembly's own name of the contig that `name` names.
    ///
    /// # Errors
    /// [`LocusError::Unknown`] with the names there are, [`LocusError::Ambiguous`] if two contigs fit by rule.
    pub fn resolve(&self, name: &str) -> Result<&str, LocusError> {
        self.position(name).map(|place| self.known[place].as_str())
    }

    /// As [`ContigNames::resolve`], the place in the order of the assembly, from 0.
    ///
    /// # Errors
    /// As [`ContigNames::resolve`].
    pub fn position(&self, name: &str) -> Result<usize, LocusError> {
        if let Some(&place) = self.exact.get(name).or_else(|| self.aliases.get(name)) {
            return Ok(place);
        }
        match self.ruled.get(&rule(name)) {
            Some(&(place, None)) => Ok(place),
            Some(&(first, Some(second))) => Err(LocusError::Ambiguous {
                name: name.to_owned(),
                first: self.known[first].clone(),
                second: self.known[second].clone(),
            }),
            None => {
                let (known, count) = (listed(self.iter()), self.len());
                Err(LocusError::Unknown { name: name.to_owned(), known, count })
            }
        }
    }

    /// Checks that every one of `names` is known, as is done once before two files are used together.
    ///
    /// # Errors
    /// [`LocusError::Unmatched`] with both sides' names, [`LocusError::Ambiguous`].
    pub fn resolve_all<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<(), LocusError> {
        let mut missing = Vec::new();
        for name in names {
            match self.position(name) {
                Ok(_) => {}
                Err(LocusError::Unknown { .. }) if missing.contains(&name) => {}
                Err(LocusError::Unknown { .. }) => missing.push(name),
                Err(other) => return Err(other),
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let (missing_count, count) = (missing.len(), self.len());
        Err(LocusError::Unmatched { missing: listed(missing), missing_count, known: listed(self.iter()), count })
    }
}

/// What names of one contig have in common.
fn rule(name: &str) -> String {
    // gi|9626243|ref|NC_001416.1| as NCBI wrote them until 2016
    let name = name.split_once("|ref|").map_or(name, |(_, rest)| rest.split('|').next().unwrap_or(rest));
    let bare = match name.get(..3) {
        Some(prefix) if prefix.eq_ignore_ascii_case("chr") && name.len() > 3 => &name[3..],
        _ => name,
    };
    let upper = bare.to_ascii_uppercase();
    if upper == "M" {
        return "MT".to_owned();
    }
    let Some((prefix, rest)) = upper.split_once('_') else { return upper };
    let number = rest.split('.').next().unwrap_or(rest);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if prefix.len() != 2 || !digits(number) || rest.split('.').skip(1).any(|version| !digits(version)) {
        return upper;
    }
    match (prefix, number.len(), number.parse::<u32>()) {
        ("NC", 6, Ok(chromosome @ 1..=22)) => chromosome.to_string(),
        ("NC", 6, Ok(23)) => "X".to_owned(),
        ("NC", 6, Ok(24)) => "Y".to_owned(),
        ("NC", 6, Ok(12_920)) => "MT".to_owned(),
        _ => format!("{prefix}_{number}"),
    }
}

/// The first names, and that there are more.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let mut names = names.into_iter();
    let shown = names.by_ref().take(SHOWN).collect::<Vec<_>>().join(", ");
    match names.count() {
        0 if shown.is_empty() => "none".to_owned(),
        0 => shown,
        more => format!("{shown}, and {more} more"),
    }
}
