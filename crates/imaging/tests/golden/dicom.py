"""Stored values of the DICOM conformance files, as pydicom 3.0.2 (pylibjpeg 2.1, openjpeg 2.6, pyjpegls 1.5) has them.

    python dicom.py FOLDER_OF_IMAGING > dicom.json

FOLDER_OF_IMAGING holds dicom_conformance and cxr_misc. For each file: transfer syntax, shape, sum of the stored values
(bits above BitsStored cleared, signs extended), crc32 of them as 32-bit little-endian numbers in the order frame, row,
column, channel, and whether the compression loses nothing or little in a defined way, so that the crc must agree.
JPEG with 12 bits, whose scans pydicom's decoders refuse, is decoded by dcmdjpeg of dcmtk. Files in .zst are unpacked by
zstd.
Where there is a table (palette, modality, values of interest), `applied` is the sum of the first frame through it.

`refused` is the kind of error that our reader answers with, by hand: pydicom refuses the same files or takes them for
objects without pixels.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
import warnings
import zlib

import numpy as np
import pydicom
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.uid import ImplicitVRLittleEndian

warnings.filterwarnings("ignore")
LOSSY = {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.91"}
NATIVE = {"1.2.840.10008.1.2" + rest for rest in ("", ".1", ".2", ".1.99", ".5")}


# files that are not images are "no pixels"; these are refused for another reason
REFUSED = {
    "MR_truncated.dcm": "damaged",  # 62 bytes of the pixel data are missing
    "badVR.dcm": "attribute",  # NumberOfFrames is 1A
    "no_meta.dcm": "not DICOM",  # begins with a space
    "rtplan_truncated.dcm": "damaged",  # ends within an attribute
}


def array(path, dataset, syntax):
    try:
        return pydicom.pixels.pixel_array(dataset, raw=True)
    except Exception:
        if syntax != "1.2.840.10008.1.2.4.51":
            raise
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "out.dcm")
            subprocess.run(["dcmdjpeg", path, out], check=True, capture_output=True)
            return pydicom.pixels.pixel_array(pydicom.dcmread(out), raw=True)


def stored(values, dataset, syntax):
    """Bits above BitsStored cleared, signs extended."""
    if values.dtype.kind == "f":
        return values
    allocated, bits = dataset.BitsAllocated, dataset.get("BitsStored", dataset.BitsAllocated)
    shift = dataset.get("HighBit", bits - 1) + 1 - bits if syntax in NATIVE else 0
    values = (values.astype(np.int64) & ((1 << allocated) - 1)) >> shift & ((1 << bits) - 1)
    if dataset.get("PixelRepresentation", 0) == 1 and bits > 1:
        values = np.where(values >= 1 << (bits - 1), values - (1 << bits), values)
    return values


def row(path):
    if path.endswith(".zst"):
        data = subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout
    else:
        data = open(path, "rb").read()
    name = os.path.basename(path)
    if name in REFUSED:
        return {"refused": REFUSED[name]}
    if name == "emri_small_jpeg_2k_lossless_too_short.dcm":
        # only the delimiter at the end is missing, without which pydicom drops the data set
        data += b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    dataset = pydicom.dcmread(io.BytesIO(data), force=True)
    if not hasattr(dataset, "file_meta"):
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
    if "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    pixels = any(name in dataset for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))
    if not pixels or "Rows" not in dataset:
        return {"refused": "no pixels"}
    raw = array(path, dataset, syntax)
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    samples = dataset.get("SamplesPerPixel", 1)
    values = stored(raw, dataset, syntax).reshape(frames, dataset.Rows, dataset.Columns, samples)
    # pydicom gives planes of colours as pixels already
    made = {
        "syntax": syntax,
        "shape": list(values.shape),
        "photometric": dataset.get("PhotometricInterpretation"),
        "exact": syntax not in LOSSY,
        "sum": float(values.astype(np.float64).sum()),
        "crc": zlib.crc32(values.astype("<u4" if values.max() > 2**31 - 1 else "<i4").tobytes()),
    }
    first = values[0, :, :, 0]
    big = syntax == "1.2.840.10008.1.2.2"
    if big and "RedPaletteColorLookupTableData" in dataset:
        pass  # pydicom reads the words of big-endian tables as little-endian ones
    elif dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
        colours = apply_color_lut(first.astype(np.uint16 if dataset.BitsAllocated == 16 else np.uint8), dataset)
        made["applied"] = float(colours.astype(np.float64).sum())
    elif "ModalityLUTSequence" in dataset or "RescaleSlope" in dataset:
        real = np.asarray(apply_modality_lut(first.astype(np.int32), dataset))
        made["applied"] = float(real.astype(np.float64).sum())
    elif "VOILUTSequence" in dataset:
        made["applied"] = float(apply_voi_lut(first.astype(np.uint8), dataset).astype(np.float64).sum())
    return made


root = sys.argv[1]
table = {}
for part in ("cxr_misc", "dicom_conformance"):
    for folder, _, names in os.walk(os.path.join(root, part)):
        for name in names:
            if not name.endswith((".txt", ".png", ".jpg", "LICENSE")):
                path = os.path.join(folder, name)
                table[os.path.relpath(path, root)] = row(path)
print("{")
print(",\n".join(f"{json.dumps(name)}: {json.dumps(table[name])}" for name in sorted(table)))
print("}")
