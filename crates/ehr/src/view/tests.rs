//! Views end at the prediction time, which belongs to them.

use super::*;
use crate::events::EventsBuilder;

fn at(hours: i64) -> Time {
    Time(0).plus(Span::hours(hours))
}

fn one(rows: &[(Option<i64>, &str)]) -> Events {
    let mut builder = EventsBuilder::new();
    // Neighbours on both sides: nothing may come from them.
    builder.push(1, Some(at(0)), "OTHER", None, None);
    builder.push(3, Some(at(0)), "OTHER", None, None);
    rows.iter().for_each(|(hours, code)| builder.push(2, hours.map(at), code, None, None));
    builder.finish().unwrap()
}

fn names<'a>(events: &'a Events, found: impl Iterator<Item = Event<'a>>) -> Vec<&'a str> {
    found.map(|event| events.codebook.name(event.code)).collect()
}

#[test]
fn a_view_ends_at_its_time_and_with_it() {
    let events = one(&[(None, "SEX"), (Some(1), "A"), (Some(5), "B"), (Some(5), "C"), (Some(6), "D")]);
    let subject = events.find(2).unwrap();
    let seen = |time: Time| names(&events, subject.as_of(time).events()).join("");
    assert_eq!(seen(at(5)), "SEXABC", "MEDS: up to and including");
    assert_eq!(seen(Time(at(5).0 - 1)), "SEXA");
    assert_eq!((seen(at(0)), seen(at(99))), ("SEX".to_owned(), "SEXABCD".to_owned()));
    let view = subject.as_of(at(5));
    assert_eq!((view.subject_id(), view.prediction_time(), view.len(), view.is_empty()), (2, at(5), 4, false));
    assert_eq!(names(&events, view.events().rev()), ["C", "B", "A", "SEX"]);
    assert_eq!((view.statics().len(), view.timed().len()), (1, 3));
    assert_eq!(events.find(1).unwrap().as_of(at(-1)).len(), 0);
}

#[test]
fn no_change_of_the_future_changes_a_view() {
    let past = [(None, "SEX"), (Some(1), "A"), (Some(3), "B"), (Some(3), "A")];
    let future = [(Some(4), "MEDS_DEATH"), (Some(4), "A"), (Some(90), "DISCHARGE//DIED")];
    let rules =
        [VisitRule::Day, VisitRule::Gap(Span::hours(1)), VisitRule::Codes { start_prefix: vec!["B".to_owned()] }];
    let seen = |rows: &[(Option<i64>, &str)]| {
        let events = one(rows);
        let view = events.find(2).unwrap().as_of(at(3));
        let visits = rules.each_ref().map(|rule| {
            view.visits(rule).iter().map(|visit| (visit.start, visit.end, visit.codes.len())).collect::<Vec<_>>()
        });
        let last = view.last(events.codebook.get("A").unwrap()).unwrap().time;
        let names: Vec<String> =
            names(&events, view.within(Span::hours(2)).events()).into_iter().map(str::to_owned).collect();
        (names, visits, last, view.age())
    };
    let before = seen(&past);
    for more in 1..=future.len() {
        assert_eq!(seen(&[&past[..], &future[..more]].concat()), before);
    }
    assert_eq!(before.0, ["SEX", "B", "A"]);
}

#[test]
fn windows_one_behind_the_other_share_nothing_and_lose_nothing() {
    let rows: Vec<(Option<i64>, &str)> = (0..40).map(|hour| (Some(hour), "A")).collect();
    let events = one(&rows);
    let subject = events.find(2).unwrap();
    let rows_of = |view: &View<'_>| view.timed().map(|event| event.row).collect::<Vec<_>>();
    let windows = (0..5).flat_map(|window| rows_of(&subject.as_of(at(8 * window + 7)).within(Span::hours(8))));
    assert_eq!(windows.collect::<Vec<_>>(), rows_of(&subject.as_of(at(39))));
    let view = subject.as_of(at(10));
    assert_eq!(rows_of(&view.within(Span::hours(2))).len(), 2, "10 and 9; 8 is not within two hours before 10");
    assert_eq!((view.within(Span::ZERO).len(), view.within(Span::years(9)).len()), (0, 11));
    let thin = view.excluding(&|_| false).within(Span::hours(2));
    assert_eq!(rows_of(&thin), rows_of(&view.within(Span::hours(2))), "in either order");
}

