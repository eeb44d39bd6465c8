//! Pictures against Pillow, stacks, damaged files, real files.

use std::fs;
use std::path::{Path, PathBuf};

use imaging::io::{self, IoError, PictureError, ReadOptions, picture};
use serde::Deserialize;

use crate::data;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
    pages: Pages,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    hex: String,
    width: usize,
    height: usize,
    bits: u32,
    tolerance: f32,
    planes: Vec<Vec<f32>>,
    labels: Option<Vec<u8>>,
}

#[derive(Deserialize)]
struct Pages {
    hex: String,
    values: Vec<f32>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../golden/picture.json")).unwrap()
}

fn case(name: &str) -> Vec<u8> {
    let found = golden().cases.into_iter().find(|case| case.name == name).unwrap();
    data::unhex(&found.hex)
}

/// The name says nothing: files are known by their content.
fn written(folder: &Path, bytes: &[u8]) -> PathBuf {
    let path = folder.join("picture");
    fs::write(&path, bytes).unwrap();
    path
}

/// tests/golden/picture.py. All is exact but JPEG, whose decoders may round differently.
#[test]
fn pixels_and_labels_are_those_of_pillow() {
    let folder = tempfile::tempdir().unwrap();
    for case in golden().cases {
        let path = written(folder.path(), &data::unhex(&case.hex));
        let (found, _) = io::picture::read_picture(&path, &ReadOptions::default()).unwrap();
        let shape = (found.channels, found.height, found.width, found.bits);
        assert_eq!(shape, (case.planes.len(), case.height, case.width, case.bits), "{}", case.name);
        let expected = case.planes.concat();
        let worst = found.pixels.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= case.tolerance, "{} {worst}", case.name);

        let (volumes, _) = io::read_volumes(&path, &ReadOptions::default()).unwrap();
        assert_eq!(volumes.len(), case.planes.len(), "{}", case.name);
        assert_eq!(volumes[0].geometry.size, [case.width, case.height, 1]);
        assert_eq!(volumes[0].voxels, found.pixels[..case.width * case.height]);

        let labels = io::read_labels(&path, &[]);
        match case.labels {
            Some(expected) => assert_eq!(labels.unwrap().labels, expected, "{}", case.name),
            None => assert!(labels.is_err(), "{}", case.name),
        }
    }
}

#[test]
fn labels_that_are_none_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |name| io::read_labels(&written(folder.path(), &case(name)), &[]).unwrap_err();
    assert!(matches!(refused("jpeg-grey"), IoError::Picture { error: PictureError::Lossy, .. }));
    assert!(matches!(refused("png-rgb"), IoError::Picture { error: PictureError::Colours, .. }));
    assert!(matches!(refused("png-16"), IoError::Label { .. }));
}

#[test]
fn pages_are_slices() {
    let folder = tempfile::tempdir().unwrap();
    let Pages { hex, values } = golden().pages;
    let (volume, _) = io::read_volume(&written(folder.path(), &data::unhex(&hex)), &ReadOptions::default()).unwrap();
    assert_eq!(volume.geometry.size, [7, 5, 3]);
    for (k, value) in values.into_iter().enumerate() {
        assert!(volume.slice(k).iter().all(|&found| found == value));
    }
}

#[test]
fn a_stack_is_in_the_order_of_its_numbers() {
    let folder = tempfile::tempdir().unwrap();
    for number in [0, 1, 2, 9, 10, 11] {
        let path = folder.path().join(format!("slice{number}.png"));
        picture::write_png(&path, 2, 3, 1, &[number; 6]).unwrap();
    }
    fs::write(folder.path().join("notes.txt"), "not a picture").unwrap();
    let (volume, notices) = io::read_volume(folder.path(), &ReadOptions::default()).unwrap();
    assert_eq!(volume.geometry.size, [2, 3, 6]);
    let order: Vec<f32> = (0..6).map(|k| volume.at(0, 0, k)).collect();
    assert_eq!(order, [0.0, 1.0, 2.0, 9.0, 10.0, 11.0]);
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert_eq!(notices[0].text, "between the files numbered 2 and 9 some are missing");
    assert_eq!(io::read_labels(folder.path(), &[]).unwrap().present(), [0, 1, 2, 9, 10, 11]);

    picture::write_png(&folder.path().join("slice3.png"), 3, 2, 1, &[0; 6]).unwrap();
    let error = io::read_volume(folder.path(), &ReadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("slice3.png has 3 x 2 pixels of 1 channels"), "{error}");
}

#[test]
fn a_coloured_picture_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("colours.png");
    let values: Vec<u8> = (0..18).map(|value| value * 14).collect();
    picture::write_png(&path, 3, 2, 3, &values).unwrap();
    let (found, _) = picture::read_picture(&path, &ReadOptions::default()).unwrap();
    let reds: Vec<f32> = values.iter().step_by(3).map(|&value| f32::from(value)).collect();
    assert_eq!((found.channels, &found.pixels[..6]), (3, &reds[..]));
    let error = io::read_volume(&path, &ReadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("holds 3 volumes (red, green, blue)"), "{error}");
    assert!(picture::encode_png(3, 2, 1, &values).is_err());
    assert!(picture::encode_png(0, 0, 1, &[]).is_err());
}

