//! Cohorts: who is asked, when, and who is not.

use super::*;
use crate::events::EventsBuilder;
use crate::labels::LabelValue;
use crate::survival;
use crate::time::Time;

/// Days since 2130-01-01.
fn at(days: f64) -> Time {
    let start = Time::from_civil(2130, 1, 1, 0, 0, 0).unwrap();
    start.plus(Span::minutes((days * 1_440.0).round() as i64))
}

fn events(rows: &[(i64, f64, &str, Option<f32>)]) -> Events {
    let mut builder = EventsBuilder::new();
    for &(subject, days, code, value) in rows {
        builder.push(subject, Some(at(days)), code, value, None);
    }
    builder.finish().unwrap()
}

fn cohort(text: &str) -> Cohort {
    Cohort::from_toml(text).unwrap()
}

fn booleans(found: &CohortLabels) -> Vec<(i64, bool)> {
    found.labels.iter().map(|label| (label.subject, label.value.boolean().unwrap())).collect()
}

const MORTALITY: &str = "name = 'in-hospital death'\nindex.codes = ['ADMISSION']\nend.codes = ['DISCHARGE']\n\
    which = 'every'\nprediction.after = '24h'\noutcome.when.codes = ['MEDS_DEATH']\noutcome.within_episode = true\n";

#[test]
fn in_hospital_death_is_asked_of_those_who_are_still_there() {
    let set = events(&[
        // dies on day 3 of the stay
        (1, 0.0, "ADMISSION", None),
        (1, 3.0, "MEDS_DEATH", None),
        (1, 3.0, "DISCHARGE//DIED", None),
        // dies at home: the stay ended well
        (2, 0.0, "ADMISSION", None),
        (2, 5.0, "DISCHARGE//HOME", None),
        (2, 6.0, "MEDS_DEATH", None),
        // leaves within a day, and comes back
        (3, 0.0, "ADMISSION", None),
        (3, 0.5, "DISCHARGE//HOME", None),
        (3, 50.0, "ADMISSION", None),
        (3, 52.0, "DISCHARGE//HOME", None),
        // dies within a day
        (4, 0.0, "ADMISSION", None),
        (4, 1.0, "MEDS_DEATH", None),
        (4, 1.0, "DISCHARGE//DIED", None),
        // no index event
        (5, 0.0, "VISIT", None),
    ]);
    let found = cohort(MORTALITY).labels(&set).unwrap();
    assert_eq!(booleans(&found), [(1, true), (2, false), (3, false)]);
    assert_eq!(found.labels[2].prediction_time, at(51.0));
    assert_eq!(found.episodes[2], Episode { subject: 3, start: at(50.0), end: Some(at(52.0)) });
    let attrition = &found.attrition;
    assert_eq!((attrition.subjects, attrition.with_index, attrition.episodes, attrition.labels), (5, 4, 5, 3));
    assert_eq!(attrition.dropped["ended before the prediction time"], 2);
}

