"""Golden outputs of small versions of the systems, computed by PyTorch in float64.

    pip install torch numpy && python3 systems.py

Inputs and weights are numbers that the tests compute as well (`noise`), so that systems.json holds outputs only. A
parameter's noise is that of its path in the Rust module; dense weights are [inputs, outputs] there. Sizes are those of
the tests; networks are in evaluation state.
"""
import json
import os

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
torch.set_default_dtype(torch.float64)
MASK = (1 << 64) - 1


def noise(name, count):
    """splitmix64 of the name's FNV-1a hash and the place, the upper 24 bits, in [-1, 1)."""
    start = 0xCBF29CE484222325
    for byte in name.encode():
        start = ((start ^ byte) * 0x0000_0100_0000_01B3) & MASK
    with np.errstate(over="ignore"):
        place = np.arange(1, count + 1, dtype=np.uint64)
        z = np.uint64(start) + place * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = (z ^ (z >> np.uint64(31))) >> np.uint64(40)
    return torch.tensor(z.astype(np.float64) / (1 << 23) - 1)


def weight(path, shape):
    """A weight or context, [outputs, inputs…] except for dense layers, which give `fan` themselves."""
    fan = int(np.prod(shape)) // shape[0]
    return noise(path, int(np.prod(shape))).reshape(shape) * (3 / fan) ** 0.5


def small(path, shape):
    return 0.25 * noise(path, shape)


def conv(path, inputs, outputs, kernel):
    return weight(f"{path}.weight", [outputs, inputs, kernel]), small(f"{path}.bias", outputs)


def dense(path, inputs, outputs):
    values = noise(f"{path}.weight", inputs * outputs).reshape(inputs, outputs) * (3 / inputs) ** 0.5
    return values.T, small(f"{path}.bias", outputs)


def norm(path, x):
    channels = x.shape[1]
    return F.batch_norm(
        x,
        small(f"{path}.running_mean", channels),
        1 + 0.5 * noise(f"{path}.running_var", channels),
        1 + 0.5 * noise(f"{path}.gamma", channels),
        small(f"{path}.beta", channels),
    )


def conv_block(path, x, outputs, kernel, padding=0, normed=False):
    x = F.conv1d(x, *conv(f"{path}.conv", x.shape[1], outputs, kernel), padding=padding)
    return F.relu(norm(f"{path}.norm", x) if normed else x)


def dense_block(path, x, outputs, normed=False):
    x = F.linear(x, *dense(f"{path}.linear", x.shape[1], outputs))
    return F.relu(norm(f"{path}.norm", x) if normed else x)


def output(x, outputs):
    return F.linear(x, *dense("output", x.shape[1], outputs))


def lstm(path, x, hidden):
    """Both directions of torch.nn.LSTM over [batch, steps, inputs]."""
    net = nn.LSTM(x.shape[2], hidden, batch_first=True, bidirectional=True)
    for direction, suffix in (("forward", ""), ("reverse", "_reverse")):
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            param = getattr(net, f"{kind}_l0{suffix}")
            name = f"{path}.stack.layers.0.{direction}.{kind}"
            shape = list(param.shape)
            param.data = weight(name, shape) if len(shape) == 2 else small(name, shape[0])
    return net(x)[0]


def noise_input(name, *shape):
    return noise(name, int(np.prod(shape))).reshape(shape)


def basset():
    x = noise_input("basset", 3, 4, 60)
    for layer, (filters, kernel, pool) in enumerate(zip([6, 5, 4], [7, 5, 3], [2, 3, 2])):
        x = F.max_pool1d(conv_block(f"convolutions.{layer}", x, filters, kernel, normed=True), pool)
    x = x.flatten(1)
    for layer, units in enumerate([9, 8]):
        x = dense_block(f"hidden.{layer}", x, units, normed=True)
    return {"basset": output(x, 3)}


def cnnprom():
    x = noise_input("cnnprom", 3, 4, 31)
    x = conv_block("convolutions.0", x, 5, 7)
    x = F.max_pool1d(conv_block("convolutions.1", x, 6, 4), 3)
    return {"cnnprom": output(dense_block("hidden", x.flatten(1), 7), 2)}


def deep_motif():
    def given():
        return noise_input("deepmotif", 3, 4, 41)

    x = given()
    for layer, kernel in enumerate([9, 5, 3]):
        x = conv_block(f"convolutions.{layer}", x, 6, kernel)
        x = F.max_pool1d(x, 2) if layer < 2 else x
    cnn = output(x.amax(2), 1)
    rnn = output(lstm("memory", given().transpose(1, 2), 5).mean(1), 1)
    x = conv_block("convolutions.0", given(), 6, 9, padding=4)
    cnn_rnn = output(lstm("memory", x.transpose(1, 2), 5).mean(1), 1)
    return {"deepmotif-cnn": cnn, "deepmotif-rnn": rnn, "deepmotif-cnn-rnn": cnn_rnn}


def deep_chrome():
    x = noise_input("deepchrome", 3, 3, 33)
    x = F.max_pool1d(conv_block("convolution", x, 6, 4), 5).flatten(1)
    for layer, units in enumerate([9, 7]):
        x = dense_block(f"hidden.{layer}", x, units)
    return {"deepchrome": output(x, 1)}


def attentive_chrome():
    def read(path, x, hidden):
        states = lstm(f"{path}.memory", x, hidden)
        weights = torch.softmax(states @ weight(f"{path}.context", [2 * hidden, 1])[:, 0], 1)
        return torch.einsum("bs,bsd->bd", weights, states), weights

    x = noise_input("attentive-chrome", 2, 3, 14)
    found = [read(f"bins.{mark}", x[:, mark, :, None], 4) for mark in range(3)]
    mean, marks = read("marks", torch.stack([mean for mean, _ in found], 1), 3)
    bins = torch.stack([weights for _, weights in found], 1)
    return {"attentive-chrome": output(mean, 1), "attentive-chrome-bins": bins, "attentive-chrome-marks": marks}


def deep_bind():
    """Both strands of every row through one network; the stronger strand of the maxima, the mean of the means."""
    def pooled(x, normed, second):
        x = conv_block("first", x, 6, 7, padding=2, normed=normed)
        if second:
            x = conv_block("second", F.max_pool1d(x, 2), 5, 4, normed=normed)
        return x.amax(2), x.mean(2)

    x = noise_input("deepbind", 3, 4, 31)
    (this_max, this_mean), (other_max, other_mean) = (
        pooled(strand, True, True) for strand in (x, x.flip([1, 2]))
    )
    features = torch.cat([torch.maximum(this_max, other_max), (this_mean + other_mean) / 2], 1)
    modern = output(dense_block("hidden", features, 8), 2)
    plain = output(pooled(x, False, False)[0], 2)
    return {"deepbind": modern, "deepbind-plain": plain}


def main():
    found = {}
    for system in (basset, cnnprom, deep_motif, deep_chrome, attentive_chrome, deep_bind):
        with torch.no_grad():
            outputs = system()
        for name, values in outputs.items():
            found[name] = [float(f"{value:.9g}") for value in values.reshape(-1).tolist()]
    with open(os.path.join(HERE, "systems.json"), "w", encoding="utf-8") as file:
        json.dump(found, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
