//! Single DICOM files of the world: headers, greys, colours, and what damage does to compressed ones.

use std::fs;
use std::path::{Path, PathBuf};

use imaging::io::dicom::{DicomError, Frame, PixelOptions, StoredValues, from_bytes, inspect, open, open_header};

use crate::data;

fn pydicom(name: &str) -> Option<PathBuf> {
    data::path(&format!("dicom_conformance/data/pydicom/{name}.dcm"))
}

fn grey(path: &Path) -> Frame {
    open(path).unwrap().frame(0, &PixelOptions::default()).unwrap()
}

/// The two files have the same bytes of pixels; one calls its lowest value white, the other black.
#[test]
fn monochrome1_and_2_are_negatives() {
    let name = "1.2.276.0.7230010.3.1.4.8323329.6904.1517875201.850819.dcm";
    let Some(folder) = data::path("cxr_misc/tests") else { return };
    let (two, one) = (grey(&folder.join(name)), grey(&folder.join("Fake_MONOHR1.dcm")));
    assert_eq!((two.rows, two.columns), (1024, 1024));
    assert!(two.pixels.iter().zip(&one.pixels).all(|(two, one)| *one == 255.0 - two));
}

/// Values as dcmdump prints them.
#[test]
fn headers_are_typed() {
    let Some(path) = pydicom("CT_small") else { return };
    let file = open_header(&path).unwrap();
    let header = file.header();
    assert_eq!(header.frame(0).position, Some([-158.135_803, -179.035_797, -75.699_997]));
    assert_eq!(header.frame(0).orientation, Some([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]));
    assert_eq!(header.frame(0).spacing, Some([0.661_468, 0.661_468]));
    assert_eq!(header.frame(0).thickness, Some(5.0));
    assert_eq!(header.patient.as_deref(), Some("1CT1"));
    assert_eq!(header.image_type, ["ORIGINAL", "PRIMARY", "AXIAL"]);
    assert_eq!(header.padding, Some([-2000.0, -2000.0]));
    assert!(matches!(file.stored(0), Err(DicomError::NoPixels { .. })));
    // every attribute of this one was written as unknown
    let unknown = open_header(&pydicom("explicit_VR-UN").unwrap()).unwrap();
    assert_eq!(unknown.header().patient.as_deref(), Some("PANCREAS_0001"));
    assert_eq!(unknown.header().frame(0).orientation, Some([1.0, 0.0, 0.0, 0.0, -1.0, 0.0]));
    // one position for each frame
    let frames = open_header(&pydicom("liver").unwrap()).unwrap();
    assert_eq!(frames.header().frames, 3);
    assert_eq!(frames.header().frame(2).position, Some([-235.2, -226.8, -126.69]));
    assert_eq!(frames.header().frame(2).dimensions, [1, 3]);
    assert_eq!(frames.header().frame(2).segment, Some(1));
}

/// Doses are scaled: 1e-6 Gy of what is stored.
#[test]
fn doses_are_scaled() {
    let Some(path) = pydicom("rtdose") else { return };
    let file = open(&path).unwrap();
    let (stored, real) = (file.stored(3).unwrap(), file.frame(3, &PixelOptions::default()).unwrap());
    let StoredValues::Unsigned(stored) = stored.values else { panic!("32 bits without sign") };
    // products of doubles, rounded once to floats
    assert!(stored.iter().zip(&real.pixels).all(|(&stored, &real)| real == (f64::from(stored) * 1.0e-6) as f32));
}

/// The stream is luminance and chrominance, the header says RGB: red, green and blue must come out all the same.
#[test]
fn colours_of_recompressed_files() {
    for name in
        ["SC_rgb", "SC_rgb_jpeg_lossy_gdcm", "SC_rgb_dcmtk_+eb+cr", "SC_rgb_dcmtk_+eb+cy+n1", "SC_rgb_jpeg_gdcm"]
    {
        let Some(path) = pydicom(name) else { return };
        let frame = grey(&path);
        assert_eq!(frame.channels, 3);
        for (row, colour) in [(5, [255.0, 0.0, 0.0]), (25, [0.0, 255.0, 0.0]), (45, [0.0, 0.0, 255.0])] {
            let start = 3 * (row * frame.columns + 50);
            let pixel = &frame.pixels[start..start + 3];
            // one step of quantised chrominance is 1.8 of blue
            assert!(pixel.iter().zip(colour).all(|(a, b)| (a - b).abs() <= 6.0), "{name}: {pixel:?}, not {colour:?}");
        }
    }
}

/// Beginnings of real files and files with flipped bits are read or refused; nothing panics.
#[test]
fn damage_of_compressed_files() {
    let plain = ["MR_small", "MR_small_RLE", "MR_small_jpeg_ls_lossless", "MR_small_jp2klossless", "JPEG-lossy"];
    for name in plain {
        let Some(path) = pydicom(name) else { return };
        let whole = fs::read(&path).unwrap();
        let read = |bytes: Vec<u8>| from_bytes(&path, bytes).and_then(|file| file.stored(0));
        read(whole.clone()).unwrap();
        for length in (0..whole.len()).step_by(whole.len() / 150) {
            let _ = read(whole[..length].to_vec());
        }
        // translated C is not asked to survive everything in one process
        if name == "MR_small_jp2klossless" {
            continue;
        }
        for bit in (8 * 128..8 * whole.len()).step_by(whole.len() / 40) {
            let mut copy = whole.clone();
            copy[bit / 8] ^= 1 << (bit % 8);
            let _ = read(copy);
        }
    }
}

/// What would happen, before it does.
#[test]
fn inspection_says_what_would_be_read() {
    let Some(path) = pydicom("CT_small") else { return };
    let row = inspect(&path);
    assert!(row.readable, "{:?}", row.problem);
    assert_eq!(row.class.as_deref(), Some("CT Image Storage"));
    assert_eq!(row.size, Some([128, 128, 1]));
    assert!(row.risks.iter().any(|risk| risk.contains("PatientName")));
    let report = inspect(&pydicom("test-SR").unwrap());
    assert!(!report.readable && report.problem.unwrap().contains("Comprehensive SR"));
    let truncated = inspect(&pydicom("MR_truncated").unwrap());
    assert!(truncated.problem.unwrap().contains("8192 bytes where 8130 are left"));
}
