//! Methylated sites of single cells: one table for each cell, or one for all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::rows::{Rows, missing};
use crate::genome::Genome;
use crate::io::text::{Contigs, number};
use crate::io::{IoError, on_genome};
use crate::locus::Locus;

/// Reads `DeepCpG`'s sites (Angermueller et al. 2017, Genome Biology 18:67): contig, position from 1, and methylation
/// from 0 to 1, of one cell. Sites lie on the genome, where one is given.
///
/// # Errors
/// [`IoError`] if the file cannot be read or has no row, and for the first line that cannot be used.
pub fn methylation(path: &Path, genome: Option<&Genome>) -> Result<Vec<(Locus, f32)>, IoError> {
    let mut rows = Rows::open(path, None)?;
    let (mut sites, mut contigs) = (Vec::new(), Contigs::default());
    while let Some(row) = rows.advance()? {
        let site = match row.as_slice() {
            [contig, position, state] => {
                place(contigs.get(contig), position, genome).and_then(|locus| Ok((locus, share(state, "methylation")?)))
            }
            other => Err(format!("{} columns where contig, position and methylation are due", other.len())),
        };
        sites.push(site.map_err(|problem| rows.problem(problem))?);
    }
    if sites.is_empty() { Err(IoError::Empty { path: path.to_path_buf(), what: "rows" }) } else { Ok(sites) }
}

/// The cytosine at a position that counts from 1.
fn place(contig: Arc<str>, position: &str, genome: Option<&Genome>) -> Result<Locus, String> {
    let position: i64 = number(position, "position")?;
    if position < 1 {
        return Err(format!("position {position}; positions count from 1"));
    }
    let locus = Locus::from_one_based(contig, position, position).map_err(|error| error.to_string())?;
    on_genome(genome, &locus)?;
    Ok(locus)
}

/// A share of methylated reads.
fn share(text: &str, column: &str) -> Result<f32, String> {
    let state: f32 = number(text, column)?;
    if (0.0..=1.0).contains(&state) { Ok(state) } else { Err(format!("{column} {text}; 0 to 1 is due")) }
}

/// The calls of one cell.
type Cell = (String, Vec<(Locus, f32)>);

/// Reads the sites of several cells, for
/// [`MethylationTable::from_cells`](crate::methylation::MethylationTable::from_cells): a folder with a file for each
/// cell as [`methylation`] reads it, called by its name without endings; one such file; or a table with a heading of
/// contig, position and the names of the cells, in which a cell without a call has nothing, `.` or `NA`. Cells of a
/// folder are in the order of their names. The files that were read come second.
///
/// # Errors
/// [`IoError`] if a file cannot be read or has no row, and for the first line that cannot be used.
pub fn methylation_cells(path: &Path, genome: Option<&Genome>) -> Result<(Vec<Cell>, Vec<PathBuf>), IoError> {
    if path.is_dir() {
        let cannot_open = |cause| IoError::Open { path: path.to_path_buf(), cause };
        let entries = std::fs::read_dir(path).map_err(cannot_open)?;
        let mut files = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<PathBuf>, std::io::Error>>()
            .map_err(cannot_open)?;
        files.retain(|file| file.is_file() && !called(file).starts_with('.'));
        files.sort();
        if files.is_empty() {
            return Err(IoError::Empty { path: path.to_path_buf(), what: "files of cells" });
        }
        let cells = files.iter().map(|file| Ok((called(file), methylation(file, genome)?)));
        return Ok((cells.collect::<Result<_, IoError>>()?, files));
    }
    let files = vec![path.to_path_buf()];
    let mut rows = Rows::open(path, None)?;
    let empty = || IoError::Empty { path: path.to_path_buf(), what: "rows" };
    let header = rows.advance()?.ok_or_else(empty)?;
    if header.get(1).is_some_and(|text| text.parse::<i64>().is_ok()) {
        return Ok((vec![(called(path), methylation(path, genome)?)], files));
    }
    if header.len() < 3 {
        let found = header.join(", ");
        let wanted = "contig, position and a column for each cell".to_owned();
        return Err(IoError::Column { path: path.to_path_buf(), wanted, found });
    }
    let mut cells: Vec<Cell> = header[2..].iter().map(|name| (name.clone(), Vec::new())).collect();
    let mut contigs = Contigs::default();
    let mut any = false;
    while let Some(row) = rows.advance()? {
        let problem = |problem: String| rows.problem(problem);
        let locus = place(contigs.get(&row[0]), &row[1], genome).map_err(problem)?;
        for ((name, calls), text) in cells.iter_mut().zip(&row[2..]).filter(|(_, text)| !missing(text)) {
            calls.push((locus.clone(), share(text, name).map_err(problem)?));
        }
        any = true;
    }
    if any { Ok((cells, files)) } else { Err(empty()) }
}

/// The name of a file without its endings.
fn called(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match name.split_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem.to_owned(),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(text: &str, genome: Option<&Genome>) -> Result<Vec<Cell>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cells.tsv");
        fs::write(&path, text).unwrap();
        methylation_cells(&path, genome).map(|(cells, _)| cells).map_err(|error| error.to_string())
    }

    #[test]
    fn a_folder_of_cells_is_the_same_as_a_table() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b.bed"), "chr1\t7\t0.5\n").unwrap();
        fs::write(folder.path().join("a.tsv"), "chr1\t5\t1\nchr1\t7\t0\n").unwrap();
        fs::write(folder.path().join(".hidden"), "not a table").unwrap();
        let (cells, files) = methylation_cells(folder.path(), None).unwrap();
        assert_eq!(files.len(), 2);
        assert_eq!(cells.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(cells[0].1[0], (Locus::new("chr1", 4, 5).unwrap(), 1.0));
        let table = read("contig\tposition\ta\tb\nchr1\t5\t1\t.\nchr1\t7\t0\t0.5\n", None).unwrap();
        assert_eq!(table, cells);
        let one = read("chr1 5 1\nchr1 7 0\n", None).unwrap();
        assert_eq!((one[0].0.as_str(), &one[0].1), ("cells", &cells[0].1));
    }

    #[test]
    fn lines_that_cannot_be_used_are_named() {
        let genome = Genome::from_contigs([("chr1".to_owned(), b"ACGTAC".to_vec())]).unwrap();
        let head = "contig\tposition\ta\tb\n";
        for (row, genome, expected) in [
            ("chr1\t5\t1\n", None, "cells.tsv, line 2: 3 columns where line 1 has 4"),
            ("chr1\t5\t2\t0\n", None, "line 2: a 2; 0 to 1 is due"),
            ("chr1\t0\t1\t0\n", None, "line 2: position 0; positions count from 1"),
            ("chr1\tx\t1\t0\n", None, "line 2: position \"x\" is no number that fits there"),
            (
                "chr1\t5\t1\t0\nchr1\t7\t1\t0\n",
                Some(&genome),
                "line 3: chr1:7-7(+) leaves its contig, which has bases 1 to 6",
            ),
            ("chr2\t5\t1\t0\n", Some(&genome), "line 2: the genome has no contig chr2"),
            ("", None, "cells.tsv has no rows"),
        ] {
            let error = read(&format!("{head}{row}"), genome).unwrap_err();
            assert!(error.ends_with(expected), "{error}");
        }
        assert!(read("contig\tposition\n", None).unwrap_err().contains("has no column contig, position and a column"));
        assert!(read("", None).unwrap_err().ends_with("has no rows"));
    }
}
