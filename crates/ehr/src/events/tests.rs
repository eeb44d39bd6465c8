//! Events in their order, whatever order they came in.

use super::*;
use crate::time::Span;

#[allow(clippy::unnecessary_wraps, reason = "as events have it")]
fn at(hours: i64) -> Option<Time> {
    Some(Time(0).plus(Span::hours(hours)))
}

/// Rows as `subject hours code value text`, to compare.
fn shown(events: &Events) -> Vec<String> {
    let line = |subject: &Subject<'_>, event: Event<'_>| {
        let hours = event.time.map_or("-".to_owned(), |time| time.since(Time(0)).in_hours().to_string());
        let value = event.value.map_or("-".to_owned(), |value| value.to_string());
        let name = events.codebook.name(event.code);
        format!("{} {hours} {name} {value} {}", subject.id(), event.text.unwrap_or("-"))
    };
    events.iter().flat_map(|subject| subject.events().map(|event| line(&subject, event)).collect::<Vec<_>>()).collect()
}

fn two() -> Events {
    let mut rows = EventsBuilder::new();
    rows.push(9, at(5), "LAB//A", Some(1.5), None);
    rows.push(3, at(1), "MEDS_BIRTH", None, None);
    rows.push(9, None, "GENDER//M", None, None);
    rows.push(9, at(2), "NOTE", None, Some("no fever"));
    rows.push(9, at(5), "DX", None, Some(""));
    rows.push(9, at(8), "MEDS_DEATH", None, None);
    rows.finish().unwrap()
}

#[test]
fn rows_are_sorted_by_subject_and_time_and_ties_stay() {
    let events = two();
    let expected = [
        "3 1 MEDS_BIRTH - -",
        "9 - GENDER//M - -",
        "9 2 NOTE - no fever",
        "9 5 LAB//A 1.5 -",
        "9 5 DX - -",
        "9 8 MEDS_DEATH - -",
    ];
    assert_eq!(shown(&events), expected);
    assert_eq!((events.subjects(), events.rows(), events.ids()), (2, 6, &[3, 9][..]));
    let (first, second) = (events.subject(0), events.find(9).unwrap());
    assert_eq!((first.id(), second.index(), second.len(), events.find(4).is_none()), (3, 1, 5, true));
    assert_eq!((second.statics().len(), second.timed().len(), first.statics().len()), (1, 4, 0));
    assert_eq!((second.first_time(), second.last_time(), second.birth(), second.death()), (at(2), at(8), None, at(8)));
    assert_eq!(first.birth(), at(1));
    let rows: Vec<usize> = second.events().map(|event| event.row).collect();
    assert_eq!(rows, [1, 2, 3, 4, 5]);
}

#[test]
fn what_comes_out_does_not_depend_on_the_order_of_what_goes_in() {
    // The twin sorts texts; events of one subject and time that differ stand in the order in which they came.
    let row = |number: usize| {
        let number = number as u64;
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        ((mixed % 7) as i64, (mixed / 7 % 11) as i64, format!("C{}", number % 5))
    };
    let mut rows = EventsBuilder::new();
    let mut twin = Vec::new();
    for number in 0..500 {
        let (subject, hour, code) = row(number);
        let time = if hour == 0 { None } else { at(hour) };
        rows.push(subject, time, &code, Some(number as f32), None);
        twin.push((subject, time, number, code));
    }
    twin.sort();
    let events = rows.finish().unwrap();
    let found = events.iter().flat_map(|subject| {
        let id = subject.id();
        subject.events().map(move |event| (id, event.time, event.value.unwrap() as usize, event.code))
    });
    let found: Vec<_> =
        found.map(|(id, time, number, code)| (id, time, number, events.codebook.name(code).to_owned())).collect();
    assert_eq!(found, twin);
}

#[test]
fn equal_events_are_dropped_only_if_asked() {
    let rows = |unique| {
        let mut rows = EventsBuilder::new().drop_duplicates(unique);
        for hours in [5, 4, 5] {
            rows.push(1, at(hours), "A", Some(0.0), None);
            rows.push(1, at(hours), "A", Some(-0.0), None);
            rows.push(1, at(hours), "A", None, None);
            rows.push(1, at(hours), "A", None, Some("x"));
        }
        rows.push(2, at(5), "A", None, Some("x"));
        rows.finish().unwrap().rows()
    };
    assert_eq!((rows(false), rows(true)), (13, 7));
}

#[test]
fn values_that_are_no_numbers_are_none_and_counted() {
    let mut rows = EventsBuilder::new();
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.0] {
        rows.push(1, at(0), "A", Some(value), None);
    }
    assert_eq!((rows.len(), rows.not_finite()), (4, 3));
    let events = rows.finish().unwrap();
    assert_eq!(events.subject(0).events().filter_map(|event| event.value).collect::<Vec<_>>(), [1.0]);
    let mut rows = EventsBuilder::new();
    rows.push(5, at(0), "A", None, None);
    rows.push(6, Some(Time(i64::MIN)), "A", None, None);
    assert_eq!(rows.finish().unwrap_err(), EventsError::ReservedTime { row: 2, subject: 6 });
}

#[test]
fn parts_are_put_together_whatever_the_numbers_of_their_codes() {
    let mut rows = EventsBuilder::new();
    rows.push(5, at(3), "DX", Some(2.0), Some("seen"));
    rows.push(5, None, "LAB//A", None, None);
    let other = rows.finish().unwrap();
    let merged = Events::merge(vec![two(), Events::default(), other.clone()]).unwrap();
    let mut expected = shown(&two());
    let behind = expected.split_off(1);
    expected.extend(shown(&other).into_iter().chain(behind));
    assert_eq!(shown(&merged), expected);
    let error = Events::merge(vec![two(), other.clone(), other]).unwrap_err();
    assert_eq!(error, EventsError::DuplicateSubject { subject: 5 });
    let subset = merged.subset(&|id| id != 3);
    assert_eq!(shown(&subset), expected[1..]);
    assert_eq!(subset.codebook.len(), merged.codebook.len());
    assert_eq!(Events::merge(Vec::new()).unwrap().rows(), 0);
    assert_eq!(EventsBuilder::new().finish().unwrap().iter().len(), 0);
}
