//! Baselines on sets small enough to know the answer, and the regression against scikit-learn (tests/golden/baselines.py).

use serde_json::Value;

use super::*;
use crate::geometry::Geometry;
use crate::synthetic::PicturesConfig;
use crate::volume::Volume;

#[test]
fn the_regression_is_that_of_scikit_learn() {
    let golden: Value = serde_json::from_str(include_str!("../../tests/golden/baselines.json")).unwrap();
    let reals = |value: &Value| value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect::<Vec<f64>>();
    for problem in golden.as_array().unwrap() {
        let rows: Vec<Vec<f32>> = problem["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| reals(row).into_iter().map(|value| value as f32).collect())
            .collect();
        let targets: Vec<usize> = reals(&problem["targets"]).into_iter().map(|target| target as usize).collect();
        let classes = problem["classes"].as_u64().unwrap() as usize;
        let rows = Rows::new(&rows);
        let model = Logistic::fit(&rows, &targets, classes, problem["penalty"].as_f64().unwrap());
        let found = model.probabilities(&rows);
        let expected: Vec<f64> = problem["probabilities"].as_array().unwrap().iter().flat_map(reals).collect();
        assert_eq!(found.len(), expected.len());
        // The fit ends at a millionth of the first gradient, which leaves 1e-5 in the least curved direction.
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-4, "{classes}: {found} {expected}");
        }
        // The constant column has no weight.
        let outputs = if classes == 2 { 1 } else { classes };
        assert!(model.weights()[5 * outputs..].iter().all(|weight| *weight == 0.0));
        assert_eq!(model.intercepts().len(), outputs);
    }
}

#[test]
fn the_regression_does_not_depend_on_the_threads() {
    let rows: Vec<Vec<f32>> = (0..2000).map(|row| vec![(row % 17) as f32, (row % 29) as f32]).collect();
    let targets: Vec<usize> = (0..2000).map(|row| usize::from((row % 17) + (row % 5) > 11)).collect();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Logistic::fit(&Rows::new(&rows), &targets, 2, 1.0))
    };
    assert_eq!(run(1), run(3));
}

/// A case of one slice: grey values and labels.
fn case(id: &str, columns: usize, voxels: &[f32], labels: &[u8]) -> Case {
    let geometry = Geometry::axial([columns, voxels.len() / columns, 1], [1.0; 3]);
    let names = ["background", "cell"].map(str::to_owned).to_vec();
    let label = LabelMap::new(labels.to_vec(), geometry.clone(), names).unwrap();
    Case::new(id, id, vec![Volume::new(voxels.to_vec(), geometry).unwrap()], Some(label)).unwrap()
}

#[test]
fn the_mean_shape_is_the_vote_of_the_cases() {
    let cases = [
        case("a", 4, &[0.0; 4], &[0, 1, 1, 0]),
        case("b", 4, &[0.0; 4], &[0, 1, 0, 0]),
        // In four columns 0, 1, 0, 1.
        case("c", 8, &[0.0; 8], &[0, 0, 1, 1, 0, 0, 1, 1]),
    ];
    let cases: Vec<&Case> = cases.iter().collect();
    let shape = MeanShape::fit(&labelled(&cases).unwrap());
    // Votes for the four columns: 0, 3, 1, 1.
    assert_eq!(shape.labels([4, 1, 1]), [0, 1, 0, 0]);
    assert_eq!(shape.labels([8, 2, 1]), [0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0]);
    // A draw goes to the background.
    let shape = MeanShape::fit(&labelled(&cases[..2]).unwrap());
    assert_eq!(shape.labels([4, 1, 1]), [0, 1, 0, 0]);
}

#[test]
fn the_threshold_is_the_best_band() {
    // Cells are of middling grey: neither above nor below one value.
    let voxels: Vec<f32> = (0..100).map(|place| (place % 10) as f32).collect();
    let labels: Vec<u8> = (0..100).map(|place| u8::from((4..7).contains(&(place % 10)))).collect();
    let learnt = case("a", 10, &voxels, &labels);
    let threshold = Threshold::fit(&labelled(&[&learnt]).unwrap());
    // Twice as bright, and brighter: cases are standardised.
    let brighter: Vec<f32> = voxels.iter().map(|value| 2.0 * value + 5.0).collect();
    let other = case("b", 10, &brighter, &labels);
    assert_eq!(threshold.labels(&other.channels[0]), labels);
}

#[test]
fn the_nearest_case_gives_its_labels() {
    let ramp: Vec<f32> = (0..64).map(|place| (place % 8) as f32).collect();
    let wave: Vec<f32> = (0..64).map(|place| ((place % 8) as f32 * 1.6).sin()).collect();
    let [left, right] =
        [3, 4].map(|limit: usize| (0..64).map(|place| u8::from(place % 8 > limit)).collect::<Vec<u8>>());
    let cases = [case("ramp", 8, &ramp, &left), case("wave", 8, &wave, &right)];
    let cases: Vec<&Case> = cases.iter().collect();
    let nearest = NearestCase::fit(&labelled(&cases).unwrap());
    let noisy: Vec<f32> = wave.iter().enumerate().map(|(place, value)| value + 0.1 * (place % 3) as f32).collect();
    assert_eq!(nearest.labels(&case("new", 8, &noisy, &left)), right);
}

