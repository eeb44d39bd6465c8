//! `convert`: any volume as NIfTI, with its grid; turned or resampled where that is asked for.

use crate::cli::{Convert, counted};
use crate::config::{NoConfig, settings, without_run_folder};
use crate::predict::{Target, targets};
use crate::segment::plain;
use anyhow::Context;
use imaging::io::dicom::series::survey;
use imaging::io::{ReadOptions, read_volumes, write_volume};
use imaging::transform::{Interpolation, reorient, resample, target_grid};
use imaging::volume::Volume;
use nn_core::config::in_range;
use std::path::{Path, PathBuf};
use workbench::args::Common;
use workbench::config::Flags;
use workbench::exit::Usage;
use workbench::observe::say;

pub(crate) fn run(common: &Common, args: &Convert) -> anyhow::Result<()> {
    without_run_folder(common, "convert")?;
    if settings(&NoConfig {}, common, Flags::new())?.is_none() {
        return Ok(());
    }
    let spacing: Option<[f64; 3]> = match args.spacing.as_slice() {
        [] => None,
        &[i, j, k] => Some([i, j, k]),
        other => {
            let text = format!("--spacing has {} numbers; give three, along i, j and k, as 1,1,2.5", other.len());
            return Err(Usage(text).into());
        }
    };
    for &edge in spacing.iter().flatten() {
        in_range("spacing", edge, 1e-3..=1e4)?;
    }
    let options = args.series.options();
    let targets = stack(&args.input)?.map_or_else(
        || targets(common, std::slice::from_ref(&args.input), 1, &options),
        |volumes| Ok(vec![Target { name: plain(&args.input.display().to_string()), channels: Ok(volumes) }]),
    )?;
    let one = is_nifti(&args.out);
    if one && targets.len() > 1 {
        let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
        let text = format!(
            "{} holds {} volumes ({}); give a folder as --out",
            args.input.display(),
            targets.len(),
            names.join(", ")
        );
        return Err(Usage(text).into());
    }
    if !one {
        std::fs::create_dir_all(&args.out).with_context(|| format!("cannot create {}", args.out.display()))?;
    }
    let (all, mut failed) = (targets.len(), 0);
    for target in targets {
        let file: PathBuf =
            if one { args.out.clone() } else { args.out.join(format!("{}.nii.gz", plain(&target.name))) };
        match target.channels {
            Ok(volumes) => {
                for volume in volumes {
                    write_volume(&file, &changed(volume, args.orient.as_deref(), spacing)?)?;
                }
                say(common, &format!("{}: {}", target.name, file.display()));
            }
            // Of one volume the reason is the error; of several the others are converted.
            Err(error) if all == 1 => return Err(error.into()),
            Err(error) => {
                failed += 1;
                say(common, &format!("{}: {error}", target.name));
            }
        }
    }
    anyhow::ensure!(failed < all, "none of {} could be converted; see above", counted(all, "volume"));
    Ok(())
}

/// A folder of numbered pictures as one volume; none for anything else.
fn stack(path: &Path) -> anyhow::Result<Option<Vec<Volume>>> {
    if !path.is_dir() || !survey(path)?.series.is_empty() {
        return Ok(None);
    }
    Ok(read_volumes(path, &ReadOptions::default()).ok().map(|(volumes, _)| volumes).filter(|found| found.len() == 1))
}

fn is_nifti(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    name.ends_with(".nii") || name.ends_with(".nii.gz")
}

fn changed(volume: Volume, orientation: Option<&str>, spacing: Option<[f64; 3]>) -> anyhow::Result<Volume> {
    let volume = match orientation {
        Some(code) => reorient(&volume, code)?,
        None => volume,
    };
    Ok(match spacing {
        Some(spacing) => {
            let grid = target_grid(&volume.geometry, spacing);
            resample(&volume, &grid, Interpolation::Linear)
        }
        None => volume,
    })
}
