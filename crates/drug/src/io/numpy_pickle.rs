//! Reads a matrix of doubles that numpy has pickled, as `DeepDTA` distributes its values (Python 2, protocol 2).
//!
//! A pickle is a program for a stack machine that may call any function of Python. Nothing is called here: the three
//! names that an array of numpy needs become marks on a stack of plain values, and what is done with them has to be
//! what `numpy.ndarray.__reduce__` writes, to the letter:
//!
//! ```text
//! array = numpy.core.multiarray._reconstruct(numpy.ndarray, (0,), 'b')
//! type  = numpy.dtype('f8', 0, 1), then set to (3, '<', None, None, None, -1, -1, 0)
//! array, then set to (1, (rows, columns), type, is_fortran, bytes)
//! ```
//!
//! Anything else is refused. An object that is set counts as set where that is done, not in copies that were kept.

use std::collections::HashMap;
use std::rc::Rc;

/// Most instructions of one pickle; numpy writes 50. It bounds the stack, the memo and how deep tuples nest.
const MAX_INSTRUCTIONS: usize = 256;

/// A matrix of numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Matrix {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// `rows` × `columns` numbers, row by row.
    pub(crate) values: Vec<f64>,
}

/// Reads the pickle of a two-dimensional array of little-endian doubles (`<f8`), in C or Fortran order.
///
/// # Errors
/// At which byte of the pickle stands what such an array does not need, with the name of a function where it is one.
pub(crate) fn read(bytes: &[u8]) -> Result<Matrix, String> {
    // Protocol 4 puts the names of functions together on the stack; protocols 0 and 1 are other languages.
    if !matches!(bytes, [0x80, 2 | 3, ..]) {
        return Err("byte 0 is not the beginning of a Python pickle of protocol 2 or 3".to_owned());
    }
    let mut machine = Machine { bytes, at: 2, stack: Vec::new(), memo: HashMap::new() };
    for _ in 0..MAX_INSTRUCTIONS {
        let start = machine.at;
        match machine.take(1)?[0] {
            b'.' => return machine.finish(start),
            code => machine.step(code, start)?,
        }
    }
    Err(format!("byte {} of the pickle is past {MAX_INSTRUCTIONS} instructions; a matrix needs 50", machine.at))
}

