//! JPEG, extended sequential process with 12 bits and one component (ITU-T T.81, process 4): what magnetic resonance,
//! angiography and computed radiography are stored in where they are compressed with loss.

use std::f32::consts::PI;

/// Order in which the coefficients of a block are coded (T.81, figure A.6).
const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// Tables and sizes, as the headers set them.
#[derive(Default)]
struct Tables {
    quantisation: [Option<[f32; 64]>; 4],
    dc: [Option<Huffman>; 4],
    ac: [Option<Huffman>; 4],
    /// Blocks between two restarts; 0 for none.
    restart: usize,
    frame: Option<Frame>,
}

#[derive(Clone, Copy)]
struct Frame {
    precision: u32,
    rows: usize,
    columns: usize,
    quantisation: usize,
}

/// Decodes the stream of a frame whose size was checked already.
pub(super) fn decode(stream: &[u8]) -> Result<Vec<u16>, String> {
    let ended = || "the stream ends before its picture does".to_owned();
    let mut tables = Tables::default();
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
            0xC1 => tables.frame = Some(frame(segment)?),
            0xC4 => tables.huffman(segment)?,
            0xDB => tables.quantise(segment)?,
            0xDD => {
                let two: [u8; 2] = segment.try_into().map_err(|_| ended())?;
                tables.restart = usize::from(u16::from_be_bytes(two));
            }
            0xDA => return tables.scan(segment, stream.get(next..).unwrap_or_default()),
            _ => {}
        }
        at = next;
    }
}

fn frame(segment: &[u8]) -> Result<Frame, String> {
    match *segment {
        [precision, y1, y0, x1, x0, 1, _, _, table] if table < 4 && (8..=12).contains(&precision) => Ok(Frame {
            precision: u32::from(precision),
            rows: usize::from(u16::from_be_bytes([y1, y0])),
            columns: usize::from(u16::from_be_bytes([x1, x0])),
            quantisation: usize::from(table),
        }),
        [precision, _, _, _, _, count, ..] => {
            Err(format!("{count} components of {precision} bits; with more than 8 bits, one component of 12 is read"))
        }
        _ => Err("the frame header is too short".to_owned()),
    }
}

impl Tables {
    fn quantise(&mut self, mut segment: &[u8]) -> Result<(), String> {
        while let [kind, rest @ ..] = segment {
            let size = if kind >> 4 == 0 { 1 } else { 2 };
            let place = self.quantisation.get_mut(usize::from(kind & 15)).ok_or("a fifth quantisation table")?;
            let steps = rest.get(..64 * size).ok_or("a quantisation table is too short")?;
            let mut table = [0.0_f32; 64];
            for (&place, step) in ZIGZAG.iter().zip(steps.chunks_exact(size)) {
                table[place] = step.iter().fold(0.0, |high, &low| high * 256.0 + f32::from(low));
            }
            *place = Some(table);
            segment = &rest[64 * size..];
        }
        Ok(())
    }

    fn huffman(&mut self, mut segment: &[u8]) -> Result<(), String> {
        while let [kind, rest @ ..] = segment {
            let counts = rest.get(..16).ok_or("a Huffman table is too short")?;
            let total: usize = counts.iter().map(|&count| usize::from(count)).sum();
            let symbols = rest.get(16..16 + total).ok_or("a Huffman table is too short")?;
            let tables = if kind >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            let place = tables.get_mut(usize::from(kind & 15)).ok_or("a fifth Huffman table")?;
            *place = Some(Huffman::new(counts, symbols));
            segment = &rest[16 + total..];
        }
        Ok(())
    }

    /// Decodes the only scan. Its spectral selection is not looked at: a sequential scan has all coefficients, and
    /// many writers leave 0 to 0 there.
    fn scan(&self, segment: &[u8], stream: &[u8]) -> Result<Vec<u16>, String> {
        let frame = self.frame.ok_or("a scan stands before the frame header")?;
        let Some(&selectors) = segment.get(2) else { return Err("the scan header is too short".to_owned()) };
        let dc = self.dc.get(usize::from(selectors >> 4)).and_then(Option::as_ref);
        let ac = self.ac.get(usize::from(selectors & 15)).and_then(Option::as_ref);
        let steps = self.quantisation.get(frame.quantisation).and_then(Option::as_ref);
        let (Some(dc), Some(ac), Some(steps)) = (dc, ac, steps) else {
            return Err("a table that the scan uses is missing".to_owned());
        };
        let basis = basis();
        let most = (1_i32 << frame.precision) - 1;
        let middle = (1_i32 << (frame.precision - 1)) as f32;
        let mut values = vec![0; frame.rows * frame.columns];
        let mut bits = Bits { stream, at: 0, held: 0, count: 0, past: 0 };
        let mut predicted = 0;
        let (down, across) = (frame.rows.div_ceil(8), frame.columns.div_ceil(8));
        for block in 0..down * across {
            if self.restart > 0 && block > 0 && block.is_multiple_of(self.restart) {
                bits.restart();
                predicted = 0;
            }
            let coefficients = coefficients(&mut bits, dc, ac, steps, &mut predicted)?;
            let pixels = transformed(&coefficients, &basis);
            let (top, left) = (block / across * 8, block % across * 8);
            for (row, line) in pixels.chunks_exact(8).enumerate().take(frame.rows - top) {
                let start = (top + row) * frame.columns + left;
                let width = 8.min(frame.columns - left);
                for (value, &pixel) in values[start..start + width].iter_mut().zip(line) {
                    *value = ((pixel + middle).round() as i32).clamp(0, most) as u16;
                }
            }
        }
        Ok(values)
    }
}

