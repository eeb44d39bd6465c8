//! JPEG 2000 and high-throughput JPEG 2000 (ISO/IEC 15444-1, -15), by `OpenJPEG` as translated to Rust.

use std::borrow::Cow;

use dicom_core::value::C;
use dicom_encoding::adapters::{PixelDataObject, RawPixelData};
use dicom_encoding::{TransferSyntax, TransferSyntaxIndex};
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::{Decoded, Photometric, PixelFormat, Samples};

/// Decodes the stream of one frame.
pub(super) fn decode(stream: &[u8], format: &PixelFormat, uid: &str) -> Result<Decoded, String> {
    check(stream, format)?;
    let reader = TransferSyntaxRegistry.get(uid).and_then(TransferSyntax::pixel_data_reader);
    let reader = reader.ok_or("this build has no decoder for JPEG 2000; build with the feature openjp2")?;
    let wide = format.stored > 8 || format.allocated > 8;
    let object = OneFrame { stream, format, uid, bits: if wide { 16 } else { 8 } };
    let mut bytes = Vec::new();
    reader.decode_frame(&object, 0, &mut bytes).map_err(|error| chain(&error))?;
    let samples = if wide {
        Samples::Words(bytes.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]])).collect())
    } else {
        Samples::Bytes(bytes)
    };
    let photometric = match format.photometric {
        // the colour transform is part of the stream, and was undone with it
        Photometric::YbrJpeg2000 => Photometric::Rgb,
        Photometric::YbrFull422 => Photometric::YbrFull,
        ref stated => stated.clone(),
    };
    Ok(Decoded { samples, photometric })
}

/// An error and what caused it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// Refuses a stream whose picture is not of the size that the header says: the decoder would allocate it.
fn check(stream: &[u8], format: &PixelFormat) -> Result<(), String> {
    let start = stream.windows(4).take(256).position(|four| four == [0xFF, 0x4F, 0xFF, 0x51]);
    let segment =
        start.and_then(|start| stream.get(start + 6..)).ok_or("the stream does not begin as JPEG 2000 does")?;
    let long = |at: usize| {
        let four = segment.get(at..at + 4).ok_or("the stream ends in its header")?;
        Ok::<_, String>(u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
    };
    // behind the length and the capabilities: size, origin, size of a tile, its origin (15444-1, A.5.1)
    let (wide, high, left, top) = (long(2)?, long(6)?, long(10)?, long(14)?);
    let (columns, rows) = (wide.saturating_sub(left) as usize, high.saturating_sub(top) as usize);
    let count = segment.get(34..36).ok_or("the stream ends in its header")?;
    let samples = usize::from(u16::from_be_bytes([count[0], count[1]]));
    if [rows, columns, samples] != [format.rows, format.columns, format.samples] {
        return Err(format!(
            "the stream is {rows} x {columns} x {samples}, the header says {} x {} x {}",
            format.rows, format.columns, format.samples
        ));
    }
    let components = segment.get(36..36 + 3 * samples).ok_or("the stream ends in its header")?;
    for component in components.chunks_exact(3) {
        let bits = (component[0] & 0x7F) + 1;
        if component[1..] != [1, 1] || bits > 16 {
            return Err(format!(
                "a component of {bits} bits, one in {} columns; whole ones to 16 are read",
                component[1]
            ));
        }
    }
    if long(18)? == 0 || long(22)? == 0 {
        return Err("tiles of no size".to_owned());
    }
    Ok(())
}

/// What the decoder asks of a data set, for a stream of one frame.
struct OneFrame<'a> {
    stream: &'a [u8],
    format: &'a PixelFormat,
    uid: &'a str,
    bits: u16,
}

impl PixelDataObject for OneFrame<'_> {
    fn transfer_syntax_uid(&self) -> &str {
        self.uid
    }

    fn rows(&self) -> Option<u16> {
        u16::try_from(self.format.rows).ok()
    }

    fn cols(&self) -> Option<u16> {
        u16::try_from(self.format.columns).ok()
    }

    fn samples_per_pixel(&self) -> Option<u16> {
        u16::try_from(self.format.samples).ok()
    }

    fn bits_allocated(&self) -> Option<u16> {
        Some(self.bits)
    }

    fn bits_stored(&self) -> Option<u16> {
        u16::try_from(self.format.stored).ok()
    }

    fn photometric_interpretation(&self) -> Option<&str> {
        None
    }

    fn number_of_frames(&self) -> Option<u32> {
        Some(1)
    }

    fn number_of_fragments(&self) -> Option<u32> {
        Some(1)
    }

    fn fragment(&self, fragment: usize) -> Option<Cow<'_, [u8]>> {
        (fragment == 0).then_some(Cow::Borrowed(self.stream))
    }

    fn offset_table(&self) -> Option<Cow<'_, [u32]>> {
        Some(Cow::Borrowed(&[]))
    }

    fn raw_pixel_data(&self) -> Option<RawPixelData> {
        let fragments: C<Vec<u8>> = std::iter::once(self.stream.to_vec()).collect();
        Some(RawPixelData { fragments, offset_table: C::new() })
    }
}
