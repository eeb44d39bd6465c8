//! How sets of cases are laid out on disk.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{CaseError, CaseFiles};

/// Endings of files that hold an image or a label, the longest first.
const ENDINGS: [&str; 11] =
    [".nii.gz", ".nii", ".dcm", ".ima", ".png", ".tiff", ".tif", ".jpeg", ".jpg", ".gif", ".npz"];

/// How a set of cases is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// `images/` and, if there are labels, `labels/` with the same names.
    Folders,
    /// `imagesTr/` with channels as `NAME_0000`, and `labelsTr/`.
    NnUnet,
    /// `image/` and `label/` with numbered pictures.
    Slices,
    /// A comma- or tab-separated table.
    Table,
    /// A folder of DICOM files for each case.
    Series,
}

impl Layout {
    /// The layout of a folder, or of a table; `None` for a folder that looks like none of them.
    pub fn of(path: &Path) -> Option<Self> {
        if path.is_file() {
            return matches!(extension(path).as_deref(), Some("csv" | "tsv")).then_some(Self::Table);
        }
        if path.join("cases.csv").is_file() {
            return Some(Self::Table);
        }
        let folders = [("imagesTr", Self::NnUnet), ("images", Self::Folders), ("image", Self::Slices)];
        if let Some((_, layout)) = folders.into_iter().find(|(name, _)| path.join(name).is_dir()) {
            return Some(layout);
        }
        (!series_folders(path).ok()?.is_empty()).then_some(Self::Series)
    }
}

/// The cases of a set, in the natural order of their names. Nothing but names is looked at, the table if it is one, and the
/// patient ID in one file of each folder of DICOM files: it is the subject, where the layout names none. `layout` is found
/// out where it is not given.
///
/// # Errors
/// [`CaseError`] for a folder that looks like no set, a set without cases, names that occur twice, channels that are
/// missing, or a line of a table that does not hold.
pub fn discover(folder: &Path, layout: Option<Layout>) -> Result<Vec<CaseFiles>, CaseError> {
    let Some(layout) = layout.or_else(|| Layout::of(folder)) else {
        // A folder that is not there is another mistake than one that looks like nothing.
        if let Err(cause) = fs::metadata(folder) {
            return Err(CaseError::Os { path: folder.to_owned(), cause });
        }
        return Err(CaseError::NoLayout { folder: folder.to_owned() });
    };
    let mut cases = match layout {
        Layout::Folders => paired(folder, "images", "labels", None)?,
        Layout::NnUnet => nn_unet(folder)?,
        Layout::Slices => {
            let subject = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            paired(folder, "image", "label", Some(subject))?
        }
        Layout::Table if folder.is_dir() => table(&folder.join("cases.csv"))?,
        Layout::Table => table(folder)?,
        Layout::Series => {
            let named = |path: PathBuf| {
                let id = stem(&path);
                CaseFiles {
                    subject: patient(&path).unwrap_or_else(|| id.clone()),
                    id,
                    channels: vec![path],
                    label: None,
                }
            };
            series_folders(folder)?.into_iter().map(named).collect()
        }
    };
    if cases.is_empty() {
        let wanted = match layout {
            Layout::Folders => "a file or a folder of DICOM files in images/",
            Layout::NnUnet => "a file NAME_0000.nii.gz in imagesTr/",
            Layout::Slices => "a numbered picture in image/",
            Layout::Table => "a line below the header of the table",
            Layout::Series => "a folder of DICOM files",
        };
        return Err(CaseError::NoCases { folder: folder.to_owned(), wanted });
    }
    cases.sort_by(|one, other| natural_order(&one.id, &other.id));
    if let Some(pair) = cases.windows(2).find(|pair| pair[0].id == pair[1].id) {
        let [first, second] = [0, 1].map(|place: usize| pair[place].channels.first().cloned().unwrap_or_default());
        return Err(CaseError::Twice { id: pair[0].id.clone(), first, second });
    }
    Ok(cases)
}

