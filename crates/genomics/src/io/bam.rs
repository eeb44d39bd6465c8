//! Aligned reads: BAM, SAM, CRAM, and BED files of reads.
//!
//! [`Alignments`] reads any of them, told apart by their first bytes, one record after the other into one buffer. A
//! file is read as a whole, whatever its order, or in the places of an index beside it ([`Alignments::select`]).
//!
//! Damaged files are errors. Sizes that a file states are believed only as far as bytes follow; BGZF and CRAM have
//! checksums, which noodles verifies. noodles' CRAM decoder panics on some contents whose checksums are right, and its
//! BGZF reader asserts: every step into it is run so that a panic becomes an error (the panic hook of the process still
//! sees it). A BAM file without its end marker is read, with a warning: what was cut off cannot be known.

mod binary;
mod blocks;
mod cram;
mod index;
mod intervals;
mod open;
mod read;
mod sam;

use std::collections::{HashMap, HashSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::open::{Format, guarded};
pub use self::read::{AlignedRead, flag};
use super::IoError;
use crate::genome::Genome;
use crate::locus::{ContigNames, Locus, listed};

/// A contig of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contig {
    /// Its name in the file.
    pub name: Arc<str>,
    /// Its number of bases.
    pub length: u64,
    /// Whether that is its length, and not only where the last read ends (files without a header).
    pub exact: bool,
}

/// In which order the reads of a file come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By contig and position: the header says so, or there is an index.
    Coordinate,
    /// So far by contig and position, though nothing says so.
    Apparent,
    /// In no order that helps.
    Unsorted,
}

/// How to open a file.
#[derive(Debug, Clone, Default)]
pub struct AlignmentOptions {
    /// FASTA file that a CRAM file was compressed against.
    pub reference: Option<PathBuf>,
    /// Contigs and their lengths, for SAM and BED files that do not have them.
    pub contigs: Vec<(String, u64)>,
    /// Threads that read and inflate a BAM file; `None`: two to four, as many as there are processors.
    pub threads: Option<usize>,
    /// The order of the reads, if it is known better than the header has it.
    pub order: Option<Order>,
}

/// Reads that are looked at to see in which order they come.
const PROBED: u64 = 10_000;

/// What a header says.
struct Header {
    contigs: Vec<Contig>,
    sorted: bool,
}

/// A format's reader.
trait Source: Send {
    /// Reads the next record; `false` behind the last one.
    fn advance(&mut self, read: &mut AlignedRead) -> io::Result<bool>;
}

/// Part of a contig.
#[derive(Debug, Clone, Copy)]
struct Region {
    contig: usize,
    start: i64,
    end: i64,
}

/// A file of aligned reads.
///
/// ```no_run
/// # use genomics::io::bam::{AlignmentOptions, Alignments};
/// # use std::path::Path;
/// let mut alignments = Alignments::open(Path::new("reads.bam"), &AlignmentOptions::default())?;
/// let mut reverse = 0;
/// while alignments.advance()? {
///     reverse += usize::from(alignments.read().has(genomics::io::bam::flag::REVERSE));
/// }
/// # Ok::<(), genomics::io::IoError>(())
/// ```
pub struct Alignments {
    path: PathBuf,
    options: AlignmentOptions,
    format: Format,
    source: Box<dyn Source>,
    contigs: Vec<Contig>,
    names: ContigNames,
    order: Order,
    index_path: Option<PathBuf>,
    index: Option<index::Index>,
    warnings: Vec<String>,
    read: AlignedRead,
    region: Option<Region>,
    records: u64,
    /// Where the last read was; behind everything for reads without a place.
    last: (usize, i64),
    ended: bool,
}

