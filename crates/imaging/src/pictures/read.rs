//! Sets of pictures as they are published.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use nn_core::data::Part;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{PictureSet, PictureSetError};
use crate::audit::near::shrink;
use crate::case::natural_order;
use crate::io::dicom::{self, Photometric, PixelOptions};
use crate::io::npz::{Array, read_arrays};
use crate::io::{self, IoError, Kind, ReadOptions};

/// Folders of the parts, as published sets call them.
const PARTS: [(&str, Part); 8] = [
    ("train", Part::Train),
    ("training", Part::Train),
    ("val", Part::Validation),
    ("valid", Part::Validation),
    ("validation", Part::Validation),
    ("test", Part::Test),
    ("testing", Part::Test),
    ("tst", Part::Test),
];

/// How pictures are read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PictureOptions {
    /// Height and width that all should have; the size of the first where it is not given, and then all must have it.
    pub size: Option<[usize; 2]>,
    /// Channels that all should have, 1 or 3: colours become their mean, grey is repeated.
    pub channels: Option<usize>,
    /// Names of the classes, in the order of their numbers; of the folders or of the table where they are not given.
    pub classes: Vec<String>,
}

/// One file of a set.
struct Entry {
    id: String,
    subject: String,
    path: PathBuf,
    class: String,
    part: Option<Part>,
}

impl PictureSet {
    /// Reads arrays as MedMNIST has them (`.npz`), a table with the columns `image`, `label` and if wanted `id`, `subject`
    /// and `part`, or a folder with a folder for each class, which may stand in folders `train`, `val` and `test`.
    ///
    /// # Errors
    /// [`PictureSetError`].
    pub fn read(path: &Path, options: &PictureOptions) -> Result<Self, PictureSetError> {
        let set = if path.is_dir() {
            of_entries(path, folders(path)?, options)?
        } else if matches!(io::kind(path)?, Some(Kind::Npz)) {
            arrays(path, options)?
        } else {
            of_entries(path, table(path)?, options)?
        };
        set.check()?;
        Ok(set)
    }
}

/// Arrays `train_images`, `train_labels` and so on.
fn arrays(path: &Path, options: &PictureOptions) -> Result<PictureSet, PictureSetError> {
    let wrong = |problem: String| PictureSetError::Content { path: path.to_owned(), problem };
    let mut arrays: BTreeMap<String, Array> =
        read_arrays(path, &ReadOptions::default())?.into_iter().map(|array| (array.name.clone(), array)).collect();
    let mut set = PictureSet::default();
    let mut parts = Vec::new();
    for (name, part) in [("train", Part::Train), ("val", Part::Validation), ("test", Part::Test)] {
        let Some(images) = arrays.remove(&format!("{name}_images")) else { continue };
        let labels = arrays
            .remove(&format!("{name}_labels"))
            .ok_or_else(|| wrong(format!("there are {name}_images but no {name}_labels")))?;
        let [rows, height, width, channels] = match images.shape[..] {
            [rows, height, width] => [rows, height, width, 1],
            [rows, height, width, channels @ (1 | 3)] => [rows, height, width, channels],
            _ => {
                let shape = &images.shape;
                return Err(wrong(format!(
                    "{name}_images has the shape {shape:?}; pictures have [rows, height, width] or [rows, height, width, 3]"
                )));
            }
        };
        if !matches!(labels.shape[..], [found] | [found, 1] if found == rows) {
            let shape = &labels.shape;
            return Err(wrong(format!(
                "{name}_labels has the shape {shape:?}; {rows} pictures of one class each have [{rows}, 1]"
            )));
        }
        let size = options.size.unwrap_or([height, width]);
        let wanted = options.channels.unwrap_or(channels);
        if !set.is_empty() && [set.channels, set.height, set.width] != [wanted, size[0], size[1]] {
            return Err(wrong(format!(
                "{name}_images has pictures of {height} × {width}, but others {} × {}",
                set.height, set.width
            )));
        }
        [set.channels, set.height, set.width] = [wanted, size[0], size[1]];
        for row in 0..rows {
            let stride = height * width * channels;
            let interleaved = &images.values[row * stride..][..stride];
            let planes: Vec<Vec<f32>> = (0..channels)
                .map(|channel| interleaved.iter().skip(channel).step_by(channels).copied().collect())
                .collect();
            let planes = in_channels(planes, wanted)
                .ok_or_else(|| wrong(format!("channels = {wanted} cannot be made of {channels}; allowed: 1 and 3")))?;
            for plane in planes {
                set.pixels.extend(resized(&plane, [height, width], size));
            }
            let label = labels.values[row];
            if label.fract() != 0.0 || !(0.0..65_536.0).contains(&label) {
                return Err(wrong(format!("{name}_labels has {label} at {row}; classes are whole numbers from 0")));
            }
            set.labels.push(label as usize);
            set.ids.push(format!("{name} {row}"));
            parts.push(part);
        }
    }
    if set.is_empty() {
        let wanted = "arrays called train_images and train_labels, val_images and so on";
        return Err(PictureSetError::Empty { path: path.to_owned(), wanted });
    }
    set.subjects.clone_from(&set.ids);
    set.part = Some(parts);
    let classes = set.labels.iter().max().map_or(0, |last| last + 1);
    set.classes = if options.classes.is_empty() {
        (0..classes.max(2)).map(|class| format!("class {class}")).collect()
    } else {
        options.classes.clone()
    };
    Ok(set)
}

