//! Scores against MONAI, scipy, scikit-image and scikit-learn (tests/golden/evaluate.py), and the rules for empty masks.

use serde_json::Value;

use super::classes::sensitivity_at;
use super::*;

fn golden() -> Value {
    serde_json::from_str(include_str!("../../tests/golden/evaluate.json")).unwrap()
}

fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap_or_else(|| panic!("{name}: {value}"))
}

fn numbers<T: TryFrom<u64>>(value: &Value) -> Vec<T> {
    value.as_array().unwrap().iter().map(|value| T::try_from(value.as_u64().unwrap()).ok().unwrap()).collect()
}

/// A mask from the lengths of its runs, the first of them of zeros.
fn mask(runs: &Value) -> Vec<bool> {
    let runs: Vec<usize> = numbers(runs);
    runs.iter().enumerate().flat_map(|(place, length)| std::iter::repeat_n(place % 2 == 1, *length)).collect()
}

fn map(mask: &[bool], size: [usize; 3], spacing: [f64; 3]) -> LabelMap {
    let names = vec!["background".to_owned(), "lesion".to_owned()];
    LabelMap::new(mask.iter().map(|yes| u8::from(*yes)).collect(), Geometry::axial(size, spacing), names).unwrap()
}

#[test]
fn masks_are_judged_as_by_monai() {
    let golden = golden();
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let size: Vec<usize> = numbers(&case["size"]);
        let size: [usize; 3] = size.try_into().unwrap();
        let spacing = [0, 1, 2].map(|axis: usize| case["spacing"][axis].as_f64().unwrap());
        let (truth, predicted) = (mask(&case["truth"]), mask(&case["predicted"]));
        let scores = judge("a", "b", &map(&truth, size, spacing), &map(&predicted, size, spacing)).unwrap();
        let [score] = &scores[..] else { panic!("one label") };
        let surfaces = Surfaces::of(&truth, &predicted, size, spacing).unwrap();
        for (name, found) in [
            ("dice", score.dice.unwrap()),
            ("iou", score.iou.unwrap()),
            ("hd95", score.hd95.unwrap()),
            ("asd", score.asd.unwrap()),
            ("hd50", surfaces.hausdorff(50.0)),
            ("hd100", surfaces.hausdorff(100.0)),
            ("lesion_f1", score.lesion_f1.unwrap()),
        ] {
            let expected = number(case, name);
            // MONAI computes in single precision.
            assert!((found - expected).abs() <= 2e-6 * expected.max(1.0), "{name}: {found} {expected}");
        }
        let lesions = Lesions::of(&truth, &predicted, size, Connectivity::TwentySix);
        let found = vec![lesions.truth, lesions.predicted, lesions.found, lesions.right];
        assert_eq!(found, numbers::<usize>(&case["lesions"]));
        assert_eq!((score.lesions_truth, score.lesions_predicted), (lesions.truth, lesions.predicted));
        assert_eq!(score.presence, Presence::Both);
    }
}

