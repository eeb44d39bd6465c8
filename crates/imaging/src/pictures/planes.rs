//! One picture of a file: its channels as planes, at any size.

use std::ops::Range;
use std::path::Path;

use super::{Cropper, PictureOptions, PictureSetError};
use crate::audit::near::shrink;
use crate::geometry::Geometry;
use crate::io::dicom::{self, Photometric, PixelOptions};
use crate::io::{self, IoError, Kind, ReadOptions};
use crate::volume::Volume;

/// A picture at the size of its file.
#[derive(Debug, Clone)]
pub(super) struct Planes {
    /// One for each channel, row-major.
    pub(super) channels: Vec<Vec<f32>>,
    /// Height and width.
    pub(super) size: [usize; 2],
    /// Where it stands, as far as the file says.
    pub(super) geometry: Geometry,
}

impl Planes {
    /// Planes of a picture that stands nowhere.
    pub(super) fn new(planes: Vec<Vec<f32>>, size: [usize; 2]) -> Self {
        Self { channels: planes, size, geometry: Geometry::axial([size[1], size[0], 1], [1.0; 3]) }
    }

    /// The one picture of a file, with as many channels as `options` ask for.
    pub(super) fn read(path: &Path, options: &PictureOptions) -> Result<Self, PictureSetError> {
        let problem = |problem: String| PictureSetError::Content { path: path.to_owned(), problem };
        let found = if let Some(found) = colours(path)? {
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
            let geometry = volumes[0].geometry.clone();
            let planes = volumes.into_iter().map(|volume| volume.voxels).collect();
            Self { channels: planes, size: [height, width], geometry }
        };
        found.in_channels(options.channels).map_err(problem)
    }

    /// The same with other channels: grey repeated, or colours as their mean.
    pub(super) fn in_channels(self, wanted: Option<usize>) -> Result<Self, String> {
        let found = self.channels.len();
        let wanted = wanted.unwrap_or(found);
        let planes = in_channels(self.channels, wanted)
            .ok_or_else(|| format!("{wanted} channels cannot be made of {found}; allowed: 1 and 3"))?;
        Ok(Self { channels: planes, ..self })
    }

    /// The pixels of the whole picture at `size`, `[channels, height, width]`; at its own where there is none.
    pub(super) fn resized(&self, size: Option<[usize; 2]>) -> (Vec<f32>, [usize; 3]) {
        let size = size.unwrap_or(self.size);
        let pixels = self.channels.iter().flat_map(|plane| resized(plane, self.size, size)).collect();
        (pixels, [self.channels.len(), size[0], size[1]])
    }

    /// The pixels of a part at `size`.
    pub(super) fn part(&self, rows: &Range<usize>, columns: &Range<usize>, size: [usize; 2]) -> Vec<f32> {
        let part = |plane: &Vec<f32>| -> Vec<f32> {
            let lines = plane.chunks(self.size[1].max(1)).skip(rows.start).take(rows.len());
            lines.flat_map(|line| &line[columns.clone()]).copied().collect()
        };
        let from = [rows.len(), columns.len()];
        self.channels.iter().flat_map(|plane| resized(&part(plane), from, size)).collect()
    }

    /// The picture in grey, as a volume of one slice.
    pub(super) fn grey(&self) -> Volume {
        let count = self.channels.len().max(1) as f32;
        let mean = |place: usize| self.channels.iter().map(|plane| plane[place]).sum::<f32>() / count;
        Volume::of((0..self.size[0] * self.size[1]).map(mean).collect(), self.geometry.clone())
    }

    /// The pixels as a set holds them: the picture at the size of `options`, and behind it, where there is a cropper, the
    /// part that it cuts out at the same size. `name` is what masks are looked up by, and what errors call the picture.
    pub(super) fn finished(
        &self,
        name: &str,
        options: &PictureOptions,
        crop: Option<&Cropper>,
    ) -> Result<(Vec<f32>, [usize; 3]), PictureSetError> {
        let (mut pixels, [channels, height, width]) = self.resized(options.size);
        let Some(crop) = crop else { return Ok((pixels, [channels, height, width])) };
        let [rows, columns] = crop.find(name, &self.grey())?;
        pixels.extend(self.part(&rows, &columns, [height, width]));
        Ok((pixels, [2 * channels, height, width]))
    }
}

/// The one picture of a file as a set holds it: its pixels `[channels, height, width]`, and these three numbers. The
/// classes of `options` do not count. Of grey DICOM the values are those that its rescaling gives. With a cropper the part
/// that it cuts out comes behind the whole picture, in as many further channels.
///
/// # Errors
/// [`PictureSetError::Read`] if the file cannot be read, [`PictureSetError::Content`] if it holds several slices, or
/// channels that the wanted ones cannot be made of, and what [`Cropper::find`] reports.
pub fn one_picture(
    path: &Path,
    options: &PictureOptions,
    crop: Option<&Cropper>,
) -> Result<(Vec<f32>, [usize; 3]), PictureSetError> {
    Planes::read(path, options)?.finished(&stem(path), options, crop)
}

/// The name of a file without its ending.
pub(super) fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

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
    Ok(Some(Planes::new((0..frame.channels).map(plane).collect(), [frame.rows, frame.columns])))
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
