//! Files made byte by byte, read back, and broken.

use std::path::Path;
use std::time::Instant;

use super::*;

const LITTLE: &str = "1.2.840.10008.1.2.1";
const IMPLICIT: &str = "1.2.840.10008.1.2";
const BIG: &str = "1.2.840.10008.1.2.2";

/// A DICOM file that is written attribute by attribute.
struct Writer {
    bytes: Vec<u8>,
    explicit: bool,
    big: bool,
}

impl Writer {
    fn new(syntax: &str) -> Self {
        let mut writer = Self { bytes: vec![0; 128], explicit: true, big: false };
        writer.bytes.extend(b"DICM");
        writer.text((0x0002, 0x0010), b"UI", syntax);
        writer.explicit = syntax != IMPLICIT;
        writer.big = syntax == BIG;
        writer
    }

    fn short(&mut self, value: u16) {
        let two = if self.big { value.to_be_bytes() } else { value.to_le_bytes() };
        self.bytes.extend(two);
    }

    fn long(&mut self, value: u32) {
        let four = if self.big { value.to_be_bytes() } else { value.to_le_bytes() };
        self.bytes.extend(four);
    }

    fn head(&mut self, (group, element): (u16, u16), vr: &[u8; 2], length: u32) {
        self.short(group);
        self.short(element);
        if !self.explicit {
            return self.long(length);
        }
        self.bytes.extend(vr);
        if [*b"OB", *b"OW", *b"OF", *b"SQ", *b"UN", *b"UT"].contains(vr) {
            self.short(0);
            self.long(length);
        } else {
            self.short(length as u16);
        }
    }

    fn text(&mut self, tag: (u16, u16), vr: &[u8; 2], value: &str) {
        let mut value = value.as_bytes().to_vec();
        if value.len() % 2 == 1 {
            value.push(if vr == b"UI" { 0 } else { b' ' });
        }
        self.value(tag, vr, &value);
    }

    fn value(&mut self, tag: (u16, u16), vr: &[u8; 2], value: &[u8]) {
        self.head(tag, vr, value.len() as u32);
        self.bytes.extend(value);
    }

    fn words(&mut self, tag: (u16, u16), vr: &[u8; 2], values: &[u16]) {
        self.head(tag, vr, 2 * values.len() as u32);
        values.iter().for_each(|&value| self.short(value));
    }

    /// Attributes of an image.
    fn image(&mut self, [rows, columns, samples]: [u16; 3], photometric: &str, [allocated, stored, sign]: [u16; 3]) {
        self.words((0x0028, 0x0002), b"US", &[samples]);
        self.text((0x0028, 0x0004), b"CS", photometric);
        self.words((0x0028, 0x0010), b"US", &[rows]);
        self.words((0x0028, 0x0011), b"US", &[columns]);
        self.words((0x0028, 0x0100), b"US", &[allocated]);
        self.words((0x0028, 0x0101), b"US", &[stored]);
        self.words((0x0028, 0x0102), b"US", &[stored - 1]);
        self.words((0x0028, 0x0103), b"US", &[sign]);
    }

    fn open(self) -> Result<DicomFile, DicomError> {
        from_bytes(Path::new("made.dcm"), self.bytes)
    }
}

fn integers(file: &DicomFile, index: usize) -> Vec<i32> {
    match file.stored(index).unwrap().values {
        StoredValues::Integer(values) => values,
        other => panic!("{other:?}"),
    }
}

/// A CT of 2 x 3 pixels in each encoding, with rubbish above its 12 bits.
fn ct(syntax: &str) -> Writer {
    let mut writer = Writer::new(syntax);
    writer.text((0x0008, 0x0060), b"CS", "CT");
    writer.text((0x0010, 0x0020), b"LO", "P1");
    writer.text((0x0018, 0x0050), b"DS", "2.5");
    writer.text((0x0020, 0x0032), b"DS", "-1.5\\2\\30.25");
    writer.image([2, 3, 1], "MONOCHROME2", [16, 12, 1]);
    writer.text((0x0028, 0x0030), b"DS", "0.5\\0.75");
    writer.words((0x0028, 0x0120), b"SS", &[0xF830]);
    writer.text((0x0028, 0x1052), b"DS", "-1024");
    writer.text((0x0028, 0x1053), b"DS", "2");
    writer.words((0x7FE0, 0x0010), b"OW", &[0x0001, 0xF002, 0x07FF, 0x0800, 0x5FFF, 0x0830]);
    writer
}

