"""Golden values of imaging::baselines::logistic: scikit-learn's logistic regression on standardised features.

    python baselines.py > baselines.json

Made with scikit-learn 1.9.1, numpy 2.4.6.
"""

import json

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

rng = np.random.default_rng(7)


def problem(classes, penalty):
    n, columns = 150, 6
    x = (rng.normal(0, 1, (n, columns)) * [1, 10, 0.1, 3, 1, 5] + [0, 100, -3, 1, 0, 2]).astype(np.float32)
    # Two columns that say nearly the same, and one that says nothing.
    x[:, 4] = x[:, 0] + 0.05 * x[:, 4]
    x[:, 5] = 2.5
    score = np.stack([x[:, 0] * (k + 1) - 0.2 * (x[:, 1] - 100) * (k - 1) for k in range(classes)], 1)
    y = (score + rng.normal(0, 1.5, score.shape)).argmax(1)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1 / penalty, tol=1e-12, max_iter=100_000))
    model.fit(x.astype(np.float64), y)
    return {
        "classes": classes,
        "penalty": penalty,
        "rows": x.tolist(),
        "targets": y.tolist(),
        "probabilities": np.round(model.predict_proba(x.astype(np.float64)), 10).tolist(),
    }


print(json.dumps([problem(2, 1.0), problem(3, 1.0), problem(4, 0.1)]))
