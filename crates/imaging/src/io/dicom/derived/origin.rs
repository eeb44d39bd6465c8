//! The images that an object is made from: read again for what goes with every object of the patient and the study.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::tags;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::super::encode::{
    Element, decimal, decimals, derived_uid, item, limited, pointer, refusal, sequence, short, text,
};
use super::super::error::DicomError;
use super::super::values::{self, Object};
use super::super::{dates, open_header};
use super::{Code, Kind, OutputOptions};
use crate::geometry::Geometry;
use crate::volume::Source;

/// Attributes of patient and study that go with every object of them: those that must be there, if only empty.
const MANDATORY: [(Tag, VR); 10] = [
    (tags::STUDY_DATE, VR::DA),
    (tags::STUDY_TIME, VR::TM),
    (tags::ACCESSION_NUMBER, VR::SH),
    (tags::REFERRING_PHYSICIAN_NAME, VR::PN),
    (tags::PATIENT_NAME, VR::PN),
    (tags::PATIENT_ID, VR::LO),
    (tags::PATIENT_BIRTH_DATE, VR::DA),
    (tags::PATIENT_SEX, VR::CS),
    (tags::STUDY_ID, VR::SH),
    (tags::STUDY_INSTANCE_UID, VR::UI),
];

/// Those that go with them if the source has them.
const OPTIONAL: [(Tag, VR); 9] = [
    (tags::STUDY_DESCRIPTION, VR::LO),
    (tags::ISSUER_OF_PATIENT_ID, VR::LO),
    (tags::PATIENT_AGE, VR::AS),
    (tags::PATIENT_SIZE, VR::DS),
    (tags::PATIENT_WEIGHT, VR::DS),
    (tags::PATIENT_IDENTITY_REMOVED, VR::CS),
    (tags::DEIDENTIFICATION_METHOD, VR::LO),
    (tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE, VR::SQ),
    (tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED, VR::CS),
];

/// One slice of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) class: String,
    pub(crate) instance: String,
    /// Frame, from 1, where the object has several.
    pub(crate) frame: Option<usize>,
    /// Whether pixel (i, j) of it is pixel (i, j) of the frame made from it: not so for the tiles of a mosaic.
    pub(crate) preserved: bool,
}

impl Reference {
    fn identity(&self) -> Object {
        item([
            text(tags::REFERENCED_SOP_CLASS_UID, VR::UI, &self.class),
            text(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, &self.instance),
        ])
    }

    /// The item that names the source of a frame.
    pub(crate) fn source_image(&self) -> Object {
        let purpose = Code::new("121322", "DCM", "Source image for image processing operation");
        let mut image = self.identity();
        if let Some(frame) = self.frame {
            image.put(text(tags::REFERENCED_FRAME_NUMBER, VR::IS, &frame.to_string()));
        }
        image.put(text(tags::SPATIAL_LOCATIONS_PRESERVED, VR::CS, if self.preserved { "YES" } else { "NO" }));
        image.put(sequence(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, vec![purpose.item()]));
        image
    }
}

/// The images that an object is made from.
pub(crate) struct Origin {
    /// Header of the first slice.
    first: Option<Object>,
    source: Source,
    /// One a slice, or none at all.
    pub(crate) slices: Vec<Reference>,
}

impl Origin {
    /// Reads the headers of the source's files again.
    ///
    /// # Errors
    /// [`DicomError`] if a file cannot be read or is another one by now, or their number is not that of the slices.
    pub(crate) fn of(path: &Path, source: &Source, size: [usize; 3]) -> Result<Self, DicomError> {
        let (found, expected) = (source.slices.len(), size[2]);
        if found != 0 && found != expected {
            return Err(refusal(
                path,
                format!("it has {expected} slices, its source {found}; put it back on the grid of the source first"),
            ));
        }
        let files: BTreeSet<&Path> = source.slices.iter().map(|slice| slice.path.as_path()).collect();
        let headers = files.into_par_iter().map(|file| Ok((file, open_header(file)?)));
        let headers = headers.collect::<Result<BTreeMap<_, _>, DicomError>>()?;
        let mut slices = Vec::with_capacity(found);
        for slice in &source.slices {
            let Some(file) = headers.get(slice.path.as_path()) else { continue };
            let header = file.header();
            if header.instance.as_deref() != Some(slice.instance.as_str()) {
                let found = header.instance.as_deref().unwrap_or("none");
                let name = values::name_of(tags::SOP_INSTANCE_UID);
                let problem = format!("is {found}, but was {} when the volume was read; read it again", slice.instance);
                return Err(DicomError::attribute(&slice.path, name, problem));
            }
            let class = header.class.clone().unwrap_or_default();
            let stored = |tag| values::integer(file.object(), tag).and_then(|value| usize::try_from(value).ok());
            slices.push(Reference {
                class,
                instance: slice.instance.clone(),
                frame: (header.frames > 1).then_some(slice.frame + 1),
                preserved: stored(tags::COLUMNS) == Some(size[0]) && stored(tags::ROWS) == Some(size[1]),
            });
        }
        let first = source.slices.first().and_then(|slice| headers.get(slice.path.as_path()));
        Ok(Self { first: first.map(|file| file.object().clone()), source: source.clone(), slices })
    }

