//! CRAM, decoded by noodles container by container.
//!
//! A read's place and CIGAR are stored as its differences from the reference, so decoding asks for the contig's
//! sequence even though depth does not need its letters; noodles checks its MD5 against the file's. Where noodles would
//! panic because a contig is absent, [`Reference`] says which one; other panics of its decoder, which trusts the
//! numbers of a file whose checksums are right, are caught by [`super::Alignments`].

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::vec;

use noodles::core::Region;
use noodles::cram;
use noodles::fasta;
use noodles::fasta::repository::Adapter;
use noodles::sam;
use noodles::sam::alignment::Record as _;
use noodles::sam::alignment::record::cigar::op::Kind;
use noodles::sam::header::record::value::map::header::tag::SORT_ORDER;

use super::binary::{contig, start};
use super::{AlignedRead, Contig, Header, Source};
use crate::io::text;

/// A file that is read from its start to its end.
pub(super) struct Cram {
    reader: cram::io::Reader<BufReader<File>>,
    header: sam::Header,
    repository: fasta::Repository,
    container: cram::io::reader::Container,
    decoded: vec::IntoIter<AlignedRead>,
}

impl Cram {
    pub(super) fn open(path: &Path, reference: Option<&Path>) -> io::Result<(Header, Self)> {
        let mut reader = cram::io::Reader::new(BufReader::with_capacity(1 << 18, File::open(path)?));
        let header = reader.read_header()?;
        let contigs: Vec<Contig> = header
            .reference_sequences()
            .iter()
            .map(|(name, map)| Contig {
                name: Arc::from(name.to_string()),
                length: usize::from(map.length()) as u64,
                exact: true,
            })
            .collect();
        let lengths = contigs.iter().map(|contig| (contig.name.as_bytes().to_vec(), contig.length)).collect();
        let repository = fasta::Repository::new(Reference { path: reference.map(Path::to_path_buf), lengths });
        let sorted = header
            .header()
            .and_then(|map| map.other_fields().get(&SORT_ORDER))
            .is_some_and(|order| order.iter().eq(b"coordinate"));
        let container = cram::io::reader::Container::default();
        let cram = Self { reader, header, repository, container, decoded: Vec::new().into_iter() };
        Ok((Header { contigs, sorted }, cram))
    }

    /// Decodes the next container; `false` behind the last one.
    fn decode(&mut self) -> io::Result<bool> {
        if self.reader.read_container(&mut self.container)? == 0 {
            return Ok(false);
        }
        let compression = self.container.compression_header()?;
        let mut reads = Vec::new();
        for slice in self.container.slices() {
            let slice = slice?;
            let (core, external) = slice.decode_blocks()?;
            let records = slice.records(self.repository.clone(), &self.header, &compression, &core, &external)?;
            for record in &records {
                reads.push(plain(record, &self.header)?);
            }
        }
        self.decoded = reads.into_iter();
        Ok(true)
    }
}

impl Source for Cram {
    fn advance(&mut self, read: &mut AlignedRead) -> io::Result<bool> {
        loop {
            if let Some(next) = self.decoded.next() {
                *read = next;
                return Ok(true);
            }
            if !self.decode()? {
                return Ok(false);
            }
        }
    }
}

fn plain(record: &cram::Record<'_>, header: &sam::Header) -> io::Result<AlignedRead> {
    let contigs = header.reference_sequences().len();
    let mut read = AlignedRead::default();
    read.clear();
    read.contig = contig(record.reference_sequence_id(header), contigs)?;
    read.start = start(record.alignment_start())?;
    read.flags = record.flags()?.bits();
    read.mapping_quality = record.mapping_quality().transpose()?.map_or(255, |quality| quality.get());
    read.mate_contig = contig(record.mate_reference_sequence_id(header), contigs)?;
    read.mate_start = start(record.mate_alignment_start())?;
    read.template_length = i64::from(record.template_length()?);
    if let Some(name) = record.name() {
        read.name.extend_from_slice(name);
    }
    for operation in record.cigar().iter() {
        let operation = operation?;
        read.push(letter(operation.kind()), operation.len() as u64)
            .map_err(|problem| io::Error::new(ErrorKind::InvalidData, problem))?;
    }
    Ok(read)
}

fn letter(kind: Kind) -> u8 {
    match kind {
        Kind::Match => b'M',
        Kind::Insertion => b'I',
        Kind::Deletion => b'D',
        Kind::Skip => b'N',
        Kind::SoftClip => b'S',
        Kind::HardClip => b'H',
        Kind::Pad => b'P',
        Kind::SequenceMatch => b'=',
        Kind::SequenceMismatch => b'X',
    }
}

/// The sequences that the file was compressed against, from a FASTA file that is opened when one is needed.
struct Reference {
    path: Option<PathBuf>,
    lengths: HashMap<Vec<u8>, u64>,
}

impl Adapter for Reference {
    fn get(&mut self, name: &[u8]) -> Option<io::Result<fasta::Record>> {
        Some(self.find(name))
    }
}

impl Reference {
    fn find(&self, name: &[u8]) -> io::Result<fasta::Record> {
        let shown = String::from_utf8_lossy(name);
        let Some(path) = &self.path else {
            return Err(io::Error::new(
                ErrorKind::NotFound,
                format!(
                    "it is compressed against a reference, of which contig {shown} is needed; give the FASTA file of it"
                ),
            ));
        };
        let record = Self::read(path, name).map_err(|cause| {
            io::Error::new(cause.kind(), format!("contig {shown} of the reference {}: {cause}", path.display()))
        })?;
        let (found, due) = (record.sequence().len() as u64, self.lengths.get(name).copied().unwrap_or_default());
        if found != due {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                format!(
                    "contig {shown} has {found} bases in the reference {}, {due} in the header; give the reference \
                     that the file was compressed against",
                    path.display()
                ),
            ));
        }
        Ok(record)
    }

    /// By the index beside the FASTA file if there is one, else by reading until the contig comes.
    fn read(path: &Path, name: &[u8]) -> io::Result<fasta::Record> {
        if path.with_added_extension("fai").exists() {
            return fasta::io::indexed_reader::Builder::default().build_from_path(path)?.query(&Region::new(name, ..));
        }
        let input = text::open(path).map_err(|error| io::Error::other(error.to_string()))?;
        for record in fasta::io::Reader::new(input).records() {
            let record = record?;
            if record.name() == name {
                return Ok(record);
            }
        }
        Err(io::Error::new(ErrorKind::NotFound, "it has no such contig"))
    }
}
