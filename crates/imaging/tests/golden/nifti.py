"""NIfTI files by nibabel, as hexadecimal bytes with what nibabel reads from them. Writes nifti.json."""

import gzip
import io
import json

import nibabel as nib
import numpy as np
from scipy.spatial.transform import Rotation

rng = np.random.default_rng(17)
cases = []


def affine(spacing, shift):
    matrix = np.eye(4)
    turn = Rotation.from_euler("xyz", rng.uniform(-0.4, 0.4, 3)).as_matrix()
    matrix[:3, :3] = turn @ np.diag([-1.0, 1.0, 1.0]) * spacing
    matrix[:3, 3] = shift
    return matrix


def add(name, image, packed=False, edit=None):
    bytes_ = bytearray(image.to_bytes())
    if edit:
        edit(bytes_)
    read = type(image).from_bytes(bytes(bytes_))
    data = read.get_fdata()
    if data.ndim == 3:
        data = data[..., None]
    volumes = np.moveaxis(data.reshape(*data.shape[:3], -1, order="F"), 3, 0)
    content = gzip.compress(bytes(bytes_), mtime=0) if packed else bytes(bytes_)
    cases.append({
        "name": name, "hex": content.hex(), "size": list(data.shape[:3]), "affine_ras": read.affine.tolist(),
        "volumes": [[float(np.float32(value)) for value in volume.ravel(order="F")] for volume in volumes],
    })


shape = (4, 3, 2)
kinds = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]
for kind in kinds:
    low, high = (0, 200) if kind.startswith("u") else (-100, 100)
    values = rng.integers(low, high, shape).astype(kind)
    image = nib.Nifti1Image(values, affine([0.7, 1.3, 2.9], [-20.5, 31.25, 7.0]), dtype=kind)
    image.set_qform(image.affine, code=1)
    add(kind, image, packed=kind in ("int16", "float64"))

values = rng.integers(-1000, 3000, shape).astype(np.int16)
header = nib.Nifti1Header(endianness=">")
header.set_data_dtype(np.int16)
big = nib.Nifti1Image(values, affine([1, 1, 3], [5, 6, 7]), header)
assert big.header.endianness == ">"
add("big-endian", big)

scaled = nib.Nifti1Image(values, affine([1, 1, 3], [5, 6, 7]), dtype="int16")


def slope(bytes_, value, shift):
    bytes_[112:116] = np.float32(value).tobytes()
    bytes_[116:120] = np.float32(shift).tobytes()


add("scaled", scaled, edit=lambda b: slope(b, 1.35262501239776, -17.5))
add("slope-0", scaled, edit=lambda b: slope(b, 0.0, 99.0))

four = nib.Nifti1Image(rng.integers(0, 99, (4, 3, 2, 3)).astype(np.int16), affine([2, 2, 2], [0, 1, 2]), dtype="int16")
add("four-dimensions", four)
add("one-time-point", nib.Nifti1Image(four.dataobj[..., :1], four.affine, dtype="int16"))
add("one-slice", nib.Nifti1Image(np.arange(12, dtype=np.int16).reshape(4, 3, 1), affine([0.5, 0.5, 1], [1, 1, 1]), dtype="int16"))

only_q = nib.Nifti1Image(values, affine([0.8, 0.9, 2.2], [-3, 4, 5]), dtype="int16")
only_q.set_sform(None, code=0)
only_q.set_qform(affine([0.8, 0.9, 2.2], [-3, 4, 5]), code=1)
add("qform-only", only_q)

none = nib.Nifti1Image(values, None, dtype="int16")
none.header.set_zooms((0.5, 1.5, 2.5))
none.set_sform(None, code=0)
none.set_qform(None, code=0)
add("no-form", none)


def both(bytes_):
    bytes_[252:254] = np.int16(1).tobytes()


differ = nib.Nifti1Image(values, affine([1, 1, 2], [5, 6, 7]), dtype="int16")
differ.set_qform(affine([1, 1, 2], [50, 6, 7]), code=1)
add("forms-differ", differ)


def nan_spacing(bytes_):
    bytes_[80:92] = np.full(3, np.nan, np.float32).tobytes()
    bytes_[252:254] = np.int16(0).tobytes()


add("nan-spacing", nib.Nifti1Image(values, affine([1, 1, 2], [5, 6, 7]), dtype="int16"), edit=nan_spacing)

second = nib.Nifti2Image(values, affine([1, 1, 2], [5, 6, 7]), dtype="int16")
add("second-version", second)

colour = np.zeros(shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
for channel in "RGB":
    colour[channel] = rng.integers(0, 255, shape)
image = nib.Nifti1Image(colour, affine([1, 1, 2], [5, 6, 7]))
cases.append({
    "name": "colours", "hex": image.to_bytes().hex(), "size": list(shape), "affine_ras": image.affine.tolist(),
    "volumes": [colour[channel].ravel(order="F").astype(float).tolist() for channel in "RGB"],
})
json.dump({"cases": cases}, open("nifti.json", "w"))
print(len(cases), [case["name"] for case in cases])
