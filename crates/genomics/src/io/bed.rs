//! Intervals and peaks: BED3 to BED12, narrowPeak and broadPeak in, these and bedGraph out.
//!
//! Which columns a file has is told by its first interval: 10 columns are a narrowPeak (BED10 does not exist), 9 in a
//! file named `.broadPeak` a broadPeak, and otherwise BED, of which columns beyond the sixth are read if those of the
//! first interval look like BED's (many tools append their own to BED6). [`BedReader::with_layout`] says it instead.
//! Lines that begin with `#`, `track` or `browser` are passed over.

use std::fmt::Write as _;
use std::io::BufRead;
use std::ops::Range;
use std::path::Path;

use super::text::{self, Contigs, Lines, extension, number};
use super::{Input, IoError};
use crate::locus::{Locus, Strand};

/// The columns of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BedLayout {
    /// This many columns of BED, from 3 to 12; further ones are passed over.
    Bed(usize),
    /// BED6, signal, p-value, q-value, offset of the summit.
    NarrowPeak,
    /// BED6, signal, p-value, q-value.
    BroadPeak,
}

/// An interval. Columns that the file lacks, or has as `.`, are `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct BedRecord {
    /// Where it lies; on the forward strand if the file does not say.
    pub locus: Locus,
    /// Whether the file says on which strand.
    pub stranded: bool,
    /// Column 4.
    pub name: Option<String>,
    /// Column 5; UCSC has it from 0 to 1000, others do not.
    pub score: Option<f64>,
    /// Columns 7 and 8 of BED, 0-based and half-open: the part that is drawn thick, for genes the coding part.
    pub thick: Option<Range<i64>>,
    /// Column 9 of BED.
    pub colour: Option<String>,
    /// Columns 10 to 12 of BED: positions on the contig, for genes of the exons.
    pub blocks: Vec<Range<i64>>,
    /// Column 7 of peaks.
    pub signal: Option<f64>,
    /// Column 8 of peaks, −log10 p; −1 in the file if there is none.
    pub p_value: Option<f64>,
    /// Column 9 of peaks, −log10 q; −1 in the file if there is none.
    pub q_value: Option<f64>,
    /// Column 10 of narrowPeak: bases from the start of the interval to its summit; −1 in the file if there is none.
    pub peak: Option<i64>,
}

impl BedRecord {
    /// An interval without anything else.
    pub fn new(locus: Locus) -> Self {
        Self {
            locus,
            stranded: false,
            name: None,
            score: None,
            thick: None,
            colour: None,
            blocks: Vec::new(),
            signal: None,
            p_value: None,
            q_value: None,
            peak: None,
        }
    }

    /// Position of the summit (0-based), or [`Locus::centre`] where the file has none.
    pub fn summit(&self) -> i64 {
        self.peak.map_or_else(|| self.locus.centre(), |peak| self.locus.start + peak)
    }

    /// The window of `width` bases around [`BedRecord::summit`], placed as [`Locus::centred`] does.
    pub fn window(&self, width: usize) -> Locus {
        let summit = self.summit();
        Locus { start: summit, end: summit + 1, ..self.locus.clone() }.centred(width)
    }
}

/// Reads intervals one by one.
///
/// An [`IoError::Row`] concerns one line, the reader goes on behind it; after any other error it has ended.
pub struct BedReader<R> {
    lines: Lines<R>,
    layout: Option<BedLayout>,
    contigs: Contigs,
    ended: bool,
}

impl BedReader<Input> {
    /// Opens a file, plain or gzip.
    ///
    /// # Errors
    /// [`IoError`] if it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, IoError> {
        Ok(Self { lines: Lines::open(path)?, layout: None, contigs: Contigs::default(), ended: false })
    }
}

impl<R: BufRead> BedReader<R> {
    /// Reads from `reader`; messages name `path`.
    pub fn new(reader: R, path: &Path) -> Self {
        Self { lines: Lines::new(reader, path), layout: None, contigs: Contigs::default(), ended: false }
    }

    /// Says which columns the file has.
    pub fn with_layout(mut self, layout: BedLayout) -> Self {
        self.layout = Some(layout);
        self
    }

    fn record(&mut self) -> Result<Option<BedRecord>, IoError> {
        let broad = self.layout.is_none() && extension(self.lines.path()) == "broadpeak";
        let parsed = loop {
            match self.lines.advance()? {
                None => return Ok(None),
                Some(Err(row)) => return Err(IoError::row(self.lines.path(), row)),
                Some(Ok(line)) if passed_over(line) => {}
                Some(Ok(line)) => {
                    let fields = split(line);
                    let layout = *self.layout.get_or_insert_with(|| layout(&fields, broad));
                    break parse(&fields, layout, &mut self.contigs);
                }
            }
        };
        parsed.map(Some).map_err(|problem| self.lines.problem(problem))
    }
}

