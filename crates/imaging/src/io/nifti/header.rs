//! The 348 bytes of NIfTI-1 and the 540 of NIfTI-2 (nifti1.h and nifti2.h of the NIfTI data format working group).

use super::NiftiError;
use crate::geometry::{Geometry, GeometryError, cross, norm};
use crate::io::Notice;
use crate::io::stored::Stored;

/// Bytes of the header of NIfTI-1.
pub(super) const LENGTH_1: usize = 348;

/// Bytes of the header of NIfTI-2.
pub(super) const LENGTH_2: usize = 540;

/// How far, in mm, the corners of the two stored grids may lie apart before the difference is reported: below it is
/// rounding, above it a viewer that prefers the other form shows another place.
const FORMS_DIFFER: f64 = 0.1;

/// What the header says, in either version and byte order.
#[derive(Debug, Clone)]
pub(super) struct Header {
    /// Whether the file is little-endian.
    pub(super) little: bool,
    /// Whether the voxels follow in the same file.
    pub(super) single: bool,
    /// Bytes of the header itself.
    pub(super) length: usize,
    /// Number of dimensions, then their sizes.
    pub(super) dim: [i64; 8],
    pub(super) datatype: i16,
    pub(super) bitpix: i16,
    pub(super) pixdim: [f64; 8],
    pub(super) vox_offset: f64,
    pub(super) slope: f64,
    pub(super) intercept: f64,
    units: u8,
    qform_code: i32,
    sform_code: i32,
    quaternion: [f64; 3],
    offset: [f64; 3],
    rows: [[f64; 4]; 3],
}

/// Reads numbers at places of the header.
struct Fields<'a> {
    bytes: &'a [u8],
    little: bool,
}

impl Fields<'_> {
    /// The bytes at `at` in the order of this machine's little end; zeros behind the end.
    fn take<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut field = [0; N];
        if let Some(bytes) = self.bytes.get(at..at + N) {
            field.copy_from_slice(bytes);
        }
        if !self.little {
            field.reverse();
        }
        field
    }

    fn i16(&self, at: usize) -> i16 {
        i16::from_le_bytes(self.take(at))
    }

    fn i32(&self, at: usize) -> i32 {
        i32::from_le_bytes(self.take(at))
    }

    fn i64(&self, at: usize) -> i64 {
        i64::from_le_bytes(self.take(at))
    }

    fn f32(&self, at: usize) -> f64 {
        f64::from(f32::from_le_bytes(self.take(at)))
    }

    fn f64(&self, at: usize) -> f64 {
        f64::from_le_bytes(self.take(at))
    }
}

/// How many bytes the header has whose first four are these, and whether it is little-endian.
pub(super) fn length(first: [u8; 4]) -> Option<(usize, bool)> {
    let known = |value: i32| match value {
        348 => Some(LENGTH_1),
        540 => Some(LENGTH_2),
        _ => None,
    };
    known(i32::from_le_bytes(first))
        .map(|length| (length, true))
        .or_else(|| known(i32::from_be_bytes(first)).map(|length| (length, false)))
}

/// The type of a data type code (`NIFTI_TYPE` of nifti1.h), and how many values a voxel has.
pub(super) fn stored(code: i16) -> Result<(Stored, usize), NiftiError> {
    let name = match code {
        2 => return Ok((Stored::U8, 1)),
        4 => return Ok((Stored::I16, 1)),
        8 => return Ok((Stored::I32, 1)),
        16 => return Ok((Stored::F32, 1)),
        64 => return Ok((Stored::F64, 1)),
        128 => return Ok((Stored::U8, 3)),
        256 => return Ok((Stored::I8, 1)),
        512 => return Ok((Stored::U16, 1)),
        768 => return Ok((Stored::U32, 1)),
        1024 => return Ok((Stored::I64, 1)),
        1280 => return Ok((Stored::U64, 1)),
        2304 => return Ok((Stored::U8, 4)),
        1 => "binary",
        32 => "complex64",
        1536 => "float128",
        1792 => "complex128",
        2048 => "complex256",
        _ => "unknown",
    };
    Err(NiftiError::Datatype { code, name })
}

impl Header {
    /// Reads a header of [`LENGTH_1`] or [`LENGTH_2`] bytes.
    pub(super) fn parse(bytes: &[u8], little: bool) -> Result<Self, NiftiError> {
        let fields = Fields { bytes, little };
        if bytes.len() >= LENGTH_2 { Self::second(&fields) } else { Self::first(&fields) }
    }

