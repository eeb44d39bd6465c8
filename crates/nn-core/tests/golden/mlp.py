"""Golden values for nn_core::models::mlp, computed by PyTorch in float64.

    pip install torch numpy scikit-learn && python3 mlp.py

mlp.json holds
activations  values and derivatives on one grid, which goes out to ±1e4 and leaves out the kinks
networks     perceptrons with random weights: input, every parameter (dense weights as [inputs, outputs]), the heads'
             outputs side by side, the loss (sum of outputs times coefficients), the gradient of every parameter
losses       one table of logits and targets with and without weights: cross-entropy, binary cross-entropy, squared error
digits_test  the test rows of scikit-learn's digits as train_test_split(range(1797), test_size=0.2, random_state=0)
             gives them
"""
import json
import os

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch.nn import functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
torch.set_default_dtype(torch.float64)

ACTIVATIONS = {
    "linear": lambda x: x,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "leaky": F.leaky_relu,
    "elu": F.elu,
    "gelu": F.gelu,
    "silu": F.silu,
    "softplus": F.softplus,
}
GRID = [-1e4, -200.0, -90.0, -30.0, -8.0, -3.0, -1.5, -0.7, -0.25, -0.01,
        0.01, 0.2, 0.6, 1.1, 2.5, 7.0, 19.0, 25.0, 95.0, 300.0, 1e4]


def numbers(tensor):
    return [float(f"{value:.10g}") for value in tensor.detach().reshape(-1).tolist()]


def activations():
    found = {"x": GRID}
    for name, function in ACTIVATIONS.items():
        x = torch.tensor(GRID, requires_grad=True)
        y = function(x)
        y.sum().backward()
        found[name] = {"y": numbers(y), "slope": numbers(x.grad)}
    return found


class Net(torch.nn.Module):
    def __init__(self, inputs, hidden, heads, activation, norm):
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        widths = [inputs, *hidden]
        self.hidden = torch.nn.ModuleList()
        for before, after in zip(widths, widths[1:]):
            layer = torch.nn.Module()
            layer.linear = torch.nn.Linear(before, after)
            if norm == "batch":
                layer.batch = torch.nn.BatchNorm1d(after)
            if norm == "layer":
                layer.layer = torch.nn.LayerNorm(after)
            self.hidden.append(layer)
        self.heads = torch.nn.ModuleList(torch.nn.Linear(widths[-1], width) for width in heads)

    def forward(self, x):
        for layer in self.hidden:
            x = layer.linear(x)
            for norm in ("batch", "layer"):
                if hasattr(layer, norm):
                    x = getattr(layer, norm)(x)
            x = self.activation(x)
        return torch.cat([head(x) for head in self.heads], 1)


def network(seed, inputs, hidden, heads, activation, norm):
    torch.manual_seed(seed)
    net = Net(inputs, hidden, heads, activation, norm)
    net.train()
    for parameter in net.parameters():
        torch.nn.init.uniform_(parameter, -0.8, 0.8)
    x = torch.randn(6, inputs)
    y = net(x)
    coefficients = torch.randn(y.shape)
    (y * coefficients).sum().backward()
    parameters = {}
    for name, parameter in net.named_parameters():
        value, gradient = parameter.detach(), parameter.grad
        if name.endswith("linear.weight") or name.startswith("heads") and name.endswith("weight"):
            value, gradient = value.T, gradient.T
        for kind in ("batch", "layer"):
            name = name.replace(f"{kind}.weight", f"{kind}.gamma").replace(f"{kind}.bias", f"{kind}.beta")
        parameters[name] = {"shape": list(value.shape), "value": numbers(value), "gradient": numbers(gradient)}
    return {
        "inputs": inputs, "hidden": hidden, "heads": heads, "activation": activation, "norm": norm,
        "x": numbers(x), "y": numbers(y), "coefficients": numbers(coefficients), "parameters": parameters,
    }


def losses():
    torch.manual_seed(5)
    rows = 4
    logits = 3 * torch.randn(rows, 3)
    classes = torch.tensor([2, 0, 1, 1])
    labels = torch.tensor([[1.0, 0, 0], [0, 1, 1], [1, 1, 0], [0, 0, 1]])
    values = torch.randn(rows, 3)
    row_weights = torch.tensor([1.0, 0.0, 2.0, 0.5])
    entry_weights = torch.tensor([[1.0, 0, 1], [1, 1, 0], [0, 0, 0], [2, 1, 1]])
    ce = F.cross_entropy(logits, classes, reduction="none")
    bce = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    se = (logits - values) ** 2
    mean = lambda loss, weight: float((loss * weight).sum() / weight.sum())
    return {
        "logits": numbers(logits), "classes": classes.tolist(), "labels": numbers(labels), "values": numbers(values),
        "row_weights": numbers(row_weights), "entry_weights": numbers(entry_weights),
        "cross_entropy": [float(ce.mean()), mean(ce, row_weights)],
        "binary": [float(bce.mean()), mean(bce, entry_weights)],
        "squared": [float(se.mean()), mean(se, entry_weights)],
    }


def main():
    golden = {
        "activations": activations(),
        "networks": [
            network(1, 5, [7, 6], [3, 2], "tanh", "none"),
            network(2, 5, [7, 6], [3], "sigmoid", "batch"),
            network(3, 4, [6], [2, 1, 1], "elu", "layer"),
            network(4, 4, [], [3], "relu", "none"),
            network(6, 6, [8], [2], "gelu", "none"),
        ],
        "losses": losses(),
        "digits_test": sorted(int(row) for row in train_test_split(np.arange(1797), test_size=0.2, random_state=0)[1]),
    }
    with open(os.path.join(HERE, "mlp.json"), "w", encoding="utf-8") as file:
        json.dump(golden, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
