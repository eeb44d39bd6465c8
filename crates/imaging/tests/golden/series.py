"""Writes series.json: what dcm2niix (v1.0.20220720) makes of the DICOM series of dcm_qa_orient and
hippo_dicom_studies_trim. For each series UID: the size, the affine (RAS) and, for each volume, the sum of the voxels and the
CRC-32 of the voxels as little-endian 32-bit integers in NIfTI's order (first index fastest).

For dcm_qa_orient it checks that this is what the reference files of the set hold.

    GALEN_DATA=/path/to/data python series.py
"""

import glob
import json
import os
import subprocess
import tempfile
import zlib

import nibabel
import numpy

root = os.path.join(os.environ["GALEN_DATA"], "imaging")
here = os.path.dirname(os.path.abspath(__file__))
references = [nibabel.load(path) for path in glob.glob(os.path.join(root, "dcm_qa_orient", "Ref", "*.nii"))]
references = {(image.shape, zlib.crc32(numpy.asarray(image.dataobj).tobytes())): image for image in references}

golden = {}
for folder in ["dcm_qa_orient/In", "hippo_dicom_studies_trim"]:
    with tempfile.TemporaryDirectory() as out:
        command = ["dcm2niix", "-ba", "n", "-f", "%j", "-o", out, os.path.join(root, folder)]
        subprocess.run(command, check=True, capture_output=True)
        found = {}
        for path in sorted(glob.glob(os.path.join(out, "*.nii"))):
            with open(path[: -len("nii")] + "json") as file:
                sidecar = json.load(file)
            image = nibabel.load(path)
            values = numpy.asarray(image.dataobj)
            assert values.dtype.kind in "iu"
            if folder.startswith("dcm_qa"):
                reference = references[(image.shape, zlib.crc32(values.tobytes()))]
                assert numpy.array_equal(reference.affine, image.affine)
            values = values.reshape(values.shape[:3] + (-1,)).astype("<i4")
            volumes = [values[..., time].tobytes(order="F") for time in range(values.shape[3])]
            assert sidecar["SeriesInstanceUID"] not in found
            found[sidecar["SeriesInstanceUID"]] = {
                "description": sidecar["SeriesDescription"],
                "size": list(values.shape[:3]),
                "affine": image.affine.tolist(),
                "sums": [int(values[..., time].sum(dtype="int64")) for time in range(values.shape[3])],
                "crcs": [zlib.crc32(volume) for volume in volumes],
            }
        golden[folder] = dict(sorted(found.items()))

with open(os.path.join(here, "series.json"), "w") as file:
    json.dump(golden, file, indent=1)
    file.write("\n")
