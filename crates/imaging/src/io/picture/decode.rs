//! Pixels of PNG, TIFF, JPEG and GIF.

use std::io::Cursor;

use image::ImageDecoder as _;
use tiff::decoder::DecodingResult;

use super::PictureError;
use crate::io::Notice;

/// Pixels that one page may have: 1 GiB of `f32`. What is larger is no picture for a network, or a bomb.
const MAX_PIXELS: u64 = 1 << 28;

/// Bytes that a TIFF file may keep in one tag.
const MAX_TAG: usize = 16 << 20;

/// What the pixels are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Brightness: palettes become their colours.
    Grey,
    /// Labels: palettes stay indices, and nothing may be lossy.
    Labels,
}

/// One picture of a file, `channels` values (1 or 3) side by side for each pixel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Page {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) channels: usize,
    pub(super) pixels: Vec<f32>,
    /// Bits of one value in the file.
    pub(super) bits: u32,
}

impl Page {
    /// Drops opacity, and two of three channels that are the same.
    fn simple(mut self) -> Self {
        if matches!(self.channels, 2 | 4) {
            let kept = self.channels - 1;
            self.pixels = self.pixels.chunks_exact(self.channels).flat_map(|pixel| &pixel[..kept]).copied().collect();
            self.channels = kept;
        }
        if self.channels == 3 && self.pixels.chunks_exact(3).all(|pixel| pixel[0] == pixel[1] && pixel[0] == pixel[2]) {
            self.pixels = self.pixels.iter().step_by(3).copied().collect();
            self.channels = 1;
        }
        self
    }
}

/// All pages of a file, of which only TIFF has more than one.
pub(super) fn pages(
    bytes: &[u8],
    purpose: Purpose,
    limit: u64,
    notices: &mut Vec<Notice>,
) -> Result<Vec<Page>, PictureError> {
    let pages = if bytes.starts_with(b"\x89PNG") {
        vec![png(bytes, purpose, limit)?]
    } else if bytes.starts_with(b"GIF8") {
        vec![gif(bytes, purpose, limit, notices)?]
    } else if bytes.starts_with(&[0xff, 0xd8]) {
        if purpose == Purpose::Labels {
            return Err(PictureError::Lossy);
        }
        vec![jpeg(bytes, limit)?]
    } else {
        tiff_pages(bytes, purpose, limit)?
    };
    Ok(pages.into_iter().map(Page::simple).collect())
}

/// Refuses what is too large before there is room made for it.
fn check(width: u64, height: u64, limit: u64) -> Result<(), PictureError> {
    match width.checked_mul(height) {
        Some(pixels @ 1..) if pixels <= MAX_PIXELS => {
            if 4 * pixels > limit {
                Err(PictureError::Memory { bytes: 4 * pixels })
            } else {
                Ok(())
            }
        }
        _ => Err(PictureError::Size { width, height, limit: MAX_PIXELS }),
    }
}

fn broken(format: &'static str) -> impl Fn(String) -> PictureError {
    move |cause| PictureError::Decode { format, cause }
}

fn png(bytes: &[u8], purpose: Purpose, limit: u64) -> Result<Page, PictureError> {
    let wrong = |error: png::DecodingError| broken("PNG")(error.to_string());
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: 8 << 30 });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(match purpose {
        Purpose::Grey => png::Transformations::EXPAND,
        Purpose::Labels => png::Transformations::IDENTITY,
    });
    let (width, height) = decoder.read_header_info().map_err(wrong)?.size();
    check(u64::from(width), u64::from(height), limit)?;
    let mut reader = decoder.read_info().map_err(wrong)?;
    let size = reader.output_buffer_size().unwrap_or(usize::MAX);
    let mut packed = room(size)?;
    let info = reader.next_frame(&mut packed).map_err(wrong)?;
    packed.truncate(info.buffer_size());
    let channels = info.color_type.samples();
    let (width, height) = (info.width as usize, info.height as usize);
    let bits = info.bit_depth as u8;
    let pixels: Vec<f32> = match bits {
        16 => {
            let (words, _) = packed.as_chunks::<2>();
            words.iter().map(|&word| f32::from(u16::from_be_bytes(word))).collect()
        }
        8 => packed.iter().map(|&value| f32::from(value)).collect(),
        // several values in one byte, the first in the high bits; a row begins at a byte
        _ => {
            let mut pixels = Vec::with_capacity(width * height);
            for row in packed.chunks_exact(info.line_size.max(1)) {
                let values = row.iter().flat_map(|&byte| {
                    (0..8 / bits).map(move |index| (byte >> (8 - bits * (index + 1))) & ((1 << bits) - 1))
                });
                pixels.extend(values.take(width * channels).map(f32::from));
            }
            pixels
        }
    };
    Ok(Page { width, height, channels, pixels, bits: u32::from(bits) })
}

