//! Single-end reads of fragments around the bound windows, on a low background.

use std::fmt::Write as _;
use std::sync::Arc;

use nn_core::config::{ConfigError, in_range};
use nn_core::data::{rng, standard_normal};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::genome::SyntheticGenome;
use super::poisson;
use crate::locus::{Locus, Strand};
use crate::sequence::ALPHABET;

/// Flags of the SAM specification, section 1.4.
const UNMAPPED: u16 = 0x4;
const REVERSE: u16 = 0x10;
const DUPLICATE: u16 = 0x400;

/// How many reads there are, and how good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadConfig {
    /// Mean number of fragments of a bound window, Poisson distributed, 0 to 300.
    pub depth: f64,
    /// Mean number of background fragments on 1000 bases, 0 to 300.
    pub background: f64,
    /// Bases of a read, 20 to 500.
    pub length: usize,
    /// Mean length of a fragment, from `length` on.
    pub fragment: usize,
    /// Standard deviation of the length of a fragment, and of the distance of its middle from that of the site.
    pub spread: f64,
    /// Share of the reads that are marked as a duplicate of another one.
    pub duplicates: f64,
    /// Share of the reads with a mapping quality below 10.
    pub ambiguous: f64,
    /// Share of the reads that do not map.
    pub unmapped: f64,
    /// Share of the bases that are drawn at random, whatever the genome says.
    pub errors: f64,
    /// Seed.
    pub seed: u64,
}

impl Default for ReadConfig {
    fn default() -> Self {
        Self {
            depth: 30.0,
            background: 2.0,
            length: 50,
            fragment: 180,
            spread: 20.0,
            duplicates: 0.05,
            ambiguous: 0.05,
            unmapped: 0.01,
            errors: 0.002,
            seed: 1,
        }
    }
}

impl ReadConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("depth", self.depth, 0.0..=300.0)?;
        in_range("background", self.background, 0.0..=300.0)?;
        in_range("length", self.length, 20..=500)?;
        in_range("fragment", self.fragment, self.length..=2_000)?;
        in_range("spread", self.spread, 0.0..=500.0)?;
        for (field, share) in [
            ("duplicates", self.duplicates),
            ("ambiguous", self.ambiguous),
            ("unmapped", self.unmapped),
            ("errors", self.errors),
        ] {
            in_range(field, share, 0.0..=0.9)?;
        }
        Ok(())
    }
}

/// A read, aligned without gaps or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntheticRead {
    /// Its name; names differ.
    pub name: String,
    /// Where it is aligned; `None` if it is not. The strand is the one that was read.
    pub locus: Option<Locus>,
    /// Flags of the SAM specification: unmapped, reverse, duplicate.
    pub flags: u16,
    /// Mapping quality: 0 to 9 or 60.
    pub mapping_quality: u8,
    /// Bases as the forward strand shows them.
    pub sequence: Vec<u8>,
    /// Qualities (Phred), in the order of the bases.
    pub qualities: Vec<u8>,
}

impl SyntheticRead {
    /// CIGAR string: all bases match or mismatch.
    pub fn cigar(&self) -> String {
        if self.locus.is_some() { format!("{}M", self.sequence.len()) } else { "*".to_owned() }
    }

    /// A line of a SAM file, without the line break.
    pub fn sam(&self) -> String {
        let (contig, position) = match &self.locus {
            Some(locus) => (&*locus.contig, locus.start + 1),
            None => ("*", 0),
        };
        let qualities: String = self.qualities.iter().map(|quality| char::from(quality + 33)).collect();
        format!(
            "{}\t{}\t{contig}\t{position}\t{}\t{}\t*\t0\t0\t{}\t{qualities}",
            self.name,
            self.flags,
            self.mapping_quality,
            self.cigar(),
            String::from_utf8_lossy(&self.sequence),
        )
    }
}

/// A SAM file: contigs, then reads, which must be in order.
pub fn sam(genome: &SyntheticGenome, reads: &[SyntheticRead]) -> String {
    let mut text = String::from("@HD\tVN:1.6\tSO:coordinate\n");
    for (name, bases) in &genome.contigs {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "@SQ\tSN:{name}\tLN:{}", bases.len());
    }
    for read in reads {
        text.push_str(&read.sam());
        text.push('\n');
    }
    text
}

