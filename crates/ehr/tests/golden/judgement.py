"""Golden values of baselines, calibration, survival metrics and Cox regression.

    pip install numpy scipy scikit-learn lifelines scikit-survival pycox && python3 judgement.py

Data are drawn here and stored with the results, rounded to what single precision holds.
"""
import importlib.util
import json
import os
import warnings

import numpy as np
import pandas as pd
from lifelines import AalenJohansenFitter, CoxPHFitter, KaplanMeierFitter
from lifelines.utils import concordance_index
from scipy.optimize import brentq, minimize_scalar
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.metrics import brier_score, concordance_index_ipcw, integrated_brier_score
from sksurv.util import Surv

warnings.filterwarnings("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(20260101)
found = {}


def f32(x):
    return np.asarray(x, dtype=np.float32).astype(np.float64)


def table(x):
    return [None if np.isnan(v) else float(v) for v in np.asarray(x).flatten()]


def numbers(x):
    return [float(v) for v in np.asarray(x).flatten()]


# calibration: logits that are too extreme and too high
n = 80
truth = rng.normal(size=n)
y = rng.random(n) < expit(truth)
z = f32(2 * truth + 0.5 + 0.3 * rng.normal(size=n))
z[10] = z[11] = z[12]
line = LogisticRegression(C=np.inf, tol=1e-14, max_iter=100000, solver="newton-cholesky").fit(z[:, None], y)
large = brentq(lambda a: np.sum(expit(z + a)) - y.sum(), -5, 5, xtol=1e-14)
nll = lambda b: np.sum(np.logaddexp(0, b * z) - y * b * z)
temperature = 1 / minimize_scalar(nll, bounds=(0.01, 10), method="bounded", options={"xatol": 1e-12}).x
iso = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(z, y.astype(float))
query = np.linspace(-6, 6, 41)
found["calibration"] = {
    "labels": [bool(v) for v in y], "logits": numbers(z), "slope": line.coef_[0, 0], "intercept": line.intercept_[0],
    "in_the_large": large, "temperature": temperature, "query": numbers(query), "isotonic": numbers(iso.predict(query)),
}

# tables with gaps
n = 120
x = f32(np.column_stack([rng.normal(size=n), rng.exponential(size=n), rng.integers(0, 6, n), np.ones(n)]))
y = rng.random(n) < expit(1.2 * x[:, 0] - 0.7 * (x[:, 1] > 1) + 0.4 * (x[:, 2] == 3))
gap = rng.random(n) < 0.2 + 0.2 * y
x[gap, 0] = np.nan
logistic = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(C=2.0, tol=1e-12, max_iter=10000))
logistic.fit(x, y)
ask = np.vstack([x[:5], f32(rng.normal(size=(5, 4)))])
ask[-1, 1] = np.nan  # a gap where training has none
boost = HistGradientBoostingClassifier(
    max_iter=20, learning_rate=0.2, max_leaf_nodes=6, min_samples_leaf=8, l2_regularization=0.5, early_stopping=False
).fit(x, y)
dense = x[:, :2].copy()
dense[gap, 0] = f32(rng.normal(size=gap.sum()))
trees = [DecisionTreeClassifier(min_samples_leaf=12, random_state=s).fit(dense, y) for s in range(20)]
share = [t.predict_proba(dense)[:, 1] for t in trees]
assert all(np.allclose(s, share[0]) for s in share), "a tie among splits: draw other data"
found["tables"] = {
    "values": table(x), "columns": 4, "labels": [bool(v) for v in y], "query": table(ask),
    "logistic": numbers(logistic.decision_function(np.vstack([x, ask]))),
    "boosting": numbers(boost.decision_function(np.vstack([x, ask]))),
    "dense": table(dense), "tree": numbers(share[0]),
}

# survival: no two times are equal
n, m = 90, 60


def draw(n):
    v = f32(rng.normal(size=n))
    t1 = rng.exponential(10 * np.exp(-0.8 * v))
    t2 = rng.exponential(18, size=n)
    c = rng.exponential(14, size=n)
    t = np.round(np.minimum(np.minimum(t1, t2), c), 6)
    cause = np.where(c <= np.minimum(t1, t2), 0, np.where(t1 < t2, 1, 2))
    return v, t, cause


