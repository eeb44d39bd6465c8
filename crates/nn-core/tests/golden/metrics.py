"""Golden values for the metrics, from scikit-learn, scipy and lifelines.

    pip install numpy scikit-learn scipy lifelines
    python metrics.py            # rewrites metrics.json beside this file
    python metrics.py DATA       # prints the known numbers of DATA/drug/davis instead

Every data set is written out in full with its expected values, so that the test needs no generator.
`null` means that the metric is undefined there. The two quantities that no library has, rm2 and the
file-order concordance index of DeepDTA, are written here as plain loops over their definitions.
"""

import csv
import json
import math
import pathlib
import sys

import lifelines
import numpy as np
import scipy
import sklearn
from lifelines.utils import concordance_index
from scipy import stats
from sklearn import metrics
from sklearn.calibration import calibration_curve

rng = np.random.default_rng(20201)


def or_none(function, *arguments, **named):
    """The function's value, or None where it has none."""
    try:
        value = float(function(*arguments, **named))
    except ZeroDivisionError:  # lifelines: no admissible pair
        return None
    return value if math.isfinite(value) else None


def slope_through_origin_r2(truth, pred):
    slope = sum(t * p for t, p in zip(truth, pred)) / sum(p * p for p in pred)
    mean = sum(truth) / len(truth)
    left = sum((t - slope * p) ** 2 for t, p in zip(truth, pred))
    return 1 - left / sum((t - mean) ** 2 for t in truth)


def rm2(truth, pred, squared_again):
    """Roy's rm2; `squared_again` is the variant in DeepDTA's code."""
    r2 = stats.pearsonr(truth, pred).statistic ** 2
    r02 = slope_through_origin_r2(truth, pred)
    inside = r2 * r2 - r02 * r02 if squared_again else r2 - r02
    return r2 * (1 - math.sqrt(abs(inside)))


def file_order_index(truth, pred):
    won = counted = 0
    for i in range(len(truth)):
        for j in range(i):
            if truth[i] > truth[j]:
                counted += 1
                won += 1 if pred[i] > pred[j] else 0.5 if pred[i] == pred[j] else 0
    return won / counted


def regression(name, truth, pred):
    truth, pred = [float(v) for v in truth], [float(v) for v in pred]
    varied = len(set(truth)) > 1
    both = varied and len(set(pred)) > 1
    return {
        "name": name,
        "truth": truth,
        "pred": pred,
        "mse": metrics.mean_squared_error(truth, pred),
        "rmse": metrics.root_mean_squared_error(truth, pred),
        "mae": metrics.mean_absolute_error(truth, pred),
        "r2": metrics.r2_score(truth, pred) if varied else None,
        "pearson": float(stats.pearsonr(truth, pred).statistic) if both else None,
        "spearman": float(stats.spearmanr(truth, pred).statistic) if both else None,
        "rm2": rm2(truth, pred, False) if both else None,
        "rm2_deepdta": rm2(truth, pred, True) if both else None,
        "concordance_index": or_none(concordance_index, truth, pred),
        "ci_deepdta": or_none(file_order_index, truth, pred),
    }


def scores(name, labels, values, threshold):
    labels = [bool(v) for v in labels]
    values = [float(v) for v in values]
    two, any_positive = len(set(labels)) == 2, any(labels)
    taken = [v >= threshold for v in values]
    tn, fp, fn, tp = (int(v) for v in metrics.confusion_matrix(labels, taken, labels=[False, True]).ravel())
    decided = two and len(set(taken)) == 2
    return {
        "name": name,
        "labels": labels,
        "scores": values,
        "threshold": threshold,
        "auroc": metrics.roc_auc_score(labels, values) if two else None,
        "average_precision": metrics.average_precision_score(labels, values) if any_positive else None,
        "confusion": [tp, fp, tn, fn],
        "precision": metrics.precision_score(labels, taken) if tp + fp else None,
        "recall": metrics.recall_score(labels, taken) if tp + fn else None,
        "specificity": metrics.recall_score(labels, taken, pos_label=False) if tn + fp else None,
        "f1": metrics.f1_score(labels, taken) if tp + fp + fn else None,
        "f2": metrics.fbeta_score(labels, taken, beta=2) if tp + fp + fn else None,
        "f_half": metrics.fbeta_score(labels, taken, beta=0.5) if tp + fp + fn else None,
        "accuracy": metrics.accuracy_score(labels, taken),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, taken) if two else None,
        "mcc": metrics.matthews_corrcoef(labels, taken) if decided else None,
    }


