//! Parts of subjects: no one in two of them, the same again from the same seed.

use super::*;

fn day(text: &str) -> Time {
    Time::parse(text).unwrap()
}

fn labels(rows: &[(i64, &str, bool)]) -> Vec<Label> {
    rows.iter().map(|&(subject, time, value)| Label::boolean(subject, day(time), value)).collect()
}

/// Subjects 0 to 199, every fifth of them with a positive label, and every second stay negative.
fn cohort() -> Vec<Label> {
    let stay = |subject, time, value| Label::boolean(subject, day(time), value);
    (0..200).flat_map(|id| [stay(id, "2011-01-01", id % 5 == 0), stay(id, "2012-01-01", false)]).collect()
}

#[test]
fn a_subject_split_keeps_stays_together_and_labels_alike() {
    let labels = cohort();
    let subjects: Vec<i64> = (0..200).collect();
    let split = by_subject(&subjects, &labels, &SplitConfig::default()).unwrap();
    assert_eq!(Part::ALL.map(|part| split.count(part)), [140, 20, 40]);
    for part in Part::ALL {
        let positives = split.subjects(part).filter(|subject| subject % 5 == 0).count();
        assert_eq!(positives, split.count(part) / 5, "{part}");
        let rows = split.rows(&labels, part);
        assert_eq!(rows.len(), 2 * split.count(part));
        assert!(rows.iter().all(|&row| split.part(labels[row].subject) == Some(part)));
    }
    let rows = split.of_rows(&labels);
    rows.check(labels.len()).unwrap();
    assert_eq!((rows.train.len(), rows.validation.len(), rows.test.len()), (280, 40, 80));
    assert_eq!(split.counts(), "train 140, tuning 20, held_out 40");
    // the same seed draws the same, whatever the order of the subjects; another seed draws other subjects
    let reversed: Vec<i64> = (0..200).rev().collect();
    assert_eq!(by_subject(&reversed, &labels, &SplitConfig::default()).unwrap(), split);
    assert_ne!(by_subject(&subjects, &labels, &SplitConfig { seed: 2, ..SplitConfig::default() }).unwrap(), split);
}

#[test]
fn folds_hold_each_subject_out_once() {
    let labels = cohort();
    let splits = folds(&labels, 5, 0.25, 3).unwrap();
    let mut held_out = BTreeSet::new();
    for split in &splits {
        assert_eq!(Part::ALL.map(|part| split.count(part)), [120, 40, 40]);
        assert_eq!(split.subjects(Part::HeldOut).filter(|subject| subject % 5 == 0).count(), 8);
        assert!(split.subjects(Part::HeldOut).all(|subject| held_out.insert(subject)));
    }
    assert_eq!(held_out.len(), 200);
    assert!(folds(&labels[..4], 5, 0.0, 3).is_err());
}

#[test]
fn a_calendar_split_keeps_subject_and_time_apart() {
    let labels = labels(&[
        (1, "2010-03-01", false),
        (2, "2014-03-01", true),
        (2, "2016-06-01", false),
        (3, "2015-03-01", false),
        (4, "2016-01-01", true),
    ]);
    let divided = by_calendar(&labels, Some(day("2015-01-01")), Some(day("2016-01-01"))).unwrap();
    let parts: Vec<Option<Part>> = (1..=5).map(|subject| divided.split.part(subject)).collect();
    let expected = [Some(Part::Train), Some(Part::HeldOut), Some(Part::Tuning), Some(Part::HeldOut), None];
    assert_eq!(parts, expected);
    // the early label of subject 2, which is held out
    assert_eq!(divided.unused, [1]);
    let shifted = by_calendar(&[Label::boolean(1, day("2130-04-01"), true)], None, Some(day("2016-01-01")));
    let message = shifted.unwrap_err().to_string();
    assert!(
        message.starts_with("1 of 1 prediction times lie after the year 2100, the first at 2130-04-01"),
        "{message}"
    );
}

#[test]
fn a_site_split_holds_whole_sites_out() {
    let own = |subject: i64, sites: &[&str]| -> (i64, BTreeSet<String>) {
        (subject, sites.iter().map(|&site| site.to_owned()).collect())
    };
    let sites: BTreeMap<i64, BTreeSet<String>> =
        [own(1, &["A"]), own(2, &["A", "B"]), own(3, &["B"]), own(4, &["C"]), own(5, &["A", "C"])].into();
    let labels = labels(&[(1, "2010-01-01", true), (2, "2010-01-01", true), (9, "2010-01-01", true)]);
    let config = SplitConfig {
        kind: SplitKind::Site,
        tuning_fraction: 0.0,
        held_out_sites: vec!["B".to_owned()],
        ..SplitConfig::default()
    };
    let divided = by_site(&sites, &labels, &config).unwrap();
    let parts: Vec<Option<Part>> = (1..=5).map(|subject| divided.split.part(subject)).collect();
    let train = Some(Part::Train);
    assert_eq!(parts, [train, None, Some(Part::HeldOut), train, train], "subject 2 has been at A and at B");
    assert_eq!(divided.unused, [1, 2]);
    let wrong = SplitConfig { held_out_sites: vec!["D".to_owned()], ..config.clone() };
    let message = by_site(&sites, &labels, &wrong).unwrap_err().to_string();
    assert_eq!(message, "no subject is of site \"D\", which the held_out part should have; sites are A, B, C");
    let drawn = SplitConfig { held_out_sites: Vec::new(), held_out_fraction: 0.3, ..config };
    let divided = by_site(&sites, &labels, &drawn).unwrap();
    assert!(divided.split.count(Part::HeldOut) > 0 && divided.split.count(Part::Train) > 0);
}

#[test]
fn a_subject_in_two_parts_is_refused() {
    let error = Split::from_pairs([(1, Part::Train), (2, Part::Tuning), (1, Part::HeldOut)]).unwrap_err();
    let message =
        "subject 1 is in the train and in the held_out part; a subject, with all of its stays, belongs to one";
    assert_eq!(error.to_string(), message);
    assert_eq!("held_out".parse::<Part>().unwrap(), Part::HeldOut);
    assert!("test".parse::<Part>().is_err());
}

#[test]
fn configurations_are_checked() {
    assert!(SplitConfig::default().validate().is_ok());
    for (text, word) in [
        ("kind = 'calendar'", "held_out_from"),
        ("kind = 'calendar'\nheld_out_from = 'yesterday'", "a day such as"),
        ("kind = 'calendar'\ntuning_from = '2016-01-01'\nheld_out_from = '2015-01-01'", "not before"),
        ("held_out_from = '2015-01-01'", "calendar split"),
        ("held_out_sites = ['A']", "site split"),
        ("kind = 'site'\ntuning_sites = ['A']\nheld_out_sites = ['A']", "both"),
        ("held_out_fraction = 0.9\ntuning_fraction = 0.2", "0.95"),
    ] {
        let config: SplitConfig = toml::from_str(text).unwrap();
        let message = config.validate().unwrap_err().to_string();
        assert!(message.contains(word), "{text}: {message}");
    }
    assert!(toml::from_str::<SplitConfig>("kind = 'random'").unwrap_err().to_string().contains("upstream, subject"));
}
