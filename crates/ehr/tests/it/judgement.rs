//! Severity scores, Cox regression and landmarking on published data.

use std::collections::BTreeMap;
use std::path::Path;

use ehr::baselines::{Severity, severity};
use ehr::cox::{CoxConfig, LandmarkCox, LandmarkRows};
use ehr::evaluate::survival::{Observed, RiskCurves, antolini, cause_specific, harrell};
use ehr::systems::dynamic_deephit::Trajectory;
use nn_core::metrics::auroc;

use crate::data;

/// A table's header and rows, gaps as empty strings.
fn csv(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows = reader.records().map(|row| row.unwrap().iter().map(|cell| cell.trim().to_owned()).collect()).collect();
    (header, rows)
}

fn column(header: &[String], name: &str) -> usize {
    header.iter().position(|found| found == name).unwrap()
}

/// scikit-learn's `roc_auc_score`: of the stays that have a score, and of all with the missing ones at the mean.
#[test]
fn severity_scores_of_physionet_2012() {
    let Some(folder) = data::path("physionet2012") else { return };
    for (set, expected) in [
        ("a", [("SAPS-I", 0.6498, 0.6454), ("SOFA", 0.6228, 0.6212)]),
        ("b", [("SAPS-I", 0.6709, 0.6667), ("SOFA", 0.6540, 0.6520)]),
    ] {
        let (header, rows) = csv(&folder.join(format!("Outcomes-{set}.txt")));
        let numbers = |name: &str| -> Vec<f32> {
            let at = column(&header, name);
            rows.iter().map(|row| row[at].parse().unwrap()).collect()
        };
        let died: Vec<bool> = numbers("In-hospital_death").iter().map(|death| *death > 0.0).collect();
        for (name, known, all) in expected {
            let scores = numbers(name);
            let rows: Vec<usize> = (0..scores.len()).collect();
            let logits = severity(&Severity { name, scores: &scores }, &died, &rows, &rows).unwrap();
            assert!((auroc(&died, &logits).unwrap() - all).abs() < 6e-5, "{name} {set}");
            let kept: Vec<usize> = rows.into_iter().filter(|&row| scores[row] >= 0.0).collect();
            let labels: Vec<bool> = kept.iter().map(|&row| died[row]).collect();
            let kept: Vec<f64> = kept.iter().map(|&row| logits[row]).collect();
            assert!((auroc(&labels, &kept).unwrap() - known).abs() < 6e-5, "{name} {set}");
        }
    }
}

/// The regression of the lifelines documentation (and of Allison 1995): coefficients to two digits, C 0.64.
#[test]
fn recidivism_as_in_the_textbooks() {
    let Some(folder) = data::path("survival_small") else { return };
    let (header, rows) = csv(&folder.join("rossi.csv"));
    let names = ["fin", "age", "race", "wexp", "mar", "paro", "prio"];
    let number = |row: &Vec<String>, name: &str| row[column(&header, name)].parse::<f64>().unwrap();
    let values: Vec<f32> = rows.iter().flat_map(|row| names.map(|name| number(row, name) as f32)).collect();
    let times: Vec<f64> = rows.iter().map(|row| number(row, "week")).collect();
    let events: Vec<bool> = rows.iter().map(|row| number(row, "arrest") > 0.0).collect();
    let model = CoxConfig::default().fit(&values, 7, &times, &events).unwrap();
    let expected = [-0.38, -0.06, 0.31, -0.15, -0.43, -0.08, 0.09];
    for ((name, found), expected) in names.iter().zip(model.coefficients()).zip(expected) {
        assert!((found - expected).abs() < 0.0051, "{name}: {found} instead of {expected}");
    }
    assert!((model.log_likelihood() + 658.75).abs() < 0.01, "{}", model.log_likelihood());
    let causes: Vec<u32> = events.iter().map(|event| u32::from(*event)).collect();
    let observed = Observed { times: &times, causes: &causes };
    let c = harrell(observed, &model.log_hazards(&values)).unwrap();
    assert!((c - 0.64).abs() < 0.005, "{c}");
    // curves that do not cross rank as the hazards do
    let grid: Vec<f64> = (1..=52).map(f64::from).collect();
    let risks = model.risks(&values, &grid);
    let time_dependent = antolini(observed, None, RiskCurves { times: &grid, risks: &risks }).unwrap();
    assert!((time_dependent - c).abs() < 1e-3, "{time_dependent} {c}");
}

/// Primary biliary cirrhosis: laboratory values foretell death better than transplantation, for which there are few
/// cases.
#[test]
fn landmarks_of_cirrhosis() {
    let Some(folder) = data::path("pbc2") else { return };
    let (header, rows) = csv(&folder.join("pbc2_cleaned.csv"));
    let names = ["age", "serBilir", "albumin", "prothrombin"];
    let mut all: BTreeMap<u32, Trajectory> = BTreeMap::new();
    for row in &rows {
        let number = |name: &str| row[column(&header, name)].parse::<f64>().ok();
        let one = all.entry(number("id").unwrap() as u32).or_insert_with(|| Trajectory {
            times: Vec::new(),
            values: Vec::new(),
            end: number("tte").unwrap(),
            cause: number("label").unwrap() as u32,
        });
        one.times.push(number("times").unwrap());
        one.values.extend(names.map(|name| number(name).map_or(f32::NAN, |value| value as f32)));
    }
    let all: Vec<Trajectory> = all.into_values().collect();
    assert_eq!(all.len(), 312);
    for landmark in [52.0, 156.0] {
        let rows = LandmarkRows::at(landmark, &all, names.len());
        let model = LandmarkCox::fit(&CoxConfig { penalty: 1.0, ..CoxConfig::default() }, &rows, 2, 260.0).unwrap();
        let risks = model.risks(&rows.values, names.len(), 260.0);
        let of_death: Vec<f64> = risks.iter().copied().step_by(2).collect();
        let observed = Observed { times: &rows.times, causes: &rows.causes };
        let c = cause_specific(observed, 1, &of_death, 260.0).unwrap();
        // on the rows that it learnt from; lifelines has 0.835 and 0.802 for the hazards of death alone
        assert!(c > 0.78 && c < 0.95, "{landmark}: {c}");
        assert!(risks.chunks(2).all(|row| row.iter().sum::<f64>() < 1.0 && row.iter().all(|risk| *risk >= 0.0)));
    }
}
