"""Writes leakage.json: what tests/it/{audit,baselines}.rs expect on Davis and KIBA.

    python leakage.py FOLDER > leakage.json

FOLDER holds davis/ and kiba/ with affinity.csv, drugs.csv and targets.csv. Needs numpy and rdkit (2026.9.1 was used).
"""

import collections
import csv
import json
import sys

import numpy as np
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

BINS = 20


def read(folder, label):
    def table(name):
        return list(csv.DictReader(open(f"{folder}/{name}.csv")))

    pairs = table("affinity")
    drug = np.array([int(row["drug_index"]) for row in pairs])
    target = np.array([int(row["target_index"]) for row in pairs])
    value = np.array([float(row[label]) for row in pairs]).astype(np.float32).astype(float)
    fold = np.array([row["fold"] for row in pairs])
    smiles = [row["smiles_canonical"] for row in table("drugs")]
    sequences = [row["sequence"] for row in table("targets")]
    return drug, target, value, fold, smiles, sequences


def histogram(values):
    counts = [0] * BINS
    for value in values:
        counts[min(int(value * BINS), BINS - 1)] += 1
    return counts


def concordance(measured, predicted):
    concordant, comparable = 0.0, 0
    for start in range(0, len(measured), 500):
        above = measured[start : start + 500, None] > measured[None, :]
        difference = predicted[start : start + 500, None] - predicted[None, :]
        concordant += (above * ((difference > 0) + 0.5 * (difference == 0))).sum()
        comparable += int(above.sum())
    return concordant / comparable


def scores(measured, predicted):
    # Rounding noise must not decide between equal predictions.
    predicted = np.round(predicted, 9)
    return {"mse": float(((measured - predicted) ** 2).mean()), "ci": float(concordance(measured, predicted))}


def biases(drug, target, value, train):
    drugs, targets = drug.max() + 1, target.max() + 1
    mean, a, b = value[train].mean(), np.zeros(drugs), np.zeros(targets)
    for _ in range(10):
        rest = value[train] - mean - b[target[train]]
        a = np.bincount(drug[train], rest, drugs) / (np.bincount(drug[train], minlength=drugs) + 1)
        rest = value[train] - mean - a[drug[train]]
        b = np.bincount(target[train], rest, targets) / (np.bincount(target[train], minlength=targets) + 1)
    return mean + a[drug] + b[target]


def factorised(drug, target, value, train, rank, ridge, sweeps, seed):
    base = biases(drug, target, value, train)
    rest = value - base
    sides = [(drug, drug.max() + 1), (target, target.max() + 1)]
    factors = [None, np.random.default_rng(seed).uniform(-0.17, 0.17, (target.max() + 1, rank))]
    for _ in range(sweeps):
        for own, (index, count) in enumerate(sides):
            solved = np.zeros((count, rank))
            for entity in range(count):
                rows = train[index[train] == entity]
                if len(rows):
                    x = factors[1 - own][sides[1 - own][0][rows]]
                    solved[entity] = np.linalg.solve(x.T @ x + ridge * np.eye(rank), x.T @ rest[rows])
            factors[own] = solved
    return base + (factors[0][drug] * factors[1][target]).sum(1)


def neighbours(drug, target, value, train, query, tanimoto):
    known = np.full((drug.max() + 1, target.max() + 1), np.nan)
    known[drug[train], target[train]] = value[train]
    weights = tanimoto**3
    total = weights @ ~np.isnan(known)
    with np.errstate(invalid="ignore", divide="ignore"):
        answer = (weights @ np.nan_to_num(known)) / total
    return answer[drug[query], target[query]], total[drug[query], target[query]]


def kmers(sequence):
    return {sequence[i : i + 5] for i in range(len(sequence) - 4)}


def facts(folder, label):
    drug, target, value, fold, smiles, sequences = read(folder, label)
    inputs = [(smiles[d], sequences[t]) for d, t in zip(drug, target)]
    found = {"rows": len(value), "distinct_targets": len(set(sequences))}

    # Conflicts and the commonest label, over all rows.
    by_input = collections.defaultdict(list)
    for row, key in enumerate(inputs):
        by_input[key].append(row)
    spread = {key: np.ptp(value[rows]) for key, rows in by_input.items()}
    found["conflicts"] = {
        "repeated": sum(len(rows) > 1 for rows in by_input.values()),
        "inputs": int(sum(width > 0 for width in spread.values())),
        "rows": sum(len(by_input[key]) for key, width in spread.items() if width > 0),
        "largest_spread": float(max(spread.values())),
        "irreducible_mse": float(
            sum(((value[rows] - value[rows].mean()) ** 2).sum() for rows in by_input.values()) / len(value)
        ),
    }
    (common, count), = collections.Counter(value.tolist()).most_common(1)
    found["common"] = {"value": common, "rows": count}

    # The published folds.
    test = np.where(fold == "test")[0]
    train = np.where(fold != "test")[0]
    twins = collections.defaultdict(list)
    for row in train:
        twins[inputs[row]].append(value[row])
    same = [row for row in test if inputs[row] in twins]
    found["upstream"] = {
        "test": len(test),
        "same_input": len(same),
        "largest_difference": float(max(abs(value[row] - np.mean(twins[inputs[row]])) for row in same)),
        "mean": scores(value[test], np.full(len(test), value[train].mean()))["mse"],
        "biases": scores(value[test], biases(drug, target, value, train)[test]),
        "factorised": scores(value[test], factorised(drug, target, value, train, 16, 5.0, 20, 0)[test]),
    }

    # Every fifth drug held out, and every fifth target.
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    molecules = [Chem.MolFromSmiles(text) for text in smiles]
    flat = [Chem.MolToSmiles(molecule, isomericSmiles=False) for molecule in molecules]
    prints = [generator.GetFingerprint(molecule) for molecule in molecules]
    tanimoto = np.array([DataStructs.BulkTanimotoSimilarity(own, prints) for own in prints])
    test, train = np.where(drug % 5 == 0)[0], np.where(drug % 5 != 0)[0]
    old, new = sorted(set(drug[train])), sorted(set(drug[test]))
    seen = {flat[d] for d in old}
    nearest = {flat[d]: 1.0 if flat[d] in seen else float(tanimoto[d, old].max()) for d in new}
    predicted, weight = neighbours(drug, target, value, train, test, tanimoto)
    assert (weight > 0).all()
    found["cold_drug"] = {
        "drugs": len(nearest),
        "seen": len(seen & set(nearest)),
        "median": float(np.median(list(nearest.values()))),
        "histogram": histogram(nearest.values()),
        "neighbours": scores(value[test], predicted),
    }
    test, train = np.where(target % 5 == 0)[0], np.where(target % 5 != 0)[0]
    old = {sequences[t] for t in set(target[train])}
    sets = {sequence: kmers(sequence) for sequence in sequences}
    nearest = {}
    for t in sorted(set(target[test])):
        own = sets[sequences[t]]
        best = max(len(own & sets[other]) / len(own | sets[other]) for other in old)
        nearest[sequences[t]] = 1.0 if sequences[t] in old else best
    found["cold_target"] = {
        "targets": len(nearest),
        "seen": len(old & set(nearest)),
        "median": float(np.median(list(nearest.values()))),
        "histogram": histogram(nearest.values()),
    }
    return found


if __name__ == "__main__":
    print(
        json.dumps(
            {
                "davis": facts(f"{sys.argv[1]}/davis", "pkd"),
                "kiba": facts(f"{sys.argv[1]}/kiba", "kiba_score"),
            },
            indent=1,
        )
    )
