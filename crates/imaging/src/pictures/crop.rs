//! The part of a radiograph with the lungs, for a network that sees it by itself (Liu et al. 2019).
//!
//! | from | finds the lungs by |
//! |---|---|
//! | `auto` | what is dark and does not reach the edge of the picture: a rule for pictures that show the whole chest |
//! | a folder | masks of the names of the pictures |
//! | a segmentation model | what it labels, as in the paper |
//!
//! Of what is found the large parts count, so that a stray pixel does not widen the part. Where nothing is found, the part is
//! the whole picture.

use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use nn_core::config::{ConfigError, in_range};
use serde::{Deserialize, Serialize};

use super::PictureSetError;
use super::planes::stem;
use crate::components::{Connectivity, label};
use crate::io;
use crate::model::{SEGMENTER, SegmentEnsemble, architecture};
use crate::predict::{SegmentOptions, segment_case};
use crate::systems::sdfn::lung_box;
use crate::volume::Volume;

/// The name of the rule that needs neither masks nor a model.
pub const AUTO: &str = "auto";
/// Bins of grey values in which the threshold of the rule is looked for.
const BINS: usize = 256;
/// Pixels of a part, as a share of those of the largest one, from which on it counts: one lung may be half of the other.
const LARGE: usize = 4;
/// Share of the picture that the rule must find, or it has found something else: lungs take a fifth of a chest.
const LEAST: usize = 25;

/// How the part with the lungs is found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CropConfig {
    /// [`AUTO`], a folder of masks, or a segmentation model: a weights file or the folder of a run.
    pub from: PathBuf,
    /// By how much the part is larger on each side than what was found, as a share of its height and width.
    pub margin: f64,
}

impl Default for CropConfig {
    /// The rule, and the smallest rectangle, as in the paper.
    fn default() -> Self {
        Self { from: AUTO.into(), margin: 0.0 }
    }
}

impl CropConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("crop.margin", self.margin, 0.0..=10.0)
    }
}

#[derive(Debug)]
enum Finder {
    Rule,
    /// Masks by the name of their picture.
    Masks(PathBuf, HashMap<String, PathBuf>),
    Model(Box<SegmentEnsemble>),
}

/// Finds the part of a picture with the lungs.
#[derive(Debug)]
pub struct Cropper {
    finder: Finder,
    margin: f64,
}

impl Cropper {
    /// Reads what the settings name: the list of the masks, or the model, onto `device`.
    ///
    /// # Errors
    /// [`PictureSetError::Cropper`] for settings out of range, a path that is neither, and a model that does not read
    /// pictures of one channel.
    pub fn new(config: &CropConfig, device: &Device) -> Result<Self, PictureSetError> {
        let from = &config.from;
        let unusable = |problem: String| PictureSetError::Cropper { from: from.clone(), problem };
        config.validate().map_err(|error| unusable(error.to_string()))?;
        let finder = match architecture(from) {
            _ if from.as_os_str() == AUTO => Finder::Rule,
            Ok(name) if name == SEGMENTER => {
                let ensemble = SegmentEnsemble::load(from, device).map_err(|error| unusable(error.to_string()))?;
                let channels = ensemble.card().preprocessing.channels.len();
                if channels != 1 {
                    return Err(unusable(format!(
                        "the model reads {channels} channels; pictures are given to it in grey"
                    )));
                }
                Finder::Model(Box::new(ensemble))
            }
            Ok(name) => return Err(unusable(format!("it holds a {name}; give a segmentation model, or masks"))),
            Err(_) if from.is_dir() => {
                let masks = masks(from).map_err(|cause| PictureSetError::Os { path: from.clone(), cause })?;
                if masks.is_empty() {
                    return Err(unusable("the folder holds neither masks nor a segmentation model".to_owned()));
                }
                Finder::Masks(from.clone(), masks)
            }
            Err(_) => {
                let text = "it is neither \"auto\", a folder of masks nor a segmentation model";
                return Err(unusable(text.to_owned()));
            }
        };
        Ok(Self { finder, margin: config.margin })
    }

