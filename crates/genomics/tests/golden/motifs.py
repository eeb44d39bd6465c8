"""Motif comparison and scanning by memelite 0.5.0 (TOMTOM with complete scores, FIMO), for motifs.json.

    pip install memelite==0.5.0
    python motifs.py > motifs.json

The first run compiles for some minutes. Scores are rounded to 1000 bins, target columns are not merged, so that what is
left of a difference to another implementation is the rounding.
"""

import json

import numpy
from memelite import fimo, tomtom

rng = numpy.random.default_rng(20)


def motif(width):
    columns = rng.dirichlet([0.4] * 4, size=width).round(4)
    columns[:, 3] = (1 - columns[:, :3].sum(axis=1)).round(4)
    return columns


def noisy(columns):
    mixed = (0.8 * columns + 0.2 * rng.dirichlet([1.0] * 4, size=len(columns))).round(4)
    mixed[:, 3] = (1 - mixed[:, :3].sum(axis=1)).round(4)
    return mixed


database = [motif(int(width)) for width in rng.integers(5, 13, size=40)]
queries = [noisy(database[3]), noisy(database[17])[::-1, ::-1], noisy(database[30])[1:5], motif(9)]
found = tomtom(
    [q.T.copy() for q in queries],
    [t.T.copy() for t in database],
    n_target_bins=None,
    n_score_bins=1000,
    n_cache=1000,
    n_median_bins=100000,
    n_jobs=1,
)
compared = [
    {"p": [float(f"{p:.6g}") for p in found[0, i]], "offset": found[2, i].astype(int).tolist(),
     "overlap": found[3, i].astype(int).tolist(), "reverse": found[4, i].astype(int).tolist()}
    for i in range(len(queries))
]

# FIMO: probabilities are smoothed with 0.1 of the background in 20 sites, as FIMO does, and nothing is added to them
sites, pseudocount = 20, 0.1
scanned = [database[3], database[17]]
smoothed = {str(i): ((sites * m + pseudocount * 0.25) / (sites + pseudocount)).T for i, m in enumerate(scanned)}
letters = rng.integers(0, 4, size=(12, 300))
for row in range(0, 12, 2):
    m = scanned[row // 2 % 2]
    best = m.argmax(axis=1)
    at = int(rng.integers(0, 280))
    letters[row, at : at + len(best)] = best if row % 4 == 0 else 3 - best[::-1]
one_hot = numpy.zeros((12, 4, 300), dtype="int8")
for row in range(12):
    one_hot[row, letters[row], numpy.arange(300)] = 1
hits = []
for i, table in enumerate(fimo(smoothed, one_hot, bin_size=0.001, eps=1e-9, threshold=1e-3)):
    for hit in table.itertuples(index=False):
        hits.append([i, int(hit.sequence_name), int(hit.start), hit.strand, round(float(hit.score), 4),
                     float(f"{getattr(hit, '_7'):.6g}")])

numbers = lambda motifs: [[[float(v) for v in column] for column in m] for m in motifs]
print(json.dumps({
    "database": numbers(database),
    "queries": numbers(queries),
    "compared": compared,
    "scanned": numbers(scanned),
    "sequences": ["".join("ACGT"[b] for b in row) for row in letters],
    "hits": sorted(hits),
}))