impl<R: BufRead> Iterator for BedReader<R> {
    type Item = Result<BedRecord, IoError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let record = self.record().transpose();
        self.ended = !matches!(record, Some(Ok(_) | Err(IoError::Row { .. })));
        record
    }
}

/// Reads all intervals of a BED, narrowPeak or broadPeak file.
///
/// # Errors
/// [`IoError`] if the file cannot be read or has no interval, and for the first line that cannot be used.
pub fn read_bed(path: &Path) -> Result<Vec<BedRecord>, IoError> {
    let records: Vec<_> = BedReader::open(path)?.collect::<Result<_, _>>()?;
    if records.is_empty() { Err(IoError::Empty { path: path.to_path_buf(), what: "intervals" }) } else { Ok(records) }
}

fn passed_over(line: &str) -> bool {
    let line = line.trim_start();
    let word =
        |word: &str| line.strip_prefix(word).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()));
    // A contig may be called track, but then numbers follow.
    let keyword = word("track") || word("browser");
    line.is_empty()
        || line.starts_with('#')
        || (keyword && split(line).get(1).is_none_or(|text| text.parse::<i64>().is_err()))
}

/// Fields between tabs, or between blanks in a line without tabs.
fn split(line: &str) -> Vec<&str> {
    if line.contains('\t') { line.trim_end().split('\t').collect() } else { line.split_whitespace().collect() }
}

/// What the first interval shows.
fn layout(fields: &[&str], broad: bool) -> BedLayout {
    let columns = fields.len();
    match columns {
        10 => BedLayout::NarrowPeak,
        9 if broad => BedLayout::BroadPeak,
        ..=6 => BedLayout::Bed(columns.max(3)),
        7..12 => {
            let all = BedLayout::Bed(columns.min(9));
            if parse(fields, all, &mut Contigs::default()).is_ok() { all } else { BedLayout::Bed(6) }
        }
        _ => {
            let whole = |text: &str| text.trim().parse::<i64>().is_ok();
            let list = |text: &str| text.trim().trim_end_matches(',').split(',').all(whole);
            let blocks = fields[6..8].iter().all(|text| whole(text)) && fields[9..12].iter().all(|text| list(text));
            BedLayout::Bed(if blocks { 12 } else { 6 })
        }
    }
}

fn parse(fields: &[&str], layout: BedLayout, contigs: &mut Contigs) -> Result<BedRecord, String> {
    let due = match layout {
        BedLayout::Bed(columns) => columns.clamp(3, 12),
        BedLayout::NarrowPeak => 10,
        BedLayout::BroadPeak => 9,
    };
    if fields.len() < due {
        return Err(format!("{} columns where {due} are due (contig, start, end, …)", fields.len()));
    }
    let field = |column: usize| Some(fields[column - 1].trim()).filter(|text| !matches!(*text, "" | "."));
    let value = |column: usize, what: &str| -> Result<Option<f64>, String> {
        let Some(text) = field(column) else { return Ok(None) };
        let value: f64 = number(text, what)?;
        if value.is_finite() { Ok(Some(value)) } else { Err(format!("{what} {text} is not finite")) }
    };
    let contig = field(1).ok_or("no name of a contig in column 1")?;
    let hint = |problem| format!("{problem}; if this is a heading, put # before it");
    let start: i64 = number(fields[1], "start").map_err(hint)?;
    let end: i64 = number(fields[2], "end").map_err(hint)?;
    if start < 0 {
        return Err(format!("start {start} is negative; BED counts from 0"));
    }
    let mut record = BedRecord::new(Locus::new(contigs.get(contig), start, end).map_err(|error| error.to_string())?);
    if due > 3 {
        record.name = field(4).map(str::to_owned);
    }
    if due > 4 {
        record.score = value(5, "score")?;
    }
    if due > 5 {
        record.stranded = field(6).is_some();
        record.locus.strand = match field(6) {
            Some("+") | None => Strand::Forward,
            Some("-") => Strand::Reverse,
            Some(other) => return Err(format!("strand {other:?}; +, - or . are due")),
        };
    }
    match layout {
        BedLayout::Bed(_) => extras(&mut record, fields, due)?,
        BedLayout::NarrowPeak | BedLayout::BroadPeak => {
            let given = |value: Option<f64>| value.filter(|&value| value >= 0.0);
            record.signal = value(7, "signal")?;
            record.p_value = given(value(8, "p-value")?);
            record.q_value = given(value(9, "q-value")?);
        }
    }
    if layout == BedLayout::NarrowPeak {
        let peak: i64 = number(fields[9], "offset of the summit")?;
        if peak >= record.locus.len() as i64 {
            return Err(format!("summit {peak} bases behind the start of {} bases", record.locus.len()));
        }
        record.peak = Some(peak).filter(|&peak| peak >= 0);
    }
    Ok(record)
}

