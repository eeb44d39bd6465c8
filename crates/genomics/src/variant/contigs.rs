//! What the contigs of a variant file are called in the genome.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::genome::Genome;

/// Looks names up in a genome and keeps account of those that it knows by another name or not at all.
#[derive(Debug)]
pub struct Contigs<'g> {
    genome: &'g Genome,
    seen: BTreeMap<String, Seen>,
}

#[derive(Debug)]
struct Seen {
    /// The genome's own name.
    name: Option<Arc<str>>,
    /// How often it was looked up.
    count: u64,
}

impl<'g> Contigs<'g> {
    /// No name has been looked up yet.
    pub fn new(genome: &'g Genome) -> Self {
        Self { genome, seen: BTreeMap::new() }
    }

    /// The genome in which names are looked up.
    pub fn genome(&self) -> &'g Genome {
        self.genome
    }

    /// The genome's own name of a contig: the name itself, or one that alias table or naming rules give
    /// ([`ContigNames`](crate::locus::ContigNames)); `None` if the genome has no such contig, or two of them.
    pub fn resolve(&mut self, name: &str) -> Option<Arc<str>> {
        if let Some(seen) = self.seen.get_mut(name) {
            seen.count += 1;
            return seen.name.clone();
        }
        let found: Option<Arc<str>> = self.genome.names().resolve(name).ok().map(Arc::from);
        self.seen.insert(name.to_owned(), Seen { name: found.clone(), count: 1 });
        found
    }

    /// Whether any name that was looked up is there.
    pub fn any(&self) -> bool {
        self.seen.values().any(|seen| seen.name.is_some())
    }

    /// Names that stand for a contig of another name: the file's, the genome's.
    pub fn renamed(&self) -> Vec<(String, String)> {
        let pairs = self.seen.iter().filter_map(|(name, seen)| Some((name, seen.name.as_deref()?)));
        pairs.filter(|(name, own)| name.as_str() != *own).map(|(name, own)| (name.clone(), own.to_owned())).collect()
    }

    /// Names that the genome does not have, and how often they were looked up.
    pub fn unknown(&self) -> Vec<(String, u64)> {
        let lost = self.seen.iter().filter(|(_, seen)| seen.name.is_none());
        lost.map(|(name, seen)| (name.clone(), seen.count)).collect()
    }
}
