//! Reads as intervals: BED, as MACS and other peak callers take them.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use super::{AlignedRead, Contig, Header, Source, flag};
use crate::io::bed::BedReader;
use crate::io::{Input, IoError};
use crate::locus::Strand;

/// A file that is read from its start to its end.
pub(super) struct Intervals {
    reader: BedReader<Input>,
    contigs: HashMap<Arc<str>, usize>,
}

impl Intervals {
    /// Opens a file. BED has no header: contigs that are not `given` are those of a first pass through the file, which
    /// end (as far as is known) where their last read does.
    pub(super) fn open(path: &Path, given: &[(String, u64)]) -> Result<(Header, Self), IoError> {
        let mut header = Header { contigs: Vec::new(), sorted: false };
        let mut contigs: HashMap<Arc<str>, usize> = HashMap::new();
        for (name, length) in given {
            let name: Arc<str> = Arc::from(name.as_str());
            contigs.insert(Arc::clone(&name), header.contigs.len());
            header.contigs.push(Contig { name, length: *length, exact: true });
        }
        if given.is_empty() {
            for record in BedReader::open(path)? {
                let locus = record?.locus;
                let place = *contigs.entry(Arc::clone(&locus.contig)).or_insert(header.contigs.len());
                if place == header.contigs.len() {
                    header.contigs.push(Contig { name: locus.contig, length: 0, exact: false });
                }
                let contig = &mut header.contigs[place];
                contig.length = contig.length.max(locus.end.max(0) as u64);
            }
        }
        Ok((header, Self { reader: BedReader::open(path)?, contigs }))
    }
}

impl Source for Intervals {
    fn advance(&mut self, read: &mut AlignedRead) -> io::Result<bool> {
        let Some(record) = self.reader.next() else { return Ok(false) };
        let record = record.map_err(|error| match error {
            IoError::Read { cause, .. } => cause,
            IoError::Row { row, .. } => io::Error::new(ErrorKind::InvalidData, row),
            other => io::Error::other(other),
        })?;
        let Some(&contig) = self.contigs.get(&record.locus.contig) else {
            let problem = format!("contig {} is not among those that were given", record.locus.contig);
            return Err(io::Error::new(ErrorKind::InvalidData, problem));
        };
        read.clear();
        read.contig = Some(contig);
        read.start = record.locus.start;
        read.flags = if record.locus.strand == Strand::Reverse { flag::REVERSE } else { 0 };
        if let Some(name) = record.name {
            read.name.extend_from_slice(name.as_bytes());
        }
        read.push(b'M', record.locus.len() as u64)
            .map_err(|problem| io::Error::new(ErrorKind::InvalidData, problem))?;
        Ok(true)
    }
}
