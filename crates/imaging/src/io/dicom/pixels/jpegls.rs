//! JPEG-LS, lossless and near-lossless (ISO/IEC 14495-1, ITU-T T.87): the LOCO-I predictor with context modelling,
//! Golomb codes and runs. All interleave modes and preset parameters; no mapping tables, no restarts.

mod coder;

use self::coder::{Coder, Parameters};
use super::{Decoded, Photometric, PixelFormat, Samples};

/// What the frame header says.
struct Frame {
    precision: u32,
    rows: usize,
    columns: usize,
    /// Identifiers of the components, in their order.
    components: Vec<u8>,
}

/// Decodes the stream of one frame.
pub(super) fn decode(stream: &[u8], format: &PixelFormat) -> Result<Decoded, String> {
    if stream.get(..2) != Some(&[0xFF, 0xD8]) {
        return Err("the stream does not begin as JPEG-LS does".to_owned());
    }
    let mut at = 2;
    let mut frame: Option<Frame> = None;
    let mut preset = [0_i32; 5];
    let mut values: Vec<u16> = Vec::new();
    let mut done = 0;
    while frame.as_ref().is_none_or(|frame| done < frame.components.len()) {
        let (marker, segment, next) = segment(stream, at)?;
        at = next;
        match marker {
            0xF7 => {
                let read = frame_header(segment)?;
                let [rows, columns, samples] = [read.rows, read.columns, read.components.len()];
                if [rows, columns, samples] != [format.rows, format.columns, format.samples] || frame.is_some() {
                    let (high, wide, deep) = (format.rows, format.columns, format.samples);
                    return Err(format!(
                        "the stream is {rows} x {columns} x {samples}, the header says {high} x {wide} x {deep}"
                    ));
                }
                values = vec![0; format.values()];
                frame = Some(read);
            }
            0xF8 => match segment {
                [1, words @ ..] if words.len() >= 10 => {
                    for (place, two) in preset.iter_mut().zip(words.chunks_exact(2)) {
                        *place = i32::from(u16::from_be_bytes([two[0], two[1]]));
                    }
                }
                _ => return Err("mapping tables of JPEG-LS are not read".to_owned()),
            },
            0xDD if segment.iter().any(|&byte| byte != 0) => {
                return Err("restart intervals of JPEG-LS are not read".to_owned());
            }
            0xDA => {
                let frame = frame.as_ref().ok_or("a scan stands before the frame header")?;
                let scan = Scan::read(segment, frame)?;
                let parameters = Parameters::new(frame.precision, scan.near, preset)?;
                at += scan.decode(stream.get(at..).unwrap_or_default(), parameters, frame, &mut values)?;
                done += scan.components.len();
            }
            _ => {}
        }
    }
    let precision = frame.map_or(16, |frame| frame.precision);
    let samples = if precision <= 8 {
        Samples::Bytes(values.into_iter().map(|value| value as u8).collect())
    } else {
        Samples::Words(values)
    };
    let photometric = match format.photometric {
        // reversible colours of JPEG 2000 do not exist here; such files hold plain ones
        Photometric::YbrJpeg2000 => Photometric::Rgb,
        Photometric::YbrFull422 => Photometric::YbrFull,
        ref stated => stated.clone(),
    };
    Ok(Decoded { samples, photometric })
}

/// The marker at `at` or behind padding there, its segment, and where the next begins.
fn segment(stream: &[u8], mut at: usize) -> Result<(u8, &[u8], usize), String> {
    let ended = || "the stream ends before its picture does".to_owned();
    loop {
        match stream.get(at..at + 2).ok_or_else(ended)? {
            [0xFF, 0xFF] => at += 1,
            [0xFF, 0xD9] => return Err(ended()),
            [0xFF, marker] => {
                let two = stream.get(at + 2..at + 4).ok_or_else(ended)?;
                let length = usize::from(u16::from_be_bytes([two[0], two[1]]));
                let segment = stream.get(at + 4..at + 2 + length).ok_or_else(ended)?;
                return Ok((*marker, segment, at + 2 + length));
            }
            // padding behind a scan
            _ => at += 1,
        }
    }
}

fn frame_header(segment: &[u8]) -> Result<Frame, String> {
    let [precision, y1, y0, x1, x0, count, rest @ ..] = segment else {
        return Err("the frame header is too short".to_owned());
    };
    let components: Vec<u8> = rest.chunks_exact(3).map(|component| component[0]).collect();
    if components.len() != usize::from(*count) || !(2..=16).contains(precision) {
        return Err(format!("{count} components of {precision} bits in a header of {} bytes", segment.len()));
    }
    Ok(Frame {
        precision: u32::from(*precision),
        rows: usize::from(u16::from_be_bytes([*y1, *y0])),
        columns: usize::from(u16::from_be_bytes([*x1, *x0])),
        components,
    })
}

/// What a scan header says.
struct Scan {
    /// Places of the components in a pixel.
    components: Vec<usize>,
    near: i32,
    /// One component alone, line by line, or pixel by pixel.
    interleave: u8,
}

impl Scan {
    fn read(segment: &[u8], frame: &Frame) -> Result<Self, String> {
        let broken = || "the scan header is damaged".to_owned();
        let count = usize::from(*segment.first().ok_or_else(broken)?);
        let [near, interleave, ..] = segment.get(1 + 2 * count..).unwrap_or_default() else { return Err(broken()) };
        let chosen = segment[1..].chunks_exact(2).take(count);
        let place = |pair: &[u8]| frame.components.iter().position(|&id| id == pair[0]);
        let components: Vec<usize> = chosen.map(place).collect::<Option<_>>().ok_or_else(broken)?;
        let fits = if *interleave == 0 { count == 1 } else { count >= 1 && *interleave <= 2 };
        if !fits {
            return Err(broken());
        }
        Ok(Self { components, near: i32::from(*near), interleave: *interleave })
    }

    /// Decodes the scan at the start of `stream` and says how many bytes it took.
    fn decode(
        &self,
        stream: &[u8],
        parameters: Parameters,
        frame: &Frame,
        values: &mut [u16],
    ) -> Result<usize, String> {
        let samples = frame.components.len();
        let width = frame.columns;
        let count = self.components.len();
        let mut coder = Coder::new(stream, parameters);
        // a line has one place before and one behind for the neighbours of its ends
        let mut previous = vec![vec![0_i32; width + 2]; count];
        let mut current = previous.clone();
        let mut runs = vec![0; count];
        for row in 0..frame.rows {
            for (line, above) in current.iter_mut().zip(&mut previous) {
                line[0] = above[1];
                above[width + 1] = above[width];
            }
            if self.interleave == 2 && count > 1 {
                coder.pixels(&previous, &mut current, &mut runs[0], width)?;
            } else {
                for ((above, line), run) in previous.iter().zip(&mut current).zip(&mut runs) {
                    coder.line(above, line, run, width)?;
                }
            }
            let line = &mut values[row * width * samples..(row + 1) * width * samples];
            for (decoded, &component) in current.iter().zip(&self.components) {
                for (pixel, &value) in line.chunks_exact_mut(samples).zip(&decoded[1..=width]) {
                    pixel[component] = value as u16;
                }
            }
            std::mem::swap(&mut previous, &mut current);
        }
        Ok(coder.read())
    }
}
