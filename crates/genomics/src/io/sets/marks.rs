//! Numbers along the genome that come as tables: histone marks in bins, intervals.

use std::path::Path;

use super::rows::{Rows, column, missing, required_column};
use crate::dataset::MarkSet;
use crate::io::text::{Contigs, number};
use crate::io::{BedRecord, IoError};
use crate::locus::{Locus, Strand};

/// The marks of `DeepChrome`'s files, columns 3 to 7 (README of `QData/AttentiveChrome`).
const MARKS: [&str; 5] = ["H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3"];

/// Reads `DeepChrome`'s format (Singh et al. 2016, Bioinformatics 32:i639): a line for each bin of each gene with the
/// gene, the number of the bin from 1, a count for each mark, and the gene's label. Files with other than five marks
/// are read, too; their marks are called by their number.
///
/// # Errors
/// [`IoError`] if the file cannot be read or has no row, and for the first line that cannot be used or is out of order.
pub fn deepchrome(path: &Path) -> Result<MarkSet, IoError> {
    let mut rows = Rows::open(path, None)?;
    let mut set = MarkSet::default();
    // The bins of the gene that is read, bin after bin.
    let mut bins: Vec<Vec<f32>> = Vec::new();
    while let Some(row) = rows.advance()? {
        let problem = |problem: String| rows.problem(problem);
        let marks = row.len().saturating_sub(3);
        if marks == 0 {
            return Err(problem(format!("{} columns where gene, bin, marks and label are due", row.len())));
        }
        let bin: usize = number(&row[1], "bin").map_err(problem)?;
        let label: f32 = number(&row[marks + 2], "label").map_err(problem)?;
        let counts: Vec<f32> =
            row[2..marks + 2].iter().map(|text| number(text, "count")).collect::<Result<_, _>>().map_err(problem)?;
        if !counts.iter().all(|count| count.is_finite()) || !(label == 0.0 || label == 1.0) {
            return Err(problem(format!("label {label} or a count is not what it should be: 0 or 1, finite")));
        }
        if bin == 1 {
            close(&mut set, &mut bins).map_err(problem)?;
            set.genes.push(row[0].clone());
            set.labels.push(label);
        } else if bin != bins.len() + 1 {
            let next = if bins.is_empty() { String::new() } else { format!("{} or ", bins.len() + 1) };
            return Err(problem(format!("bin {bin} where bin {next}1 is due")));
        } else if set.genes.last() != Some(&row[0]) || set.labels.last() != Some(&label) {
            return Err(problem(format!("bin {bin} is of another gene or label than bin 1")));
        }
        bins.push(counts);
    }
    if set.genes.is_empty() {
        return Err(IoError::Empty { path: path.to_path_buf(), what: "rows" });
    }
    close(&mut set, &mut bins).map_err(|problem| rows.problem(problem))?;
    let marks = set.values.len() / (set.bins * set.len());
    set.marks = match marks {
        5 => MARKS.map(str::to_owned).to_vec(),
        marks => (1..=marks).map(|mark| format!("mark {mark}")).collect(),
    };
    Ok(set)
}

/// Puts the bins of a gene into the set, mark after mark.
fn close(set: &mut MarkSet, bins: &mut Vec<Vec<f32>>) -> Result<(), String> {
    let Some(gene) = set.genes.last() else { return Ok(()) };
    if set.bins == 0 {
        set.bins = bins.len();
    } else if set.bins != bins.len() {
        return Err(format!("gene {gene} before it has {} bins, the first has {}", bins.len(), set.bins));
    }
    for mark in 0..bins.first().map_or(0, Vec::len) {
        set.values.extend(bins.iter().map(|counts| counts[mark]));
    }
    bins.clear();
    Ok(())
}

/// Reads intervals from a table with a heading, as Genomic Benchmarks has them (Gresova et al. 2023, BMC Genomic Data
/// 24:25): `id`, `region` (or `chrom`), `start`, `end` (0-based, half-open), and `strand`, which may be missing.
///
/// # Errors
/// [`IoError`] if the file cannot be read, has no row, or lacks a column, and for the first line that cannot be used.
pub fn intervals(path: &Path) -> Result<Vec<BedRecord>, IoError> {
    let empty = || IoError::Empty { path: path.to_path_buf(), what: "rows" };
    let mut rows = Rows::open(path, None)?;
    let header = rows.advance()?.ok_or_else(empty)?;
    let place = |usual: &[&str]| required_column(path, &header, None, usual);
    let contig = place(&["region", "chrom", "chromosome", "contig", "chr"])?;
    let (start, end) = (place(&["start"])?, place(&["end", "stop"])?);
    let (name, strand) = (column(&header, None, &["id", "name"]), column(&header, None, &["strand"]));
    let (mut records, mut contigs) = (Vec::new(), Contigs::default());
    while let Some(row) = rows.advance()? {
        let problem = |problem: String| rows.problem(problem);
        let first: i64 = number(&row[start], "start").map_err(problem)?;
        let last: i64 = number(&row[end], "end").map_err(problem)?;
        if first < 0 {
            return Err(problem(format!("start {first} is negative; positions count from 0")));
        }
        let locus = Locus::new(contigs.get(&row[contig]), first, last).map_err(|error| problem(error.to_string()))?;
        let mut record = BedRecord::new(locus);
        record.name = name.map(|place| row[place].clone()).filter(|text| !missing(text));
        match strand.map(|place| row[place].as_str()).filter(|text| !missing(text)) {
            None => {}
            Some("+") => record.stranded = true,
            Some("-") => (record.stranded, record.locus.strand) = (true, Strand::Reverse),
            Some(other) => return Err(problem(format!("strand {other:?}; + or - or nothing are due"))),
        }
        records.push(record);
    }
    if records.is_empty() { Err(empty()) } else { Ok(records) }
}
