//! Maps and filters against scipy, grey values against nnU-Net's own augmentation (`tests/golden/augment.json`, written
//! by the script beside it), and what a draw must keep together.

use serde_json::Value;

use super::grey::{contrast, gamma};
use super::*;
use crate::volume::{LabelMap, Volume};

fn golden() -> Value {
    serde_json::from_str(include_str!("../../tests/golden/augment.json")).unwrap()
}

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

fn bytes(value: &Value) -> Vec<u8> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap() as u8).collect()
}

fn triple(value: &Value) -> [usize; 3] {
    [0, 1, 2].map(|axis| value[axis].as_u64().unwrap() as usize)
}

fn spatial(golden: &Value, fill: Fill) -> Spatial {
    let number = |value: &Value| value.as_f64().unwrap();
    let matrix = [0, 1, 2].map(|row| [0, 1, 2].map(|column| number(&golden["matrix"][row][column])));
    let offset = [0, 1, 2].map(|axis| number(&golden["offset"][axis]));
    Spatial::new(triple(&golden["shape"]), matrix, offset, fill)
}

fn assert_close(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (place, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance, "{what}, {place}: {a} and {b}");
    }
}

/// 6 x 5 x 7 voxels of a grid: channels are the three indices, and each voxel has a label of its own.
fn ramps(geometry: Geometry) -> Case {
    let size = geometry.size;
    let index = |axis: usize| {
        let value = |offset: usize| [offset % size[0], offset / size[0] % size[1], offset / (size[0] * size[1])][axis];
        Volume::new((0..geometry.len()).map(|offset| value(offset) as f32).collect(), geometry.clone()).unwrap()
    };
    let labels = (0..geometry.len()).map(|offset| offset as u8).collect();
    let label = LabelMap::with_default_names(labels, geometry.clone()).unwrap();
    Case::new("ramps", "nobody", (0..3).map(index).collect(), Some(label)).unwrap()
}

/// Everything spatial, always.
fn everything() -> AugmentConfig {
    AugmentConfig {
        rotation: Chance::new(1.0, -180.0, 180.0),
        scale: Chance::new(1.0, 0.7, 1.4),
        translation: Chance::new(1.0, -0.2, 0.2),
        elastic: Chance::new(1.0, 0.2, 0.6),
        flip: vec![0, 1, 2],
        ..AugmentConfig::none()
    }
}

#[test]
fn values_between_voxels_are_those_of_scipy() {
    let golden = golden();
    let (volume, size) = (floats(&golden["volume"]), triple(&golden["size"]));
    for (name, fill) in [("zero", Fill::Zero), ("border", Fill::Border), ("reflect", Fill::Reflect)] {
        let found = spatial(&golden, fill).resample(&[&volume, &volume], size);
        let expected = floats(&golden["maps"][name]);
        // Places are single-precision numbers up to 40, good to 4·10⁻⁶, of values that change by some units a voxel.
        assert_close(&found[..expected.len()], &expected, 5e-5, name);
        assert_eq!(found[..expected.len()], found[expected.len()..], "{name}: channels are alike");
    }
    let found = spatial(&golden, Fill::Zero).labels(&bytes(&golden["labels"]), size);
    assert_eq!(found, bytes(&golden["nearest"]));
}

#[test]
fn filters_and_grey_values_are_those_of_scipy_and_nnu_net() {
    let golden = golden();
    let mut volume = floats(&golden["volume"]);
    blur(&mut volume, triple(&golden["size"]), [0.8, 1.0, 0.5]);
    // Sums of some dozens of single-precision products of values up to 4.
    assert_close(&volume, &floats(&golden["blurred"]), 3e-6, "blur");
    let image = floats(&golden["image"]);
    let changed = |change: &dyn Fn(&mut [f32])| {
        let mut image = image.clone();
        change(&mut image);
        image
    };
    let negative = |values: &mut [f32]| values.iter_mut().for_each(|value| *value = -*value);
    let inverted = changed(&|values| {
        negative(values);
        gamma(values, 0.7);
        negative(values);
    });
    // The reference works in single precision on values up to 10.
    assert_close(&changed(&|values| gamma(values, 1.4)), &floats(&golden["gamma"]), 3e-5, "gamma");
    assert_close(&inverted, &floats(&golden["gamma_inverted"]), 3e-5, "inverted gamma");
    assert_close(&changed(&|values| contrast(values, 1.25)), &floats(&golden["contrast"]), 1e-5, "contrast");
}