/// What the stack holds. A clone is cheap.
#[derive(Debug, Clone)]
enum Value<'a> {
    Mark,
    Nothing,
    Bool(bool),
    Int(i64),
    /// A string of Python 2, or bytes of Python 3.
    Bytes(&'a [u8]),
    Unicode(&'a [u8]),
    Tuple(Rc<[Value<'a>]>),
    /// What numpy calls so, with the last part of its path.
    Name(&'static str),
    /// A type `f8` whose byte order is not set.
    Double,
    /// The type `<f8`.
    Little,
    /// An array whose contents are not set.
    Unset,
    /// Rows, columns, whether the columns follow each other (Fortran order), contents.
    Array(usize, usize, bool, &'a [u8]),
}

/// The stack machine of Python's `pickle`, without anything that runs.
struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value<'a>>,
    memo: HashMap<u32, Value<'a>>,
}

impl<'a> Machine<'a> {
    /// Follows the instruction `code`, which stands at byte `start`.
    fn step(&mut self, code: u8, start: usize) -> Result<(), String> {
        let value = match code {
            b'(' => Value::Mark,
            b'N' => Value::Nothing,
            0x88 | 0x89 => Value::Bool(code == 0x88),
            // BININT1, BININT2, BININT, LONG1
            b'K' => Value::Int(i64::from(self.unsigned(1)?)),
            b'M' => Value::Int(i64::from(self.unsigned(2)?)),
            b'J' => Value::Int(i64::from(self.unsigned(4)? as i32)),
            0x8a => Value::Int(self.long(start)?),
            // SHORT_BINSTRING and SHORT_BINBYTES, BINSTRING and BINBYTES, BINUNICODE
            b'U' | b'C' => Value::Bytes(self.counted(1)?),
            b'T' | b'B' => Value::Bytes(self.counted(4)?),
            b'X' => Value::Unicode(self.counted(4)?),
            b'c' => self.global(start)?,
            // TUPLE, TUPLE1, TUPLE2, TUPLE3
            b't' => {
                let count = self.stack.iter().rev().position(|value| matches!(value, Value::Mark));
                let items = self.pop(count.ok_or_else(|| underflow(start))?, start)?;
                self.stack.pop();
                Value::Tuple(items.into())
            }
            0x85..=0x87 => Value::Tuple(self.pop(usize::from(code - 0x84), start)?.into()),
            // BINPUT and LONG_BINPUT, BINGET and LONG_BINGET
            b'q' | b'r' => {
                let number = self.unsigned(if code == b'q' { 1 } else { 4 })?;
                let top = self.stack.last().ok_or_else(|| underflow(start))?;
                self.memo.insert(number, top.clone());
                return Ok(());
            }
            b'h' | b'j' => {
                let number = self.unsigned(if code == b'h' { 1 } else { 4 })?;
                let kept = self.memo.get(&number).cloned();
                kept.ok_or_else(|| format!("byte {start} of the pickle asks for value {number}, which was not kept"))?
            }
            // REDUCE, BUILD
            b'R' | b'b' => {
                let operands = self.pop(2, start)?;
                let (what, made) = match (code, operands.as_slice()) {
                    (b'R', [function, Value::Tuple(items)]) => ("calls a function with", reduce(function, items)),
                    (_, [object, Value::Tuple(items)]) => ("sets an object to", build(object, items)),
                    _ => ("uses", Err("what is no tuple".to_owned())),
                };
                made.map_err(|problem| format!("byte {start} of the pickle {what} {problem}"))?
            }
            _ => return Err(format!("byte {start} of the pickle is instruction {code:#04x}, not one of a matrix")),
        };
        self.stack.push(value);
        Ok(())
    }

    fn finish(self, start: usize) -> Result<Matrix, String> {
        if self.at < self.bytes.len() {
            return Err(format!("{} bytes follow the pickle, which ends at byte {start}", self.bytes.len() - self.at));
        }
        let [Value::Array(rows, columns, fortran, raw)] = self.stack[..] else {
            return Err(format!("the pickle ends at byte {start} without having made one matrix"));
        };
        let cells = raw.as_chunks::<8>().0;
        let place = |at: usize| if fortran { at % columns * rows + at / columns } else { at };
        let values = (0..cells.len()).map(|at| f64::from_le_bytes(cells[place(at)])).collect();
        Ok(Matrix { rows, columns, values })
    }

    /// The top `count` values; a mark is none.
    fn pop(&mut self, count: usize, start: usize) -> Result<Vec<Value<'a>>, String> {
        let from = self.stack.len().checked_sub(count).ok_or_else(|| underflow(start))?;
        let items = self.stack.split_off(from);
        if items.iter().any(|item| matches!(item, Value::Mark)) { Err(underflow(start)) } else { Ok(items) }
    }

    fn global(&mut self, start: usize) -> Result<Value<'a>, String> {
        let (module, name) = (shown(self.line()?), shown(self.line()?));
        match (module.as_str(), name.as_str()) {
            ("numpy.core.multiarray", "_reconstruct") => Ok(Value::Name("_reconstruct")),
            ("numpy", "ndarray") => Ok(Value::Name("ndarray")),
            ("numpy", "dtype") => Ok(Value::Name("dtype")),
            _ => Err(format!("byte {start} of the pickle calls for {module}.{name}, which could run code")),
        }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let rest = &self.bytes[self.at..];
        let cut = || format!("the pickle is cut short: byte {} begins {count} bytes, {} are left", self.at, rest.len());
        let taken = rest.get(..count).ok_or_else(cut)?;
        self.at += count;
        Ok(taken)
    }

    fn line(&mut self) -> Result<&'a [u8], String> {
        let line = self.bytes[self.at..].split(|&byte| byte == b'\n').next().unwrap_or_default();
        self.take(line.len() + 1).map(|_| line)
    }

    /// A whole number of `width` ≤ 4 bytes.
    fn unsigned(&mut self, width: usize) -> Result<u32, String> {
        let mut number = [0; 4];
        number[..width].copy_from_slice(self.take(width)?);
        Ok(u32::from_le_bytes(number))
    }

    /// As many bytes as a number of `width` bytes says.
    fn counted(&mut self, width: usize) -> Result<&'a [u8], String> {
        self.unsigned(width).and_then(|count| self.take(count as usize))
    }

    /// A number in two's complement, with its length before it.
    fn long(&mut self, start: usize) -> Result<i64, String> {
        let digits = self.counted(1)?;
        let negative = digits.last().is_some_and(|&last| last >= 0x80);
        let mut number = [if negative { 0xff } else { 0 }; 8];
        let long = || format!("byte {start} of the pickle is a number of {} bytes", digits.len());
        number.get_mut(..digits.len()).ok_or_else(long)?.copy_from_slice(digits);
        Ok(i64::from_le_bytes(number))
    }
}

/// What numpy's functions give for the arguments that numpy itself writes.
fn reduce<'a>(function: &Value<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, String> {
    use Value::{Bool, Bytes, Double, Int, Name, Tuple, Unicode, Unset};
    match (function, arguments) {
        (Name("_reconstruct"), [Name("ndarray"), Tuple(shape), Bytes(b"b") | Unicode(b"b")]) => match shape[..] {
            [Int(0)] => Ok(Unset),
            _ => Err("a shape that numpy does not write".to_owned()),
        },
        (Name("dtype"), [Bytes(b"f8") | Unicode(b"f8"), Int(0) | Bool(false), Int(1) | Bool(true)]) => Ok(Double),
        (Name("dtype"), [Bytes(name) | Unicode(name), ..]) => Err(format!("element type {}, not f8", shown(name))),
        _ => Err("arguments that numpy does not write".to_owned()),
    }
}

