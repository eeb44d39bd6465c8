"""Scales of grey values by numpy, in double precision from single-precision values: writes normalise.json."""

import json
import pathlib

import numpy as np

rng = np.random.default_rng(3)
values = rng.normal(60, 30, 300).astype(np.float32)
values[rng.integers(0, 300, 60)] = 0
values[17] = 1_700_000 / 1000
x = values.astype(np.float64)


def z(v):
    return (v - v.mean()) / v.std()


nonzero = x.copy()
nonzero[x != 0] = z(x[x != 0])
low, high = np.percentile(x, [2, 98])
golden = {
    "values": values.tolist(),
    "z_score": z(x).tolist(),
    "z_score_nonzero": nonzero.tolist(),
    "robust": z(np.clip(x, low, high)).tolist(),
    "window": (np.clip(x, 0, 80) / 80).tolist(),
    "min_max": ((x - x.min()) / (x.max() - x.min())).tolist(),
    "percentiles": [[q, float(np.percentile(x, q))] for q in [0, 0.5, 2, 33.3, 50, 98, 99.5, 100]],
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(golden) + "\n")