/// The part that a folder or a cell of a table names.
fn part_of(name: &str) -> Option<Part> {
    let name = name.to_ascii_lowercase();
    PARTS.into_iter().find(|(known, _)| *known == name).map(|(_, part)| part)
}

/// Files and folders of a folder, in natural order, without hidden ones.
fn inside(folder: &Path) -> Result<Vec<PathBuf>, PictureSetError> {
    let failed = |cause| PictureSetError::Os { path: folder.to_owned(), cause };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if !name_of(&path).starts_with('.') {
            paths.push(path);
        }
    }
    paths.sort_by(|one, other| natural_order(&name_of(one), &name_of(other)));
    Ok(paths)
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A folder for each class, with or without folders for the parts above them.
fn folders(root: &Path) -> Result<Vec<Entry>, PictureSetError> {
    let below: Vec<PathBuf> = inside(root)?.into_iter().filter(|path| path.is_dir()).collect();
    let divided = !below.is_empty() && below.iter().all(|path| part_of(&name_of(path)).is_some());
    let mut entries = Vec::new();
    let mut add = |folder: &Path, part: Option<Part>| -> Result<(), PictureSetError> {
        let class = name_of(folder);
        for path in inside(folder)?.into_iter().filter(|path| path.is_file()) {
            // A licence or a list beside the pictures is no picture.
            if !matches!(io::kind(&path)?, Some(Kind::Picture | Kind::Dicom)) {
                continue;
            }
            let id = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            entries.push(Entry { subject: id.clone(), id, path, class: class.clone(), part });
        }
        Ok(())
    };
    for folder in &below {
        if divided {
            for class in inside(folder)?.into_iter().filter(|path| path.is_dir()) {
                add(&class, part_of(&name_of(folder)))?;
            }
        } else {
            add(folder, None)?;
        }
    }
    Ok(entries)
}

/// A table of pictures; paths are relative to its folder.
fn table(path: &Path) -> Result<Vec<Entry>, PictureSetError> {
    let wrong = |problem: String| PictureSetError::Content { path: path.to_owned(), problem };
    let bytes = fs::read(path).map_err(|cause| PictureSetError::Os { path: path.to_owned(), cause })?;
    let tabs = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("tsv"));
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(if tabs { b'\t' } else { b',' })
        .trim(csv::Trim::All)
        .from_reader(bytes.as_slice());
    let header = reader.headers().map_err(|cause| wrong(cause.to_string()))?.clone();
    let column = |name: &str| header.iter().position(|found| found.trim_start_matches('\u{feff}') == name);
    let (Some(image), Some(label)) = (column("image"), column("label")) else {
        let found = header.iter().collect::<Vec<_>>().join(", ");
        return Err(wrong(format!(
            "the columns are {found}; there must be image and label, and may be id, subject and part"
        )));
    };
    let (id, subject, part) = (column("id"), column("subject"), column("part"));
    let root = path.parent().unwrap_or_else(|| Path::new(""));
    let mut entries = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|cause| wrong(cause.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let text = |column: usize| record.get(column).unwrap_or_default();
        let named = |column: Option<usize>| column.map(text).filter(|text| !text.is_empty()).map(str::to_owned);
        if text(image).is_empty() || text(label).is_empty() {
            return Err(wrong(format!("line {line} has no image or no label")));
        }
        let name = named(id).unwrap_or_else(|| text(image).to_owned());
        let part = match named(part) {
            Some(called) => Some(part_of(&called).ok_or_else(|| {
                wrong(format!("line {line} has the part {called:?}, which is none of train, val and test"))
            })?),
            None => None,
        };
        entries.push(Entry {
            subject: named(subject).unwrap_or_else(|| name.clone()),
            id: name,
            path: root.join(text(image)),
            class: text(label).to_owned(),
            part,
        });
    }
    Ok(entries)
}

