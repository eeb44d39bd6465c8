//! Pixels into volumes: one file at a time, straight to their place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rayon::prelude::*;

use super::arrange::{Stack, arrange, slice_file};
use super::faults::{Remedy, SeriesFault};
use super::mosaic::Tiles;
use super::regrid::{Target, regrid};
use super::{Series, SeriesOptions};
use crate::geometry::Geometry;
use crate::io::Notice;
use crate::io::dicom::{DicomError, PixelOptions, open};
use crate::volume::{Modality, SliceFile, Source, Units, Volume};

/// Faults that a message spells out.
const SHOWN: usize = 8;

/// A part of a file and where its values go.
struct Wanted<'a> {
    frame: usize,
    tile: Option<(Tiles, usize)>,
    target: &'a mut [f32],
}

pub(super) fn read(series: &Series, options: &SeriesOptions) -> Result<(Vec<Volume>, Vec<Notice>), DicomError> {
    let arranged = arrange(&series.files, &series.planes);
    let mut notices: Vec<Notice> = Vec::new();
    let blocks = |fault: &&SeriesFault| match fault.kind.remedy() {
        Remedy::Split => !options.split,
        Remedy::Resample => !options.allow_resample,
        Remedy::None => true,
    };
    let blocking: Vec<&SeriesFault> = arranged.faults.iter().filter(blocks).collect();
    if !blocking.is_empty() {
        return Err(series.refuse(explain(&blocking)));
    }
    notices.extend(arranged.faults.iter().map(|fault| Notice::new(fault.to_string())));
    notices.extend(arranged.notices.into_iter().map(Notice::new));
    for file in &series.files {
        let name = file.path.display();
        notices.extend(file.notices.iter().map(|text| Notice::new(format!("{name}: {text}"))));
    }
    let targets: Vec<Option<Target>> = arranged.stacks.iter().map(|stack| target(series, stack)).collect();
    check_memory(series, &arranged.stacks, &targets, options.max_bytes)?;
    let mut buffers = pixels(series, &arranged.stacks)?;
    let mut volumes = Vec::with_capacity(buffers.len());
    for ((stack, target), buffer) in arranged.stacks.iter().zip(targets).zip(&mut buffers) {
        volumes.push(volume(series, stack, target, std::mem::take(buffer), &mut notices)?);
    }
    // The same of every slice or volume is said once.
    let mut said = BTreeSet::new();
    notices.retain(|notice| said.insert(notice.text.clone()));
    Ok((volumes, notices))
}

/// All faults that forbid reading, and what to do.
fn explain(faults: &[&SeriesFault]) -> String {
    let mut text: Vec<String> = faults.iter().take(SHOWN).map(ToString::to_string).collect();
    if faults.len() > SHOWN {
        text.push(format!("and {} more", faults.len() - SHOWN));
    }
    let has = |remedy: Remedy| faults.iter().any(|fault| fault.kind.remedy() == remedy);
    let remedy = if has(Remedy::None) {
        "sort the files into one folder for each patient, study and frame of reference"
    } else if has(Remedy::Split) && has(Remedy::Resample) {
        "sort the files or read each kind as volumes of their own, and allow resampling"
    } else if has(Remedy::Split) {
        "sort the files, or read each kind of slices as volumes of their own"
    } else {
        "complete the series, or allow resampling"
    };
    format!("{}; {remedy}", text.join("; "))
}

/// The grid that a stack is resampled to, if it is none.
fn target(series: &Series, stack: &Stack) -> Option<Target> {
    let first = &series.planes[stack.planes[0]];
    stack.resample.then(|| Target::new(first.columns, first.rows, &stack.shifts, stack.step.unwrap_or(1.0)))
}

/// Refuses what would not fit, before anything is allocated.
fn check_memory(series: &Series, stacks: &[Stack], targets: &[Option<Target>], limit: u64) -> Result<(), DicomError> {
    let mut bytes = 0_u128;
    for (stack, target) in stacks.iter().zip(targets) {
        let first = &series.planes[stack.planes[0]];
        let read = first.columns as u128 * first.rows as u128 * stack.planes.len() as u128;
        let made = target
            .map_or(0, |target| target.size.iter().fold(1_u128, |product, &size| product.saturating_mul(size as u128)));
        bytes = bytes.saturating_add(read.saturating_add(made).saturating_mul(4));
    }
    if bytes > u128::from(limit) {
        return Err(series.refuse(format!(
            "its voxels need {bytes} bytes, and at most {limit} are allowed; raise the limit or read fewer files"
        )));
    }
    Ok(())
}