    /// Everything but the pixels and what is special to the kind of object. `content` tells two objects of the same
    /// kind and source apart.
    pub(crate) fn base(
        &self,
        path: &Path,
        kind: &Kind,
        content: &[u8],
        options: &OutputOptions,
    ) -> Result<Object, DicomError> {
        let created = options.created.clone().unwrap_or_else(dates::now);
        let Some((date, time)) = dates::moment(&created) else {
            return Err(refusal(path, format!("the time of creation {created:?} is none; it is YYYYMMDDHHMMSS")));
        };
        let hash = Sha256::digest(content);
        let number = hash.iter().take(16).fold(0_u128, |number, &byte| number << 8 | u128::from(byte));
        let digest = format!("{number:032x}");
        let series = self.source.series.as_deref().unwrap_or_default();
        let mut parts = vec![kind.class, series, digest.as_str()];
        parts.extend([options.description.as_str(), options.algorithm.as_str(), options.version.as_str()]);
        parts.push(&created);
        let instance = derived_uid(&parts);
        let mut object = item([
            text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192"),
            text(tags::IMAGE_TYPE, VR::CS, kind.image_type),
            text(tags::INSTANCE_CREATION_DATE, VR::DA, date),
            text(tags::INSTANCE_CREATION_TIME, VR::TM, time),
            text(tags::SOP_CLASS_UID, VR::UI, kind.class),
            text(tags::SOP_INSTANCE_UID, VR::UI, &instance),
            text(tags::CONTENT_DATE, VR::DA, date),
            text(tags::CONTENT_TIME, VR::TM, time),
            text(tags::MODALITY, VR::CS, kind.modality),
            text(tags::MANUFACTURER, VR::LO, "Galen"),
            text(tags::MANUFACTURER_MODEL_NAME, VR::LO, "Galen"),
            text(tags::DEVICE_SERIAL_NUMBER, VR::LO, "0"),
            text(tags::SOFTWARE_VERSIONS, VR::LO, env!("CARGO_PKG_VERSION")),
            text(tags::SERIES_DESCRIPTION, VR::LO, &limited(&options.description, 64)),
            text(tags::SERIES_INSTANCE_UID, VR::UI, &derived_uid(&["derived series", &instance])),
            text(tags::SERIES_NUMBER, VR::IS, &options.series_number.to_string()),
            text(tags::INSTANCE_NUMBER, VR::IS, "1"),
            text(tags::BURNED_IN_ANNOTATION, VR::CS, "NO"),
            text(tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00"),
        ]);
        for (tag, vr) in MANDATORY {
            let known = self.first.as_ref().and_then(|first| values::text(first, tag));
            let known = known.or_else(|| match tag {
                tags::PATIENT_ID => self.source.subject.clone(),
                tags::STUDY_INSTANCE_UID => {
                    Some(self.source.study.clone().unwrap_or_else(|| derived_uid(&["derived study", &instance])))
                }
                _ => None,
            });
            object.put(text(tag, vr, known.as_deref().unwrap_or_default()));
        }
        for (tag, vr) in OPTIONAL {
            let Some(first) = &self.first else { break };
            match (vr, values::text(first, tag)) {
                (VR::SQ, _) => {
                    let items = values::items(first, tag);
                    if !items.is_empty() {
                        object.put(sequence(tag, items.to_vec()));
                    }
                }
                (_, Some(value)) => {
                    object.put(text(tag, vr, &value));
                }
                (_, None) => {}
            }
        }
        if kind.laterality {
            object.put(text(tags::LATERALITY, VR::CS, ""));
        }
        if let (Some(series), false) = (&self.source.series, self.slices.is_empty()) {
            let mut seen = BTreeSet::new();
            let instances = self.slices.iter().filter(|slice| seen.insert(&slice.instance));
            object.put(sequence(
                tags::REFERENCED_SERIES_SEQUENCE,
                vec![item([
                    text(tags::SERIES_INSTANCE_UID, VR::UI, series),
                    sequence(tags::REFERENCED_INSTANCE_SEQUENCE, instances.map(Reference::identity).collect()),
                ])],
            ));
        }
        Ok(object)
    }

    /// Frame of reference, dimensions and the groups that all frames share. `dimensions` are the attributes that the
    /// frames are sorted by, each with its group and name.
    pub(crate) fn put_grid(
        &self,
        object: &mut Object,
        geometry: &Geometry,
        dimensions: &[(Tag, Tag, &str)],
        mut shared: Vec<Element>,
    ) {
        let instance = values::text(object, tags::SOP_INSTANCE_UID).unwrap_or_default();
        let frame_of_reference = self.source.frame_of_reference.clone();
        let frame_of_reference = frame_of_reference.unwrap_or_else(|| derived_uid(&["frame of reference", &instance]));
        let organisation = derived_uid(&["dimensions", &instance]);
        let [across, down, _] = geometry.direction;
        let [columns, rows, slices] = geometry.spacing;
        shared.push(sequence(
            tags::PLANE_ORIENTATION_SEQUENCE,
            vec![item([text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, &decimals(&[across, down].concat()))])],
        ));
        shared.push(sequence(
            tags::PIXEL_MEASURES_SEQUENCE,
            vec![item([
                text(tags::SLICE_THICKNESS, VR::DS, &decimal(slices)),
                text(tags::SPACING_BETWEEN_SLICES, VR::DS, &decimal(slices)),
                // the distance of the rows goes first
                text(tags::PIXEL_SPACING, VR::DS, &decimals(&[rows, columns])),
            ])],
        ));
        let index = dimensions.iter().map(|&(attribute, group, label)| {
            item([
                text(tags::DIMENSION_ORGANIZATION_UID, VR::UI, &organisation),
                pointer(tags::DIMENSION_INDEX_POINTER, attribute),
                pointer(tags::FUNCTIONAL_GROUP_POINTER, group),
                text(tags::DIMENSION_DESCRIPTION_LABEL, VR::LO, label),
            ])
        });
        let organisations = vec![item([text(tags::DIMENSION_ORGANIZATION_UID, VR::UI, &organisation)])];
        for element in [
            text(tags::FRAME_OF_REFERENCE_UID, VR::UI, &frame_of_reference),
            text(tags::POSITION_REFERENCE_INDICATOR, VR::LO, ""),
            sequence(tags::DIMENSION_INDEX_SEQUENCE, index.collect()),
            sequence(tags::DIMENSION_ORGANIZATION_SEQUENCE, organisations),
            sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![Object::from_element_iter(shared)]),
            short(tags::ROWS, geometry.size[1] as u16),
            short(tags::COLUMNS, geometry.size[0] as u16),
            short(tags::SAMPLES_PER_PIXEL, 1),
            text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
        ] {
            object.put(element);
        }
    }

    /// The groups of one frame of slice `k`: its indices along the dimensions, its position, what it was derived from.
    pub(crate) fn frame(&self, geometry: &Geometry, k: usize, indices: &[u32], derivation: &Code) -> Object {
        let position = geometry.point([0.0, 0.0, k as f64]);
        let indices = PrimitiveValue::U32(indices.iter().copied().collect());
        let mut frame = item([
            sequence(
                tags::FRAME_CONTENT_SEQUENCE,
                vec![item([DataElement::new(tags::DIMENSION_INDEX_VALUES, VR::UL, indices)])],
            ),
            sequence(
                tags::PLANE_POSITION_SEQUENCE,
                vec![item([text(tags::IMAGE_POSITION_PATIENT, VR::DS, &decimals(&position))])],
            ),
        ]);
        if let Some(slice) = self.slices.get(k) {
            let derived = item([
                sequence(tags::SOURCE_IMAGE_SEQUENCE, vec![slice.source_image()]),
                sequence(tags::DERIVATION_CODE_SEQUENCE, vec![derivation.item()]),
            ]);
            frame.put(sequence(tags::DERIVATION_IMAGE_SEQUENCE, vec![derived]));
        }
        frame
    }
}
