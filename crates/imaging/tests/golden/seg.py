"""Segmentations as highdicom writes them, and what it reads from them.

Needs highdicom 0.28 and pydicom 3. Writes seg_binary.dcm, seg_fractional.dcm and seg_labelmap.dcm beside this file, with the
arrays that they hold in seg.json. The source is a series of 7 x 5 pixels (35 bits: no frame begins at a byte) with six
slices, oblique, of which some are without a label.
"""

import json
import pathlib

import highdicom as hd
import numpy as np
import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

HERE = pathlib.Path(__file__).parent
ROOT = "1.2.826.0.1.3680043.10.511.3."
COLUMNS, ROWS, SLICES = 7, 5, 6
ANGLE = np.deg2rad(20)
ACROSS = np.array([np.cos(ANGLE), np.sin(ANGLE), 0.0])
DOWN = np.array([-np.sin(ANGLE), np.cos(ANGLE), 0.0])
NORMAL = np.cross(ACROSS, DOWN)
SPACING = (0.75, 0.5)  # rows, columns
STEP = 2.5
ORIGIN = np.array([-12.25, 31.5, 100.0])


def slice_of(k):
    d = pydicom.Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d.SOPClassUID = pydicom.uid.CTImageStorage
    d.SOPInstanceUID = f"{ROOT}1.{k + 1}"
    d.StudyInstanceUID, d.SeriesInstanceUID, d.FrameOfReferenceUID = ROOT + "2", ROOT + "3", ROOT + "4"
    d.PatientName, d.PatientID, d.PatientBirthDate, d.PatientSex = "Doe^Jane", "4711", "", ""
    d.StudyDate, d.StudyTime, d.StudyID, d.AccessionNumber = "20200229", "101500", "1", ""
    d.ReferringPhysicianName, d.Modality, d.SeriesNumber, d.InstanceNumber = "", "CT", 1, k + 1
    d.Rows, d.Columns, d.BitsAllocated, d.BitsStored, d.HighBit = ROWS, COLUMNS, 16, 16, 15
    d.SamplesPerPixel, d.PixelRepresentation, d.PhotometricInterpretation = 1, 0, "MONOCHROME2"
    d.PixelSpacing, d.SliceThickness = list(SPACING), STEP
    d.ImageOrientationPatient = [f"{v:.12f}" for v in np.concatenate([ACROSS, DOWN])]
    d.ImagePositionPatient = [f"{v:.8f}" for v in ORIGIN + k * STEP * NORMAL]
    d.PixelData = np.zeros((ROWS, COLUMNS), np.uint16).tobytes()
    return d


def write(name, array, kind, **more):
    algorithm = hd.AlgorithmIdentificationSequence(
        name="golden", version="1", family=codes.DCM.ArtificialIntelligence
    )
    described = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=label,
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=concept,
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
            display_color=hd.color.CIELabColor.from_rgb(*colour),
        )
        for number, label, concept, colour in [
            (1, "liver", codes.SCT.Liver, (230, 60, 50)),
            (2, "spleen", codes.SCT.Spleen, (60, 160, 230)),
        ]
    ]
    seg = hd.seg.Segmentation(
        source_images=[slice_of(k) for k in range(SLICES)],
        pixel_array=array,
        segmentation_type=kind,
        segment_descriptions=described,
        series_instance_uid=ROOT + "5",
        series_number=100,
        sop_instance_uid=f"{ROOT}6.{len(name)}",
        instance_number=1,
        manufacturer="golden",
        manufacturer_model_name="golden",
        software_versions="1",
        device_serial_number="0",
        **more,
    )
    seg.save_as(HERE / name)
    return hd.seg.segread(HERE / name)


rng = np.random.default_rng(0)
labels = rng.integers(0, 3, (SLICES, ROWS, COLUMNS)).astype(np.uint8)
labels[0] = 0
labels[3] = 0
labels[4][labels[4] == 2] = 0
fractions = np.zeros((SLICES, ROWS, COLUMNS, 2), np.float32)
fractions[1:4] = rng.integers(0, 256, (3, ROWS, COLUMNS, 2)) / 255

write("seg_binary.dcm", labels, hd.seg.SegmentationTypeValues.BINARY)
write(
    "seg_fractional.dcm",
    fractions,
    hd.seg.SegmentationTypeValues.FRACTIONAL,
    fractional_type=hd.seg.SegmentationFractionalTypeValues.PROBABILITY,
    max_fractional_value=255,
)
write("seg_labelmap.dcm", labels, hd.seg.SegmentationTypeValues.LABELMAP)
(HERE / "seg.json").write_text(
    json.dumps(
        {
            "size": [COLUMNS, ROWS, SLICES],
            "spacing": [SPACING[1], SPACING[0], STEP],
            "origin": ORIGIN.tolist(),
            "direction": [ACROSS.tolist(), DOWN.tolist(), NORMAL.tolist()],
            "instances": [f"{ROOT}1.{k + 1}" for k in range(SLICES)],
            "labels": labels.ravel().tolist(),
            "fractions": [np.round(fractions[..., s].ravel() * 255).astype(int).tolist() for s in range(2)],
        }
    )
    + "\n"
)
