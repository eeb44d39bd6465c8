//! Tables, vocabularies and series: fitted on the training part, the same for a view whatever follows it.

use std::slice::from_ref;

use super::*;
use crate::events::{Events, EventsBuilder};
use crate::split::{Part, Split};
use crate::time::{Span, Time};
use crate::view::VisitRule;

/// Hours since 2130-01-01.
fn at(hours: f64) -> Time {
    let start = Time::from_civil(2130, 1, 1, 0, 0, 0).unwrap();
    start.plus(Span::minutes((hours * 60.0).round() as i64))
}

fn events(rows: &[(i64, Option<f64>, &str, Option<f32>)]) -> Events {
    let mut builder = EventsBuilder::new();
    for &(subject, hours, code, value) in rows {
        builder.push(subject, hours.map(at), code, value, None);
    }
    builder.finish().unwrap()
}

fn records() -> Events {
    events(&[
        (1, None, "GENDER//F", None),
        (1, None, "HEIGHT", Some(170.0)),
        (1, Some(-8_766.0 * 60.0), "MEDS_BIRTH", None),
        (1, Some(0.0), "HR", Some(80.0)),
        (1, Some(12.0), "HR", Some(90.0)),
        (1, Some(12.0), "DRUG", None),
        (1, Some(20.0), "DRUG", None),
        (1, Some(24.0), "HR", Some(100.0)),
        (1, Some(30.0), "HR", Some(500.0)),
        (2, None, "GENDER//M", None),
        (2, Some(-8_766.0 * 300.0), "MEDS_BIRTH", None),
        (2, Some(1.0), "HR", Some(60.0)),
        (2, Some(2.0), "PH", Some(7.4)),
        (2, Some(26.0), "DRUG", None),
    ])
}

fn cell(table: &Table, row: usize, name: &str) -> f32 {
    let column =
        table.names.iter().position(|own| own == name).unwrap_or_else(|| panic!("no {name}: {:?}", table.names));
    table.row(row)[column]
}

#[test]
fn a_recipe_sees_what_was_known() {
    let events = records();
    let views: Vec<_> = events.iter().map(|subject| subject.as_of(at(24.0))).collect();
    let recipe = Recipe { min_subjects: 1, windows: vec![Span::hours(12), Span::days(1)], ..Recipe::default() };
    let fitted = recipe.fit(&views).unwrap();
    let table = fitted.table(&views);
    assert_eq!((table.rows(), table.columns()), (2, fitted.names().len()));
    // values at 12 h and 24 h: the window of 12 h leaves its own beginning out and has its end; 500 comes later
    for (name, expected) in [
        ("HR|last|12h", 100.0),
        ("HR|mean|12h", 100.0),
        ("HR|count|12h", 1.0),
        // the window of a day leaves hour 0 out
        ("HR|mean|1d", 95.0),
        ("HR|min|1d", 90.0),
        ("HR|max|1d", 100.0),
        ("DRUG|events|12h", 1.0),
        ("DRUG|events|1d", 2.0),
        ("HEIGHT|static", 170.0),
        ("GENDER//F|is", 1.0),
        ("GENDER//M|is", 0.0),
    ] {
        assert_eq!(cell(&table, 0, name), expected, "{name}");
    }
    // 60 years of 8766 hours, and a day; the age of 300 years of the other one is capped
    assert!((cell(&table, 0, "age") - 60.0027).abs() < 1e-3, "{}", cell(&table, 0, "age"));
    assert_eq!(cell(&table, 1, "age"), 90.0);
    // subject 2 had no drug by then, and its only value is out of the short window
    assert_eq!(cell(&table, 1, "DRUG|events|1d"), 0.0);
    assert!(cell(&table, 1, "HR|last|12h").is_nan() && cell(&table, 1, "HEIGHT|static").is_nan());
    assert_eq!((cell(&table, 1, "HR|count|12h"), cell(&table, 1, "HR|last|1d")), (0.0, 60.0));
    let bits = |row: &[f32]| row.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&fitted.apply(&views[0])), bits(table.row(0)));
}

