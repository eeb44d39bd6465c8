//! Siemens mosaics: all slices of one volume as the tiles of one large picture.
//!
//! What DICOM's own tags say of such a picture is about the picture: the position is that of its corner, and nothing says
//! how many tiles there are. That is in the private header "CSA" (element 10 of group 0029), whose layout Siemens does not
//! publish; it is read here as nibabel documents it (`doc/source/dicom/siemens_csa.rst`), and the corner of the first
//! tile follows its `dicom_mosaic.rst`: a tile as large as the picture would have the same centre.

use std::collections::BTreeMap;

/// Fields of a header: real ones have about 100.
const MAX_FIELDS: u32 = 1024;

/// Items of a field: real ones have up to one for each slice.
const MAX_ITEMS: u32 = 65_536;

/// A header that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum MosaicError {
    /// The private header ends too early.
    #[error("the private header (0029,xx10) ends at byte {length}, inside {what} at byte {offset}")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where it begins.
        offset: usize,
        /// Bytes of the header.
        length: usize,
    },
    /// The private header counts more than it can hold.
    #[error("the private header (0029,xx10) counts {count} {what} at byte {offset}; at most {limit} are believed")]
    Count {
        /// What is counted.
        what: &'static str,
        /// The number.
        count: u32,
        /// Where it stands.
        offset: usize,
        /// The most that is believed.
        limit: u32,
    },
    /// The tiles do not fill the picture.
    #[error("{tiles} tiles make a grid of {grid} x {grid}, which does not divide {columns} columns and {rows} rows")]
    Layout {
        /// Number of slices.
        tiles: usize,
        /// Tiles in a row of the picture.
        grid: usize,
        /// Columns of the picture.
        columns: usize,
        /// Rows of the picture.
        rows: usize,
    },
}

/// What the private header says of a mosaic.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Private {
    /// Number of slices; `None` if the picture is no mosaic.
    pub(super) tiles: Option<usize>,
    /// Unit vector (LPS) along which the tiles follow each other.
    pub(super) normal: Option<[f64; 3]>,
}

/// How the tiles lie in the picture, row by row, and are placed in the patient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tiles {
    /// Number of slices.
    pub(super) count: usize,
    /// Tiles in a row of the picture.
    pub(super) grid: usize,
    /// Columns of a tile.
    pub(super) columns: usize,
    /// Rows of a tile.
    pub(super) rows: usize,
}

impl Tiles {
    /// The layout of `count` tiles in a picture: as many tiles in a row as there are rows of tiles.
    pub(super) fn new(count: usize, columns: usize, rows: usize) -> Result<Self, MosaicError> {
        let mut grid = 1_usize;
        while grid * grid < count && grid <= columns {
            grid += 1;
        }
        if count == 0 || grid > columns || grid > rows || !columns.is_multiple_of(grid) || !rows.is_multiple_of(grid) {
            return Err(MosaicError::Layout { tiles: count, grid, columns, rows });
        }
        Ok(Self { count, grid, columns: columns / grid, rows: rows / grid })
    }

    /// Centre of the first pixel of the first tile, where `corner` is that of the whole picture. `across` and `down` are
    /// the directions of the columns and rows, `spacing` their distances in mm.
    pub(super) fn corner(&self, corner: [f64; 3], across: [f64; 3], down: [f64; 3], spacing: [f64; 2]) -> [f64; 3] {
        let right = spacing[0] * (self.columns * (self.grid - 1)) as f64 / 2.0;
        let below = spacing[1] * (self.rows * (self.grid - 1)) as f64 / 2.0;
        [0, 1, 2].map(|axis| corner[axis] + right * across[axis] + below * down[axis])
    }

