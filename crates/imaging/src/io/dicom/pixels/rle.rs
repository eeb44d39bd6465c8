//! RLE lossless (PS3.5, annex G): one segment of packed bits for each byte of a sample, the highest byte first.

use super::PixelFormat;

/// The values of a frame, little-endian, the channels of a pixel side by side.
pub(super) fn decode(stream: &[u8], format: &PixelFormat) -> Result<Vec<u8>, String> {
    let size = (format.allocated / 8) as usize;
    if size == 0 || size > 4 {
        return Err(format!("samples of {} bits cannot be in run lengths", format.allocated));
    }
    let word = |at: usize| {
        let four = stream.get(4 * at..4 * at + 4)?;
        Some(u32::from_le_bytes([four[0], four[1], four[2], four[3]]) as usize)
    };
    let segments = format.samples * size;
    match word(0) {
        Some(stated) if stated == segments => {}
        Some(stated) => return Err(format!("{stated} segments where {segments} are needed")),
        None => return Err("the stream ends in its head".to_owned()),
    }
    let pixels = format.rows * format.columns;
    let mut values = vec![0; pixels * segments];
    for segment in 0..segments {
        // the head has room for 15 offsets; 4 samples of 4 bytes would need 16
        let start = word(segment + 1).filter(|_| segment < 15).ok_or("the stream ends in its head")?;
        let end = if segment + 1 < segments { word(segment + 2).unwrap_or(stream.len()) } else { stream.len() };
        let packed = stream.get(start..end.min(stream.len()));
        let packed =
            packed.ok_or_else(|| format!("segment {} is said to be from byte {start} to {end}", segment + 1))?;
        let (sample, byte) = (segment / size, size - 1 - segment % size);
        unpack(packed, &mut values, sample * size + byte, segments)
            .map_err(|held| format!("segment {} has {held} bytes where {pixels} are needed", segment + 1))?;
    }
    Ok(values)
}

/// Writes the bytes of a segment to every `step`-th place from `first` on; how many there were if they are too few.
fn unpack(packed: &[u8], values: &mut [u8], first: usize, step: usize) -> Result<(), usize> {
    let mut places = values.iter_mut().skip(first).step_by(step);
    let mut written = 0;
    let needed = places.len();
    let mut at = 0;
    while written < needed {
        let Some(&code) = packed.get(at) else { return Err(written) };
        let code = code.cast_signed();
        at += 1;
        if code >= 0 {
            let count = usize::from(code.unsigned_abs()) + 1;
            let literal = packed.get(at..packed.len().min(at + count)).unwrap_or_default();
            for (&byte, place) in literal.iter().zip(&mut places) {
                *place = byte;
                written += 1;
            }
            at += count;
        } else if code != i8::MIN {
            let Some(&byte) = packed.get(at) else { return Err(written) };
            at += 1;
            for place in places.by_ref().take(1 + usize::from(code.unsigned_abs())) {
                *place = byte;
                written += 1;
            }
        }
    }
    Ok(())
}
