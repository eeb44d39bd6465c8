//! Numbers as files store them.

/// How one value is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
}

impl Stored {
    /// Bytes of one value.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Whether values are whole numbers that `f32` may have to round.
    pub(super) fn is_long(self) -> bool {
        matches!(self, Self::U32 | Self::I32 | Self::U64 | Self::I64)
    }

    /// Replaces the content of `to` by the values of `bytes`.
    pub(super) fn decode(self, bytes: &[u8], little: bool, to: &mut Vec<f64>) {
        macro_rules! as_numbers {
            ($number:ty, $convert:expr) => {{
                let (values, _) = bytes.as_chunks::<{ size_of::<$number>() }>();
                let convert = $convert;
                if little {
                    to.extend(values.iter().map(|&value| convert(<$number>::from_le_bytes(value))));
                } else {
                    to.extend(values.iter().map(|&value| convert(<$number>::from_be_bytes(value))));
                }
            }};
        }
        to.clear();
        match self {
            Self::U8 => to.extend(bytes.iter().map(|&value| f64::from(value))),
            Self::I8 => as_numbers!(i8, f64::from),
            Self::U16 => as_numbers!(u16, f64::from),
            Self::I16 => as_numbers!(i16, f64::from),
            Self::U32 => as_numbers!(u32, f64::from),
            Self::I32 => as_numbers!(i32, f64::from),
            Self::U64 => as_numbers!(u64, |value: u64| value as f64),
            Self::I64 => as_numbers!(i64, |value: i64| value as f64),
            Self::F32 => as_numbers!(f32, f64::from),
            Self::F64 => as_numbers!(f64, std::convert::identity),
        }
    }
}
