//! Times without a zone, and spans between them.
//!
//! A hospital writes its own wall clock, and a published record set has moved it by a secret offset per patient. A time
//! is therefore naive, as the MEDS schema has it (Medical Event Data Standard 0.4, `time: timestamp[us]` without a
//! zone): it can be compared and subtracted within one patient, and no zone or daylight-saving rule is ever applied.

mod read;

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Neg, Sub};
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// The Julian year, 365.25 days, which UCUM calls `a_j`.
const YEAR: i64 = 365 * DAY + 6 * HOUR;

/// Names of units and their microseconds; the first name of each length is the one that is written.
const UNITS: [(&str, i64); 24] = [
    ("us", 1),
    ("ms", 1000),
    ("s", SECOND),
    ("sec", SECOND),
    ("second", SECOND),
    ("seconds", SECOND),
    ("min", MINUTE),
    ("m", MINUTE),
    ("mins", MINUTE),
    ("minute", MINUTE),
    ("minutes", MINUTE),
    ("h", HOUR),
    ("hr", HOUR),
    ("hour", HOUR),
    ("hours", HOUR),
    ("d", DAY),
    ("day", DAY),
    ("days", DAY),
    ("w", 7 * DAY),
    ("week", 7 * DAY),
    ("weeks", 7 * DAY),
    ("y", YEAR),
    ("year", YEAR),
    ("years", YEAR),
];

/// Microseconds since 1970-01-01T00:00:00 of the hospital's own, perhaps shifted, calendar. Shown as
/// `2130-04-01 12:00:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time(pub i64);

/// How much of a time its text gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// `2130`, taken as its first day.
    Year,
    /// `2130-04`, taken as its first day.
    Month,
    /// `2130-04-01`, taken as its midnight.
    Day,
    /// With a time of day.
    Second,
}

/// How a time was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// What the text said; the rest is the beginning of that year, month or day.
    pub precision: Precision,
    /// Whether a zone stood behind it and was dropped: the local part is kept as it was written.
    pub zoned: bool,
}

impl Time {
    /// The first microsecond of year 1.
    pub const EARLIEST: Self = Self(-62_135_596_800 * SECOND);
    /// The last microsecond of year 9999.
    pub const LATEST: Self = Self(253_402_300_800 * SECOND - 1);

    /// A time from its parts: year 1 to 9999, month and day from 1. `None` if there is no such day or time.
    pub fn from_civil(year: i32, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> Option<Self> {
        let possible = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        let within = i64::from(hour) * HOUR + i64::from(minute) * MINUTE + i64::from(second) * SECOND;
        possible.then(|| Self(days_from_civil(year, month, day) * DAY + within))
    }

    /// Reads `2130-04-01`, `20130401`, `2130-04-01 12:00`, `2130-04-01T12:00:00.25` and the like; of a time with a zone
    /// the local part. Years and months alone are not taken: see [`Time::read`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::read(text).filter(|(_, form)| form.precision >= Precision::Day).map(|(time, _)| time)
    }

    /// As [`Time::parse`], and `2130` and `2130-04` too, with what the text said and did not say. A reader counts the
    /// zones that it drops.
    pub fn read(text: &str) -> Option<(Self, Form)> {
        let text = text.trim();
        let (date, clock) = match text.find(['T', 't', ' ']) {
            Some(at) => (&text[..at], Some(text[at + 1..].trim_start())),
            None => (text, None),
        };
        let (year, month, day, precision) = read::date(date.as_bytes())?;
        let midnight = Self::from_civil(year, month, day, 0, 0, 0)?;
        let Some(clock) = clock else { return Some((midnight, Form { precision, zoned: false })) };
        if precision != Precision::Day {
            return None;
        }
        let (within, zoned) = read::clock(clock)?;
        Some((Self(midnight.0 + within), Form { precision: Precision::Second, zoned }))
    }

    /// How long after `earlier` this is; negative if it is before.
    pub fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// This much later.
    pub fn plus(self, span: Span) -> Self {
        // The smallest number stands for "no time" in the columns of `Events`.
        Self(self.0.saturating_add(span.0).max(i64::MIN + 1))
    }

