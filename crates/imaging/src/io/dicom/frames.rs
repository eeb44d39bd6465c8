//! What differs from frame to frame: position, orientation, rescaling, windows and the numbers that tell the volumes of
//! a multi-frame object apart (PS3.3, C.7.6.16: functional groups, of each frame or shared by all).

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::lut::{self, Rescale, Window};
use super::values::{self, Object};

/// Siemens' own attribute for the b-value, from before there was a standard one.
const SIEMENS_B_VALUE: Tag = Tag(0x0019, 0x100C);

/// One frame. What a classic object says once holds for all of its frames.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FrameHeader {
    /// Centre of the first voxel in mm, LPS (`ImagePositionPatient`).
    pub position: Option<[f64; 3]>,
    /// Unit vectors along a row (to the next column), then down a column (`ImageOrientationPatient`).
    pub orientation: Option<[f64; 6]>,
    /// Millimetres between rows, then between columns: DICOM's order (`PixelSpacing`, else `ImagerPixelSpacing`).
    pub spacing: Option<[f64; 2]>,
    /// Nominal thickness of the slice in mm; says nothing of the distance to the next.
    pub thickness: Option<f64>,
    /// Distance between slices as the file claims it, in mm; positions are to be preferred.
    pub between_slices: Option<f64>,
    /// Stored values to real ones.
    pub rescale: Option<Rescale>,
    /// Windows that were proposed for display.
    pub windows: Vec<Window>,
    /// Seconds, counts or indices that tell repetitions apart (`TemporalPositionIdentifier`, `TemporalPositionIndex`).
    pub temporal: Option<i64>,
    /// `AcquisitionNumber` or `FrameAcquisitionNumber`.
    pub acquisition: Option<i64>,
    /// Diffusion weighting in s/mm².
    pub b_value: Option<f64>,
    /// Echo time in ms.
    pub echo_time: Option<f64>,
    /// Name of the stack that the frame belongs to.
    pub stack: Option<String>,
    /// Place in the stack, from 1.
    pub in_stack: Option<i64>,
    /// Indices along the dimensions that the object declares.
    pub dimensions: Vec<u32>,
    /// The segment that the frame shows, in a segmentation object, from 1.
    pub segment: Option<u16>,
}

/// What a classic object says at its root, overridden by the shared functional groups: holds for each frame that says
/// nothing itself.
pub(crate) fn common(object: &Object) -> FrameHeader {
    let spacing = [tags::PIXEL_SPACING, tags::IMAGER_PIXEL_SPACING, tags::NOMINAL_SCANNED_PIXEL_SPACING];
    let root = FrameHeader {
        position: values::array(object, tags::IMAGE_POSITION_PATIENT),
        orientation: values::array(object, tags::IMAGE_ORIENTATION_PATIENT),
        spacing: spacing.into_iter().find_map(|tag| values::array(object, tag)),
        thickness: values::number(object, tags::SLICE_THICKNESS),
        between_slices: values::number(object, tags::SPACING_BETWEEN_SLICES),
        rescale: lut::rescale(object),
        windows: lut::windows(object),
        temporal: values::integer(object, tags::TEMPORAL_POSITION_IDENTIFIER)
            .or_else(|| values::integer(object, tags::TEMPORAL_POSITION_INDEX)),
        acquisition: values::integer(object, tags::ACQUISITION_NUMBER),
        b_value: values::number(object, tags::DIFFUSION_B_VALUE).or_else(|| values::number(object, SIEMENS_B_VALUE)),
        echo_time: values::number(object, tags::ECHO_TIME),
        ..FrameHeader::default()
    };
    match values::first_item(object, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE) {
        Some(groups) => override_with(&root, groups),
        None => root,
    }
}

/// One header for each item of the per-frame functional groups; empty for classic objects. There are never more of them
/// than the file holds items, whatever number of frames it declares.
pub(crate) fn each(object: &Object, common: &FrameHeader) -> Vec<FrameHeader> {
    let groups = values::items(object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    groups.iter().map(|groups| override_with(common, groups)).collect()
}

fn override_with(outer: &FrameHeader, groups: &Object) -> FrameHeader {
    let mut frame = outer.clone();
    let group = |tag| values::first_item(groups, tag);
    if let Some(item) = group(tags::PLANE_POSITION_SEQUENCE) {
        frame.position = values::array(item, tags::IMAGE_POSITION_PATIENT).or(frame.position);
    }
    if let Some(item) = group(tags::PLANE_ORIENTATION_SEQUENCE) {
        frame.orientation = values::array(item, tags::IMAGE_ORIENTATION_PATIENT).or(frame.orientation);
    }
    if let Some(item) = group(tags::PIXEL_MEASURES_SEQUENCE) {
        frame.spacing = values::array(item, tags::PIXEL_SPACING).or(frame.spacing);
        frame.thickness = values::number(item, tags::SLICE_THICKNESS).or(frame.thickness);
        frame.between_slices = values::number(item, tags::SPACING_BETWEEN_SLICES).or(frame.between_slices);
    }
    if let Some(item) = group(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE) {
        frame.rescale = lut::rescale(item).or(frame.rescale);
    }
    if let Some(item) = group(tags::FRAME_VOILUT_SEQUENCE) {
        let windows = lut::windows(item);
        frame.windows = if windows.is_empty() { frame.windows } else { windows };
    }
    if let Some(item) = group(tags::FRAME_CONTENT_SEQUENCE) {
        frame.temporal = values::integer(item, tags::TEMPORAL_POSITION_INDEX).or(frame.temporal);
        frame.acquisition = values::integer(item, tags::FRAME_ACQUISITION_NUMBER).or(frame.acquisition);
        frame.stack = values::text(item, tags::STACK_ID).or(frame.stack);
        frame.in_stack = values::integer(item, tags::IN_STACK_POSITION_NUMBER).or(frame.in_stack);
        if let Some(indices) = values::numbers(item, tags::DIMENSION_INDEX_VALUES) {
            frame.dimensions = indices.into_iter().map(|index| index as u32).collect();
        }
    }
    if let Some(item) = group(tags::MR_DIFFUSION_SEQUENCE) {
        frame.b_value = values::number(item, tags::DIFFUSION_B_VALUE).or(frame.b_value);
    }
    if let Some(item) = group(tags::MR_ECHO_SEQUENCE) {
        frame.echo_time = values::number(item, tags::EFFECTIVE_ECHO_TIME).or(frame.echo_time);
    }
    if let Some(item) = group(tags::SEGMENT_IDENTIFICATION_SEQUENCE) {
        let segment = values::integer(item, tags::REFERENCED_SEGMENT_NUMBER);
        frame.segment = segment.and_then(|number| u16::try_from(number).ok()).or(frame.segment);
    }
    frame
}
