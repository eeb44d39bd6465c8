//! NIfTI-1 out.

use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use nn_core::atomic;

use super::NiftiError;
use crate::geometry::Geometry;
use crate::io::IoError;
use crate::volume::{LabelMap, Volume};

/// First byte of the voxels: the header and the four bytes that say that no extension follows.
const OFFSET: usize = 352;

/// `NIFTI_INTENT_LABEL`.
const INTENT_LABEL: i16 = 1002;

/// Writes a volume as one NIfTI-1 file, compressed if the name ends with `.gz`: as int16 if all values are whole
/// numbers of that range, else as float32, so that the same values are read back. Both forms of orientation are
/// written; their numbers are `f32`, which rounds at 1e-5 mm where the origin is some 100 mm away.
///
/// # Errors
/// [`IoError::Nifti`] if a size exceeds what NIfTI-1 can count, [`IoError::Write`] if the file cannot be written.
pub fn write_volume(path: &Path, volume: &Volume) -> Result<(), IoError> {
    let whole = |value: f32| value.fract() == 0.0 && (-32768.0..=32767.0).contains(&value);
    if volume.voxels.iter().all(|&value| whole(value)) {
        write(path, &volume.geometry, 4, 16, 0, &volume.voxels, |value, to| {
            to.extend_from_slice(&(value as i16).to_le_bytes());
        })
    } else {
        write(path, &volume.geometry, 16, 32, 0, &volume.voxels, |value, to| {
            to.extend_from_slice(&value.to_le_bytes());
        })
    }
}

/// Writes a map of labels as one NIfTI-1 file of uint8, compressed if the name ends with `.gz`. The format has no place
/// for the names.
///
/// # Errors
/// As [`write_volume`].
pub fn write_labels(path: &Path, map: &LabelMap) -> Result<(), IoError> {
    write(path, &map.geometry, 2, 8, INTENT_LABEL, &map.labels, |label, to| to.push(label))
}

fn write<T: Copy>(
    path: &Path,
    geometry: &Geometry,
    datatype: i16,
    bits: i16,
    intent: i16,
    values: &[T],
    encode: impl Fn(T, &mut Vec<u8>),
) -> Result<(), IoError> {
    let header =
        header(geometry, datatype, bits, intent).map_err(|error| IoError::Nifti { path: path.to_path_buf(), error })?;
    let packed = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    atomic::write_with(path, |file| {
        if packed {
            let mut encoder = GzEncoder::new(file, Compression::fast());
            body(&mut encoder, &header, values, &encode)?;
            encoder.finish()?;
            Ok(())
        } else {
            body(file, &header, values, &encode)
        }
    })
    .map_err(IoError::Write)
}

fn body<T: Copy>(
    to: &mut impl Write,
    header: &[u8],
    values: &[T],
    encode: &impl Fn(T, &mut Vec<u8>),
) -> io::Result<()> {
    to.write_all(header)?;
    let mut bytes = Vec::with_capacity(1 << 18);
    for block in values.chunks(1 << 16) {
        bytes.clear();
        for &value in block {
            encode(value, &mut bytes);
        }
        to.write_all(&bytes)?;
    }
    Ok(())
}

fn header(geometry: &Geometry, datatype: i16, bits: i16, intent: i16) -> Result<[u8; OFFSET], NiftiError> {
    let mut bytes = [0; OFFSET];
    let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
    put(0, &348_i32.to_le_bytes());
    put(40, &3_i16.to_le_bytes());
    for (axis, &size) in geometry.size.iter().enumerate() {
        let counted = i16::try_from(size).map_err(|_| NiftiError::Long { axis, size })?;
        put(42 + 2 * axis, &counted.to_le_bytes());
    }
    for at in (48..56).step_by(2) {
        put(at, &1_i16.to_le_bytes());
    }
    put(68, &intent.to_le_bytes());
    put(70, &datatype.to_le_bytes());
    put(72, &bits.to_le_bytes());
    let affine = geometry.affine_ras();
    let (quaternion, handed) = quaternion(geometry);
    put(76, &handed.to_le_bytes());
    for (axis, &spacing) in geometry.spacing.iter().enumerate() {
        put(80 + 4 * axis, &(spacing as f32).to_le_bytes());
    }
    for at in (92..108).step_by(4) {
        put(at, &1_f32.to_le_bytes());
    }
    put(108, &(OFFSET as f32).to_le_bytes());
    put(112, &1_f32.to_le_bytes());
    put(123, &[2]); // mm
    put(148, b"galen");
    // code 1: coordinates of the scanner
    put(252, &1_i16.to_le_bytes());
    put(254, &1_i16.to_le_bytes());
    for (index, value) in quaternion.into_iter().enumerate() {
        put(256 + 4 * index, &(value as f32).to_le_bytes());
    }
    for (row, values) in affine.iter().take(3).enumerate() {
        put(268 + 4 * row, &(values[3] as f32).to_le_bytes());
        for (column, &value) in values.iter().enumerate() {
            put(280 + 16 * row + 4 * column, &(value as f32).to_le_bytes());
        }
    }
    put(344, b"n+1\0");
    Ok(bytes)
}

/// The quaternion (b, c, d) of the directions in RAS, and −1 where the grid is left-handed (`nifti_mat44_to_quatern`).
fn quaternion(geometry: &Geometry) -> ([f64; 3], f32) {
    let affine = geometry.affine_ras();
    let column = |axis: usize| [0, 1, 2].map(|row| affine[row][axis] / geometry.spacing[axis]);
    let (x, y, mut z) = (column(0), column(1), column(2));
    let normal = crate::geometry::cross(x, y);
    let handed: f32 = if crate::geometry::dot(normal, z) < 0.0 { -1.0 } else { 1.0 };
    z = z.map(|value| value * f64::from(handed));

    let trace = x[0] + y[1] + z[2] + 1.0;
    let (a, b, c, d);
    if trace > 0.5 {
        a = 0.5 * trace.sqrt();
        b = 0.25 * (y[2] - z[1]) / a;
        c = 0.25 * (z[0] - x[2]) / a;
        d = 0.25 * (x[1] - y[0]) / a;
    } else {
        // the largest of the three keeps the division sound
        let along = [1.0 + x[0] - (y[1] + z[2]), 1.0 + y[1] - (x[0] + z[2]), 1.0 + z[2] - (x[0] + y[1])];
        if along[0] > 1.0 {
            b = 0.5 * along[0].sqrt();
            c = 0.25 * (y[0] + x[1]) / b;
            d = 0.25 * (z[0] + x[2]) / b;
            a = 0.25 * (y[2] - z[1]) / b;
        } else if along[1] > 1.0 {
            c = 0.5 * along[1].sqrt();
            b = 0.25 * (y[0] + x[1]) / c;
            d = 0.25 * (z[1] + y[2]) / c;
            a = 0.25 * (z[0] - x[2]) / c;
        } else {
            d = 0.5 * along[2].sqrt();
            b = 0.25 * (z[0] + x[2]) / d;
            c = 0.25 * (z[1] + y[2]) / d;
            a = 0.25 * (x[1] - y[0]) / d;
        }
    }
    let sign = if a < 0.0 { -1.0 } else { 1.0 };
    ([b * sign, c * sign, d * sign], handed)
}