#[test]
fn neighbourhoods_tell_what_single_voxels_do_not() {
    use rand::RngExt;
    // Salt and pepper whose share of salt is higher in cells: the voxel says little, the mean around it much.
    let make = |seed: u64| {
        let mut draw = nn_core::data::rng(seed, &[]);
        let labels: Vec<u8> = (0..48 * 48).map(|place| u8::from((place % 48) / 12 % 2 == 1)).collect();
        let chance = |label: &u8| if *label == 1 { 0.7 } else { 0.3 };
        let voxels: Vec<f32> =
            labels.iter().map(|label| f32::from(u8::from(draw.random_bool(chance(label))))).collect();
        case(&format!("case {seed}"), 48, &voxels, &labels)
    };
    let (learnt, asked) = (make(1), make(2));
    let config = BaselineConfig { voxels: 2000, ..BaselineConfig::default() };
    let all = segment(&[&learnt], &config).unwrap();
    let names: Vec<&str> = all.iter().map(SegmentBaseline::name).collect();
    assert_eq!(names, ["mean shape", "intensity threshold", "nearest case", "pixel-wise logistic regression"]);
    let truth = asked.label.clone().unwrap();
    let right = |baseline: &SegmentBaseline| {
        let found = baseline.predict(&asked).unwrap();
        assert_eq!((&found.geometry, &found.names), (&truth.geometry, &truth.names));
        found.labels.iter().zip(&truth.labels).filter(|(one, other)| one == other).count() as f64
            / truth.labels.len() as f64
    };
    // The place never changes here.
    assert_eq!(right(&all[0]), 1.0);
    // A single voxel is right in 0.7; a band that takes all of both values in 0.5.
    assert!(right(&all[1]) < 0.75, "{}", right(&all[1]));
    assert!(right(&all[3]) > 0.85, "{}", right(&all[3]));
    assert_eq!(all, segment(&[&learnt], &config).unwrap());
}

#[test]
fn pictures_have_four_baselines() {
    let set = crate::synthetic::pictures(&PicturesConfig { subjects: 90, per_subject: 1, ..PicturesConfig::default() })
        .unwrap();
    let (train, query): (Vec<usize>, Vec<usize>) = (0..90).partition(|row| *row < 60);
    let found = pictures(&set, &train, &query).unwrap();
    let names: Vec<&str> = found.iter().map(|baseline| baseline.name.as_str()).collect();
    assert_eq!(names, ["majority class", "brightness", "nearest neighbours", "logistic regression on pixels"]);
    // Thirty of each, and one more of each.
    assert_eq!(found[0].probabilities, vec![0.5; 60]);
    for baseline in &found {
        let scores = baseline.scores(&set, &query).unwrap();
        assert!(baseline.probabilities.len() == 60 && scores.contains_key("auroc"), "{}", baseline.name);
    }
    // Fifteen neighbours and one more of each class: seventeenths.
    assert!(found[2].probabilities.iter().all(|p| ((p * 17.0).round() - p * 17.0).abs() < 1e-9));
    // A picture that is in training is its own nearest neighbour, and bright classes are told by their brightness.
    let mut bright = set.clone();
    let stride = bright.stride();
    for row in (0..90).filter(|row| set.labels[*row] == 1) {
        bright.pixels[row * stride..][..stride].iter_mut().for_each(|value| *value += 80.0);
    }
    for baseline in &pictures(&bright, &train, &query).unwrap()[1..] {
        assert!(baseline.scores(&bright, &query).unwrap()["auroc"] > 0.99, "{}", baseline.name);
    }
}

#[test]
fn what_cannot_be_learnt_is_refused() {
    let unlabelled = Case { label: None, ..case("a", 2, &[0.0; 4], &[0; 4]) };
    assert!(matches!(segment(&[&unlabelled], &BaselineConfig::default()), Err(BaselineError::Empty { .. })));
    let (one, mut other) = (case("a", 2, &[0.0; 4], &[0; 4]), case("b", 2, &[0.0; 4], &[0; 4]));
    if let Some(map) = &mut other.label {
        map.names[1] = "nucleus".to_owned();
    }
    let error = segment(&[&one, &other], &BaselineConfig::default()).unwrap_err().to_string();
    assert_eq!(error, "case b has the labels background, nucleus, but the first case has background, cell");
    let config = BaselineConfig { penalty: 0.0, ..BaselineConfig::default() };
    assert!(matches!(segment(&[&one], &config), Err(BaselineError::Config(_))));
    let set = crate::synthetic::pictures(&PicturesConfig { subjects: 4, ..PicturesConfig::default() }).unwrap();
    assert!(matches!(pictures(&set, &[], &[0]), Err(BaselineError::Empty { .. })));
    assert!(matches!(pictures(&set, &[0, 8], &[0]), Err(BaselineError::NoSuchRow { row: 8, rows: 8 })));
}
