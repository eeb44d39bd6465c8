"""Golden values for the recurrent stacks, from PyTorch in double precision.

    pip install numpy torch
    python recurrent.py          # rewrites recurrent.json beside this file

Two layers in both directions over three rows of which two are shorter than the batch (packed sequences). Inputs and
weights are multiples of 1/256, so that single precision holds them exactly. The loss is a weighted sum of the outputs
of all steps, of the last layer's states after each row's last step and, for the LSTM, of its cells there.
"""

import json
import pathlib

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

INPUT, HIDDEN, LAYERS, TIME = 3, 5, 2, 6
LENGTHS = [4, 6, 1]


def case(kind, rng):
    def numbers(*shape):
        return torch.tensor(rng.integers(-128, 129, size=shape) / 256, dtype=torch.float64)

    def values(tensor):
        return [float(f"{value:.11g}") for value in tensor.detach().flatten().tolist()]

    sizes = dict(num_layers=LAYERS, bidirectional=True, batch_first=True, dtype=torch.float64)
    network = {
        "tanh": lambda: torch.nn.RNN(INPUT, HIDDEN, **sizes),
        "relu": lambda: torch.nn.RNN(INPUT, HIDDEN, nonlinearity="relu", **sizes),
        "gru": lambda: torch.nn.GRU(INPUT, HIDDEN, **sizes),
        "lstm": lambda: torch.nn.LSTM(INPUT, HIDDEN, **sizes),
    }[kind]()
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(numbers(*weight.shape))
    rows = len(LENGTHS)
    x = (2 * numbers(rows, TIME, INPUT)).requires_grad_()
    packed = pack_padded_sequence(x, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False)
    packed, states = network(packed)
    sequence, _ = pad_packed_sequence(packed, batch_first=True, total_length=TIME)
    states = states if kind == "lstm" else (states,)
    # [layers * directions, rows, hidden]; the last two are those of the last layer, forwards and backwards.
    found = {"sequence": sequence}
    for name, state in zip(["last", "cell"], states):
        found[name] = torch.cat([state[-2], state[-1]], dim=1)
    factors = {name: numbers(*value.shape) for name, value in found.items()}
    sum((found[name] * factors[name]).sum() for name in found).backward()
    return {
        "x": values(x),
        "weights": {name: values(weight) for name, weight in network.named_parameters()},
        "factors": {name: values(value) for name, value in factors.items()},
        "found": {name: values(value) for name, value in found.items()},
        "gradients": {"x": values(x.grad)} | {name: values(weight.grad) for name, weight in network.named_parameters()},
    }


rng = np.random.default_rng(1997)
golden = {
    "torch": torch.__version__.split("+")[0],
    "sizes": {"input": INPUT, "hidden": HIDDEN, "layers": LAYERS, "time": TIME, "lengths": LENGTHS},
    "cells": {kind: case(kind, rng) for kind in ["tanh", "relu", "gru", "lstm"]},
}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
