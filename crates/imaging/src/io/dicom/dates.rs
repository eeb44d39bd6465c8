//! Dates as DICOM writes them (PS3.5, 6.2: `YYYYMMDD`), and days between them.
//!
//! The two conversions are those of the proleptic Gregorian calendar in closed form: a year that begins in March puts
//! the leap day last, and 400 years are 146 097 days.

use std::time::{SystemTime, UNIX_EPOCH};

/// Days of 400 years.
const ERA: i64 = 146_097;

/// Days from the 1st of January 1970; `None` if there is no such day.
pub(crate) fn day_number(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let number = era * ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    // the 30th of February has a number, but is another day
    (civil(number) == (year, month, day)).then_some(number)
}

/// Year, month and day of a number of days from the 1st of January 1970.
pub(crate) fn civil(number: i64) -> (i64, i64, i64) {
    let from_march = number + 719_468;
    let era = from_march.div_euclid(ERA);
    let of_era = from_march.rem_euclid(ERA);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let quintal = (5 * of_year + 2) / 153;
    let day = of_year - (153 * quintal + 2) / 5 + 1;
    let month = if quintal < 10 { quintal + 3 } else { quintal - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// `20240229` moved by a number of days; also reads `2024.02.29` of the standard's first edition. `None` if the text is
/// no date, or the new one is outside the years 1 to 9999.
pub(crate) fn shifted_date(date: &str, days: i64) -> Option<String> {
    let digits: String = if date.len() == 10 && date.as_bytes()[4] == b'.' && date.as_bytes()[7] == b'.' {
        date.split('.').collect()
    } else {
        date.to_owned()
    };
    if digits.len() != 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i64>().ok();
    let number = day_number(part(0..4)?, part(4..6)?, part(6..8)?)?;
    let (year, month, day) = civil(number + days);
    (1..=9999).contains(&year).then(|| format!("{year:04}{month:02}{day:02}"))
}

/// As [`shifted_date`] for a date with a time behind it, which stays: `20240229101500.000000+0100`.
pub(crate) fn shifted_date_time(value: &str, days: i64) -> Option<String> {
    let date = value.get(..8)?;
    let rest = value.get(8..)?;
    let sound = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'+' | b'-');
    if rest.len() > 18 || !rest.bytes().all(sound) {
        return None;
    }
    shifted_date(date, days).map(|date| date + rest)
}

/// `YYYYMMDDHHMMSS` of this moment, UTC.
pub(crate) fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    format!("{year:04}{month:02}{day:02}{:02}{:02}{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

/// Splits `YYYYMMDDHHMMSS` into date and time; `None` if it is none.
pub(crate) fn moment(text: &str) -> Option<(&str, &str)> {
    if text.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (date, time) = text.split_at(8);
    shifted_date(date, 0)?;
    let number = time.parse::<u32>().ok()?;
    (number / 10_000 < 24 && number / 100 % 100 < 60 && number % 100 < 60).then_some((date, time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_as_the_calendar_counts_them() {
        // Python: (date(y, m, d) - date(1970, 1, 1)).days
        let known = [
            ((1970, 1, 1), 0),
            ((2000, 2, 29), 11_016),
            ((1900, 3, 1), -25_508),
            ((1600, 2, 29), -135_081),
            ((2026, 11, 27), 20_784),
            ((1, 1, 1), -719_162),
            ((9999, 12, 31), 2_932_896),
        ];
        for ((year, month, day), number) in known {
            assert_eq!(day_number(year, month, day), Some(number), "{year}-{month}-{day}");
            assert_eq!(civil(number), (year, month, day));
        }
        for (year, month, day) in [(1900, 2, 29), (2023, 2, 30), (2024, 13, 1), (2024, 4, 31), (0, 1, 1)] {
            assert_eq!(day_number(year, month, day), None, "{year}-{month}-{day}");
        }
    }

    #[test]
    fn every_day_of_eight_centuries_follows_the_one_before() {
        let mut last = civil(-135_140);
        for number in -135_139..157_000 {
            let (year, month, day) = civil(number);
            assert!((year, month, day) > last);
            assert!(day == last.2 + 1 || (day == 1 && (month == last.1 + 1 || (month == 1 && year == last.0 + 1))));
            assert_eq!(day_number(year, month, day), Some(number));
            last = (year, month, day);
        }
    }

    #[test]
    fn dates_move_and_what_is_none_does_not() {
        assert_eq!(shifted_date("20240301", -1).as_deref(), Some("20240229"));
        assert_eq!(shifted_date("2024.03.01", -366).as_deref(), Some("20230301"));
        assert_eq!(shifted_date("00010101", -1), None);
        for no_date in ["", "2024", "20240230", "2024-03-1", "20240301-20240302", "DOE^JOHN", "２０２４"] {
            assert_eq!(shifted_date(no_date, 1), None, "{no_date}");
        }
        let moved = shifted_date_time("20231231235959.123456+0100", 1);
        assert_eq!(moved.as_deref(), Some("20240101235959.123456+0100"));
        assert_eq!(shifted_date_time("202312", 1), None);
        assert_eq!(shifted_date_time("20231231 DOE^JOHN", 1), None);
    }

    #[test]
    fn moments_are_checked() {
        assert_eq!(moment("20260102030405"), Some(("20260102", "030405")));
        for wrong in ["", "20260102", "20261302030405", "20260102240000", "20260102036000"] {
            assert_eq!(moment(wrong), None, "{wrong}");
        }
        assert!(moment(&now()).is_some());
    }
}