#[test]
fn a_recipe_is_fitted_on_the_subjects_it_is_given() {
    let events = records();
    let views: Vec<_> = events.iter().map(|subject| subject.as_of(at(24.0))).collect();
    let both = Recipe { min_subjects: 2, ..Recipe::default() }.fit(&views).unwrap();
    // only the heart rate is known of two subjects by then
    assert_eq!(both.codes().collect::<Vec<_>>(), ["HR"]);
    // two views of one subject are one subject
    let twice = [views[0].clone(), views[0].clone()];
    let alone = Recipe { min_subjects: 2, age: false, ..Recipe::default() }.fit(&twice);
    assert!(matches!(alone, Err(FeatureError::Nothing { min_subjects: 2, .. })));
    let named = Recipe { variables: vec!["HR".into(), "GLUCOSE".into()], ..Recipe::default() }.fit(&views);
    let message = named.unwrap_err().to_string();
    assert!(message.starts_with("1 of the 2 variables never occur") && message.contains("\"GLUCOSE\""), "{message}");
    assert!(matches!(Recipe::default().fit(&[]), Err(FeatureError::NoViews)));
    let other = records();
    let mixed = [views[0].clone(), other.subject(0).as_of(at(1.0))];
    assert!(matches!(Recipe::default().fit(&mixed), Err(FeatureError::Codebooks)));
    // what is fitted comes back from its file, and fits another codebook
    let text = serde_json::to_string(&both).unwrap();
    let read: FittedRecipe = serde_json::from_str(&text).unwrap();
    assert_eq!(read, both);
    assert_eq!(read.apply(&other.subject(0).as_of(at(24.0))), both.apply(&views[0]));
    assert!(read.provenance().ids().is_none() && both.provenance().ids().is_some());
}

#[test]
fn no_future_event_changes_a_feature() {
    let mut rows =
        vec![(1, Some(0.0), "HR", Some(80.0)), (1, Some(10.0), "HR", Some(70.0)), (1, Some(9.0), "DRUG", None)];
    let before = events(&rows);
    rows.extend([
        (1, Some(10.1), "HR", Some(999.0)),
        (1, Some(11.0), "DRUG", None),
        (1, Some(12.0), "MEDS_DEATH", None),
    ]);
    let after = events(&rows);
    let view = |events: &'_ Events| -> Vec<f32> {
        let view = events.subject(0).as_of(at(10.0));
        let recipe = Recipe { min_subjects: 1, age: false, ..Recipe::default() };
        let series = SeriesConfig { min_subjects: 1, age: false, ..SeriesConfig::default() };
        let mut all = recipe.fit(from_ref(&view)).unwrap().apply(&view);
        all.extend(series.fit(from_ref(&view)).unwrap().apply(&view).unwrap().values);
        all
    };
    assert_eq!(view(&before), view(&after));
}

#[test]
fn a_scaler_fills_and_standardises() {
    let nan = f32::NAN;
    let table = Table {
        names: ["a", "b", "c"].map(str::to_owned).to_vec(),
        values: vec![1.0, 5.0, nan, 3.0, 5.0, nan, nan, 5.0, nan, 8.0, 5.0, nan],
    };
    let config = ScalerConfig { indicators: true, ..ScalerConfig::default() };
    let scaler = config.fit(&table, Provenance::of([1, 2])).unwrap();
    let scaled = scaler.apply(&table).unwrap();
    assert_eq!(scaled.names, ["a", "b", "c", "a|missing", "c|missing"]);
    // filled 1, 3, 4, 8: mean 4, deviation sqrt((9 + 1 + 0 + 16) / 4)
    let deviation = 6.5_f32.sqrt();
    let expected = [-3.0 / deviation, -1.0 / deviation, 0.0, 4.0 / deviation];
    for (found, expected) in scaled.column(0).zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
    assert!(scaled.column(1).chain(scaled.column(2)).all(|value| value == 0.0));
    assert_eq!(scaled.column(3).collect::<Vec<_>>(), [0.0, 0.0, 1.0, 0.0]);
    assert_eq!((scaler.columns(), scaled.missing()), (5, 0.0));
    assert_eq!(table.missing(), 5.0 / 12.0);
    let median = ScalerConfig { impute: Impute::Median, standardise: false, indicators: false };
    let filled = median.fit(&table, Provenance::default()).unwrap().apply(&table).unwrap();
    assert_eq!(filled.column(0).collect::<Vec<_>>(), [1.0, 3.0, 3.0, 8.0]);
    let other = Table { names: vec!["a".to_owned()], values: vec![1.0] };
    assert_eq!(
        scaler.apply(&other).unwrap_err().to_string(),
        "the table has 1 columns, but was fitted on 3; make it with the same recipe"
    );
}