impl SyntheticGenome {
    /// Reads in the order of their positions, unmapped ones last. A fragment is read from either end with equal
    /// probability: reads of the forward strand pile up before a site, those of the reverse strand behind it, half a
    /// fragment away. Fragments that leave their contig are not read.
    ///
    /// # Errors
    /// [`ConfigError`] as [`ReadConfig::validate`].
    pub fn reads(&self, config: &ReadConfig) -> Result<Vec<SyntheticRead>, ConfigError> {
        config.validate()?;
        let mut draw = rng(config.seed, &[1]);
        let mut loci = Vec::new();
        for window in self.windows.iter().filter(|window| window.bound) {
            let Some(site) = window.sites.first() else { continue };
            for _ in 0..poisson(config.depth, &mut draw) {
                let middle = site.locus.centre() as f64 + config.spread * standard_normal(&mut draw);
                loci.extend(self.end(&window.locus.contig, middle, config, &mut draw));
            }
        }
        for (name, bases) in &self.contigs {
            let name: Arc<str> = name.as_str().into();
            for start in (0..bases.len()).step_by(1_000) {
                for _ in 0..poisson(config.background, &mut draw) {
                    let middle = start as f64 + draw.random_range(0.0..1_000.0);
                    loci.extend(self.end(&name, middle, config, &mut draw));
                }
            }
        }
        let mut reads: Vec<SyntheticRead> = Vec::with_capacity(loci.len());
        for locus in loci {
            let Some(read) = self.read(locus, config, &mut draw) else { continue };
            if draw.random_bool(config.duplicates) {
                let mut copy = read.clone();
                copy.flags |= DUPLICATE;
                reads.push(copy);
            }
            reads.push(read);
        }
        let place = |read: &SyntheticRead| {
            let locus = read.locus.as_ref();
            let contig = locus.map(|locus| self.contigs.iter().position(|(name, _)| **name == *locus.contig));
            (locus.is_none(), contig, locus.map(|locus| locus.start))
        };
        reads.sort_by_cached_key(place);
        for (number, read) in reads.iter_mut().enumerate() {
            read.name = format!("read_{}", number + 1);
        }
        Ok(reads)
    }

    /// The end of a fragment that is read.
    fn end(&self, contig: &Arc<str>, middle: f64, config: &ReadConfig, draw: &mut ChaCha8Rng) -> Option<Locus> {
        let length = (config.fragment as f64 + config.spread * standard_normal(draw)).round();
        let length = (length as i64).max(config.length as i64);
        let start = middle.round() as i64 - length / 2;
        let (strand, start) = if draw.random_bool(0.5) {
            (Strand::Reverse, start + length - config.length as i64)
        } else {
            (Strand::Forward, start)
        };
        let locus = Locus { contig: Arc::clone(contig), start, end: start + config.length as i64, strand };
        self.bases(&locus).map(|_| locus)
    }

    fn read(&self, locus: Locus, config: &ReadConfig, draw: &mut ChaCha8Rng) -> Option<SyntheticRead> {
        let mut sequence = self.bases(&locus)?;
        let mut qualities = Vec::with_capacity(sequence.len());
        for base in &mut sequence {
            let wrong = draw.random_bool(config.errors);
            if wrong {
                *base = ALPHABET[draw.random_range(0..4_usize)];
            }
            qualities.push(if wrong { draw.random_range(2..=12) } else { draw.random_range(30..=40) });
        }
        let reverse = if locus.strand == Strand::Reverse { REVERSE } else { 0 };
        let ambiguous = draw.random_bool(config.ambiguous);
        let mapping_quality = if ambiguous { draw.random_range(0..=9) } else { 60 };
        let name = String::new();
        if draw.random_bool(config.unmapped) {
            let (locus, flags, mapping_quality) = (None, UNMAPPED, 0);
            return Some(SyntheticRead { name, locus, flags, mapping_quality, sequence, qualities });
        }
        Some(SyntheticRead { name, locus: Some(locus), flags: reverse, mapping_quality, sequence, qualities })
    }
}
