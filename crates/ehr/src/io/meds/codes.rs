//! What the codes mean: `metadata/codes.parquet`.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use ::arrow::array::{Array, ArrayRef, AsArray, ListBuilder, StringBuilder};

use super::{METADATA, Notices, schema, store};
use crate::codebook::Codebook;
use crate::io::{IoError, Notice};

pub(super) const FILE: &str = "codes.parquet";

/// Reads a table of codes, and adds its descriptions and parents to a book; codes that are new are added to it too.
///
/// # Errors
/// [`IoError`] if the file cannot be read or put right.
pub fn read_codes(file: &Path, codebook: &mut Codebook) -> Result<Vec<Notice>, IoError> {
    let mut notices = Notices::default();
    read_into(file, codebook, &mut notices)?;
    Ok(notices.finish())
}

/// As [`read_codes`]; returns the codes that the table has.
pub(super) fn read_into(
    file: &Path,
    codebook: &mut Codebook,
    notices: &mut Notices,
) -> Result<HashSet<String>, IoError> {
    let (mut listed, mut nameless) = (HashSet::new(), 0);
    store::read(file, schema::codes(), notices, |_, columns| {
        let [codes, descriptions, parents] = columns else { return Ok(()) };
        let (codes, descriptions) = (codes.as_string::<i32>(), descriptions.as_string::<i32>());
        let parents = parents.as_list::<i32>();
        for row in 0..codes.len() {
            if codes.is_null(row) || codes.value(row).is_empty() {
                nameless += 1;
                continue;
            }
            let description = descriptions.is_valid(row).then(|| descriptions.value(row));
            let mut above = Vec::new();
            if parents.is_valid(row) {
                above.extend(parents.value(row).as_string::<i32>().iter().flatten().map(str::to_owned));
            }
            let code = codebook.intern(codes.value(row));
            codebook.describe(code, description, &above);
            listed.insert(codes.value(row).to_owned());
        }
        Ok(())
    })?;
    if nameless > 0 {
        notices.add(file, format!("{nameless} rows without a code are left out"));
    }
    Ok(listed)
}

/// Writes every code of a book to `metadata/codes.parquet` of a data set.
///
/// # Errors
/// [`IoError`] if it cannot be written.
pub fn write_codes(folder: &Path, codebook: &Codebook) -> Result<(), IoError> {
    let (mut codes, mut descriptions) = (StringBuilder::new(), StringBuilder::new());
    let mut parents = ListBuilder::new(StringBuilder::new());
    for (code, name) in codebook.iter() {
        codes.append_value(name);
        descriptions.append_option(codebook.description(code));
        let above = codebook.parents(code);
        above.iter().for_each(|parent| parents.values().append_value(parent));
        parents.append(!above.is_empty());
    }
    let mut columns: Option<Vec<ArrayRef>> =
        Some(vec![Arc::new(codes.finish()), Arc::new(descriptions.finish()), Arc::new(parents.finish())]);
    store::write(&folder.join(METADATA).join(FILE), &schema::codes().schema, || columns.take())
}
