//! Scales of grey values, against numpy and closed forms. `tests/golden/normalise.json` was written by the script
//! beside it.

use serde_json::Value;

use crate::geometry::Geometry;

use super::*;

fn golden() -> Value {
    serde_json::from_str(include_str!("../../tests/golden/normalise.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

fn volume(values: Vec<f32>) -> Volume {
    let geometry = Geometry::axial([values.len(), 1, 1], [1.0; 3]);
    Volume::new(values, geometry).unwrap()
}

fn assert_close(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (place, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{what}, {place}: {a} and {b}");
    }
}

#[test]
fn scales_are_those_of_numpy() {
    let golden = golden();
    let values = numbers(&golden["values"]);
    for (name, scale) in [
        ("z_score", Normalise::ZScore { nonzero: false }),
        ("z_score_nonzero", Normalise::ZScore { nonzero: true }),
        ("robust", Normalise::Robust { low: 2.0, high: 98.0 }),
        ("window", Normalise::Window { centre: 40.0, width: 80.0 }),
        ("min_max", Normalise::MinMax),
    ] {
        let mut scaled = volume(values.clone());
        scale.fit(&[]).unwrap().apply(&mut scaled);
        // Golden values were computed in double precision from the same floats.
        assert_close(&scaled.voxels, &numbers(&golden[name]), 2e-6, name);
    }
    let sorted = ascending(&values);
    for pair in golden["percentiles"].as_array().unwrap() {
        let (q, expected) = (pair[0].as_f64().unwrap(), pair[1].as_f64().unwrap());
        assert!((percentile(&sorted, q) - expected).abs() < 1e-9 * expected.abs().max(1.0), "{q}");
    }
}

#[test]
fn percentiles_are_those_of_the_training_part_and_each_volume_weighs_the_same() {
    // 0, 1, …, 1000 once, and ten voxels of 2000: half of the samples are each.
    let many = volume((0..=1000).map(|value| value as f32).collect());
    let few = volume(vec![2000.0; 10]);
    let scale = Normalise::Percentile { low: 0.0, high: 25.0 };
    let Fitted::Clipped { low, high, mean, .. } = scale.fit(&[&many, &few]).unwrap() else { panic!() };
    // The 25th percentile of both is the median of the first; 20,000 samples of 1,001 values repeat each about 20
    // times.
    assert_eq!(low, 0.0);
    assert!((high - 500.0).abs() <= 1.0, "{high}");
    assert!((mean - 1250.0).abs() <= 1.0, "{mean}");
    let mut other = volume(vec![-50.0, 250.0, 9_000.0]);
    let fitted = Fitted::Clipped { low: 0.0, high: 500.0, mean: 250.0, deviation: 100.0 };
    fitted.apply(&mut other);
    assert_eq!(other.voxels, [-2.5, 0.0, 2.5]);
    assert_eq!(scale.fit(&[]).unwrap_err(), IntensityError::Empty { volumes: 0 });
}

#[test]
fn only_labelled_voxels_are_measured() {
    let image = volume((0..100).map(|value| value as f32).collect());
    let labels: Vec<u8> = (0..100).map(|value| u8::from((40..=60).contains(&value))).collect();
    let map = LabelMap::with_default_names(labels, image.geometry.clone()).unwrap();
    let scale = Normalise::Percentile { low: 0.0, high: 100.0 };
    let Fitted::Clipped { low, high, .. } = scale.fit_foreground(&[&image], &[&map]).unwrap() else { panic!() };
    assert_eq!((low, high), (40.0, 60.0));
    let error = scale.fit_foreground(&[&image, &image], &[&map]).unwrap_err();
    assert!(error.to_string().starts_with("1 label maps for 2 volumes"), "{error}");
}

#[test]
fn padding_is_left_out_of_the_statistics() {
    // −2000 in the corners of a CT, and voxels that are not numbers anywhere.
    let body = [-1000.0, 0.0, 40.0, 80.0, 1000.0];
    let mut plain = volume(body.to_vec());
    let mut padded = volume([&[-2000.0, f32::NAN][..], &body, &[f32::INFINITY, -3024.0]].concat());
    plain.units = Units::Hounsfield;
    padded.units = Units::Hounsfield;
    for scale in [Normalise::default(), Normalise::MinMax, Normalise::Robust { low: 10.0, high: 90.0 }] {
        let (mut one, mut other) = (plain.clone(), padded.clone());
        let fitted = scale.fit(&[&one]).unwrap();
        fitted.apply(&mut one);
        fitted.apply(&mut other);
        assert_eq!(one.voxels, other.voxels[2..7], "{scale:?}");
        assert!([0, 1, 7, 8].iter().all(|&place| other.voxels[place] == one.voxels[0]), "{other:?}");
        assert_eq!(other.units, Units::Arbitrary);
    }
    let scale = Normalise::Percentile { low: 0.0, high: 100.0 };
    assert_eq!(scale.fit(&[&plain]).unwrap(), scale.fit(&[&padded]).unwrap());
    // Without the unit −2000 is a value like any other.
    padded.units = Units::Arbitrary;
    assert_ne!(scale.fit(&[&plain]).unwrap(), scale.fit(&[&padded]).unwrap());
}

#[test]
fn volumes_of_one_value_and_of_none_become_zeros() {
    for voxels in [vec![7.0; 5], vec![f32::NAN; 5]] {
        for scale in [Normalise::default(), Normalise::MinMax, Normalise::Robust { low: 1.0, high: 99.0 }] {
            let mut image = volume(voxels.clone());
            scale.fit(&[]).unwrap().apply(&mut image);
            assert_eq!(image.voxels, [0.0; 5], "{scale:?}");
        }
    }
}

#[test]
fn sums_keep_their_digits_and_do_not_depend_on_the_number_of_threads() {
    let values: Vec<f32> = (0..100_000).map(|i| 1e6 + (i % 7) as f32).collect();
    let run = |threads| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| moments(&values).unwrap())
    };
    let found = run(1);
    // 100,000 = 7 · 14,285 + 5: the values 0 to 4 come once more.
    let (n, sum, squares) = (100_000.0, 21.0 * 14_285.0 + 10.0, 91.0 * 14_285.0 + 30.0);
    assert!((found.mean - (1e6 + sum / n)).abs() < 1e-7, "{found:?}");
    let variance: f64 = squares / n - (sum / n) * (sum / n);
    assert!((found.deviation - variance.sqrt()).abs() < 1e-9, "{found:?}");
    assert_eq!(found, run(3));
}

#[test]
fn settings_are_written_down_and_checked() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Kept {
        scale: Fitted,
    }
    let scale = Normalise::Percentile { low: 99.5, high: 0.5 };
    assert!(scale.validate().unwrap_err().to_string().contains("must be less than"), "{scale:?}");
    assert!(Normalise::Window { centre: 40.0, width: 0.0 }.validate().is_err());
    let kept = Kept { scale: Fitted::Clipped { low: -160.5, high: 240.0, mean: 1.0, deviation: 80.0 } };
    let text = toml::to_string(&kept).unwrap();
    assert!(text.contains("kind = \"clipped\""), "{text}");
    assert_eq!(toml::from_str::<Kept>(&text).unwrap(), kept);
    assert!(toml::from_str::<Kept>("[scale]\nkind = \"z-score\"\nnonzero = true\nmask = 1").is_err());
}