/// Columns 7 to 12 of BED.
fn extras(record: &mut BedRecord, fields: &[&str], due: usize) -> Result<(), String> {
    let given = |column: usize| due >= column && !matches!(fields[column - 1].trim(), "" | ".");
    if given(7) && due > 7 {
        let (start, end) = (number(fields[6], "thick start")?, number(fields[7], "thick end")?);
        record.thick = Some(start..end);
    } else if given(7) {
        number::<i64>(fields[6], "thick start")?;
    }
    if given(9) {
        record.colour = Some(fields[8].trim().to_owned());
    }
    if due < 12 || !given(10) {
        return Ok(());
    }
    let list = |column: usize, what: &str| -> Result<Vec<i64>, String> {
        fields[column - 1].trim().trim_end_matches(',').split(',').map(|text| number(text, what)).collect()
    };
    let (count, sizes, starts): (usize, _, _) =
        (number(fields[9], "number of blocks")?, list(11, "size of a block")?, list(12, "start of a block")?);
    if sizes.len() != count || starts.len() != count {
        return Err(format!("{count} blocks with {} sizes and {} starts", sizes.len(), starts.len()));
    }
    let whole = record.locus.start..record.locus.end;
    let mut last = 0;
    for (number, (size, start)) in sizes.into_iter().zip(starts).enumerate() {
        let end = start.checked_add(size).filter(|&end| size >= 0 && start >= last && end <= whole.end - whole.start);
        last = end.ok_or_else(|| {
            let number = number + 1;
            format!(
                "block {number} of {size} bases, {start} behind the start, leaves the interval or the order of blocks"
            )
        })?;
        record.blocks.push(whole.start + start..whole.start + last);
    }
    Ok(())
}

/// Writes intervals in the given columns, `.` (or −1, where a peak has none) for what is missing.
///
/// # Errors
/// [`IoError::Atomic`]; the file of that name, if there was one, is then untouched.
pub fn write_bed<'a>(
    path: &Path,
    records: impl IntoIterator<Item = &'a BedRecord>,
    layout: BedLayout,
) -> Result<(), IoError> {
    text::write(path, |out| {
        let mut line = String::new();
        for record in records {
            line.clear();
            // Writing to a string cannot fail.
            let _ = format_record(&mut line, record, layout);
            out.write_all(line.as_bytes())?;
        }
        Ok(())
    })
}

fn format_record(line: &mut String, record: &BedRecord, layout: BedLayout) -> std::fmt::Result {
    let Locus { contig, start, end, strand } = &record.locus;
    let columns = match layout {
        BedLayout::Bed(columns) => columns,
        BedLayout::NarrowPeak | BedLayout::BroadPeak => 6,
    };
    let value = |value: Option<f64>, missing: &str| value.map_or_else(|| missing.to_owned(), |value| value.to_string());
    write!(line, "{contig}\t{start}\t{end}")?;
    if columns > 3 {
        write!(line, "\t{}", record.name.as_deref().unwrap_or("."))?;
    }
    if columns > 4 {
        write!(line, "\t{}", value(record.score, "0"))?;
    }
    if columns > 5 {
        write!(line, "\t{}", if record.stranded { strand.sign() } else { '.' })?;
    }
    if layout == BedLayout::Bed(columns) {
        let thick = record.thick.clone().unwrap_or(*start..*start);
        let blocks =
            if record.blocks.is_empty() { std::iter::once(*start..*end).collect() } else { record.blocks.clone() };
        let list = |of: fn(&Range<i64>, i64) -> i64| {
            blocks.iter().map(|block| of(block, *start).to_string()).collect::<Vec<_>>().join(",")
        };
        let extra = [
            thick.start.to_string(),
            thick.end.to_string(),
            record.colour.clone().unwrap_or_else(|| "0".to_owned()),
            blocks.len().to_string(),
            list(|block, _| block.end - block.start),
            list(|block, start| block.start - start),
        ];
        for text in extra.iter().take(columns.saturating_sub(6)) {
            write!(line, "\t{text}")?;
        }
    } else {
        let (signal, p) = (value(record.signal, "0"), value(record.p_value, "-1"));
        write!(line, "\t{signal}\t{p}\t{}", value(record.q_value, "-1"))?;
        if layout == BedLayout::NarrowPeak {
            write!(line, "\t{}", record.peak.unwrap_or(-1))?;
        }
    }
    line.push('\n');
    Ok(())
}

/// Writes a signal: contig, start, end (0-based, half-open) and value of each stretch, as it comes.
///
/// # Errors
/// As [`write_bed`].
pub fn write_bedgraph<'a>(
    path: &Path,
    stretches: impl IntoIterator<Item = (&'a str, Range<i64>, f64)>,
) -> Result<(), IoError> {
    text::write(path, |out| {
        for (contig, Range { start, end }, value) in stretches {
            writeln!(out, "{contig}\t{start}\t{end}\t{value}")?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests;
