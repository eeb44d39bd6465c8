//! Scores of real labels, moved by a voxel or two, against MONAI and scikit-image. `golden/judged.json` holds their values
//! (`judged.py` beside it).

use imaging::case::{discover, read_cases};
use imaging::evaluate::{Presence, Scores, judge, partition, segments};
use imaging::volume::LabelMap;
use serde_json::Value;

use crate::data;

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/judged.json")).unwrap()
}

/// A map moved up by whole voxels; what comes in is `filling`.
fn moved(map: &LabelMap, by: [usize; 3], filling: u8) -> LabelMap {
    let [columns, rows, slices] = map.geometry.size;
    let mut labels = vec![filling; map.labels.len()];
    for k in by[2]..slices {
        for j in by[1]..rows {
            for i in by[0]..columns {
                labels[map.geometry.offset(i, j, k)] = map.at(i - by[0], j - by[1], k - by[2]);
            }
        }
    }
    LabelMap::new(labels, map.geometry.clone(), map.names.clone()).unwrap()
}

#[test]
fn hippocampi_are_judged_as_by_monai() {
    let Some(folder) = data::path("msd_hippocampus_dev") else { return };
    let golden = golden();
    let wanted = golden["hippocampus"].as_object().unwrap();
    let mut files = discover(&folder, None).unwrap();
    assert_eq!(files.len(), 200);
    assert!(files.windows(2).all(|pair| pair[0].id < pair[1].id), "three digits each");
    files.retain(|files| wanted.contains_key(&files.id));
    let names = ["background", "anterior", "posterior"].map(str::to_owned);
    let cases = read_cases(&files, &names).unwrap();
    assert_eq!(cases.len(), 3);
    let mut scores = Scores::new();
    for case in &cases {
        let truth = case.label.as_ref().unwrap();
        let judged = judge(&case.id, &case.subject, truth, &moved(truth, [1, 0, 2], 0)).unwrap();
        for score in &judged {
            let expected = &wanted[&case.id][&score.name];
            assert_eq!(score.presence, Presence::Both);
            // Spacings are stored in single precision.
            assert!((score.truth_mm3 / expected["mm3"].as_f64().unwrap() - 1.0).abs() < 1e-5);
            for (name, found) in [("dice", score.dice), ("hd95", score.hd95), ("asd", score.asd)] {
                let expected = expected[name].as_f64().unwrap();
                // MONAI computes in single precision.
                assert!((found.unwrap() - expected).abs() < 1e-5 * expected.max(1.0), "{} {name}", score.name);
            }
        }
        scores.push(judged);
    }
    let interval = scores.interval("dice", None, 200, 1).unwrap();
    assert!(interval.low <= interval.estimate && interval.estimate <= interval.high);
    assert_eq!(interval.estimate, scores.metrics()["dice"]);
}

#[test]
fn cells_are_judged_as_by_scikit_image() {
    let Some(folder) = data::path("isbi2012_em/data/membrane/train") else { return };
    let golden = golden();
    let files = discover(&folder, None).unwrap();
    let ids: Vec<&str> = files.iter().map(|files| files.id.as_str()).collect();
    assert_eq!(ids, (0..30).map(|slice| slice.to_string()).collect::<Vec<String>>());
    let names = ["membrane", "cell"].map(str::to_owned);
    for case in read_cases(&[files[0].clone(), files[17].clone()], &names).unwrap() {
        let truth = case.label.as_ref().unwrap();
        let expected = &golden["cells"][&case.id];
        let found = partition(&segments(truth, 1), &segments(&moved(truth, [3, 2, 0], 0), 1)).unwrap();
        assert_eq!(expected["segments"], found.segments_truth);
        for (name, found) in [
            ("error", found.rand_error),
            ("recall", found.rand_recall),
            ("precision", found.rand_precision),
            ("split", found.split),
            ("merge", found.merge),
        ] {
            // Both in double precision; sums of up to a thousand terms.
            assert!((found - expected[name].as_f64().unwrap()).abs() < 1e-9, "{name}: {found}");
        }
    }
}