#[test]
fn encodings_read_alike() {
    for syntax in [LITTLE, IMPLICIT, BIG] {
        let file = ct(syntax).open().unwrap();
        let header = file.header();
        assert_eq!(header.modality(), crate::volume::Modality::Ct);
        assert_eq!(header.patient.as_deref(), Some("P1"));
        assert_eq!(header.frame(0).position, Some([-1.5, 2.0, 30.25]));
        assert_eq!(header.frame(0).spacing, Some([0.5, 0.75]));
        assert_eq!(header.frame(0).thickness, Some(2.5));
        assert_eq!(integers(&file, 0), [1, 2, 2047, -2048, -1, -2000], "{syntax}");
        let frame = file.frame(0, &PixelOptions::default()).unwrap();
        // -1024 + 2x, by hand
        assert_eq!(frame.pixels, [-1022.0, -1020.0, 3070.0, -5120.0, -1026.0, -5024.0]);
        assert_eq!(frame.range, [-5120.0, 3070.0]);
        assert_eq!(header.padding, Some([-2000.0, -2000.0]), "{syntax}");
        assert_eq!(frame.padded, 1);
        let options = PixelOptions { padding: Some(-3000.0), ..PixelOptions::default() };
        assert_eq!(file.frame(0, &options).unwrap().pixels[5], -3000.0);
    }
}

/// Without preamble, without meta group, in each encoding.
#[test]
fn bare_data_sets_are_recognised() {
    for syntax in [LITTLE, IMPLICIT, BIG] {
        let bytes = ct(syntax).bytes;
        let meta = 132 + 8 + syntax.len().next_multiple_of(2);
        let bare = from_bytes(Path::new("bare"), bytes[meta..].to_vec()).unwrap();
        assert_eq!(bare.header().syntax.uid, syntax);
        assert_eq!(bare.header().notices.len(), 2);
        assert_eq!(integers(&bare, 0)[0], 1);
        let headless = from_bytes(Path::new("headless"), bytes[132..].to_vec()).unwrap();
        assert_eq!(headless.header().syntax.uid, syntax);
        assert_eq!(integers(&headless, 0)[1], 2);
    }
}

/// Bits of three frames of nine pixels run on over the borders of bytes.
#[test]
fn single_bits_are_packed_over_frames() {
    let mut writer = Writer::new(LITTLE);
    writer.text((0x0028, 0x0008), b"IS", "3");
    writer.image([3, 3, 1], "MONOCHROME2", [1, 1, 0]);
    let bits: Vec<u32> = (0..27).map(|bit| u32::from(bit % 2 == 0 || bit % 7 == 3)).collect();
    let packed = bits.iter().enumerate().fold(0_u32, |all, (place, bit)| all | bit << place);
    writer.value((0x7FE0, 0x0010), b"OB", &packed.to_le_bytes());
    let file = writer.open().unwrap();
    for frame in 0..3 {
        let wanted: Vec<i32> = bits[9 * frame..9 * frame + 9].iter().map(|&bit| bit.cast_signed()).collect();
        assert_eq!(integers(&file, frame), wanted);
    }
    assert!(matches!(file.stored(3), Err(DicomError::NoFrame { frame: 4, frames: 3, .. })));
}

/// The same values in planes and in pixels, and bytes of big-endian words.
#[test]
fn planes_become_pixels() {
    for planar in [0, 1] {
        let mut writer = Writer::new(LITTLE);
        writer.image([1, 2, 3], "RGB", [8, 8, 0]);
        writer.words((0x0028, 0x0006), b"US", &[planar]);
        let bytes = if planar == 0 { [1, 2, 3, 4, 5, 6] } else { [1, 4, 2, 5, 3, 6] };
        writer.value((0x7FE0, 0x0010), b"OB", &bytes);
        assert_eq!(integers(&writer.open().unwrap(), 0), [1, 2, 3, 4, 5, 6]);
    }
    let mut writer = Writer::new(BIG);
    writer.image([1, 4, 1], "MONOCHROME2", [8, 8, 0]);
    writer.value((0x7FE0, 0x0010), b"OW", &[2, 1, 4, 3]);
    assert_eq!(integers(&writer.open().unwrap(), 0), [1, 2, 3, 4]);
}

/// `x1 = max - x2` for the two kinds of grey, within what can be stored.
#[test]
fn monochrome1_is_turned() {
    let frame = |photometric| {
        let mut writer = Writer::new(LITTLE);
        writer.image([1, 4, 1], photometric, [8, 8, 0]);
        writer.value((0x7FE0, 0x0010), b"OB", &[0, 1, 200, 255]);
        writer.open().unwrap().frame(0, &PixelOptions::default()).unwrap()
    };
    let (one, two) = (frame("MONOCHROME1"), frame("MONOCHROME2"));
    assert_eq!(two.pixels, [0.0, 1.0, 200.0, 255.0]);
    assert_eq!(one.pixels, [255.0, 254.0, 55.0, 0.0]);
}

