//! Classes of pictures, one row for each file.

use super::sources::stem;
use super::{OK, write_file};
use crate::cli::{Predict, counted};
use crate::crops;
use anyhow::Context;
use imaging::evaluate::classes::highest;
use imaging::io::{self, Kind};
use imaging::model::{ClassifyCard, ClassifyEnsemble, PictureScale};
use imaging::pictures::{Cropper, PictureOptions, PictureSet, one_picture};
use nn_core::burn::tensor::Device;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use workbench::args::Common;
use workbench::exit::describe;
use workbench::observe::say;
use workbench::table::Table;

/// Rows of the table on stdout; the file has them all.
const ROWS: usize = 40;
/// Folders below one that is given.
const MAX_DEPTH: usize = 32;
/// A picture whose mean is so many standard deviations of the pixels learnt from off their mean is on another scale, as 12
/// bits among 8: within one scale of 0 to 255 it can hardly be more than 4.
const FAR: f64 = 5.0;

/// Pictures that a model can read, and what became of each file.
pub(crate) struct Unlabelled {
    pub(crate) set: PictureSet,
    /// Name of each picture, in order, with its row of the set; or of a file that has none, with the reason.
    pub(crate) files: Vec<(String, Result<usize, String>)>,
}

impl Unlabelled {
    /// Says which files are left out, and fails where none is left.
    pub(crate) fn told(self, common: &Common) -> anyhow::Result<PictureSet> {
        let left_out: Vec<(&String, &String)> =
            self.files.iter().filter_map(|(name, row)| row.as_ref().err().map(|reason| (name, reason))).collect();
        for (name, reason) in &left_out {
            say(common, &format!("{name}: {reason}"));
        }
        if let (true, Some((name, reason))) = (self.set.is_empty(), left_out.first()) {
            anyhow::bail!("none of {} can be read as a picture: {name}: {reason}", counted(left_out.len(), "file"));
        }
        Ok(self.set)
    }
}

/// Classifies what was asked for; `crop` names other masks or another model than the classifier learnt with.
pub(super) fn predict(common: &Common, device: &Device, args: &Predict, crop: Option<&Path>) -> anyhow::Result<()> {
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot create {}", args.out.display()))?;
    let ensemble = ClassifyEnsemble::load(&args.model, device)?;
    let (names, scale) = (&ensemble.card().names, &ensemble.card().scale);
    let crop = crops::of_model(ensemble.card(), crop, common, device)?;
    let Unlabelled { set, files } = unlabelled(&args.input, ensemble.card(), crop.as_ref())?;
    let rows: Vec<usize> = (0..set.len()).collect();
    let probabilities = ensemble.probabilities(&set, &rows)?;
    let plain = |text: &str| text.replace([',', '"', '\n', '\r'], " ");
    let mut text = String::from("id,status,class");
    let caption = format!("Probabilities (the first {ROWS}; predictions.csv has all)");
    let mut table = Table::new(caption).text("picture").text("status").text("class");
    for name in names {
        write!(text, ",{}", plain(name))?;
        table = table.number(name.as_str());
    }
    text.push('\n');
    for (place, (id, row)) in files.iter().enumerate() {
        let (status, class, shares) = match row {
            Ok(row) => {
                let shares = &probabilities[row * names.len()..][..names.len()];
                let status = apart(set.picture(*row), scale).unwrap_or_else(|| OK.to_owned());
                (status, names[highest(shares)].as_str(), shares)
            }
            Err(reason) => (reason.clone(), "", &[] as &[f64]),
        };
        if status != OK {
            say(common, &format!("{id}: {status}"));
        }
        write!(text, "{},{},{}", plain(id), plain(&status), plain(class))?;
        for class in 0..names.len() {
            match shares.get(class) {
                Some(share) => write!(text, ",{share:.6}")?,
                None => text.push(','),
            }
        }
        text.push('\n');
        if place < ROWS {
            let share = |class: usize| shares.get(class).map_or_else(|| "–".to_owned(), |share| format!("{share:.3}"));
            let cells = [id.clone(), status, class.to_owned()];
            table.push(cells.into_iter().chain((0..names.len()).map(share)));
        }
    }
    let file = args.out.join("predictions.csv");
    write_file(&file, &text)?;
    table.write(&mut std::io::stdout().lock(), common.json)?;
    let all = files.len();
    anyhow::ensure!(
        !set.is_empty(),
        "none of {} could be classified; {} says why",
        counted(all, "file"),
        file.display()
    );
    say(common, &format!("{} in {}", counted(all, "row"), file.display()));
    Ok(())
}

