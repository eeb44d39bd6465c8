//! Plans against those of nnU-Net itself: `tests/golden/plan.json` was written by the script beside it, which calls its
//! planner.

use serde_json::Value;

use super::*;
use crate::case::Case;
use crate::geometry::Geometry;
use crate::volume::{LabelMap, Modality, Volume};

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn three(value: &Value) -> [f64; 3] {
    numbers(value).try_into().unwrap()
}

fn fingerprint(golden: &Value) -> Fingerprint {
    let sizes = golden["sizes"].as_array().unwrap().iter().map(|size| three(size).map(|edge| edge as usize));
    let spacings = golden["spacings"].as_array().unwrap().iter().map(three);
    let labels = golden["labels"].as_u64().unwrap() as usize;
    Fingerprint {
        names: crate::volume::default_names(labels),
        cropped: 1.0,
        cases: sizes.zip(spacings).collect(),
        channels: vec![ChannelPrint { hounsfield: false, intensities: None }],
    }
}

#[test]
fn plans_are_those_of_nnu_net() {
    let golden: Value = serde_json::from_str(include_str!("../../tests/golden/plan.json")).unwrap();
    for golden in golden.as_array().unwrap() {
        let name = &golden["name"];
        let dims = golden["dims"].as_u64().unwrap() as usize;
        let config = PlanConfig {
            dims: Some(dims),
            memory_gb: golden["memory_gb"].as_f64().unwrap(),
            levels: 12,
            ..PlanConfig::default()
        };
        let plan = Plan::of(&fingerprint(golden), &config).unwrap();
        for axis in 0..3 {
            assert!((plan.spacing[axis] - three(&golden["spacing"])[axis]).abs() < 1e-12, "{name}: {:?}", plan.spacing);
        }
        assert_eq!(plan.median_size, three(&golden["median_size"]), "{name}");
        assert_eq!(plan.batch as u64, golden["batch"].as_u64().unwrap(), "{name}");
        let counts = |values: &[usize]| values.iter().map(|value| *value as f64).collect::<Vec<_>>();
        assert_eq!(counts(&plan.patch[..dims]), numbers(&golden["patch"]), "{name}");
        assert_eq!(counts(&plan.features), numbers(&golden["features"]), "{name}");
        for (what, found) in [("strides", &plan.strides), ("kernels", &plan.kernels)] {
            let expected: Vec<Vec<f64>> = golden[what].as_array().unwrap().iter().map(numbers).collect();
            assert_eq!(
                found.iter().map(|level| counts(&level[..dims])).collect::<Vec<_>>(),
                expected,
                "{name}, {what}"
            );
        }
        plan.validate().unwrap();
        assert_eq!(plan.names.len(), plan.classes());
    }
}

#[test]
fn a_plan_is_a_file_that_can_be_read_back_and_changed() {
    let golden: Value = serde_json::from_str(include_str!("../../tests/golden/plan.json")).unwrap();
    let mut plan = Plan::of(&fingerprint(&golden[0]), &PlanConfig { base: 16, ..PlanConfig::default() }).unwrap();
    plan.names[1] = "a \"quoted\" name".to_owned();
    plan.channels = 2;
    plan.normalise.push(Fitted::Clipped { low: -160.25, high: 240.0, mean: 12.5, deviation: 80.125 });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.toml");
    plan.write(&path).unwrap();
    assert_eq!(Plan::read(&path).unwrap(), plan);
    let text = plan.to_toml();
    assert!(text.contains("# patches of a step\nbatch = "), "{text}");
    assert!(text.lines().all(|line| line.len() <= 120), "{text}");
    assert_eq!((plan.levels(), plan.even_levels(), plan.multiple()), (4, 4, [8; 3]));
    assert_eq!((plan.sampling().patch, plan.window().patch), (plan.patch, plan.patch));

    let changed = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        Plan::from_toml(&text.replace(from, to), Path::new("plan.toml")).map_err(|error| error.to_string())
    };
    assert_eq!(changed("patch = [40, 56, 40]", "patch = [32, 32, 32]").unwrap().patch, [32; 3]);
    assert!(changed("[40, 56, 40]", "[40, 50, 40]").unwrap_err().ends_with("a multiple of 8; make it 56"));
    assert!(changed("dims = 3", "dims = 2").unwrap_err().contains("reads slices"));
    assert!(changed("channels = 2", "channels = 3").unwrap_err().contains("normalise has 2 entries"));
    assert!(changed("batch = ", "bacth = ").unwrap_err().starts_with("plan.toml is no plan"));
    assert!(changed("[2, 2, 2]", "[0, 2, 2]").unwrap_err().contains("plan.strides"));
    assert!(Plan::read(&folder.path().join("other.toml")).unwrap_err().to_string().starts_with("cannot read"));
}