#[test]
fn image_and_label_come_from_the_same_places() {
    let case = ramps(Geometry::axial([6, 5, 7], [1.0, 0.8, 1.5]));
    let sampling = SamplingConfig { patch: [9, 4, 6], fill: Fill::Border, ..SamplingConfig::default() };
    let mut compared = 0;
    for row in 0..40 {
        let found = patch(&case, None, false, &sampling, &everything(), Draw::new(3, 1, row));
        let voxels = found.label.len();
        for voxel in 0..voxels {
            let place = [0, 1, 2].map(|axis| found.image[axis * voxels + voxel]);
            // The middle between two voxels may round to either.
            if place.iter().all(|at| (at.fract() - 0.5).abs() > 1e-3) {
                let [i, j, k] = place.map(|at| at.round() as usize);
                assert_eq!(usize::from(found.label[voxel]), case.geometry().offset(i, j, k), "{row}: {place:?}");
                compared += 1;
            }
        }
    }
    assert!(compared > 8_000, "{compared}");
}

#[test]
fn patches_without_changes_are_cut_as_they_are() {
    let case = ramps(Geometry::axial([6, 5, 7], [1.0; 3]));
    for fill in [Fill::Zero, Fill::Border, Fill::Reflect] {
        let sampling = SamplingConfig { patch: [8, 3, 2], fill, ..SamplingConfig::default() };
        let start = [-1, 1, 5];
        let found = plain(&case, &sampling, start);
        assert_eq!((found.channels, found.size), (3, [8, 3, 2]));
        for k in 0..2 {
            for j in 0..3 {
                for i in 0..8 {
                    let at = (k * 3 + j) * 8 + i;
                    let voxel = fill.index(i as i64 - 1, 6).map(|i| case.geometry().offset(i, j + 1, k + 5));
                    let (value, label) = voxel.map_or((0.0, 0), |voxel| (case.channels[0].voxels[voxel], voxel as u8));
                    assert_eq!((found.image[at], found.label[at]), (value, label), "{fill:?} {i} {j} {k}");
                }
            }
        }
        // The way through the map's arithmetic agrees with the copy.
        let mut map = Spatial::at(start, &sampling);
        map.offset[0] += 1e-5;
        let channels: Vec<&[f32]> = case.channels.iter().map(|volume| volume.voxels.as_slice()).collect();
        assert_close(&map.resample(&channels, [6, 5, 7]), &found.image, 1e-4, "map");
        assert_eq!(map.labels(&case.label.as_ref().unwrap().labels, [6, 5, 7]), found.label);
    }
}

#[test]
fn slices_bring_their_neighbours_as_channels() {
    let case = ramps(Geometry::axial([6, 5, 7], [1.0; 3]));
    let sampling = SamplingConfig { patch: [4, 4, 1], context: 1, fill: Fill::Border, ..SamplingConfig::default() };
    let found = plain(&case, &sampling, [0, 0, 6]);
    assert_eq!((found.channels, found.label.len(), found.image.len()), (9, 16, 9 * 16));
    // Channel 2 is the slice's number: below, here, and the last slice again above.
    let slices: Vec<f32> = (6..9).map(|channel| found.image[channel * 16]).collect();
    assert_eq!(slices, [5.0, 6.0, 6.0]);
    assert_eq!(usize::from(found.label[0]), case.geometry().offset(0, 0, 6));
    // A turn within the plane leaves slices where they are.
    let config = AugmentConfig { in_plane: true, ..everything() };
    let turned = patch(&case, None, false, &sampling, &config, Draw::new(1, 0, 0));
    let same =
        |channel: usize| turned.image[channel * 16..][..16].windows(2).all(|pair| (pair[0] - pair[1]).abs() < 1e-5);
    assert!((6..9).all(same), "{:?}", &turned.image[6 * 16..]);
}