    fn first(fields: &Fields<'_>) -> Result<Self, NiftiError> {
        let magic = fields.bytes.get(344..348).unwrap_or_default();
        let single = match magic {
            b"n+1\0" => true,
            b"ni1\0" => false,
            _ => return Err(NiftiError::Magic { found: magic.escape_ascii().to_string() }),
        };
        let four = |at: usize| [0, 1, 2, 3].map(|index| fields.f32(at + 4 * index));
        Ok(Self {
            little: fields.little,
            single,
            length: LENGTH_1,
            dim: std::array::from_fn(|index| i64::from(fields.i16(40 + 2 * index))),
            datatype: fields.i16(70),
            bitpix: fields.i16(72),
            pixdim: std::array::from_fn(|index| fields.f32(76 + 4 * index)),
            vox_offset: fields.f32(108),
            slope: fields.f32(112),
            intercept: fields.f32(116),
            units: fields.bytes.get(123).copied().unwrap_or(0),
            qform_code: i32::from(fields.i16(252)),
            sform_code: i32::from(fields.i16(254)),
            quaternion: [256, 260, 264].map(|at| fields.f32(at)),
            offset: [268, 272, 276].map(|at| fields.f32(at)),
            rows: [280, 296, 312].map(four),
        })
    }

    fn second(fields: &Fields<'_>) -> Result<Self, NiftiError> {
        let magic = fields.bytes.get(4..8).unwrap_or_default();
        let single = match magic {
            b"n+2\0" => true,
            b"ni2\0" => false,
            _ => return Err(NiftiError::Magic { found: magic.escape_ascii().to_string() }),
        };
        let four = |at: usize| [0, 1, 2, 3].map(|index| fields.f64(at + 8 * index));
        Ok(Self {
            little: fields.little,
            single,
            length: LENGTH_2,
            dim: std::array::from_fn(|index| fields.i64(16 + 8 * index)),
            datatype: fields.i16(12),
            bitpix: fields.i16(14),
            pixdim: std::array::from_fn(|index| fields.f64(104 + 8 * index)),
            vox_offset: fields.i64(168) as f64,
            slope: fields.f64(176),
            intercept: fields.f64(184),
            units: (fields.i32(500) & 0xff) as u8,
            qform_code: fields.i32(344),
            sform_code: fields.i32(348),
            quaternion: [352, 360, 368].map(|at| fields.f64(at)),
            offset: [376, 384, 392].map(|at| fields.f64(at)),
            rows: [400, 432, 464].map(four),
        })
    }

    /// Columns, rows, slices, and how many volumes there are.
    pub(super) fn sizes(&self, notices: &mut Vec<Notice>) -> Result<([usize; 3], usize), NiftiError> {
        let refused = || NiftiError::Dimensions { dim: self.dim };
        let count = usize::try_from(self.dim[0]).ok().filter(|count| (1..=7).contains(count)).ok_or_else(refused)?;
        let mut sizes = [1_usize; 7];
        for (index, size) in sizes.iter_mut().enumerate().take(count) {
            *size = match self.dim[index + 1] {
                0 if index >= 3 => {
                    notices.push(Notice::new(format!("dim[{}] is 0 and was taken as 1", index + 1)));
                    1
                }
                found => usize::try_from(found).ok().filter(|&size| size > 0).ok_or_else(refused)?,
            };
        }
        let volumes = sizes[3..].iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
        Ok(([sizes[0], sizes[1], sizes[2]], volumes.ok_or_else(refused)?))
    }

    /// Slope and intercept, or `None` where values are stored as they are: a slope of 0 says so, and one that is no
    /// number cannot say anything else.
    pub(super) fn scale(&self, notices: &mut Vec<Notice>) -> Option<(f64, f64)> {
        if !self.slope.is_finite() || (self.slope != 0.0 && !self.intercept.is_finite()) {
            notices.push(Notice::new(format!(
                "scl_slope {} and scl_inter {} are no numbers; the values were not scaled",
                self.slope, self.intercept
            )));
            return None;
        }
        (self.slope != 0.0 && (self.slope, self.intercept) != (1.0, 0.0)).then_some((self.slope, self.intercept))
    }