#[test]
fn palettes_give_colours() {
    let mut writer = Writer::new(LITTLE);
    writer.image([1, 3, 1], "PALETTE COLOR", [8, 8, 0]);
    for (place, entries) in [[10, 20], [30, 40], [50, 60]].into_iter().enumerate() {
        writer.words((0x0028, 0x1101 + place as u16), b"US", &[2, 5, 16]);
        writer.words((0x0028, 0x1201 + place as u16), b"OW", &entries);
    }
    writer.value((0x7FE0, 0x0010), b"OB", &[5, 6, 200]);
    let frame = writer.open().unwrap().frame(0, &PixelOptions::default()).unwrap();
    assert_eq!(frame.channels, 3);
    assert_eq!(frame.pixels, [10.0, 30.0, 50.0, 20.0, 40.0, 60.0, 20.0, 40.0, 60.0]);
}

/// The example of PS3.3, C.11.2.1.2.1: centre 2048, width 4096 maps 0 to black and 4095 to white.
#[test]
fn windows_follow_the_standard() {
    let window = |centre, width, function| Window { centre, width, function, explanation: None };
    let full = window(2048.0, 4096.0, VoiFunction::Linear);
    assert_eq!([0.0, 4095.0, -1.0, 5000.0].map(|value| full.apply(value)), [0.0, 1.0, 0.0, 1.0]);
    assert!((full.apply(2047.5) - 0.5).abs() < 1e-12);
    let step = window(100.0, 1.0, VoiFunction::Linear);
    assert_eq!([99.0, 99.5, 100.0].map(|value| step.apply(value)), [0.0, 0.0, 1.0]);
    let exact = window(50.0, 100.0, VoiFunction::LinearExact);
    assert_eq!([0.0, 25.0, 100.0].map(|value| exact.apply(value)), [0.0, 0.25, 1.0]);
    assert_eq!(window(7.0, 3.0, VoiFunction::Sigmoid).apply(7.0), 0.5);
}

/// What is written as unknown is what the dictionary says, sequences included.
#[test]
fn unknown_representations_are_looked_up() {
    let mut writer = Writer::new(LITTLE);
    writer.value((0x0028, 0x0010), b"UN", &[2, 0]);
    writer.value((0x0028, 0x0011), b"UN", &[1, 0]);
    writer.value((0x0028, 0x0100), b"UN", &[16, 0]);
    // FrameVOILUTSequence with a window, in implicit little endian
    let item = [0x28, 0, 0x50, 0x10, 2, 0, 0, 0, b'4', b'0', 0x28, 0, 0x51, 0x10, 2, 0, 0, 0, b'8', b'0'];
    let mut sequence = vec![0xFE, 0xFF, 0x00, 0xE0, item.len() as u8, 0, 0, 0];
    sequence.extend(item);
    let mut groups = vec![0xFE, 0xFF, 0x00, 0xE0, sequence.len() as u8 + 8, 0, 0, 0];
    groups.extend([0x28, 0, 0x32, 0x91, sequence.len() as u8, 0, 0, 0]);
    groups.extend(&sequence);
    writer.value((0x5200, 0x9229), b"UN", &groups);
    writer.words((0x7FE0, 0x0010), b"OW", &[70, 80]);
    let file = writer.open().unwrap();
    assert_eq!(integers(&file, 0), [70, 80]);
    let windows = &file.header().frame(0).windows;
    assert_eq!((windows[0].centre, windows[0].width), (40.0, 80.0));
}

/// An attribute that declares four gigabytes in a file of two kilobytes.
#[test]
fn lengths_are_not_believed() {
    for (syntax, vr) in [(LITTLE, b"OB"), (LITTLE, b"UT"), (IMPLICIT, b"UN"), (BIG, b"SQ")] {
        let mut writer = Writer::new(syntax);
        writer.text((0x0008, 0x0060), b"CS", "CT");
        writer.head((0x0009, 0x1001), vr, 0xFFFF_FFFE);
        writer.bytes.resize(2048, 0);
        let begun = Instant::now();
        let error = writer.open().unwrap_err();
        assert!(begun.elapsed().as_secs_f64() < 1.0);
        assert!(matches!(error, DicomError::Structure { .. }), "{error}");
        assert!(error.to_string().contains("4294967294 bytes where"), "{error}");
    }
}

