//! What a file says of itself, typed: whose, which series, how the pixels are stored, where they stand in the patient.

use std::fmt;
use std::path::{Path, PathBuf};

use dicom_dictionary_std::tags;
use dicom_encoding::TransferSyntaxIndex;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::error::DicomError;
use super::frames::{self, FrameHeader};
use super::pixels::PixelFormat;
use super::prescan::Preamble;
use super::values::{self, Object, count, integer, name_of, number, text, texts};
use crate::volume::Modality;

/// More frames than any object has; a larger number is a damaged header.
const MAX_FRAMES: i64 = 0x7FFF_FFFF;

/// How a data set and its pixels are encoded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TransferSyntax {
    /// As `1.2.840.10008.1.2.4.90`.
    pub uid: String,
    /// As `JPEG 2000 Image Compression (Lossless Only)`; the UID again if it is not known.
    pub name: String,
}

impl TransferSyntax {
    /// The syntax of a UID, trailing padding removed.
    pub fn new(uid: &str) -> Self {
        let uid = uid.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        let name = match TransferSyntaxRegistry.get(uid) {
            Some(syntax) => syntax.name(),
            None => uid,
        };
        Self { uid: uid.to_owned(), name: name.to_owned() }
    }
}

impl fmt::Display for TransferSyntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name == self.uid { f.write_str(&self.uid) } else { write!(f, "{} ({})", self.name, self.uid) }
    }
}

/// The attributes that volumes, tables and reports are made from. Absent or empty ones are `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// The file.
    pub path: PathBuf,
    /// How it is encoded.
    pub syntax: TransferSyntax,
    /// Class of the object (`SOPClassUID`).
    pub class: Option<String>,
    /// The object (`SOPInstanceUID`).
    pub instance: Option<String>,
    /// `StudyInstanceUID`.
    pub study: Option<String>,
    /// `SeriesInstanceUID`.
    pub series: Option<String>,
    /// `FrameOfReferenceUID`: images with the same one share their coordinates.
    pub frame_of_reference: Option<String>,
    /// `PatientID`.
    pub patient: Option<String>,
    /// `PatientName`, as `Doe^Jane`.
    pub patient_name: Option<String>,
    /// `StudyDate`, as `20261231`.
    pub study_date: Option<String>,
    /// `StudyDescription`.
    pub study_description: Option<String>,
    /// `SeriesDescription`.
    pub series_description: Option<String>,
    /// `ProtocolName`.
    pub protocol: Option<String>,
    /// `SeriesNumber`.
    pub series_number: Option<i64>,
    /// `InstanceNumber`; no order of slices follows from it.
    pub instance_number: Option<i64>,
    /// `AcquisitionNumber`.
    pub acquisition: Option<i64>,
    /// `TemporalPositionIdentifier`.
    pub temporal_position: Option<i64>,
    /// `EchoNumbers`.
    pub echo: Option<i64>,
    /// `EchoTime` in ms.
    pub echo_time: Option<f64>,
    /// `TriggerTime` in ms.
    pub trigger_time: Option<f64>,
    /// Diffusion weighting in s/mm².
    pub b_value: Option<f64>,
    /// `Modality`, as the file spells it.
    pub modality: Option<String>,
    /// `ImageType`, as `ORIGINAL`, `PRIMARY`, `AXIAL`.
    pub image_type: Vec<String>,
    /// `Manufacturer`.
    pub manufacturer: Option<String>,
    /// `BodyPartExamined`.
    pub body_part: Option<String>,
    /// `ImageLaterality`, else `Laterality`: `L` or `R`.
    pub laterality: Option<String>,
    /// `GantryDetectorTilt` in degrees.
    pub gantry_tilt: Option<f64>,
    /// `BurnedInAnnotation`: whether text is part of the picture.
    pub burned_in: Option<bool>,
    /// How the pixels are stored; `None` if the object is no image.
    pub format: Option<PixelFormat>,
    /// Number of frames, at least 1.
    pub frames: usize,
    /// Stored value of pixels that show nothing, and the other end of their range if there is one.
    pub padding: Option<[f64; 2]>,
    /// What is said once for all frames.
    pub common: FrameHeader,
    /// What each frame says; empty for classic objects.
    pub per_frame: Vec<FrameHeader>,
    /// What had to be guessed to read the file.
    pub notices: Vec<String>,
}

