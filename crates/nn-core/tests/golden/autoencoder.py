"""Writes autoencoder.json: the split of the digits, what principal components reach on it, and small autoencoders
computed by PyTorch in double precision.

    python autoencoder.py ../../../../data/samples/digits.csv.gz
"""

import gzip
import json
import sys

import numpy as np
import torch
from sklearn.model_selection import train_test_split

torch.set_default_dtype(torch.float64)
generator = torch.Generator().manual_seed(2010)


def draw(*shape):
    """Values of six digits, so that the file is short and single precision holds them as well as double."""
    return (torch.randn(*shape, generator=generator) * 0.7).round(decimals=6)


def lists(value):
    return value.detach().tolist() if isinstance(value, torch.Tensor) else [lists(item) for item in value]


with gzip.open(sys.argv[1]) as file:
    table = np.loadtxt(file, delimiter=",")
pixels = table[:, :64] / 16
train, test = train_test_split(np.arange(len(pixels)), test_size=0.2, random_state=0)
mean = pixels[train].mean(0)
centred = pixels[train] - mean
# squared error per value that is left when the leading k components are kept
eigenvalues, vectors = np.linalg.eigh(centred.T @ centred / centred.size)
eigenvalues, vectors = eigenvalues[::-1], vectors[:, ::-1]
bounds = {str(k): eigenvalues[k:].sum() for k in (8, 16, 32)}
for k, bound in bounds.items():
    kept = vectors[:, : int(k)]
    assert abs(((centred @ kept @ kept.T - centred) ** 2).mean() - bound) < 1e-12
print({k: round(bound, 6) for k, bound in bounds.items()})


def one(name, inputs, hidden, activation, output, tied, loss):
    """One loss and its gradients, of a corrupted input and a clean target."""
    widths = [inputs, *hidden]
    weights = [draw(a, b) for a, b in zip(widths, hidden)]
    biases = [draw(width) for width in hidden]
    back = [] if tied else [draw(b, a) for a, b in zip(widths, hidden)]
    back_biases = [draw(width) for width in widths[:-1]]
    parameters = weights + biases + back + back_biases
    for parameter in parameters:
        parameter.requires_grad_()
    clean = torch.rand(5, inputs, generator=generator).round(decimals=6)
    noisy = clean * (torch.rand(5, inputs, generator=generator) > 0.3)

    x = noisy
    for weight, bias in zip(weights, biases):
        x = activation(x @ weight + bias)
    code = x
    for index in reversed(range(len(hidden))):
        x = x @ (weights[index].T if tied else back[index]) + back_biases[index]
        x = activation(x) if index > 0 else output(x)
    value = loss(x, clean)
    value.backward()
    return {
        "name": name,
        "weights": lists(weights),
        "biases": lists(biases),
        "back": lists(back),
        "back_biases": lists(back_biases),
        "clean": lists(clean),
        "noisy": lists(noisy),
        "code": lists(code),
        "reconstruction": lists(x),
        "loss": value.item(),
        "gradients": {
            "weights": lists([parameter.grad for parameter in weights]),
            "biases": lists([parameter.grad for parameter in biases]),
            "back": lists([parameter.grad for parameter in back]),
            "back_biases": lists([parameter.grad for parameter in back_biases]),
        },
    }


functional = torch.nn.functional
cases = [
    one("tied denoising", 6, [4], torch.sigmoid, torch.sigmoid, True, functional.binary_cross_entropy),
    one("tied, two layers", 6, [5, 3], torch.sigmoid, torch.sigmoid, True, functional.binary_cross_entropy),
    one("untied, two layers", 6, [5, 3], torch.tanh, lambda x: x, False, functional.mse_loss),
]
json.dump(
    {
        "train": train.tolist(),
        "test": test.tolist(),
        "eigenvalues": eigenvalues.tolist(),
        "bounds": bounds,
        "cases": cases,
    },
    open("autoencoder.json", "w"),
)
