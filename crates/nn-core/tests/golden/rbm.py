"""Reference values for restricted Boltzmann machines from scikit-learn (run with 1.9.1), written to rbm.json.

- "split": rows of scikit-learn's digits in train_test_split(test_size=0.2, random_state=0).
- "machine": a small BernoulliRBM fitted on digits / 16, its parameters, and what it gives for a few rows: transform,
  free energy, and the pseudo-likelihood with every unit flipped in turn (the exact sum of which score_samples draws one
  term).
- "digits": what BernoulliRBM(100, learning_rate=0.06, n_iter=10, batch_size=10) reaches over the seeds 0 to 11. The
  tolerances of the test are made from the spread over seeds. score_samples itself draws one unit a row and so varies by
  more than half a nat from one seed to the next; its value for random_state=0 is kept under "score_of_seed_0".
"""

import json
import os
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import BernoulliRBM

SEEDS = 12


def exact_pseudo_likelihood(rbm, v):
    free = rbm._free_energy(v)
    total = np.zeros(len(v))
    for unit in range(v.shape[1]):
        flipped = v.copy()
        flipped[:, unit] = 1 - flipped[:, unit]
        total -= np.logaddexp(0, free - rbm._free_energy(flipped))
    return total


def reconstruct(rbm, v):
    hidden = rbm.transform(v)
    return 1 / (1 + np.exp(-(hidden @ rbm.components_ + rbm.intercept_visible_)))


def moments(values):
    return {"mean": round(float(np.mean(values)), 5), "sd": round(float(np.std(values, ddof=1)), 5)}


def main():
    x, y = load_digits(return_X_y=True)
    x = x / 16
    train, test = train_test_split(np.arange(len(x)), test_size=0.2, random_state=0)

    small = BernoulliRBM(6, learning_rate=0.1, n_iter=20, batch_size=10, random_state=3).fit(x[train])
    # Single precision, so that both sides compute with the same parameters.
    for name in ("components_", "intercept_visible_", "intercept_hidden_"):
        setattr(small, name, getattr(small, name).astype(np.float32).astype(np.float64))
    rows = [0, 1, 5, 100, 1000]
    machine = {
        "weight": [float(np.float32(w)) for w in small.components_.T.ravel()],
        "visible_bias": [float(b) for b in small.intercept_visible_],
        "hidden_bias": [float(b) for b in small.intercept_hidden_],
        "rows": rows,
        "transform": [round(float(p), 9) for p in small.transform(x[rows]).ravel()],
        "free_energy": [round(float(f), 7) for f in small._free_energy(x[rows])],
        "pseudo_likelihood": [round(float(p), 7) for p in exact_pseudo_likelihood(small, x[rows])],
    }

    found = {"pseudo_likelihood": [], "score": [], "train_mse": [], "test_mse": [], "accuracy": []}
    for seed in range(SEEDS):
        rbm = BernoulliRBM(100, learning_rate=0.06, n_iter=10, batch_size=10, random_state=seed).fit(x[train])
        found["score"].append(rbm.score_samples(x[train]).mean())
        found["pseudo_likelihood"].append(exact_pseudo_likelihood(rbm, x[train]).mean())
        found["train_mse"].append(((reconstruct(rbm, x[train]) - x[train]) ** 2).mean())
        found["test_mse"].append(((reconstruct(rbm, x[test]) - x[test]) ** 2).mean())
        regression = LogisticRegression(C=100, max_iter=2000).fit(rbm.transform(x[train]), y[train])
        found["accuracy"].append(regression.score(rbm.transform(x[test]), y[test]))
    digits = {name: moments(values) for name, values in found.items()}
    digits["score_of_seed_0"] = round(float(found["score"][0]), 3)
    digits["test_mse_of_seed_0"] = round(float(found["test_mse"][0]), 5)
    digits["accuracy_of_seed_0"] = round(float(found["accuracy"][0]), 5)

    golden = {"split": {"train": train.tolist(), "test": test.tolist()}, "machine": machine, "digits": digits}
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(golden) + "\n")
    print(json.dumps(digits, indent=1))


main()
