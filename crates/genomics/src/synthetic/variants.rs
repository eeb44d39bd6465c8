//! Variants that break a site, mend a near site, or do neither.

use std::fmt::Write as _;
use std::sync::Arc;

use nn_core::config::{ConfigError, in_range};
use nn_core::data::rng;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::genome::{Site, SiteKind, SyntheticGenome, Window};
use super::matrix::Matrix;
use super::{KITE, weighted};
use crate::locus::{Locus, Strand};
use crate::sequence::{ALPHABET, reverse_complement};
use crate::variant::Variant;

/// Most bits by which a neutral variant may change the best score of its window.
const NEUTRAL: f64 = 1e-9;
/// Share of the highest score below which a score says nothing.
const FLOOR: f64 = 0.4;
/// Share of the disrupting variants that are insertions or deletions.
const INDELS: f64 = 0.25;

/// How many variants of each kind there are; fewer where there are fewer windows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VariantConfig {
    /// Variants that break a site, at most.
    pub disrupting: usize,
    /// Variants that mend a near site, at most.
    pub creating: usize,
    /// Variants that leave the best score of their window as it is, at most.
    pub neutral: usize,
    /// Seed.
    pub seed: u64,
}

impl Default for VariantConfig {
    fn default() -> Self {
        Self { disrupting: 50, creating: 50, neutral: 200, seed: 1 }
    }
}

impl VariantConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for (field, count) in [("disrupting", self.disrupting), ("creating", self.creating), ("neutral", self.neutral)]
        {
            in_range(field, count, 0..=1_000_000)?;
        }
        Ok(())
    }
}

/// What a variant does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VariantEffect {
    /// It breaks a site: predictions should fall.
    Disrupts,
    /// It mends a near site: predictions should rise.
    Creates,
    /// Neither.
    Neutral,
}

impl VariantEffect {
    /// Name, as the VCF file has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Disrupts => "disrupts",
            Self::Creates => "creates",
            Self::Neutral => "neutral",
        }
    }
}

/// A variant with what it does.
#[derive(Debug, Clone, PartialEq)]
pub struct SyntheticVariant {
    /// The variant; its identifier is `v` and a number.
    pub variant: Variant,
    /// What it does.
    pub effect: VariantEffect,
    /// By how many bits the best score of KITE in its window changes; scores below two fifths of the highest, which any
    /// background has, count as that.
    pub bits: f64,
    /// Its window.
    pub window: Locus,
}

impl SyntheticGenome {
    /// Variants in the order of their positions, one at most in each window. Breaking ones put the base that costs most
    /// at the position of the site that counts most, or delete or insert two to four bases in its middle; mending ones
    /// restore the consensus of a near site; neutral ones are substitutions outside of the sites.
    ///
    /// # Errors
    /// [`ConfigError`] as [`VariantConfig::validate`].
    pub fn variants(&self, config: &VariantConfig) -> Result<Vec<SyntheticVariant>, ConfigError> {
        config.validate()?;
        let matrix = Matrix::new(KITE);
        let mut draw = rng(config.seed, &[2]);
        let mut windows: Vec<&Window> = self.windows.iter().collect();
        windows.shuffle(&mut draw);
        let mut left = [config.disrupting, config.creating, config.neutral];
        let mut made = Vec::new();
        for window in windows {
            let kite = window.sites.iter().find(|site| site.motif == KITE);
            // A window of a kind that is still wanted; what is left over is for the neutral ones.
            let (kind, variant) = match kite {
                Some(site) if site.kind == SiteKind::Whole && left[0] > 0 => {
                    (0, self.breaking(site, &matrix, &mut draw))
                }
                Some(site) if site.kind == SiteKind::Near && left[1] > 0 => (1, self.mending(site, &matrix)),
                _ if left[2] > 0 => (2, self.neutral(window, &mut draw)),
                _ => continue,
            };
            let Some(variant) = variant else { continue };
            let Some(bits) = self.change(&variant, window, &matrix) else { continue };
            let effect = [VariantEffect::Disrupts, VariantEffect::Creates, VariantEffect::Neutral][kind];
            let as_planned = match effect {
                VariantEffect::Disrupts => bits < -1.0,
                VariantEffect::Creates => bits > 1.0,
                VariantEffect::Neutral => bits.abs() <= NEUTRAL,
            };
            if as_planned {
                left[kind] -= 1;
                made.push(SyntheticVariant { variant, effect, bits, window: window.locus.clone() });
            }
        }
        let contig = |made: &SyntheticVariant| self.contigs.iter().position(|(name, _)| **name == *made.window.contig);
        made.sort_by_cached_key(|made| (contig(made), made.variant.position));
        for (number, made) in made.iter_mut().enumerate() {
            made.variant.id = Some(format!("v{}", number + 1).into());
        }
        Ok(made)
    }

