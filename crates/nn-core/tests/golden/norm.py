"""Golden values of the normalisations: PyTorch in double precision.

    pip install torch && python3 norm.py        # rewrites norm.json beside this file

Inputs have four decimals and are rounded to single precision before PyTorch sees them, so that both sides start
from the same numbers. `grad` is the gradient of the output that the other gradients belong to.
"""
import json
import pathlib

import torch
from torch.nn import functional as F

torch.manual_seed(20)
EPSILON, MOMENTUM = 1e-5, 0.1


def draw(shape, centre=0.0, spread=1.0):
    """Numbers of four decimals, and what single precision makes of them, as doubles."""
    values = [round(v, 4) for v in (centre + spread * torch.randn(shape, dtype=torch.float64)).flatten().tolist()]
    return values, torch.tensor(values, dtype=torch.float32).double().reshape(shape)


def flat(tensor):
    return [float(f"{v:.10g}") for v in tensor.detach().flatten().tolist()]


def act(z, slope):
    """`None` is no nonlinearity; the rectifier has slope 0."""
    return z if slope is None else F.leaky_relu(z, slope)


def case(kind, shape, slope, groups=0, centre=0.0):
    width = shape[-1] if kind == "layer" else shape[1]
    x_list, x = draw(shape, centre)
    gamma_list, gamma = draw([width], 1.0, 0.5)
    beta_list, beta = draw([width], 0.0, 0.5)
    grad_list, grad = draw(shape)
    leaves = [t.requires_grad_() for t in (x, gamma, beta)]
    mean, variance = torch.zeros(width, dtype=torch.float64), torch.ones(width, dtype=torch.float64)
    found = {"kind": kind, "shape": shape, "slope": slope, "groups": groups, "x": x_list, "gamma": gamma_list}
    found |= {"beta": beta_list, "grad": grad_list}
    if kind == "batch":
        y = F.batch_norm(x, mean, variance, gamma, beta, True, MOMENTUM, EPSILON)
        axes = [a for a in range(x.dim()) if a != 1]
        found |= {"mean": flat(x.mean(axes)), "variance": flat(x.var(axes, correction=0))}
        found |= {"running_mean": flat(mean), "running_variance": flat(variance)}
    elif kind == "constant":
        mean_list, mean = draw([width], 0.0, 0.3)
        found["mean"] = mean_list
        found["variance"] = [round(v, 4) for v in (0.5 + torch.rand(width)).tolist()]
        variance = torch.tensor(found["variance"], dtype=torch.float32).double()
        y = F.batch_norm(x, mean, variance, gamma, beta, False, MOMENTUM, EPSILON)
    elif kind == "group":
        y = F.group_norm(x, groups, gamma, beta, EPSILON)
    elif kind == "instance":
        y = F.instance_norm(x, weight=gamma, bias=beta, eps=EPSILON)
    else:
        y = F.layer_norm(x, [width], gamma, beta, EPSILON)
    y = act(y, slope)
    gradients = torch.autograd.grad((y * grad).sum(), leaves)
    return found | {"y": flat(y)} | {n: flat(g) for n, g in zip(("dx", "dgamma", "dbeta"), gradients)}


cases = [
    case("batch", [7, 5], None),
    case("batch", [19, 3], 0.0),
    case("batch", [4, 3, 37], 0.1),
    case("batch", [3, 4, 5, 3], 0.0),
    case("batch", [2, 3, 2, 3, 4], None),
    case("batch", [3, 2, 29], 0.0, centre=10000.0),
    case("batch", [11, 4], None, centre=-3000.0),
    case("constant", [6, 4], 0.0),
    case("constant", [2, 3, 4, 5], 0.2),
    case("group", [3, 6, 7], 0.0, groups=2),
    case("group", [5, 8], None, groups=4),
    case("group", [2, 4, 3, 5], 0.1, groups=1, centre=500.0),
    case("instance", [3, 4, 17], None),
    case("instance", [2, 3, 4, 5], 0.01),
    case("layer", [6, 33], None),
    case("layer", [2, 3, 8], 0.0),
    case("layer", [4, 16], 0.3, centre=2000.0),
]
target = pathlib.Path(__file__).with_suffix(".json")
target.write_text(json.dumps({"made_with": {"torch": torch.__version__}, "cases": cases}, separators=(",", ":")) + "\n")
print(target, target.stat().st_size)
