//! The calendar, day by day, and the forms of dates.

use super::*;

#[test]
fn every_day_of_eight_centuries_is_numbered_as_a_calendar_counts_them() {
    // The twin turns one page after the other; 1600-01-01 is 135140 days before 1970 (Python's datetime).
    let (mut year, mut month, mut day, mut number) = (1600, 1_u8, 1_u8, -135_140_i64);
    while year < 2400 {
        let time = Time::from_civil(year, month, day, 0, 0, 0).unwrap();
        assert_eq!((time.0, time.date()), (number * DAY, (year, month, day)));
        assert_eq!(Time(time.0 + DAY - 1).date(), (year, month, day), "its last microsecond");
        let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        number += 1;
        day += 1;
        if day > lengths[usize::from(month) - 1] {
            assert_eq!(Time::from_civil(year, month, day, 0, 0, 0), None);
            (month, day) = (month + 1, 1);
        }
        if month > 12 {
            (year, month) = (year + 1, 1);
        }
    }
}

#[test]
fn times_are_those_of_python() {
    // (datetime - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    for (text, micros) in [
        ("2130-04-01 12:00:00", 5_056_948_800_000_000),
        ("0001-01-01 00:00:00", -62_135_596_800_000_000),
        ("9999-12-31 23:59:59.999999", 253_402_300_799_999_999),
        ("1899-12-31 23:59:59.250000", -2_208_988_800_750_000),
    ] {
        let time = Time::parse(text).unwrap();
        assert_eq!((time.0, time.to_string()), (micros, text.to_owned()));
    }
    assert_eq!((Time::EARLIEST.to_string(), Time::LATEST.date()), ("0001-01-01 00:00:00".to_owned(), (9999, 12, 31)));
    assert_eq!(Time(-1).clock(), (23, 59, 59));
}

#[test]
fn the_forms_of_the_sources_are_read() {
    let noon = Time::from_civil(2130, 4, 1, 12, 0, 0).unwrap();
    for text in [
        "2130-04-01 12:00:00",
        " 2130-04-01T12:00 ",
        "2130-04-01T12:00:00.000Z",
        "2130-04-01T12:00:00+05:30",
        "2130-04-01T12:00:00-0500",
        "2130-04-01 12:00:00 UTC",
        "21300401",
    ] {
        let expected = if text.len() == 8 { noon.midnight() } else { noon };
        assert_eq!(Time::parse(text), Some(expected), "{text}");
    }
    let zoned = |text: &str| Time::read(text).unwrap().1.zoned;
    assert!(zoned("2130-04-01T12:00:00+05") && zoned("2130-04-01T12:00Z") && !zoned("2130-04-01T12:00"));
    let precision = |text: &str| Time::read(text).unwrap().1.precision;
    assert_eq!((precision("2130"), precision("2130-04")), (Precision::Year, Precision::Month));
    assert_eq!((precision("2130-04-01"), precision("2130-04-01 00:00")), (Precision::Day, Precision::Second));
    assert_eq!(Time::read("2130-04").unwrap().0.date(), (2130, 4, 1));
    assert_eq!(Time::parse("2130-04"), None, "half a date is no date");
    assert_eq!(Time::parse("2016-12-31T23:59:60Z").unwrap().clock(), (23, 59, 59));
    assert_eq!(Time::parse("2130-04-01 00:00:00,5").unwrap().0 % SECOND, SECOND / 2);
}

#[test]
fn what_is_no_time_is_refused() {
    for text in [
        "",
        "T",
        "2130-02-29",
        "2130-13-01",
        "2130-00-01",
        "0000-01-01",
        "2130-4-1",
        "2130/04/01",
        "01-04-2130",
        "04/01/2130",
        "2130-04-01T24:00:00",
        "2130-04-01T12:60",
        "2130-04-01T12",
        "2130-04-01T12:00:00.",
        "2130-04-01T12:00:00+5",
        "2130-04-01T12:00:00+05:30:00",
        "2130-04-01T12.00.00",
        "2130-04T12:00",
        "２１３０-04-01",
        "2130-04-01 12:00:00 CET",
        "NaT",
        "NULL",
        "-130-04-01",
    ] {
        assert_eq!(Time::read(text), None, "{text}");
    }
}

#[test]
fn nothing_overflows() {
    let (first, last) = (Time(i64::MIN), Time(i64::MAX));
    assert_eq!((last.since(first), first.since(last)), (Span(i64::MAX), Span(i64::MIN)));
    assert_eq!((last.plus(Span::days(1)), last.minus(Span(-5))), (last, last));
    assert_eq!(Time(0).minus(Span(i64::MAX)).minus(Span::years(1)), Time(i64::MIN + 1), "never what stands for none");
    assert_eq!(Span::years(i64::MAX), Span(i64::MAX));
    for time in [first, last] {
        assert!(!time.is_plausible() && !time.to_string().is_empty() && time.midnight() <= time);
    }
    assert!(Time::parse("2300-01-01").unwrap().is_plausible() && !Time::LATEST.is_plausible());
}

#[test]
fn spans_are_read_and_shown() {
    for (text, span, shown) in [
        ("24h", Span::hours(24), "1d"),
        ("36 hours", Span::hours(36), "36h"),
        ("30d", Span::days(30), "30d"),
        ("90min", Span::minutes(90), "90min"),
        ("1y", Span::years(1), "1y"),
        ("1.5h", Span::minutes(90), "90min"),
        ("-2w", Span::days(-14), "-14d"),
        ("0h", Span::ZERO, "0s"),
        ("1us", Span(1), "1us"),
    ] {
        assert_eq!((Span::parse(text), span.to_string().as_str()), (Some(span), shown), "{text}");
        assert_eq!(Span::parse(shown), Some(span));
    }
    for text in ["", "24", "h", "1 month", "1e9y", "99999999999999999y", "nanh", "1h2", "0x1h"] {
        assert_eq!(Span::parse(text), None, "{text}");
    }
    assert_eq!(
        (Span::hours(36).in_days(), Span::days(1).in_hours(), Span::minutes(90).in_minutes()),
        (1.5, 24.0, 90.0)
    );
    assert_eq!((Span::years(2).in_years(), Span::years(4).in_days()), (2.0, 1461.0));
    let sum: Span = [Span::hours(1), Span::minutes(30)].into_iter().sum();
    assert_eq!((sum, -sum, sum - Span::hours(1)), (Span::minutes(90), Span(-sum.0), Span::minutes(30)));
}

#[test]
fn spans_are_texts_in_files() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Task {
        gap: Span,
    }
    let task: Task = toml::from_str("gap = \"24h\"").unwrap();
    assert_eq!(task, Task { gap: Span::days(1) });
    assert_eq!(serde_json::to_string(&task).unwrap(), r#"{"gap":"1d"}"#);
    let error = toml::from_str::<Task>("gap = \"soon\"").unwrap_err().to_string();
    assert!(error.contains("\"soon\" is no span of time"), "{error}");
    assert!(toml::from_str::<Task>("gap = 24").is_err());
}
