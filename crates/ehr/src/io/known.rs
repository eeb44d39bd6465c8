//! When a fact became known whose record gives a day, a month or a year instead of a moment.
//!
//! A laboratory value of "1 April" may be from the evening. If it were stamped at midnight, a model that predicts at noon
//! would be trained on it. So it counts as known from the last second of the day, as the OMOP reader of `meds_etl` has it
//! too, unless a caller asks for the first moment.

use serde::{Deserialize, Serialize};

use crate::time::{Form, Precision, Span, Time};

/// From when on a fact is known whose record gives no time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DayRule {
    /// From the last second of the day (month, year) that the record names: nothing is known too early.
    #[default]
    End,
    /// From its first moment.
    Start,
}

impl DayRule {
    /// The moment for a time that was given no more precisely than `precision`.
    pub fn of(self, time: Time, precision: Precision) -> Time {
        if self == Self::Start || precision == Precision::Second {
            return time;
        }
        let (year, month, _) = time.date();
        let next = match precision {
            Precision::Day | Precision::Second => Some(time.midnight().plus(Span::days(1))),
            Precision::Month if month < 12 => Time::from_civil(year, month + 1, 1, 0, 0, 0),
            Precision::Month | Precision::Year => Time::from_civil(year + 1, 1, 1, 0, 0, 0),
        };
        next.map_or(time, |next| next.minus(Span::seconds(1)))
    }

    /// As [`DayRule::of`], for a time of a table in which midnight stands for "no time of day".
    pub fn of_midnight(self, time: Time) -> Time {
        let precision = if time == time.midnight() { Precision::Day } else { Precision::Second };
        self.of(time, precision)
    }

    /// As [`Time::read`], moved to when it was known.
    pub fn read(self, text: &str) -> Option<(Time, Form)> {
        let (time, form) = Time::read(text)?;
        Some((self.of(time, form.precision), form))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_time_of_day_is_known_at_its_end() {
        for (text, end) in [
            ("2130-04-01", "2130-04-01 23:59:59"),
            ("2130-04", "2130-04-30 23:59:59"),
            ("2132-02", "2132-02-29 23:59:59"),
            ("2130-12", "2130-12-31 23:59:59"),
            ("2130", "2130-12-31 23:59:59"),
            ("2130-04-01T10:30:00Z", "2130-04-01 10:30:00"),
            ("2130-04-01 00:00:00", "2130-04-01 00:00:00"),
        ] {
            assert_eq!(DayRule::End.read(text).unwrap().0.to_string(), end, "{text}");
            assert_eq!(DayRule::Start.read(text), Time::read(text), "{text}");
        }
        let midnight = Time::parse("2130-04-01 00:00").unwrap();
        assert_eq!(DayRule::End.of_midnight(midnight).to_string(), "2130-04-01 23:59:59");
        assert_eq!(DayRule::End.of_midnight(midnight.plus(Span(1))), midnight.plus(Span(1)));
        assert_eq!(DayRule::End.of(Time::LATEST, Precision::Year), Time::LATEST);
    }
}
