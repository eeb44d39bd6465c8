//! A variant file from end to end: read, compared with the genome, scored, and written again.

mod fields;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use self::fields::{COLUMNS, Names, QUARANTINED, fields, info, line, names};
use super::{Checked, Contigs, Effect, Score, ScoreError, Variant, check};
use crate::genome::Genome;
use crate::io::vcf::{PREFIX, Quarantined, VcfReader, VcfRecord, VcfRow, VcfWriter, write_with};
use crate::io::{IoError, RowError};
use crate::locus::listed;

/// Rows and alleles, and bytes of them, that are collected before they are scored and written.
const ALLELES: usize = 8192;
const BYTES: usize = 1 << 25;

/// Quarantined rows that the summary shows.
const SHOWN: usize = 20;

/// Why a file is given up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VariantError {
    /// It cannot be read, or the result not be written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The sequences cannot be scored.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// File and genome have no contig in common.
    #[error(
        "{path} has variants on {file}; the genome has none of these, but {genome}; take files of one assembly, or \
         give an alias table (--alias)"
    )]
    Contigs {
        /// The file.
        path: PathBuf,
        /// The contigs of its variants, shortened if there are many.
        file: String,
        /// The contigs of the genome, shortened if there are many.
        genome: String,
    },
    /// Every row was refused.
    #[error("none of the {rows} rows of {path} can be used; the first: {first}")]
    NothingUsable {
        /// The file.
        path: PathBuf,
        /// Number of rows.
        rows: u64,
        /// The first refusal.
        first: RowError,
    },
}

/// Files to be written. Each is there whole or not at all, and is a bgzip file if its name ends in `.gz`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outputs<'p> {
    /// All well-formed records in order, as they were, with fields added to INFO.
    pub vcf: Option<&'p Path>,
    /// A table with a header and tabs, one row for each allele and quarantined row, in order.
    pub table: Option<&'p Path>,
}

/// A contig whose length in the header of the file is not that of the genome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LengthMismatch {
    /// Its name in the file.
    pub contig: String,
    /// Its length there.
    pub file: u64,
    /// Number of bases that the genome has of it.
    pub genome: u64,
}

/// What was found in a file.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Records that were used.
    pub records: u64,
    /// Alleles of each [`Status`](super::Status), by name.
    pub statuses: BTreeMap<&'static str, u64>,
    /// Alleles with an effect.
    pub scored: u64,
    /// Rows that were not used.
    pub quarantined: u64,
    /// The first of them, with line and reason.
    pub first_quarantined: Vec<String>,
    /// Contigs that the genome has under another name: the file's, the genome's.
    pub renamed: Vec<(String, String)>,
    /// Contigs that the genome does not have, and how many alleles lie on them.
    pub unknown: Vec<(String, u64)>,
    /// Contigs that differ in length, which two assemblies do.
    pub lengths: Vec<LengthMismatch>,
    /// What else is to be known about the file.
    pub notes: Vec<String>,
}

impl Summary {
    /// Number of alleles.
    pub fn alleles(&self) -> u64 {
        self.statuses.values().sum()
    }
}

/// Compares all variants of a file with a genome, scores them if there is something to score them with, and writes what
/// is asked for. Memory does not grow with the file.
///
/// | INFO field | values |
/// |---|---|
/// | `GALEN_STATUS` | how each allele stands to the genome ([`Status`]); `quarantined` for a record that was not used |
/// | `GALEN_REF`, `GALEN_ALT` | scores of the windows with the reference and the alternate allele |
/// | `GALEN_DELTA` | their difference: of the probabilities where the scores are logits, of the values otherwise |
/// | `GALEN_LOGODDS` | logarithm of the odds ratio, where the scores are logits |
///
/// Each has one value for each alternate allele, `.` where there is none. With several tasks the four of scores bear
/// the task's name: `GALEN_DELTA_USF2`. [`Score::labels`] are further fields. Effects are always those of REF turning into ALT, whichever the genome has.
///
/// [`Status`]: super::Status
///
/// # Errors
/// [`VariantError`] if the file cannot be read to its end, none of its rows can be used, or it has no contig in common
/// with the genome; nothing is written then.
pub fn annotate(
    mut reader: VcfReader,
    genome: &Genome,
    score: Option<&mut dyn Score>,
    outputs: Outputs,
) -> Result<Summary, VariantError> {
    write_with(outputs.vcf, |vcf| {
        write_with(outputs.table, |table| Run::new(&reader, genome, score, vcf, table, outputs)?.finish(&mut reader))
    })
}