    /// This much earlier.
    pub fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0).max(i64::MIN + 1))
    }

    /// Year, month and day.
    pub fn date(self) -> (i32, u8, u8) {
        civil_from_days(self.0.div_euclid(DAY))
    }

    /// Hour, minute and second.
    pub fn clock(self) -> (u8, u8, u8) {
        let seconds = self.0.rem_euclid(DAY) / SECOND;
        ((seconds / 3600) as u8, (seconds / 60 % 60) as u8, (seconds % 60) as u8)
    }

    /// Midnight of the same day.
    pub fn midnight(self) -> Self {
        Self(self.0.saturating_sub(self.0.rem_euclid(DAY)))
    }

    /// Whether a patient can have lived then: in the years 1700 to 2399, which hold the shifted calendars of MIMIC (2100
    /// to 2210, births of the oldest 300 years before) and leave out what stands for "none", as 9999-12-31.
    pub fn is_plausible(self) -> bool {
        (1700..2400).contains(&self.date().0)
    }
}

/// As `2130-04-01 12:00:00`, with six decimals of the second where it is not whole.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((year, month, day), (hour, minute, second)) = (self.date(), self.clock());
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")?;
        match self.0.rem_euclid(SECOND) {
            0 => Ok(()),
            micros => write!(f, ".{micros:06}"),
        }
    }
}

/// A length of time in microseconds, perhaps negative. In files it is a text such as `24h`, `30d`, `90min` or `1y`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub i64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// That many seconds.
    pub const fn seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(SECOND))
    }

    /// That many minutes.
    pub const fn minutes(minutes: i64) -> Self {
        Self(minutes.saturating_mul(MINUTE))
    }

    /// That many hours.
    pub const fn hours(hours: i64) -> Self {
        Self(hours.saturating_mul(HOUR))
    }

    /// That many days of 24 hours.
    pub const fn days(days: i64) -> Self {
        Self(days.saturating_mul(DAY))
    }

    /// That many Julian years of 365.25 days.
    pub const fn years(years: i64) -> Self {
        Self(years.saturating_mul(YEAR))
    }

    /// In minutes.
    pub fn in_minutes(self) -> f64 {
        self.0 as f64 / MINUTE as f64
    }

    /// In hours.
    pub fn in_hours(self) -> f64 {
        self.0 as f64 / HOUR as f64
    }

    /// In days of 24 hours.
    pub fn in_days(self) -> f64 {
        self.0 as f64 / DAY as f64
    }

    /// In Julian years of 365.25 days, as ages are counted.
    pub fn in_years(self) -> f64 {
        self.0 as f64 / YEAR as f64
    }

    /// Reads a number and a unit: `24h`, `30d`, `90min`, `1y` (a Julian year of 365.25 days), `1.5 hours`, `-2w`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let at = text.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, unit) = (text[..at].trim_end(), &text[at..]);
        let micros = UNITS.iter().find(|(name, _)| *name == unit)?.1;
        if let Ok(whole) = number.parse::<i64>() {
            return whole.checked_mul(micros).map(Self);
        }
        let product = number.parse::<f64>().ok()? * micros as f64;
        // Beyond 2^53 microseconds, 285 years, a fraction could not be kept.
        (product.abs() < 9.0e15).then(|| Self(product.round() as i64))
    }
}

/// As the largest unit that divides it: `24h` is shown as `1d`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("y", YEAR), ("d", DAY), ("h", HOUR), ("min", MINUTE), ("s", SECOND), ("ms", 1000), ("us", 1)];
        let fits = |unit: &&(&str, i64)| self.0 % unit.1 == 0 && self.0 != 0;
        let (name, micros) = units.iter().find(fits).unwrap_or(&("s", SECOND));
        write!(f, "{}{name}", self.0 / micros)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
            .ok_or_else(|| format!("{text:?} is no span of time; write a number and a unit, as 24h or 30d"))
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a span of time such as \"24h\" or \"30d\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl Add for Span {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Span {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Span {
    type Output = Self;

    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl Sum for Span {
    fn sum<I: Iterator<Item = Self>>(spans: I) -> Self {
        spans.fold(Self::ZERO, Add::add)
    }
}

fn days_in_month(year: i32, month: u8) -> u8 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + u8::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar, counted in eras of 400 years that begin in March, so that the leap
/// day is the last of its year (Hinnant, "chrono-Compatible Low-Level Date Algorithms", 2013).
fn days_from_civil(year: i32, month: u8, day: u8) -> i64 {
    let year = i64::from(year) - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month = (i64::from(month) + 9) % 12;
    let of_year = (153 * month + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days_from_civil`], from the same source.
fn civil_from_days(days: i64) -> (i32, u8, u8) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    ((year + era * 400 + i64::from(month <= 2)) as i32, month as u8, day as u8)
}

#[cfg(test)]
mod tests;