/// Reads the files, on all threads.
fn of_entries(path: &Path, entries: Vec<Entry>, options: &PictureOptions) -> Result<PictureSet, PictureSetError> {
    if entries.is_empty() {
        let wanted = "a folder for each class with pictures in it, or lines below the header of the table";
        return Err(PictureSetError::Empty { path: path.to_owned(), wanted });
    }
    let mut classes = options.classes.clone();
    if classes.is_empty() {
        classes = entries.iter().map(|entry| entry.class.clone()).collect();
        classes.sort_by(|one, other| natural_order(one, other));
        classes.dedup();
    }
    let read: Vec<_> = entries.par_iter().map(|entry| one_picture(&entry.path, options)).collect();
    let mut set = PictureSet { classes, ..PictureSet::default() };
    for (entry, picture) in entries.iter().zip(read) {
        let (pixels, shape) = picture?;
        if set.is_empty() {
            [set.channels, set.height, set.width] = shape;
        } else if shape != [set.channels, set.height, set.width] {
            let words =
                |[channels, height, width]: [usize; 3]| format!("{height} × {width} pixels in {channels} channels");
            let expected = words([set.channels, set.height, set.width]);
            return Err(PictureSetError::Size { id: entry.id.clone(), found: words(shape), expected });
        }
        let Some(label) = set.classes.iter().position(|class| *class == entry.class) else {
            let known = set.classes.join(", ");
            let problem = format!("{} is of class {:?}, which is none of {known}", entry.id, entry.class);
            return Err(PictureSetError::Content { path: path.to_owned(), problem });
        };
        set.pixels.extend(pixels);
        set.labels.push(label);
        set.ids.push(entry.id.clone());
        set.subjects.push(entry.subject.clone());
    }
    set.part = entries.iter().map(|entry| entry.part).collect();
    Ok(set)
}

/// The one picture of a file as a set holds it: its pixels `[channels, height, width]`, and these three numbers. The
/// classes of `options` do not count. Of grey DICOM the values are those that its rescaling gives.
///
/// # Errors
/// [`PictureSetError::Read`] if the file cannot be read, [`PictureSetError::Content`] if it holds several slices, or
/// channels that the wanted ones cannot be made of.
pub fn one_picture(path: &Path, options: &PictureOptions) -> Result<(Vec<f32>, [usize; 3]), PictureSetError> {
    let problem = |problem: String| PictureSetError::Content { path: path.to_owned(), problem };
    let (planes, [height, width]) = if let Some(found) = colours(path)? {
        found
    } else {
        let (volumes, _) = io::read_volumes(path, &ReadOptions::default())?;
        let sizes: Vec<[usize; 3]> = volumes.iter().map(|volume| volume.geometry.size).collect();
        let Some(&[width, height, slices]) = sizes.first() else {
            return Err(problem("it holds no picture".to_owned()));
        };
        if slices != 1 || sizes.iter().any(|size| *size != sizes[0]) {
            return Err(problem(format!(
                "it holds {slices} slices, or channels of several sizes; a picture has one slice"
            )));
        }
        (volumes.into_iter().map(|volume| volume.voxels).collect(), [height, width])
    };
    let found = planes.len();
    let wanted = options.channels.unwrap_or(found);
    let planes = in_channels(planes, wanted)
        .ok_or_else(|| problem(format!("{wanted} channels cannot be made of {found}; allowed: 1 and 3")))?;
    let size = options.size.unwrap_or([height, width]);
    let pixels = planes.iter().flat_map(|plane| resized(plane, [height, width], size)).collect();
    Ok((pixels, [planes.len(), size[0], size[1]]))
}