impl Alignments {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// [`IoError`] if it cannot be opened, is none of the formats, or has a header that cannot be used.
    pub fn open(path: &Path, options: &AlignmentOptions) -> Result<Self, IoError> {
        let format = open::format(path)?;
        let (header, source) = open::start(path, format, options)?;
        let mut warnings = Vec::new();
        let found = if format == Format::Bam { index::beside(path) } else { None };
        if format == Format::Bam && !blocks::ends_properly(path).map_err(IoError::read(path))? {
            warnings.push(format!(
                "{} has no end marker: it was cut short, or is still being written; reads may be missing",
                path.display()
            ));
        }
        if let Some((index, true)) = &found {
            warnings.push(format!(
                "{} is older than {}: reads may be missing from regions; make it anew (samtools index)",
                index.display(),
                path.display()
            ));
        }
        let declared = if header.sorted || found.is_some() { Order::Coordinate } else { Order::Unsorted };
        let mut alignments = Self {
            path: path.to_path_buf(),
            options: options.clone(),
            format,
            source,
            names: ContigNames::new(header.contigs.iter().map(|contig| contig.name.to_string())),
            contigs: header.contigs,
            order: options.order.unwrap_or(declared),
            index_path: found.map(|(path, _)| path),
            index: None,
            warnings,
            read: AlignedRead::default(),
            region: None,
            records: 0,
            last: (0, 0),
            ended: false,
        };
        if options.order.is_none() && declared == Order::Unsorted {
            alignments.probe()?;
        }
        Ok(alignments)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The contigs of the header, in its order.
    pub fn contigs(&self) -> &[Contig] {
        &self.contigs
    }

    /// In which order the reads come.
    pub fn order(&self) -> Order {
        self.order
    }

    /// Whether there is an index, so that [`Alignments::select`] need not read the whole file.
    pub fn is_indexed(&self) -> bool {
        self.index_path.is_some()
    }

    /// What is wrong with the file or its index though it can be read.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Index of a contig, under any name that fits by the rules of [`ContigNames`].
    ///
    /// # Errors
    /// [`IoError::Format`] with the names that the file has.
    pub fn contig(&self, name: &str) -> Result<usize, IoError> {
        self.names.position(name).map_err(|error| IoError::format(&self.path, error.to_string()))
    }

    /// Fails unless each contig of the genome is in the header, with the same length.
    ///
    /// # Errors
    /// [`IoError::Format`] with the contigs that differ, and the names on both sides.
    pub fn check_genome(&self, genome: &Genome) -> Result<(), IoError> {
        self.check(genome, |_| true)
    }

    /// As [`Alignments::check_genome`], but only the contigs that the places lie on: a genome may have more than reads
    /// were aligned to.
    ///
    /// # Errors
    /// As [`Alignments::check_genome`].
    pub fn check_places(&self, genome: &Genome, places: &[Locus]) -> Result<(), IoError> {
        let used: HashSet<usize> =
            places.iter().filter_map(|place| genome.names().position(&place.contig).ok()).collect();
        self.check(genome, |contig| used.contains(&contig))
    }

    fn check(&self, genome: &Genome, used: impl Fn(usize) -> bool) -> Result<(), IoError> {
        let place = |contig: &Contig| genome.names().position(&contig.name).ok();
        let here: HashMap<usize, &Contig> =
            self.contigs.iter().filter_map(|contig| Some((place(contig)?, contig))).collect();
        let mut problems = Vec::new();
        for (place, (name, _)) in genome.contigs().enumerate().filter(|(place, _)| used(*place)) {
            // A sequence that is cut out of a contig is shorter than it.
            let range = genome.range(name).unwrap_or_default();
            match here.get(&place) {
                None => problems.push(format!("{name} is missing")),
                Some(contig) if !contig.exact => {}
                Some(contig) => {
                    let length = contig.length as i64;
                    if range.end > length || (range.start == 0 && range.end != length) {
                        problems.push(format!("{} has {length} bases, {name} has {}", contig.name, range.end));
                    }
                }
            }
        }
        if problems.is_empty() {
            return Ok(());
        }
        let problem = format!(
            "its contigs are not those of the genome: {}; the file has {}; the genome has {}; take files of one \
             assembly, or give an alias table",
            listed(problems.iter().map(String::as_str)),
            listed(self.names.iter()),
            listed(genome.names().iter())
        );
        Err(IoError::format(&self.path, problem))
    }

    /// Moves on to the next read, which [`Alignments::read`] then has; `false` behind the last one.
    ///
    /// # Errors
    /// [`IoError::Read`] with the number of the record if the file is damaged, or not in the order that it claims;
    /// there is nothing behind an error.
    pub fn advance(&mut self) -> Result<bool, IoError> {
        while !self.ended {
            match guarded(|| self.source.advance(&mut self.read)) {
                Ok(true) => self.records += 1,
                Ok(false) => self.ended = true,
                Err(cause) => {
                    self.ended = true;
                    return Err(self.damaged(self.records + 1, &cause));
                }
            }
            if self.ended {
                break;
            }
            self.follow()?;
            let Some(region) = self.region else { return Ok(true) };
            let read = &self.read;
            if read.contig == Some(region.contig) && read.start < region.end {
                // A read without a CIGAR is at one base.
                if read.end().max(read.start + 1) > region.start {
                    return Ok(true);
                }
            } else if self.order == Order::Coordinate && self.last >= (region.contig, region.end) {
                self.ended = true;
            }
        }
        Ok(false)
    }

    /// The read that [`Alignments::advance`] moved on to.
    pub fn read(&self) -> &AlignedRead {
        &self.read
    }

    /// Goes back to the first read of the file.
    ///
    /// # Errors
    /// As [`Alignments::open`].
    pub fn rewind(&mut self) -> Result<(), IoError> {
        let (_, source) = open::start(&self.path, self.format, &self.options)?;
        self.begin(source, None);
        Ok(())
    }

    /// From now on only the reads that overlap `start..end` of a contig (0-based, half-open; with what their CIGAR
    /// skips) come. Without an index the file is read from its start, once for each call.
    ///
    /// # Errors
    /// [`IoError`] if the file or its index cannot be read.
    pub fn select(&mut self, contig: usize, start: i64, end: i64) -> Result<(), IoError> {
        let region = Some(Region { contig, start, end });
        let Some(index_path) = &self.index_path else {
            let (_, source) = open::start(&self.path, self.format, &self.options)?;
            self.begin(source, region);
            return Ok(());
        };
        if self.index.is_none() {
            let index = index::read(index_path).map_err(|cause| {
                let problem = format!("the index cannot be used: {cause}; make it anew (samtools index)");
                IoError::format(index_path, problem)
            })?;
            self.index = Some(index);
        }
        let chunks = self.index.as_ref().map(|index| index.chunks(contig, start, end)).unwrap_or_default();
        let source = binary::Chunks::open(&self.path, self.contigs.len(), chunks).map_err(IoError::read(&self.path))?;
        self.begin(Box::new(source), region);
        Ok(())
    }

    fn begin(&mut self, source: Box<dyn Source>, region: Option<Region>) {
        self.source = source;
        self.region = region;
        self.records = 0;
        self.last = (0, 0);
        self.ended = false;
    }

    /// Looks at the first reads, and goes back.
    fn probe(&mut self) -> Result<(), IoError> {
        self.order = Order::Apparent;
        // What is wrong with a record is said when it comes again.
        while self.records < PROBED && self.order == Order::Apparent && self.advance().unwrap_or(false) {}
        self.rewind()
    }

    /// Compares the place of a read with that of the one before.
    fn follow(&mut self) -> Result<(), IoError> {
        let place = self.read.contig.map_or((usize::MAX, 0), |contig| (contig, self.read.start));
        let before = std::mem::replace(&mut self.last, place);
        if place >= before || self.order == Order::Unsorted {
            return Ok(());
        }
        if self.order == Order::Apparent {
            self.order = Order::Unsorted;
            return Ok(());
        }
        self.ended = true;
        let problem = "it comes before the last one, though the header or an index says that the file is sorted by \
                       coordinate; sort it (samtools sort), or take it as unsorted";
        Err(self.damaged(self.records, &io::Error::new(ErrorKind::InvalidData, problem)))
    }

    fn damaged(&self, record: u64, cause: &io::Error) -> IoError {
        let cause = io::Error::new(cause.kind(), format!("read {record}: {cause}"));
        IoError::Read { path: self.path.clone(), cause }
    }
}
