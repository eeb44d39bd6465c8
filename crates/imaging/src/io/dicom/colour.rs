//! Luminance and chrominance as red, green and blue (PS3.3, C.7.6.3.1.2: the full-range matrix of ITU-R BT.601).

/// Bytes `Y1 Y2 Cb Cr` of two pixels as two pixels of three samples each.
pub(super) fn spread_422(bytes: &[u8]) -> Vec<i32> {
    bytes
        .chunks_exact(4)
        .flat_map(|four| [four[0], four[2], four[3], four[1], four[2], four[3]])
        .map(i32::from)
        .collect()
}

/// Turns pixels of three samples from YBR into RGB, both from 0 to `top`, in place.
pub(super) fn to_rgb(pixels: &mut [f32], top: f32) {
    let middle = f32::midpoint(top, 1.0);
    for pixel in pixels.chunks_exact_mut(3) {
        let [y, blue, red] = [pixel[0], pixel[1] - middle, pixel[2] - middle];
        pixel[0] = (y + 1.402 * red).round().clamp(0.0, top);
        pixel[1] = (y - 0.344_136 * blue - 0.714_136 * red).round().clamp(0.0, top);
        pixel[2] = (y + 1.772 * blue).round().clamp(0.0, top);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The corners of the standard's colour cube: pure colours have the luminance of their weight.
    #[test]
    fn pure_colours_come_back() {
        for (ybr, rgb) in [
            ([76.0, 85.0, 255.0], [254.0, 0.0, 0.0]),
            ([29.0, 255.0, 107.0], [0.0, 0.0, 254.0]),
            ([0.0, 128.0, 128.0], [0.0, 0.0, 0.0]),
            ([192.0, 128.0, 128.0], [192.0, 192.0, 192.0]),
        ] {
            let mut pixel = ybr;
            to_rgb(&mut pixel, 255.0);
            // these values are pydicom's convert_color_space of the same pixels
            assert_eq!(pixel, rgb);
        }
    }

    #[test]
    fn two_pixels_share_their_colour() {
        assert_eq!(spread_422(&[1, 2, 3, 4]), [1, 3, 4, 2, 3, 4]);
    }
}
