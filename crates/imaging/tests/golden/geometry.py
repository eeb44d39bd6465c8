"""Grids by nibabel: affine, orientation code, points. Writes geometry.json."""

import json

import nibabel as nib
import numpy as np
from scipy.spatial.transform import Rotation

rng = np.random.default_rng(5)
cases = []
for case in range(24):
    size = rng.integers(2, 9, 3)
    spacing = rng.uniform(0.3, 5.0, 3)
    if case < 12:
        rotation = Rotation.from_euler("xyz", rng.uniform(-0.3, 0.3, 3)).as_matrix()
        rotation = rotation @ np.eye(3)[:, rng.permutation(3)] * rng.choice([-1.0, 1.0], 3)
    else:
        rotation = Rotation.random(random_state=case).as_matrix() * rng.choice([-1.0, 1.0], 3)
    affine = np.eye(4)
    affine[:3, :3] = rotation * spacing
    affine[:3, 3] = rng.uniform(-200, 200, 3)
    voxel = rng.uniform(-3, 12, 3)
    point = nib.affines.apply_affine(affine, voxel)
    cases.append({
        "size": size.tolist(),
        "spacing": nib.affines.voxel_sizes(affine).tolist(),
        "affine_ras": affine.tolist(),
        "code": "".join(nib.aff2axcodes(affine)),
        "voxel": voxel.tolist(),
        "point_ras": point.tolist(),
    })
json.dump({"cases": cases}, open("geometry.json", "w"))