/// One published library sorted stays by their number, and a patient was "dead in the second visit, alive in the
/// third"; it also measured readmission from admission to admission.
#[test]
fn readmission_is_counted_from_discharge_and_stays_go_by_time() {
    let text = "name = 'readmission'\nindex.codes = ['ADMISSION']\nend.codes = ['DISCHARGE']\nwhich = 'every'\n\
        prediction.anchor = 'end'\noutcome.when.codes = ['ADMISSION']\noutcome.horizon = '30d'\n\
        outcome.recurrent = true\ncensoring = 'negative'\n[[exclusion]]\nname = 'discharged dead or to a hospice'\n\
        codes = ['DISCHARGE//DIED', 'DISCHARGE//HOSPICE*']";
    // given in the order of their numbers, not of their times
    let set = events(&[
        (1, 100.0, "ADMISSION//77", None),
        (1, 104.0, "DISCHARGE//DIED", None),
        (1, 0.0, "ADMISSION//99", None),
        (1, 20.0, "DISCHARGE//HOME", None),
        (1, 45.0, "ADMISSION//88", None),
        (1, 60.0, "DISCHARGE//HOME", None),
        (2, 0.0, "ADMISSION//1", None),
        (2, 2.0, "DISCHARGE//HOSPICE - HOME", None),
        // 30 days to the minute, and one minute more
        (3, 0.0, "ADMISSION", None),
        (3, 1.0, "DISCHARGE//HOME", None),
        (3, 31.0, "ADMISSION", None),
        (3, 32.0, "DISCHARGE//HOME", None),
        (3, 62.001, "ADMISSION", None),
        (3, 63.0, "DISCHARGE//HOME", None),
    ]);
    let found = cohort(text).labels(&set).unwrap();
    // from 20 to 45 days: within 30 of the discharge, not of the admission; from 60 to 100: not
    assert_eq!(booleans(&found), [(1, true), (1, false), (3, true), (3, false), (3, false)]);
    assert_eq!(found.attrition.dropped["discharged dead or to a hospice"], 2);
    assert!(cohort(text).outcome.recurrent && cohort(text).outcome_codes() == ["ADMISSION"]);
}

#[test]
fn the_outcome_lies_strictly_behind_the_prediction_and_up_to_the_horizon() {
    let text = "name = 'x'\nindex.codes = ['INDEX']\noutcome.when = { codes = ['LAB'], above = 7.0 }\n\
        outcome.gap = '1d'\noutcome.horizon = '10d'\n";
    let case = |days: f64, value: Option<f32>| {
        let set = events(&[(1, 0.0, "INDEX", None), (1, days, "LAB", value), (1, 50.0, "END", None)]);
        cohort(text)
            .labels(&set)
            .map(|found| found.labels[0].value.boolean().unwrap())
            .map_err(|error| error.to_string())
    };
    let gap = Err(
        "cohort x is empty: 1 subjects, 1 with an index event, 1 episodes, 0 labels; 1 with the outcome in the gap"
            .to_owned(),
    );
    for (days, value, expected) in [
        (0.0, Some(9.0), Ok(false)),
        (0.5, Some(9.0), gap.clone()),
        (1.0, Some(9.0), gap),
        (1.001, Some(9.0), Ok(true)),
        (11.0, Some(9.0), Ok(true)),
        (11.001, Some(9.0), Ok(false)),
        // the limit itself is not above it, and neither is an event without a value
        (5.0, Some(7.0), Ok(false)),
        (5.0, None, Ok(false)),
    ] {
        assert_eq!(case(days, value), expected, "{days} {value:?}");
    }
}

#[test]
fn who_is_lost_or_dies_before_the_horizon() {
    let text = |more: &str| {
        format!(
            "name = 'x'\n{more}\nindex.codes = ['INDEX']\noutcome.when.codes = ['STROKE']\noutcome.horizon = '100d'\n"
        )
    };
    let set = events(&[
        (1, 0.0, "INDEX", None),
        (1, 99.0, "VISIT", None),
        (2, 0.0, "INDEX", None),
        (2, 100.0, "VISIT", None),
        (3, 0.0, "INDEX", None),
        (3, 40.0, "MEDS_DEATH", None),
        (4, 0.0, "INDEX", None),
        (4, 3.0, "STROKE", None),
    ]);
    for (more, expected) in [
        ("", vec![(2, false), (3, false), (4, true)]),
        ("censoring = 'negative'", vec![(1, false), (2, false), (3, false), (4, true)]),
        ("death = 'positive'", vec![(2, false), (3, true), (4, true)]),
        ("death = 'drop'", vec![(2, false), (4, true)]),
    ] {
        let found = cohort(&text(more)).labels(&set).unwrap();
        assert_eq!(booleans(&found), expected, "{more}");
    }
    let found = cohort(&text("")).labels(&set).unwrap();
    assert_eq!(found.attrition.dropped["not watched to the horizon"], 1);
}

