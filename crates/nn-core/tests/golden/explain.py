"""Golden values for nn_core::explain: what Captum finds on two small networks whose weights are given.

    pip install torch captum && python3 explain.py       # rewrites explain.json beside this file

mlp   6 inputs, tanh(8), relu(7), 3 outputs; 4 rows
conv  [2, 8, 8] inputs, 3x3 convolution to 4 channels (padding 1), relu, 2x2 maximum, 3x3 convolution to 3 channels,
      sigmoid, 3 outputs; 2 rows. `deep_lift` is that of the net with a 2x2 mean in place of the maximum: Captum's rule
      for the maximum (0.9.0) does not sum to the difference of the outputs, on this net by 0.011 and 0.048.

Weights and inputs are multiples of 1/64, exact in 32 bits; everything is computed in 64 bits. Dense weights are written
as [in, out]. `average` are means over several baselines, of Captum's results for each.
"""
import json
import os

import captum
import captum.attr as attr
import torch
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
GENERATOR = torch.Generator().manual_seed(20)


def grid(*shape, scale=1.0):
    values = torch.randn(*shape, generator=GENERATOR, dtype=torch.float64) * scale
    return torch.round(values * 64) / 64


def dense(inputs, outputs):
    layer = nn.Linear(inputs, outputs).double()
    layer.weight.data = grid(outputs, inputs, scale=1.5 / inputs**0.5)
    layer.bias.data = grid(outputs, scale=0.3)
    return layer


def conv(inputs, outputs, padding):
    layer = nn.Conv2d(inputs, outputs, 3, padding=padding).double()
    layer.weight.data = grid(outputs, inputs, 3, 3, scale=1.5 / (9 * inputs) ** 0.5)
    layer.bias.data = grid(outputs, scale=0.3)
    return layer


def flat(tensor):
    return tensor.detach().reshape(-1).tolist()


def average(explainer, x, baselines, **more):
    return sum(explainer.attribute(x, baselines=b[None].expand_as(x), **more) for b in baselines) / len(baselines)


def mlp():
    net = nn.Sequential(dense(6, 8), nn.Tanh(), dense(8, 7), nn.ReLU(), dense(7, 3))
    x, baseline, baselines = grid(4, 6), grid(1, 6), grid(3, 6)
    target = [0, 2, 1, 2]
    groups = torch.tensor([[0, 0, 1, 2, 2, 1]])
    each = baseline.expand_as(x)
    integrated = attr.IntegratedGradients(net)
    settings = dict(target=target, n_steps=12, method="gausslegendre")
    return {
        "weights": [flat(net[0].weight.T), flat(net[0].bias), flat(net[2].weight.T), flat(net[2].bias),
                    flat(net[4].weight.T), flat(net[4].bias)],
        "x": flat(x),
        "baseline": flat(baseline),
        "baselines": flat(baselines),
        "target": target,
        "groups": flat(groups),
        "logits": flat(net(x)),
        "saliency": flat(attr.Saliency(net).attribute(x, target=target)),
        "input_x_gradient": flat(attr.InputXGradient(net).attribute(x, target=target)),
        "integrated": flat(integrated.attribute(x, baselines=each, **settings)),
        "integrated_average": flat(average(integrated, x, baselines, **settings)),
        "deep_lift": flat(attr.DeepLift(net).attribute(x, baselines=each, target=target)),
        "deep_lift_average": flat(attr.DeepLiftShap(net).attribute(x, baselines=baselines, target=target)),
        "occlusion": flat(attr.Occlusion(net).attribute(x, (3,), strides=2, baselines=each, target=target)),
        "ablation": flat(attr.FeatureAblation(net).attribute(x, baselines=each, target=target, feature_mask=groups)),
        "shapley": flat(attr.ShapleyValues(net).attribute(x, baselines=each, target=target)),
        "shapley_average": flat(average(attr.ShapleyValues(net), x, baselines, target=target)),
        "shapley_groups": flat(
            attr.ShapleyValues(net).attribute(x, baselines=each, target=target, feature_mask=groups)
        ),
    }


def convolutional():
    first, second, last = conv(2, 4, 1), conv(4, 3, 0), dense(12, 3)
    net = nn.Sequential(first, nn.ReLU(), nn.MaxPool2d(2), second, nn.Sigmoid(), nn.Flatten(), last)
    # the same weights with a mean in place of the maximum, see above
    pooled = nn.Sequential(first, nn.ReLU(), nn.AvgPool2d(2), second, nn.Sigmoid(), nn.Flatten(), last)
    x = grid(2, 2, 8, 8)
    target = [1, 2]
    integrated = attr.IntegratedGradients(net)
    windows = dict(sliding_window_shapes=(2, 3, 3), strides=(2, 2, 3), baselines=0.25, target=target)
    cam = lambda layer, relu: flat(attr.LayerGradCam(net, layer).attribute(x, target=target, relu_attributions=relu))
    return {
        "weights": [flat(net[0].weight), flat(net[0].bias), flat(net[3].weight), flat(net[3].bias),
                    flat(net[6].weight.T), flat(net[6].bias)],
        "x": flat(x),
        "target": target,
        "logits": flat(net(x)),
        "saliency": flat(attr.Saliency(net).attribute(x, target=target)),
        "integrated": flat(integrated.attribute(x, baselines=0.25, target=target, n_steps=8, method="gausslegendre")),
        "deep_lift": flat(attr.DeepLift(pooled).attribute(x, baselines=torch.full_like(x, 0.25), target=target)),
        "occlusion": flat(attr.Occlusion(net).attribute(x, **windows)),
        "grad_cam_first": cam(net[1], False),
        "grad_cam_second": cam(net[4], True),
    }


def main():
    golden = {"captum": captum.__version__, "mlp": mlp(), "conv": convolutional()}
    with open(os.path.join(HERE, "explain.json"), "w") as file:
        json.dump(golden, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