/// A row that waits for its scores.
enum Waiting {
    /// A record and the number of its alleles.
    Record(VcfRecord, usize),
    Quarantined(Quarantined),
}

/// A run over a file. The scorer and the two outputs come from different places, and each has its lifetime.
struct Run<'g, 's, 'v, 't> {
    contigs: Contigs<'g>,
    score: Option<&'s mut dyn Score>,
    names: Vec<Names>,
    labels: Vec<&'static str>,
    vcf: Option<(VcfWriter<&'v mut dyn Write>, &'g Path)>,
    table: Option<(&'t mut dyn Write, &'g Path)>,
    waiting: Vec<Waiting>,
    checked: Vec<Checked>,
    bytes: usize,
    first_refused: Option<RowError>,
    summary: Summary,
}

impl<'g, 's, 'v, 't> Run<'g, 's, 'v, 't> {
    fn new(
        reader: &VcfReader,
        genome: &'g Genome,
        score: Option<&'s mut dyn Score>,
        vcf: Option<&'v mut dyn Write>,
        table: Option<&'t mut dyn Write>,
        outputs: Outputs<'g>,
    ) -> Result<Self, VariantError> {
        let (names, tasks, labels) = match &score {
            Some(score) => (names(&**score), score.tasks().to_vec(), score.labels().to_vec()),
            None => (Vec::new(), Vec::new(), Vec::new()),
        };
        let vcf = match vcf.zip(outputs.vcf) {
            None => None,
            Some((out, path)) => {
                let writer =
                    VcfWriter::new(out, reader.header(), &fields(&names, &tasks, &labels)).map_err(failed(path))?;
                Some((writer, path))
            }
        };
        let mut table = table.zip(outputs.table);
        if let Some((out, path)) = &mut table {
            let columns = names.iter().flat_map(Names::iter).map(|name| &name[PREFIX.len()..]);
            let columns: Vec<&str> = [COLUMNS].into_iter().chain(labels.iter().copied()).chain(columns).collect();
            writeln!(out, "{}", columns.join("\t")).map_err(failed(path))?;
        }
        let summary = Summary {
            lengths: lengths(reader, genome),
            notes: reader.notes().iter().map(ToString::to_string).collect(),
            ..Summary::default()
        };
        Ok(Self {
            contigs: Contigs::new(genome),
            score,
            names,
            labels,
            vcf,
            table,
            waiting: Vec::new(),
            checked: Vec::new(),
            bytes: 0,
            first_refused: None,
            summary,
        })
    }

    fn finish(mut self, reader: &mut VcfReader) -> Result<Summary, VariantError> {
        for row in reader.by_ref() {
            match row? {
                VcfRow::Record(record) => self.take(record),
                VcfRow::Quarantined(quarantined) => {
                    self.first_refused.get_or_insert_with(|| quarantined.row.clone());
                    self.bytes += quarantined.record.as_ref().map_or(0, |record| record.text().len());
                    self.waiting.push(Waiting::Quarantined(quarantined));
                }
            }
            if self.waiting.len() + self.checked.len() >= ALLELES || self.bytes >= BYTES {
                self.flush()?;
            }
        }
        self.flush()?;
        self.summary.renamed = self.contigs.renamed();
        self.summary.unknown = self.contigs.unknown();
        if let (0, Some(first)) = (self.summary.records, self.first_refused) {
            let (path, rows) = (reader.path().to_path_buf(), self.summary.quarantined);
            return Err(VariantError::NothingUsable { path, rows, first });
        }
        if self.summary.records > 0 && !self.contigs.any() {
            let file = listed(self.summary.unknown.iter().map(|(name, _)| name.as_str()));
            let genome = listed(self.contigs.genome().names().iter());
            return Err(VariantError::Contigs { path: reader.path().to_path_buf(), file, genome });
        }
        Ok(self.summary)
    }