/// Brute-force twin of the surface distances, without boxes and distance transforms.
#[test]
fn surfaces_are_measured_as_by_all_pairs() {
    use rand::RngExt;
    let mut draw = nn_core::data::rng(5, &[]);
    for size in [[5, 4, 3], [6, 7, 1], [1, 1, 4], [3, 1, 1], [1, 1, 1]] {
        let spacing = [0.5, 2.0, 1.5];
        for _ in 0..20 {
            let count = size.iter().product::<usize>();
            let masks: [Vec<bool>; 2] = [0; 2].map(|_: i32| (0..count).map(|_| draw.random_range(0..3) > 0).collect());
            let found = Surfaces::of(&masks[0], &masks[1], size, spacing);
            if masks.iter().any(|mask| !mask.contains(&true)) {
                assert_eq!(found, None);
                continue;
            }
            let found = found.unwrap();
            let at = |place: usize| [place % size[0], place / size[0] % size[1], place / (size[0] * size[1])];
            let inside = |mask: &[bool], at: [usize; 3], axis: usize, step: isize| {
                let mut at = at;
                match at[axis].checked_add_signed(step).filter(|moved| *moved < size[axis]) {
                    Some(moved) => at[axis] = moved,
                    None => return false,
                }
                mask[(at[2] * size[1] + at[1]) * size[0] + at[0]]
            };
            let surface = |mask: &[bool]| -> Vec<[usize; 3]> {
                let on = |place: &usize| {
                    mask[*place]
                        && (size == [1; 3]
                            || (0..3).any(|axis| {
                                size[axis] > 1 && [-1, 1].iter().any(|step| !inside(mask, at(*place), axis, *step))
                            }))
                };
                (0..count).filter(on).map(at).collect()
            };
            let [one, other] = [surface(&masks[0]), surface(&masks[1])];
            let far = |a: &[usize; 3], b: &[usize; 3]| {
                (0..3).map(|axis| (spacing[axis] * (a[axis] as f64 - b[axis] as f64)).powi(2)).sum::<f64>().sqrt()
            };
            let mut expected: Vec<f64> =
                one.iter().map(|a| other.iter().map(|b| far(a, b)).fold(f64::INFINITY, f64::min)).collect();
            expected.sort_unstable_by(f64::total_cmp);
            assert_eq!(expected.len(), found.to_predicted.len());
            // Squares are summed in another order.
            assert!(expected.iter().zip(&found.to_predicted).all(|(a, b)| (a - b).abs() < 1e-9));
            assert_eq!(found.within(1e9), 1.0);
        }
    }
}

#[test]
fn empty_masks_are_counted_and_never_dropped() {
    let (size, spacing) = ([4, 3, 2], [1.0, 2.0, 3.0]);
    let there = map(&[vec![true; 2], vec![false; 22]].concat(), size, spacing);
    let nothing = map(&[false; 24], size, spacing);
    let far = (16.0_f64 + 36.0 + 36.0).sqrt();
    let diagonal = Some(far);
    let one = |truth: &LabelMap, predicted: &LabelMap| judge("a", "b", truth, predicted).unwrap().swap_remove(0);

    let missed = one(&there, &nothing);
    assert_eq!((missed.presence, missed.dice, missed.iou), (Presence::Missed, Some(0.0), Some(0.0)));
    assert_eq!((missed.hd95, missed.asd), (diagonal, diagonal));
    assert_eq!((missed.sensitivity, missed.precision, missed.volume_error), (Some(0.0), None, Some(-1.0)));
    assert_eq!((missed.lesion_f1, missed.lesion_sensitivity), (Some(0.0), Some(0.0)));
    assert_eq!((missed.truth_mm3, missed.predicted_mm3), (12.0, 0.0));

    let invented = one(&nothing, &there);
    assert_eq!((invented.presence, invented.dice, invented.hd95), (Presence::Invented, Some(0.0), diagonal));
    assert_eq!((invented.sensitivity, invented.precision, invented.volume_error), (None, Some(0.0), None));

    let neither = one(&nothing, &nothing);
    assert_eq!((neither.presence, neither.dice, neither.hd95, neither.asd), (Presence::Neither, None, None, None));

    let mut scores = Scores::new();
    for score in [missed, invented, neither, one(&there, &there)] {
        scores.push(vec![score]);
    }
    let summaries = scores.summaries();
    let [summary] = &summaries[..] else { panic!("one label") };
    assert_eq!((summary.cases, summary.missed, summary.invented, summary.left_out), (3, 1, 1, 1));
    let dice = summary.scores["dice"];
    assert_eq!((dice.cases, dice.quartiles), (3, [0.0, 0.0, 0.0, 0.5, 1.0]));
    assert!((dice.mean - 1.0 / 3.0).abs() < 1e-12 && (dice.sd - (2.0_f64 / 9.0).sqrt()).abs() < 1e-12);
    let metrics = scores.metrics();
    assert_eq!((metrics["dice_lesion"], metrics["missed_lesion"]), (dice.mean, 1.0));
    assert!((metrics["hd95"] - 2.0 / 3.0 * far).abs() < 1e-12);
}

