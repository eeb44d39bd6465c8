//! `coverage`: reads as a signal along the genome.

use crate::cli::{Coverage, Covers, ScaledBy};
use crate::config::{settings, without_run_folder};
use crate::inputs;
use anyhow::Context;
use genomics::coverage::{
    Bins, Counting, CoverageConfig, Mates, Protocol, ReadFilter, Scale, Signal, StrandFilter, WindowLayout,
};
use genomics::io::bam::{AlignmentOptions, Alignments};
use genomics::locus::Strand;
use nn_core::config::in_range;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::Path;
use workbench::args::Common;
use workbench::config::Flags;
use workbench::exit::Usage;
use workbench::observe::say;

/// Which reads count, and what they cover.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Reads {
    /// What a read covers.
    signal: Covers,
    /// Bases that reads are extended to; 0 for the reads of `fragments` that have none to be left out.
    size: u32,
    /// Whether `aligned` covers the bases that a read lacks.
    deletions: bool,
    /// Reads of one strand only; empty for both.
    strand: String,
    /// What the strand of a read is.
    protocol: Protocol,
    /// Least mapping quality.
    min_mapq: u8,
    /// Flags of reads that do not count.
    exclude_flags: String,
    /// Flags that a read has to have.
    require_flags: String,
    /// Fewest bases of a template, by TLEN.
    min_fragment: u32,
    /// Most bases of a template; 0 for any.
    max_fragment: u32,
    /// How often a base counts that both mates of a pair cover, in bins of one base; in longer ones reads are counted.
    mates: Mates,
}

impl Default for Reads {
    fn default() -> Self {
        Self {
            signal: Covers::Aligned,
            size: 0,
            deletions: false,
            strand: String::new(),
            protocol: Protocol::Read,
            min_mapq: 0,
            exclude_flags: "0xF04".into(),
            require_flags: "0".into(),
            min_fragment: 0,
            max_fragment: 0,
            mates: Mates::Once,
        }
    }
}

impl Reads {
    /// What the library counts by them.
    pub(crate) fn config(&self) -> anyhow::Result<CoverageConfig> {
        let size = self.size;
        let signal = match self.signal {
            Covers::Aligned => Signal::Aligned { deletions: self.deletions },
            Covers::FivePrime => Signal::FivePrime { forward: 0, reverse: 0 },
            Covers::CutSite => Signal::FivePrime { forward: 4, reverse: -5 },
            Covers::Extended => {
                in_range("size", size, 1..=1_000_000)?;
                Signal::Extended { size }
            }
            Covers::Fragments => Signal::Fragments { unpaired: size, longest: 1000, each_mate: false },
        };
        let strand = match self.strand.as_str() {
            "" => None,
            "forward" | "+" => Some(Strand::Forward),
            "reverse" | "-" => Some(Strand::Reverse),
            other => return Err(Usage(format!("strand = {other:?} is none; use forward or reverse")).into()),
        };
        let filter = ReadFilter {
            exclude_flags: flags("exclude-flags", &self.exclude_flags)?,
            require_flags: flags("require-flags", &self.require_flags)?,
            min_mapping_quality: self.min_mapq,
            strand: strand.map(|strand| StrandFilter { strand, protocol: self.protocol }),
            min_fragment: self.min_fragment,
            max_fragment: self.max_fragment,
        };
        let config = CoverageConfig { signal, filter, mates: self.mates };
        config.validate()?;
        Ok(config)
    }
}

/// `NAME=FILE`, or a file that is called after itself.
pub(crate) fn named(text: &str) -> Result<(String, &Path), Usage> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok((name.to_owned(), Path::new(file))),
        Some(_) => Err(Usage(format!("--bam {text}: write NAME=FILE"))),
        None => {
            let path = Path::new(text);
            Ok((path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), path))
        }
    }
}

/// How reads are counted: the settings of `coverage`, and those of the marks of genes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Counts {
    /// Bases of a bin.
    bin: u32,
    /// What counts are scaled by.
    scale: ScaledBy,
    /// Which reads count.
    #[serde(flatten)]
    reads: Reads,
}

impl Counts {
    /// Reads as they are, in bins of so many bases.
    pub(crate) fn of(bin: u32) -> Self {
        Self { bin, scale: ScaledBy::None, reads: Reads::default() }
    }

