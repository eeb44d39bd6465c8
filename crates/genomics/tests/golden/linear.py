"""Writes linear.json: what src/kmer/tests.rs expects of linear models of k-mer counts.

    python linear.py > linear.json

Counting is spelt out here; the models are scikit-learn's (1.9.1 was used, with numpy 2.4.6), with tolerances that leave
nothing to the solver. Logits are given to nine significant digits.
"""

import itertools
import json

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

ROWS, LENGTH, UNSEEN = 60, 40, 12
PENALTIES = [1.0, 30.0]


def other_strand(word):
    return word[::-1].translate(str.maketrans("ACGT", "TGCA"))


def count(sequences, k, both_strands):
    words = ["".join(word) for word in itertools.product("ACGT", repeat=k)]
    if both_strands:
        words = [word for word in words if word <= other_strand(word)]
    place = {word: column for column, word in enumerate(words)}
    table = np.zeros((len(sequences), len(words)))
    for row, sequence in enumerate(sequences):
        for start in range(len(sequence) - k + 1):
            word = sequence[start : start + k]
            if set(word) <= set("ACGT"):
                table[row, place[min(word, other_strand(word)) if both_strands else word]] += 1
    return table


def main():
    draw = np.random.default_rng(20)
    classes = draw.integers(0, 3, ROWS + UNSEEN)
    shares = np.array([[0.3, 0.2, 0.2, 0.3], [0.2, 0.3, 0.3, 0.2], [0.4, 0.1, 0.2, 0.3]])
    sequences = ["".join(draw.choice(list("ACGT"), LENGTH, p=shares[c])) for c in classes]
    sequences = [s[:5] + "N" + s[6:] if row % 7 == 0 else s for row, s in enumerate(sequences)]
    values = [round(float(s.count("CG") - 0.3 * s.count("A") + draw.normal()), 3) for s in sequences]
    yes = [int(c == 1) if draw.random() > 0.2 else int(c != 1) for c in classes]
    out = {"sequences": sequences, "fitted": ROWS, "classes": classes.tolist(), "values": values, "yes": yes, "models": []}
    for k, both_strands in [(1, False), (2, False), (2, True), (3, True)]:
        raw = count(sequences, k, both_strands)
        scaler = StandardScaler().fit(raw[:ROWS])
        x = scaler.transform(raw)
        for penalty in PENALTIES:
            exact = dict(C=1 / penalty, solver="newton-cholesky", tol=1e-12, max_iter=1000)
            yes_model = LogisticRegression(**exact).fit(x[:ROWS], yes[:ROWS])
            class_model = LogisticRegression(**exact).fit(x[:ROWS], classes[:ROWS])
            ridge = Ridge(alpha=penalty, solver="cholesky").fit(x[:ROWS], values[:ROWS])
            logits = class_model.decision_function(x)
            out["models"].append(
                {
                    "k": k,
                    "both_strands": both_strands,
                    "penalty": penalty,
                    "columns": raw.shape[1],
                    "yes": [float(f"{v:.9g}") for v in yes_model.decision_function(x)[ROWS:]],
                    # Intercepts are free up to a constant for all classes: only differences are compared.
                    "classes": [[float(f"{v:.9g}") for v in row - row.mean()] for row in logits[ROWS:]],
                    "values": [float(f"{v:.9g}") for v in ridge.predict(x)[ROWS:]],
                }
            )
    print(json.dumps(out))


main()