#[test]
fn predictions_elsewhere_and_other_names_are_refused() {
    let truth = map(&[true; 8], [2, 2, 2], [1.0; 3]);
    let resampled = map(&[true; 4], [2, 2, 1], [1.0, 1.0, 2.0]);
    let message = judge("case 7", "b", &truth, &resampled).unwrap_err().to_string();
    assert!(
        message.starts_with("case case 7: the prediction has 2 × 2 × 1 voxels of (1.000, 1.000, 2.000)"),
        "{message}"
    );
    let mut moved = truth.clone();
    moved.geometry.origin = [0.0, 0.0, 1.0];
    assert!(matches!(judge("a", "b", &truth, &moved), Err(EvaluateError::Grid { .. })));
    let mut renamed = truth.clone();
    renamed.names[1] = "nodule".to_owned();
    let message = judge("a", "b", &truth, &renamed).unwrap_err().to_string();
    assert_eq!(message, "case a: label 1 is \"nodule\" in the prediction and \"lesion\" in the truth");
}

#[test]
fn labels_are_judged_one_by_one_and_means_are_over_labels() {
    let names = ["background", "Anterior", "head & tail"].map(str::to_owned).to_vec();
    let of =
        |labels: [u8; 6]| LabelMap::new(labels.to_vec(), Geometry::axial([6, 1, 1], [1.0; 3]), names.clone()).unwrap();
    let mut scores = Scores::new();
    scores.push(judge("a", "ann", &of([0, 1, 1, 2, 2, 2]), &of([0, 1, 1, 1, 2, 2])).unwrap());
    scores.push(judge("b", "bob", &of([0, 0, 1, 1, 2, 2]), &of([0, 0, 1, 1, 2, 2])).unwrap());
    scores.push(judge("c", "bob", &of([0, 0, 1, 1, 0, 0]), &of([0, 0, 1, 1, 0, 0])).unwrap());
    let metrics = scores.metrics();
    assert!((metrics["dice_anterior"] - (0.8 + 1.0 + 1.0) / 3.0).abs() < 1e-12);
    assert!((metrics["dice_head___tail"] - f64::midpoint(0.8, 1.0)).abs() < 1e-12);
    assert!((metrics["dice"] - f64::midpoint(metrics["dice_anterior"], metrics["dice_head___tail"])).abs() < 1e-12);
    // Two subjects: of four equally likely draws, one is ann twice and one is bob twice.
    let spread = scores.interval("dice", Some(1), 2000, 1).unwrap();
    assert!((spread.low - 0.8).abs() < 1e-12 && (spread.high - 1.0).abs() < 1e-12, "{spread:?}");
    assert!((scores.interval("dice", None, 100, 1).unwrap().estimate - metrics["dice"]).abs() < 1e-12);
    assert!(scores.interval("dise", None, 100, 1).unwrap_err().to_string().contains("there is no score dise"));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scores.csv");
    scores.write_csv(&path).unwrap();
    let mut reader = csv::Reader::from_path(&path).unwrap();
    let header = reader.headers().unwrap().clone();
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let column = |name: &str| header.iter().position(|found| found == name).unwrap();
    assert_eq!(records.len(), 6);
    assert_eq!(records[0][column("dice")].parse::<f64>().unwrap(), 0.8);
    assert_eq!((&records[5][column("presence")], &records[5][column("hd95")]), ("neither", ""));
}

#[test]
fn divisions_are_judged_as_by_scikit_image() {
    let golden = golden();
    for division in golden["divisions"].as_array().unwrap() {
        let found = partition(&numbers(&division["truth"]), &numbers(&division["predicted"])).unwrap();
        for (name, found) in [
            ("error", found.rand_error),
            ("precision", found.rand_precision),
            ("recall", found.rand_recall),
            ("split", found.split),
            ("merge", found.merge),
        ] {
            // Both in double precision, summed in another order.
            assert!((found - number(division, name)).abs() < 1e-12, "{name}: {found}");
        }
    }
    let same = partition(&[0, 1, 1, 2, 2, 2], &[7, 5, 5, 0, 0, 0]).unwrap();
    assert_eq!((same.rand_error, same.variation()), (0.0, 0.0));
    assert_eq!((same.segments_truth, same.segments_predicted), (2, 2));
    assert!(matches!(partition(&[0, 0], &[1, 1]), Err(MetricError::Undefined { .. })));
    assert!(matches!(partition(&[1], &[1, 1]), Err(MetricError::Length { .. })));
}