#[test]
fn a_vocabulary_backs_off() {
    let mut rows = Vec::new();
    for subject in 1..=4 {
        rows.push((subject, Some(1.0), "LAB//NA//mmol/L", None));
        rows.push((subject, Some(900.0), "LATE", None));
    }
    rows.push((1, Some(2.0), "DIAGNOSIS//ICD10CM//E1165", None));
    rows.push((2, Some(2.0), "DIAGNOSIS//ICD10CM//E119", None));
    rows.push((3, Some(2.0), "DIAGNOSIS//ICD10CM//E1122", None));
    rows.push((3, Some(2.0), "LAB//RARE//x", None));
    rows.push((4, Some(2.0), "ODD", None));
    rows.push((4, Some(2.0), "TARGET//1", None));
    let mut set = events(&rows);
    let views: Vec<_> = set.iter().map(|subject| subject.as_of(at(10.0))).collect();
    let config =
        VocabularyConfig { min_subjects: 3, exclude: vec!["TARGET".to_owned()], ..VocabularyConfig::default() };
    let vocabulary = config.fit(&views).unwrap();
    // three subjects have a kind of diabetes of type 2: together they are frequent enough
    assert_eq!(vocabulary.codes(), ["LAB//NA//mmol/L", "DIAGNOSIS//ICD10CM//E11"]);
    assert_eq!((vocabulary.len(), vocabulary.name(3)), (4, Some("DIAGNOSIS//ICD10CM//E11")));
    assert_eq!([0, 1, 9].map(|id| vocabulary.name(id)), [None; 3]);
    let encoder = vocabulary.encoder(&set.codebook).unwrap();
    let id = |code: &str| encoder.id(set.codebook.get(code).unwrap());
    assert_eq!((id("LAB//NA//mmol/L"), id("DIAGNOSIS//ICD10CM//E119")), (Some(2), Some(3)));
    assert_eq!((id("ODD"), id("LAB//RARE//x"), id("TARGET//1")), (Some(UNKNOWN), Some(UNKNOWN), None));
    // a code that training never had takes the place of the one above it
    set.codebook.intern("DIAGNOSIS//ICD10CM//E1169");
    let local = set.codebook.intern("LOCAL//77");
    set.codebook.describe(local, None, &["MIDDLE".to_owned()]);
    let middle = set.codebook.intern("MIDDLE");
    // hierarchies may go in circles
    set.codebook.describe(middle, None, &["LOCAL//77".to_owned(), "LAB//NA//mmol/L".to_owned()]);
    let encoder = vocabulary.encoder(&set.codebook).unwrap();
    let id = |code: &str| encoder.id(set.codebook.get(code).unwrap());
    assert_eq!((id("DIAGNOSIS//ICD10CM//E1169"), id("LOCAL//77")), (Some(3), Some(2)));
}

#[test]
fn without_back_off_rare_codes_are_unknown() {
    let set = events(&[
        (1, Some(0.0), "A", None),
        (2, Some(0.0), "A", None),
        (2, Some(0.0), "B//1", None),
        (1, Some(0.0), "B//2", None),
    ]);
    let views: Vec<_> = set.iter().map(|subject| subject.as_of(at(10.0))).collect();
    let config = VocabularyConfig { min_subjects: 2, back_off: false, ..VocabularyConfig::default() };
    assert_eq!(config.fit(&views).unwrap().codes(), ["A"]);
    let config = VocabularyConfig { back_off: true, ..config };
    // both subjects have a code below B; of codes of equal frequency the name decides
    assert_eq!(config.fit(&views).unwrap().codes(), ["A", "B"]);
    assert_eq!(VocabularyConfig { max_codes: 1, ..config }.fit(&views).unwrap().codes(), ["A"]);
    let none = VocabularyConfig { min_subjects: 3, ..VocabularyConfig::default() }.fit(&views);
    assert!(none.unwrap_err().to_string().contains("3 or more training subjects"));
}