    /// Copies tile `index` out of the picture; `false` if the picture or the target has another size.
    pub(super) fn cut(&self, picture: &[f32], index: usize, target: &mut [f32]) -> bool {
        let tile = self.columns * self.rows;
        if picture.len() != self.grid * self.grid * tile || target.len() != tile || index >= self.count {
            return false;
        }
        let width = self.grid * self.columns;
        let (down, across) = (index / self.grid, index % self.grid);
        for (row, line) in target.chunks_exact_mut(self.columns).enumerate() {
            let start = (down * self.rows + row) * width + across * self.columns;
            line.copy_from_slice(&picture[start..start + self.columns]);
        }
        true
    }
}

/// Number and direction of the tiles, from the bytes of the private header. Headers that hold something else than fields
/// give nothing.
pub(super) fn private(bytes: &[u8]) -> Result<Private, MosaicError> {
    let fields = fields(bytes)?;
    let tiles = fields.get("NumberOfImagesInMosaic").and_then(|items| items.first()?.parse::<usize>().ok());
    let tiles = tiles.filter(|&count| count > 0);
    let normal = fields.get("SliceNormalVector").and_then(|items| {
        let values: Vec<f64> = items.iter().filter_map(|item| item.parse().ok()).collect();
        let vector: [f64; 3] = values.try_into().ok()?;
        let length = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
        ((length - 1.0).abs() < 1e-3).then(|| vector.map(|value| value / length))
    });
    Ok(Private { tiles, normal })
}

/// The fields of the header that have a value, by name.
fn fields(bytes: &[u8]) -> Result<BTreeMap<String, Vec<String>>, MosaicError> {
    let mut cursor = Cursor { bytes, at: 0 };
    // The second layout begins with its name and four bytes that mean nothing.
    let second = bytes.starts_with(b"SV10");
    if second {
        cursor.at = 8;
    }
    let at = cursor.at;
    let count = cursor.unsigned("the number of fields")?;
    let check = cursor.unsigned("the number of fields")?;
    // 77 marks the layout; other headers of this element have no fields.
    if !second && check != 77 {
        return Ok(BTreeMap::new());
    }
    if count > MAX_FIELDS {
        return Err(MosaicError::Count { what: "fields", count, offset: at, limit: MAX_FIELDS });
    }
    let mut found = BTreeMap::new();
    let mut first_items = 0;
    for index in 0..count {
        let name = text(cursor.take(64, "the name of a field")?);
        // Multiplicity, kind of value and its number: what counts is how many items have text.
        cursor.take(12, "a field")?;
        let at = cursor.at;
        let items = cursor.unsigned("a field")?;
        cursor.take(4, "a field")?;
        if items > MAX_ITEMS {
            return Err(MosaicError::Count { what: "items", count: items, offset: at, limit: MAX_ITEMS });
        }
        if index == 0 {
            first_items = items;
        }
        let mut values = Vec::new();
        for _ in 0..items {
            let lengths = [(); 4].map(|()| cursor.unsigned("an item"));
            let [first, length, _, _] = lengths;
            let (first, length) = (first?, length?);
            // The first layout hides the length behind the number of items of the very first field.
            let length = if second { length } else { first.saturating_sub(first_items) };
            let value = text(cursor.take(length as usize, "an item")?);
            // Items are filled up to whole words; the last one may not be.
            cursor.at = cursor.at.next_multiple_of(4).min(bytes.len());
            if !value.is_empty() {
                values.push(value);
            }
        }
        if !values.is_empty() {
            found.insert(name, values);
        }
    }
    Ok(found)
}

/// A place in the header.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], MosaicError> {
        let end = self.at.checked_add(length).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or(MosaicError::Truncated { what, offset: self.at, length: self.bytes.len() })?;
        let piece = &self.bytes[self.at..end];
        self.at = end;
        Ok(piece)
    }

    fn unsigned(&mut self, what: &'static str) -> Result<u32, MosaicError> {
        let mut word = [0; 4];
        word.copy_from_slice(self.take(4, what)?);
        Ok(u32::from_le_bytes(word))
    }
}

/// The text before the first zero byte.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim().to_owned()
}

#[cfg(test)]
pub(super) mod tests;
