"""Golden outputs of small GRU-D and Dynamic-DeepHit networks, computed by PyTorch in float64.

    pip install torch numpy && python3 series.py

Inputs and weights are numbers that the tests compute as well (`noise`), so that series.json holds outputs only. A weight
is half the noise of its path in the Rust module; dense weights are [inputs, outputs] there.
"""
import json
import math
import os

import numpy as np
import torch
from torch import nn

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


def weight(path, *shape):
    return (0.5 * noise(path, int(np.prod(shape))).reshape(shape)).requires_grad_()


def dense(path, x, inputs, outputs):
    return x @ weight(path + ".weight", inputs, outputs) + weight(path + ".bias", outputs)


def gru_d(rows, D, S, H, O, unit, decay=True, forward=False, fade=True, masked=True):
    """Equations of Che et al. 2018, row by row and step by step."""
    I = 2 * D if masked else D
    p = {
        "gates": weight("gates", I, 2 * H), "gates_bias": weight("gates_bias", 2 * H),
        "candidate": weight("candidate", I, H), "candidate_bias": weight("candidate_bias", H),
        "state_gates": weight("state_gates", H, 2 * H), "state_candidate": weight("state_candidate", H, H),
        "input_decay": weight("input_decay", D), "input_decay_bias": weight("input_decay_bias", D),
        "state_decay": weight("state_decay", D, H), "state_decay_bias": weight("state_decay_bias", H),
    }
    out = []
    for row, steps in enumerate(rows):
        m = (noise(f"mask{row}", steps * D) > 0).double().reshape(steps, D)
        x = noise(f"values{row}", steps * D).reshape(steps, D)
        statics = noise(f"statics{row}", S)
        hours = 1.5 * torch.arange(steps) * (1 + 0.25 * row)
        h, last, delta = torch.zeros(H), torch.zeros(D), torch.zeros(D)
        for t in range(steps):
            if t:
                delta = (hours[t] - hours[t - 1]) / unit + (1 - m[t - 1]) * delta
            last = m[t] * x[t] + (1 - m[t]) * last
            if decay:
                g = torch.exp(-torch.clamp(p["input_decay"] * delta + p["input_decay_bias"], min=0))
                xh = m[t] * x[t] + (1 - m[t]) * g * last
            else:
                xh = last if forward else m[t] * x[t]
            if fade:
                h = h * torch.exp(-torch.clamp(delta @ p["state_decay"] + p["state_decay_bias"], min=0))
            v = torch.cat([xh, m[t]]) if masked else xh
            rz = torch.sigmoid(v @ p["gates"] + p["gates_bias"] + h @ p["state_gates"])
            r, z = rz[:H], rz[H:]
            n = torch.tanh(v @ p["candidate"] + p["candidate_bias"] + (r * h) @ p["state_candidate"])
            h = (1 - z) * h + z * n
        out.append(dense("head", torch.cat([h, statics]), H + S, O))
    return torch.stack(out), p


def lstm(path, inputs, units):
    net = nn.LSTM(inputs, units, batch_first=True)
    with torch.no_grad():
        for name, shape in [("weight_ih", (4 * units, inputs)), ("weight_hh", (4 * units, units)),
                            ("bias_ih", (4 * units,)), ("bias_hh", (4 * units,))]:
            getattr(net, name + "_l0").copy_(weight(f"{path}.{name}", *shape))
    return net