/// Order of names in which `slice 2` comes before `slice 10`.
///
/// ```
/// use imaging::case::natural_order;
/// let mut names = ["10.png", "9.png", "b", "0.png"];
/// names.sort_by(|a, b| natural_order(a, b));
/// assert_eq!(names, ["0.png", "9.png", "10.png", "b"]);
/// ```
pub fn natural_order(one: &str, other: &str) -> Ordering {
    let (mut a, mut b) = (one.as_bytes(), other.as_bytes());
    while let (Some(x), Some(y)) = (a.first(), b.first()) {
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let (left, right) = (digits(a), digits(b));
            a = &a[left.len()..];
            b = &b[right.len()..];
            let (left, right) = (without_zeros(left), without_zeros(right));
            // Of two numbers without leading zeros, the one with more digits is larger.
            match left.len().cmp(&right.len()).then_with(|| left.cmp(right)) {
                Ordering::Equal => {}
                order => return order,
            }
        } else if x == y {
            (a, b) = (&a[1..], &b[1..]);
        } else {
            return x.cmp(y);
        }
    }
    // 01 and 1 are the same number: the names decide.
    a.len().cmp(&b.len()).then_with(|| one.cmp(other))
}

fn digits(text: &[u8]) -> &[u8] {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    &text[..length]
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == b'0').count();
    &number[zeros..]
}

fn extension(path: &Path) -> Option<String> {
    path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase())
}

/// A file's name without the ending that says what it is.
fn stem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let lower = name.to_ascii_lowercase();
    // Lowering ASCII letters keeps the places of the bytes.
    ENDINGS
        .iter()
        .find(|ending| lower.ends_with(**ending) && lower.len() > ending.len())
        .map_or_else(|| name.clone(), |ending| name[..name.len() - ending.len()].to_owned())
}

/// What is in a folder, by name; hidden files (and the `._` files of other systems) are not.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, CaseError> {
    let failed = |cause| CaseError::Os { path: folder.to_owned(), cause };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// Whether a name is that of an image or of a label.
