//! Sets of pictures as they are published.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use nn_core::data::Part;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::planes::{Planes, stem};
use super::{Cropper, PictureSet, PictureSetError};
use crate::case::natural_order;
use crate::io::npz::{Array, read_arrays};
use crate::io::{self, Kind, ReadOptions};

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
        Self::read_cropped(path, options, None)
    }

    /// The same, with the part that `crop` finds behind each picture, in as many further channels. It is cut out at the
    /// size of the file. Masks have the names of the pictures' files, or of an archive's rows, as `train 0`.
    ///
    /// # Errors
    /// As [`PictureSet::read`], and what [`Cropper::find`] reports.
    pub fn read_cropped(
        path: &Path,
        options: &PictureOptions,
        crop: Option<&Cropper>,
    ) -> Result<Self, PictureSetError> {
        let set = if path.is_dir() {
            of_entries(path, folders(path)?, options, crop)?
        } else if matches!(io::kind(path)?, Some(Kind::Npz)) {
            arrays(path, options, crop)?
        } else {
            of_entries(path, table(path)?, options, crop)?
        };
        set.check()?;
        Ok(set)
    }
}

/// Arrays `train_images`, `train_labels` and so on.
fn arrays(path: &Path, options: &PictureOptions, crop: Option<&Cropper>) -> Result<PictureSet, PictureSetError> {
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
        let wanted = options.channels.unwrap_or(channels) * if crop.is_some() { 2 } else { 1 };
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
            let picture = Planes::new(planes, [height, width]).in_channels(options.channels).map_err(wrong)?;
            let id = format!("{name} {row}");
            set.pixels.extend(picture.finished(&id, options, crop)?.0);
            let label = labels.values[row];
            if label.fract() != 0.0 || !(0.0..65_536.0).contains(&label) {
                return Err(wrong(format!("{name}_labels has {label} at {row}; classes are whole numbers from 0")));
            }
            set.labels.push(label as usize);
            set.ids.push(id);
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

/// Pixels as a set holds them, `[channels, height, width]`, and these three numbers.
type Pixels = (Vec<f32>, [usize; 3]);

/// Pictures that are held at the size of their files at once, where parts of them are cut out.
const AT_ONCE: usize = 32;

/// Reads the files, on all threads.
fn of_entries(
    path: &Path,
    entries: Vec<Entry>,
    options: &PictureOptions,
    crop: Option<&Cropper>,
) -> Result<PictureSet, PictureSetError> {
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
    let mut set = PictureSet { classes, ..PictureSet::default() };
    for entries in entries.chunks(AT_ONCE) {
        let pictures: Vec<Result<Planes, PictureSetError>> =
            entries.par_iter().map(|entry| Planes::read(&entry.path, options)).collect();
        // Without a part to cut out, which a network may have to find, pictures are made smaller on all threads too.
        let read: Vec<Result<Pixels, PictureSetError>> = if crop.is_some() {
            let finish = |(read, entry): (Result<Planes, PictureSetError>, &Entry)| {
                read.and_then(|picture| picture.finished(&stem(&entry.path), options, crop))
            };
            pictures.into_iter().zip(entries).map(finish).collect()
        } else {
            pictures.into_par_iter().map(|read| read.map(|picture| picture.resized(options.size))).collect()
        };
        for (entry, picture) in entries.iter().zip(read) {
            add(path, &mut set, entry, picture?)?;
        }
    }
    set.part = entries.iter().map(|entry| entry.part).collect();
    Ok(set)
}

/// Adds a picture, which must have the size of the others and a class that is known.
fn add(path: &Path, set: &mut PictureSet, entry: &Entry, (pixels, shape): Pixels) -> Result<(), PictureSetError> {
    if set.is_empty() {
        [set.channels, set.height, set.width] = shape;
    } else if shape != [set.channels, set.height, set.width] {
        let words = |[channels, height, width]: [usize; 3]| format!("{height} × {width} pixels in {channels} channels");
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
    Ok(())
}
