//! Tables of pairs of places: an enhancer, a promoter, and whether they interact.

use std::collections::HashMap;
use std::path::Path;

use super::text::{Contigs, Lines, number};
use super::{IoError, on_genome};
use crate::genome::Genome;
use crate::interactions::{InteractionTable, Pair};
use crate::locus::Locus;

/// Columns of the two elements.
const COLUMNS: [&str; 6] =
    ["enhancer_chrom", "enhancer_start", "enhancer_end", "promoter_chrom", "promoter_start", "promoter_end"];
/// Column of what is known of the pair.
const LABEL: &str = "label";

/// Reads pairs as `TargetFinder` (Whalen, Truty and Pollard 2016, Nature Genetics 48:488) has them in its `pairs.csv`:
/// columns `enhancer_chrom`, `enhancer_start`, `enhancer_end` (0-based, half-open), the same for `promoter`, and
/// `label` (0 or 1), with commas or tabs between them; other columns are passed over. An element that occurs in several
/// pairs is kept once, and lies on a contig of the genome, where one is given.
///
/// # Errors
/// [`IoError`] if the file cannot be read, has no row, or lacks a column, and for the first line that cannot be used.
pub fn interactions(path: &Path, genome: Option<&Genome>) -> Result<InteractionTable, IoError> {
    pairs(path, genome, true)
}

/// As [`interactions`], for pairs that are to be predicted: without a column `label` none of them interacts.
///
/// # Errors
/// As [`interactions`].
pub fn unlabelled_interactions(path: &Path, genome: Option<&Genome>) -> Result<InteractionTable, IoError> {
    pairs(path, genome, false)
}

fn pairs(path: &Path, genome: Option<&Genome>, labelled: bool) -> Result<InteractionTable, IoError> {
    let empty = || IoError::Empty { path: path.to_path_buf(), what: "rows" };
    let mut lines = Lines::open(path)?;
    let header = lines.text()?.ok_or_else(empty)?.to_owned();
    let delimiter = if header.contains('\t') { b'\t' } else { b',' };
    let header = fields(&header, delimiter).map_err(|problem| lines.problem(problem))?;
    let column = |wanted: &str| header.iter().position(|name| name.trim().eq_ignore_ascii_case(wanted));
    let missing = |wanted: &str| {
        let (wanted, found) = (wanted.to_owned(), header.join(", "));
        IoError::Column { path: path.to_path_buf(), wanted, found }
    };
    let mut places = [0; COLUMNS.len()];
    for (place, wanted) in places.iter_mut().zip(COLUMNS) {
        *place = column(wanted).ok_or_else(|| missing(wanted))?;
    }
    let label = column(LABEL);
    if label.is_none() && labelled {
        return Err(missing(LABEL));
    }
    let (mut table, mut contigs) = (InteractionTable::default(), Contigs::default());
    let (mut enhancers, mut promoters) = (HashMap::new(), HashMap::new());
    while let Some(line) = lines.text()? {
        if line.trim().is_empty() {
            continue;
        }
        let row = fields(line, delimiter).and_then(|row| {
            if row.len() == header.len() {
                return Ok(row);
            }
            Err(format!("{} columns where the heading has {}", row.len(), header.len()))
        });
        let pair = row.and_then(|row| {
            let value = |column: usize| row[places[column]].trim();
            let mut locus = |first: usize| {
                let (start, end): (i64, i64) =
                    (number(value(first + 1), COLUMNS[first + 1])?, number(value(first + 2), COLUMNS[first + 2])?);
                let locus = Locus::new(contigs.get(value(first)), start, end).map_err(|error| error.to_string())?;
                on_genome(genome, &locus)?;
                Ok::<Locus, String>(locus)
            };
            let (enhancer, promoter) = (locus(0)?, locus(3)?);
            let interacts = match label.map(|column: usize| row[column].trim()) {
                None | Some("0" | "0.0") => false,
                Some("1" | "1.0") => true,
                Some(other) => return Err(format!("label {other:?}; 0 or 1 is due")),
            };
            Ok(Pair {
                enhancer: place_of(enhancer, &mut table.enhancers, &mut enhancers),
                promoter: place_of(promoter, &mut table.promoters, &mut promoters),
                interacts,
            })
        });
        table.pairs.push(pair.map_err(|problem| lines.problem(problem))?);
    }
    if table.is_empty() { Err(empty()) } else { Ok(table) }
}