/// A header that promises more pixels than there are atoms.
#[test]
fn sizes_are_compared_before_allocating() {
    let mut writer = Writer::new(LITTLE);
    writer.text((0x0028, 0x0008), b"IS", "2147483647");
    writer.image([65535, 65535, 4], "RGB", [32, 32, 0]);
    writer.value((0x7FE0, 0x0010), b"OW", &[0; 64]);
    let file = writer.open().unwrap();
    let error = file.stored(7).unwrap_err();
    let implied = 65535_u128 * 65535 * 4 * 4 * 2_147_483_647;
    assert!(error.to_string().contains(&format!("64 bytes, but the header implies {implied}")), "{error}");
    let mut writer = Writer::new("1.2.840.10008.1.2.5");
    writer.image([65535, 65535, 1], "MONOCHROME2", [16, 16, 0]);
    writer.head((0x7FE0, 0x0010), b"OB", u32::MAX);
    for fragment in [&[0_u8; 0][..], &[1, 0, 0, 0, 64, 0, 0, 0]] {
        writer.head((0xFFFE, 0xE000), b"OB", 0);
        writer.bytes.truncate(writer.bytes.len() - 8);
        writer.long(fragment.len() as u32);
        writer.bytes.extend(fragment);
    }
    assert!(matches!(writer.open().unwrap().stored(0), Err(DicomError::Decode { .. })));
}

/// Ten thousand sequences within each other, with and without lengths.
#[test]
fn nesting_is_limited() {
    for syntax in [LITTLE, IMPLICIT] {
        for defined in [false, true] {
            let mut writer = Writer::new(syntax);
            let level = if syntax == LITTLE { 20_u32 } else { 16 };
            for left in (1..=10_000_u32).rev() {
                let length = if defined { left * level - (level - 8) } else { u32::MAX };
                // ContentSequence
                writer.head((0x0040, 0xA730), b"SQ", length);
                writer.short(0xFFFE);
                writer.short(0xE000);
                writer.long(if defined { (left - 1) * level } else { u32::MAX });
            }
            let error = writer.open().unwrap_err();
            assert!(error.to_string().contains("deeper than 64"), "{error}");
        }
    }
}

/// Cut at every byte and with every bit flipped, a file is read or refused, and never panics.
#[test]
fn damage_is_an_error() {
    let mut rich = ct(LITTLE);
    rich.bytes.truncate(rich.bytes.len() - 24);
    rich.head((0x5200, 0x9230), b"SQ", u32::MAX);
    for _ in 0..2 {
        rich.bytes.extend([0xFE, 0xFF, 0x00, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF]);
        rich.head((0x0020, 0x9113), b"SQ", 28);
        rich.bytes.extend([0xFE, 0xFF, 0x00, 0xE0, 20, 0, 0, 0]);
        rich.text((0x0020, 0x0032), b"DS", "1.0\\2.0\\3.25");
        rich.bytes.extend([0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0]);
    }
    rich.bytes.extend([0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
    rich.words((0x7FE0, 0x0010), b"OW", &[1, 2, 3, 4, 5, 6]);
    let whole = rich.bytes;
    let read = |bytes: Vec<u8>| {
        let file = from_bytes(Path::new("broken"), bytes)?;
        file.frame(0, &PixelOptions { voi: Voi::Proposed(0), ..PixelOptions::default() })
    };
    let frame = read(whole.clone()).unwrap();
    assert_eq!(frame.pixels.len(), 6);
    for length in 0..whole.len() {
        assert!(read(whole[..length].to_vec()).is_err(), "{length} of {} bytes", whole.len());
    }
    for bit in 132 * 8..whole.len() * 8 {
        let mut copy = whole.clone();
        copy[bit / 8] ^= 1 << (bit % 8);
        // what a flip makes of a value may well be valid; it must not panic
        let _ = read(copy);
    }
}

/// What is not decoded is refused by the name of its syntax.
#[test]
fn unknown_syntaxes_are_named() {
    let mut writer = Writer::new("1.2.840.10008.1.2.4.102");
    writer.image([2, 2, 1], "MONOCHROME2", [8, 8, 0]);
    writer.head((0x7FE0, 0x0010), b"OB", u32::MAX);
    writer.bytes.extend([0xFE, 0xFF, 0x00, 0xE0, 0, 0, 0, 0, 0xFE, 0xFF, 0x00, 0xE0, 2, 0, 0, 0, 1, 2]);
    let error = writer.open().unwrap().stored(0).unwrap_err().to_string();
    assert!(error.contains("H.264") && error.contains("1.2.840.10008.1.2.4.102") && error.contains("video"), "{error}");
}
