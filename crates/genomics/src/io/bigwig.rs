//! Signals along a genome: bigWig (Kent et al. 2010, Bioinformatics 26:2204) and bedGraph, in and out.
//!
//! [`BigWig`] looks up parts of a bigWig file. It is read here and not by bigtools, which reserves memory for as much
//! as a file says, follows its trees wherever they point, and prints: a damaged file would end the process.
//! [`SignalWriter`] writes bigWig files with bigtools, which makes their zoom levels in other threads while values
//! still come, or bedGraph; [`read_signal`] reads either as a whole.

mod bedgraph;
mod read;
mod write;

use std::path::Path;
use std::sync::Arc;

pub use self::read::BigWig;
pub use self::write::SignalWriter;

use super::{IoError, text};

/// A value of consecutive bases, 0-based and half-open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignalSpan {
    /// First base.
    pub start: u64,
    /// The base behind the last one.
    pub end: u64,
    /// The value of each of them.
    pub value: f32,
}

/// The signal of one contig, from left to right. Bases between the spans have no value.
#[derive(Debug, Clone, PartialEq)]
pub struct ContigSignal {
    /// The contig.
    pub name: Arc<str>,
    /// Its number of bases; in bedGraph, which does not have it, the end of the last span.
    pub length: u64,
    /// Values.
    pub spans: Vec<SignalSpan>,
}

impl ContigSignal {
    /// Sum of value times bases.
    pub fn sum(&self) -> f64 {
        self.spans.iter().map(|span| f64::from(span.value) * (span.end - span.start) as f64).sum()
    }
}

/// Reads a bigWig or bedGraph file as a whole, told apart by their first bytes.
///
/// # Errors
/// [`IoError`] if the file cannot be read, or has values that overlap or are not finite.
pub fn read_signal(path: &Path) -> Result<Vec<ContigSignal>, IoError> {
    if !read::is_bigwig(path)? {
        return bedgraph::read(path);
    }
    let mut file = BigWig::open(path)?;
    let contigs: Vec<(Arc<str>, u64)> = file.contigs().to_vec();
    contigs
        .into_iter()
        .map(|(name, length)| {
            let spans = file.spans(&name, 0, length)?;
            Ok(ContigSignal { name, length, spans })
        })
        .collect()
}

/// Whether a name asks for bigWig: `.bw` or `.bigwig`, in any case.
fn names_bigwig(path: &Path) -> bool {
    matches!(text::extension(path).as_str(), "bw" | "bigwig")
}
