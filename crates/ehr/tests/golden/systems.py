"""Golden outputs of small versions of the networks over visits, computed by PyTorch in float64.

    pip install torch numpy && python3 systems.py

Weights are numbers that the tests compute as well (`noise`), so that systems.json holds patients and outputs only. A
parameter's noise is that of its path in the Rust module; dense weights are [inputs, outputs] there. Sizes are those of
the tests; networks are in evaluation state. Every patient goes through a network alone, without padding; batches are
padded with zeros afterwards.
"""
import json
import math
import os

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
torch.set_default_dtype(torch.float64)
MASK = (1 << 64) - 1
CODES = 12

# days since the visit before, planned, codes (sorted)
PATIENTS = [
    ([0.3, -0.7], [(0, False, [2, 5, 9]), (12.5, True, [3, 5, 8, 10]), (100, False, [2, 11]), (400, False, [4, 6, 7, 9])]),
    ([-0.2, 0.4], []),
    ([0.9, 0.1], [(0, True, [1, 7, 8])]),
    ([-0.6, -0.3], [(0, True, [2, 3]), (25, False, []), (41, True, [1, 4, 6, 11])]),
]


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
    """A weight whose units are the first axis."""
    fan = int(np.prod(shape)) // shape[0]
    return noise(path, int(np.prod(shape))).reshape(shape) * (3 / fan) ** 0.5


def bias(path, units):
    return 0.25 * noise(path, units)


def dense(path, inputs, outputs):
    layer = nn.Linear(inputs, outputs)
    values = noise(f"{path}.weight", inputs * outputs).reshape(inputs, outputs) * (3 / inputs) ** 0.5
    layer.weight.data, layer.bias.data = values.T, bias(f"{path}.bias", outputs)
    return layer


def gru(path, inputs, hidden, layers=1, bidirectional=False):
    net = nn.GRU(inputs, hidden, layers, batch_first=True, bidirectional=bidirectional)
    for layer in range(layers):
        for direction, suffix in (("forward", ""), ("reverse", "_reverse"))[: 1 + bidirectional]:
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                param = getattr(net, f"{kind}_l{layer}{suffix}")
                name = f"{path}.stack.layers.{layer}.{direction}.{kind}"
                shape = list(param.shape)
                param.data = weight(name, shape) if len(shape) == 2 else bias(name, shape[0])
    return net


def table(width, codes=CODES):
    return weight("embedding.table", [codes, width])


def multi_hot(codes):
    x = torch.zeros(CODES)
    x[codes] = 1
    return x


def visits_of(visits):
    """A patient without visits has one without codes."""
    return visits or [(0, False, [])]


def hot(visits):
    return torch.stack([multi_hot(codes) for _, _, codes in visits])


def log_gaps(visits):
    return torch.tensor([[math.log(1 + days)] for days, _, _ in visits])


def rows():
    for statics, visits in PATIENTS:
        yield torch.tensor(statics), visits_of(visits)


def padded(items, length):
    """Rows of different lengths, zeros behind them."""
    return torch.stack([F.pad(item, [0] * (2 * item.dim() - 2) + [0, length - len(item)]) for item in items])


LONGEST = max(len(visits) for _, visits in PATIENTS)


def gru_net():
    units, output, vectors = gru("units", 6, 6, layers=2), dense("output", 8, 2), table(5)
    found = []
    for statics, visits in rows():
        x = torch.cat([hot(visits) @ vectors, log_gaps(visits)], 1)
        _, last = units(x[None])
        found.append(output(torch.cat([last[-1, 0], statics])))
    return {"gru": torch.stack(found)}


