//! The action table: what the basic application level confidentiality profile of PS3.15 (annex E, table E.1-1, edition
//! 2026c) does to each attribute.
//!
//! The standard leaves some choices to who knows the type of the attribute in each object (PS3.15, E.1): `Z/D` is
//! "empty, unless it must hold something". Here the choice is always the one that keeps the object valid.

use std::sync::LazyLock;

use serde::Serialize;

const TEXT: &str = include_str!("basic_profile.tsv");

static TABLE: LazyLock<Vec<Entry>> = LazyLock::new(|| TEXT.lines().filter_map(entry).collect());

/// What is done to an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Action {
    /// It is removed (`X`).
    Remove,
    /// Its value is removed (`Z`, and `X/Z`, which may only go where it need not be).
    Empty,
    /// Its value becomes another that says nothing (`D`, `Z/D`, `X/D`, `X/Z/D`).
    Replace,
    /// It gets the UID that stands for it everywhere (`U`).
    Uid,
    /// The UIDs within it get those that stand for them (`X/Z/U*`).
    References,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Group and element, as `0x0010_0020`.
    pub tag: u32,
    /// The code of the standard, as `Z/D`.
    pub code: &'static str,
    /// What it means here.
    pub action: Action,
    /// Keyword of the attribute.
    pub keyword: &'static str,
}

/// All rows, in ascending order of their tags. Curves (50xx), overlays (60xx) and private attributes have none: they
/// are always removed.
pub fn profile() -> &'static [Entry] {
    &TABLE
}

/// What is done to the attribute of this tag; `None` if the profile does not name it.
pub fn action(tag: u32) -> Option<Action> {
    let place = TABLE.binary_search_by_key(&tag, |entry| entry.tag).ok()?;
    TABLE.get(place).map(|entry| entry.action)
}

fn entry(line: &'static str) -> Option<Entry> {
    let mut parts = line.split('\t');
    let (group, element) = parts.next()?.split_once(',')?;
    let half = |text: &str| u32::from_str_radix(text, 16).ok();
    let tag = half(group)? << 16 | half(element)?;
    let code = parts.next()?;
    let action = match code {
        "X" => Action::Remove,
        "Z" | "X/Z" => Action::Empty,
        "D" | "Z/D" | "X/D" | "X/Z/D" => Action::Replace,
        "U" => Action::Uid,
        "X/Z/U*" => Action::References,
        _ => return None,
    };
    Some(Entry { tag, code, action, keyword: parts.next()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_row_and_rows_ascend() {
        assert_eq!(TABLE.len(), TEXT.lines().count());
        assert_eq!(TABLE.len(), 652);
        assert!(TABLE.windows(2).all(|pair| pair[0].tag < pair[1].tag));
        assert!(TABLE.iter().all(|entry| entry.tag >> 16 & 1 == 0 && !entry.keyword.is_empty()));
    }

    #[test]
    fn well_known_attributes_have_the_actions_of_the_standard() {
        let known = [
            (0x0008_0018, Some(Action::Uid)),        // SOPInstanceUID
            (0x0008_0020, Some(Action::Empty)),      // StudyDate
            (0x0008_0050, Some(Action::Empty)),      // AccessionNumber
            (0x0008_0090, Some(Action::Empty)),      // ReferringPhysicianName
            (0x0008_103E, Some(Action::Remove)),     // SeriesDescription
            (0x0008_1140, Some(Action::References)), // ReferencedImageSequence
            (0x0010_0010, Some(Action::Empty)),      // PatientName
            (0x0010_0020, Some(Action::Replace)),    // PatientID
            (0x0010_1010, Some(Action::Remove)),     // PatientAge
            (0x0018_1000, Some(Action::Replace)),    // DeviceSerialNumber
            (0x0020_0052, Some(Action::Uid)),        // FrameOfReferenceUID
            (0x0040_A730, Some(Action::Replace)),    // ContentSequence
            (0x0028_0010, None),                     // Rows
            (0x0008_0060, None),                     // Modality
        ];
        for (tag, expected) in known {
            assert_eq!(action(tag), expected, "{tag:08X}");
        }
    }
}
