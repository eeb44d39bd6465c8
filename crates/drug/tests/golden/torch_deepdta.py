"""Writes torch_deepdta.json: what tests/it/golden.rs expects of DeepDTA, from a network written in PyTorch.

    python torch_deepdta.py > torch_deepdta.json

Needs numpy and torch (2.15.0 was used). The network follows Öztürk et al. 2018 as `build_combined_categorical` of
run_experiments.py (repository hkmztrk/DeepDTA at a546a84) builds it, with small branches; no dropout.

There is no file of weights: the values of a parameter are hashes of its place in `parameters` and of the index within
it, in the Rust network's layout (weights of dense layers as [in, out]), and exact in float32. Everything is computed in
float64. `pairs` refers to `drugs` and `targets`, which no maximal length cuts.

  parameters         path, shape and scale of the values, in the order of their places
  seen, masked       by what the global maximum sees: zeros up to the maximal length as in the paper, or only windows
                     that begin and end inside the string (one window where the string is shorter than that)
    predictions      one per pair
    norms            Euclidean norm of the gradient of each parameter, for the loss mean(predictions ** 2)
    gradients        whole gradients of some parameters, flat

Rounding must decide neither which side of zero a unit is on nor which window has the maximum, or float32 would
rightly give another gradient: the script checks the distances, and that PyTorch in float32 gives the same to a fifth
of the tolerance that the test has (the largest error is 1e-6).
"""

import json
import random
import sys

import numpy as np
import torch
from torch import nn

CONFIG = {
    "smiles_vocabulary": 64,
    "protein_vocabulary": 25,
    "smiles_length": 40,
    "protein_length": 90,
    "embedding": 8,
    "filters": 4,
    "smiles_kernel": 4,
    "protein_kernel": 8,
}
# the full length, shorter than one window of the third convolution (10 and 22), and between
DRUG_LENGTHS = [40, 5, 23, 31]
TARGET_LENGTHS = [90, 15, 61]
PAIRS = [(0, 0), (1, 0), (2, 1), (3, 2), (0, 1), (2, 2), (1, 2), (3, 0)]
WHOLE = ["drug.embedding.weight", "drug.conv3.weight", "protein.embedding.weight", "protein.conv3.weight"]
TOLERANCE = 1e-5  # of tests/it/golden.rs
MARGIN = 1e-5  # distance from a tie; float32 errs by about 1e-6
SEED = 8  # of the strings; 5 to 7 come too near to a tie or lose too much in float32


class Branch(nn.Module):
    def __init__(self, vocabulary, length, kernel):
        super().__init__()
        width, filters = CONFIG["embedding"], CONFIG["filters"]
        self.length, self.reach = length, 3 * (kernel - 1) + 1
        self.embedding = nn.Embedding(vocabulary + 1, width)
        self.conv1 = nn.Conv1d(width, filters, kernel)
        self.conv2 = nn.Conv1d(filters, 2 * filters, kernel)
        self.conv3 = nn.Conv1d(2 * filters, 3 * filters, kernel)

    def forward(self, string, masked, margins):
        """One string at a time, so that nothing has to be masked out."""
        length = max(len(string), self.reach) if masked else self.length
        x = self.embedding(torch.tensor([string + [0] * (length - len(string))])).transpose(1, 2)
        for layer in (self.conv1, self.conv2, self.conv3):
            x = layer(x)
            margins.append(x.abs().min().item())
            x = torch.relu(x)
        top = x[0].amax(dim=1, keepdim=True)
        below = (top - x[0])[top.squeeze(1) > 0]  # windows of nothing but padding are equal: no tie
        margins.append(below[below > 1e-12].min().item() if (below > 1e-12).any() else float("inf"))
        return x.max(dim=2).values[0]


class DeepDta(nn.Module):
    def __init__(self):
        super().__init__()
        self.drug = Branch(CONFIG["smiles_vocabulary"], CONFIG["smiles_length"], CONFIG["smiles_kernel"])
        self.protein = Branch(CONFIG["protein_vocabulary"], CONFIG["protein_length"], CONFIG["protein_kernel"])
        self.dense1 = nn.Linear(6 * CONFIG["filters"], 1024)
        self.dense2 = nn.Linear(1024, 1024)
        self.dense3 = nn.Linear(1024, 512)
        self.output = nn.Linear(512, 1)

    def forward(self, drugs, targets, masked, margins):
        drug = torch.stack([self.drug(drugs[d], masked, margins) for d, _ in PAIRS])
        protein = torch.stack([self.protein(targets[t], masked, margins) for _, t in PAIRS])
        x = torch.cat([drug, protein], dim=1)
        for layer in (self.dense1, self.dense2, self.dense3):
            x = layer(x)
            margins.append(x.abs().min().item())
            x = torch.relu(x)
        return self.output(x).squeeze(1)