#[test]
fn visits_become_ids_and_days() {
    let set = events(&[
        (1, Some(0.0), "A", None),
        (1, Some(1.0), "B", None),
        (1, Some(30.0), "UNSEEN", None),
        (1, Some(96.0), "A", None),
        (1, Some(97.0), "PLANNED//X", None),
        (2, Some(0.0), "A", None),
        (2, Some(0.0), "B", None),
        (2, Some(0.0), "PLANNED//X", None),
    ]);
    let training = [set.subject(1).as_of(at(200.0))];
    let config = VocabularyConfig { min_subjects: 1, back_off: false, exclude: vec!["UNSEEN".into()], max_codes: 0 };
    let vocabulary = config.fit(&training).unwrap();
    let encoder = vocabulary.encoder(&set.codebook).unwrap();
    let config = SequenceConfig { visits: VisitRule::Day, max_visits: 10, planned: vec!["PLANNED".to_owned()] };
    let view = set.subject(0).as_of(at(200.0));
    let found = sequence(&view, &encoder, &config, vec![0.5]);
    // the day of which nothing is in the vocabulary is no visit
    assert_eq!((found.len(), found.gaps(), found.planned()), (2, &[0.0, 4.0][..], &[false, true][..]));
    assert_eq!((found.codes(0), found.codes(1), found.statics()), (&[2, 3][..], &[2, 4][..], &[0.5][..]));
    let last = sequence(&view, &encoder, &SequenceConfig { max_visits: 1, ..config.clone() }, Vec::new());
    assert_eq!((last.len(), last.gaps()), (1, &[0.0][..]));
    assert!(sequence(&set.subject(0).as_of(at(-5.0)), &encoder, &config, Vec::new()).is_empty());
}