#[test]
fn other_questions() {
    let set = events(&[
        (1, 0.0, "INDEX", None),
        (1, 1.0, "HBA1C//%", Some(7.4)),
        (1, 2.0, "HBA1C//%", Some(9.1)),
        (1, 4.5, "END", None),
        (2, 0.0, "INDEX", None),
        (2, 1.0, "END", None),
    ]);
    let ask = |outcome: &str| {
        let text = format!("name = 'x'\nend.codes = ['END']\nindex.codes = ['INDEX']\n{outcome}");
        cohort(&text).labels(&set).unwrap().labels.into_iter().map(|label| label.value).collect::<Vec<_>>()
    };
    let lab = "outcome.when.codes = ['HBA1C']\noutcome.kind = ";
    assert_eq!(ask(&format!("{lab}'value'")), [LabelValue::Float(7.4)]);
    assert_eq!(ask(&format!("{lab}'count'")), [LabelValue::Integer(2), LabelValue::Integer(0)]);
    assert_eq!(ask(&format!("{lab}'category'")), [LabelValue::Categorical("HBA1C//%".to_owned())]);
    assert_eq!(ask("outcome.kind = 'stay'"), [LabelValue::Float(4.5), LabelValue::Float(1.0)]);
    let long = ask("outcome.kind = 'stay'\noutcome.longer_than = '3d'");
    assert_eq!(long, [LabelValue::Boolean(true), LabelValue::Boolean(false)]);
}

#[test]
fn survival_outcomes_have_causes_and_censoring() {
    let set = events(&[
        (1, 0.0, "INDEX", None),
        (1, 7.0, "TRANSPLANT", None),
        (1, 9.0, "MEDS_DEATH", None),
        (2, 0.0, "INDEX", None),
        (2, 30.0, "MEDS_DEATH", None),
        (3, 0.0, "INDEX", None),
        (3, 12.5, "VISIT", None),
        (4, 0.0, "INDEX", None),
        (4, 400.0, "MEDS_DEATH", None),
        (5, 0.0, "INDEX", None),
    ]);
    let text = "name = 'x'\nindex.codes = ['INDEX']\noutcome.kind = 'survival'\noutcome.horizon = '365d'\n\
        [[outcome.causes]]\nname = 'death'\nwhen.codes = ['MEDS_DEATH']\n\
        [[outcome.causes]]\nname = 'transplant'\nwhen.codes = ['TRANSPLANT']";
    let found = cohort(text).labels(&set).unwrap();
    let outcomes: Vec<survival::Outcome> = found.outcomes.iter().map(|label| label.outcome).collect();
    let expected = [(Span::days(7), 2), (Span::days(30), 1), (Span::hours(300), 0), (Span::days(365), 0)];
    assert_eq!(outcomes, expected.map(|(span, cause)| survival::Outcome { span, cause }));
    assert_eq!(found.attrition.dropped["not watched after the prediction time"], 1);
    assert!(found.labels.is_empty() && found.episodes.len() == 4);
}

#[test]
fn exclusions_see_the_past_alone() {
    let text = |more: &str| format!("name = 'x'\nindex.codes = ['INDEX']\noutcome.when.codes = ['STROKE']\n{more}");
    let set = events(&[
        (1, -365.25 * 30.0, "MEDS_BIRTH", None),
        (1, -10.0, "CANCER", None),
        (1, 0.0, "INDEX", None),
        (1, 9.0, "STROKE", None),
        (2, -365.25 * 17.0, "MEDS_BIRTH", None),
        (2, 0.0, "INDEX", None),
        // known only later
        (2, 5.0, "CANCER", None),
    ]);
    let subjects = |more: &str| -> Vec<i64> {
        let found = cohort(&text(more)).labels(&set);
        found.map(|found| found.labels.iter().map(|label| label.subject).collect()).unwrap_or_default()
    };
    assert_eq!(subjects(""), [1, 2]);
    assert_eq!(subjects("[[exclusion]]\nname = 'cancer'\ncodes = ['CANCER']"), [2]);
    assert_eq!(subjects("[[exclusion]]\nname = 'new cancer'\ncodes = ['CANCER']\nlast = '9d'"), [1, 2]);
    assert_eq!(subjects("[[exclusion]]\nname = 'no cancer'\ncodes = ['CANCER']\nrequired = true"), [1]);
    assert_eq!(subjects("min_age = 18.0"), [1]);
    assert_eq!(subjects("max_age = 17.5"), [2]);
    // a birth is no history
    assert_eq!(subjects("min_history = '10d'"), [1]);
    let unknown = cohort(&text("[[exclusion]]\nname = 'gout'\ncodes = ['GOUT']")).labels(&set).unwrap();
    assert_eq!(unknown.attrition.without_effect, ["gout"]);
}