def retain():
    vectors = table(5)
    alpha_net, beta_net = gru("attention.alpha_net", 6, 4), gru("attention.beta_net", 6, 6)
    score, gate, output = dense("attention.alpha", 4, 1), dense("attention.beta", 6, 5), dense("output", 7, 2)
    logits, contexts, alphas, shares = [], [], [], [[], []]
    for statics, visits in rows():
        v = hot(visits) @ vectors
        x = torch.cat([v, log_gaps(visits)], 1).flip(0)[None]
        g, h = alpha_net(x)[0][0].flip(0), beta_net(x)[0][0].flip(0)
        alpha, beta = torch.softmax(score(g)[:, 0], 0), torch.tanh(gate(h))
        context = (alpha[:, None] * beta * v).sum(0)
        logits.append(output(torch.cat([context, statics])))
        contexts.append(context)
        alphas.append(alpha)
        # a code's share by taking it out of its visit while the attention stays
        for k in range(2):
            for j, (_, _, codes) in enumerate(visits):
                for code in codes:
                    without = v.clone()
                    without[j] = multi_hot([c for c in codes if c != code]) @ vectors
                    less = output(torch.cat([(alpha[:, None] * beta * without).sum(0), statics]))
                    shares[k].append((logits[-1][k] - less[k]).item())
    squares = sum((w**2).sum() for w in (vectors, score.weight, gate.weight, output.weight))
    return {
        "retain": torch.stack(logits),
        "retain.context": torch.stack(contexts),
        "retain.alpha": padded(alphas, LONGEST),
        "retain.penalty": 0.001 * squares,
        "retain.shares.0": torch.tensor(shares[0]),
        "retain.shares.1": torch.tensor(shares[1]),
    }


def doctor_ai():
    vectors, shift = table(5), bias("bias", 5)
    units, output, days = gru("units", 6, 6, layers=2), dense("output", 8, 4), dense("days", 8, 1)
    last, logits, log_days, losses = [], [], [], []
    for statics, visits in rows():
        x = torch.cat([torch.tanh(hot(visits) @ vectors + shift), log_gaps(visits)], 1)
        states, _ = units(x[None])
        states = torch.cat([states[0], statics.expand(len(visits), 2)], 1)
        logits.append(output(states))
        log_days.append(F.relu(days(states))[:, 0])
        last.append(logits[-1][-1])
        steps = len(visits) - 1
        if steps == 0:
            continue
        y = torch.zeros(steps, 4)
        for j, (_, _, codes) in enumerate(visits[1:]):
            for code in codes:
                if code > 1:
                    y[j, code % 4] = 1
        p = torch.softmax(logits[-1][:-1], 1)
        entropy = -(y * torch.log(p + 1e-8) + (1 - y) * torch.log(1 - p + 1e-8)).sum() / steps
        error = 0.5 * ((log_days[-1][:-1] - log_gaps(visits)[1:, 0]) ** 2).sum() / steps
        losses.append(entropy + error)
    penalty = 0.001 * ((output.weight**2).sum() + (days.weight**2).sum())
    return {
        "doctor-ai": torch.stack(last),
        "doctor-ai.logits": padded(logits, LONGEST),
        "doctor-ai.log_days": padded(log_days, LONGEST),
        "doctor-ai.loss": torch.stack(losses).mean() + penalty,
    }


def deepr():
    vectors = table(5, CODES + 5)
    conv = nn.Conv1d(5, 6, 3, padding=1)
    conv.weight.data, conv.bias.data = weight("convolution.weight", [6, 5, 3]), bias("convolution.bias", 6)
    output = dense("output", 8, 2)
    words, motifs, logits = [], [], []
    for statics, visits in rows():
        sentence = []
        for place, (days, _, codes) in enumerate(visits):
            if place:
                months = [30, 90, 180, 365, math.inf]
                sentence.append(CODES + next(k for k, longest in enumerate(months) if days <= longest))
            sentence += codes
        words += sentence
        if sentence:
            found = F.relu(conv(vectors[sentence].T[None]))[0].T  # [words, filters]
            strongest = found.amax(0)
        else:
            found, strongest = torch.zeros(0, 6), torch.zeros(6)
        motifs.append(found)
        logits.append(output(torch.cat([strongest, statics])))
    longest = max(len(found) for found in motifs)
    return {
        "deepr.words": torch.tensor(words, dtype=torch.float64),
        "deepr.motifs": padded(motifs, longest).transpose(1, 2),
        "deepr": torch.stack(logits),
    }


