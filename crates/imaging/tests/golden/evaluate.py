"""Golden values of imaging::evaluate: MONAI, scipy and scikit-image on random masks and divisions.

    python evaluate.py > evaluate.json

Made with monai 1.6.1, scipy 1.17.1, scikit-image 0.26.0, scikit-learn 1.9.1, numpy 2.4.6.
"""

import json
import warnings

import numpy as np
import torch
from monai.metrics import compute_average_surface_distance, compute_dice, compute_hausdorff_distance, compute_iou
from scipy import ndimage
from skimage.metrics import adapted_rand_error, variation_of_information
from sklearn import metrics

warnings.filterwarnings("ignore")
rng = np.random.default_rng(20261127)


def runs(mask):
    """Lengths of the runs of a flat mask, the first of them of zeros."""
    flat = np.concatenate([[0], mask.ravel().astype(int)])
    edges = np.flatnonzero(np.diff(flat)) + 1
    return np.diff(np.concatenate([[0], edges - 1, [mask.size]])).tolist()


def balls(shape, spacing, centres, radii):
    grid = np.stack(np.meshgrid(*[np.arange(n) * s for n, s in zip(shape, spacing)], indexing="ij"), -1)
    mask = np.zeros(shape, bool)
    for centre, radius in zip(centres, radii):
        mask |= ((grid - np.array(centre)) ** 2).sum(-1) <= radius**2
    return mask


def case(shape, spacing, count, wobble):
    far = np.array(shape) * np.array(spacing)
    centres = [rng.uniform(0, far) for _ in range(count)]
    radii = rng.uniform(0.1, 0.22, count) * far.min()
    truth = balls(shape, spacing, centres, radii)
    kept = max(1, count - 1)
    moved = [c + rng.normal(0, wobble, len(shape)) for c in centres[:kept]] + [rng.uniform(0, far)]
    predicted = balls(shape, spacing, moved, np.append(radii[:kept], radii.mean()))
    predicted ^= rng.random(shape) < 0.002
    return truth, predicted


def judged(truth, predicted, spacing):
    y, p = (torch.tensor(m[None, None].astype(np.float32)) for m in (truth, predicted))
    full = np.ones((3,) * truth.ndim)
    found_truth, n_truth = ndimage.label(truth, full)
    found_pred, n_pred = ndimage.label(predicted, full)
    hit = len(set(found_truth[predicted]) - {0})
    right = len(set(found_pred[truth]) - {0})
    missed, invented = n_truth - hit, n_pred - right
    hausdorff = lambda q: compute_hausdorff_distance(p, y, include_background=True, percentile=q, spacing=spacing).item()
    return {
        # columns, rows, slices
        "size": list(truth.shape[::-1]) + [1] * (3 - truth.ndim),
        "spacing": list(spacing[::-1]) + [1.0] * (3 - truth.ndim),
        "truth": runs(truth),
        "predicted": runs(predicted),
        "dice": compute_dice(p, y).item(),
        "iou": compute_iou(p, y).item(),
        "hd100": hausdorff(None),
        "hd95": hausdorff(95),
        "hd50": hausdorff(50),
        "asd": compute_average_surface_distance(p, y, include_background=True, symmetric=True, spacing=spacing).item(),
        "lesions": [n_truth, n_pred, hit, right],
        "lesion_f1": hit / (hit + (missed + invented) / 2),
    }


cases = []
for _ in range(4):
    spacing = (2.5, 1.2, 0.8)
    cases.append(judged(*case((11, 19, 23), spacing, 4, 0.8), spacing))
for _ in range(3):
    spacing = (0.7, 0.4)
    cases.append(judged(*case((41, 37), spacing, 5, 0.6), spacing))
# A volume whose masks lie in one slice only is all surface.
flat = np.zeros((2, 5, 12, 14), bool)
flat[0, 2, 3:9, 4:10] = True
flat[1, 2, 4:10, 4:12] = True
cases.append(judged(flat[0], flat[1], (3.0, 1.0, 1.0)))

divisions = []
for k in range(4):
    coarse = rng.integers(0, 6, (6, 7))
    truth = np.kron(coarse, np.ones((5, 4), int))
    predicted = np.roll(truth, (k, 1), (0, 1)).copy()
    predicted[predicted == 3] = 2
    predicted[rng.random(truth.shape) < 0.1] = 0
    predicted[:8][predicted[:8] == 1] = 9
    error, by_truth, by_predicted = adapted_rand_error(truth, predicted, ignore_labels=(0,))
    split, merge = variation_of_information(truth, predicted, ignore_labels=(0,))
    divisions.append(
        {
            "truth": truth.ravel().tolist(),
            "predicted": predicted.ravel().tolist(),
            "error": float(error),
            # scikit-image calls the share of the pairs of a true segment that are together in the prediction precision.
            "recall": float(by_truth),
            "precision": float(by_predicted),
            "split": float(split),
            "merge": float(merge),
        }
    )

labels = (rng.random(120) < 0.35).astype(int)
p = np.round(np.clip(0.25 + 0.35 * labels + rng.normal(0, 0.22, 120), 0.01, 0.99), 2)
fpr, tpr, _ = metrics.roc_curve(labels, p, drop_intermediate=False)
two = {
    "labels": labels.tolist(),
    "probabilities": p.tolist(),
    "scores": {
        "auroc": metrics.roc_auc_score(labels, p),
        "average_precision": metrics.average_precision_score(labels, p),
        "sensitivity_at_specificity_90": tpr[fpr <= 0.1 + 1e-9].max(),
        "accuracy": metrics.accuracy_score(labels, p >= 0.5),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, p >= 0.5),
        "sensitivity": metrics.recall_score(labels, p >= 0.5),
        "specificity": metrics.recall_score(labels, p >= 0.5, pos_label=0),
        "f1": metrics.f1_score(labels, p >= 0.5),
        "mcc": metrics.matthews_corrcoef(labels, p >= 0.5),
        "brier": metrics.brier_score_loss(labels, p),
        "loss": metrics.log_loss(labels, p),
    },
}
classes = rng.integers(0, 3, 90)
raw = rng.random((90, 3)) + 0.8 * np.eye(3)[classes]
p = raw / raw.sum(1, keepdims=True)
three = {
    "labels": classes.tolist(),
    "probabilities": p.ravel().tolist(),
    "scores": {
        "accuracy": metrics.accuracy_score(classes, p.argmax(1)),
        "balanced_accuracy": metrics.balanced_accuracy_score(classes, p.argmax(1)),
        "macro_f1": metrics.f1_score(classes, p.argmax(1), average="macro"),
        "auroc": metrics.roc_auc_score(classes, p, multi_class="ovr"),
        "loss": metrics.log_loss(classes, p),
    },
}
print(json.dumps({"cases": cases, "divisions": divisions, "two": two, "three": three}, default=float))
