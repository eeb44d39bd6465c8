//! The entropy coder of JPEG-LS: contexts, Golomb codes and runs, by the equations of T.87, annex A.

/// Orders of run lengths (A.7.1.1, J).
const ORDERS: [u32; 32] =
    [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// Contexts of gradients, then the two of interrupted runs.
const CONTEXTS: usize = 367;

/// What does not change within a scan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameters {
    /// Greatest error of a value.
    near: i32,
    /// Greatest value.
    most: i32,
    thresholds: [i32; 3],
    /// When the counts of a context are halved.
    reset: i32,
    /// Number of errors that can be told apart.
    range: i32,
    /// Bits of an error that is written out.
    bits: u32,
    /// Greatest length of a code.
    limit: u32,
}

impl Parameters {
    /// From the precision, and the preset values of which 0 asks for the default (C.2.4.1.1).
    pub(super) fn new(precision: u32, near: i32, preset: [i32; 5]) -> Result<Self, String> {
        let [stated, t1, t2, t3, reset] = preset;
        let most = if stated == 0 { (1 << precision) - 1 } else { stated };
        if most < 1 || most >= 1 << precision || near > most / 2 {
            return Err(format!("values to {most} with errors to {near} do not fit {precision} bits"));
        }
        let clamp = |value: i32, least: i32| if value > most || value < least { least } else { value };
        let [d1, d2, d3] = if most >= 128 {
            let factor = (most.min(4095) + 128) / 256;
            let d1 = clamp(factor + 2 + 3 * near, near + 1);
            let d2 = clamp(4 * factor + 3 + 5 * near, d1);
            [d1, d2, clamp(17 * factor + 4 + 7 * near, d2)]
        } else {
            let factor = 256 / (most + 1);
            let d1 = clamp((3 / factor + 3 * near).max(2), near + 1);
            let d2 = clamp((7 / factor + 5 * near).max(3), d1);
            [d1, d2, clamp((21 / factor + 7 * near).max(4), d2)]
        };
        let or = |value: i32, default: i32| if value == 0 { default } else { value };
        let range = (most + 2 * near) / (2 * near + 1) + 1;
        let width = |value: i32| 32 - value.leading_zeros();
        let depth = width(most).max(2);
        Ok(Self {
            near,
            most,
            thresholds: [or(t1, d1), or(t2, d2), or(t3, d3)],
            reset: or(reset, 64),
            range,
            bits: width(range - 1),
            limit: 2 * (depth + depth.max(8)),
        })
    }
}

/// What has been learnt of the errors in one context.
#[derive(Debug, Clone, Copy)]
struct Context {
    magnitude: i32,
    bias: i32,
    correction: i32,
    count: i32,
    /// Negative errors, of interrupted runs only.
    negative: i32,
}

/// The state of a scan.
pub(super) struct Coder<'a> {
    bits: Bits<'a>,
    parameters: Parameters,
    contexts: Vec<Context>,
}

impl<'a> Coder<'a> {
    pub(super) fn new(stream: &'a [u8], parameters: Parameters) -> Self {
        let magnitude = ((parameters.range + 32) / 64).max(2);
        let context = Context { magnitude, bias: 0, correction: 0, count: 1, negative: 0 };
        Self { bits: Bits::new(stream), parameters, contexts: vec![context; CONTEXTS] }
    }

    /// Bytes of the stream that were read.
    pub(super) fn read(&self) -> usize {
        self.bits.at
    }

    /// Decodes a line of one component below `above`; both have one place more at either end.
    pub(super) fn line(
        &mut self,
        above: &[i32],
        line: &mut [i32],
        run: &mut usize,
        width: usize,
    ) -> Result<(), String> {
        let mut x = 1;
        while x <= width {
            let [a, b, c, d] = [line[x - 1], above[x], above[x - 1], above[x + 1]];
            if let Some((context, sign)) = self.context(a, b, c, d) {
                line[x] = self.regular(a, b, c, context, sign)?;
                x += 1;
            } else {
                let (length, ended) = self.run(run, width + 1 - x)?;
                line[x..x + length].fill(a);
                x += length;
                if ended {
                    line[x] = self.interruption(a, above[x], *run, true)?;
                    *run = run.saturating_sub(1);
                    x += 1;
                }
            }
        }
        Ok(())
    }

