"""Connected parts by scipy.ndimage.label. Writes components.json."""

import json

import numpy as np
from scipy import ndimage

rng = np.random.default_rng(11)
cases = []
for size in ([9, 8, 7], [17, 13, 1], [1, 1, 40], [6, 1, 6]):
    for share in (0.12, 0.3, 0.55):
        mask = rng.random(size[::-1]) < share
        labelled = [ndimage.label(mask, ndimage.generate_binary_structure(3, order))[0] for order in (1, 2, 3)]
        cases.append({
            "size": size,
            "mask": mask.ravel().astype(int).tolist(),
            "labels": [labels.ravel().tolist() for labels in labelled],
        })
json.dump({"cases": cases}, open("components.json", "w"))