/// Pictures without labels as a model reads them: files (each of them one picture, or npz), or all files of folders. Of
/// DICOM a file of one frame is a picture. Behind each is the part that `crop` finds.
pub(crate) fn unlabelled(
    inputs: &[PathBuf],
    card: &ClassifyCard,
    crop: Option<&Cropper>,
) -> anyhow::Result<Unlabelled> {
    let PictureScale { height, width, mean, .. } = &card.scale;
    let (channels, height, width) = (mean.len(), *height, *width);
    let set = PictureSet { channels, height, width, classes: card.names.clone(), ..PictureSet::default() };
    let mut found = Unlabelled { set, files: Vec::new() };
    let options = card.options();
    for path in inputs {
        for file in files(path)? {
            let name = file.display().to_string();
            match pictures(&file, &options, crop) {
                Ok(pictures) => {
                    for (id, pixels) in pictures {
                        add(&mut found, id, &pixels);
                    }
                }
                Err(error) => found.files.push((name, Err(describe(&error)))),
            }
        }
    }
    anyhow::ensure!(!found.files.is_empty(), "there is no file to predict");
    found.set.labels = vec![0; found.set.ids.len()];
    Ok(found)
}

/// Adds one picture; one with a pixel that is no number is none.
fn add(found: &mut Unlabelled, id: String, pixels: &[f32]) {
    if let Some(value) = pixels.iter().find(|value| !value.is_finite()) {
        let reason = format!("it has a pixel that is {value}; repair it or leave the picture out");
        found.files.push((id, Err(reason)));
        return;
    }
    found.files.push((id.clone(), Ok(found.set.ids.len())));
    found.set.subjects.push(id.clone());
    found.set.ids.push(id);
    found.set.pixels.extend_from_slice(pixels);
}

/// The pictures of one file, each with its name.
fn pictures(file: &Path, options: &PictureOptions, crop: Option<&Cropper>) -> anyhow::Result<Vec<(String, Vec<f32>)>> {
    match io::kind(file)? {
        Some(Kind::Npz) => {
            let set = PictureSet::read_cropped(file, options, crop)?;
            let called = stem(file);
            let named = set.ids.iter().enumerate();
            Ok(named.map(|(row, id)| (format!("{called}/{id}"), set.picture(row).to_vec())).collect())
        }
        Some(_) => Ok(vec![(file.display().to_string(), one_picture(file, options, crop)?.0)]),
        None => anyhow::bail!("it is no picture; give DICOM, PNG, TIFF, JPEG, GIF or npz"),
    }
}

/// What is suspicious of a picture's values: they are far from those that the model learnt from.
fn apart(pixels: &[f32], scale: &PictureScale) -> Option<String> {
    let plane = (scale.height * scale.width).max(1);
    let learnt = scale.mean.iter().zip(&scale.deviation);
    pixels.chunks(plane).zip(learnt).find_map(|(values, (mean, deviation))| {
        let found = values.iter().map(|value| f64::from(*value)).sum::<f64>() / plane as f64;
        let far = (found - f64::from(*mean)).abs() > FAR * f64::from(*deviation);
        far.then(|| {
            format!(
                "on another scale: its mean is {found:.1} where the model learnt {mean:.1} with deviation {deviation:.1}"
            )
        })
    })
}

/// The file itself, or all files of a folder and of those below it, in the order of their numbers; hidden ones are left
/// out, and links to folders not followed.
fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if path.is_dir() {
        list(path, 0, &mut found)?;
    } else {
        found.push(path.to_owned());
    }
    Ok(found)
}

fn list(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let failed = || format!("cannot list {}", folder.display());
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).with_context(failed)? {
        let entry = entry.with_context(failed)?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let list = if entry.file_type().with_context(failed)?.is_dir() { &mut folders } else { &mut files };
        list.push(entry.path());
    }
    io::picture::sort_by_number(&mut files);
    io::picture::sort_by_number(&mut folders);
    found.extend(files.into_iter().filter(|path| path.is_file()));
    if depth < MAX_DEPTH {
        folders.iter().try_for_each(|folder| list(folder, depth + 1, found))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_another_scale_are_told() {
        let scale = PictureScale { height: 1, width: 2, mean: vec![100.0], deviation: vec![40.0] };
        assert_eq!(apart(&[0.0, 255.0], &scale), None);
        assert_eq!(apart(&[300.0, 298.0], &scale), None);
        let told = apart(&[1000.0, 2000.0], &scale).unwrap();
        assert_eq!(told, "on another scale: its mean is 1500.0 where the model learnt 100.0 with deviation 40.0");
    }

    #[test]
    fn folders_are_walked_in_the_order_of_numbers() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("b")).unwrap();
        for name in ["10.png", "9.png", ".hidden", "b/1.png"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let found = files(folder.path()).unwrap();
        let names: Vec<String> =
            found.iter().map(|path| path.strip_prefix(folder.path()).unwrap().display().to_string()).collect();
        assert_eq!(names, ["9.png", "10.png", "b/1.png"]);
    }
}
