//! Dates and times of day as text: the forms of ISO 8601 that record sets use.

use super::{HOUR, MINUTE, Precision, SECOND};

/// Whole decimal digits as a number.
fn digits(text: &[u8]) -> Option<i32> {
    let fine = (1..=8).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    fine.then(|| text.iter().fold(0, |number, digit| number * 10 + i32::from(digit - b'0')))
}

/// Year, month and day of a date, with what was left out as 1.
pub(super) fn date(text: &[u8]) -> Option<(i32, u8, u8, Precision)> {
    let two = |at: usize| digits(text.get(at..at + 2)?).map(|number| number as u8);
    let year = digits(text.get(..4)?)?;
    let dashes = text.get(4).is_none_or(|byte| *byte == b'-') && text.get(7).is_none_or(|byte| *byte == b'-');
    match text.len() {
        4 => Some((year, 1, 1, Precision::Year)),
        7 if dashes => Some((year, two(5)?, 1, Precision::Month)),
        8 => Some((year, two(4)?, two(6)?, Precision::Day)),
        10 if dashes => Some((year, two(5)?, two(8)?, Precision::Day)),
        _ => None,
    }
}

/// Microseconds since midnight, and whether a zone was dropped.
pub(super) fn clock(text: &str) -> Option<(i64, bool)> {
    // `-` and `+` begin an offset; `Z` and `UTC` name the zone itself.
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.' | ','))).unwrap_or(text.len());
    let (clock, zone) = (&text.as_bytes()[..end], text[end..].trim());
    let two = |at: usize| digits(clock.get(at..at + 2)?);
    let (hour, minute) = (two(0)?, two(3)?);
    let (second, rest) = match clock.len() {
        5 => (0, 0),
        8 => (two(6)?, 0),
        10.. if matches!(clock[8], b'.' | b',') => (two(6)?, fraction(&clock[9..])?),
        _ => return None,
    };
    let colons = clock[2] == b':' && clock.get(5).is_none_or(|byte| *byte == b':');
    if !colons || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // A leap second is counted as the one before it.
    let second = second.min(59);
    let micros = i64::from(hour) * HOUR + i64::from(minute) * MINUTE + i64::from(second) * SECOND + rest;
    is_zone(zone).then_some((micros, !zone.is_empty()))
}

/// Microseconds of the digits behind the point; further digits are cut off.
fn fraction(text: &[u8]) -> Option<i64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let padded = text.iter().copied().chain(std::iter::repeat(b'0'));
    Some(padded.take(6).fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
}

/// Nothing, `Z`, `UTC`, or an offset such as `+05:00`, `-0500` or `+05`.
fn is_zone(text: &str) -> bool {
    if matches!(text, "" | "Z" | "z" | "UTC") {
        return true;
    }
    let Some(offset) = text.strip_prefix(['+', '-']) else { return false };
    let figures: Vec<u8> = offset.bytes().filter(|byte| *byte != b':').collect();
    matches!((offset.len(), figures.len()), (2, 2) | (4 | 5, 4)) && figures.iter().all(u8::is_ascii_digit)
}
