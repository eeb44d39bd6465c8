"""Golden values of the losses: PyTorch in double precision.

    pip install torch && python3 losses.py        # rewrites losses.json beside this file

Cross-entropy, binary cross-entropy and the errors are PyTorch's functions. Focal, Dice and Tversky, which PyTorch has
not, are written here from their papers' formulas; the gradients are PyTorch's derivatives of them. The weighted mean
of single values is `sum(w * loss) / sum(w)`.
"""
import json
import pathlib

import torch
from torch.nn import functional as F

torch.manual_seed(22)


def draw(shape, spread=1.0):
    values = [round(v, 4) for v in (spread * torch.randn(shape, dtype=torch.float64)).flatten().tolist()]
    return values, torch.tensor(values, dtype=torch.float32).double().reshape(shape)


def flat(tensor):
    return [float(f"{v:.10g}") for v in tensor.detach().flatten().tolist()]


def single(values):
    return torch.tensor(values, dtype=torch.float32).double()


def labels(shape, classes, missing):
    """Classes, every fourth or so replaced by `missing`."""
    found = torch.randint(classes, shape)
    if missing is not None:
        found = torch.where(torch.rand(shape) < 0.25, missing, found)
    return found


def focal(x, target, gamma, weights, missing):
    """Lin et al. 2017, equation 5, over a softmax; none where the label is missing."""
    safe = torch.where(target == missing, 0, target) if missing is not None else target
    log_p = F.log_softmax(x, 1).gather(1, safe.unsqueeze(1)).squeeze(1)
    weight = torch.ones(x.shape[1], dtype=torch.float64) if weights is None else single(weights)
    loss = -weight[safe] * (1 - log_p.exp()) ** gamma * log_p
    return torch.where(target == missing, 0.0, loss) if missing is not None else loss


def class_case(kind, shape, reduction, weights=None, missing=None, smoothing=0.0, gamma=0.0, spread=1.0):
    x_list, x = draw(shape, spread)
    x.requires_grad_()
    target = labels([shape[0], *shape[2:]], shape[1], missing)
    if kind == "cross entropy":
        settings = {"label_smoothing": smoothing, "reduction": reduction}
        if missing is not None:
            settings["ignore_index"] = missing
        y = F.cross_entropy(x, target, None if weights is None else single(weights), **settings)
    else:
        y = focal(x, target, gamma, weights, missing)
        counted = (target != missing).sum() if missing is not None else target.numel()
        y = y.sum() / counted if reduction == "mean" else y.sum() if reduction == "sum" else y
    grad_list, grad = draw(list(y.shape))
    (dx,) = torch.autograd.grad((y * grad).sum(), x)
    return {
        "kind": kind, "shape": shape, "reduction": reduction, "weights": weights, "missing": missing,
        "smoothing": smoothing, "gamma": gamma, "x": x_list, "target": target.flatten().tolist(), "grad": grad_list,
        "y": flat(y), "dx": flat(dx),
    }


def point_case(kind, shape, reduction, weights=None, positive=None, delta=1.0, alpha=None, gamma=0.0, spread=1.0):
    """`weights` are `rows`, `values` or none; about a third of them are zero."""
    x_list, x = draw(shape, spread)
    x.requires_grad_()
    binary = kind in ("binary", "binary focal")
    target = torch.rand(shape).round(decimals=4) if weights == "values" else torch.randint(2, shape).float()
    target_list = [round(v, 4) for v in (target if binary else torch.randn(shape)).flatten().tolist()]
    target = single(target_list).reshape(shape)
    size = {None: [1], "rows": [shape[0]] + [1] * (len(shape) - 1), "values": shape}[weights]
    weight_list = [round(v, 4) if v > 0.33 else 0.0 for v in torch.rand(size).flatten().tolist()] if weights else [1.0]
    weight = single(weight_list).reshape(size).expand(shape) if weights else torch.ones(shape, dtype=torch.float64)
    if kind == "binary":
        along = [1, -1] + [1] * (len(shape) - 2) if len(shape) > 1 else [-1]
        pos = None if positive is None else single(positive).reshape(along)
        y = F.binary_cross_entropy_with_logits(x, target, pos_weight=pos, reduction="none")
    elif kind == "binary focal":
        p = torch.sigmoid(x)
        entropy = F.binary_cross_entropy_with_logits(x, target, reduction="none")
        y = entropy * (1 - (p * target + (1 - p) * (1 - target))) ** gamma
        y = y if alpha is None else y * (alpha * target + (1 - alpha) * (1 - target))
    elif kind == "squared":
        y = F.mse_loss(x, target, reduction="none")
    elif kind == "absolute":
        y = F.l1_loss(x, target, reduction="none")
    else:
        y = F.huber_loss(x, target, reduction="none", delta=delta)
    y = y * weight
    y = y.sum() / weight.sum() if reduction == "mean" else y.sum() if reduction == "sum" else y
    grad_list, grad = draw(list(y.shape))
    (dx,) = torch.autograd.grad((y * grad).sum(), x)
    return {
        "kind": kind, "shape": shape, "reduction": reduction, "weights": weight_list if weights else None,
        "weight_shape": size if weights else None, "positive": positive, "delta": delta, "alpha": alpha,
        "gamma": gamma, "x": x_list, "target": target_list, "grad": grad_list, "y": flat(y), "dx": flat(dx),
    }


