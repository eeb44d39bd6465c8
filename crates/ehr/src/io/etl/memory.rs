//! Amounts of memory, as people write them.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};

/// Units, the largest first; binary and decimal ones are told apart as in IEC 80000-13.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1000),
    ("B", 1),
];

/// A number of bytes. In files and on command lines it is a text such as `4GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory(pub u64);

/// What is no amount of memory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no amount of memory; write a number and a unit, as 4GiB or 512MiB")]
pub struct MemoryError(pub String);

impl Memory {
    /// That many mebibytes.
    pub const fn mib(mebibytes: u64) -> Self {
        Self(mebibytes.saturating_mul(1 << 20))
    }
}

impl FromStr for Memory {
    type Err = MemoryError;

    fn from_str(text: &str) -> Result<Self, MemoryError> {
        let wrong = || MemoryError(text.to_owned());
        let trimmed = text.trim();
        let at = trimmed.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(trimmed.len());
        let (number, unit) = (trimmed[..at].trim_end(), &trimmed[at..]);
        let named = |(name, _): &&(&str, u64)| name.eq_ignore_ascii_case(unit);
        // `4G` is what people write for `4GiB`; a bare number is bytes.
        let bytes = match unit {
            "" => 1,
            "K" | "k" => 1 << 10,
            "M" => 1 << 20,
            "G" => 1 << 30,
            "T" => 1 << 40,
            _ => UNITS.iter().find(named).ok_or_else(wrong)?.1,
        };
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(bytes).map(Self).ok_or_else(wrong);
        }
        let product = number.parse::<f64>().map_err(|_| wrong())? * bytes as f64;
        if product >= 0.0 && product < u64::MAX as f64 { Ok(Self(product as u64)) } else { Err(wrong()) }
    }
}

/// As the largest binary unit that divides it.
impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let divides =
            |(name, bytes): &&(&str, u64)| self.0.is_multiple_of(*bytes) && (name.contains('i') || *name == "B");
        let (name, bytes) = UNITS.iter().find(divides).unwrap_or(&("B", 1));
        if self.0 == 0 { f.write_str("0B") } else { write!(f, "{}{name}", self.0 / bytes) }
    }
}

impl Serialize for Memory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Memory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_shown() {
        for (text, bytes, shown) in [
            ("4GiB", 4 << 30, "4GiB"),
            ("4g", 0, ""),
            ("512 MiB", 512 << 20, "512MiB"),
            ("1.5GiB", 3 << 29, "1536MiB"),
            ("2GB", 2_000_000_000, "1953125KiB"),
            ("2G", 2 << 30, "2GiB"),
            ("1000", 1000, "1000B"),
            ("0", 0, "0B"),
        ] {
            match text.parse::<Memory>() {
                Ok(memory) => assert_eq!((memory.0, memory.to_string().as_str()), (bytes, shown), "{text}"),
                Err(error) => assert_eq!((text, error.to_string().contains("4GiB")), ("4g", true)),
            }
        }
        for text in ["", "GiB", "-1GiB", "4 parsecs", "1e99GiB", "NaN", "99999999999TiB"] {
            assert!(text.parse::<Memory>().is_err(), "{text}");
        }
        let back: Memory = serde_json::from_str(&serde_json::to_string(&Memory::mib(3)).unwrap()).unwrap();
        assert_eq!(back, Memory::mib(3));
    }
}
