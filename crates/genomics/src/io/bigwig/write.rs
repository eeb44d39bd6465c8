//! A signal, written while it is made.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use bigtools::beddata::BedParserStreamingIterator;
use bigtools::{BigWigWrite, Value};
use nn_core::atomic;
use tempfile::NamedTempFile;

use super::names_bigwig;
use crate::io::{IoError, text};

/// Values that go to the encoding thread together.
const BATCH: usize = 1 << 12;
/// Batches that may wait there.
const WAITING: usize = 8;

/// Writes a signal as bigWig (a name that ends in `.bw` or `.bigwig`) or bedGraph (any other name; one that ends in
/// `.gz` is compressed). Neighbours of equal value are joined. The file has its name when it is whole; of a writer that
/// is dropped without [`SignalWriter::finish`] nothing is left.
///
/// A bigWig file has the contigs that have values, in the order in which these came.
pub struct SignalWriter {
    path: PathBuf,
    contigs: Vec<(Arc<str>, u64)>,
    /// The last values: contig, start, end, value.
    held: Option<(usize, u64, u64, f32)>,
    temporary: NamedTempFile,
    target: Target,
}

enum Target {
    BigWig {
        batch: Vec<(Name, Value)>,
        sender: SyncSender<Vec<(Name, Value)>>,
        encoder: JoinHandle<Result<(), String>>,
    },
    BedGraph(BufWriter<File>),
}

/// A contig's name as bigtools asks for it, without a copy for each value.
#[derive(Clone)]
struct Name(Arc<str>);

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        *self.0 == **other
    }
}

impl SignalWriter {
    /// Begins a file; `contigs` are names and numbers of bases.
    ///
    /// # Errors
    /// [`IoError`] if nothing can be written there, a contig comes twice, or is too long for bigWig (2³² bases).
    pub fn create(path: &Path, contigs: impl IntoIterator<Item = (String, u64)>) -> Result<Self, IoError> {
        let contigs: Vec<(Arc<str>, u64)> =
            contigs.into_iter().map(|(name, length)| (Arc::from(name), length)).collect();
        let mut lengths = HashMap::new();
        for (name, length) in &contigs {
            let fits = u32::try_from(*length).ok().filter(|_| !name.is_empty());
            let Some(bases) = fits else {
                let problem =
                    format!("contig {name:?} of {length} bases cannot be written; it needs a name and less than 2^32");
                return Err(IoError::format(path, problem));
            };
            if lengths.insert(name.to_string(), bases).is_some() {
                return Err(IoError::format(path, format!("contig {name} is to be written twice")));
            }
        }
        let cannot = |cause| IoError::Write { path: path.to_path_buf(), cause };
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let temporary =
            tempfile::Builder::new().prefix(".signal-").suffix(".tmp").tempfile_in(folder).map_err(cannot)?;
        let file = temporary.reopen().map_err(cannot)?;
        let target = if names_bigwig(path) {
            let (sender, receiver) = sync_channel(WAITING);
            let encoder = thread::Builder::new()
                .name("bigwig".to_owned())
                .spawn(move || encode(file, lengths, receiver))
                .map_err(cannot)?;
            Target::BigWig { batch: Vec::with_capacity(BATCH), sender, encoder }
        } else {
            Target::BedGraph(BufWriter::with_capacity(1 << 18, file))
        };
        Ok(Self { path: path.to_path_buf(), contigs, held: None, temporary, target })
    }

    /// Adds a value of `start..end` of a contig (its place in the list of contigs). Values come from left to right,
    /// contig by contig in the order of the list.
    ///
    /// # Errors
    /// [`IoError::Format`] for a value that is not finite, empty or overlapping intervals and those outside their
    /// contig, values that come in another order; [`IoError::Write`] if the disk is full.
    pub fn add(&mut self, contig: usize, start: u64, end: u64, value: f32) -> Result<(), IoError> {
        let Some((name, length)) = self.contigs.get(contig) else {
            return Err(IoError::format(&self.path, format!("there is no contig {contig} of {}", self.contigs.len())));
        };
        let problem = if start >= end || end > *length {
            Some(format!("{name} has {length} bases, so that {start} to {end} is no interval of it"))
        } else if !value.is_finite() {
            Some(format!("the value of {name} from {start} to {end} is {value}"))
        } else if self.held.is_some_and(|(last, _, behind, _)| (contig, start) < (last, behind)) {
            Some(format!("values of {name} from {start} on come too late; they have to come from left to right"))
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(IoError::format(&self.path, problem));
        }
        if let Some((last, _, behind, held)) = &mut self.held
            && (*last, *behind, *held) == (contig, start, value)
        {
            *behind = end;
            return Ok(());
        }
        match self.held.replace((contig, start, end, value)) {
            Some(before) => self.put(before),
            None => Ok(()),
        }
    }

    fn put(&mut self, (contig, start, end, value): (usize, u64, u64, f32)) -> Result<(), IoError> {
        let name = &self.contigs[contig].0;
        match &mut self.target {
            Target::BedGraph(out) => writeln!(out, "{name}\t{start}\t{end}\t{value}")
                .map_err(|cause| IoError::Write { path: self.path.clone(), cause }),
            Target::BigWig { batch, sender, .. } => {
                batch.push((Name(Arc::clone(name)), Value { start: start as u32, end: end as u32, value }));
                if batch.len() < BATCH {
                    return Ok(());
                }
                sender.send(std::mem::replace(batch, Vec::with_capacity(BATCH))).map_err(|_| IoError::Write {
                    path: self.path.clone(),
                    cause: io::Error::other("the encoder of bigWig stopped; the disk may be full"),
                })
            }
        }
    }

    /// Writes what is left and gives the file its name.
    ///
    /// # Errors
    /// [`IoError`] if no value was added, or the file cannot be written.
    pub fn finish(mut self) -> Result<(), IoError> {
        let Some(last) = self.held.take() else {
            return Err(IoError::Empty { path: self.path, what: "values" });
        };
        self.put(last)?;
        let Self { path, temporary, target, .. } = self;
        let failed = |cause| IoError::Write { path: path.clone(), cause };
        match target {
            Target::BedGraph(mut out) => {
                out.flush().map_err(failed)?;
                text::write(&path, |out| io::copy(&mut File::open(temporary.path())?, out).map(drop))
            }
            Target::BigWig { batch, sender, encoder } => {
                // Should the encoder be gone, it says why when it is joined.
                let _ = sender.send(batch);
                drop(sender);
                let encoded = encoder.join().unwrap_or_else(|_| Err("the encoder of bigWig failed".to_owned()));
                encoded.map_err(|problem| failed(io::Error::other(problem)))?;
                atomic::write_with(&path, |out| io::copy(&mut File::open(temporary.path())?, out).map(drop))?;
                Ok(())
            }
        }
    }
}

/// The encoding thread: bigtools takes values as they come, and returns when there are no more.
fn encode(file: File, lengths: HashMap<String, u32>, values: Receiver<Vec<(Name, Value)>>) -> Result<(), String> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().map_err(|error| error.to_string())?;
    let values = BedParserStreamingIterator::wrap_infallible_iter(values.into_iter().flatten(), true);
    BigWigWrite::new(file, lengths).write(values, runtime).map_err(|error| error.to_string())
}
