//! The part with the lungs: by the rule, by masks, by a model.

use burn::tensor::Device;
use rand::RngExt;

use super::*;
use crate::geometry::Geometry;
use crate::io::picture::write_png;
use crate::model::tests::fresh;
use crate::pictures::{PictureOptions, PictureSet, one_picture};

/// 48 rows of 64 columns: a dark room, a bright body, and two dark lungs in it, one half as wide as the other.
fn chest() -> Vec<u8> {
    let mut pixels = vec![10; 48 * 64];
    for row in 2..48 {
        pixels[row * 64 + 6..row * 64 + 58].fill(200);
    }
    for row in 10..40 {
        pixels[row * 64 + 12..row * 64 + 28].fill(40);
        pixels[row * 64 + 36..row * 64 + 44].fill(60);
    }
    // a stray pixel
    pixels[45 * 64 + 50] = 30;
    pixels
}

fn volume(pixels: &[u8], [height, width]: [usize; 2]) -> Volume {
    let voxels = pixels.iter().map(|&value| f32::from(value)).collect();
    Volume::new(voxels, Geometry::axial([width, height, 1], [1.0; 3])).unwrap()
}

fn cropper(from: impl Into<PathBuf>, margin: f64) -> Result<Cropper, PictureSetError> {
    Cropper::new(&CropConfig { from: from.into(), margin }, &Device::flex())
}

#[test]
fn the_rule_finds_what_is_dark_within_what_is_bright() {
    let crop = cropper(AUTO, 0.0).unwrap();
    assert_eq!(crop.find("a", &volume(&chest(), [48, 64])).unwrap(), [10..40, 12..44]);
    // a tenth of 30 rows and of 32 columns more on each side
    let wide = cropper(AUTO, 0.1).unwrap();
    assert_eq!(wide.find("a", &volume(&chest(), [48, 64])).unwrap(), [7..43, 9..47]);
    // nothing dark inside, and a picture of one value
    let body = chest().into_iter().map(|value| if value == 10 { 10 } else { 200 }).collect::<Vec<u8>>();
    assert_eq!(crop.find("a", &volume(&body, [48, 64])).unwrap(), [0..48, 0..64]);
    assert_eq!(crop.find("a", &volume(&[7; 12], [3, 4])).unwrap(), [0..3, 0..4]);
}

/// The threshold against every other one, by the variance within the two sides that Otsu wants least.
#[test]
fn the_threshold_leaves_least_variance_within_its_sides() {
    let mut draw = nn_core::data::rng(4, &[]);
    for (share, apart) in [(0.5, 100.0), (0.1, 60.0), (0.9, 30.0)] {
        let values: Vec<f32> = (0..2000)
            .map(|_| {
                let second = draw.random::<f32>() < share;
                50.0 + 20.0 * draw.random::<f32>() + if second { apart } else { 0.0 }
            })
            .chain([0.0, 256.0])
            .collect();
        // bins of width 1 from 0 to 256
        let bin = |value: f32| f64::from(value.floor().min(255.0));
        let within = |edge: f32| -> f64 {
            let side = |keep: &dyn Fn(f32) -> bool| {
                let kept: Vec<f64> = values.iter().filter(|value| keep(**value)).map(|value| bin(*value)).collect();
                let mean = kept.iter().sum::<f64>() / kept.len().max(1) as f64;
                kept.iter().map(|value| (value - mean).powi(2)).sum::<f64>()
            };
            side(&|value| value < edge) + side(&|value| value >= edge)
        };
        let best = (1..256_u16).map(|edge| within(f32::from(edge))).fold(f64::INFINITY, f64::min);
        let found = within(otsu(&values));
        // 1e-6 of the sum: rounding of sums of 2,000 squares
        assert!((found - best).abs() <= 1e-6 * best, "{found} within the sides, {best} would be possible");
    }
    assert_eq!(otsu(&[3.0; 4]), f32::NEG_INFINITY);
}

