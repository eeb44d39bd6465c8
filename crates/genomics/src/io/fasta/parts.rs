//! Parts of a FASTA file without reading all of it, by its index (`.fai`), and for bgzip files that of their blocks
//! (`.gzi`).

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use noodles::bgzf;

use super::index::{IndexEntry, build_index, read_index};
use super::{IoError, filled};
use crate::genome::{Edge, Genome, GenomeError, MAX_WINDOW, Packer};
use crate::io::text::{blocked, check_end};
use crate::locus::{ContigNames, Locus, Strand};
use crate::sequence::{CODES, SequenceError, letter, reverse_complement};

enum Source {
    Plain(BufReader<File>),
    Blocks(bgzf::io::IndexedReader<BufReader<File>>),
}

/// A FASTA file with an index, of which windows are read one at a time. For training, read the genome whole.
pub struct IndexedFasta {
    path: PathBuf,
    names: ContigNames,
    entries: Vec<IndexEntry>,
    source: Source,
}

impl IndexedFasta {
    /// Opens a FASTA file, plain with an index or bgzip with both; a plain file without index is indexed in memory.
    ///
    /// # Errors
    /// [`IoError`] if a file cannot be read, or an index is missing or not sound.
    pub fn open(path: &Path) -> Result<Self, IoError> {
        let cannot_open = |cause| IoError::Open { path: path.to_path_buf(), cause };
        let mut file = File::open(path).map_err(cannot_open)?;
        let in_blocks = blocked(&mut file).map_err(cannot_open)?;
        let beside = path.with_added_extension("fai");
        let entries = if beside.exists() { read_index(&beside)? } else { build_index(path)? };
        let source = if in_blocks {
            check_end(&mut file).map_err(IoError::read(path))?;
            let blocks = block_index(&path.with_added_extension("gzi"))?;
            Source::Blocks(bgzf::io::IndexedReader::new(BufReader::new(file), blocks))
        } else {
            let mut head = Vec::new();
            Read::take(&mut file, 2).read_to_end(&mut head).map_err(IoError::read(path))?;
            file.rewind().map_err(IoError::read(path))?;
            if head == [0x1f, 0x8b] {
                let problem = "gzip cannot be read in parts; compress it with bgzip, or read it as a genome";
                return Err(IoError::format(path, problem));
            }
            Source::Plain(BufReader::new(file))
        };
        let names = ContigNames::new(entries.iter().map(|entry| entry.name.clone()));
        Ok(Self { path: path.to_path_buf(), names, entries, source })
    }

    /// The names of the contigs.
    pub fn names(&self) -> &ContigNames {
        &self.names
    }

    /// Names and numbers of bases, in the order of the index.
    pub fn contigs(&self) -> impl Iterator<Item = (&str, u64)> {
        self.entries.iter().map(|entry| (entry.name.as_str(), entry.length))
    }

    /// The bases of a window, as [`Genome::window`] gives them.
    ///
    /// # Errors
    /// [`IoError::Genome`] as [`Genome::window`]; [`IoError::Read`]; [`IoError::Format`] if the index is that of
    /// another file.
    pub fn window(&mut self, locus: &Locus, edge: Edge) -> Result<Vec<u8>, IoError> {
        let genome = |path: &Path, error| IoError::Genome { path: path.to_path_buf(), error };
        let place = self.names.position(&locus.contig).map_err(|error| genome(&self.path, error.into()))?;
        let length = self.entries[place].length as i64;
        let refused = if locus.len() > MAX_WINDOW {
            Some(GenomeError::Wide { locus: locus.clone(), length: locus.len() })
        } else if edge == Edge::Refuse && (locus.start < 0 || locus.end > length) {
            Some(GenomeError::Outside { locus: locus.clone(), start: 0, end: length })
        } else {
            None
        };
        if let Some(error) = refused {
            return Err(genome(&self.path, error));
        }
        let part = locus.start.clamp(0, length) as u64..locus.end.clamp(0, length) as u64;
        let before = (-locus.start).clamp(0, locus.len() as i64) as usize;
        let mut bases = vec![b'N'; before];
        self.read(place, part, |part| {
            bases.extend_from_slice(part);
            Ok(())
        })?;
        bases.resize(locus.len(), b'N');
        for (index, base) in bases.iter_mut().enumerate() {
            match CODES[usize::from(*base)] {
                0xff => {
                    let position = (locus.start + index as i64 + 1).max(0) as u64;
                    let error = SequenceError { byte: *base, position };
                    return Err(genome(&self.path, GenomeError::Sequence { contig: locus.contig.to_string(), error }));
                }
                code => *base = letter(code),
            }
        }
        Ok(if locus.strand == Strand::Reverse { reverse_complement(&bases) } else { bases })
    }