def parameters(network):
    """Path, parameter and whether Rust holds its transpose."""
    for name, module in network.named_modules():
        for leaf, parameter in module.named_parameters(recurse=False):
            yield f"{name}.{leaf}", parameter, isinstance(module, nn.Linear) and leaf == "weight"


def fractions(place, count):
    """In [-1, 1), multiples of 2 ** -23: the finaliser of MurmurHash3."""
    h = np.arange(count, dtype=np.uint32) ^ np.uint32(place << 24)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> np.uint32(13)
    h *= np.uint32(0xC2B2AE35)
    h ^= h >> np.uint32(16)
    return (h >> np.uint32(8)).astype(np.float64) / 2**23 - 1


def scale(path, fan_in):
    """About what keeps the size of activations through ReLU, as a power of two."""
    if path.endswith("bias"):
        return 0.25
    return 1.0 if "embedding" in path else 2.0 ** round(np.log2(np.sqrt(6 / fan_in)))


def fill(network):
    table = []
    for place, (path, parameter, transposed) in enumerate(parameters(network)):
        rust = parameter.T if transposed else parameter
        size = scale(path, parameter[0].numel())
        values = torch.from_numpy(fractions(place, parameter.numel()) * size).reshape(rust.shape)
        assert torch.equal(values.float().double(), values)
        with torch.no_grad():
            rust.copy_(values)
        table.append({"path": path, "shape": list(rust.shape), "scale": size})
    return table


def expected(network, drugs, targets, masked):
    margins = []
    network.zero_grad()
    predictions = network(drugs, targets, masked, margins)
    (predictions**2).mean().backward()
    gradients = {path: (p.grad.T if transposed else p.grad).flatten() for path, p, transposed in parameters(network)}
    result = {
        "predictions": predictions.detach().double(),
        "norms": torch.stack([gradient.double().norm() for gradient in gradients.values()]),
        "gradients": {path: gradients[path].double().clone() for path in WHOLE},
    }
    return result, min(margins)


def error(found, reference):
    return ((found - reference).abs().max() / reference.abs().max()).item()


def rounded(values):
    return [float(f"{value:.10g}") for value in values.tolist()]


def main():
    generator = random.Random(SEED)
    drugs = [[generator.randint(1, CONFIG["smiles_vocabulary"]) for _ in range(n)] for n in DRUG_LENGTHS]
    targets = [[generator.randint(1, CONFIG["protein_vocabulary"]) for _ in range(n)] for n in TARGET_LENGTHS]
    network = DeepDta().double().eval()
    single = DeepDta().eval()
    golden = {"config": CONFIG, "drugs": drugs, "targets": targets, "pairs": PAIRS, "parameters": fill(network)}
    fill(single)
    for name in ("seen", "masked"):
        result, margin = expected(network, drugs, targets, name == "masked")
        again, _ = expected(single, drugs, targets, name == "masked")
        errors = {"predictions": error(again["predictions"], result["predictions"])}
        errors["norms"] = ((again["norms"] - result["norms"]).abs() / result["norms"]).max().item()
        for path in WHOLE:
            errors[path] = error(again["gradients"][path], result["gradients"][path])
        print(f"{name}: margin {margin:.1e}; float32 errs by {errors}", file=sys.stderr)
        assert margin > MARGIN and max(errors.values()) < TOLERANCE / 5 and result["norms"].min() > 0
        golden[name] = {
            "predictions": rounded(result["predictions"]),
            "norms": rounded(result["norms"]),
            "gradients": {path: rounded(values) for path, values in result["gradients"].items()},
        }
    difference = np.abs(np.subtract(golden["seen"]["predictions"], golden["masked"]["predictions"]))
    print(f"seen and masked differ by {difference}", file=sys.stderr)
    # the first pair has no padding; elsewhere it must have been seen
    assert difference[0] < 1e-9 and difference.max() > 100 * TOLERANCE
    json.dump(golden, sys.stdout, separators=(",", ":"))
    print()


main()