/// Where an element stands in the list, behind whose end it is put when it is new.
fn place_of(locus: Locus, list: &mut Vec<Locus>, known: &mut HashMap<Locus, u32>) -> u32 {
    let next = list.len() as u32;
    *known.entry(locus).or_insert_with_key(|locus| {
        list.push(locus.clone());
        next
    })
}

/// The fields of a line; one may stand in double quotes (RFC 4180).
fn fields(line: &str, delimiter: u8) -> Result<Vec<String>, String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter)
        .buffer_capacity(256)
        .from_reader(line.as_bytes());
    let record = reader.records().next().transpose().map_err(|error| error.to_string())?;
    Ok(record.map(|record| record.iter().map(str::to_owned).collect()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const HEADER: &str =
        "bin,enhancer_chrom,enhancer_start,enhancer_end,label,promoter_chrom,promoter_end,promoter_start,enhancer_name";

    fn read(text: &str) -> Result<InteractionTable, IoError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.csv");
        fs::write(&path, text).unwrap();
        interactions(&path, None)
    }

    #[test]
    fn elements_of_several_pairs_are_kept_once() {
        let text = format!(
            "{HEADER}\r\n1,chr1,100,200,1,chr1,950,900,\"K562|chr1:100-200, a\"\r\n2,chr1,100,200,0,chr2,60,50,x\n\n\
             3,chr1,300,310,0,chr1,950,900,y\n"
        );
        let table = read(&text).unwrap();
        assert_eq!((table.enhancers.len(), table.promoters.len(), table.len()), (2, 2, 3));
        assert_eq!(table.enhancers[1].to_string(), "chr1:301-310(+)");
        assert_eq!(table.promoters[0], Locus::new("chr1", 900, 950).unwrap());
        let pairs: Vec<(u32, u32, bool)> =
            table.pairs.iter().map(|pair| (pair.enhancer, pair.promoter, pair.interacts)).collect();
        assert_eq!(pairs, [(0, 0, true), (0, 1, false), (1, 0, false)]);
        // the first two share an enhancer, the first and the third a promoter
        assert_eq!(table.groups(), [0, 0, 0]);
        table.check().unwrap();
        let tabs = read(&text.replace(", a", "").replace(',', "\t")).unwrap();
        assert_eq!(tabs, table);
    }

    #[test]
    fn lines_that_cannot_be_used_are_named() {
        let message = |line: &str| read(&format!("{HEADER}\n{line}\n")).unwrap_err().to_string();
        assert!(message("1,chr1,100,200,2,chr1,950,900,x").ends_with("line 2: label \"2\"; 0 or 1 is due"));
        assert!(message("1,chr1,100,200,1,chr1,950").ends_with("line 2: 7 columns where the heading has 9"));
        assert!(message("1,chr1,a,200,1,chr1,950,900,x").contains("line 2: enhancer_start \"a\" is no number"));
        assert!(message("1,chr1,300,200,1,chr1,950,900,x").contains("the end 200 lies before the start 300"));
        // elements lie on the genome, if there is one
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.csv");
        fs::write(&path, format!("{HEADER}\n1,chr1,100,200,1,chr1,950,900,x\n")).unwrap();
        let on = |contig: &str, bases: usize| {
            let genome = Genome::from_contigs([(contig.to_owned(), b"A".repeat(bases))]).unwrap();
            interactions(&path, Some(&genome)).map(|table| table.len()).map_err(|error| error.to_string())
        };
        assert_eq!(on("1", 950), Ok(1));
        let past = "line 2: chr1:901-950(+) leaves its contig, which has bases 1 to 949";
        assert!(on("chr1", 949).unwrap_err().ends_with(past), "{:?}", on("chr1", 949));
        assert!(on("chrX", 950).unwrap_err().ends_with("line 2: the genome has no contig chr1"));
        // pairs that are to be predicted need no label
        fs::write(
            &path,
            "enhancer_chrom,enhancer_start,enhancer_end,promoter_chrom,promoter_start,promoter_end\n1,0,5,1,7,9\n",
        )
        .unwrap();
        assert!(!unlabelled_interactions(&path, None).unwrap().pairs[0].interacts);
        assert!(
            interactions(&path, None).unwrap_err().to_string().contains("has no column label; it has: enhancer_chrom")
        );
        assert!(read("a,b\n").unwrap_err().to_string().contains("has no column enhancer_chrom; it has: a, b"));
        assert!(read("").unwrap_err().to_string().ends_with("pairs.csv has no rows"));
        assert!(read(&format!("{HEADER}\n")).unwrap_err().to_string().ends_with("pairs.csv has no rows"));
    }
}
