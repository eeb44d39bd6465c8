//! Classes of pictures, one row for each.

use super::sources::stem;
use super::write_file;
use crate::cli::{Predict, counted};
use anyhow::Context;
use imaging::evaluate::classes::highest;
use imaging::io::picture::read_picture;
use imaging::io::{self, Kind, ReadOptions};
use imaging::model::{ClassifyEnsemble, PictureScale};
use imaging::pictures::{PictureOptions, PictureSet, resized};
use nn_core::burn::tensor::Device;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use workbench::args::Common;
use workbench::observe::say;
use workbench::table::Table;

/// Rows of the table on stdout; the file has them all.
const ROWS: usize = 40;

pub(super) fn predict(common: &Common, device: &Device, args: &Predict) -> anyhow::Result<()> {
    let ensemble = ClassifyEnsemble::load(&args.model, device)?;
    let names = &ensemble.card().names;
    let set = unlabelled(&args.input, &ensemble.card().scale, names)?;
    let rows: Vec<usize> = (0..set.len()).collect();
    let probabilities = ensemble.probabilities(&set, &rows)?;
    let plain = |text: &str| text.replace([',', '"', '\n', '\r'], " ");
    let mut text = String::from("id,class");
    let mut table =
        Table::new(format!("Probabilities (the first {ROWS}; predictions.csv has all)")).text("picture").text("class");
    for name in names {
        write!(text, ",{}", plain(name))?;
        table = table.number(name.as_str());
    }
    text.push('\n');
    for (place, (id, shares)) in set.ids.iter().zip(probabilities.chunks(names.len().max(1))).enumerate() {
        let class = &names[highest(shares)];
        write!(text, "{},{}", plain(id), plain(class))?;
        for share in shares {
            write!(text, ",{share:.6}")?;
        }
        text.push('\n');
        if place < ROWS {
            let cells = shares.iter().map(|share| format!("{share:.3}"));
            table.push([id.clone(), class.clone()].into_iter().chain(cells));
        }
    }
    write_file(&args.out.join("predictions.csv"), &text)?;
    table.write(&mut std::io::stdout().lock(), common.json)?;
    say(common, &format!("{} in {}", counted(set.len(), "row"), args.out.join("predictions.csv").display()));
    Ok(())
}

/// Pictures without labels at the size and with the channels that a model reads: files, folders of them, or npz files.
pub(crate) fn unlabelled(inputs: &[PathBuf], scale: &PictureScale, names: &[String]) -> anyhow::Result<PictureSet> {
    let (channels, height, width) = (scale.mean.len(), scale.height, scale.width);
    let mut set = PictureSet { channels, height, width, classes: names.to_vec(), ..PictureSet::default() };
    for path in inputs {
        for file in files(path)? {
            match io::kind(&file)? {
                Some(Kind::Npz) => {
                    let options = PictureOptions {
                        size: Some([height, width]),
                        channels: Some(channels),
                        classes: names.to_vec(),
                    };
                    let found = PictureSet::read(&file, &options)?;
                    let called = stem(&file);
                    set.ids.extend(found.ids.iter().map(|id| format!("{called}/{id}")));
                    set.subjects.extend(found.subjects);
                    set.pixels.extend(found.pixels);
                }
                Some(Kind::Picture) => {
                    let (picture, _) = read_picture(&file, &ReadOptions::default())?;
                    let from = [picture.height, picture.width];
                    let planes: Vec<Vec<f32>> = picture
                        .pixels
                        .chunks(picture.height * picture.width)
                        .map(|plane| resized(plane, from, [height, width]))
                        .collect();
                    set.pixels.extend(as_channels(&planes, channels));
                    set.ids.push(file.display().to_string());
                    set.subjects.push(file.display().to_string());
                }
                _ => anyhow::bail!("{} is no picture; give PNG, TIFF, JPEG, GIF or npz", file.display()),
            }
        }
    }
    anyhow::ensure!(!set.ids.is_empty(), "there is no picture to predict");
    set.labels = vec![0; set.ids.len()];
    Ok(set)
}

/// Planes as so many channels: grey is repeated, colours become their mean.
fn as_channels(planes: &[Vec<f32>], channels: usize) -> Vec<f32> {
    if planes.len() == channels {
        return planes.concat();
    }
    let n = planes.len().max(1) as f32;
    let length = planes.first().map_or(0, Vec::len);
    let mean: Vec<f32> = (0..length).map(|pixel| planes.iter().map(|plane| plane[pixel]).sum::<f32>() / n).collect();
    mean.repeat(channels)
}

/// The file itself, or the pictures of a folder in the order of their names.
fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|file| matches!(io::kind(file), Ok(Some(Kind::Picture | Kind::Npz))))
        .collect();
    io::picture::sort_by_number(&mut found);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_grey_and_grey_is_repeated() {
        let planes = [vec![0.0, 3.0], vec![3.0, 3.0], vec![6.0, 3.0]];
        assert_eq!(as_channels(&planes, 1), [3.0, 3.0]);
        assert_eq!(as_channels(&planes[..1], 3), [0.0, 3.0, 0.0, 3.0, 0.0, 3.0]);
        assert_eq!(as_channels(&planes, 3).len(), 6);
    }
}