#[test]
fn a_draw_is_a_function_of_seed_epoch_and_row_on_any_number_of_threads() {
    let case = ramps(Geometry::axial([6, 5, 7], [1.0; 3]));
    let sampling = SamplingConfig { patch: [20, 30, 70], ..SamplingConfig::default() };
    let always = |low, high| Chance::new(1.0, low, high);
    let config = AugmentConfig {
        noise: always(0.1, 0.2),
        blur: always(0.5, 1.0),
        brightness: always(0.75, 1.25),
        contrast: always(0.75, 1.25),
        gamma: always(0.7, 1.5),
        gamma_inverted: always(0.7, 1.5),
        ..everything()
    };
    let run = |threads: usize, draw: Draw| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| patch(&case, None, false, &sampling, &config, draw))
    };
    let first = run(1, Draw::new(1, 2, 3));
    assert!(first.image.iter().all(|value| value.is_finite()));
    assert_eq!(first, run(3, Draw::new(1, 2, 3)));
    for other in [Draw::new(2, 2, 3), Draw::new(1, 3, 3), Draw::new(1, 2, 4)] {
        assert_ne!(first.image, run(1, other).image);
    }
    let unchanged = patch(&case, None, false, &sampling, &AugmentConfig::none(), Draw::new(1, 2, 3));
    let start = sampling.place(case.geometry().size, None, false, &mut Draw::new(1, 2, 3).rng(&[PLACE]));
    assert_eq!(unchanged, plain(&case, &sampling, start));
}

#[test]
fn only_the_axis_from_left_to_right_exchanges_sides() {
    let config = AugmentConfig { swap: vec![[1, 2]], flip: vec![0, 1, 2], ..AugmentConfig::none() };
    // i runs to the left in the first grid, to the back in the second, where k runs to the right.
    let turned = [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]];
    let grids = [Geometry::axial([4, 1, 1], [1.0; 3]), Geometry::new([1, 1, 4], [1.0; 3], [0.0; 3], turned).unwrap()];
    for (grid, lateral) in grids.into_iter().zip([0, 2]) {
        let image = Volume::new(vec![1.0, 2.0, 3.0, 4.0], grid.clone()).unwrap();
        let label = LabelMap::with_default_names(vec![1, 2, 3, 0], grid.clone()).unwrap();
        let case = Case::new("sides", "nobody", vec![image], Some(label)).unwrap();
        let sampling = SamplingConfig { patch: grid.size, ..SamplingConfig::default() };
        let mut seen = [0, 0];
        for row in 0..60 {
            let found = patch(&case, None, false, &sampling, &config, Draw::new(5, 0, row));
            let mirrored = found.image[0] == 4.0;
            seen[usize::from(mirrored)] += 1;
            let expected =
                if mirrored { ([4.0, 3.0, 2.0, 1.0], [0, 3, 1, 2]) } else { ([1.0, 2.0, 3.0, 4.0], [1, 2, 3, 0]) };
            assert_eq!((&found.image[..], &found.label[..]), (&expected.0[..], &expected.1[..]), "{lateral} {row}");
        }
        // Half of 60, standard deviation 4.
        assert!(seen.iter().all(|&count| count > 12), "{seen:?}");
    }
}

