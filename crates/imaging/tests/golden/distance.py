"""Distances to masks by scipy.ndimage.distance_transform_edt. Writes distance.json."""

import json

import numpy as np
from scipy import ndimage

rng = np.random.default_rng(13)
cases = []
for size, share in (([9, 8, 7], 0.02), ([9, 8, 7], 0.2), ([33, 17, 1], 0.01), ([1, 1, 30], 0.1), ([20, 18, 3], 0.004), ([5, 6, 7], 0.7)):
    spacing = rng.uniform(0.3, 4.0, 3)
    mask = rng.random(size[::-1]) < share
    if not mask.any():
        mask.flat[mask.size // 3] = True
    distance = ndimage.distance_transform_edt(~mask, sampling=spacing[::-1])
    cases.append({
        "size": size, "spacing": spacing.tolist(), "mask": mask.ravel().astype(int).tolist(),
        "distance": distance.ravel().tolist(),
    })
json.dump({"cases": cases}, open("distance.json", "w"))