/// A case of zeros with one bright block.
fn case(id: &str, size: [usize; 3], block: [usize; 3], modality: Modality) -> Case {
    let geometry = Geometry::axial(size, [1.0, 1.0, 2.0]);
    let inside = |offset: usize| {
        let at = [offset % size[0], offset / size[0] % size[1], offset / (size[0] * size[1])];
        (0..3).all(|axis| at[axis] >= 1 && at[axis] <= block[axis])
    };
    let voxels = (0..geometry.len()).map(|offset| if inside(offset) { 100.0 + (offset % 3) as f32 } else { 0.0 });
    let labels = (0..geometry.len()).map(|offset| u8::from(inside(offset))).collect();
    let mut volume = Volume::new(voxels.collect(), geometry.clone()).unwrap();
    volume.modality = modality;
    let label = LabelMap::with_default_names(labels, geometry).unwrap();
    Case::new(id, id, vec![volume], Some(label)).unwrap()
}

#[test]
fn fingerprints_say_what_is_in_the_cases() {
    let cases = [case("a", [10, 12, 8], [5, 6, 4], Modality::Mr), case("b", [10, 12, 8], [3, 6, 4], Modality::Mr)];
    let found = Fingerprint::of(&cases.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(found.names, ["background", "label 1"]);
    assert_eq!(found.cases, [([5, 6, 4], [1.0, 1.0, 2.0]), ([3, 6, 4], [1.0, 1.0, 2.0])]);
    // 120 and 72 of 960 voxels.
    assert!((found.cropped - 0.1).abs() < 1e-12, "{}", found.cropped);
    let channel = &found.channels[0];
    let grey = channel.intensities.unwrap();
    assert!(!channel.hounsfield && grey.minimum == 100.0 && grey.maximum == 102.0, "{channel:?}");
    // Little is left of the cases by cropping: the scale is that of what is not 0.
    let plan = Plan::of(&found, &PlanConfig::default()).unwrap();
    assert_eq!(plan.normalise, [Fitted::ZScore { nonzero: true }]);
    assert_eq!(plan.median_size, [4.0, 6.0, 4.0]);

    let ct = case("c", [10, 12, 8], [5, 6, 4], Modality::Ct);
    let found = Fingerprint::of(&[&ct]).unwrap();
    let plan = Plan::of(&found, &PlanConfig::default()).unwrap();
    let Fitted::Clipped { low, high, mean, .. } = plan.normalise[0] else { panic!("{:?}", plan.normalise) };
    assert!(low == 100.0 && high == 102.0 && (100.0..=102.0).contains(&mean), "{low} {high} {mean}");

    assert_eq!(Fingerprint::of(&[]).unwrap_err(), FingerprintError::Empty);
    let mut two = cases[1].clone();
    two.channels.push(two.channels[0].clone());
    let error = Fingerprint::of(&[&cases[0], &two]).unwrap_err();
    assert!(error.to_string().starts_with("case b has 2 channels, the cases before it have 1"), "{error}");
}

#[test]
fn single_slices_are_planned_in_two_dimensions_and_too_little_memory_is_said() {
    let slices = Fingerprint {
        cases: vec![([512, 512, 1], [1.0; 3]); 30],
        ..fingerprint(&serde_json::json!({ "sizes": [], "spacings": [], "labels": 2 }))
    };
    let plan = Plan::of(&slices, &PlanConfig::default()).unwrap();
    assert_eq!((plan.dims, plan.patch), (2, [512, 512, 1]));
    assert!(plan.strides.iter().all(|stride| stride[2] == 1));
    plan.validate().unwrap();
    let error = Plan::of(&slices, &PlanConfig { memory_gb: 1e-6, ..PlanConfig::default() }).unwrap_err();
    assert!(error.to_string().starts_with("0.000001 GB do not hold a patch of 1 x 1 x 1"), "{error}");
    let error = Plan::of(&slices, &PlanConfig { dims: Some(4), ..PlanConfig::default() }).unwrap_err();
    assert_eq!(error.to_string(), "plan.dims = 4 is out of range; allowed: 2 to 3");
}