fn is_image(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    path.is_file() && ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Images and folders of images by the name of the case.
fn images(folder: &Path) -> Result<BTreeMap<String, PathBuf>, CaseError> {
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in entries(folder)?.into_iter().filter(|path| path.is_dir() || is_image(path)) {
        if let Some(first) = found.get(&stem(&path)) {
            return Err(CaseError::Twice { id: stem(&path), first: first.clone(), second: path });
        }
        found.insert(stem(&path), path);
    }
    Ok(found)
}

/// As [`images`], of a folder that need not be there.
fn labels(folder: &Path) -> Result<BTreeMap<String, PathBuf>, CaseError> {
    if folder.is_dir() { images(folder) } else { Ok(BTreeMap::new()) }
}

/// Two folders with the same names; `subject` where all cases are of one.
fn paired(
    folder: &Path,
    image_folder: &str,
    label_folder: &str,
    subject: Option<String>,
) -> Result<Vec<CaseFiles>, CaseError> {
    let mut labels = labels(&folder.join(label_folder))?;
    let found = images(&folder.join(image_folder))?.into_iter().map(|(id, path)| CaseFiles {
        subject: subject.clone().or_else(|| patient(&path)).unwrap_or_else(|| id.clone()),
        label: labels.remove(&id),
        channels: vec![path],
        id,
    });
    Ok(found.collect())
}

/// The patient ID of a folder of DICOM files, by the first file that has one.
fn patient(folder: &Path) -> Option<String> {
    if !folder.is_dir() {
        return None;
    }
    let files = entries(folder).ok()?.into_iter().filter(|path| path.is_file());
    let mut named = files.filter_map(|path| crate::io::dicom::open_header(&path).ok()?.header().patient.clone());
    named.next().filter(|patient| !patient.is_empty())
}

fn nn_unet(folder: &Path) -> Result<Vec<CaseFiles>, CaseError> {
    let images_folder = folder.join("imagesTr");
    let mut labels = labels(&folder.join("labelsTr"))?;
    let mut channels: BTreeMap<String, BTreeMap<usize, PathBuf>> = BTreeMap::new();
    for (name, path) in images(&images_folder)? {
        let numbered = name.rsplit_once('_').filter(|(_, number)| number.len() == 4);
        if let Some((id, channel)) = numbered.and_then(|(id, number)| Some((id, number.parse::<usize>().ok()?))) {
            channels.entry(id.to_owned()).or_default().insert(channel, path);
        }
    }
    let all: BTreeSet<usize> = channels.values().flat_map(|found| found.keys().copied()).collect();
    let count = all.last().map_or(0, |last| last + 1);
    let mut cases = Vec::with_capacity(channels.len());
    for (id, mut found) in channels {
        let mut paths = Vec::with_capacity(count);
        for channel in 0..count {
            let Some(path) = found.remove(&channel) else {
                return Err(CaseError::NoChannel { id, channel, folder: images_folder });
            };
            paths.push(path);
        }
        cases.push(CaseFiles { subject: id.clone(), label: labels.remove(&id), channels: paths, id });
    }
    Ok(cases)
}

/// The folders in `folder` that hold files other than pictures and tables: DICOM files often have no ending. If there is
/// none, the folder itself, should it hold such files.
fn series_folders(folder: &Path) -> Result<Vec<PathBuf>, CaseError> {
    let holds = |folder: &Path| -> Result<bool, CaseError> {
        let dicom = |path: &PathBuf| path.is_file() && matches!(extension(path).as_deref(), None | Some("dcm" | "ima"));
        Ok(entries(folder)?.iter().any(dicom))
    };
    let mut found = Vec::new();
    for path in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        if holds(&path)? {
            found.push(path);
        }
    }
    // A licence beside the folders of the cases is no series.
    if found.is_empty() && holds(folder)? {
        found.push(folder.to_owned());
    }
    Ok(found)
}

/// A table of cases; paths are relative to its folder.
fn table(path: &Path) -> Result<Vec<CaseFiles>, CaseError> {
    let wrong = |line: u64, problem: String| CaseError::Table { path: path.to_owned(), line, problem };
    let text = fs::read(path).map_err(|cause| CaseError::Os { path: path.to_owned(), cause })?;
    let delimiter = if extension(path).as_deref() == Some("tsv") { b'\t' } else { b',' };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(text.as_slice());
    let header = reader.headers().map_err(|cause| wrong(1, cause.to_string()))?.clone();
    let column = |name: &str| header.iter().position(|found| found.trim_start_matches('\u{feff}') == name);
    let images: Vec<usize> = (1..)
        .map_while(|number| column(&if number == 1 { "image".to_owned() } else { format!("image{number}") }))
        .collect();
    if images.is_empty() {
        let found = header.iter().collect::<Vec<_>>().join(", ");
        return Err(wrong(1, format!("the columns are {found}; there must be one called image")));
    }
    let (ids, subjects, labels) = (column("id"), column("subject"), column("label"));
    let root = path.parent().unwrap_or_else(|| Path::new(""));
    let mut cases = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|cause| {
            let line = cause.position().map_or(0, csv::Position::line);
            wrong(line, cause.to_string())
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        let text = |column: usize| record.get(column).unwrap_or_default();
        let mut channels = Vec::with_capacity(images.len());
        for &column in &images {
            if text(column).is_empty() {
                return Err(wrong(line, format!("{} is empty; name a file or folder", &header[column])));
            }
            channels.push(root.join(text(column)));
        }
        let named = |column: Option<usize>| column.map(text).filter(|text| !text.is_empty()).map(str::to_owned);
        let id = named(ids).unwrap_or_else(|| stem(&channels[0]));
        let subject = named(subjects).unwrap_or_else(|| id.clone());
        cases.push(CaseFiles { id, subject, channels, label: named(labels).map(|label| root.join(label)) });
    }
    Ok(cases)
}