fn gif(bytes: &[u8], purpose: Purpose, limit: u64, notices: &mut Vec<Notice>) -> Result<Page, PictureError> {
    let wrong = |error: gif::DecodingError| broken("GIF")(error.to_string());
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::Indexed);
    options.set_memory_limit(gif::MemoryLimit::Unlimited);
    options.check_frame_consistency(true);
    let mut decoder = options.read_info(Cursor::new(bytes)).map_err(wrong)?;
    let (width, height) = (usize::from(decoder.width()), usize::from(decoder.height()));
    check(width as u64, height as u64, limit)?;
    let background = decoder.bg_color().and_then(|index| u8::try_from(index).ok()).unwrap_or(0);
    let global = decoder.global_palette().map(<[u8]>::to_vec);
    let frame = decoder.read_next_frame().map_err(wrong)?;
    let frame = frame.ok_or_else(|| broken("GIF")("there is no picture in it".to_owned()))?;
    let mut indices = vec![background; width * height];
    let columns = usize::from(frame.width).max(1);
    for (row, values) in frame.buffer.chunks_exact(columns).enumerate() {
        let start = (usize::from(frame.top) + row) * width + usize::from(frame.left);
        if let Some(place) = indices.get_mut(start..start + columns) {
            place.copy_from_slice(values);
        }
    }
    let palette = frame.palette.clone().or(global).unwrap_or_default();
    if matches!(decoder.next_frame_info(), Ok(Some(_))) {
        notices.push(Notice::new("the GIF moves; its first picture was read"));
    }
    let page = |channels, pixels| Page { width, height, channels, pixels, bits: 8 };
    if purpose == Purpose::Labels {
        return Ok(page(1, indices.into_iter().map(f32::from).collect()));
    }
    let mut pixels = Vec::with_capacity(3 * indices.len());
    for index in indices {
        let at = 3 * usize::from(index);
        let colour = palette.get(at..at + 3).unwrap_or(&[0, 0, 0]);
        pixels.extend(colour.iter().map(|&value| f32::from(value)));
    }
    Ok(page(3, pixels))
}

fn jpeg(bytes: &[u8], limit: u64) -> Result<Page, PictureError> {
    let wrong = |error: image::ImageError| broken("JPEG")(error.to_string());
    // The decoder fills what is missing with grey, so that a picture that was cut short looks whole.
    let last = |mark: [u8; 2]| bytes.windows(2).rposition(|pair| pair == mark);
    if last([0xff, 0xd9]) < last([0xff, 0xda]) {
        return Err(PictureError::Cut);
    }
    let decoder = image::codecs::jpeg::JpegDecoder::new(Cursor::new(bytes)).map_err(wrong)?;
    let (width, height) = decoder.dimensions();
    check(u64::from(width), u64::from(height), limit)?;
    let channels = usize::from(decoder.color_type().channel_count());
    let bytes_per_pixel = usize::from(decoder.color_type().bytes_per_pixel());
    if bytes_per_pixel != channels {
        return Err(broken("JPEG")(format!("{} bits a value", 8 * bytes_per_pixel / channels.max(1))));
    }
    let (width, height) = (width as usize, height as usize);
    let mut packed = room(width * height * channels)?;
    decoder.read_image(&mut packed).map_err(wrong)?;
    let pixels = packed.into_iter().map(f32::from).collect();
    Ok(Page { width, height, channels, pixels, bits: 8 })
}