/// Headers of 60 000 x 60 000 pixels and nothing behind, by the formats' own definitions.
#[test]
fn bombs_are_refused_by_their_size() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |bytes: &[u8]| {
        let error = picture::read_picture(&written(folder.path(), bytes), &ReadOptions::default()).unwrap_err();
        assert!(matches!(error, IoError::Picture { error: PictureError::Size { .. }, .. }), "{error}");
        assert!(error.to_string().contains("60000 x 60000 pixels"), "{error}");
    };
    let mut png = case("png-8");
    png[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
    png[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
    let sum = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&sum.to_be_bytes());
    refused(&png);

    let mut gif = case("gif");
    gif[6..8].copy_from_slice(&60_000_u16.to_le_bytes());
    gif[8..10].copy_from_slice(&60_000_u16.to_le_bytes());
    refused(&gif);

    let mut jpeg = case("jpeg-grey");
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 7].copy_from_slice(&60_000_u16.to_be_bytes());
    jpeg[frame + 7..frame + 9].copy_from_slice(&60_000_u16.to_be_bytes());
    refused(&jpeg);

    let mut tiff = case("tiff-raw");
    let directory = u32::from_le_bytes([tiff[4], tiff[5], tiff[6], tiff[7]]) as usize;
    for entry in 0..usize::from(u16::from_le_bytes([tiff[directory], tiff[directory + 1]])) {
        let at = directory + 2 + 12 * entry;
        // ImageWidth, ImageLength
        if matches!(u16::from_le_bytes([tiff[at], tiff[at + 1]]), 256 | 257) {
            tiff[at + 2..at + 4].copy_from_slice(&4_u16.to_le_bytes());
            tiff[at + 8..at + 12].copy_from_slice(&60_000_u32.to_le_bytes());
        }
    }
    // which of the lies is found first is the decoder's affair
    let error = picture::read_picture(&written(folder.path(), &tiff), &ReadOptions::default()).unwrap_err();
    assert!(matches!(error, IoError::Picture { .. }), "{error}");
}

/// The checksum of PNG (its specification, annex D), bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for &byte in bytes {
        sum ^= u32::from(byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
        }
    }
    !sum
}

#[test]
fn damaged_pictures_are_refused_or_read_but_never_crash() {
    let folder = tempfile::tempdir().unwrap();
    let options = ReadOptions { max_bytes: 1 << 24, ..ReadOptions::default() };
    for name in ["png-8", "png-palette-4-bits", "gif", "tiff-raw", "tiff-tiff_lzw", "jpeg-grey"] {
        let bytes = case(name);
        // the palette of a GIF is long, and no flip in it can matter
        let bytes = if name == "gif" { without_palette(&bytes) } else { bytes };
        for damaged in data::damaged(&bytes) {
            let path = written(folder.path(), &damaged);
            let _ = io::read_volumes(&path, &options);
            let _ = io::read_labels(&path, &[]);
        }
    }
    for name in ["png-8", "jpeg-rgb", "tiff-raw"] {
        let bytes = case(name);
        for length in 0..bytes.len() - 30 {
            let path = written(folder.path(), &bytes[..length]);
            assert!(picture::read_picture(&path, &options).is_err(), "{name} {length}");
        }
    }
}

/// A GIF whose palette of 256 colours is cut to 8; the indices go to 4.
fn without_palette(gif: &[u8]) -> Vec<u8> {
    assert_eq!(gif[10] & 0x87, 0x87, "a global palette of 256 colours");
    let mut short = gif[..13 + 24].to_vec();
    short[10] = (gif[10] & 0xf8) | 2;
    short.extend_from_slice(&gif[13 + 768..]);
    short
}

/// Values by Pillow and numpy.
#[test]
fn membranes_and_chests_are_read() {
    if let Some(folder) = data::path("isbi2012_em/data/membrane/train") {
        let (volume, notices) = io::read_volume(&folder.join("image"), &ReadOptions::default()).unwrap();
        assert!(notices.is_empty(), "{notices:?}");
        assert_eq!(volume.geometry.size, [512, 512, 30]);
        // file 10.png, which the order of the alphabet would put third
        assert_eq!(volume.slice(10).iter().map(|&value| f64::from(value)).sum::<f64>(), 36_511_488.0);
        let names = ["membrane", "cell"].map(str::to_owned);
        let map = io::read_labels(&folder.join("label"), &names).unwrap();
        assert_eq!(map.counts()[1], 6_137_070);
    }
    if let Some(folder) = data::path("cxr_misc/tests") {
        let sum = |name: &str| {
            let (found, _) = picture::read_picture(&folder.join(name), &ReadOptions::default()).unwrap();
            (found.channels, found.pixels.iter().map(|&value| f64::from(value)).sum::<f64>())
        };
        assert_eq!(sum("00000001_000.png"), (1, 33_590_126.0));
        let (channels, jpeg) = sum("16747_3_1.jpg");
        // as RGB in the file, grey if the three channels are the same; rounding of decoders evens out
        let per_channel = jpeg / channels as f64;
        assert!((per_channel / (493_181_145.0 / 3.0) - 1.0).abs() < 1e-3, "{channels} {jpeg}");
    }
}