#[test]
fn series_have_masks_and_intervals() {
    let set = events(&[
        (1, None, "HEIGHT", Some(170.0)),
        (1, Some(0.0), "HR", Some(80.0)),
        (1, Some(0.5), "HR", Some(100.0)),
        (1, Some(3.2), "PH", Some(7.0)),
        (1, Some(5.0), "HR", Some(60.0)),
        (2, None, "HEIGHT", Some(180.0)),
    ]);
    let views: Vec<_> = set.iter().map(|subject| subject.as_of(at(48.0))).collect();
    let config = SeriesConfig { min_subjects: 1, clip: 0.0, age: false, ..SeriesConfig::default() };
    let fitted = config.fit(&views).unwrap();
    assert_eq!(
        (fitted.variables(), fitted.statics()),
        (&["HR".to_owned(), "PH".to_owned()][..], &["HEIGHT|static".to_owned()][..])
    );
    let (mean, deviation) = fitted.moments_of(0);
    assert!((mean - 80.0).abs() < 1e-4 && (deviation - (800.0_f32 / 3.0).sqrt()).abs() < 1e-4, "{mean} {deviation}");
    let series = fitted.apply(&views[0]).unwrap();
    // hours 0, 3 and 5; the two values of the first hour are averaged
    assert_eq!((series.steps, series.hours.as_slice()), (3, &[0.0, 3.0, 5.0][..]));
    assert_eq!(series.mask, [1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
    // time since the last observation in an earlier step (Che et al. 2018, equation 2)
    assert_eq!(series.delta, [0.0, 0.0, 3.0, 3.0, 5.0, 2.0]);
    let expected = [10.0 / deviation, 0.0, 0.0, 0.0, -20.0 / deviation, 0.0];
    assert!(series.values.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-5), "{series:?}");
    assert_eq!(series.statics, [-1.0]);
    // a record without measurements can be scored
    let empty = fitted.apply(&views[1]).unwrap();
    assert_eq!((empty.steps, empty.mask.as_slice(), empty.statics.as_slice()), (1, &[0.0, 0.0][..], &[1.0][..]));
    assert_eq!(fitted.apply_all(&views).unwrap(), [series, empty]);
    let read: FittedSeries = serde_json::from_str(&serde_json::to_string(&fitted).unwrap()).unwrap();
    assert_eq!(read, fitted);
}

#[test]
fn grids_keep_empty_steps_and_the_last_ones() {
    let set =
        events(&[(1, Some(0.0), "HR", Some(80.0)), (1, Some(4.0), "HR", Some(60.0)), (1, Some(6.0), "HR", Some(70.0))]);
    let view = set.subject(0).as_of(at(6.0));
    let config = SeriesConfig { min_subjects: 1, age: false, statics: false, ..SeriesConfig::default() };
    let whole = SeriesConfig { keep_empty: true, ..config.clone() }.fit(from_ref(&view)).unwrap().apply(&view).unwrap();
    assert_eq!(whole.hours, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(whole.mask, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0]);
    let last = SeriesConfig { keep_empty: true, max_steps: 3, ..config.clone() };
    let last = last.fit(from_ref(&view)).unwrap().apply(&view).unwrap();
    assert_eq!((last.hours.as_slice(), last.mask.as_slice()), (&[0.0, 1.0, 2.0][..], &[1.0, 0.0, 1.0][..]));
    // a window of 6 hours leaves hour 0 out, and its last cell ends with the prediction time
    let window = SeriesConfig { window: Some(Span::hours(6)), step: Span::hours(3), ..config.clone() };
    let window = window.fit(from_ref(&view)).unwrap().apply(&view).unwrap();
    assert_eq!((window.steps, window.mask.as_slice()), (1, &[1.0][..]));
    let exact = SeriesConfig { step: Span::ZERO, ..config.clone() };
    let exact = exact.fit(from_ref(&view)).unwrap().apply(&view).unwrap();
    assert_eq!(exact.hours, [0.0, 4.0, 6.0]);
    assert!(SeriesConfig { step: Span::ZERO, keep_empty: true, ..config }.validate().is_err());
}

#[test]
fn outliers_are_limited_by_training() {
    let mut rows: Vec<(i64, Option<f64>, &str, Option<f32>)> =
        (0..100).map(|hour| (1, Some(f64::from(hour)), "PH", Some(7.0 + (hour % 5) as f32 / 10.0))).collect();
    rows.push((1, Some(100.0), "PH", Some(735.0)));
    rows.push((2, Some(1.0), "PH", Some(735.0)));
    let set = events(&rows);
    let [train, test] = [0, 1].map(|place| set.subject(place).as_of(at(200.0)));
    let config = SeriesConfig { min_subjects: 1, clip: 0.01, ..SeriesConfig::default() };
    let fitted = config.fit(&[train]).unwrap();
    let (mean, deviation) = fitted.moments_of(0);
    assert!((mean - 7.2).abs() < 0.01 && deviation < 0.2, "{mean} {deviation}");
    let value = fitted.apply(&test).unwrap().values[0];
    assert!((value - (7.4 - mean) / deviation).abs() < 1e-4, "{value}");
}

/// JSON knows no infinity: what has no limits must come back from a file without any, and be scored.
#[test]
fn a_variable_without_a_training_value_in_the_window_has_no_limits() {
    let set = events(&[
        (1, Some(0.0), "PH", Some(7.1)),
        (1, Some(90.0), "HR", Some(80.0)),
        (1, Some(95.0), "HR", Some(60.0)),
        (2, Some(99.0), "PH", Some(7.5)),
    ]);
    let [train, test] = [0, 1].map(|place| set.subject(place).as_of(at(100.0)));
    let config = SeriesConfig {
        variables: vec!["HR".to_owned(), "PH".to_owned()],
        window: Some(Span::hours(24)),
        statics: false,
        age: false,
        ..SeriesConfig::default()
    };
    let fitted = config.fit(&[train]).unwrap();
    let text = serde_json::to_string(&fitted).unwrap();
    let written: serde_json::Value = serde_json::from_str(&text).unwrap();
    let limits = written["limits"].as_array().unwrap().iter().flat_map(|pair| pair.as_array().unwrap());
    assert!(limits.clone().count() == 4 && limits.clone().all(serde_json::Value::is_f64), "{text}");
    let read: FittedSeries = serde_json::from_str(&text).unwrap();
    assert_eq!(read, fitted);
    assert_eq!(read.moments_of(1), (0.0, 1.0));
    // as it is: nothing is known of how it spreads
    let series = read.apply(&test).unwrap();
    assert_eq!((series.mask.as_slice(), series.values.as_slice()), (&[0.0, 1.0][..], &[0.0, 7.5][..]));
}

#[test]
fn provenance_names_subjects_by_digest() {
    let known = Provenance::of([3, 1, 2, 3]);
    assert!(known.subjects() == 3 && known.ids().is_some_and(|ids| ids.len() == 3));
    assert_eq!(known, Provenance::of([1, 2, 3]));
    assert_ne!(known, Provenance::of([1, 2, 4]));
    // sha256 of 01 00 … 02 00 … 03 00 …, 8 bytes each, from Python's hashlib
    assert_eq!(known.digest(), "e2e2033ae7e19d680599d4eb0a1359a2b48ec5baac75066c317fbf85159c54ef");
    let split = Split::from_pairs([(1, Part::Train), (2, Part::HeldOut)]).unwrap();
    let labels = [1, 2].map(|subject| crate::labels::Label::boolean(subject, Time(0), true));
    assert_eq!(Provenance::of_training(&split, &labels), Provenance::of([1]));
    let read: Provenance = serde_json::from_str(&serde_json::to_string(&known).unwrap()).unwrap();
    assert!(read == known && read.ids().is_none());
}
