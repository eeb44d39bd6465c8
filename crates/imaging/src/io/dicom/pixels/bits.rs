//! Bytes of native pixels, and the bits of a sample that hold its value.

use std::borrow::Cow;
use std::io::Read as _;

use flate2::read::DeflateDecoder;

use super::PixelFormat;

/// The bits of a sample that hold its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    /// Bits below the value.
    pub(super) shift: u32,
    /// Bits of the value, 1 to 32.
    pub(super) bits: u32,
    pub(super) signed: bool,
}

impl Field {
    /// Where the header says that the value is.
    pub(super) fn of(format: &PixelFormat) -> Self {
        let bits = format.stored.min(32);
        let shift = (format.high + 1).saturating_sub(format.stored).min(31);
        Self { shift, bits, signed: format.signed && format.stored > 1 }
    }

    /// The value within a sample. Other bits (overlays of old files, rubbish) are cleared, the sign is extended.
    #[inline]
    pub(super) fn value(self, sample: u32) -> i32 {
        let above = 32 - self.bits;
        let lifted = (sample >> self.shift) << above;
        if self.signed { lifted.cast_signed() >> above } else { (lifted >> above).cast_signed() }
    }
}

/// The samples of `bits` bits from bit `first` on, one byte each where they have one bit (packed over the borders of
/// frames, the lowest bit of a byte first: PS3.5, 8.1.1). `swapped` undoes the byte order of big-endian words for
/// samples that are smaller than a word.
pub(super) fn native(value: &[u8], first: u128, bits: u128, allocated: u32, swapped: bool) -> Cow<'_, [u8]> {
    let (first, bits) = (usize::try_from(first).unwrap_or(usize::MAX), usize::try_from(bits).unwrap_or(0));
    let byte = |at: usize| {
        let at = if swapped && at ^ 1 < value.len() { at ^ 1 } else { at };
        value.get(at).copied().unwrap_or(0)
    };
    match allocated {
        1 => (first..first.saturating_add(bits)).map(|bit| (byte(bit / 8) >> (bit % 8)) & 1).collect(),
        8 if swapped => (first / 8..(first + bits) / 8).map(byte).collect(),
        _ => Cow::Borrowed(value.get(first / 8..first / 8 + bits / 8).unwrap_or_default()),
    }
}

/// A number from each `N` bytes, which are turned if they are big-endian.
pub(super) fn each<const N: usize, T>(bytes: &[u8], big: bool, from: impl Fn([u8; N]) -> T) -> Vec<T> {
    let number = |chunk: &[u8]| {
        let mut number = [0; N];
        number.copy_from_slice(chunk);
        number
    };
    if big {
        let turned = bytes.chunks_exact(N).map(|chunk| {
            let mut number = number(chunk);
            number.reverse();
            from(number)
        });
        return turned.collect();
    }
    bytes.chunks_exact(N).map(|chunk| from(number(chunk))).collect()
}

/// Planes of one channel each as pixels of several channels.
pub(super) fn interleaved<T: Copy>(planes: &[T], channels: usize) -> Vec<T> {
    let pixels = planes.len() / channels;
    (0..pixels).flat_map(|pixel| (0..channels).map(move |channel| planes[channel * pixels + pixel])).collect()
}

/// A deflated frame of at most `needed` bytes.
pub(super) fn inflated(stream: &[u8], needed: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut decoder = DeflateDecoder::new(stream).take(needed as u64);
    decoder.read_to_end(&mut bytes).map_err(|cause| format!("cannot be inflated: {cause}"))?;
    if bytes.len() < needed {
        Err(format!("inflates to {} bytes where {needed} are needed", bytes.len()))
    } else {
        Ok(bytes)
    }
}
