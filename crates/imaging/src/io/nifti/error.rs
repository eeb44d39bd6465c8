//! Why a NIfTI file cannot be read or written.

use std::io;
use std::path::PathBuf;

use crate::geometry::GeometryError;

/// A file that is no NIfTI file, or one that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NiftiError {
    /// The first bytes are not those of a header.
    #[error(
        "the header has the mark \"{found}\" instead of n+1, ni1, n+2 or ni2; ANALYZE 7.5 has no orientation: convert \
         it"
    )]
    Magic {
        /// What stands in its place.
        found: String,
    },
    /// The dimensions make no sense.
    #[error("dim is {dim:?}; dim[0] must be 1 to 7, and as many sizes behind it at least 1")]
    Dimensions {
        /// Number of dimensions and their sizes.
        dim: [i64; 8],
    },
    /// The type of the voxels is not read.
    #[error("voxels have the data type {code} ({name}), which is not read; convert them to float32")]
    Datatype {
        /// Number of the type.
        code: i16,
        /// Its name.
        name: &'static str,
    },
    /// The voxels cannot begin where the header says.
    #[error("vox_offset is {offset}; the voxels must begin at byte {least} or later, and within the file")]
    Offset {
        /// What the header says.
        offset: f64,
        /// First byte that is free.
        least: usize,
    },
    /// More than the caller allows.
    #[error(
        "the header declares {bytes} bytes of voxels in memory, more than the limit of {limit}; raise the limit if \
         that is right"
    )]
    TooLarge {
        /// Bytes in memory.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The system gives no more memory.
    #[error("there is no memory for {values} voxels of one volume; read it on a larger machine")]
    Memory {
        /// Voxels of one volume.
        values: usize,
    },
    /// Fewer bytes than the header declares.
    #[error(
        "the header declares voxels up to byte {declared}, but there are {found} bytes; the file was cut short or the \
         header is damaged"
    )]
    Short {
        /// End of the voxels, as declared.
        declared: u64,
        /// Bytes that there are; of a compressed file those that it can unpack to at most, or did unpack to.
        found: u64,
    },
    /// Reading or unpacking broke off.
    #[error("cannot read on at byte {byte}: {cause}; the file is damaged or was cut short")]
    Read {
        /// Place in the unpacked file.
        byte: u64,
        /// What the operating system or the decompressor said.
        cause: io::Error,
    },
    /// The other half of a pair is missing.
    #[error("its other half {missing} cannot be opened: {cause}")]
    Pair {
        /// The file that is missing.
        missing: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The orientation makes no grid.
    #[error("the {form} makes no grid: {error}")]
    Form {
        /// Where it stands.
        form: &'static str,
        /// What is wrong.
        error: GeometryError,
    },
    /// NIfTI-1 cannot count that far.
    #[error("{size} voxels along index {axis}; NIfTI-1 counts to 32767")]
    Long {
        /// The index.
        axis: usize,
        /// Its size.
        size: usize,
    },
}
