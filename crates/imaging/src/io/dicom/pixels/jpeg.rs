//! JPEG (ITU-T T.81): sequential and progressive with 8 bits, lossless to 16 bits, and sequential with 12 bits.

use jpeg_decoder::{ColorTransform, Decoder};

use super::{Decoded, Photometric, PixelFormat, Samples, jpeg12};

/// What the headers of a stream say.
struct Info {
    /// Marker of the frame: the coding process.
    process: u8,
    precision: u8,
    rows: usize,
    columns: usize,
    /// Identifier and sampling factors of each component.
    components: Vec<[u8; 2]>,
    /// Adobe's statement of the colour transform.
    adobe: Option<u8>,
    jfif: bool,
}

/// Sequential with Huffman codes and up to 12 bits.
const EXTENDED: u8 = 0xC1;
const LOSSLESS: u8 = 0xC3;

/// Decodes the stream of one frame.
pub(super) fn decode(stream: &[u8], format: &PixelFormat) -> Result<Decoded, String> {
    let info = info(stream)?;
    let samples = info.components.len();
    if [info.rows, info.columns, samples] != [format.rows, format.columns, format.samples] {
        return Err(format!(
            "the stream is {} x {} x {samples}, the header says {} x {} x {}",
            info.rows, info.columns, format.rows, format.columns, format.samples
        ));
    }
    let photometric = photometric(&info, format);
    if info.process == EXTENDED && info.precision > 8 {
        return Ok(Decoded { samples: Samples::Words(jpeg12::decode(stream)?), photometric });
    }
    let mut decoder = Decoder::new(stream);
    if samples == 3 {
        // colours are left as they are, each sample beside its pixel: they are converted as the header says
        decoder.set_color_transform(ColorTransform::RGB);
    }
    let bytes = decoder.decode().map_err(|error| error.to_string())?;
    let samples = if info.process == LOSSLESS && info.precision != 8 {
        Samples::Words(bytes.chunks_exact(2).map(|two| u16::from_ne_bytes([two[0], two[1]])).collect())
    } else {
        Samples::Bytes(bytes)
    };
    Ok(Decoded { samples, photometric })
}

/// What the three samples of a pixel are. The stream knows better than the header where it says so: writers that
/// recompress pictures often leave `RGB` in the header above luminance and chrominance.
fn photometric(info: &Info, format: &PixelFormat) -> Photometric {
    let stated = format.photometric.clone();
    if info.components.len() != 3 {
        return stated;
    }
    let ids = [info.components[0][0], info.components[1][0], info.components[2][0]];
    let halved = info.components[0][1] != info.components[1][1];
    match (info.process, info.adobe) {
        (LOSSLESS, _) if stated == Photometric::YbrFull422 => Photometric::YbrFull,
        (LOSSLESS, _) => stated,
        (_, Some(0)) => Photometric::Rgb,
        (_, Some(_)) => Photometric::YbrFull,
        _ if ids == *b"RGB" => Photometric::Rgb,
        _ if stated.is_ybr() || info.jfif || halved => Photometric::YbrFull,
        _ => stated,
    }
}

/// Reads the headers up to the first scan.
fn info(stream: &[u8]) -> Result<Info, String> {
    let ended = || "the stream ends in its headers".to_owned();
    if stream.get(..2) != Some(&[0xFF, 0xD8]) {
        return Err("the stream does not begin as JPEG does".to_owned());
    }
    let mut found: Option<Info> = None;
    let (mut adobe, mut jfif) = (None, false);
    let mut at = 2;
    loop {
        let head = stream.get(at..at + 4).ok_or_else(ended)?;
        let [0xFF, marker, l1, l0] = *head else {
            return Err(format!("byte {at} of the stream should begin a marker"));
        };
        if marker == 0xFF {
            at += 1;
            continue;
        }
        let next = at + 2 + usize::from(u16::from_be_bytes([l1, l0]));
        let segment = stream.get(at + 4..next).ok_or_else(ended)?;
        match marker {
            0xE0 => jfif |= segment.starts_with(b"JFIF"),
            0xEE if segment.starts_with(b"Adobe") => adobe = segment.get(11).copied(),
            // frames of all coding processes; the three others are tables and arithmetic conditioning
            0xC0..=0xCF if ![0xC4, 0xC8, 0xCC].contains(&marker) => {
                let [precision, y1, y0, x1, x0, _, rest @ ..] = segment else { return Err(ended()) };
                found = Some(Info {
                    process: marker,
                    precision: *precision,
                    rows: usize::from(u16::from_be_bytes([*y1, *y0])),
                    columns: usize::from(u16::from_be_bytes([*x1, *x0])),
                    components: rest.chunks_exact(3).map(|component| [component[0], component[1]]).collect(),
                    adobe: None,
                    jfif: false,
                });
            }
            0xDA => {
                let info = found.ok_or("the stream has no frame header")?;
                return Ok(Info { adobe, jfif, ..info });
            }
            _ => {}
        }
        at = next;
    }
}
