"""Visit vectors and loss of Med2Vec in double precision; writes med2vec.json beside this file.

The formulas are those of the authors' med2vec.py (mp2893/med2vec), row by row with separators between patients, apart from
the mask, which is on the cross-entropy rather than on the prediction (the difference has no gradient). Weights are noise
that the tests draw as well: splitmix64 of the FNV-1a hash of a parameter's path.
"""

import json
from pathlib import Path

import numpy as np
import torch

MASK = (1 << 64) - 1


def noise(name, count):
    start = 0xCBF29CE484222325
    for byte in name.encode():
        start = ((start ^ byte) * 0x100000001B3) & MASK
    values = []
    for place in range(1, count + 1):
        z = (start + place * 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        values.append(((z ^ (z >> 31)) >> 40) / (1 << 23) - 1.0)
    return np.array(values)


def weight(path, inputs, outputs):
    return torch.tensor(noise(path, inputs * outputs).reshape(inputs, outputs) * np.sqrt(3.0 / inputs))


def bias(path, outputs):
    return torch.tensor(0.25 * noise(path, outputs))


CODES, STATICS, CR, VR, EPS, L2 = 8, 2, 5, 4, 1e-8, 0.001
PATIENTS = [
    {"statics": [0.5, -1.0], "visits": [[2, 3], [4], [2, 5, 6], [1, 7]]},
    {"statics": [1.0, 0.25], "visits": [[7], [3, 4]]},
    {"statics": [-0.5, 0.0], "visits": [[5, 6]]},
]
GROUPS = [0, 0, 1, 1, 2, 2, 3, 3]


def run(window, groups):
    outputs = max(groups) + 1 if groups else CODES
    w_emb, b_emb = weight("code.weight", CODES, CR), bias("code.bias", CR)
    w_hidden, b_hidden = weight("visit.weight", CR + STATICS, VR), bias("visit.bias", VR)
    w_out, b_out = weight("output.weight", VR, outputs), bias("output.bias", outputs)
    xs, ds, ts, mask, pairs = [], [], [], [], []
    for patient in PATIENTS:
        for visit in patient["visits"]:
            x, t = torch.zeros(CODES, dtype=torch.double), torch.zeros(outputs, dtype=torch.double)
            x[visit] = 1.0
            t[[groups[c] for c in visit] if groups else visit] = 1.0
            xs.append(x), ts.append(t), mask.append(1.0)
            ds.append(torch.tensor(patient["statics"], dtype=torch.double))
            pairs += [(i, j) for i in visit for j in visit if i != j]
        xs.append(torch.zeros(CODES, dtype=torch.double)), ts.append(torch.zeros(outputs, dtype=torch.double))
        ds.append(torch.zeros(STATICS, dtype=torch.double)), mask.append(0.0)
    x, d, t, mask = torch.stack(xs), torch.stack(ds), torch.stack(ts), torch.tensor(mask, dtype=torch.double)
    emb = torch.relu(x @ w_emb + b_emb)
    visit = torch.relu(torch.cat([emb, d], 1) @ w_hidden + b_hidden)
    results = torch.softmax(visit @ w_out + b_out, 1)
    visit_cost = torch.zeros((), dtype=torch.double)
    for k in range(1, window + 1):
        m = torch.ones(len(mask) - k, dtype=torch.double)
        for step in range(k + 1):
            m = m * mask[step : len(mask) - k + step]

        def ce(p, target):
            return -(target * torch.log(p + EPS) + (1 - target) * torch.log(1 - p + EPS)).sum(1)

        both = ce(results[:-k], t[k:]) * m + ce(results[k:], t[:-k]) * m
        visit_cost = visit_cost + both.sum() / (m.sum() + EPS)
    pre = torch.relu(w_emb)
    norms = torch.exp(pre @ pre.T).sum(1)
    i, j = torch.tensor(pairs).T
    code_cost = (-torch.log(torch.exp((pre[i] * pre[j]).sum(1)) / norms[i] + EPS)).mean()
    return {
        "visits": visit[mask == 1.0].flatten().tolist(),
        "terms": [float(visit_cost), float(code_cost), float(L2 * (w_emb**2).sum())],
    }


result = {
    "patients": PATIENTS,
    "groups": GROUPS,
    "window 1": run(1, []),
    "window 3": run(3, []),
    "groups, window 2": run(2, GROUPS),
}
Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=0) + "\n")
