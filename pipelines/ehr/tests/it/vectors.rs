//! `experiment med2vec`: vectors of codes and visits, with the predictors that they have to beat.

use crate::command::{folder_with, galen_ehr_in};
use ehr::events::EventsBuilder;
use ehr::io::meds::{self, Metadata};
use ehr::time::{Span, Time};
use serde_json::Value;
use std::fs;

/// Two categories of two codes each.
const CCS: &str = "Appendix A\n\n49   Diabetes mellitus without complication\n     25000 25002\n\n\
                   108  Congestive heart failure; nonhypertensive\n     4280 4281\n";

#[test]
fn vectors_stand_beside_what_is_counted() {
    let folder = folder_with(&[]);
    let path = folder.path();
    let mut rows = EventsBuilder::new();
    for subject in 1..=150_i64 {
        for visit in 0..4_i64 {
            let at = Some(Time(0).plus(Span::days(30 * visit + subject % 7)));
            rows.push(subject, at, "HOSPITAL_ADMISSION//URGENT", None, None);
            let codes = if (visit + subject) % 2 == 0 { ["25000", "25002"] } else { ["4280", "4281"] };
            for code in codes {
                rows.push(subject, at, &format!("DIAGNOSIS//ICD//9//{code}"), None, None);
            }
        }
    }
    for name in ["maps", "set"] {
        fs::create_dir(path.join(name)).unwrap();
    }
    fs::write(path.join("maps").join("CCS-SingleDiagnosisGrouper.txt"), CCS).unwrap();
    meds::write(&path.join("set"), &rows.finish().unwrap(), None, &Metadata::default()).unwrap();
    let base = ["experiment", "med2vec", "--data", "set", "--maps", "maps", "--run-dir", "run"];
    galen_ehr_in(path, &[&base[..], &["--epochs", "2", "--models", "2"]].concat()).ends_with(0);
    let metrics: Value = serde_json::from_str(&fs::read_to_string(path.join("run/metrics.json")).unwrap()).unwrap();
    for name in ["recall_at_30", "ndcg", "first"] {
        let values = metrics["metrics"][name]["values"].as_array().unwrap();
        let fine = |value: &Value| value.as_f64().is_some_and(|value| (0.0..=1.0).contains(&value));
        assert!(values.len() == 2 && values.iter().all(fine), "{name}: {metrics}");
    }
    // Codes of a category always stand together here, and there are fewer than thirty codes.
    assert_eq!(metrics["baselines"]["most often in the same visit"]["ndcg"], 1.0, "{metrics}");
    for name in ["most frequent", "as before, then most frequent"] {
        assert_eq!(metrics["baselines"][name]["recall_at_30"], 1.0, "{metrics}");
    }
    let vectors = fs::read_to_string(path.join("run/vectors.txt")).unwrap();
    // A line for each of the five codes below that of the sizes.
    assert_eq!(vectors.lines().next(), Some("5 200"));
    assert!(vectors.lines().count() == 6 && vectors.contains("DIAGNOSIS//ICD//9//25002 "), "{vectors}");
    assert!(fs::read_to_string(path.join("run/report.html")).unwrap().contains("Places of the vectors"));
}