    /// A substitution of one base of a site, which is given as the strand of the site reads it.
    fn substitution(&self, site: &Site, position: usize, base: u8) -> Option<Variant> {
        let width = site.locus.len();
        let (place, base) = match site.locus.strand {
            Strand::Forward => (position, base),
            Strand::Reverse => (width - 1 - position, reverse_complement(&[base])[0]),
        };
        self.replaced(&site.locus.contig, site.locus.start + place as i64, 1, &[base])
    }

    /// The variant that puts `alternate` for the `length` bases from `start` on; `None` if they are equal.
    fn replaced(&self, contig: &Arc<str>, start: i64, length: i64, alternate: &[u8]) -> Option<Variant> {
        let locus = Locus { contig: Arc::clone(contig), start, end: start + length, strand: Strand::Forward };
        let reference = self.bases(&locus)?;
        (reference != alternate).then(|| Variant::new(Arc::clone(contig), start, &reference, alternate))
    }

    fn breaking(&self, site: &Site, matrix: &Matrix, draw: &mut ChaCha8Rng) -> Option<Variant> {
        if !draw.random_bool(INDELS) {
            let (position, wrong) = matrix.weakest();
            return self.substitution(site, position, wrong);
        }
        // VCF writes the base before what is inserted or deleted.
        let (contig, before) = (&site.locus.contig, site.locus.start + site.locus.len() as i64 / 2 - 2);
        let anchor = Locus { contig: Arc::clone(contig), start: before, end: before + 1, strand: Strand::Forward };
        let mut alternate = self.bases(&anchor)?;
        let length = draw.random_range(2..=4_usize);
        if draw.random_bool(0.5) {
            return self.replaced(contig, before, 1 + length as i64, &alternate);
        }
        alternate.extend((0..length).map(|_| ALPHABET[weighted(&[1.0; 4], draw)]));
        self.replaced(contig, before, 1, &alternate)
    }

    fn mending(&self, site: &Site, matrix: &Matrix) -> Option<Variant> {
        let (position, _) = matrix.weakest();
        self.substitution(site, position, matrix.consensus()[position])
    }

    fn neutral(&self, window: &Window, draw: &mut ChaCha8Rng) -> Option<Variant> {
        let place = draw.random_range(window.locus.start..window.locus.end);
        if window.sites.iter().any(|site| (site.locus.start..site.locus.end).contains(&place)) {
            return None;
        }
        self.replaced(&window.locus.contig, place, 1, &[ALPHABET[draw.random_range(0..4_usize)]])
    }

    /// By how many bits a variant changes the best score of its window; `None` if that leaves the genome or has unknown
    /// bases only.
    fn change(&self, variant: &Variant, window: &Window, matrix: &Matrix) -> Option<f64> {
        let reference = self.bases(&window.locus)?;
        let start = usize::try_from(variant.position - window.locus.start).ok()?;
        let mut alternate = reference[..start].to_vec();
        alternate.extend_from_slice(&variant.alternate);
        alternate.extend_from_slice(reference.get(start + variant.reference.len()..)?);
        let (before, after) = (matrix.best(&reference).0, matrix.best(&alternate).0);
        let floor = FLOOR * matrix.highest();
        (before.is_finite() && after.is_finite()).then(|| after.max(floor) - before.max(floor))
    }
}

/// A VCF file with the effect and the change in bits of each variant as INFO.
pub fn vcf(genome: &SyntheticGenome, variants: &[SyntheticVariant]) -> String {
    let mut text = String::from("##fileformat=VCFv4.3\n");
    for (name, bases) in &genome.contigs {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "##contig=<ID={name},length={}>", bases.len());
    }
    text.push_str(
        "##INFO=<ID=EFFECT,Number=1,Type=String,Description=\"What was planted: disrupts, creates or neutral\">\n",
    );
    text.push_str(
        "##INFO=<ID=BITS,Number=1,Type=Float,Description=\"Change of the best score of the motif, in bits\">\n",
    );
    text.push_str("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n");
    for made in variants {
        let variant = &made.variant;
        let _ = writeln!(
            text,
            "{}\t{}\t{}\t{}\t{}\t.\tPASS\tEFFECT={};BITS={:.4}",
            variant.contig,
            variant.position + 1,
            variant.id.as_deref().unwrap_or("."),
            String::from_utf8_lossy(&variant.reference),
            String::from_utf8_lossy(&variant.alternate),
            made.effect.name(),
            made.bits,
        );
    }
    text
}