def calibration_error(labels, values, bins, strategy, edges):
    """From scikit-learn's calibration_curve, which leaves out empty bins and gives no counts: the
    counts come from the same edges."""
    share, mean = calibration_curve(labels, values, n_bins=bins, strategy=strategy)
    counts = np.bincount(np.searchsorted(edges[1:-1], values), minlength=bins)
    counts = counts[counts > 0]
    assert len(counts) == len(share)
    return float(np.sum(counts / len(labels) * np.abs(share - mean)))


def probabilities(name, labels, values, bins):
    labels = [bool(v) for v in labels]
    values = np.array(values, dtype=float)
    # where i(n-1)/bins is whole, numpy's interpolation may round the edge off the value it is
    assert all(i * (len(values) - 1) % bins for i in range(1, bins)), "choose another n or bins"
    even = np.linspace(0, 1, bins + 1)
    mass = np.percentile(values, even * 100)
    return {
        "name": name,
        "labels": labels,
        "probabilities": values.tolist(),
        "bins": bins,
        "brier": metrics.brier_score_loss(labels, values),
        "ece_equal_width": calibration_error(labels, values, bins, "uniform", even),
        "ece_equal_mass": calibration_error(labels, values, bins, "quantile", mass),
    }


def classes(name, truth, pred, n):
    truth, pred = [int(v) for v in truth], [int(v) for v in pred]
    return {
        "name": name,
        "truth": truth,
        "pred": pred,
        "classes": n,
        "matrix": metrics.confusion_matrix(truth, pred, labels=range(n)).tolist(),
        "accuracy": metrics.accuracy_score(truth, pred),
        "macro_f1": metrics.f1_score(truth, pred, average="macro"),
        "micro_f1": metrics.f1_score(truth, pred, average="micro"),
        "weighted_f1": metrics.f1_score(truth, pred, average="weighted"),
    }


def noisy(n, decimals, slope, noise):
    truth = np.round(rng.normal(6, 1.2, n), decimals)
    return truth, np.round(slope * (truth - 6) + 6 + rng.normal(0, noise, n), decimals)


def regression_sets():
    yield regression("two rows", [1.5, 2.5], [2.0, 1.0])
    yield regression("one row", [1.5], [2.0])
    yield regression("four rows, documentation of r2_score", [3, -0.5, 2, 7], [2.5, 0.0, 2, 8])
    yield regression("no ties", *noisy(40, 12, 0.8, 0.7))
    yield regression("ties in both", *noisy(60, 0, 0.8, 0.7))
    truth, pred = noisy(50, 2, 0.6, 0.9)
    yield regression("floor value in most rows", np.where(truth < 6.5, 5.0, truth), pred)
    yield regression("tied predictions", truth, np.where(pred < 6, 5.5, 6.5))
    yield regression("negative correlation", truth, 12 - pred)
    yield regression("far from zero", truth + 1e6, pred + 1e6)
    yield regression("all predictions equal", truth[:9], [6.0] * 9)
    yield regression("all true values equal", [6.0] * 9, pred[:9])
    yield regression("true values sorted", np.sort(truth), pred[np.argsort(truth)])
    yield regression("true values sorted downwards", -np.sort(-truth), pred[np.argsort(-truth)])


