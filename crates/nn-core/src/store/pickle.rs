//! Looks through a pickle for anything that a `state_dict` has no use for, without interpreting it.
//!
//! A pickle is a program for a stack machine, and what it may call is named in it by `GLOBAL` instructions. PyTorch's
//! own loader accepts a short list of names when it is asked for weights only; the same list is applied here. A name
//! that is put together on the stack (`STACK_GLOBAL`, which `torch.save` does not write) is refused whatever it is,
//! because finding out would mean running the program.

/// What a `state_dict` may name, by module: what `torch.load(weights_only=True)` of PyTorch 2.15
/// accepts, without quantised tensors and rare element types.
const ALLOWED: [(&str, &[&str]); 10] = [
    ("collections", &["OrderedDict", "Counter"]),
    ("builtins", &["set", "bytearray"]),
    ("__builtin__", &["set", "bytearray"]),
    ("_codecs", &["encode"]),
    (
        "torch._utils",
        &[
            "_rebuild_tensor",
            "_rebuild_tensor_v2",
            "_rebuild_tensor_v3",
            "_rebuild_parameter",
            "_rebuild_parameter_with_state",
        ],
    ),
    ("torch._tensor", &["_rebuild_from_type_v2"]),
    ("torch.nn.parameter", &["Parameter"]),
    ("torch.serialization", &["_get_layout"]),
    ("torch.storage", &["TypedStorage", "UntypedStorage"]),
    (
        "torch",
        &[
            "Tensor",
            "Size",
            "device",
            "FloatStorage",
            "DoubleStorage",
            "HalfStorage",
            "BFloat16Storage",
            "LongStorage",
            "IntStorage",
            "ShortStorage",
            "CharStorage",
            "ByteStorage",
            "BoolStorage",
            "float64",
            "float32",
            "float16",
            "bfloat16",
            "int64",
            "int32",
            "int16",
            "int8",
            "uint8",
            "bool",
        ],
    ),
];

/// Walks the instructions of one pickle up to its end.
///
/// # Errors
/// Text that says at which byte what was found.
pub(super) fn check(pickle: &[u8]) -> Result<(), String> {
    let mut scan = Scan { bytes: pickle, at: 0 };
    loop {
        let start = scan.at;
        let code = scan.take(1)?[0];
        match code {
            b'.' => return Ok(()),
            // GLOBAL and INST: the module and the name, a line each.
            b'c' | b'i' => {
                let module = scan.line()?;
                let name = scan.line()?;
                if !allowed(module, name) {
                    return Err(format!(
                        "byte {start} of its pickle calls for {}.{}, which weights do not need and which could run code; \
                         do not open this file in Python, and ask its author for the state_dict alone",
                        String::from_utf8_lossy(module),
                        String::from_utf8_lossy(name)
                    ));
                }
            }
            0x93 => {
                return Err(format!(
                    "byte {start} of its pickle puts together the name of a function, which could hide one that runs \
                     code; save the state_dict again with torch.save and its default pickle protocol"
                ));
            }
            // EXT1, EXT2, EXT4: functions by a number that the reading program has registered.
            0x82..=0x84 => {
                return Err(format!(
                    "byte {start} of its pickle calls a registered extension; save the state_dict again"
                ));
            }
            other => scan.skip_arguments(other, start)?,
        }
    }
}

fn allowed(module: &[u8], name: &[u8]) -> bool {
    ALLOWED
        .iter()
        .any(|(known, names)| known.as_bytes() == module && names.iter().any(|known| known.as_bytes() == name))
}