#[test]
fn a_ball_stays_a_ball_where_voxels_are_no_cubes() {
    let geometry = Geometry::axial([8, 8, 8], [0.5, 1.0, 3.0]);
    let sampling = SamplingConfig { patch: [4, 4, 4], ..SamplingConfig::default() };
    let config = AugmentConfig { elastic: Chance::never(), ..everything() };
    for row in 0..20 {
        let map = Spatial::draw(&config, &sampling, &geometry, [2; 3], Draw::new(1, 0, row));
        // In millimetres the matrix is a rotation times a scale, perhaps mirrored: its columns are at right angles.
        let mm = [0, 1, 2].map(|a| [0, 1, 2].map(|b| map.matrix[a][b] * geometry.spacing[a] / geometry.spacing[b]));
        let product = |a: usize, b: usize| (0..3).map(|axis| mm[axis][a] * mm[axis][b]).sum::<f64>();
        let square = product(0, 0);
        assert!((0.5..=2.1).contains(&square), "{square}");
        for (a, b, expected) in [(1, 1, square), (2, 2, square), (0, 1, 0.0), (0, 2, 0.0), (1, 2, 0.0)] {
            assert!((product(a, b) - expected).abs() < 1e-12, "{row}");
        }
    }
}

#[test]
fn amounts_lie_in_their_range_and_factors_on_both_sides_of_one() {
    let mut random = rng(4, &[]);
    let chance = Chance::new(0.3, 0.7, 1.5);
    let factors: Vec<f64> = (0..4_000).map(|_| chance.factor(&mut random)).collect();
    assert!(factors.iter().all(|factor| (0.7..=1.5).contains(factor)));
    // Half of 4,000, standard deviation 32.
    let below = factors.iter().filter(|factor| **factor < 1.0).count();
    assert!(below.abs_diff(2_000) < 130, "{below}");
    let made = (0..4_000).filter(|_| chance.happens(&mut random)).count();
    assert!(made.abs_diff(1_200) < 120, "{made}");
    for (low, high) in [(0.5, 0.8), (1.2, 1.6), (1.0, 1.0)] {
        let factor = Chance::new(1.0, low, high).factor(&mut random);
        assert!((low..=high).contains(&factor), "{factor}");
    }
}

#[test]
fn pictures_keep_their_size_and_shifts_are_whole_pixels() {
    let pixels: Vec<f32> = (0..2 * 6 * 5).map(|value| value as f32).collect();
    let same = picture(&pixels, [2, 6, 5], Fill::Zero, &AugmentConfig::none(), Draw::new(0, 0, 0));
    assert_eq!(same, pixels);
    let config = AugmentConfig { translation: Chance::new(1.0, -0.4, 0.4), ..AugmentConfig::none() };
    let mut moved = 0;
    for row in 0..20 {
        let shifted = picture(&pixels, [2, 6, 5], Fill::Zero, &config, Draw::new(0, 0, row));
        assert_eq!(shifted.len(), pixels.len());
        assert!(shifted.iter().all(|value| value.fract() == 0.0));
        moved += usize::from(shifted != pixels);
    }
    assert!(moved > 10, "{moved}");
}

#[test]
fn configurations_are_those_of_nnu_net_and_are_checked() {
    assert_eq!(AugmentConfig::for_patch([40, 56, 40]), AugmentConfig::default());
    let thin = AugmentConfig::for_patch([192, 192, 12]);
    assert!(thin.in_plane && thin.rotation.range == [-180.0, 180.0] && thin.flip == [0, 1, 2]);
    let narrow = AugmentConfig::for_patch([64, 128, 1]);
    assert!(narrow.in_plane && narrow.rotation.range == [-15.0, 15.0] && narrow.flip == [0, 1]);
    for config in [AugmentConfig::none(), AugmentConfig::pictures(), AugmentConfig::default(), everything()] {
        config.validate().unwrap();
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<AugmentConfig>(&text).unwrap(), config);
    }
    let error = AugmentConfig { gamma: Chance::new(0.5, 1.5, 0.7), ..AugmentConfig::none() }.validate().unwrap_err();
    assert!(error.to_string().starts_with("augment.gamma = 0.7 is out of range; allowed: 1.5"), "{error}");
    let error = AugmentConfig { swap: vec![[1, 2], [2, 3]], ..AugmentConfig::none() }.validate().unwrap_err();
    assert!(error.to_string().contains("label 2 twice"), "{error}");
    assert!(AugmentConfig { flip: vec![3], ..AugmentConfig::none() }.validate().is_err());
    assert!(toml::from_str::<AugmentConfig>("rotatoin = 3").is_err());
}