    /// What the library counts by them around places, in so many bins.
    pub(crate) fn counting(&self, bins: usize) -> anyhow::Result<Counting> {
        let counting =
            Counting { layout: WindowLayout { bins, bin: self.bin }, reads: self.reads.config()?, scale: self.scale() };
        counting.layout.validate()?;
        Ok(counting)
    }

    fn scale(&self) -> Scale {
        match self.scale {
            ScaledBy::None => Scale::None,
            ScaledBy::Cpm => Scale::Cpm,
            ScaledBy::Rpkm => Scale::Rpkm,
            ScaledBy::Bpm => Scale::Bpm,
        }
    }
}

/// Flags as a number, decimal or after `0x` hexadecimal.
fn flags(setting: &str, text: &str) -> Result<u16, Usage> {
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let number = hexadecimal.map_or_else(|| text.parse(), |digits| u16::from_str_radix(digits, 16));
    number.map_err(|_| Usage(format!("{setting} = {text:?} is no number of flags, such as 0xF04 or 3844")))
}

pub(crate) fn run(common: &Common, args: &Coverage) -> anyhow::Result<()> {
    without_run_folder(common, "coverage")?;
    let defaults = Counts::of(50);
    let given = Flags::new()
        .set("bin", args.bin)
        .set("signal", args.signal)
        .set("size", args.size)
        .set("scale", args.scale)
        .set("strand", args.strand.as_deref())
        .set("min-mapq", args.min_mapq)
        .set("exclude-flags", args.exclude_flags.as_deref());
    let Some(settings) = settings(&defaults, common, given)? else { return Ok(()) };
    in_range("bin", settings.bin, 1..=1_000_000)?;
    let (config, scale) = (settings.reads.config()?, settings.scale());
    let options = options(args.reference.as_deref(), args.genome.as_deref())?;
    let mut alignments = Alignments::open(&args.bam, &options)?;
    let bins = Bins::count(&mut alignments, &config, settings.bin)?;
    say(common, &format!("{}: {}", args.bam.display(), bins.report));
    let ending = args.out.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    match ending.as_deref() {
        _ if args.out.as_os_str() == "-" => table(&bins, scale, &mut std::io::stdout().lock()),
        Some("tsv") => {
            Ok(nn_core::atomic::write_with(&args.out, |file| table(&bins, scale, file).map_err(std::io::Error::other))?)
        }
        Some("bw" | "bigwig" | "bg" | "bdg" | "bedgraph" | "gz") => Ok(bins.write(&args.out, scale)?),
        _ => {
            anyhow::bail!("{}: a track cannot be told from this ending; use .bw, .bedgraph or .tsv", args.out.display())
        }
    }
}

/// How reads are opened: contigs and lengths from a FASTA file, where the reads do not say them.
pub(crate) fn options(reference: Option<&Path>, genome: Option<&Path>) -> anyhow::Result<AlignmentOptions> {
    let contigs = match genome {
        Some(path) => {
            let genome = inputs::genome(path, None)?;
            genome.contigs().map(|(name, length)| (name.to_owned(), length as u64)).collect()
        }
        None => Vec::new(),
    };
    Ok(AlignmentOptions { reference: reference.map(Path::to_path_buf), contigs, ..AlignmentOptions::default() })
}

/// Every bin of every contig: contig, start, end, value.
fn table(bins: &Bins, scale: Scale, out: &mut dyn Write) -> anyhow::Result<()> {
    let factor = bins.factor(scale)?;
    writeln!(out, "contig\tstart\tend\tvalue").context("cannot write the table")?;
    for (place, contig) in bins.contigs.iter().enumerate() {
        let (length, bin) = (bins.length(place), u64::from(bins.bin));
        for (at, &count) in bins.counts[place].iter().enumerate() {
            let start = at as u64 * bin;
            let end = (start + bin).min(length);
            if start >= end {
                break;
            }
            writeln!(out, "{}\t{start}\t{end}\t{}", contig.name, f64::from(count) * factor)?;
        }
    }
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_decimal_or_hexadecimal() {
        assert_eq!(flags("exclude-flags", "0xF04").unwrap(), 0xF04);
        assert_eq!(flags("exclude-flags", "3844").unwrap(), 0xF04);
        assert!(flags("exclude-flags", "0x12345").is_err());
        let error = flags("require-flags", "dup").unwrap_err().to_string();
        assert!(error.starts_with("require-flags = \"dup\""), "{error}");
    }
}