/// Planes of one size, and their height and width.
type Planes = (Vec<Vec<f32>>, [usize; 2]);

/// Red, green and blue of a coloured DICOM file of one frame, which is no volume; `None` for anything else.
fn colours(path: &Path) -> Result<Option<Planes>, IoError> {
    if io::kind(path)? != Some(Kind::Dicom) {
        return Ok(None);
    }
    let header = dicom::open_header(path)?;
    let grey = |photometric: &Photometric| matches!(photometric, Photometric::Monochrome1 | Photometric::Monochrome2);
    let coloured = header.header().format.as_ref().is_some_and(|format| !grey(&format.photometric));
    if !coloured || header.header().frames != 1 {
        return Ok(None);
    }
    let frame = dicom::open(path)?.frame(0, &PixelOptions::default())?;
    let plane =
        |channel: usize| -> Vec<f32> { frame.pixels.iter().skip(channel).step_by(frame.channels).copied().collect() };
    Ok(Some(((0..frame.channels).map(plane).collect(), [frame.rows, frame.columns])))
}

/// Grey repeated, or colours as their mean; `None` for other numbers of channels.
fn in_channels(planes: Vec<Vec<f32>>, wanted: usize) -> Option<Vec<Vec<f32>>> {
    match (planes.len(), wanted) {
        (found, wanted) if found == wanted && wanted > 0 => Some(planes),
        (1, 3) => Some(vec![planes[0].clone(), planes[0].clone(), planes[0].clone()]),
        // Opacity is no colour.
        (found @ 2..=4, 1) => {
            let colours = if found == 3 || found == 4 { 3 } else { 1 };
            let mean = |place: usize| planes[..colours].iter().map(|plane| plane[place]).sum::<f32>() / colours as f32;
            Some(vec![(0..planes[0].len()).map(mean).collect()])
        }
        (4, 3) => Some(planes.into_iter().take(3).collect()),
        _ => None,
    }
}

/// A plane of `[height, width]` at another size: means over what each new pixel covers where it becomes smaller, linear
/// between the centres of pixels where it becomes larger.
///
/// ```
/// use imaging::pictures::resized;
/// assert_eq!(resized(&[1.0, 3.0, 5.0, 7.0], [2, 2], [1, 1]), [4.0]);
/// assert_eq!(resized(&[0.0, 4.0], [1, 2], [1, 4]), [0.0, 1.0, 3.0, 4.0]);
/// ```
///
/// # Panics
/// If there are not height × width values.
pub fn resized(plane: &[f32], from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    assert_eq!(plane.len(), from[0] * from[1], "height × width values");
    if from == to {
        return plane.to_vec();
    }
    let smaller = [from[0].min(to[0]), from[1].min(to[1])];
    let values = plane.iter().map(|value| f64::from(*value)).collect();
    let values = shrink(values, [from[1], from[0], 1], [smaller[1], smaller[0], 1]);
    let axis = |from: usize, to: usize| -> Vec<(usize, usize, f64)> {
        let places = (0..to).map(|place| {
            let at = ((place as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, (from - 1) as f64);
            let below = at.floor() as usize;
            (below, (below + 1).min(from - 1), at.fract())
        });
        places.collect()
    };
    let (rows, columns) = (axis(smaller[0], to[0]), axis(smaller[1], to[1]));
    let mut found = Vec::with_capacity(to[0] * to[1]);
    for &(above, under, down) in &rows {
        for &(left, right, over) in &columns {
            let at = |row: usize, column: usize| values[row * smaller[1] + column];
            let top = at(above, left) + (at(above, right) - at(above, left)) * over;
            let bottom = at(under, left) + (at(under, right) - at(under, left)) * over;
            found.push((top + (bottom - top) * down) as f32);
        }
    }
    found
}