/// The coefficients of a block, multiplied by their steps (T.81, F.2.2).
fn coefficients(
    bits: &mut Bits,
    dc: &Huffman,
    ac: &Huffman,
    steps: &[f32; 64],
    predicted: &mut i32,
) -> Result<[f32; 64], String> {
    let mut block = [0.0_f32; 64];
    let size = dc.symbol(bits)?;
    *predicted = predicted.wrapping_add(bits.signed(u32::from(size))?);
    block[0] = *predicted as f32 * steps[0];
    let mut place = 1;
    while place < 64 {
        let symbol = ac.symbol(bits)?;
        let (zeros, size) = (usize::from(symbol >> 4), symbol & 15);
        if size == 0 {
            // sixteen zeros, or nothing but zeros to the end
            if zeros < 15 {
                break;
            }
            place += 16;
            continue;
        }
        place += zeros;
        let Some(&natural) = ZIGZAG.get(place) else { return Err("a block has more than 64 coefficients".to_owned()) };
        block[natural] = bits.signed(u32::from(size))? as f32 * steps[natural];
        place += 1;
    }
    Ok(block)
}

/// `C(u)/2 · cos((2x + 1)uπ/16)`, as `[x][u]` (T.81, A.3.3).
fn basis() -> [[f32; 8]; 8] {
    std::array::from_fn(|x| {
        std::array::from_fn(|u| {
            let scale = if u == 0 { 0.5_f32.sqrt() } else { 1.0 };
            scale / 2.0 * ((2 * x + 1) as f32 * u as f32 * PI / 16.0).cos()
        })
    })
}

/// The inverse cosine transform of a block, rows first.
fn transformed(block: &[f32; 64], basis: &[[f32; 8]; 8]) -> [f32; 64] {
    let mut rows = [0.0_f32; 64];
    for (line, out) in block.chunks_exact(8).zip(rows.chunks_exact_mut(8)) {
        for (value, waves) in out.iter_mut().zip(basis) {
            *value = line.iter().zip(waves).map(|(a, b)| a * b).sum();
        }
    }
    let mut pixels = [0.0_f32; 64];
    for (y, waves) in basis.iter().enumerate() {
        for x in 0..8 {
            pixels[8 * y + x] = waves.iter().enumerate().map(|(v, wave)| wave * rows[8 * v + x]).sum();
        }
    }
    pixels
}

/// A canonical prefix code: of each length the greatest code, and what to add to a code for the place of its symbol.
struct Huffman {
    greatest: [i32; 17],
    offset: [i32; 17],
    symbols: Vec<u8>,
}

impl Huffman {
    fn new(counts: &[u8], symbols: &[u8]) -> Self {
        let (mut greatest, mut offset) = ([-1; 17], [0; 17]);
        let (mut code, mut place) = (0_i32, 0_i32);
        for (length, &count) in (1..=16).zip(counts) {
            if count > 0 {
                offset[length] = place - code;
                place += i32::from(count);
                code += i32::from(count);
                greatest[length] = code - 1;
            }
            code <<= 1;
        }
        Self { greatest, offset, symbols: symbols.to_vec() }
    }

    fn symbol(&self, bits: &mut Bits) -> Result<u8, String> {
        let mut code = 0_i32;
        for (&greatest, &offset) in self.greatest.iter().zip(&self.offset).skip(1) {
            code = (code << 1) | bits.bit()?;
            if code <= greatest {
                let place = usize::try_from(code + offset).ok();
                let symbol = place.and_then(|place| self.symbols.get(place));
                return symbol.copied().ok_or_else(|| "a code has no symbol".to_owned());
            }
        }
        Err("the stream holds a code that is in no table".to_owned())
    }
}

/// Bits of the entropy-coded stream, the highest of a byte first; 0xFF is followed by a zero, or is a marker.
struct Bits<'a> {
    stream: &'a [u8],
    at: usize,
    held: u8,
    count: u32,
    /// Bytes that were asked for behind the end.
    past: usize,
}

impl Bits<'_> {
    #[inline]
    fn bit(&mut self) -> Result<i32, String> {
        if self.count == 0 {
            self.held = self.byte()?;
            self.count = 8;
        }
        self.count -= 1;
        Ok(i32::from(self.held >> self.count) & 1)
    }

    fn byte(&mut self) -> Result<u8, String> {
        match (self.stream.get(self.at), self.stream.get(self.at + 1)) {
            (Some(0xFF), Some(0)) => {
                self.at += 2;
                Ok(0xFF)
            }
            (Some(&byte), _) if byte != 0xFF => {
                self.at += 1;
                Ok(byte)
            }
            // some writers end a few bits early: a reader goes on with ones
            _ if self.past < 4 => {
                self.past += 1;
                Ok(0xFF)
            }
            _ => Err("the stream ends before its picture does".to_owned()),
        }
    }

    /// A number of `size` bits, whose first bit is its sign (T.81, F.2.2.1).
    fn signed(&mut self, size: u32) -> Result<i32, String> {
        if size > 16 {
            return Err(format!("a coefficient of {size} bits"));
        }
        let mut value = 0;
        for _ in 0..size {
            value = (value << 1) | self.bit()?;
        }
        let half = (1 << size) >> 1;
        Ok(if value < half { value - (1 << size) + 1 } else { value })
    }

    /// Goes on behind the next restart marker.
    fn restart(&mut self) {
        self.count = 0;
        self.past = 0;
        let rest = self.stream.get(self.at..).unwrap_or_default();
        let marker = rest.windows(2).position(|pair| pair[0] == 0xFF && (0xD0..=0xD7).contains(&pair[1]));
        self.at += marker.map_or(rest.len(), |place| place + 2);
    }
}
