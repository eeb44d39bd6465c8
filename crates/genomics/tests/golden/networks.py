"""Golden outputs of small versions of the systems that systems.py leaves, computed by PyTorch in float64.

    pip install torch numpy scikit-learn && python3 networks.py

Weights and inputs are those of systems.py: noise of a parameter's path in the Rust module, so that networks.json holds
outputs only. Sizes are those of the tests; networks are in evaluation state.
"""
import json
import os

import numpy as np
import torch
from sklearn.feature_selection import f_classif
from sklearn.linear_model import Ridge
from torch import nn
from torch.nn import functional as F

from systems import conv, dense, lstm, noise, noise_input, small, weight

HERE = os.path.dirname(os.path.abspath(__file__))
BASES = "ACGT"


def linear(path, x, outputs):
    return F.linear(x, *dense(path, x.shape[-1], outputs))


def norm(path, x, eps):
    channels = x.shape[1]
    return F.batch_norm(
        x,
        small(f"{path}.running_mean", channels),
        1 + 0.5 * noise(f"{path}.running_var", channels),
        1 + 0.5 * noise(f"{path}.gamma", channels),
        small(f"{path}.beta", channels),
        eps=eps,
    )


def sequence(name, count):
    return "".join(BASES[int((float(value) + 1) * 2)] for value in noise(name, count))


def one_hot(sequences):
    codes = torch.tensor([[BASES.index(base) for base in text] for text in sequences])
    return F.one_hot(codes, 4).permute(0, 2, 1).double()