    /// Decodes a line of several components, pixel by pixel; runs hold for all of them at once.
    pub(super) fn pixels(
        &mut self,
        above: &[Vec<i32>],
        lines: &mut [Vec<i32>],
        run: &mut usize,
        width: usize,
    ) -> Result<(), String> {
        let mut x = 1;
        while x <= width {
            let around: Vec<_> = lines
                .iter()
                .zip(above)
                .map(|(line, above)| (line[x - 1], above[x], above[x - 1], above[x + 1]))
                .collect();
            let contexts: Vec<_> = around.iter().map(|&(a, b, c, d)| self.context(a, b, c, d)).collect();
            if contexts.iter().any(Option::is_some) {
                for ((line, &(a, b, c, _)), context) in lines.iter_mut().zip(&around).zip(contexts) {
                    let (context, sign) = context.unwrap_or((0, 1));
                    line[x] = self.regular(a, b, c, context, sign)?;
                }
                x += 1;
                continue;
            }
            let (length, ended) = self.run(run, width + 1 - x)?;
            for (line, &(a, ..)) in lines.iter_mut().zip(&around) {
                line[x..x + length].fill(a);
            }
            x += length;
            if ended {
                for ((line, above), &(a, ..)) in lines.iter_mut().zip(above).zip(&around) {
                    line[x] = self.interruption(a, above[x], *run, false)?;
                }
                *run = run.saturating_sub(1);
                x += 1;
            }
        }
        Ok(())
    }

    /// The context of the gradients around a value and the sign it is read with; `None` where they are flat.
    fn context(&self, a: i32, b: i32, c: i32, d: i32) -> Option<(usize, i32)> {
        let near = self.parameters.near;
        let [t1, t2, t3] = self.parameters.thresholds;
        let level = |gradient: i32| {
            let size = gradient.abs();
            let level = match size {
                _ if size <= near => 0,
                _ if size < t1 => 1,
                _ if size < t2 => 2,
                _ if size < t3 => 3,
                _ => 4,
            };
            level * gradient.signum()
        };
        let number = 81 * level(d - b) + 9 * level(b - c) + level(c - a);
        (number != 0).then(|| (number.unsigned_abs() as usize, number.signum()))
    }

    /// A value outside of a run (A.4 to A.6).
    fn regular(&mut self, a: i32, b: i32, c: i32, place: usize, sign: i32) -> Result<i32, String> {
        let Parameters { near, most, reset, limit, .. } = self.parameters;
        let Context { magnitude, bias, correction, count, .. } = self.contexts[place];
        let predicted = match c {
            _ if c >= a.max(b) => a.min(b),
            _ if c <= a.min(b) => a.max(b),
            _ => a + b - c,
        };
        let predicted = (predicted + sign * correction).clamp(0, most);
        let order = order(count, magnitude);
        let mapped = self.golomb(order, limit)?;
        let mut error = if mapped % 2 == 1 { -((mapped + 1) / 2) } else { mapped / 2 };
        if near == 0 && order == 0 && 2 * bias <= -count {
            error = -error - 1;
        }
        let context = &mut self.contexts[place];
        context.bias += error * (2 * near + 1);
        context.magnitude += error.abs();
        if context.count == reset {
            context.magnitude >>= 1;
            context.bias >>= 1;
            context.count >>= 1;
        }
        context.count += 1;
        if context.bias <= -context.count {
            context.bias = (context.bias + context.count).max(1 - context.count);
            context.correction = (context.correction - 1).max(-128);
        } else if context.bias > 0 {
            context.bias = (context.bias - context.count).min(0);
            context.correction = (context.correction + 1).min(127);
        }
        Ok(self.reconstructed(predicted, sign * error))
    }

    /// How many values the run is on for, at most `left`, and whether another value ends it within the line (A.7.1).
    fn run(&mut self, order: &mut usize, left: usize) -> Result<(usize, bool), String> {
        let mut length = 0;
        while self.bits.bit()? == 1 {
            let stretch = 1 << ORDERS[*order];
            if length + stretch <= left {
                *order = (*order + 1).min(31);
            }
            length = (length + stretch).min(left);
            if length == left {
                return Ok((length, false));
            }
        }
        length += self.bits.bits(ORDERS[*order])? as usize;
        if length < left { Ok((length, true)) } else { Err("a run goes on beyond its line".to_owned()) }
    }