#[test]
fn the_prediction_time_knows_nothing_of_the_outcome() {
    // The same record with and without a death: same prediction times, whatever comes later.
    let base = [(1, 0.0, "ADMISSION", None), (1, 0.5, "LAB", Some(1.0)), (1, 6.0, "DISCHARGE//X", None)];
    let mut dead = base.to_vec();
    dead.push((1, 6.0, "MEDS_DEATH", None));
    dead.push((1, 30.0, "OTHER", None));
    let mut alive = base.to_vec();
    alive.push((2, 0.0, "MEDS_DEATH", None));
    let [dead, alive] = [dead, alive].map(|rows| cohort(MORTALITY).labels(&events(&rows)).unwrap());
    assert_eq!((booleans(&dead), booleans(&alive)), (vec![(1, true)], vec![(1, false)]));
    assert_eq!(dead.labels[0].prediction_time, alive.labels[0].prediction_time);
}

#[test]
fn mistakes_are_named() {
    for (text, word) in [
        ("name = 'x'\nindex.codes = ['A']\noutcome.when.codes = ['B']\nhorizn = '3d'", "horizn"),
        ("name = 'x'\noutcome.when.codes = ['B']", "index.codes"),
        ("index.codes = ['A']\noutcome.when.above = 7.0", "outcome.when.codes"),
        ("index.codes = ['*']\noutcome.when.codes = ['B']", "index.codes"),
        ("index.codes = ['A']\noutcome.when.codes = ['B']\nprediction.anchor = 'end'", "end.codes"),
        ("index.codes = ['A']\noutcome.when.codes = ['B']\noutcome.horizon = '-3d'", "outcome.horizon"),
        ("index.codes = ['A']\noutcome.when.codes = ['B']\noutcome.horizon = '3 fortnights'", "24h"),
        ("index.codes = ['A']\noutcome.kind = 'survival'\noutcome.when.codes = ['B']", "outcome.causes"),
        ("index.codes = ['A']\noutcome.when.codes = ['B']\n[[exclusion]]\ncodes = ['C']", "no name"),
    ] {
        let message = Cohort::from_toml(text).unwrap_err().to_string();
        assert!(message.contains(word), "{text}: {message}");
    }
    let set = events(&[(1, 0.0, "ADMISSION", None), (1, 9.0, "MEDS_DEATH", None)]);
    let typo = "name = 'x'\nindex.codes = ['ADMISION']\noutcome.when.codes = ['MEDS_DEATH']";
    let message = cohort(typo).labels(&set).unwrap_err().to_string();
    assert!(message.contains("none of the 2 codes") && message.contains("ADMISION"), "{message}");
    let typo = "name = 'x'\nindex.codes = ['ADMISSION']\noutcome.when.codes = ['DEATH']";
    assert!(matches!(cohort(typo).labels(&set), Err(CohortError::NothingMatches { .. })));
    // an empty data set is no crash
    let message = cohort(typo).labels(&events(&[])).unwrap_err().to_string();
    assert!(message.contains("none of the 0 codes"), "{message}");
    let defined = cohort(MORTALITY);
    let text = toml::to_string(&defined).unwrap();
    assert_eq!(cohort(&text), defined);
}
