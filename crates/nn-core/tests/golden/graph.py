"""Graph convolution and variational graph autoencoder in numpy and PyTorch, float64, written from the papers.

Kipf and Welling 2017, equation 2; Kipf and Welling 2016 with the loss of the authors' code (gae/optimizer.py and train.py of
github.com/tkipf/gae: `weighted_cross_entropy_with_logits`, `pos_weight`, `norm`, labels with loops).
Run: python graph.py > graph.json (numpy, scipy, torch 2.x on the CPU)
"""
import json

import numpy as np
import scipy.sparse as sp
import torch

torch.set_default_dtype(torch.float64)
torch.manual_seed(5)
rng = np.random.default_rng(5)
NODES, INPUTS, HIDDEN, LATENT = 7, 4, 5, 3

upper = np.triu(rng.random((NODES, NODES)) < 0.4, 1)
adjacency = (upper | upper.T).astype(float)


def preprocess_graph(adj):
    """As in the authors' preprocessing.py, by sparse matrices."""
    adj_ = sp.coo_matrix(adj) + sp.eye(adj.shape[0])
    rowsum = np.array(adj_.sum(1))
    inv_sqrt = sp.diags(np.power(rowsum, -0.5).flatten())
    return adj_.dot(inv_sqrt).transpose().dot(inv_sqrt).toarray()


normalised = preprocess_graph(adjacency)
features = torch.randn(NODES, INPUTS).float().double()
noise = torch.randn(NODES, LATENT).float().double()
shapes = {"hidden": [INPUTS, HIDDEN], "mean": [HIDDEN, LATENT], "log_sd": [HIDDEN, LATENT]}
p = {n: (0.7 * torch.randn(s)).float().double().requires_grad_() for n, s in shapes.items()}

a = torch.tensor(normalised)
h = torch.relu(a @ features @ p["hidden"])
mean = a @ h @ p["mean"]
log_sd = a @ h @ p["log_sd"]
z = mean + noise * torch.exp(log_sd)
logits = (z @ z.T).reshape(-1)
labels = torch.tensor(adjacency + np.eye(NODES)).reshape(-1)
pos_weight = (NODES * NODES - adjacency.sum()) / adjacency.sum()
norm = NODES * NODES / ((NODES * NODES - adjacency.sum()) * 2)
cross = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels, pos_weight=torch.tensor(pos_weight))
reconstruction = norm * cross
kl = -(0.5 / NODES) * (1 + 2 * log_sd - mean**2 - torch.exp(log_sd) ** 2).sum(1).mean()
loss = reconstruction + kl
loss.backward()


def flat(values):
    return [float(f"{value:.9g}") for value in np.asarray(values).reshape(-1).tolist()]


print(
    json.dumps(
        {
            "made with": f"numpy {np.__version__}, torch {torch.__version__}",
            "adjacency": flat(adjacency),
            "normalised": flat(normalised),
            "features": flat(features),
            "noise": flat(noise),
            "weights": {n: flat(v.detach()) for n, v in p.items()},
            "gradients": {n: flat(v.grad) for n, v in p.items()},
            "convolved": flat((a @ features @ p["hidden"]).detach()),
            "mean": flat(mean.detach()),
            "log_sd": flat(log_sd.detach()),
            "reconstruction": reconstruction.item(),
            "kl": kl.item(),
        },
        indent=None,
    )
)