def same(x, kernel):
    """Keras' padding `same`: of an odd number of zeros one more behind."""
    return F.pad(x, ((kernel - 1) // 2, kernel // 2))


def gru(path, x, hidden):
    """The last states of torch.nn.GRU in both directions."""
    net = nn.GRU(x.shape[2], hidden, batch_first=True, bidirectional=True)
    for direction, suffix in (("forward", ""), ("reverse", "_reverse")):
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            param = getattr(net, f"{kind}_l0{suffix}")
            name, shape = f"{path}.stack.layers.0.{direction}.{kind}", list(param.shape)
            param.data = weight(name, shape) if len(shape) == 2 else small(name, shape[0])
    state = net(x)[1]
    return torch.cat([state[0], state[1]], 1)


def deep_cpg():
    def dna():
        x = noise_input("sequences", 4, 4, 41)
        x = F.max_pool1d(F.relu(F.conv1d(x, *conv("dna.conv1", 4, 5, 5))), 4)
        x = F.max_pool1d(F.relu(F.conv1d(x, *conv("dna.conv2", 5, 6, 3))), 2)
        return F.relu(linear("dna.hidden", x.flatten(1), 7))

    def cpg():
        x = noise_input("neighbours", 4, 3, 8)
        return gru("cpg.recurrent", F.relu(linear("cpg.cell", x, 6)), 4)

    joint = torch.cat([dna(), cpg()], 1)
    for layer, units in enumerate([8, 5]):
        joint = F.relu(linear(f"joint.{layer}", joint, units))
    found = {"dna": dna(), "cpg": cpg(), "joint": joint}
    return {f"deep_cpg.{name}": linear("output", x, 3) for name, x in found.items()}


def speid():
    branches = []
    for name, length in (("enhancer", 60), ("promoter", 44)):
        x = noise_input(f"{name}s", 3, 4, length)
        branches.append(F.max_pool1d(F.relu(F.conv1d(x, *conv(name, 4, 5, 7))), 4))
    x = norm("norms.0", torch.cat(branches, 2), 1e-3)
    x = lstm("recurrent", x.permute(0, 2, 1), 3)
    x = norm("norms.1", x.permute(0, 2, 1), 1e-3).permute(0, 2, 1).flatten(1)
    x = F.relu(norm("norms.2", linear("hidden", x, 6), 1e-3))
    return {"speid": norm("norms.3", linear("output", x, 1), 1e-3)}


def xpresso():
    x = noise_input("genes", 3, 4, 50)
    x = F.max_pool1d(F.relu(F.conv1d(same(x, 6), *conv("conv1", 4, 5, 6))), 5)
    x = F.max_pool1d(F.relu(F.conv1d(same(x, 9), *conv("conv2", 5, 4, 9))), 2)
    x = torch.cat([x.flatten(1), noise_input("features", 3, 3)], 1)
    x = F.relu(linear("hidden1", x, 6))
    return {"xpresso": linear("output", F.relu(linear("hidden2", x, 3)), 1)}


def beluga(x):
    for layer, filters in enumerate([3, 4, 5, 4, 6, 5]):
        x = F.relu(F.conv1d(x, *conv(f"convolutions.{layer}", x.shape[1], filters, 4)))
        x = F.max_pool1d(x, 2) if layer in (1, 3) else x
    return linear("output", F.relu(linear("hidden", x.flatten(1), 7)), 3)


def expecto():
    """Effects as predict.py of FunctionLab/ExPecto sums them, of 31 exchanges in the middle of 101 bases."""
    reference = sequence("reference", 101)
    exchanged = reference[35:66].translate(str.maketrans("ACGT", "CATG"))
    alternative = reference[:35] + exchanged + reference[66:]
    head = torch.tensor([float(place * 7 % 5) - 2 for place in range(12)])
    effects = []
    for strand, distance in ((1, -7), (-1, 3)):
        total = 0.0
        for shift in (-10, -5, 0, 5, 10):
            windows = one_hot([text[50 + shift - 35 :][:71] for text in (reference, alternative)])
            marks = (torch.sigmoid(beluga(windows)) + torch.sigmoid(beluga(windows.flip(1, 2)))) / 2
            d = distance + strand * shift
            weights = [np.exp(-rate * np.floor(abs(d) / 5)) * on for on in (d <= 0, d >= 0) for rate in (0.1, 0.4)]
            features = torch.cat([float(weight) * (marks[1] - marks[0]) for weight in weights])
            total += float(features @ head)
        effects.append(total)
    return {"beluga": beluga(noise_input("windows", 3, 4, 71)), "expecto.effects": torch.tensor(effects)}


def ridge():
    x, y = noise("ridge.x", 48).reshape(12, 4).numpy(), noise("ridge.y", 12).numpy()
    found = {}
    for l2 in (0.5, 100):
        fit = Ridge(alpha=l2, solver="cholesky").fit(x, y)
        found[f"ridge.{l2}"] = torch.tensor([*fit.coef_, fit.intercept_])
    return found


def f_statistics():
    x = noise("f_statistics", 60).reshape(12, 5).numpy()
    return {"f_statistics": torch.tensor(f_classif(x, np.arange(12) % 3)[0])}


def gene2vec():
    windows = [sequence(name, 21) for name in ("one", "two", "three")]
    own = one_hot(windows)
    before, behind = F.pad(own, (1, 0))[:, :, :-1], F.pad(own, (0, 1))[:, :, 1:]
    words = torch.tensor([[16 * a + 4 * b + c for a, b, c in zip(t, t[1:], t[2:])] for t in own.argmax(1).tolist()])

    def table(dimension):
        return noise("embedding.weight", 65 * dimension).reshape(65, dimension) * (3 / 65) ** 0.5

    encodings = {
        "one-hot": own,
        "neighbours": torch.cat([before, own, behind], 1),
        "words": table(3)[words].permute(0, 2, 1),
        "gene2vec": table(7)[words].permute(0, 2, 1),
    }
    found = {}
    for name, x in encodings.items():
        x = F.max_pool1d(F.relu(F.conv1d(same(x, 4), *conv("conv1", x.shape[1], 5, 4))), 2)
        x = F.relu(F.conv1d(same(x, 3), *conv("conv2", 5, 4, 3)))
        found[f"gene2vec.{name}"] = linear("output", F.relu(linear("hidden", x.flatten(1), 6)), 1)
    return found


def d_gex():
    x = noise_input("landmarks", 4, 6)
    for layer, units in enumerate([5, 4, 5]):
        x = torch.tanh(linear(f"hidden.{layer}", x, units))
    return {"d_gex": linear("output", x, 3)}


def mostavi():
    """With the authors' layers: long filters as convolutions, and their pooling of one place at a distance of two."""
    image = F.pad(noise_input("samples", 3, 60), (0, 3)).reshape(3, 1, 9, 7)

    def long(name, lines, columns):
        weights, bias = dense(name, lines * columns, 4)
        x = F.relu(F.conv2d(image, weights.reshape(4, 1, lines, columns), bias))
        return F.max_pool2d(x, 1, 2).permute(0, 2, 3, 1).flatten(1)

    squares = F.relu(F.conv2d(image, weight("squares.weight", [4, 1, 3, 3]), small("squares.bias", 4), stride=2))
    lines, columns = long("line_filters", 1, 7), long("column_filters", 9, 1)
    found = {
        "lines": lines,
        "squares": F.max_pool2d(squares, 2).flatten(1),
        "hybrid": torch.cat([lines, columns], 1),
    }
    return {f"mostavi.{name}": linear("output", F.relu(linear("hidden", x, 6)), 3) for name, x in found.items()}


def gedfn():
    x = noise_input("patients", 3, 5)
    place = torch.arange(5)
    mask = ((place[:, None] - place).abs() <= 1).double()
    weights, bias = dense("graph", 5, 5)
    x = F.relu(F.linear(x, weights * mask.T, bias))
    for layer, units in enumerate([4, 3], 1):
        x = F.relu(linear(f"hidden{layer}", x, units))
    return {"gedfn": linear("output", x, 2)}


def late():
    x = noise_input("cells", 4, 6)
    for layer, units in enumerate([5, 3, 5, 6]):
        x = F.relu(linear(f"layers.{layer}", x, units))
    return {"late": x}


def main():
    golden = {}
    for system in (deep_cpg, speid, xpresso, expecto, ridge, f_statistics, gene2vec, d_gex, mostavi, gedfn, late):
        golden.update(system())
    with open(os.path.join(HERE, "networks.json"), "w") as out:
        lines = [f"  {json.dumps(name)}: {json.dumps(x.flatten().tolist())}" for name, x in golden.items()]
        out.write("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