/// A position in the pickle.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(count);
        match end.and_then(|end| self.bytes.get(self.at..end)) {
            Some(taken) => {
                self.at += count;
                Ok(taken)
            }
            None => Err(format!("its pickle ends at byte {} in the middle of an instruction", self.bytes.len())),
        }
    }

    fn line(&mut self) -> Result<&'a [u8], String> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        match rest.iter().position(|&byte| byte == b'\n') {
            Some(length) => {
                let line = self.take(length)?;
                self.take(1)?;
                Ok(line)
            }
            None => Err(format!("its pickle ends at byte {} in the middle of a line", self.bytes.len())),
        }
    }

    /// Skips a length of `width` bytes, little endian, and as many bytes as it says.
    fn skip_counted(&mut self, width: usize) -> Result<(), String> {
        let mut count = [0; 8];
        count[..width].copy_from_slice(self.take(width)?);
        let count = u64::from_le_bytes(count);
        let count = usize::try_from(count).map_err(|_| format!("its pickle declares a string of {count} bytes"))?;
        self.take(count).map(|_| ())
    }

    /// Skips what follows the instruction `code`; widths as in `CPython`'s `pickletools`.
    fn skip_arguments(&mut self, code: u8, start: usize) -> Result<(), String> {
        let fixed = match code {
            // Instructions that take everything from the stack.
            b'('
            | b'0'
            | b'1'
            | b'2'
            | b'N'
            | b'R'
            | b'b'
            | b'd'
            | b'l'
            | b't'
            | b's'
            | b'a'
            | b')'
            | b']'
            | b'}'
            | b'e'
            | b'u'
            | b'o'
            | b'Q'
            | 0x81
            | 0x85..=0x89
            | 0x8f..=0x92
            | 0x94
            | 0x97
            | 0x98 => 0,
            // BININT1, BINGET, BINPUT, PROTO
            b'K' | b'h' | b'q' | 0x80 => 1,
            b'M' => 2,
            // BININT, LONG_BINGET, LONG_BINPUT
            b'J' | b'j' | b'r' => 4,
            // BINFLOAT, FRAME
            b'G' | 0x95 => 8,
            // INT, LONG, FLOAT, STRING, UNICODE, GET, PUT, PERSID: text up to the end of the line
            b'I' | b'L' | b'F' | b'S' | b'V' | b'g' | b'p' | b'P' => return self.line().map(|_| ()),
            // SHORT_BINSTRING, SHORT_BINBYTES, SHORT_BINUNICODE, LONG1
            b'U' | b'C' | 0x8c | 0x8a => return self.skip_counted(1),
            // BINSTRING, BINUNICODE, BINBYTES, LONG4
            b'T' | b'X' | b'B' | 0x8b => return self.skip_counted(4),
            // BINUNICODE8, BINBYTES8, BYTEARRAY8
            0x8d | 0x8e | 0x96 => return self.skip_counted(8),
            other => return Err(format!("byte {start} of its pickle, {other:#04x}, is no instruction")),
        };
        self.take(fixed).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_state_dict_needs_passes() {
        // pickle.dumps(collections.OrderedDict(a=1.5, b=[True, None, 2**40, b"x", "y"]), protocol=2)
        let pickle = b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01(X\x01\x00\x00\x00aq\x02G?\xf8\x00\x00\x00\x00\x00\x00\
            X\x01\x00\x00\x00bq\x03]q\x04(\x88N\x8a\x06\x00\x00\x00\x00\x00\x01c_codecs\nencode\nq\x05X\x01\x00\x00\x00xq\x06\
            X\x06\x00\x00\x00latin1q\x07\x86q\x08Rq\tX\x01\x00\x00\x00yq\neu.";
        assert_eq!(check(pickle), Ok(()));
    }

    #[test]
    fn functions_are_refused_by_name_and_place() {
        let error = check(b"\x80\x02}cos\nsystem\nX\x02\x00\x00\x00ls\x85R0.").unwrap_err();
        assert!(error.contains("byte 3") && error.contains("os.system"), "{error}");
        // INST, the instruction that old pickles call with.
        let error = check(b"(S'ls'\nios\nsystem\n.").unwrap_err();
        assert!(error.contains("os.system"), "{error}");
        // A name that only starts like one on the list.
        assert!(check(b"ctorch\nFloatStorage.__reduce__\n.").is_err());
        assert!(check(b"\x80\x04\x8c\x02os\x8c\x06system\x93.").unwrap_err().contains("byte 14"));
        // The same bytes inside of a string are data.
        assert_eq!(check(b"X\x0b\x00\x00\x00cos\nsystem\n."), Ok(()));
    }

    #[test]
    fn a_string_longer_than_the_file_is_refused_without_memory_for_it() {
        assert!(check(b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.").unwrap_err().contains("ends at byte 10"));
        assert!(check(b"").unwrap_err().contains("ends at byte 0"));
        assert!(check(b"cos").unwrap_err().contains("in the middle of a line"));
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let answer = check(&bytes);
            // Without the end instruction there is no pickle to accept.
            prop_assert!(answer.is_err() || bytes.contains(&b'.'));
        }
    }
}
