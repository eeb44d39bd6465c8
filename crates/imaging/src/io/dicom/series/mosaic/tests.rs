//! Mosaics with private headers made by hand.

use super::*;

/// A private header of the second layout with these fields, of one item more than they have values.
pub(in super::super) fn header(fields: &[(&str, &[&str])]) -> Vec<u8> {
    let mut bytes = b"SV10\x04\x03\x02\x01".to_vec();
    bytes.extend((fields.len() as u32).to_le_bytes());
    bytes.extend(77_u32.to_le_bytes());
    for (name, values) in fields {
        let mut field = name.as_bytes().to_vec();
        field.resize(64, 0);
        bytes.extend(field);
        bytes.extend((values.len() as u32).to_le_bytes());
        bytes.extend(b"DS\0\0");
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend((values.len() as u32 + 1).to_le_bytes());
        bytes.extend(77_u32.to_le_bytes());
        for value in values.iter().copied().chain([""]) {
            let mut item = value.as_bytes().to_vec();
            if !item.is_empty() {
                item.push(0);
            }
            for word in [item.len() as u32, item.len() as u32, 77, item.len() as u32] {
                bytes.extend(word.to_le_bytes());
            }
            item.resize(item.len().next_multiple_of(4), 0);
            bytes.extend(item);
        }
    }
    bytes.extend([0; 4]);
    bytes
}

/// The same in the first layout.
fn first_layout(fields: &[(&str, &[&str])]) -> Vec<u8> {
    let mut bytes = (fields.len() as u32).to_le_bytes().to_vec();
    bytes.extend(77_u32.to_le_bytes());
    let hidden = fields[0].1.len() as u32;
    for (name, values) in fields {
        let mut field = name.as_bytes().to_vec();
        field.resize(64, 0);
        bytes.extend(field);
        bytes.extend((values.len() as u32).to_le_bytes());
        bytes.extend(b"DS\0\0");
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend((values.len() as u32).to_le_bytes());
        bytes.extend(205_u32.to_le_bytes());
        for value in *values {
            let mut item = value.as_bytes().to_vec();
            item.push(0);
            for word in [item.len() as u32 + hidden, 0, 0, 0] {
                bytes.extend(word.to_le_bytes());
            }
            item.resize(item.len().next_multiple_of(4), 0);
            bytes.extend(item);
        }
    }
    bytes
}

const FIELDS: [(&str, &[&str]); 3] = [
    ("EchoLinePosition", &["32", "12"]),
    ("NumberOfImagesInMosaic", &["35"]),
    ("SliceNormalVector", &["0.00000000", "0.10799944", "0.99415095"]),
];

#[test]
fn both_layouts_tell_number_and_direction_of_the_tiles() {
    for bytes in [header(&FIELDS), first_layout(&FIELDS)] {
        let found = private(&bytes).unwrap();
        assert_eq!(found.tiles, Some(35));
        let normal = found.normal.unwrap();
        // eight decimals in the text
        assert!((normal[1] - 0.107_999_44).abs() < 2e-8 && (normal[2] - 0.994_150_95).abs() < 2e-8, "{normal:?}");
    }
    assert_eq!(private(&[0; 64]).unwrap(), Private::default());
}

#[test]
fn a_damaged_header_never_panics() {
    for bytes in [header(&FIELDS), first_layout(&FIELDS)] {
        for length in 0..bytes.len() {
            let _ = private(&bytes[..length]);
        }
        for bit in 0..bytes.len() * 8 {
            let mut copy = bytes.clone();
            copy[bit / 8] ^= 1 << (bit % 8);
            let _ = private(&copy);
        }
    }
    let short = private(&header(&FIELDS)[..100]).unwrap_err();
    assert_eq!(short.to_string(), "the private header (0029,xx10) ends at byte 100, inside an item at byte 100");
    let mut many = header(&FIELDS);
    many[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(private(&many), Err(MosaicError::Count { count: u32::MAX, offset: 8, .. })));
}

#[test]
fn tiles_are_cut_row_by_row_and_centred() {
    let tiles = Tiles::new(3, 4, 6).unwrap();
    assert_eq!(tiles, Tiles { count: 3, grid: 2, columns: 2, rows: 3 });
    let picture: Vec<f32> = (0..24).map(|value| value as f32).collect();
    let mut tile = vec![0.0; 6];
    assert!(tiles.cut(&picture, 2, &mut tile));
    assert_eq!(tile, [12.0, 13.0, 16.0, 17.0, 20.0, 21.0]);
    assert!(!tiles.cut(&picture[1..], 2, &mut tile) && !tiles.cut(&picture, 3, &mut tile));
    // The picture spans 4 · 2 mm from −1 mm, its centre is at 3 mm; a tile of 2 columns begins 1 mm before.
    let corner = tiles.corner([0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [2.0, 1.0]);
    assert_eq!(corner, [2.0, 1.5, 0.0]);
    assert!(matches!(Tiles::new(5, 4, 4), Err(MosaicError::Layout { grid: 3, .. })));
    assert!(matches!(Tiles::new(0, 4, 4), Err(MosaicError::Layout { .. })));
}