impl Header {
    pub(crate) fn read(path: &Path, preamble: &Preamble, object: &Object) -> Result<Self, DicomError> {
        let frames = frame_count(path, object)?;
        let format = PixelFormat::read(path, object)?;
        let common = frames::common(object);
        let per_frame = frames::each(object, &common);
        let media = |stated: Option<String>, tag| text(object, tag).or(stated);
        Ok(Self {
            path: path.to_path_buf(),
            syntax: preamble.syntax.clone(),
            class: media(preamble.class.clone(), tags::SOP_CLASS_UID),
            instance: media(preamble.instance.clone(), tags::SOP_INSTANCE_UID),
            study: text(object, tags::STUDY_INSTANCE_UID),
            series: text(object, tags::SERIES_INSTANCE_UID),
            frame_of_reference: text(object, tags::FRAME_OF_REFERENCE_UID),
            patient: text(object, tags::PATIENT_ID),
            patient_name: text(object, tags::PATIENT_NAME),
            study_date: text(object, tags::STUDY_DATE),
            study_description: text(object, tags::STUDY_DESCRIPTION),
            series_description: text(object, tags::SERIES_DESCRIPTION),
            protocol: text(object, tags::PROTOCOL_NAME),
            series_number: integer(object, tags::SERIES_NUMBER),
            instance_number: integer(object, tags::INSTANCE_NUMBER),
            acquisition: integer(object, tags::ACQUISITION_NUMBER),
            temporal_position: integer(object, tags::TEMPORAL_POSITION_IDENTIFIER),
            echo: integer(object, tags::ECHO_NUMBERS),
            echo_time: common.echo_time,
            trigger_time: number(object, tags::TRIGGER_TIME),
            b_value: common.b_value,
            modality: text(object, tags::MODALITY),
            image_type: texts(object, tags::IMAGE_TYPE),
            manufacturer: text(object, tags::MANUFACTURER),
            body_part: text(object, tags::BODY_PART_EXAMINED),
            laterality: text(object, tags::IMAGE_LATERALITY).or_else(|| text(object, tags::LATERALITY)),
            gantry_tilt: number(object, tags::GANTRY_DETECTOR_TILT),
            burned_in: text(object, tags::BURNED_IN_ANNOTATION).map(|answer| answer.eq_ignore_ascii_case("YES")),
            padding: padding(object, format.as_ref()),
            format,
            frames,
            common,
            per_frame,
            notices: preamble.notices.clone(),
        })
    }

    /// The header of one frame, from 0.
    pub fn frame(&self, index: usize) -> &FrameHeader {
        self.per_frame.get(index).unwrap_or(&self.common)
    }

    /// The modality as this crate knows it.
    pub fn modality(&self) -> Modality {
        self.modality.as_deref().map_or(Modality::Other, Modality::from_dicom)
    }

    /// Whether the object is an image, and not a report, a plan or a structure set.
    pub fn is_image(&self) -> bool {
        self.format.is_some()
    }
}

fn frame_count(path: &Path, object: &Object) -> Result<usize, DicomError> {
    let refuse = |problem: String| DicomError::attribute(path, name_of(tags::NUMBER_OF_FRAMES), problem);
    match count(object, tags::NUMBER_OF_FRAMES).map_err(refuse)? {
        // some writers leave 0 in single-frame objects
        None | Some(0) => Ok(1),
        Some(frames @ 1..=MAX_FRAMES) => Ok(frames as usize),
        Some(frames) => Err(refuse(format!("says {frames}, which is no number of frames"))),
    }
}

/// Bounds of the stored values that mean nothing, in ascending order. In implicit files the two attributes are read as
/// unsigned words, whatever the pixels are.
fn padding(object: &Object, format: Option<&PixelFormat>) -> Option<[f64; 2]> {
    let float = [tags::FLOAT_PIXEL_PADDING_VALUE, tags::DOUBLE_FLOAT_PIXEL_PADDING_VALUE];
    if let Some(value) = float.into_iter().find_map(|tag| values::number(object, tag)) {
        return Some([value, value]);
    }
    let sign = |value: f64| match format {
        Some(format) if format.signed && value > 32767.0 => value - 65536.0,
        Some(format) if !format.signed && value < 0.0 => value + 65536.0,
        _ => value,
    };
    let value = sign(number(object, tags::PIXEL_PADDING_VALUE)?);
    let limit = number(object, tags::PIXEL_PADDING_RANGE_LIMIT).map_or(value, sign);
    Some([value.min(limit), value.max(limit)])
}