/// What becomes of an object that is set to `state`.
fn build<'a>(object: &Value<'a>, state: &[Value<'a>]) -> Result<Value<'a>, String> {
    use Value::{Array, Bool, Bytes, Double, Int, Little, Nothing, Tuple, Unicode, Unset};
    match (object, state) {
        (Double, [Int(3), Bytes(b"<") | Unicode(b"<"), Nothing, Nothing, Nothing, Int(-1), Int(-1), Int(0)]) => {
            Ok(Little)
        }
        (Unset, [Int(1), Tuple(shape), Little, Bool(fortran), Bytes(raw)]) => {
            let [Int(rows), Int(columns)] = shape[..] else {
                return Err(format!("an array of {} dimensions; it must have 2", shape.len()));
            };
            let (Ok(rows), Ok(columns)) = (usize::try_from(rows), usize::try_from(columns)) else {
                return Err(format!("an array of {rows} × {columns}"));
            };
            if rows.checked_mul(columns).and_then(|cells| cells.checked_mul(8)) != Some(raw.len()) {
                return Err(format!("{} bytes for {rows} × {columns} numbers of 8 bytes", raw.len()));
            }
            Ok(Array(rows, columns, *fortran, raw))
        }
        _ => Err("what numpy does not write for a matrix of <f8".to_owned()),
    }
}

/// Enough of a name to know it by.
fn shown(name: &[u8]) -> String {
    name[..name.len().min(80)].escape_ascii().to_string()
}

fn underflow(start: usize) -> String {
    format!("byte {start} of the pickle takes more from the stack than there is")
}

#[cfg(test)]
mod tests {
    use super::*;

    // Written by Python 2.7 and numpy, see make_y.py beside them.
    const SMALL: &[u8] = include_bytes!("../../tests/golden/small_y.pkl");
    const FORTRAN: &[u8] = include_bytes!("../../tests/golden/small_y_fortran.pkl");

    /// The golden pickle with the first `from` made `to`.
    fn changed(from: &[u8], to: &[u8]) -> Vec<u8> {
        let at = SMALL.windows(from.len()).position(|window| window == from).unwrap();
        [&SMALL[..at], to, &SMALL[at + from.len()..]].concat()
    }

    fn refused(pickle: &[u8], reason: &str) {
        let problem = read(pickle).unwrap_err();
        assert!(problem.contains(reason), "{problem}");
    }

    #[test]
    fn both_orders_and_long_numbers_give_the_rows() {
        for pickle in [SMALL, FORTRAN, &changed(b"K\x02K\x03", b"\x8a\x01\x02\x8a\x02\x03\0")[..]] {
            let matrix = read(pickle).unwrap();
            assert_eq!((matrix.rows, matrix.columns), (2, 3));
            let text: Vec<String> = matrix.values.iter().map(f64::to_string).collect();
            assert_eq!(text, ["11.5", "NaN", "12", "0.25", "13", "NaN"]);
        }
    }

    #[test]
    fn functions_are_refused_by_name_and_place() {
        refused(b"\x80\x02cos\nsystem\nU\x02ls\x85R.", "byte 2 of the pickle calls for os.system,");
        refused(&changed(b"numpy\nnda", b"os\nnda"), "byte 40 of the pickle calls for os.ndarray,");
        // Names put together on the stack, by protocol 4 and in spite of protocol 2; the call of Python 1.
        refused(b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "protocol 2 or 3");
        refused(b"\x80\x02U\x02osU\x06system\x93.", "byte 14 of the pickle is instruction 0x93");
        refused(b"\x80\x02(ios\nsystem\n.", "byte 3 of the pickle is instruction 0x69");
    }

    #[test]
    fn what_is_no_matrix_of_doubles_is_refused() {
        refused(&changed(b"f8", b"O8"), "element type O8, not f8");
        refused(&changed(b"U\x01<", b"U\x01>"), "what numpy does not write for a matrix of <f8");
        refused(&changed(b"K\x02K\x03\x86", b"K\x06\x85"), "an array of 1 dimensions; it must have 2");
        refused(&changed(b"K\x02K\x03", b"K\x02K\x04"), "48 bytes for 2 × 4 numbers of 8 bytes");
        refused(&changed(b"K\x02K", b"\x8a\x01\xfeK"), "an array of -2 × 3");
        refused(&changed(b"K\x02K", b"\x8a\x08\0\0\0\0\0\0\0\x40K"), "48 bytes for 4611686018427387904 × 3");
        refused(&[SMALL, &b"."[..]].concat(), "1 bytes follow the pickle");
        refused(&changed(b"(K\x01K", b"(h\x63K"), "asks for value 99, which was not kept");
        refused(b"\x80\x02N.", "without having made one matrix");
        // Tuples that double and tuples that nest end at the limit, not in the memory.
        refused(&[&b"\x80\x02N"[..], &b"q\0h\0\x86".repeat(100)[..]].concat(), "past 256 instructions");
        refused(&[&b"\x80\x02N"[..], &b"\x85".repeat(100_000)[..]].concat(), "past 256 instructions");
    }
}