    fn take(&mut self, record: VcfRecord) {
        let before = self.checked.len();
        self.bytes += record.text().len();
        for variant in Variant::of(&record) {
            // The alleles as they are and as they are normalised.
            self.bytes += 2 * (variant.reference.len() + variant.alternate.len());
            self.checked.push(check(variant, &mut self.contigs));
        }
        self.waiting.push(Waiting::Record(record, self.checked.len() - before));
    }

    /// Scores and writes what waits.
    fn flush(&mut self) -> Result<(), VariantError> {
        let checked = std::mem::take(&mut self.checked);
        self.bytes = 0;
        let mut effects = Vec::new();
        if let Some(score) = &mut self.score {
            effects = score.score(&checked)?;
        }
        let mut first = 0;
        for row in std::mem::take(&mut self.waiting) {
            match row {
                Waiting::Record(record, count) => {
                    let alleles = &checked[first..first + count];
                    // There are none if there is nothing to score with.
                    let effects = effects.get(first..first + count).unwrap_or_default();
                    first += count;
                    self.record(&record, alleles, effects)?;
                }
                Waiting::Quarantined(quarantined) => self.quarantined(&quarantined)?,
            }
        }
        Ok(())
    }

    fn record(
        &mut self,
        record: &VcfRecord,
        alleles: &[Checked],
        effects: &[Result<Effect, String>],
    ) -> Result<(), VariantError> {
        self.summary.records += 1;
        for allele in alleles {
            *self.summary.statuses.entry(allele.status.name()).or_default() += 1;
        }
        self.summary.scored += effects.iter().filter(|effect| effect.is_ok()).count() as u64;
        if let Some((out, path)) = &mut self.vcf {
            let added = info(record, alleles, effects, (self.names.as_slice(), self.labels.as_slice()));
            out.write(record, &added).map_err(failed(path))?;
        }
        if let Some((out, path)) = &mut self.table {
            for (at, allele) in alleles.iter().enumerate() {
                let line = line(record, allele, effects.get(at), (self.names.as_slice(), self.labels.as_slice()));
                writeln!(out, "{line}").map_err(failed(path))?;
            }
        }
        Ok(())
    }

    fn quarantined(&mut self, quarantined: &Quarantined) -> Result<(), VariantError> {
        self.summary.quarantined += 1;
        if self.summary.first_quarantined.len() < SHOWN {
            self.summary.first_quarantined.push(quarantined.row.to_string());
        }
        if let (Some((out, path)), Some(record)) = (&mut self.vcf, &quarantined.record) {
            out.write(record, &format!("{PREFIX}STATUS={QUARANTINED}")).map_err(failed(path))?;
        }
        if let Some((out, path)) = &mut self.table {
            let RowError { number, problem, .. } = &quarantined.row;
            let problem = problem.replace(['\t', '\n', '\r'], " ");
            let rest = "\t".repeat(1 + self.labels.len() + self.names.iter().flat_map(Names::iter).count());
            writeln!(out, "{number}\t\t\t\t\t\t\t{QUARANTINED}\t{problem}{rest}").map_err(failed(path))?;
        }
        Ok(())
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> VariantError {
    move |cause| VariantError::Io(IoError::Write { path: path.to_path_buf(), cause })
}

/// Contigs of the header that have another length in the genome.
fn lengths(reader: &VcfReader, genome: &Genome) -> Vec<LengthMismatch> {
    let known = reader.header().contigs().iter().filter_map(|(contig, length)| {
        let (file, genome) = ((*length)?, genome.length(contig)? as u64);
        Some(LengthMismatch { contig: contig.clone(), file, genome })
    });
    known.filter(|length| length.file != length.genome).collect()
}
