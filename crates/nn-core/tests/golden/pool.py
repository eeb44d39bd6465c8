"""Golden values of the poolings: PyTorch in double precision.

    pip install torch && python3 pool.py        # rewrites pool.json beside this file

Inputs have four decimals, all different within a case, so that each maximum has one place. `grad` is the gradient of
the output that `dx` belongs to.
"""
import json
import pathlib

import torch
from torch.nn import functional as F

torch.manual_seed(21)
MAXIMUM = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def draw(shape):
    size = torch.Size(shape).numel()
    values = [v / 10000 for v in (torch.randperm(40000)[:size] - 20000).tolist()]
    return values, torch.tensor(values, dtype=torch.float32).double().reshape(shape)


def flat(tensor):
    return [float(f"{v:.10g}") for v in tensor.detach().flatten().tolist()]


def case(kind, shape, kernel=(), stride=(), padding=(), count_padding=True):
    x_list, x = draw(shape)
    x.requires_grad_()
    axes = len(shape) - 2
    if kind == "max":
        y = MAXIMUM[axes](x, kernel, stride, padding)
    elif kind == "avg":
        y = AVERAGE[axes](x, kernel, stride, padding, count_include_pad=count_padding)
    elif kind == "global max":
        y = x.flatten(2).amax(2)
    else:
        y = x.flatten(2).mean(2)
    grad_list, grad = draw(list(y.shape))
    (dx,) = torch.autograd.grad((y * grad).sum(), x)
    return {
        "kind": kind, "shape": shape, "kernel": kernel, "stride": stride, "padding": padding,
        "count_padding": count_padding, "x": x_list, "grad": grad_list, "y_shape": list(y.shape), "y": flat(y),
        "dx": flat(dx),
    }


cases = [
    case("max", [2, 3, 11], [2], [2], [0]),
    case("max", [2, 2, 10], [3], [3], [0]),
    case("max", [1, 3, 9], [4], [4], [0]),
    case("max", [2, 2, 13], [3], [2], [1]),
    case("max", [2, 2, 12], [5], [1], [2]),
    case("max", [2, 2, 5, 7], [2, 2], [2, 2], [0, 0]),
    case("max", [1, 2, 9, 8], [3, 3], [2, 2], [1, 1]),
    case("max", [1, 2, 6, 7], [3, 2], [1, 3], [1, 0]),
    case("max", [1, 2, 6, 6], [3, 3], [3, 3], [0, 0]),
    case("max", [1, 2, 5, 4, 6], [2, 2, 2], [2, 2, 2], [0, 0, 0]),
    case("max", [1, 1, 5, 6, 5], [3, 3, 3], [2, 1, 2], [1, 1, 0]),
    case("avg", [2, 3, 11], [2], [2], [0]),
    case("avg", [1, 2, 13], [3], [2], [1]),
    case("avg", [1, 2, 13], [3], [2], [1], False),
    case("avg", [1, 2, 5, 7], [2, 2], [2, 2], [0, 0]),
    case("avg", [1, 2, 6, 7], [3, 2], [1, 3], [1, 1]),
    case("avg", [1, 2, 6, 7], [3, 2], [1, 3], [1, 1], False),
    case("avg", [1, 1, 5, 4, 6], [2, 2, 2], [2, 2, 2], [0, 0, 0]),
    case("avg", [1, 1, 5, 4, 6], [3, 2, 3], [2, 1, 2], [1, 1, 1], False),
    case("global max", [3, 4, 19]),
    case("global max", [2, 3, 4, 5]),
    case("global avg", [3, 4, 19]),
    case("global avg", [2, 2, 3, 4, 3]),
]
target = pathlib.Path(__file__).with_suffix(".json")
target.write_text(json.dumps({"made_with": {"torch": torch.__version__}, "cases": cases}, separators=(",", ":")) + "\n")
print(target, target.stat().st_size)
