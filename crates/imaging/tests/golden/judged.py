"""Golden values of imaging::evaluate on real labels: MONAI on hippocampi, scikit-image on cells of electron micrographs.

    GALEN_DATA=… python judged.py > judged.json

The predictions are the true labels, moved by a voxel or two. Made with monai 1.6.1, scikit-image 0.26.0, nibabel 5.4.2.
"""

import json
import os
import warnings
from pathlib import Path

import nibabel
import numpy as np
import torch
from monai.metrics import compute_average_surface_distance, compute_dice, compute_hausdorff_distance
from PIL import Image
from skimage.measure import label
from skimage.metrics import adapted_rand_error, variation_of_information

warnings.filterwarnings("ignore")
root = Path(os.environ["GALEN_DATA"]) / "imaging"

hippocampus = {}
for name in ["hippocampus_001", "hippocampus_023", "hippocampus_310"]:
    image = nibabel.load(root / "msd_hippocampus_dev/labels" / f"{name}.nii.gz")
    truth = np.asarray(image.dataobj).astype(np.uint8)
    # One voxel up the first index, two up the last; what comes in is background.
    moved = np.zeros_like(truth)
    moved[1:, :, 2:] = truth[:-1, :, :-2]
    spacing = [float(value) for value in image.header.get_zooms()[:3]]
    scores = {}
    for which, called in [(1, "anterior"), (2, "posterior")]:
        y, p = (torch.tensor((map_ == which)[None, None].astype(np.float32)) for map_ in (truth, moved))
        scores[called] = {
            "dice": compute_dice(p, y).item(),
            "hd95": compute_hausdorff_distance(p, y, include_background=True, percentile=95, spacing=spacing).item(),
            "asd": compute_average_surface_distance(p, y, include_background=True, symmetric=True, spacing=spacing).item(),
            "mm3": float((truth == which).sum() * np.prod(spacing)),
        }
    hippocampus[name] = scores

cells = {}
for name in ["0", "17"]:
    truth = np.array(Image.open(root / "isbi2012_em/data/membrane/train/label" / f"{name}.png")) > 0
    moved = np.zeros_like(truth)
    moved[2:, 3:] = truth[:-2, :-3]
    one, other = (label(mask, connectivity=1) for mask in (truth, moved))
    error, recall, precision = adapted_rand_error(one, other)
    split, merge = variation_of_information(one, other, ignore_labels=(0,))
    cells[name] = {
        "segments": int(one.max()),
        "error": float(error),
        "recall": float(recall),
        "precision": float(precision),
        "split": float(split),
        "merge": float(merge),
    }
print(json.dumps({"hippocampus": hippocampus, "cells": cells}, indent=1))