def months_of(visits):
    """Codes of spans of 30 days, counted back from the last visit, oldest first."""
    at, months = 0, {}
    for place in range(len(visits) - 1, -1, -1):
        days, _, codes = visits[place]
        months.setdefault(int(at // 30), set()).update(codes)
        at += days
    return [sorted(months.get(month, set())) for month in range(max(months), -1, -1)]


def patient2vec():
    vectors = table(5)
    code_weight, hop_weights = dense("code_weight", 5, 1), dense("hop_weights", 8, 3)
    units, output = gru("units", 5, 4, bidirectional=True), dense("output", 26, 2)
    all_codes, hops, logits, penalties = [], [], [], []
    for statics, visits in rows():
        months = months_of(visits)
        x = torch.zeros(len(months), 5)
        for month, codes in enumerate(months):
            for code in codes:
                share = F.hardtanh(code_weight(vectors[code]), 0, 1)
                all_codes.append(share.item())
                x[month] += share * vectors[code]
        states = units(x[None])[0][0]
        beta = torch.softmax(hop_weights(states), 0).T  # [hops, months]
        hops.append(beta.T)
        penalties.append(((beta @ beta.T - torch.eye(3)) ** 2).sum())
        logits.append(output(torch.cat([(beta @ states).flatten(), statics])))
    longest = max(len(found) for found in hops)
    return {
        "patient2vec": torch.stack(logits),
        "patient2vec.codes": torch.tensor(all_codes),
        "patient2vec.hops": padded(hops, longest).transpose(1, 2),
        "patient2vec.penalty": 0.5 * torch.stack(penalties).mean(),
    }


def deepcare(pooling, spans):
    """A transcription of the equations of lstm_layer.py and readm.py, step by step."""
    vectors, present = table(5), 100 / 24
    w, u, b = weight("input", [5, 16]), weight("state", [4, 16]), bias("bias", 16)
    p_forget, p_show, z = weight("forget", [5, 4]), weight("show", [5, 4]), weight("time", [3, 4])
    hidden, output = dense("hidden", 4 * (len(spans) + 1) + 2, 6), dense("output", 6, 2)

    def admission(codes):
        if not codes:
            return torch.zeros(5)
        total = vectors[codes].sum(0)
        return total / len(codes) if pooling == "mean" else total / math.sqrt(len(codes))

    logits = []
    for statics, visits in rows():
        h, c, before, states = torch.zeros(4), torch.zeros(4), torch.zeros(5), []
        for days, planned, codes in visits:
            x = admission([code for code in codes if code < 8])
            now = admission([code for code in codes if code >= 8])
            method = 2 if planned else 1
            time = torch.tensor([days / 60, (days / 180) ** 2, (days / 365) ** 3])
            i, f, o, g = (x @ w + h @ u + b).chunk(4)
            i = torch.sigmoid(i) / method
            f = torch.sigmoid(f + before @ p_forget + time @ z)
            o = torch.sigmoid(o + now @ p_show)
            c = f * c + i * torch.tanh(g)
            h = o * torch.tanh(c)
            states.append(h)
            before = now
        gone = [present + sum(days for days, _, _ in visits[place + 1 :]) for place in range(len(visits))]
        averages = []
        for span in [*spans, math.inf]:
            sums, total = torch.zeros(4), 0
            for state, since, (_, planned, _) in zip(states, gone, visits):
                if since <= span:
                    share = 1 / ((2 if planned else 1) + math.log(since / 30 + 1))
                    sums, total = sums + share * state, total + share
            averages.append(sums / total)
        logits.append(output(torch.sigmoid(hidden(torch.cat([*averages, statics])))))
    params = [vectors, w, u, b, p_forget, p_show, z, hidden.weight, hidden.bias, output.weight, output.bias]
    penalty = sum(0.00015 * param.abs().sum() + 0.00025 * (param**2).sum() for param in params)
    return torch.stack(logits), penalty


def main():
    with torch.no_grad():
        outputs = {}
        for system in (gru_net, retain, doctor_ai, deepr, patient2vec):
            outputs.update(system())
        outputs["deepcare"], outputs["deepcare.penalty"] = deepcare("mean", [365, 730])
        outputs["deepcare.sum"], _ = deepcare("sum", [100])
    found = {
        "patients": [
            {
                "statics": statics,
                "visits": [{"days": days, "planned": planned, "codes": codes} for days, planned, codes in visits],
            }
            for statics, visits in PATIENTS
        ]
    }
    for name, values in outputs.items():
        found[name] = [float(f"{value:.9g}") for value in values.reshape(-1).tolist()]
    with open(os.path.join(HERE, "systems.json"), "w", encoding="utf-8") as file:
        json.dump(found, file)
        file.write("\n")


if __name__ == "__main__":
    main()