    /// The grid: that of the sform where it is set, else that of the qform, else one of the spacing alone, as nibabel
    /// has it.
    pub(super) fn geometry(&self, size: [usize; 3], notices: &mut Vec<Notice>) -> Result<Geometry, NiftiError> {
        let unit = match self.units & 7 {
            1 => 1000.0,
            3 => 0.001,
            _ => 1.0,
        };
        if unit != 1.0 {
            notices.push(Notice::new(format!(
                "lengths were multiplied by {unit}: the header counts in other units than mm"
            )));
        }
        let place = |mut affine: [[f64; 4]; 4]| {
            affine[..3].iter_mut().flatten().for_each(|value| *value *= unit);
            Geometry::from_affine_ras(size, &affine)
        };
        let sform = (self.sform_code > 0).then(|| place(self.sform(size)));
        let qform = (self.qform_code > 0).then(|| self.qform(size, notices).and_then(place));
        match (sform, qform) {
            (Some(Ok(sform)), Some(Ok(qform))) => {
                if !sform.same_grid(&qform, FORMS_DIFFER) {
                    notices.push(Notice::new(format!(
                        "sform ({}) and qform ({}) place the voxels differently; the sform was used",
                        sform.orientation(),
                        qform.orientation()
                    )));
                }
                Ok(sform)
            }
            (Some(Ok(sform)), _) => Ok(sform),
            (Some(Err(error)), Some(Ok(qform))) => {
                notices.push(Notice::new(format!("the sform makes no grid ({error}); the qform was used")));
                Ok(qform)
            }
            (Some(Err(error)), _) => Err(NiftiError::Form { form: "sform", error }),
            (None, Some(Ok(qform))) => Ok(qform),
            (None, Some(Err(error))) => Err(NiftiError::Form { form: "qform", error }),
            (None, None) => {
                notices.push(Notice::new(
                    "the header says nothing of the orientation; indices were taken to run to the left, front and head \
                     around the centre",
                ));
                self.base(size, notices)
                    .and_then(place)
                    .map_err(|error| NiftiError::Form { form: "spacing (pixdim)", error })
            }
        }
    }

    fn sform(&self, size: [usize; 3]) -> [[f64; 4]; 4] {
        let mut affine = [self.rows[0], self.rows[1], self.rows[2], [0.0, 0.0, 0.0, 1.0]];
        // A picture of one slice may leave the third column empty.
        if size[2] == 1 && (0..3).all(|row| affine[row][2] == 0.0) {
            let column = |axis: usize| [affine[0][axis], affine[1][axis], affine[2][axis]];
            let normal = cross(column(0), column(1));
            let length = norm(normal);
            for row in 0..3 {
                affine[row][2] = normal[row] / length;
            }
        }
        affine
    }

    fn qform(&self, size: [usize; 3], notices: &mut Vec<Notice>) -> Result<[[f64; 4]; 4], GeometryError> {
        let spacing = self.spacing(size, notices)?;
        let [mut b, mut c, mut d] = self.quaternion;
        let rest = 1.0 - (b * b + c * c + d * d);
        // nifti_quatern_to_mat44: rounding may bring the rest below 0
        let a = if rest < 1e-7 {
            let length = norm([b, c, d]);
            (b, c, d) = (b / length, c / length, d / length);
            0.0
        } else {
            rest.sqrt()
        };
        let rotation = [
            [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
            [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
            [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ];
        let handed = if self.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
        let scale = [spacing[0], spacing[1], spacing[2] * handed];
        let row = |row: usize| {
            let [x, y, z] = [0, 1, 2].map(|axis| rotation[row][axis] * scale[axis]);
            [x, y, z, self.offset[row]]
        };
        Ok([row(0), row(1), row(2), [0.0, 0.0, 0.0, 1.0]])
    }

    fn base(&self, size: [usize; 3], notices: &mut Vec<Notice>) -> Result<[[f64; 4]; 4], GeometryError> {
        let spacing = self.spacing(size, notices)?;
        let sign = [-1.0, 1.0, 1.0];
        let mut affine = [[0.0, 0.0, 0.0, 1.0]; 4];
        for axis in 0..3 {
            affine[axis][axis] = sign[axis] * spacing[axis];
            affine[axis][3] = -affine[axis][axis] * (size[axis] as f64 - 1.0) / 2.0;
        }
        Ok(affine)
    }

    /// Spacing by pixdim. Along an index of one voxel it may be missing.
    fn spacing(&self, size: [usize; 3], notices: &mut Vec<Notice>) -> Result<[f64; 3], GeometryError> {
        let mut spacing = [1.0; 3];
        for axis in 0..3 {
            let value = self.pixdim[axis + 1];
            if value.is_finite() && value != 0.0 {
                if value < 0.0 {
                    notices.push(Notice::new(format!("pixdim[{}] is {value}; its sign was dropped", axis + 1)));
                }
                spacing[axis] = value.abs();
            } else if size[axis] == 1 {
                notices.push(Notice::new(format!(
                    "pixdim[{}] is {value}; the one voxel was taken to be 1 thick",
                    axis + 1
                )));
            } else {
                return Err(GeometryError::Spacing { axis, value });
            }
        }
        Ok(spacing)
    }
}