def deephit():
    V, K, C, W, G, R, H, L = 2, 2, 6, 2.0, 0.5, 3, 4, 2
    # the last two end where an interval ends; nothing is over for who was measured at 0 alone
    subjects = [([0.0, 1.5, 2.25], 5.0, 1), ([0.5], 7.0, 0), ([0.0, 3.0], 8.0, 2), ([0.0], 4.0, 1)]
    eps = 1e-8
    T = max(len(s[0]) for s in subjects) - 1
    pmf, att_all, z_all, x_all, k_all = [], [], [], [], []
    for row, (times, _, _) in enumerate(subjects):
        J = len(times)
        x = noise(f"trajectory{row}", 2 * J).reshape(J, 2)
        known = torch.ones(J, 2)
        known[0, 1] = 0
        gap = torch.tensor([(b - a) / G for a, b in zip(times, times[1:])] + [0.0])[:, None]
        x = torch.cat([gap, x * known], 1)
        known = torch.cat([torch.ones(J, 1), known], 1)
        # past padded with zeros to T steps, as the original reads it; attention leaves the padding out
        past = torch.zeros(1, T, 2 * (V + 1))
        past[0, : J - 1] = torch.cat([x, 1 - known], 1)[: J - 1]
        seq, states = past, []
        for layer in range(L):
            seq, _ = lstm(f"history.{layer}.layers.0.forward", seq.shape[2], R)(seq)
            states.append(seq)
        states = torch.cat(states, 2)[0]
        last = torch.cat([x[-1, 1:], 1 - known[-1, 1:]])
        hid = torch.tanh(dense("attention.states", states, L * R, H) + dense("attention.last", last, 2 * V, H))
        e = torch.exp(dense("attention.score", hid, H, 1))[:, 0] * (torch.arange(T) < J - 1)
        a = e / (e.sum() + eps)
        context = (a[:, None] * states).sum(0)
        z = dense("ahead", seq[0], R, V + 1)
        # behind the end our recurrence gives zeros, of which the foretold values are the bias; they count nothing
        z = torch.where((torch.arange(T) < J - 1)[:, None], z, weight("ahead.bias", V + 1))
        shared = torch.relu(dense("shared", torch.cat([x[-1, 1:], context]), V + L * R, H))
        nets = []
        for cause in range(K):
            y = shared
            for layer in range(2):
                y = torch.relu(dense(f"causes.{cause}.layers.{layer}", y, H, H))
            nets.append(y)
        out = torch.softmax(dense("output", torch.cat(nets), K * H, K * C), 0).reshape(K, C)
        pmf.append(out)
        att_all.append(a)
        z_all.append(z)
        nx, kx = torch.zeros(T, V + 1), torch.zeros(T, V + 1)
        nx[: J - 1], kx[: J - 1] = x[1:], known[1:]
        x_all.append(nx)
        k_all.append(kx)
    pmf = torch.stack(pmf)
    B = len(subjects)
    m1, m2, m3 = torch.zeros(B, K, C), torch.zeros(B, K, C), torch.zeros(B, C)
    for i, (times, end, cause) in enumerate(subjects):
        # interval i is (W i, W (i + 1)]
        a, b = math.ceil(times[-1] / W), math.ceil(end / W) - 1
        m1[i, :, :a] = 1
        m3[i, a : b + 1] = 1
        if cause:
            m2[i, cause - 1, b] = 1
        else:
            m2[i, :, b + 1 :] = 1
    denom = torch.clamp(1 - (m1 * pmf).sum((1, 2)), eps, 1 - eps)
    nll = -torch.log((m2 * pmf).sum((1, 2)) / (denom + eps) + eps).mean()
    end = torch.tensor([s[1] for s in subjects])
    eta = []
    for k in range(K):
        Rk = pmf[:, k] @ m3.T
        apart = (torch.diag(Rk)[None, :] - Rk).T
        earlier = (end[:, None] < end[None, :]).double()
        own = torch.tensor([float(s[2] == k + 1) for s in subjects])
        eta.append((own[:, None] * earlier * torch.exp(-apart / 0.1)).mean(1))
    rank = torch.stack(eta, 1).mean(1).sum()
    z, nx, kx = torch.stack(z_all), torch.stack(x_all), torch.stack(k_all)
    pred = (kx * (z - nx) ** 2).sum(1).mean()
    return {
        "deephit_distribution": pmf, "deephit_attention": torch.stack(att_all), "deephit_ahead": z,
        "deephit_likelihood": nll, "deephit_ranking": rank, "deephit_prediction": pred,
    }


rows, sizes = [7, 5, 0, 1], (3, 2, 4, 2)
found = {}
logits, p = gru_d(rows, *sizes, unit=6.0)
found["gru_d"] = logits
(logits**2).sum().backward()
for name in ["state_gates", "gates", "state_decay", "input_decay"]:
    found["grad_" + name] = p[name].grad
found["gru_forward"] = gru_d(rows, *sizes, unit=6.0, decay=False, forward=True, fade=False)[0]
found["gru_mean"] = gru_d(rows, *sizes, unit=24.0, decay=False, fade=False, masked=False)[0]
found.update(deephit())
with open(os.path.join(HERE, "series.json"), "w") as file:
    json.dump({k: [float(v) for v in x.detach().flatten()] for k, x in found.items()}, file, indent=0)
    file.write("\n")