#[test]
fn excluded_codes_are_gone_everywhere() {
    let events = one(&[(None, "SEX"), (None, "RACE"), (Some(1), "A"), (Some(2), "B"), (Some(3), "A")]);
    let code = |name: &str| events.codebook.get(name).unwrap();
    let view = events.find(2).unwrap().as_of(at(9));
    assert_eq!(view.last(code("A")).unwrap().time, Some(at(3)));
    let left = view.excluding(&|id| id == code("A")).excluding(&|id| id == code("SEX"));
    assert_eq!(names(&events, left.events()), ["RACE", "B"]);
    assert_eq!(names(&events, left.timed()), ["B"]);
    assert_eq!((left.last(code("A")), left.len(), left.statics().len()), (None, 2, 1));
    assert_eq!((left.visits(&VisitRule::Day).len(), left.prediction_time()), (1, at(9)));
}

#[test]
fn visits_by_day_and_by_gap() {
    let events = one(&[(Some(1), "A"), (Some(23), "B"), (Some(23), "A"), (Some(24), "C"), (Some(60), "A")]);
    let view = events.find(2).unwrap().as_of(at(99));
    let told = |rule: &VisitRule| -> Vec<(i64, i64, String)> {
        let visits = view.visits(rule);
        let hour = |time: Time| time.since(at(0)).0 / Span::hours(1).0;
        let codes = |visit: &Visit<'_>| visit.codes.iter().map(|code| events.codebook.name(*code)).collect();
        visits.iter().map(|visit| (hour(visit.start), hour(visit.end), codes(visit))).collect()
    };
    let row = |start: i64, end: i64, codes: &str| (start, end, codes.to_owned());
    assert_eq!(told(&VisitRule::Day), [row(1, 23, "AB"), row(24, 24, "C"), row(60, 60, "A")]);
    assert_eq!(told(&VisitRule::Gap(Span::hours(22))), [row(1, 24, "ABC"), row(60, 60, "A")]);
    assert_eq!(told(&VisitRule::Gap(Span::hours(21))), [row(1, 1, "A"), row(23, 24, "BAC"), row(60, 60, "A")]);
    let first = &view.visits(&VisitRule::Day)[0];
    assert_eq!(names(&events, first.events()), ["A", "B", "A"]);
}

#[test]
fn visits_begin_where_codes_say_so() {
    let events = one(&[
        (Some(-900_000), "MEDS_BIRTH"),
        (None, "SEX"),
        (Some(1), "LAB"),
        (Some(5), "DX"),
        (Some(5), "ADM//EMERGENCY"),
        (Some(5), "ADM//REGISTERED"),
        (Some(7), "LAB"),
        (Some(9), "ADM"),
    ]);
    let view = events.find(2).unwrap().as_of(at(9));
    let visits = view.visits(&VisitRule::Codes { start_prefix: vec!["ADM".to_owned(), "ED".to_owned()] });
    let told: Vec<Vec<&str>> = visits.iter().map(|visit| names(&events, visit.events())).collect();
    assert_eq!(told, [vec!["LAB"], vec!["DX", "ADM//EMERGENCY", "ADM//REGISTERED", "LAB"], vec!["ADM"]]);
    assert_eq!((visits[1].start, visits[1].end), (at(5), at(7)));
    assert_eq!(view.age().map(Span::in_hours), Some(900_009.0));
    let none = events.find(2).unwrap().as_of(at(-900_000)).visits(&VisitRule::Day);
    assert!(none.is_empty(), "a birth is no visit");
}

#[test]
fn rules_are_read_from_files() {
    #[derive(serde::Deserialize)]
    struct Task {
        visits: VisitRule,
    }
    let rule = |text: &str| toml::from_str::<Task>(text).map(|task| task.visits);
    assert_eq!(rule("visits = \"day\"").unwrap(), VisitRule::Day);
    assert_eq!(rule("visits = { gap = \"12h\" }").unwrap(), VisitRule::Gap(Span::hours(12)));
    let codes = VisitRule::Codes { start_prefix: vec!["ENCOUNTER".to_owned()] };
    assert_eq!(rule("visits = { codes = { start_prefix = [\"ENCOUNTER\"] } }").unwrap(), codes);
    assert!(rule("visits = { codes = { prefix = [] } }").is_err() && rule("visits = \"night\"").is_err());
}
