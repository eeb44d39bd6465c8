//! The files of `RxNorm`'s monthly release (National Library of Medicine, Rich Release Format): fields with bars behind each
//! of them, no heading. They are read line by line; the largest has some ten million.

use std::path::{Path, PathBuf};

use super::super::CodesError;
use super::super::read;

/// Places in `RXNCONSO.RRF`: concept, source, code in the source, name, whether it is out of use; and the number of fields.
const CONSO: [usize; 5] = [0, 11, 13, 14, 16];
const CONSO_FIELDS: usize = 18;
/// Places in `RXNSAT.RRF`: concept, name of the attribute, source, value, whether it is out of use.
const SAT: [usize; 5] = [0, 8, 9, 10, 11];
const SAT_FIELDS: usize = 13;
/// Places in `RXNREL.RRF`: first concept, second concept, relation of the second to the first, source, whether it is out of
/// use.
const REL: [usize; 5] = [0, 4, 7, 10, 14];
const REL_FIELDS: usize = 16;

/// Relations of a whole to a part, or of a brand to what it is a brand of.
const DOWN: [&str; 9] = [
    "consists_of",
    "contains",
    "form_of",
    "has_ingredient",
    "has_ingredients",
    "has_part",
    "has_precise_ingredient",
    "quantified_form_of",
    "tradename_of",
];

/// Whether a file is that of the release, perhaps compressed, in letters of either case.
pub(super) fn is_release(path: &Path, table: &str) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
    name.strip_suffix(".GZ").unwrap_or(&name) == format!("{table}.RRF")
}

/// Another file of the release in the folder of a file.
pub(super) fn beside(path: &Path, table: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(path.parent()?).ok()?;
    entries.flatten().map(|entry| entry.path()).find(|path| path.is_file() && is_release(path, table))
}

/// What becomes of the fields of a row.
type Row<'f> = dyn FnMut([&str; 5]) + 'f;

/// Hands the fields at `places` of every row that is in use to `each`; the last place says whether it is.
fn rows(path: &Path, places: [usize; 5], fields: usize, each: &mut Row<'_>) -> Result<(), CodesError> {
    read::each_line(path, &mut |index, line| {
        let mut found = [""; 5];
        let mut count = 0;
        for (place, field) in line.split('|').enumerate() {
            if let Some(wanted) = places.iter().position(|own| *own == place) {
                found[wanted] = field.trim();
            }
            count = place;
        }
        // a bar stands behind the last field too
        if count != fields {
            let problem = format!("{count} fields where {fields} are due; this is another table, or a line is cut");
            return Err(read::line(path, index, problem));
        }
        // E, O and Y are out of use; N is not, and in some rows nothing stands there
        if !matches!(found[4], "E" | "O" | "Y") {
            each(found);
        }
        Ok(())
    })
}

/// Hands concept, code and name of each row of ATC in `RXNCONSO.RRF` to `each`.
pub(super) fn classes(path: &Path, each: &mut dyn FnMut(&str, &str, &str)) -> Result<(), CodesError> {
    rows(path, CONSO, CONSO_FIELDS, &mut |[concept, source, code, name, _]| {
        if source == "ATC" {
            each(concept, code, name);
        }
    })
}

/// Hands NDC and concept of each package in `RXNSAT.RRF` to `each`. Other sources write theirs in forms of their own;
/// `RxNorm`'s have eleven digits.
pub(super) fn packages(path: &Path, each: &mut dyn FnMut(&str, &str)) -> Result<(), CodesError> {
    rows(path, SAT, SAT_FIELDS, &mut |[concept, attribute, source, value, _]| {
        if attribute == "NDC" && source == "RXNORM" {
            each(value, concept);
        }
    })
}

/// Hands each whole with a part of it in `RXNREL.RRF` to `each`.
pub(super) fn parts(path: &Path, each: &mut dyn FnMut(&str, &str)) -> Result<(), CodesError> {
    rows(path, REL, REL_FIELDS, &mut |[first, second, relation, source, _]| {
        if source == "RXNORM" && !first.is_empty() && !second.is_empty() && DOWN.contains(&relation) {
            each(second, first);
        }
    })
}