    /// Some contigs as a genome, in the order given, without reading the others.
    ///
    /// # Errors
    /// As [`IndexedFasta::window`].
    pub fn genome(&mut self, contigs: &[&str]) -> Result<Genome, IoError> {
        let path = self.path.clone();
        let genome = |error| IoError::Genome { path: path.clone(), error };
        let mut packed = Vec::with_capacity(contigs.len());
        for contig in contigs {
            let place = self.names.position(contig).map_err(|error| genome(error.into()))?;
            let (name, length) = (self.entries[place].name.clone(), self.entries[place].length);
            let mut packer = Packer::default();
            self.read(place, 0..length, |part| packer.push(part).map_err(|problem| problem.of(&name)))?;
            packer.shrink();
            packed.push((name, packer));
        }
        Genome::from_packers(packed).map_err(genome)
    }

    /// Hands the bases of a part of a contig to `sink`, all of them or an error.
    fn read(
        &mut self,
        place: usize,
        part: Range<u64>,
        sink: impl FnMut(&[u8]) -> Result<(), GenomeError>,
    ) -> Result<(), IoError> {
        if part.is_empty() {
            return Ok(());
        }
        let entry = &self.entries[place];
        let wanted = part.end - part.start;
        let start = entry.byte(part.start).ok_or_else(|| ErrorKind::InvalidInput.into());
        let start = start.map_err(IoError::read(&self.path))?;
        let got = match &mut self.source {
            Source::Plain(reader) => bases_at(reader, start, wanted, sink),
            Source::Blocks(reader) => bases_at(reader, start, wanted, sink),
        };
        match got {
            Ok(Ok(got)) if got == wanted => Ok(()),
            Ok(Ok(got)) => {
                let problem = format!(
                    "{} has {got} of the {wanted} bases from {} on that the index tells of; make the index anew with \
                     samtools faidx",
                    entry.name,
                    part.start + 1
                );
                Err(IoError::format(&self.path, problem))
            }
            Ok(Err(error)) => Err(IoError::Genome { path: self.path.clone(), error }),
            Err(cause) => Err(IoError::Read { path: self.path.clone(), cause }),
        }
    }
}

/// Reads at most `wanted` bases from a byte on, as far as the record goes, and returns how many there were.
fn bases_at<R: BufRead + Seek>(
    reader: &mut R,
    start: u64,
    wanted: u64,
    mut sink: impl FnMut(&[u8]) -> Result<(), GenomeError>,
) -> io::Result<Result<u64, GenomeError>> {
    reader.seek(SeekFrom::Start(start))?;
    let mut got = 0;
    while got < wanted {
        let chunk = filled(reader)?;
        let end = chunk.iter().position(|&byte| byte == b'>').unwrap_or(chunk.len());
        for part in chunk[..end].split(u8::is_ascii_whitespace).filter(|part| !part.is_empty()) {
            let part = &part[..part.len().min((wanted - got) as usize)];
            got += part.len() as u64;
            if let Err(error) = sink(part) {
                return Ok(Err(error));
            }
        }
        if end == 0 || end < chunk.len() {
            break;
        }
        reader.consume(end);
    }
    Ok(Ok(got))
}

/// Reads the index of the blocks of a bgzip file.
fn block_index(path: &Path) -> Result<bgzf::gzi::Index, IoError> {
    if !path.exists() {
        return Err(IoError::format(
            path,
            "this index is missing; make it with bgzip -r, or read the file as a genome",
        ));
    }
    let index = bgzf::gzi::fs::read(path).map_err(IoError::read(path))?;
    let blocks: &[(u64, u64)] = index.as_ref();
    // Positions are subtracted from each other later on.
    if !blocks.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1) {
        return Err(IoError::format(path, "its blocks are not in order; make it anew with bgzip -r"));
    }
    Ok(index)
}
