//! Starts of genes with features of their messengers and their expression.

use std::collections::BTreeMap;
use std::path::Path;

use nn_core::data::group_ids;

use super::TableColumns;
use super::rows::{Rows, column, missing, required_column};
use crate::genes::GeneTable;
use crate::genome::Genome;
use crate::io::text::{Contigs, number};
use crate::io::{IoError, on_genome};
use crate::locus::{Locus, Strand};

/// What the level of a gene is called where its column does not say.
const LEVEL: &str = "expression";
/// What the column of the level is usually called.
const LEVELS: [&str; 4] = [LEVEL, "level", "label", "target"];

/// Reads genes from a table with a heading: `gene`, `contig` (or `chrom`), `tss` (the first transcribed base, from 1),
/// `strand` (`+` or `-`), and the level, which is `expression`, `level`, `label` or `target`, or the column that
/// `columns` names; it may be empty, `.` or `NA` where it is not known, and the column may be missing. The group that
/// `columns` names is the gene's family. All other columns are features. Starts lie on the genome, where one is given.
///
/// # Errors
/// [`IoError`] if the file cannot be read, has no row, or lacks a column, and for the first line that cannot be used.
pub fn genes(path: &Path, columns: &TableColumns, genome: Option<&Genome>) -> Result<GeneTable, IoError> {
    let empty = || IoError::Empty { path: path.to_path_buf(), what: "rows" };
    let mut rows = Rows::open(path, None)?;
    let header = rows.advance()?.ok_or_else(empty)?;
    let required = |named: Option<&str>, usual: &[&str]| required_column(path, &header, named, usual);
    let name = required(columns.name.as_deref(), &["gene", "name", "id"])?;
    let contig = required(None, &["contig", "chrom", "chromosome", "chr"])?;
    let (start, strand) = (required(None, &["tss", "start"])?, required(None, &["strand"])?);
    let levels: Vec<usize> = if columns.labels.is_empty() {
        column(&header, None, &LEVELS).into_iter().collect()
    } else {
        columns.labels.iter().map(|name| required(Some(name.as_str()), &[])).collect::<Result<_, _>>()?
    };
    let family = columns.group.as_deref().map(|name| required(Some(name), &[])).transpose()?;
    let used = |place: &usize| [name, contig, start, strand].contains(place) || Some(*place) == family;
    let features: Vec<usize> = (0..header.len()).filter(|place| !used(place) && !levels.contains(place)).collect();
    let called = |places: &[usize]| places.iter().map(|&place| header[place].clone()).collect::<Vec<String>>();
    let mut table = GeneTable { features: called(&features), tasks: called(&levels), ..GeneTable::default() };
    if levels.is_empty() {
        table.tasks.push(LEVEL.to_owned());
    }
    let (mut contigs, mut families) = (Contigs::default(), Vec::new());
    while let Some(row) = rows.advance()? {
        let problem = |problem: String| rows.problem(problem);
        let at: i64 = number(&row[start], "tss").map_err(problem)?;
        let strand = match row[strand].as_str() {
            "+" | "1" => Strand::Forward,
            "-" | "-1" => Strand::Reverse,
            other => return Err(problem(format!("strand {other:?}; + or - is due"))),
        };
        if at < 1 {
            return Err(problem(format!("tss {at}; positions count from 1")));
        }
        let locus = Locus::from_one_based(contigs.get(&row[contig]), at, at);
        let locus = locus.map_err(|error| problem(error.to_string()))?.on(strand);
        on_genome(genome, &locus).map_err(problem)?;
        let finite = |place: usize| -> Result<f32, String> {
            let value: f32 = number(&row[place], &header[place])?;
            if value.is_finite() {
                Ok(value)
            } else {
                Err(format!("{} is {value}, which is not finite", header[place]))
            }
        };
        for &place in &features {
            table.values.push(finite(place).map_err(problem)?);
        }
        for &place in &levels {
            table.levels.push(if missing(&row[place]) { f32::NAN } else { finite(place).map_err(problem)? });
        }
        if levels.is_empty() {
            table.levels.push(f32::NAN);
        }
        table.names.push(row[name].clone());
        table.starts.push(locus);
        families.extend(family.map(|place| row[place].clone()));
    }
    table.families = family.map(|_| group_ids(families));
    if table.is_empty() { Err(empty()) } else { Ok(table) }
}

