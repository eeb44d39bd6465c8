//! Patches of real volumes: what is drawn keeps image and label together, whole volumes come back from their windows,
//! and the plan of a set is the one that its authors' program makes.

use imaging::augment::{self, AugmentConfig, Draw};
use imaging::case::{self, Case, CaseFiles};
use imaging::inference::{WindowConfig, segment};
use imaging::intensity::Normalise;
use imaging::plan::{CasePrint, Fingerprint, Plan, PlanConfig};
use imaging::sampling::{Foreground, SamplingConfig};

use crate::data;

/// Some cases of the hippocampus set.
fn hippocampi(count: usize) -> Option<Vec<Case>> {
    let folder = data::path("msd_hippocampus_dev")?;
    let files: Vec<CaseFiles> = case::discover(&folder, None).unwrap().into_iter().take(count).collect();
    let names = ["background", "anterior", "posterior"].map(str::to_owned);
    Some(case::read_cases(&files, &names).unwrap())
}

#[test]
fn the_plan_for_the_hippocampus_is_nnu_nets() {
    let Some(cases) = hippocampi(200) else { return };
    let prints = cases.iter().map(CasePrint::of).collect();
    let fingerprint = Fingerprint::from_prints(prints).unwrap();
    let plan = Plan::of(&fingerprint, &PlanConfig::default()).unwrap();
    // Isensee and others 2021, supplementary note 6, task 4: patches of 40 x 56 x 40 voxels of 1 mm, three poolings.
    assert_eq!((plan.dims, plan.patch, plan.levels()), (3, [40, 56, 40], 4));
    assert_eq!(plan.spacing, [1.0; 3]);
    assert_eq!(plan.names, ["background", "anterior", "posterior"]);
}

#[test]
fn labels_stay_on_what_they_mark() {
    let Some(mut cases) = hippocampi(4) else { return };
    let sampling = SamplingConfig { patch: [32, 40, 32], ..SamplingConfig::default() };
    for case in &mut cases {
        // The image becomes its own label, so that any difference is a difference of places.
        let label = case.label.as_ref().unwrap();
        case.channels[0].voxels = label.labels.iter().map(|&label| f32::from(u8::from(label > 0))).collect();
        let foreground = Foreground::of(label);
        let spatial = AugmentConfig {
            rotation: augment::Chance::new(1.0, -30.0, 30.0),
            elastic: augment::Chance::new(1.0, 1.0, 2.0),
            flip: vec![0, 1, 2],
            ..AugmentConfig::none()
        };
        for row in 0..5 {
            let found = augment::patch(case, Some(&foreground), true, &sampling, &spatial, Draw::new(1, 0, row));
            let marked = found.label.iter().filter(|label| **label > 0).count();
            assert!(marked > 100, "{}: {marked} voxels around a labelled one", case.id);
            // Half way between voxels the nearest one and the larger part may differ, at a share of the surface alone.
            let apart =
                found.image.iter().zip(&found.label).filter(|(value, label)| (**value > 0.5) != (**label > 0)).count();
            assert!(apart * 10 < marked, "{}: {apart} of {marked}", case.id);
        }
    }
}

#[test]
fn a_whole_volume_comes_back_from_its_windows() {
    let Some(mut cases) = hippocampi(2) else { return };
    for case in &mut cases {
        let scale = Normalise::default().fit(&[&case.channels[0]]).unwrap();
        scale.apply(&mut case.channels[0]);
        let image = &case.channels[0];
        let mean = image.voxels.iter().map(|value| f64::from(*value)).sum::<f64>() / image.voxels.len() as f64;
        assert!(mean.abs() < 1e-5, "{mean}");
        // A network that says only whether a voxel is above the mean.
        let bright = |value: f32| f32::from(u8::from(value > 0.0));
        let config = WindowConfig { patch: [16, 24, 16], batch: 4, mirror: vec![0], ..WindowConfig::default() };
        let each = 16 * 24 * 16;
        let found = segment(&[image], 2, &config, &mut |windows, _| {
            Ok(windows
                .chunks_exact(each)
                .flat_map(|window| {
                    let above: Vec<f32> = window.iter().map(|&value| bright(value)).collect();
                    let below: Vec<f32> = above.iter().map(|value| 1.0 - value).collect();
                    [below, above].concat()
                })
                .collect())
        })
        .unwrap();
        let expected: Vec<u8> = image.voxels.iter().map(|&value| u8::from(value > 0.0)).collect();
        assert_eq!(found.labels, expected, "{}", case.id);
    }
}