#[test]
fn masks_are_found_by_name_and_may_be_of_another_size() {
    let folder = tempfile::tempdir().unwrap();
    let (masks, picture) = (folder.path().join("masks"), folder.path().join("one.png"));
    std::fs::create_dir(&masks).unwrap();
    write_png(&picture, 64, 48, 1, &chest()).unwrap();
    // 8 x 6 pixels for 64 x 48: two parts in rows 2 and 3, from column 1 to column 4
    let mut mask = vec![0_u8; 48];
    for place in [8 * 2 + 1, 8 * 3 + 1, 8 * 2 + 4, 8 * 3 + 4, 8 * 2 + 3, 8 * 3 + 3] {
        mask[place] = 255;
    }
    write_png(&masks.join("one.png"), 8, 6, 1, &mask).unwrap();
    let crop = cropper(&masks, 0.0).unwrap();
    assert_eq!(crop.find("one", &volume(&chest(), [48, 64])).unwrap(), [16..32, 8..40]);
    let options = PictureOptions { size: Some([12, 16]), ..PictureOptions::default() };
    let (pixels, shape) = one_picture(&picture, &options, Some(&crop)).unwrap();
    assert_eq!(shape, [2, 12, 16]);
    let whole = one_picture(&picture, &options, None).unwrap().0;
    assert_eq!(pixels[..12 * 16], whole);
    // the part is cut out of the picture as it is in the file, and only then brought to the size
    let file = chest();
    let rows = (16..32).flat_map(|row| &file[row * 64 + 8..row * 64 + 40]);
    let part: Vec<f32> = rows.map(|&value| f32::from(value)).collect();
    assert_eq!(pixels[12 * 16..], crate::pictures::resized(&part, [16, 32], [12, 16]));

    let error = crop.find("two", &volume(&chest(), [48, 64])).unwrap_err().to_string();
    assert!(error.starts_with("picture two: there is no mask of that name in ") && error.contains("masks"), "{error}");
    for (from, text) in [(folder.path().join("none"), "neither"), (folder.path().join("one.png"), "neither")] {
        let error = cropper(from, 0.0).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    let empty = tempfile::tempdir().unwrap();
    assert!(cropper(empty.path(), 0.0).unwrap_err().to_string().contains("neither masks nor"));
    assert!(cropper(AUTO, -1.0).unwrap_err().to_string().contains("crop.margin = -1"));
}

#[test]
fn a_set_has_the_part_behind_each_picture() {
    let folder = tempfile::tempdir().unwrap();
    for class in ["ill", "well"] {
        std::fs::create_dir(folder.path().join(class)).unwrap();
        write_png(&folder.path().join(class).join(format!("{class}.png")), 64, 48, 1, &chest()).unwrap();
    }
    let options = PictureOptions { size: Some([24, 32]), ..PictureOptions::default() };
    let crop = cropper(AUTO, 0.0).unwrap();
    let set = PictureSet::read_cropped(folder.path(), &options, Some(&crop)).unwrap();
    assert_eq!((set.len(), set.channels, set.height, set.width), (2, 2, 24, 32));
    let whole = PictureSet::read(folder.path(), &options).unwrap();
    for row in 0..2 {
        assert_eq!(set.picture(row)[..24 * 32], *whole.picture(row));
        assert_ne!(set.picture(row)[24 * 32..], *whole.picture(row));
    }
}

#[test]
fn a_model_says_where_the_lungs_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let model = fresh(3);
    model.save(&path).unwrap();
    let picture = volume(&chest(), [48, 64]);
    let found = cropper(&path, 0.0).unwrap().find("a", &picture).unwrap();
    let ensemble = SegmentEnsemble::new(vec![model]).unwrap();
    let map = segment_case(&ensemble, &[&picture], &SegmentOptions::default()).unwrap().labels;
    let mask: Vec<bool> = map.labels.iter().map(|label| *label > 0).collect();
    let expected = lung_box(&large_parts(&mask, [48, 64]), 64, 0.0).unwrap_or([0..48, 0..64]);
    assert_eq!(found, expected);
}