/// The values of all stacks. Files are decoded side by side, each once, and only one at a time by each thread.
fn pixels(series: &Series, stacks: &[Stack]) -> Result<Vec<Vec<f32>>, DicomError> {
    let mut buffers: Vec<Vec<f32>> = stacks
        .iter()
        .map(|stack| {
            let first = &series.planes[stack.planes[0]];
            vec![0.0; first.columns * first.rows * stack.planes.len()]
        })
        .collect();
    let mut jobs: BTreeMap<usize, Vec<Wanted<'_>>> = BTreeMap::new();
    for (stack, buffer) in stacks.iter().zip(&mut buffers) {
        let length = buffer.len() / stack.planes.len();
        for (&index, target) in stack.planes.iter().zip(buffer.chunks_exact_mut(length)) {
            let plane = &series.planes[index];
            jobs.entry(plane.file).or_default().push(Wanted { frame: plane.frame, tile: plane.tile, target });
        }
    }
    let jobs: Vec<(usize, Vec<Wanted<'_>>)> = jobs.into_iter().collect();
    let done: Vec<Result<(), DicomError>> =
        jobs.into_par_iter().map(|(file, wanted)| decode(series, file, wanted)).collect();
    // Of several errors the one of the first file is told, whichever thread was faster.
    done.into_iter().collect::<Result<(), DicomError>>()?;
    Ok(buffers)
}

/// Decodes what is wanted of one file.
fn decode(series: &Series, file: usize, mut wanted: Vec<Wanted<'_>>) -> Result<(), DicomError> {
    let path = series.files[file].path.as_path();
    let opened = open(path)?;
    wanted.sort_by_key(|wanted| wanted.frame);
    let mut wanted = wanted.into_iter().peekable();
    while let Some(one) = wanted.next() {
        let frame = opened.frame(one.frame, &PixelOptions::default())?;
        if frame.channels != 1 {
            let problem = format!(
                "has {} channels; a volume has grey values: convert the series, or read its files as pictures",
                frame.channels
            );
            return Err(DicomError::Pixels { path: path.to_path_buf(), problem });
        }
        put(path, &frame.pixels, one.tile, one.target)?;
        // All tiles of a mosaic are of one frame.
        while let Some(next) = wanted.next_if(|next| next.frame == one.frame) {
            put(path, &frame.pixels, next.tile, next.target)?;
        }
    }
    Ok(())
}

/// Copies a frame, or one tile of it, to its place.
fn put(path: &Path, pixels: &[f32], tile: Option<(Tiles, usize)>, target: &mut [f32]) -> Result<(), DicomError> {
    let fits = match tile {
        Some((tiles, index)) => tiles.cut(pixels, index, target),
        None if pixels.len() == target.len() => {
            target.copy_from_slice(pixels);
            true
        }
        None => false,
    };
    if fits {
        return Ok(());
    }
    let (found, expected) = (pixels.len(), target.len());
    let problem = format!("has {found} pixels where {expected} were announced; was it changed while it was read?");
    Err(DicomError::Pixels { path: path.to_path_buf(), problem })
}

/// One stack as a volume, resampled if it must be.
fn volume(
    series: &Series,
    stack: &Stack,
    target: Option<Target>,
    voxels: Vec<f32>,
    notices: &mut Vec<Notice>,
) -> Result<Volume, DicomError> {
    let first = &series.planes[stack.planes[0]];
    let [wide, high] = first.spacing.unwrap_or_else(|| {
        notices.push(Notice::new("the files do not say how large a pixel is; 1 mm was taken"));
        [1.0; 2]
    });
    let step = stack.step.unwrap_or_else(|| {
        if stack.place.is_some() {
            notices.push(Notice::new("the slice does not say how thick it is; 1 mm was taken"));
        }
        1.0
    });
    let mut size = [first.columns, first.rows, stack.planes.len()];
    let mut slices: Vec<SliceFile> =
        stack.planes.iter().map(|&index| slice_file(&series.files, &series.planes[index])).collect();
    let (mut origin, mut direction) = ([0.0; 3], Geometry::axial([1; 3], [1.0; 3]).direction);
    let mut spacing = [wide, high, step];
    let mut voxels = voxels;
    if let Some(place) = stack.place {
        origin = place.position;
        direction = [place.across, place.down, place.normal()];
    } else {
        notices.push(Notice::new("the files do not say where their pictures are in the patient; each is by itself"));
    }
    if let (Some(target), Some(place)) = (target, stack.place) {
        let [before, above] = target.first;
        origin = [0, 1, 2]
            .map(|axis| place.position[axis] + before * wide * place.across[axis] + above * high * place.down[axis]);
        voxels = regrid(&voxels, first.columns, first.rows, &stack.shifts, &target);
        notices.push(Notice::new(format!(
            "{} slices were resampled to {} x {} x {} voxels, {:.4} mm apart",
            size[2], target.size[0], target.size[1], target.size[2], target.step
        )));
        size = target.size;
        spacing[2] = target.step;
        // Slices of the grid are no slices of files any more.
        slices = Vec::new();
    }
    let geometry = Geometry::new(size, spacing, origin, direction).map_err(|error| series.refuse(error.to_string()))?;
    let source = &series.files[first.file];
    Ok(Volume {
        voxels,
        geometry,
        modality: series.modality,
        units: units(series),
        source: Source {
            subject: source.patient.clone(),
            study: source.study.clone(),
            series: series.uid.clone(),
            frame_of_reference: source.frame_of_reference.clone(),
            slices,
        },
    })
}

fn units(series: &Series) -> Units {
    match (&series.units, series.modality) {
        (_, Modality::Ct) => Units::Hounsfield,
        (Some(units), _) => Units::Named(units.clone()),
        (None, _) => Units::Arbitrary,
    }
}