    /// Rows and columns of the part of a picture with the lungs; all of them where none is found. `name` is what the
    /// picture's mask is called, without an ending.
    ///
    /// # Errors
    /// [`PictureSetError::Crop`] with the picture whose mask is missing or cannot be read, or that the model cannot read.
    pub fn find(&self, name: &str, picture: &Volume) -> Result<[Range<usize>; 2], PictureSetError> {
        let wrong = |problem: String| PictureSetError::Crop { id: name.to_owned(), problem };
        let [width, height, _] = picture.geometry.size;
        let (mask, [columns, rows]) = match &self.finder {
            Finder::Rule => (dark_inside(&picture.voxels, [height, width]), [width, height]),
            Finder::Masks(folder, masks) => {
                let path = masks.get(name).ok_or_else(|| {
                    wrong(format!(
                        "there is no mask of that name in {}; add it, or leave the picture out",
                        folder.display()
                    ))
                })?;
                let map = io::read_labels(path, &[]).map_err(|error| wrong(error.to_string()))?;
                let [columns, rows, slices] = map.geometry.size;
                if slices != 1 {
                    return Err(wrong(format!("{} has {slices} slices; a mask has one", path.display())));
                }
                (map.labels.iter().map(|label| *label > 0).collect(), [columns, rows])
            }
            Finder::Model(ensemble) => {
                let found = segment_case(ensemble, &[picture], &SegmentOptions::default())
                    .map_err(|error| wrong(error.to_string()))?;
                (found.labels.labels.iter().map(|label| *label > 0).collect(), [width, height])
            }
        };
        let large = large_parts(&mask, [rows, columns]);
        let Some([down, across]) = lung_box(&large, columns, self.margin) else { return Ok([0..height, 0..width]) };
        // A mask may be of another size than its picture.
        let scaled = |range: Range<usize>, from: usize, to: usize| {
            range.start * to / from.max(1)..(range.end * to).div_ceil(from.max(1)).min(to)
        };
        Ok([scaled(down, rows, height), scaled(across, columns, width)])
    }
}

/// The files of a folder by their names without endings; hidden ones are left out.
fn masks(folder: &Path) -> std::io::Result<HashMap<String, PathBuf>> {
    let mut found = HashMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = stem(&path);
        if path.is_file() && !name.starts_with('.') {
            found.insert(name, path);
        }
    }
    Ok(found)
}

/// The parts that hang together by edges of pixels and have a quarter of the largest one's pixels or more.
fn large_parts(mask: &[bool], [height, width]: [usize; 2]) -> Vec<bool> {
    let parts = label(mask, [width, height, 1], Connectivity::Six);
    let largest = parts.sizes.iter().copied().max().unwrap_or(0);
    parts.labels.iter().map(|&part| part > 0 && LARGE * parts.sizes[part as usize - 1] >= largest).collect()
}

/// What is darker than the threshold that parts dark from bright best, and does not hang together with the edge of the
/// picture; nothing where that is less than lungs are.
fn dark_inside(pixels: &[f32], [height, width]: [usize; 2]) -> Vec<bool> {
    let threshold = otsu(pixels);
    let dark: Vec<bool> = pixels.iter().map(|&value| value < threshold).collect();
    let parts = label(&dark, [width, height, 1], Connectivity::Six);
    let mut outside = vec![false; parts.sizes.len() + 1];
    outside[0] = true;
    for (place, &part) in parts.labels.iter().enumerate() {
        let (row, column) = (place / width, place % width);
        if row == 0 || column == 0 || row + 1 == height || column + 1 == width {
            outside[part as usize] = true;
        }
    }
    let inside: Vec<bool> = parts.labels.iter().map(|&part| !outside[part as usize]).collect();
    let count = inside.iter().filter(|&&is| is).count();
    if LEAST * count < pixels.len() { vec![false; pixels.len()] } else { inside }
}

/// The value whose two sides differ most: the upper edge of the bin with the largest variance between them (Otsu 1979, *A
/// Threshold Selection Method from Gray-Level Histograms*, IEEE SMC 9:62). Below every value for a picture of one.
fn otsu(values: &[f32]) -> f32 {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let (low, high) = finite().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    if low >= high {
        return f32::NEG_INFINITY;
    }
    let step = (f64::from(high) - f64::from(low)) / BINS as f64;
    let mut counts = [0_usize; BINS];
    for value in finite() {
        counts[(((f64::from(value) - f64::from(low)) / step) as usize).min(BINS - 1)] += 1;
    }
    let moment = |(bin, count): (usize, &usize)| bin as f64 * *count as f64;
    let (total, all) = (counts.iter().sum::<usize>() as f64, counts.iter().enumerate().map(moment).sum::<f64>());
    let (mut below, mut sum, mut best) = (0.0, 0.0, (0.0, 0));
    for (bin, count) in counts.iter().enumerate().take(BINS - 1) {
        // The lowest value is in the first bin and the highest in the last, so that neither side is empty.
        below += *count as f64;
        sum += moment((bin, count));
        let between = (all * below - total * sum).powi(2) / (below * (total - below));
        if between > best.0 {
            best = (between, bin);
        }
    }
    (f64::from(low) + step * (best.1 + 1) as f64) as f32
}

#[cfg(test)]
mod tests;
