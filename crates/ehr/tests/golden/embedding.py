"""Discounted gain by scikit-learn and the measure of relatedness by NumPy; writes embedding.json beside this file."""

import json
from pathlib import Path

import numpy as np
from sklearn.metrics import dcg_score, ndcg_score

K, ROWS, WIDTH = 5, 40, 6
random = np.random.default_rng(11)
vectors = np.round(random.normal(size=(ROWS, WIDTH)), 3)
kinds = [None if row % 7 == 3 else int(random.integers(0, 6)) for row in range(ROWS)]
unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
cosine = unit @ unit.T
judged = [row for row in range(ROWS) if kinds[row] is not None]


def scores(row):
    others = [other for other in judged if other != row]
    truth = np.array([[kinds[other] == kinds[row] for other in others]], dtype=float)
    return truth, cosine[row, others][None, :]


mcsm, ndcg, first = {}, [], []
for row in judged:
    truth, near = scores(row)
    mcsm.setdefault(kinds[row], []).append(dcg_score(truth, near, k=K))
    if truth.any():
        ndcg.append(ndcg_score(truth, near, k=K))
        first.append(truth[0, near[0].argmax()])

pairs = [(row, (row * 7 + 5) % ROWS) for row in range(0, 30, 2)] + [(0, 9), (4, 11)]
seeds = pairs[:6]
related = {}
for code, other in pairs:
    related.setdefault(code, set()).add(other)


def hit(code, query):
    near = vectors @ query / np.linalg.norm(vectors, axis=1)
    near[code] = -np.inf
    return bool(related[code] & set(np.argsort(-near)[:K].tolist()))


shares = []
for a, b in seeds:
    asked = [code for code in related if code != a]
    shares.append(np.mean([hit(code, vectors[code] - vectors[a] + vectors[b]) for code in asked]))
result = {
    "k": K,
    "vectors": vectors.flatten().tolist(),
    "width": WIDTH,
    "kinds": kinds,
    "mcsm": {str(kind): float(np.mean(values)) for kind, values in sorted(mcsm.items())},
    "ndcg": float(np.mean(ndcg)),
    "first": float(np.mean(first)),
    "codes": len(ndcg),
    "pairs": pairs,
    "seeds": seeds,
    "neighbours": float(np.mean([hit(code, vectors[code]) for code in related])),
    "mean": float(np.mean(shares)),
    "best": float(np.max(shares)),
}
Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=0) + "\n")
print({key: result[key] for key in ["mcsm", "ndcg", "first", "codes", "neighbours", "mean", "best"]})
