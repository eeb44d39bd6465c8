//! Sliding windows against MONAI (`tests/golden/window.json`, written by the script beside it) and against loops that
//! do what the definition says, voxel by voxel.

use rand::RngExt;
use serde_json::Value;

use super::*;
use crate::geometry::Geometry;

fn volume(size: [usize; 3], voxels: Vec<f32>) -> Volume {
    Volume::new(voxels, Geometry::axial(size, [1.0; 3])).unwrap()
}

fn random(size: [usize; 3], stream: u64) -> Volume {
    let mut rng = nn_core::data::rng(9, &[stream]);
    volume(size, (0..size.iter().product()).map(|_| rng.random::<f32>() * 4.0 - 2.0).collect())
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// Two classes from the voxel and the one before it along `i` (inside the window), and from the place in the window.
/// `[batch, 1, patch]` → `[batch, 2, patch less margin]`.
fn network(window: &[f32], patch: [usize; 3], margin: [usize; 3]) -> Vec<f32> {
    let mut first = Vec::new();
    for k in margin[2]..patch[2] - margin[2] {
        for j in margin[1]..patch[1] - margin[1] {
            for i in margin[0]..patch[0] - margin[0] {
                let at = (k * patch[1] + j) * patch[0] + i;
                let before = if i > 0 { window[at - 1] } else { 0.0 };
                first.push(sigmoid(window[at] + 0.5 * before + 0.1 * (i + 2 * j) as f32 - 0.2 * k as f32));
            }
        }
    }
    let second: Vec<f32> = first.iter().map(|p| 1.0 - p).collect();
    [first, second].concat()
}

/// Mean of all windows at each voxel, by the definition.
fn twin(image: &Volume, config: &WindowConfig) -> Vec<f64> {
    let (size, patch, margin) = (image.geometry.size, config.patch, config.margin);
    let written = config.written();
    let fill = if margin == [0; 3] { config.fill } else { Fill::Reflect };
    let voxels: usize = size.iter().product();
    let (mut sums, mut weights) = (vec![0.0; 2 * voxels], vec![0.0; voxels]);
    let starts = [0, 1, 2].map(|axis| steps(size[axis], written[axis], config.overlap));
    let weight = |at: usize, size: usize| {
        let from = (at as f64 - (size as f64 - 1.0) / 2.0) * 8.0 / size as f64;
        if config.gaussian { (-0.5 * from * from).exp() } else { 1.0 }
    };
    for &k0 in &starts[2] {
        for &j0 in &starts[1] {
            for &i0 in &starts[0] {
                for set in 0..8 {
                    let flip = [0, 1, 2].map(|axis| set >> axis & 1 == 1);
                    if (0..3).any(|axis| flip[axis] && !config.mirror.contains(&axis)) {
                        continue;
                    }
                    let turned = |axis: usize, at: usize, length: usize| if flip[axis] { length - 1 - at } else { at };
                    let mut window = Vec::new();
                    for k in 0..patch[2] {
                        for j in 0..patch[1] {
                            for i in 0..patch[0] {
                                let at = [(0, i, i0), (1, j, j0), (2, k, k0)].map(|(axis, at, start)| {
                                    let place = start - margin[axis] as i64 + turned(axis, at, patch[axis]) as i64;
                                    fill.index(place, size[axis])
                                });
                                window.push(match at {
                                    [Some(i), Some(j), Some(k)] => image.at(i, j, k),
                                    _ => 0.0,
                                });
                            }
                        }
                    }
                    let found = network(&window, patch, margin);
                    for k in 0..written[2] {
                        for j in 0..written[1] {
                            for i in 0..written[0] {
                                let at = [(i0, i), (j0, j), (k0, k)].map(|(start, at)| start + at as i64);
                                if (0..3).any(|axis| at[axis] < 0 || at[axis] >= size[axis] as i64) {
                                    continue;
                                }
                                let voxel = image.geometry.offset(at[0] as usize, at[1] as usize, at[2] as usize);
                                let [i, j, k] =
                                    [(0, i), (1, j), (2, k)].map(|(axis, at)| turned(axis, at, written[axis]));
                                let value = (k * written[1] + j) * written[0] + i;
                                let weight: f64 = [(0, i), (1, j), (2, k)]
                                    .map(|(axis, at)| weight(at, written[axis]))
                                    .iter()
                                    .product();
                                let each = written.iter().product::<usize>();
                                sums[voxel] += weight * f64::from(found[value]);
                                sums[voxels + voxel] += weight * f64::from(found[each + value]);
                                weights[voxel] += weight;
                            }
                        }
                    }
                }
            }
        }
    }
    (0..2 * voxels).map(|at| sums[at] / weights[at % voxels]).collect()
}

fn predicted(image: &Volume, config: &WindowConfig) -> Segmented {
    let each: usize = config.patch.iter().product();
    let mut largest = 0;
    let found = segment(&[image], 2, config, &mut |windows, count| {
        assert_eq!(windows.len(), count * each);
        largest = largest.max(count);
        Ok(windows.chunks_exact(each).flat_map(|window| network(window, config.patch, config.margin)).collect())
    })
    .unwrap();
    assert!(largest <= config.batch);
    found
}

#[test]
fn means_are_those_of_the_definition() {
    let plain = WindowConfig { patch: [8, 6, 4], probability: true, batch: 3, ..WindowConfig::default() };
    for (name, size, config) in [
        ("plain", [19, 13, 11], plain.clone()),
        ("constant weights", [19, 13, 11], WindowConfig { gaussian: false, overlap: 0.25, ..plain.clone() }),
        ("no overlap", [17, 6, 9], WindowConfig { overlap: 0.0, ..plain.clone() }),
        ("mirrored", [11, 7, 5], WindowConfig { mirror: vec![0, 2], ..plain.clone() }),
        ("smaller than a window", [5, 13, 3], plain.clone()),
        ("smaller, border", [5, 3, 1], WindowConfig { fill: Fill::Border, mirror: vec![1], ..plain.clone() }),
        ("margin", [19, 7, 6], WindowConfig { margin: [2, 1, 1], ..plain.clone() }),
        ("margin, mirrored", [3, 7, 9], WindowConfig { margin: [2, 2, 1], mirror: vec![0, 1, 2], ..plain.clone() }),
        ("slices", [19, 13, 4], WindowConfig { patch: [8, 6, 1], ..plain }),
    ] {
        let image = random(size, size[0] as u64);
        let (found, expected) = (predicted(&image, &config), twin(&image, &config));
        let probability = found.probability.unwrap();
        assert_eq!(probability.len(), expected.len(), "{name}");
        for (place, (a, b)) in probability.iter().zip(&expected).enumerate() {
            // Single-precision sums of some dozens of windows.
            assert!((f64::from(*a) - b).abs() < 2e-6, "{name}, {place}: {a} and {b}");
        }
        for (voxel, &label) in found.labels.iter().enumerate() {
            let p = expected[voxel];
            assert!((p - 0.5).abs() < 1e-5 || label == u8::from(p < 0.5), "{name}, {voxel}: {label} at {p}");
        }
        assert_eq!(config.passes(size) % (1 << config.mirror.len()), 0);
    }
}

#[test]
fn constant_weights_are_those_of_monai() {
    let golden: Value = serde_json::from_str(include_str!("../../tests/golden/window.json")).unwrap();
    let numbers = |name: &str| -> Vec<f32> {
        golden[name].as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
    };
    let size = [16, 9, 8];
    let channels: Vec<Volume> =
        numbers("image").chunks_exact(16 * 9 * 8).map(|part| volume(size, part.to_vec())).collect();
    let config =
        WindowConfig { patch: [8, 6, 4], gaussian: false, batch: 4, probability: true, ..WindowConfig::default() };
    let each = 8 * 6 * 4;
    let found = segment(&[&channels[0], &channels[1]], 2, &config, &mut |windows, _| {
        Ok(windows
            .chunks_exact(2 * each)
            .flat_map(|window| {
                let first: Vec<f32> = (0..each)
                    .map(|at| sigmoid(window[at] + 2.0 * window[each + at] + (at % 8) as f32 * 2.0 / 7.0 - 1.0))
                    .collect();
                let second: Vec<f32> = first.iter().map(|p| 1.0 - p).collect();
                [first, second].concat()
            })
            .collect())
    })
    .unwrap();
    let expected = numbers("probability");
    for (a, b) in found.probability.unwrap().iter().zip(&expected) {
        // Both in single precision; exponentials of two libraries.
        assert!((a - b).abs() < 2e-6, "{a} and {b}");
    }
    for (voxel, (label, due)) in found.labels.iter().zip(numbers("labels")).enumerate() {
        assert!((expected[voxel] - 0.5).abs() < 1e-5 || f32::from(*label) == due, "{voxel}");
    }
}

#[test]
fn windows_stand_at_even_distances() {
    // The example of nnU-Net's own documentation: 110 voxels, windows of 64, half a window at most.
    assert_eq!(steps(110, 64, 0.5), [0, 23, 46]);
    assert_eq!(steps(64, 64, 0.5), [0]);
    assert_eq!(steps(65, 64, 0.5), [0, 1]);
    assert_eq!(steps(128, 64, 0.0), [0, 64]);
    assert_eq!(steps(61, 64, 0.5), [-1]);
    for (size, window, overlap) in [(500, 61, 0.3), (97, 8, 0.9), (1000, 3, 0.0), (33, 1, 0.5)] {
        let starts = steps(size, window, overlap);
        assert_eq!((starts[0], starts[starts.len() - 1]), (0, (size - window) as i64));
        let most = ((window as f64 * (1.0 - overlap)).max(1.0)).ceil() as i64;
        assert!(starts.windows(2).all(|pair| (1..=most).contains(&(pair[1] - pair[0]))), "{starts:?}");
    }
}

#[test]
fn memory_is_that_of_one_window_however_many_slices_there_are() {
    for depth in [4, 40, 400] {
        let size = [5, 6, depth];
        let axes = [0, 1, 2].map(|axis| Axis::new(size[axis], [5, 6, 4][axis], 0.5, true));
        assert_eq!(Slab::new(3, size, &axes, 1).sums.len(), 3 * 5 * 6 * 4);
    }
}

#[test]
fn classes_with_one_probability_everywhere_and_many_classes_are_found() {
    let image = random([13, 9, 6], 1);
    let config = WindowConfig { patch: [4, 4, 4], mirror: vec![0, 1, 2], batch: 16, ..WindowConfig::default() };
    // The class of a voxel is its value's place among seven steps: it does not matter in which window it is seen.
    let class = |value: f32| ((value + 2.0) / 4.0 * 7.0).floor().clamp(0.0, 6.0) as usize;
    let found = segment(&[&image], 7, &config, &mut |windows, _| {
        Ok(windows
            .chunks_exact(64)
            .flat_map(|window| {
                (0..7).flat_map(move |c| window.iter().map(move |&v| f32::from(u8::from(class(v) == c))))
            })
            .collect())
    })
    .unwrap();
    let expected: Vec<u8> = image.voxels.iter().map(|&value| class(value) as u8).collect();
    assert_eq!(found.labels, expected);
    assert_eq!(found.probability, None);
}

#[test]
fn neighbouring_slices_come_as_channels() {
    let image = volume([2, 1, 4], (0..8).map(|value| value as f32).collect());
    let config = WindowConfig { patch: [2, 1, 1], context: 1, fill: Fill::Border, ..WindowConfig::default() };
    let mut seen = Vec::new();
    segment(&[&image], 1, &config, &mut |windows, count| {
        seen.push(windows);
        Ok(vec![1.0; 2 * count])
    })
    .unwrap();
    assert_eq!(seen[0], [0.0, 1.0, 0.0, 1.0, 2.0, 3.0]);
    assert_eq!(seen[1], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(seen[3], [4.0, 5.0, 6.0, 7.0, 6.0, 7.0]);
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let image = random([40, 30, 20], 4);
    let config =
        WindowConfig { patch: [16, 16, 8], mirror: vec![0], probability: true, batch: 5, ..WindowConfig::default() };
    let run = |threads| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| predicted(&image, &config))
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let (image, other) = (random([9, 9, 9], 1), random([9, 9, 8], 1));
    let config = WindowConfig { patch: [6, 6, 6], ..WindowConfig::default() };
    let run = |channels: &[&Volume], classes: usize, value: f32, count: usize| {
        let mut pass = 0;
        segment(channels, classes, &config, &mut |_, _| {
            pass += 1;
            Ok(vec![if pass == 2 { value } else { 0.5 }; count])
        })
        .map(|found| found.labels.len())
        .map_err(|error| error.to_string())
    };
    assert_eq!(run(&[&image], 2, 0.5, 2 * 216), Ok(729));
    assert!(run(&[&image], 2, f32::NAN, 2 * 216).unwrap_err().contains("begins at voxel (3, 0, 0)"));
    assert!(run(&[&image], 2, f32::INFINITY, 2 * 216).unwrap_err().contains("no finite number"));
    assert_eq!(
        run(&[&image], 2, 0.5, 216).unwrap_err(),
        "the network gave 216 values for 1 windows; 432 were due, [1, 2, 6, 6, 6]"
    );
    assert!(run(&[&image, &other], 2, 0.5, 432).unwrap_err().starts_with("channel 1 has 9 x 9 x 8 voxels"));
    assert!(run(&[], 2, 0.5, 432).unwrap_err().starts_with("there is no channel"));
    assert!(run(&[&image], 0, 0.5, 0).unwrap_err().starts_with("0 classes"));
    assert!(run(&[&image], 257, 0.5, 0).unwrap_err().starts_with("257 classes"));
    let failing = segment(&[&image], 2, &config, &mut |_, _| Err(StepError::other("out of memory")));
    assert_eq!(failing.unwrap_err().to_string(), "out of memory");
    for (config, problem) in [
        (WindowConfig { margin: [3, 0, 0], ..config.clone() }, "leaves nothing"),
        (WindowConfig { overlap: 1.0, ..config.clone() }, "window.overlap"),
        (WindowConfig { mirror: vec![3], ..config.clone() }, "window.mirror"),
        (WindowConfig { batch: 0, ..config.clone() }, "window.batch"),
        (WindowConfig { context: 1, ..config.clone() }, "one slice"),
    ] {
        assert!(config.validate().unwrap_err().to_string().contains(problem), "{problem}");
    }
}