def region_case(shape, alpha, beta, smooth, by_sample=False, background=True, missing=None, entropy=None):
    """Tversky index; with alpha = beta = 1/2 and half the smoothing it is Dice. `entropy` are the weights of the index
    and of the mean cross-entropy beside it."""
    x_list, x = draw(shape)
    x.requires_grad_()
    target = labels([shape[0], *shape[2:]], shape[1], missing)
    there = (target != missing) if missing is not None else torch.ones_like(target, dtype=torch.bool)
    safe = torch.where(there, target, 0)
    t = F.one_hot(safe, shape[1]).movedim(-1, 1).double() * there.unsqueeze(1)
    p = torch.softmax(x, 1) * there.unsqueeze(1)
    axes = list(range(2, len(shape))) if by_sample else [0, *range(2, len(shape))]
    tp, fp, fn = (p * t).sum(axes), (p * (1 - t)).sum(axes), ((1 - p) * t).sum(axes)
    index = (tp + smooth) / (tp + alpha * fp + beta * fn + smooth)
    index = index if by_sample else index.unsqueeze(0)
    index = index if background else index[:, 1:]
    loss = 1 - index.mean()
    if entropy is not None:
        loss = entropy[0] * loss + entropy[1] * F.cross_entropy(x, target, ignore_index=-100 if missing is None else missing)
    (dx,) = torch.autograd.grad(loss, x)
    return {
        "shape": shape, "alpha": alpha, "beta": beta, "smooth": smooth, "by_sample": by_sample,
        "background": background, "missing": missing, "entropy": entropy, "x": x_list,
        "target": target.flatten().tolist(), "index": flat(index), "loss": float(f"{loss.item():.10g}"), "dx": flat(dx),
    }


classes = [
    class_case("cross entropy", [5, 4], "mean"),
    class_case("cross entropy", [37, 3], "mean", weights=[0.5, 2.0, 1.25], missing=-1),
    class_case("cross entropy", [6, 5], "sum", smoothing=0.1, weights=[1.0, 0.25, 2.0, 1.5, 0.5]),
    class_case("cross entropy", [3, 3, 21], "mean", missing=255, smoothing=0.2),
    class_case("cross entropy", [2, 4, 3, 5], "none", weights=[0.5, 2.0, 1.25, 1.0]),
    class_case("cross entropy", [18, 2], "none", missing=7),
    class_case("cross entropy", [2, 3, 2, 3, 4], "mean", spread=20.0),
    class_case("focal", [9, 4], "mean", gamma=2.0),
    class_case("focal", [2, 3, 17], "mean", gamma=1.0, weights=[0.25, 1.0, 0.75], missing=9),
    class_case("focal", [2, 2, 3, 4], "sum", gamma=0.5, weights=[0.25, 0.75]),
    class_case("focal", [4, 3, 5], "none", gamma=3.0),
]
points = [
    point_case("binary", [7, 3], "mean"),
    point_case("binary", [6, 3], "mean", weights="values", positive=[2.0, 0.5, 3.0]),
    point_case("binary", [3, 2, 9], "sum", weights="rows", positive=[2.0, 0.25]),
    point_case("binary", [11], "none", positive=[4.0]),
    point_case("binary", [2, 2, 3, 4], "mean", spread=30.0),
    point_case("binary focal", [8, 2], "mean", alpha=0.25, gamma=2.0),
    point_case("binary focal", [5, 3], "sum", weights="values", gamma=1.5),
    point_case("squared", [9, 2], "mean", weights="rows"),
    point_case("squared", [4, 5], "none"),
    point_case("absolute", [9, 2], "mean", weights="values"),
    point_case("huber", [8, 3], "mean", delta=0.7),
    point_case("huber", [5, 2, 3], "sum", delta=1.5, weights="rows", spread=2.0),
]
regions = [
    region_case([2, 3, 13], 0.5, 0.5, 5e-6),
    region_case([3, 2, 4, 5], 0.5, 0.5, 0.5, by_sample=True, background=False),
    region_case([2, 4, 2, 3, 4], 0.3, 0.7, 1.0, missing=255),
    region_case([2, 3, 5, 7], 0.5, 0.5, 5e-6, missing=9, entropy=[1.0, 1.0]),
    region_case([3, 3, 11], 0.6, 0.2, 0.1, by_sample=True, entropy=[0.5, 2.0]),
]
target = pathlib.Path(__file__).with_suffix(".json")
found = {"made_with": {"torch": torch.__version__}, "classes": classes, "points": points, "regions": regions}
target.write_text(json.dumps(found, separators=(",", ":")) + "\n")
print(target, target.stat().st_size)