fn tiff_pages(bytes: &[u8], purpose: Purpose, limit: u64) -> Result<Vec<Page>, PictureError> {
    let wrong = |error: tiff::TiffError| broken("TIFF")(error.to_string());
    let mut limits = tiff::decoder::Limits::default();
    limits.decoding_buffer_size = MAX_PIXELS as usize * 8;
    limits.intermediate_buffer_size = MAX_PIXELS as usize * 8;
    limits.ifd_value_size = MAX_TAG;
    let mut decoder = tiff::decoder::Decoder::new(Cursor::new(bytes)).map_err(wrong)?.with_limits(limits);
    let mut pages = Vec::new();
    let mut used = 0_u64;
    loop {
        let (width, height) = decoder.dimensions().map_err(wrong)?;
        check(u64::from(width), u64::from(height), limit)?;
        let colours = decoder.colortype().map_err(wrong)?;
        let channels = match colours {
            tiff::ColorType::Gray(_) => 1,
            tiff::ColorType::GrayA(_) => 2,
            tiff::ColorType::RGB(_) => 3,
            tiff::ColorType::RGBA(_) => 4,
            _ => {
                return Err(broken("TIFF")(format!(
                    "colours of the kind {colours:?} are not read; save it as grey or RGB"
                )));
            }
        };
        let (width, height) = (width as usize, height as usize);
        let values = width * height * channels;
        used = used.saturating_add(4 * values as u64);
        if used > limit {
            return Err(PictureError::Memory { bytes: used });
        }
        let planes = decoder.find_tag_unsigned::<u16>(tiff::tags::Tag::PlanarConfiguration).map_err(wrong)?;
        if channels > 1 && planes == Some(2) {
            return Err(broken("TIFF")(
                "its channels lie one behind the other (planar); save it interleaved".to_owned(),
            ));
        }
        let pixels = numbers(decoder.read_image().map_err(wrong)?);
        // values of 1 to 7 bits come packed, and are spread to 8 as those of a PNG are
        let bits = colours.bit_depth();
        let mut pixels = if bits < 8 { unpacked(&pixels, bits, width * channels, height) } else { pixels };
        if bits < 8 && purpose == Purpose::Grey {
            let most = (1_u32 << bits) - 1;
            pixels.iter_mut().for_each(|value| *value *= 255.0 / most as f32);
        }
        if pixels.len() != values {
            return Err(broken("TIFF")(format!("{} values for {width} x {height} pixels", pixels.len())));
        }
        pages.push(Page { width, height, channels, pixels, bits: u32::from(bits.max(8)) });
        if !decoder.more_images() {
            return Ok(pages);
        }
        decoder.next_image().map_err(wrong)?;
    }
}

fn numbers(decoded: DecodingResult) -> Vec<f32> {
    match decoded {
        DecodingResult::U8(values) => values.into_iter().map(f32::from).collect(),
        DecodingResult::U16(values) => values.into_iter().map(f32::from).collect(),
        DecodingResult::U32(values) => values.into_iter().map(|value| value as f32).collect(),
        DecodingResult::U64(values) => values.into_iter().map(|value| value as f32).collect(),
        DecodingResult::I8(values) => values.into_iter().map(f32::from).collect(),
        DecodingResult::I16(values) => values.into_iter().map(f32::from).collect(),
        DecodingResult::I32(values) => values.into_iter().map(|value| value as f32).collect(),
        DecodingResult::I64(values) => values.into_iter().map(|value| value as f32).collect(),
        DecodingResult::F16(values) => values.into_iter().map(f32::from).collect(),
        DecodingResult::F32(values) => values,
        DecodingResult::F64(values) => values.into_iter().map(|value| value as f32).collect(),
    }
}

/// Values of fewer than 8 bits, of which each row begins at a byte.
fn unpacked(bytes: &[f32], bits: u8, columns: usize, rows: usize) -> Vec<f32> {
    let bits = bits.max(1);
    if bytes.len() == columns * rows {
        return bytes.to_vec();
    }
    let length = (columns * usize::from(bits)).div_ceil(8).max(1);
    let mask = (1_u8 << bits) - 1;
    bytes
        .chunks_exact(length)
        .flat_map(move |row| {
            row.iter()
                .flat_map(move |&byte| {
                    (0..8 / bits).map(move |index| ((byte as u8) >> (8 - bits * (index + 1))) & mask)
                })
                .take(columns)
                .map(f32::from)
        })
        .collect()
}

/// `size` zeros, or an error where the system has no memory for them.
fn room(size: usize) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).map_err(|_| PictureError::Memory { bytes: size as u64 })?;
    bytes.resize(size, 0);
    Ok(bytes)
}
