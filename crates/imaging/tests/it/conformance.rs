//! All files of the conformance set, against what pydicom and dcmtk make of them (`golden/dicom.json`).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use flate2::Crc;
use imaging::io::dicom::{
    DicomError, DicomFile, Photometric, PixelOptions, StoredFrame, StoredValues, Voi, from_bytes,
};
use rayon::prelude::*;
use ruzstd::decoding::StreamingDecoder;
use serde::Deserialize;

use crate::data;

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Row {
    Refused {
        refused: String,
    },
    Read {
        syntax: String,
        /// Frames, rows, columns, channels.
        shape: [usize; 4],
        photometric: String,
        exact: bool,
        sum: f64,
        crc: u32,
        applied: Option<f64>,
    },
}

fn bytes(path: &Path) -> Vec<u8> {
    let whole = fs::read(path).unwrap();
    if path.extension().is_none_or(|extension| extension != "zst") {
        return whole;
    }
    let mut unpacked = Vec::new();
    StreamingDecoder::new(File::open(path).unwrap()).unwrap().read_to_end(&mut unpacked).unwrap();
    unpacked
}

fn read(path: &Path) -> Result<(DicomFile, Vec<StoredFrame>), DicomError> {
    let file = from_bytes(path, bytes(path))?;
    let frames = (0..file.header().frames).map(|index| file.stored(index)).collect::<Result<_, _>>()?;
    Ok((file, frames))
}

fn crc(frames: &[StoredFrame]) -> u32 {
    let mut crc = Crc::new();
    for frame in frames {
        let bytes: Vec<u8> = match &frame.values {
            StoredValues::Integer(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            StoredValues::Unsigned(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            other => panic!("{other:?}"),
        };
        crc.update(&bytes);
    }
    crc.sum()
}

/// The sum of the first frame through its tables, as pydicom applies them.
fn applied(file: &DicomFile) -> Result<f64, DicomError> {
    let mut options = PixelOptions { invert: false, ..PixelOptions::default() };
    let palette = file.header().format.as_ref().is_some_and(|format| format.photometric == Photometric::Palette);
    let rescaled = file.header().frame(0).rescale.is_some();
    let sum = |options: &PixelOptions| -> Result<([f32; 2], f64), DicomError> {
        let frame = file.frame(0, options)?;
        Ok((frame.range, frame.pixels.iter().map(|&value| f64::from(value)).sum::<f64>()))
    };
    let (range, plain) = sum(&options)?;
    // of all files with a table of values of interest, none has a table or line of the modality; those have 16 bits
    if palette || rescaled || range[1] == 65535.0 {
        return Ok(plain);
    }
    options.voi = Voi::Proposed(0);
    Ok(sum(&options)?.1 * 65535.0)
}

/// What differs from the golden row; nothing if all is well.
fn compare(path: &Path, row: &Row) -> Option<String> {
    let outcome = read(path);
    let (Row::Read { syntax, shape, photometric, exact, sum, crc: wanted, applied: through }, Ok((file, frames))) =
        (row, &outcome)
    else {
        return match (row, outcome) {
            (Row::Refused { refused }, Err(error)) if *refused == error.kind() => None,
            (Row::Refused { refused }, Err(error)) => Some(format!("should be refused as {refused}, but: {error}")),
            (Row::Refused { refused }, Ok(_)) => Some(format!("should be refused as {refused}, but was read")),
            (Row::Read { .. }, outcome) => Some(outcome.err()?.to_string()),
        };
    };
    let first = frames.first()?;
    let held = [frames.len(), first.rows, first.columns, first.channels];
    if held != *shape {
        return Some(format!("is {held:?}, not {shape:?}"));
    }
    let header = file.header();
    let stated = header.format.as_ref()?.photometric.to_string();
    // both transforms of JPEG 2000 are one to us
    if header.syntax.uid != *syntax || stated.replace("_RCT", "") != photometric.replace("_ICT", "").replace("_RCT", "")
    {
        return Some(format!("is {stated} in {}, not {photometric} in {syntax}", header.syntax));
    }
    let total: f64 = frames.iter().map(StoredFrame::sum).sum();
    let count = held.iter().product::<usize>() as f64;
    // decoders of lossy streams round cosine transforms and interpolate halved colours each in their way: by less
    // than half a step on average
    let slack = if *exact { 0.0 } else { 0.5 * count };
    if (total - sum).abs() > slack {
        return Some(format!("sums to {total}, not {sum}, in {count} values"));
    }
    if *exact && crc(frames) != *wanted {
        return Some("differs in single values".to_owned());
    }
    let through = (*through)?;
    match applied(file) {
        Err(error) => Some(error.to_string()),
        // sums of rounded floats; lines of segmented palettes are rounded by half a step of 65535
        Ok(made) if (made - through).abs() > 1e-4 * through.abs() + 4.0 * slack => {
            Some(format!("is {made} through its tables, not {through}"))
        }
        Ok(_) => None,
    }
}

#[test]
fn every_file_is_read_or_refused_as_it_should() {
    let Some(root) = data::path("dicom_conformance") else { return };
    let Some(root) = root.parent() else { return };
    let table: BTreeMap<String, Row> = serde_json::from_str(include_str!("../golden/dicom.json")).unwrap();
    assert_eq!(table.len(), 251);
    let rows: Vec<(&String, &Row)> = table.iter().collect();
    let wrong: Vec<String> = rows
        .into_par_iter()
        .filter(|(name, _)| root.join(name).exists())
        .filter_map(|(name, row)| compare(&root.join(name), row).map(|problem| format!("{name}: {problem}")))
        .collect();
    assert!(wrong.is_empty(), "{} files:\n{}", wrong.len(), wrong.join("\n"));
}

/// Each compressed file of working group 4 beside its uncompressed twin: equal where nothing is lost, within the bound
/// of the stream where little is.
#[test]
fn compressed_files_equal_their_twins() {
    let Some(folder) = data::path("dicom_conformance/data/WG04") else { return };
    let mut compared = 0;
    for twin in fs::read_dir(folder.join("REF")).unwrap() {
        let twin = twin.unwrap();
        let name = twin.file_name().into_string().unwrap();
        let name = name.trim_end_matches("_UNC.zst");
        let (_, plain) = read(&twin.path()).unwrap();
        for (kind, bound) in [("J2KR", 0), ("JLSL", 0), ("JPLL", 0), ("RLE", 0), ("JLSN", 4)] {
            let path = folder.join(kind).join(format!("{name}_{kind}"));
            if !path.exists() {
                continue;
            }
            let (_, frames) = read(&path).unwrap();
            assert_eq!(frames.len(), plain.len());
            for (frame, plain) in frames.iter().zip(&plain) {
                let (StoredValues::Integer(a), StoredValues::Integer(b)) = (&frame.values, &plain.values) else {
                    panic!("{name}: not whole numbers")
                };
                assert_eq!(a.len(), b.len(), "{name} {kind}");
                let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).max();
                // the near-lossless streams use their bound: an error of 4 occurs
                assert_eq!(worst, Some(bound), "{name} {kind}");
            }
            compared += 1;
        }
    }
    // 13 of J2KR, 8 of each of JLSL, JPLL and JLSN, 13 of RLE
    assert_eq!(compared, 50);
}
