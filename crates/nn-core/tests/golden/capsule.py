"""Forward pass, loss and gradients of a small capsule network in PyTorch, float64, written from the paper.

Sabour, Frosst and Hinton 2017, equations 1 to 4 and procedure 1. The routing of all iterations but the last sees detached
votes. Weights are written as the Rust side lays them out: dense [in, out], votes [capsules, size, classes * class size].
Run: python capsule.py > capsule.json (torch 2.x on the CPU)
"""
import json

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(17)
B, C, H, W = 4, 2, 6, 7
FILTERS, KERNEL, TYPES, SIZE, PRIMARY_KERNEL, STRIDE = 3, 3, 2, 4, 2, 2
CLASSES, CLASS_SIZE, ROUTING = 3, 5, 3
HIDDEN = [7, 6]


def squash(s):
    square = (s * s).sum(-1, keepdim=True)
    return square / (1 + square) * s / square.sqrt()


places = ((H - KERNEL + 1 - PRIMARY_KERNEL) // STRIDE + 1) * ((W - KERNEL + 1 - PRIMARY_KERNEL) // STRIDE + 1)
capsules = TYPES * places
shapes = {
    "conv.weight": [FILTERS, C, KERNEL, KERNEL],
    "conv.bias": [FILTERS],
    "primary.weight": [TYPES * SIZE, FILTERS, PRIMARY_KERNEL, PRIMARY_KERNEL],
    "primary.bias": [TYPES * SIZE],
    "votes": [capsules, SIZE, CLASSES * CLASS_SIZE],
}
widths = [CLASSES * CLASS_SIZE, *HIDDEN, C * H * W]
for layer, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
    shapes[f"decoder.{layer}.weight"] = [inputs, outputs]
    shapes[f"decoder.{layer}.bias"] = [outputs]
# rounded to float32, so that both sides start from the same numbers
p = {n: (0.4 * torch.randn(s)).float().double().requires_grad_() for n, s in shapes.items()}
x = torch.rand(B, C, H, W).float().double()
labels = [2, 0, 1, 0]

h = F.relu(F.conv2d(x, p["conv.weight"], p["conv.bias"]))
h = F.conv2d(h, p["primary.weight"], p["primary.bias"], stride=STRIDE)
u = torch.stack(
    [h[:, t * SIZE : (t + 1) * SIZE, i, j] for t in range(TYPES) for i in range(h.shape[2]) for j in range(h.shape[3])], 1
)
u = squash(u)
w = p["votes"].reshape(capsules, SIZE, CLASSES, CLASS_SIZE)
votes = torch.einsum("bis,isjd->bijd", u, w)
logits = torch.zeros(B, capsules, CLASSES)
for iteration in range(ROUTING):
    c = torch.softmax(logits, 2)
    seen = votes if iteration == ROUTING - 1 else votes.detach()
    v = squash(torch.einsum("bij,bijd->bjd", c, seen))
    if iteration < ROUTING - 1:
        logits = logits + torch.einsum("bijd,bjd->bij", votes.detach(), v)
lengths = v.norm(dim=2)
t = F.one_hot(torch.tensor(labels), CLASSES).double()
margin = (t * F.relu(0.9 - lengths) ** 2 + 0.5 * (1 - t) * F.relu(lengths - 0.1) ** 2).sum(1).mean()
d = torch.zeros(B, CLASSES, CLASS_SIZE)
for row, label in enumerate(labels):
    d[row, label] = 1
d = (d * v).reshape(B, -1)
for layer in range(len(widths) - 1):
    d = d @ p[f"decoder.{layer}.weight"] + p[f"decoder.{layer}.bias"]
    d = torch.sigmoid(d) if layer == len(widths) - 2 else F.relu(d)
# a weight above the paper's, so that the decoder's gradient is not lost in rounding
loss = margin + 0.05 * ((d - x.reshape(B, -1)) ** 2).sum(1).mean()
loss.backward()


def flat(tensor):
    return [float(f"{value:.9g}") for value in tensor.detach().reshape(-1).tolist()]


print(
    json.dumps(
        {
            "made with": f"torch {torch.__version__}",
            "labels": labels,
            "input": flat(x),
            "parameters": {n: {"shape": list(v.shape), "values": flat(v), "gradient": flat(v.grad)} for n, v in p.items()},
            "capsules": flat(v),
            "couplings": flat(c.transpose(1, 2)),
            "drawn": flat(d),
            "margin": margin.item(),
            "loss": loss.item(),
        }
    )
)