/// One pixel of a membrane is gone: the pixel error is 1/45, and two cells become one.
#[test]
fn a_gap_in_a_membrane_merges_two_cells() {
    let size = [9, 5, 1];
    let wall = |gap: bool| (0..45).map(|place| place % 9 != 4 || (gap && place == 22)).collect::<Vec<bool>>();
    let (whole, leaky) = (map(&wall(false), size, [1.0; 3]), map(&wall(true), size, [1.0; 3]));
    let (truth, predicted) = (segments(&whole, 1), segments(&leaky, 1));
    assert_eq!((truth[0], truth[4], truth[5], predicted[5]), (1, 0, 2, 1));
    let found = partition(&truth, &predicted).unwrap();
    // 40 pixels in two cells of 20: 2 · 20 · 19 pairs of 40 · 39, and one bit is lost.
    let precision = 2.0 * 20.0 * 19.0 / (40.0 * 39.0);
    assert!((found.rand_precision - precision).abs() < 1e-12 && found.rand_recall == 1.0);
    assert!((found.rand_error - (1.0 - 2.0 * precision / (1.0 + precision))).abs() < 1e-12);
    assert_eq!((found.split, found.merge), (0.0, 1.0));
    // The slices of a stack are numbered on.
    let stack = map(&[wall(false), wall(true)].concat(), [9, 5, 2], [1.0; 3]);
    assert_eq!(segments(&stack, 1)[45], 3);
}

#[test]
fn classifiers_are_judged_as_by_scikit_learn() {
    let golden = golden();
    let check = |judged: &JudgedPictures, expected: &Value| {
        let scores = judged.scores().unwrap();
        for (name, value) in expected["scores"].as_object().unwrap() {
            assert!((scores[name] - value.as_f64().unwrap()).abs() < 1e-9, "{name}: {} {value}", scores[name]);
        }
    };
    let reals = |value: &Value| value.as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).collect::<Vec<f64>>();
    let two = &golden["two"];
    let labels: Vec<usize> = numbers(&two["labels"]);
    let positive = reals(&two["probabilities"]);
    let both = positive.iter().flat_map(|p| [1.0 - p, *p]).collect();
    let subjects: Vec<u64> = (0..labels.len() as u64).map(|row| row / 2).collect();
    let judged = JudgedPictures::new(labels.clone(), both, 2, subjects).unwrap();
    check(&judged, two);
    let spread = judged.interval("auroc", 200, 1).unwrap();
    assert!(spread.low < spread.estimate && spread.estimate < spread.high);
    assert_eq!(spread.estimate, judged.score("auroc").unwrap());
    let truth: Vec<bool> = labels.iter().map(|label| *label == 1).collect();
    // Everything is found if nothing is asked of the specificity, and nothing is lost if all of it is asked of none.
    assert_eq!(sensitivity_at(&truth, &positive, 0.0).unwrap(), 1.0);

    let three = &golden["three"];
    let labels: Vec<usize> = numbers(&three["labels"]);
    let subjects = (0..labels.len() as u64).collect();
    check(&JudgedPictures::new(labels, reals(&three["probabilities"]), 3, subjects).unwrap(), three);
}

#[test]
fn one_class_has_no_auroc_and_bad_probabilities_are_refused() {
    let of = |labels: Vec<usize>, p: Vec<f64>| {
        let subjects = (0..labels.len() as u64).collect();
        JudgedPictures::new(labels, p, 2, subjects)
    };
    let scores = of(vec![1, 1], vec![0.2, 0.8, 0.4, 0.6]).unwrap().scores().unwrap();
    assert!(!scores.contains_key("auroc") && scores["sensitivity"] == 1.0 && scores["accuracy"] == 1.0);
    assert_eq!(of(vec![], vec![]), Err(MetricError::Empty));
    assert!(matches!(of(vec![0, 1], vec![0.5, 0.5]), Err(MetricError::Length { .. })));
    for (labels, p) in [(vec![2], vec![0.5, 0.5]), (vec![1], vec![f64::NAN, 0.5]), (vec![1], vec![0.9, 0.9])] {
        assert!(matches!(of(labels, p), Err(MetricError::OutOfRange { .. })));
    }
}