/// Reads the level of each gene, or its label, from a table with a heading: the columns of [`genes()`] without their
/// places, under the same names. A level that is not known is not a number.
///
/// # Errors
/// [`IoError`] if the file cannot be read, has no row, lacks a column, or has a gene twice, and for the first line that
/// cannot be used.
pub fn gene_levels(path: &Path, columns: &TableColumns) -> Result<BTreeMap<String, f32>, IoError> {
    let empty = || IoError::Empty { path: path.to_path_buf(), what: "rows" };
    let mut rows = Rows::open(path, None)?;
    let header = rows.advance()?.ok_or_else(empty)?;
    let required = |named: Option<&str>, usual: &[&str]| required_column(path, &header, named, usual);
    let name = required(columns.name.as_deref(), &["gene", "name", "id"])?;
    let level = required(columns.labels.first().map(String::as_str), &LEVELS)?;
    let mut found = BTreeMap::new();
    while let Some(row) = rows.advance()? {
        let value = if missing(&row[level]) {
            f32::NAN
        } else {
            number(&row[level], &header[level]).map_err(|e| rows.problem(e))?
        };
        if value.is_infinite() {
            return Err(rows.problem(format!("{} is {value}, which is not finite", header[level])));
        }
        if found.insert(row[name].clone(), value).is_some() {
            return Err(rows.problem(format!("gene {} comes twice", row[name])));
        }
    }
    if found.is_empty() { Err(empty()) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(text: &str, columns: &TableColumns, genome: Option<&Genome>) -> Result<GeneTable, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("genes.tsv");
        fs::write(&path, text).unwrap();
        genes(&path, columns, genome).map_err(|error| error.to_string())
    }

    const HEAD: &str = "gene\tchrom\ttss\tstrand\tUTR5LEN\tGC\texpression\n";

    #[test]
    fn features_are_what_is_left() {
        let usual = TableColumns::default();
        let table =
            read(&format!("{HEAD}a\tchr1\t10\t+\t120\t0.5\t3\nb\tchr1\t20\t-\t80\t0.25\tNA\n"), &usual, None).unwrap();
        assert_eq!((table.features.as_slice(), table.values.len()), (&["UTR5LEN".to_owned(), "GC".to_owned()][..], 4));
        assert_eq!(table.starts[1], Locus::new("chr1", 19, 20).unwrap().on(Strand::Reverse));
        assert!(table.levels[0] == 3.0 && table.levels[1].is_nan());
        table.check().unwrap();
        let named = TableColumns { labels: vec!["GC".to_owned()], group: Some("UTR5LEN".to_owned()), ..usual.clone() };
        let table =
            read(&format!("{HEAD}a\tchr1\t10\t+\tx\t0.5\t3\nb\tchr1\t20\t-\ty\t0.25\t1\n"), &named, None).unwrap();
        assert_eq!((table.tasks[0].as_str(), table.features[0].as_str()), ("GC", "expression"));
        assert_eq!(table.families, Some(vec![0, 1]));
        // to be predicted, a gene needs no level
        let table = read("gene,contig,tss,strand\na,chr1,5,+\n", &usual, None).unwrap();
        assert!(table.tasks == [LEVEL] && table.levels[0].is_nan() && table.features.is_empty());
    }

    #[test]
    fn lines_that_cannot_be_used_are_named() {
        let genome = Genome::from_contigs([("chr1".to_owned(), b"A".repeat(30))]).unwrap();
        for (row, expected) in [
            ("a\tchr1\t10\t+\t120\t0.5\n", "genes.tsv, line 2: 6 columns where line 1 has 7"),
            ("a\tchr1\t10\t*\t120\t0.5\t3\n", "line 2: strand \"*\"; + or - is due"),
            ("a\tchr1\t0\t+\t120\t0.5\t3\n", "line 2: tss 0; positions count from 1"),
            ("a\tchr1\t31\t+\t120\t0.5\t3\n", "line 2: chr1:31-31(+) leaves its contig, which has bases 1 to 30"),
            ("a\tchr1\t10\t+\tlong\t0.5\t3\n", "line 2: UTR5LEN \"long\" is no number that fits there"),
            ("a\tchr1\t10\t+\tinf\t0.5\t3\n", "line 2: UTR5LEN is inf, which is not finite"),
            ("", "genes.tsv has no rows"),
        ] {
            let error = read(&format!("{HEAD}{row}"), &TableColumns::default(), Some(&genome)).unwrap_err();
            assert!(error.ends_with(expected), "{error}");
        }
        let error = read("gene\tchrom\tstrand\n", &TableColumns::default(), None).unwrap_err();
        assert!(error.contains("has no column tss or start; it has: gene, chrom, strand"), "{error}");
    }

    #[test]
    fn levels_come_without_places() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("levels.tsv");
        let read = |text: &str, columns: &TableColumns| {
            fs::write(&path, text).unwrap();
            gene_levels(&path, columns).map_err(|error| error.to_string())
        };
        let usual = TableColumns::default();
        let found = read("gene\tTPM\texpression\na\t1\t2.5\nb\t2\tNA\n", &usual).unwrap();
        assert!(found["a"] == 2.5 && found["b"].is_nan());
        let named = TableColumns { labels: vec!["TPM".to_owned()], ..usual.clone() };
        assert_eq!(read("gene\tTPM\texpression\na\t1\t2.5\n", &named).unwrap()["a"], 1.0);
        for (text, expected) in [
            ("gene\tTPM\na\t1\n", "has no column expression or level or label or target; it has: gene, TPM"),
            ("gene,level\na,1\na,2\n", "line 3: gene a comes twice"),
            ("gene,level\na,high\n", "line 2: level \"high\" is no number that fits there"),
            ("gene,level\na,inf\n", "line 2: level is inf, which is not finite"),
            ("gene,level\n", "levels.tsv has no rows"),
        ] {
            let error = read(text, &usual).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