    /// The value that ends a run (A.7.2). Where components are interleaved by pixel, the two kinds of ends are one.
    fn interruption(&mut self, a: i32, b: i32, run: usize, two_kinds: bool) -> Result<i32, String> {
        let Parameters { near, reset, limit, .. } = self.parameters;
        let alike = two_kinds && (a - b).abs() <= near;
        let kind = i32::from(alike);
        let place = CONTEXTS - 2 + usize::from(alike);
        let Context { magnitude, count, negative, .. } = self.contexts[place];
        let order = order(count, if alike { magnitude + (count >> 1) } else { magnitude });
        let mapped = self.golomb(order, limit - ORDERS[run] - 1)?;
        let odd = (mapped + kind) % 2 == 1;
        let size = (mapped + kind + i32::from(odd)) / 2;
        let error = if (order != 0 || 2 * negative >= count) == odd { -size } else { size };
        let context = &mut self.contexts[place];
        context.negative += i32::from(error < 0);
        context.magnitude += (mapped + 1 - kind) >> 1;
        if context.count == reset {
            context.magnitude >>= 1;
            context.count >>= 1;
            context.negative >>= 1;
        }
        context.count += 1;
        if alike {
            Ok(self.reconstructed(a, error))
        } else {
            Ok(self.reconstructed(b, if b < a { -error } else { error }))
        }
    }

    /// A predicted value and its error, modulo the range (A.4.4, A.4.5).
    fn reconstructed(&self, predicted: i32, error: i32) -> i32 {
        let Parameters { near, most, range, .. } = self.parameters;
        let step = 2 * near + 1;
        let value = predicted + error * step;
        let value = match value {
            _ if value < -near => value + range * step,
            _ if value > most + near => value - range * step,
            _ => value,
        };
        value.clamp(0, most)
    }

    /// A Golomb code of at most `limit` bits (A.5.3).
    fn golomb(&mut self, order: u32, limit: u32) -> Result<i32, String> {
        let most = limit.saturating_sub(self.parameters.bits + 1);
        let mut zeros = 0;
        while self.bits.bit()? == 0 {
            zeros += 1;
            if zeros > limit {
                return Err("a code is longer than any may be".to_owned());
            }
        }
        let value = if zeros >= most {
            self.bits.bits(self.parameters.bits)? + 1
        } else {
            (zeros << order) + self.bits.bits(order)?
        };
        // errors are within the range, so what stands for them is within twice of it
        match value.cast_signed() {
            value if (0..=2 * self.parameters.range).contains(&value) => Ok(value),
            value => Err(format!("an error of {value} among {} values", self.parameters.range)),
        }
    }
}

/// Bits below the unary part of a code: the first power of two that carries the count to the magnitude.
fn order(count: i32, magnitude: i32) -> u32 {
    let mut order = 0;
    while order < 24 && i64::from(count) << order < i64::from(magnitude) {
        order += 1;
    }
    order
}

/// Bits, the highest of a byte first; a byte behind 0xFF has seven.
struct Bits<'a> {
    stream: &'a [u8],
    at: usize,
    byte: u8,
    left: u32,
}

impl<'a> Bits<'a> {
    fn new(stream: &'a [u8]) -> Self {
        Self { stream, at: 0, byte: 0, left: 0 }
    }

    #[inline]
    fn bit(&mut self) -> Result<u32, String> {
        if self.left == 0 {
            let after = self.byte == 0xFF;
            let Some(&byte) = self.stream.get(self.at).filter(|&&byte| !after || byte < 0x80) else {
                return Err("the stream ends before its picture does".to_owned());
            };
            self.left = if after { 7 } else { 8 };
            self.byte = byte;
            self.at += 1;
        }
        self.left -= 1;
        Ok(u32::from(self.byte >> self.left) & 1)
    }

    fn bits(&mut self, count: u32) -> Result<u32, String> {
        let mut value = 0;
        for _ in 0..count {
            value = (value << 1) | self.bit()?;
        }
        Ok(value)
    }
}
