"""A small network with the layers and names of ExPecto's body, and its outputs.

    pip install torch numpy && python3 beluga.py

The layers are those of `chromatin.py` in FunctionLab/ExPecto at 5cdaa16, at the sizes of the tests. beluga.pth holds its
state_dict, beluga.json the logits of the input `windows` of systems.py, whose channels A, C, G, T are put into the
order A, G, C, T, which the authors' network reads.
"""
import json
import os

import torch
from torch import nn

from systems import noise_input

HERE = os.path.dirname(os.path.abspath(__file__))


class Flat(nn.Module):
    """Stands for the authors' Lambda layers, which have no weights."""

    def forward(self, x):
        return x.flatten(1)


def body(filters, kernel, pool, length, hidden, outputs):
    layers, inputs = [], 4
    for stage in range(3):
        for place in range(2):
            layers += [nn.Conv2d(inputs, filters[2 * stage + place], (1, kernel)), nn.ReLU()]
            inputs, length = filters[2 * stage + place], length - kernel + 1
        if stage < 2:
            layers += [nn.Dropout(0.2), nn.MaxPool2d((1, pool), (1, pool))]
            length //= pool
    dense = nn.Sequential(
        nn.Dropout(0.5),
        Flat(),
        nn.Sequential(Flat(), nn.Linear(inputs * length, hidden)),
        nn.ReLU(),
        nn.Sequential(Flat(), nn.Linear(hidden, outputs)),
    )
    return nn.Sequential(nn.Sequential(*layers), dense, nn.Sigmoid())


class Beluga(nn.Module):
    def __init__(self, *sizes):
        super().__init__()
        self.model = body(*sizes)

    def forward(self, x):
        return self.model(x)


torch.manual_seed(1)
net = Beluga([3, 4, 5, 4, 6, 5], 4, 2, 71, 7, 3).eval()
with torch.no_grad():
    for parameter in net.parameters():
        # larger than PyTorch's starting values, so that outputs differ by more than the tolerance
        parameter.mul_(2.5)
    torch.save(net.state_dict(), os.path.join(HERE, "beluga.pth"))
    net.double()
    x = noise_input("windows", 3, 4, 71).double()[:, [0, 2, 1, 3]].unsqueeze(2)
    logits = net.model[1](net.model[0](x))
with open(os.path.join(HERE, "beluga.json"), "w") as file:
    json.dump([float(f"{value:.9g}") for value in logits.flatten().tolist()], file)