def score_sets():
    yield scores("documentation of roc_auc_score", [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], 0.5)
    yield scores("one row", [1], [0.7], 0.5)
    yield scores("one class", [0, 0, 0], [0.1, 0.7, 0.2], 0.5)
    labels = rng.random(60) < 0.3
    values = rng.normal(labels * 1.0, 1.0)
    yield scores("no ties", labels, values, 0.5)
    yield scores("ties", labels, np.round(values), 1.0)
    yield scores("two scores", labels, values > 0.5, 1.0)
    yield scores("all scores equal", labels, np.full(60, 0.5), 0.5)
    yield scores("worse than chance", labels, -values, 0.0)
    yield scores("one positive", np.arange(30) == 4, rng.random(30), 0.9)
    yield scores("nothing taken", labels, values, 100.0)


def probability_sets():
    values = rng.random(102)
    labels = rng.random(102) < values
    yield probabilities("calibrated", labels, values, 10)
    yield probabilities("overconfident", labels, np.clip(values * 2 - 0.5, 0, 1), 10)
    yield probabilities("crowded near zero", labels, values**6, 15)
    yield probabilities("tied in tenths", labels, np.round(values, 1), 4)
    yield probabilities("three rows", [1, 0, 1], [0.9, 0.2, 0.6], 3)


def class_sets():
    yield classes("documentation of f1_score", [0, 1, 2, 0, 1, 2], [0, 2, 1, 0, 0, 1], 3)
    truth = rng.integers(0, 5, 80)
    pred = np.where(rng.random(80) < 0.6, truth, rng.integers(0, 5, 80))
    yield classes("five classes", truth, pred, 5)
    yield classes("a class never predicted", truth, np.where(pred == 3, 0, pred), 5)
    yield classes("a class absent from both", truth * 2, pred * 2, 9)


def known_numbers(folder):
    """Mean and additive baseline (row effect + column effect, fitted on the five training folds) on
    the test fold of the Davis table."""
    cells = list(csv.DictReader((folder / "affinity.csv").open()))
    row = np.array([int(c["drug_index"]) for c in cells])
    column = np.array([int(c["target_index"]) for c in cells])
    value = np.array([float(c["pkd"]) for c in cells])
    test = np.array([c["fold"] == "test" for c in cells])
    mean = value[~test].mean()
    effect = [np.zeros(row.max() + 1), np.zeros(column.max() + 1)]
    for _ in range(50):
        for this, other, index, across in ((0, 1, row, column), (1, 0, column, row)):
            rest = value[~test] - mean - effect[other][across[~test]]
            effect[this] = np.bincount(index[~test], rest) / np.bincount(index[~test])
    fitted = mean + effect[0][row] + effect[1][column]
    upstream = json.loads((folder / "folds/test_fold_setting1.txt").read_text())
    print("mean, mse", metrics.mean_squared_error(value[test], np.full(test.sum(), mean)))
    print("additive, mse", metrics.mean_squared_error(value[test], fitted[test]))
    print("additive, concordance index", concordance_index(value[test], fitted[test]))
    for name, order in (("upstream order", upstream), ("row order", np.flatnonzero(test))):
        index = file_order_index(value[order].tolist(), fitted[order].tolist())
        print("additive, file-order index,", name, index)


if len(sys.argv) > 1:
    known_numbers(pathlib.Path(sys.argv[1]) / "drug/davis")
    sys.exit()

golden = {
    "made_with": {
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
        "lifelines": lifelines.__version__,
    },
    "regression": list(regression_sets()),
    "scores": list(score_sets()),
    "probabilities": list(probability_sets()),
    "classes": list(class_sets()),
}


def text(value, depth=0):
    """JSON with one data set's field a line: short to read, small to compare."""
    pad = " " * depth
    if isinstance(value, dict) and depth < 3:
        fields = (f"{pad} {json.dumps(k)}: {text(v, depth + 1)}" for k, v in value.items())
        return "{\n" + ",\n".join(fields) + "\n" + pad + "}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[" + ", ".join(text(v, depth) for v in value) + "]"
    return json.dumps(value)


target = pathlib.Path(__file__).with_name("metrics.json")
target.write_text(text(golden) + "\n")
assert json.loads(target.read_text()) == golden
