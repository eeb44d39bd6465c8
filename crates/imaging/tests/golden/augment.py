"""Spatial maps and filters by scipy, changes of grey values by batchgeneratorsv2 0.3.6 (the augmentation of nnU-Net):
writes augment.json. Needs numpy, scipy, torch and batchgeneratorsv2 with batchgenerators."""

import json
import pathlib

import numpy as np
import torch
from batchgeneratorsv2.transforms.intensity.contrast import ContrastTransform
from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
from scipy import ndimage
from scipy.spatial.transform import Rotation

rng = np.random.default_rng(11)


def listed(array):
    return np.asarray(array, dtype=np.float32).ravel().tolist()


# Arrays are [k, j, i]; matrices and offsets are written in the order i, j, k.
volume = rng.normal(0, 1, (5, 6, 7)).astype(np.float32)
labels = rng.integers(0, 4, (5, 6, 7)).astype(np.uint8)
matrix = Rotation.from_euler("xyz", [20, -35, 50], degrees=True).as_matrix() @ np.diag([0.8, 1.1, 0.9])
shape = (4, 5, 35)
offset = np.array([-1.3, 2.2, 1.7])
reverse = matrix[::-1, ::-1]
maps = {}
for name, mode in [("zero", "grid-constant"), ("border", "nearest"), ("reflect", "mirror")]:
    found = ndimage.affine_transform(volume.astype(np.float64), reverse, offset[::-1], shape, order=1, mode=mode)
    maps[name] = listed(found)
# Labels by the nearest voxel, rounding half up; background outside.
grid = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), -1)
places = np.floor(grid @ reverse.T + offset[::-1] + 0.5).astype(int)
inside = ((places >= 0) & (places < np.array(labels.shape))).all(-1)
clipped = np.clip(places, 0, np.array(labels.shape) - 1)
nearest = np.where(inside, labels[clipped[..., 0], clipped[..., 1], clipped[..., 2]], 0)

image = rng.normal(3, 2, 200).astype(np.float32)


def changed(transform, **params):
    return listed(transform._apply_to_image(torch.from_numpy(image.copy())[None], **params)[0].numpy())


channel = torch.tensor([0])
yes, no = torch.tensor([True]), torch.tensor([False])


def gamma(exponent, inverted):
    transform = GammaTransform(exponent, 0, False, 1, 1)
    params = {"gamma": torch.tensor([exponent]), "retain_stats": yes, "invert_image": yes if inverted else no}
    return changed(transform, apply_to_channel=channel, **params)


contrast = ContrastTransform(1.0, True, False, 1)
golden = {
    "size": [7, 6, 5],
    "volume": listed(volume),
    "labels": labels.ravel().tolist(),
    "matrix": matrix.tolist(),
    "offset": offset.tolist(),
    "shape": list(shape[::-1]),
    "maps": maps,
    "nearest": nearest.ravel().tolist(),
    "blurred": listed(ndimage.gaussian_filter(volume.astype(np.float64), (0.5, 1.0, 0.8))),
    "image": listed(image),
    "gamma": gamma(1.4, False),
    "gamma_inverted": gamma(0.7, True),
    "contrast": changed(contrast, apply_to_channel=channel, multipliers=torch.tensor([1.25])),
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(golden) + "\n")