v0, t0, k0 = draw(n)
v1, t1, k1 = draw(m)
# scikit-survival asks that nobody be watched longer than in training
late = t1 > 15
t1[late], k1[late] = 15 + 0.001 * np.arange(late.sum()), 0
assert len(set(t0) | set(t1)) == n + m and t0.max() > t1.max()
grid = np.array([1.0, 2.0, 4.0, 6.0, 8.0])
hazard = 0.08 * np.exp(0.6 * v1 + 0.2 * rng.normal(size=m))
shape = np.exp(0.3 * rng.normal(size=m))
risk = np.round(1 - np.exp(-hazard[:, None] * grid[None, :] ** shape[:, None]), 6)
train, test = Surv.from_arrays(k0 > 0, t0), Surv.from_arrays(k1 > 0, t1)
km = KaplanMeierFitter().fit(t0, k0 > 0)
aj = {}
for cause in [1, 2]:
    aj[cause] = AalenJohansenFitter(calculate_variance=False).fit(t0, k0, event_of_interest=cause)
spec = importlib.util.find_spec("pycox")
path = os.path.join(list(spec.submodule_search_locations)[0], "evaluation", "concordance.py")
spec = importlib.util.spec_from_file_location("concordance", path)
pycox = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pycox)
column = (np.searchsorted(grid, t1, side="right") - 1).clip(0)
antolini = pycox.concordance_td(t1, (k1 > 0), 1 - risk.T, column, "antolini")
antolini_1 = pycox.concordance_td(t1, (k1 == 1), 1 - risk.T, column, "antolini")
at = risk[:, 3]


def deephit(pred, time, cause, k, horizon):
    """c_index of the authors' utils_eval.py, written out."""
    num = den = 0
    for i in range(len(time)):
        if time[i] <= horizon and cause[i] == k:
            for j in range(len(time)):
                if time[i] < time[j]:
                    den += 1
                    num += pred[i] > pred[j]
    return num / den


def gerds(k, horizon, pred):
    """IPCW Brier score with competing events, the censoring's Kaplan-Meier from lifelines."""
    g = KaplanMeierFitter().fit(t0, k0 == 0)
    before = lambda t: float(g.predict(t - 1e-9))
    total = 0.0
    for t, c, p in zip(t1, k1, pred):
        if t > horizon:
            total += p**2 / float(g.predict(horizon))
        elif c > 0:
            total += ((c == k) - p) ** 2 / before(t)
    return total / len(t1)


found["survival"] = {
    "train_times": numbers(t0), "train_causes": [int(c) for c in k0],
    "times": numbers(t1), "causes": [int(c) for c in k1], "grid": numbers(grid), "risks": numbers(risk),
    "kaplan_meier": numbers(km.predict(grid)),
    "aalen_johansen_1": [float(aj[1].predict(g)) for g in grid], "aalen_johansen_2": [float(aj[2].predict(g)) for g in grid],
    "harrell": concordance_index(t1, -at, k1 > 0),
    "uno": concordance_index_ipcw(train, test, at, tau=8.0)[0],
    "antolini": antolini, "antolini_1": antolini_1, "cause_specific": deephit(at, t1, k1, 1, 6.0),
    "brier": numbers(brier_score(train, test, 1 - risk, grid)[1]),
    "integrated_brier": integrated_brier_score(train, test, 1 - risk, grid),
    "brier_1": gerds(1, 6.0, at),
}

# Cox regression with many ties
n = 90
x = f32(np.column_stack([rng.normal(size=n), 5 + 3 * rng.normal(size=n), rng.integers(0, 2, n)]))
t = np.ceil(rng.exponential(6 * np.exp(-0.5 * x[:, 0] + 0.1 * (x[:, 1] - 5))))
c = np.ceil(rng.exponential(10, size=n))
e = t <= c
t = np.minimum(t, c)
frame = pd.DataFrame(x, columns=["a", "b", "c"]).assign(t=t, e=e)
cox = CoxPHFitter().fit(frame, "t", "e", fit_options={"precision": 1e-12})
breslow = CoxPHSurvivalAnalysis(ties="breslow", tol=1e-14, n_iter=1000).fit(x, Surv.from_arrays(e, t))
efron = CoxPHSurvivalAnalysis(ties="efron", tol=1e-14, n_iter=1000).fit(x, Surv.from_arrays(e, t))
assert np.allclose(efron.coef_, cox.params_, atol=1e-6)
ask = np.array([1.0, 3.0, 6.0])
found["cox"] = {
    "values": numbers(x), "times": numbers(t), "events": [bool(v) for v in e],
    "coefficients": numbers(cox.params_), "standard_errors": numbers(cox.standard_errors_),
    "log_likelihood": cox.log_likelihood_, "breslow": numbers(breslow.coef_),
    "query": numbers(ask), "survival": numbers(cox.predict_survival_function(frame.head(4), times=ask).T),
    "concordance": cox.concordance_index_,
}
with open(os.path.join(HERE, "judgement.json"), "w") as file:
    json.dump(found, file)
    file.write("\n")
