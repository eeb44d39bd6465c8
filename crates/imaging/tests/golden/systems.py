"""Golden outputs of small versions of the systems, and what torchvision, the authors' loss and scipy say.

    pip install torch torchvision numpy scipy && python3 systems.py

The networks are written here a second time in PyTorch, with torchvision's classes where it has them. Weights and inputs
are noise of a parameter's path in the Rust module (splitmix64 of its FNV-1a hash), so that systems.json holds outputs
only, of which every n-th is kept so that 400 or fewer are left; computed in float64, networks in evaluation state.
The .pt files are state_dicts of torchvision's own classes at small widths, in float32, that of ResNet in float16.
"""
import json
import os
import re

import numpy as np
import torch
import torchvision
from scipy.ndimage import distance_transform_edt
from scipy.ndimage import label as components
from torch import nn
from torch.nn import functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = {}


def noise(name, count):
    start = 0xCBF29CE484222325
    for byte in name.encode():
        start = ((start ^ byte) * 0x100000001B3) % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(start) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = (z ^ (z >> np.uint64(31))) >> np.uint64(40)
    return torch.from_numpy(z.astype(np.float64) / 2**23 - 1)


def given(name, *shape):
    return noise(name, int(np.prod(shape))).reshape(shape)


def keep(name, values, exact=False):
    values = values.detach().flatten()
    if not exact:
        values = values[:: max(1, -(-len(values) // 400))]
    GOLDEN[name] = [float(value) if exact else float(f"{float(value):.9g}") for value in values]


def fill(net, rename=lambda path: path):
    """Every parameter and running statistic by its path; those of normalisations are called gamma and beta."""
    net = net.double().eval()
    for path, module in net.named_modules():
        norm = isinstance(module, (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm))
        for name, value in [*module._parameters.items(), *module._buffers.items()]:
            if value is None or name == "num_batches_tracked":
                continue
            own = {"weight": "gamma", "bias": "beta"}.get(name, name) if norm else name
            count, shape = value.numel(), list(value.shape)
            found = noise(rename(f"{path}.{own}" if path else own), count)
            if own in ("gamma", "running_var"):
                found = 1 + 0.5 * found.reshape(shape)
            elif own in ("beta", "bias", "running_mean"):
                found = 0.25 * found.reshape(shape)
            elif len(shape) == 2:
                found = (found * (3 / shape[1]) ** 0.5).reshape(shape[::-1]).T
            else:
                found = (found * (3 / (count / shape[0])) ** 0.5).reshape(shape)
            value.data.copy_(found)
    return net


def parameters(net):
    return sum(parameter.numel() for parameter in net.parameters())


def normalised(net):
    return sum(m.num_features for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm))


# U-Nets -------------------------------------------------------------------------------------------------------------


class Unit(nn.Module):
    def __init__(self, conv, norm=None):
        super().__init__()
        self.conv = conv
        self.norm = norm

    def forward(self, x):
        x = self.conv(x)
        return F.relu(x if self.norm is None else self.norm(x))


class Pair(nn.Module):
    def __init__(self, dims, inputs, middle, outputs, norm, padding):
        super().__init__()
        conv, batch = (nn.Conv2d, nn.BatchNorm2d) if dims == 2 else (nn.Conv3d, nn.BatchNorm3d)
        unit = lambda a, b: Unit(conv(a, b, 3, padding=padding), batch(b) if norm else None)
        self.first, self.second = unit(inputs, middle), unit(middle, outputs)

    def forward(self, x):
        return self.second(self.first(x))


class Hourglass(nn.Module):
    """Ronneberger et al. 2015 and Cicek et al. 2016."""

    def __init__(self, dims, channels, classes, levels, up, norm, padding):
        super().__init__()
        conv, transposed = (nn.Conv2d, nn.ConvTranspose2d) if dims == 2 else (nn.Conv3d, nn.ConvTranspose3d)
        self.pool = F.max_pool2d if dims == 2 else F.max_pool3d
        self.encoder, self.up, self.decoder = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        inputs = channels
        for middle, outputs in levels:
            self.encoder.append(Pair(dims, inputs, middle, outputs, norm, padding))
            inputs = outputs
        for (_, outputs), grown in zip(levels[-2::-1], up[::-1]):
            self.up.append(transposed(inputs, grown, 2, 2))
            self.decoder.append(Pair(dims, outputs + grown, outputs, outputs, norm, padding))
            inputs = outputs
        self.head = conv(inputs, classes, 1)

    def forward(self, x):
        skips = []
        for level, block in enumerate(self.encoder):
            if level:
                skips.append(x)
                x = self.pool(x, 2)
            x = block(x)
        for up, block in zip(self.up, self.decoder):
            x, skip = up(x), skips.pop()
            for axis in range(2, x.dim()):
                skip = skip.narrow(axis, (skip.shape[axis] - x.shape[axis]) // 2, x.shape[axis])
            x = block(torch.cat([skip, x], 1))
        return self.head(x)


class Net(nn.Module):
    """A network under the name of its field."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x)


def unet_valid(channels, classes, base, levels):
    widths = [base << level for level in range(levels)]
    return Net(Hourglass(2, channels, classes, [(w, w) for w in widths], widths[:-1], False, 0))


def unet3d(channels, classes, base, levels, padding):
    widths = [(base << level, base << (level + 1)) for level in range(levels)]
    return Net(Hourglass(3, channels, classes, widths, [w for _, w in widths[1:]], True, padding))


class Block(nn.Module):
    def __init__(self, dims, inputs, outputs, kernel, stride):
        super().__init__()
        conv, norm = (nn.Conv2d, nn.InstanceNorm2d) if dims == 2 else (nn.Conv3d, nn.InstanceNorm3d)
        padding = [length // 2 for length in kernel]
        self.conv1, self.norm1 = conv(inputs, outputs, kernel, stride, padding), norm(outputs, affine=True)
        self.conv2, self.norm2 = conv(outputs, outputs, kernel, 1, padding), norm(outputs, affine=True)

    def forward(self, x):
        x = F.leaky_relu(self.norm1(self.conv1(x)), 0.01)
        return F.leaky_relu(self.norm2(self.conv2(x)), 0.01)


class Unet(nn.Module):
    """nnU-Net's plain network: strides and kernels along the axes of the tensor."""

    def __init__(self, dims, channels, classes, widths, strides, kernels, strided, heads):
        super().__init__()
        conv, transposed = (nn.Conv2d, nn.ConvTranspose2d) if dims == 2 else (nn.Conv3d, nn.ConvTranspose3d)
        self.pool = F.max_pool2d if dims == 2 else F.max_pool3d
        self.strides, self.strided = strides, strided
        self.encoder, self.up, self.decoder = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        inputs = channels
        for level, width in enumerate(widths):
            stride = strides[level - 1] if level and strided else [1] * dims
            self.encoder.append(Block(dims, inputs, width, kernels[level], stride))
            inputs = width
        for level in range(len(widths) - 2, -1, -1):
            self.up.append(transposed(widths[level + 1], widths[level], strides[level], strides[level]))
            self.decoder.append(Block(dims, 2 * widths[level], widths[level], kernels[level], [1] * dims))
        self.heads = nn.ModuleList(conv(widths[level], classes, 1) for level in range(heads))

    def forward(self, x):
        skips, maps = [], []
        for level, block in enumerate(self.encoder):
            if level:
                skips.append(x)
                x = x if self.strided else self.pool(x, self.strides[level - 1])
            x = block(x)
        for level, up, block in zip(range(len(self.up) - 1, -1, -1), self.up, self.decoder):
            x = block(torch.cat([skips.pop(), up(x)], 1))
            if level < len(self.heads):
                maps.append(self.heads[level](x))
        return maps[::-1]


def unet(*sizes):
    return Net(Unet(*sizes))


def unets():
    keep("unet_valid", fill(unet_valid(2, 3, 4, 3))(given("unet_valid", 2, 2, 44, 52)))
    keep("unet3d.valid", fill(unet3d(2, 3, 2, 3, 0))(given("unet3d", 1, 2, 44, 48, 44)))
    keep("unet3d.padded", fill(unet3d(2, 3, 2, 3, 1))(given("unet3d.padded", 2, 2, 8, 4, 12)))
    flat = fill(unet(2, 2, 3, [4, 8, 8], [[2, 2]] * 2, [[3, 3]] * 3, False, 1))
    slices = given("unet.flat", 2, 2, 3, 8, 12)
    keep("unet.flat", torch.stack([flat(slices[:, :, k])[0] for k in range(3)], 2))
    # along i, j, k in the Rust test, so turned around
    strides, kernels = [[1, 2, 2], [2, 2, 2], [2, 1, 3]], [[1, 3, 3], [3, 3, 3], [3, 5, 3], [3, 3, 1]]
    solid = fill(unet(3, 2, 3, [4, 8, 8, 8], strides, kernels, True, 2))
    for level, found in enumerate(solid(given("unet.solid", 2, 2, 8, 8, 12))):
        keep(f"unet.solid.{level}", found)


# LinkNet, TernausNet ------------------------------------------------------------------------------------------------


def resnet(layers, width, classes, channels=3, small=False):
    """torchvision's class with another width."""

    class Narrow(torchvision.models.ResNet):
        def _make_layer(self, block, planes, blocks, stride=1, dilate=False):
            if planes == 64:
                self.inplanes = width
            return super()._make_layer(block, planes * width // 64, blocks, stride, dilate)

    net = Narrow(torchvision.models.resnet.BasicBlock, layers, classes)
    net.conv1 = nn.Conv2d(channels, width, 3 if small else 7, 1 if small else 2, 1 if small else 3, bias=False)
    net.bn1 = nn.BatchNorm2d(width)
    net.fc = nn.Linear(8 * width, classes)
    if small:
        net.maxpool = nn.Identity()
    return net


class LinkDecoder(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        few = inputs // 4
        self.conv1 = Unit(nn.Conv2d(inputs, few, 1), nn.BatchNorm2d(few, eps=1e-3))
        self.up = nn.ConvTranspose2d(few, few, 3, stride, 1, stride - 1)
        self.norm = nn.BatchNorm2d(few, eps=1e-3)
        self.conv2 = Unit(nn.Conv2d(few, outputs, 1), nn.BatchNorm2d(outputs, eps=1e-3))

    def forward(self, x):
        return self.conv2(F.relu(self.norm(self.up(self.conv1(x)))))


class LinkNet(nn.Module):
    """models/model.lua of e-lab/LinkNet."""

    def __init__(self, channels, classes, width):
        super().__init__()
        encoder = resnet([2, 2, 2, 2], width, 1, channels)
        for name in ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4"):
            setattr(self, name, getattr(encoder, name))
        self.decoder4 = LinkDecoder(8 * width, 4 * width, 2)
        self.decoder3 = LinkDecoder(4 * width, 2 * width, 2)
        self.decoder2 = LinkDecoder(2 * width, width, 2)
        self.decoder1 = LinkDecoder(width, width, 1)
        half = width // 2
        self.up1, self.norm1 = nn.ConvTranspose2d(width, half, 3, 2, 1, 1), nn.BatchNorm2d(half)
        self.conv2 = Unit(nn.Conv2d(half, half, 3, padding=1), nn.BatchNorm2d(half, eps=1e-3))
        self.up2 = nn.ConvTranspose2d(half, classes, 2, 2)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        e1 = self.layer1(x)
        e2 = self.layer2(e1)
        e3 = self.layer3(e2)
        d4 = F.relu(self.decoder4(self.layer4(e3)) + e3)
        d3 = F.relu(self.decoder3(d4) + e2)
        d2 = F.relu(self.decoder2(d3) + e1)
        d1 = F.relu(self.decoder1(d2) + x)
        return self.up2(self.conv2(F.relu(self.norm1(self.up1(d1)))))


class EvenDecoder(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        few = inputs // 4
        self.conv1 = Unit(nn.Conv2d(inputs, few, 1), nn.BatchNorm2d(few))
        self.up = nn.ConvTranspose2d(few, few, 4, 2, 1)
        self.norm = nn.BatchNorm2d(few)
        self.conv2 = Unit(nn.Conv2d(few, outputs, 1), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return self.conv2(F.relu(self.norm(self.up(self.conv1(x)))))


class LinkNet34(nn.Module):
    """LinkNet34 of ternaus/robot-surgery-segmentation."""

    def __init__(self, channels, classes, width):
        super().__init__()
        encoder = resnet([3, 4, 6, 3], width, 1, channels)
        for name in ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4"):
            setattr(self, name, getattr(encoder, name))
        self.decoder4 = EvenDecoder(8 * width, 4 * width)
        self.decoder3 = EvenDecoder(4 * width, 2 * width)
        self.decoder2 = EvenDecoder(2 * width, width)
        self.decoder1 = EvenDecoder(width, width)
        half = width // 2
        self.head1 = nn.ConvTranspose2d(width, half, 3, 2)
        self.head2 = nn.Conv2d(half, half, 3)
        self.head3 = nn.Conv2d(half, classes, 2, padding=1)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        e1 = self.layer1(x)
        e2 = self.layer2(e1)
        e3 = self.layer3(e2)
        d4 = self.decoder4(self.layer4(e3)) + e3
        d3 = self.decoder3(d4) + e2
        d1 = self.decoder1(self.decoder2(d3) + e1)
        return self.head3(F.relu(self.head2(F.relu(self.head1(d1)))))


class TernausDecoder(nn.Module):
    def __init__(self, inputs, middle, outputs, kernel=3):
        super().__init__()
        self.conv = Unit(nn.Conv2d(inputs, middle, 3, padding=1))
        self.up = nn.ConvTranspose2d(middle, outputs, kernel, 2, 1, 4 - kernel)

    def forward(self, x):
        return F.relu(self.up(self.conv(x)))


class TernausNet(nn.Module):
    """UNet11 of ternaus/TernausNet."""

    def __init__(self, channels, classes, n):
        super().__init__()
        widths = [channels] + [n * factor for factor in (2, 4, 8, 8, 16, 16, 16, 16)]
        self.encoder = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip(widths, widths[1:]))
        sizes = [(16, 16, 8), (24, 16, 8), (24, 16, 4), (12, 8, 2), (6, 4, 1)]
        self.decoder = nn.ModuleList(TernausDecoder(a * n, b * n, c * n) for a, b, c in sizes)
        self.last = Unit(nn.Conv2d(3 * n, n, 3, padding=1))
        self.head = nn.Conv2d(n, classes, 1)

    def forward(self, x):
        e = self.encoder
        conv1 = F.relu(e[0](x))
        conv2 = F.relu(e[1](F.max_pool2d(conv1, 2)))
        conv3 = F.relu(e[3](F.relu(e[2](F.max_pool2d(conv2, 2)))))
        conv4 = F.relu(e[5](F.relu(e[4](F.max_pool2d(conv3, 2)))))
        conv5 = F.relu(e[7](F.relu(e[6](F.max_pool2d(conv4, 2)))))
        x = self.decoder[0](F.max_pool2d(conv5, 2))
        for block, skip in zip(self.decoder[1:], (conv5, conv4, conv3, conv2)):
            x = block(torch.cat([x, skip], 1))
        return self.head(self.last(torch.cat([x, conv1], 1)))


class TernausNet16(nn.Module):
    """UNet16 of ternaus/robot-surgery-segmentation."""

    def __init__(self, channels, classes, n):
        super().__init__()
        widths = [channels] + [n * factor for factor in (2, 2, 4, 4, 8, 8, 8, 16, 16, 16, 16, 16, 16)]
        self.encoder = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip(widths, widths[1:]))
        sizes = [(16, 16, 8), (24, 16, 8), (24, 16, 8), (16, 8, 2), (6, 4, 1)]
        self.decoder = nn.ModuleList(TernausDecoder(a * n, b * n, c * n, 4) for a, b, c in sizes)
        self.last = Unit(nn.Conv2d(3 * n, n, 3, padding=1))
        self.head = nn.Conv2d(n, classes, 1)

    def forward(self, x):
        skips, first = [], 0
        for count in (2, 2, 3, 3, 3):
            for conv in self.encoder[first : first + count]:
                x = F.relu(conv(x))
            skips.append(x)
            x, first = F.max_pool2d(x, 2), first + count
        for block in self.decoder:
            x = torch.cat([block(x), skips.pop()], 1)
        return self.head(self.last(x))


def encoders():
    keep("linknet", fill(LinkNet(3, 3, 4))(given("linknet", 2, 3, 64, 32)))
    keep("ternausnet", fill(TernausNet(3, 3, 2))(given("ternausnet", 2, 3, 64, 32)))
    keep("linknet34", fill(LinkNet34(3, 3, 4))(given("linknet34", 2, 3, 64, 32)))
    keep("ternausnet16", fill(TernausNet16(3, 3, 2))(given("ternausnet16", 2, 3, 64, 32)))
    torch.manual_seed(11)
    vgg = torchvision.models.vgg.make_layers([4, "M", 8, "M", 16, 16, "M", 32, 32, "M", 32, 32, "M"])
    weights = {f"features.{name}": value for name, value in vgg.state_dict().items()}
    weights["classifier.0.weight"], weights["classifier.0.bias"] = torch.zeros(2, 3), torch.zeros(2)
    torch.save(weights, os.path.join(HERE, "vgg11.pt"))
    keep("vgg11", vgg[:-1](given("vgg11", 1, 3, 32, 32).float()))


# Classifiers --------------------------------------------------------------------------------------------------------


def densenet(growth, blocks, base, bottleneck, classes):
    return torchvision.models.DenseNet(growth, blocks, base, bottleneck, 0, classes)


def listed(path):
    """Layers of a block are counted from 1 in torchvision, from 0 in a list."""
    return re.sub(r"denselayer(\d+)", lambda match: str(int(match.group(1)) - 1), path)


def settled(net):
    """Statistics as training leaves them, so that a test sees whether they were read."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.uniform_(-0.2, 0.2)
    return net.eval()


def classifiers():
    x = given("resnet", 2, 3, 64, 96)
    keep("resnet", fill(resnet([2, 2, 2, 2], 4, 3))(x))
    keep("resnet.small", fill(resnet([3, 4, 6, 3], 4, 3, 1, True))(given("resnet.small", 2, 1, 28, 28)))
    torch.manual_seed(18)
    net = settled(resnet([2, 2, 2, 2], 4, 3))
    weights = {name: value.half() if value.is_floating_point() else value for name, value in net.state_dict().items()}
    torch.save(weights, os.path.join(HERE, "resnet18.pt"))
    net.load_state_dict(weights)
    keep("resnet.imported", net(x.float()))
    names = torchvision.models.resnet18().state_dict()
    GOLDEN["resnet18.names"] = sorted(name for name in names if not name.endswith("num_batches_tracked"))

    x = given("densenet", 2, 3, 64, 96)
    sizes = (4, (2, 11, 2, 2), 8, 2, 3)
    keep("densenet", fill(densenet(*sizes), listed)(x))
    torch.manual_seed(121)
    net = settled(densenet(*sizes))
    torch.save(net.state_dict(), os.path.join(HERE, "densenet.pt"))
    keep("densenet.imported", net(x.float()))
    old = {re.sub(r"(denselayer\d+\.)(norm|conv)([12])", r"\1\2.\3", name): v for name, v in net.state_dict().items()}
    torch.save(old, os.path.join(HERE, "densenet_2017.pt"))


class IldCnn(nn.Module):
    """get_model of intact-project/ild-cnn, cnn_model.py."""

    def __init__(self, channels, classes, multiplier, layers, slope):
        super().__init__()
        widths = [channels] + [multiplier * (layer + 1) ** 2 for layer in range(1, layers + 1)]
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 2) for a, b in zip(widths, widths[1:]))
        last = widths[-1]
        self.hidden = nn.ModuleList([nn.Linear(last, 6 * last), nn.Linear(6 * last, 2 * last)])
        self.output = nn.Linear(2 * last, classes)
        self.slope = slope

    def forward(self, x):
        for conv in self.convolutions:
            x = F.leaky_relu(conv(x), self.slope)
        x = x.mean((2, 3))
        for layer in self.hidden:
            x = F.relu(layer(x))
        return self.output(x)


class SoftAttention(nn.Module):
    def __init__(self, channels, classes, filters):
        super().__init__()
        widths = [channels, *filters]
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip(widths, widths[1:]))
        self.attention = nn.Conv2d(widths[-1], 1, 1)
        self.output = nn.Linear(widths[-1], classes)

    def forward(self, x):
        for layer, conv in enumerate(self.convolutions):
            x = F.relu(conv(F.max_pool2d(x, 2) if layer else x))
        shares = self.attention(x).flatten(2).softmax(2)
        return self.output((x.flatten(2) * shares).sum(2)), shares


class Knee(nn.Module):
    """KneeNet of MIPT-Oulu/DeepKnee."""

    def __init__(self, channels, classes, base):
        super().__init__()
        widths = [channels, base, base, base, 2 * base, 2 * base, 4 * base]
        self.branch = nn.ModuleList(
            Unit(nn.Conv2d(a, b, 3, 1 if layer else 2), nn.BatchNorm2d(b, eps=1e-3))
            for layer, (a, b) in enumerate(zip(widths, widths[1:]))
        )
        self.output = nn.Linear(8 * base, classes)

    def side(self, x):
        for layer, unit in enumerate(self.branch):
            x = unit(F.max_pool2d(x, 2) if layer in (3, 5) else x)
        return F.avg_pool2d(x, 10).flatten(1)

    def forward(self, lateral, medial):
        return self.output(torch.cat([self.side(lateral), self.side(medial)], 1))


class Sdfn(nn.Module):
    def __init__(self, classes, *sizes):
        super().__init__()
        self.whole, self.lungs = densenet(*sizes, 1).features, densenet(*sizes, 1).features
        self.classifier = nn.Linear(2 * self.whole.norm5.num_features, classes)

    def forward(self, whole, lungs):
        features = [F.relu(net(x)).mean((2, 3)) for net, x in ((self.whole, whole), (self.lungs, lungs))]
        return self.classifier(torch.cat(features, 1))


def others():
    keep("ild_cnn", fill(IldCnn(2, 4, 1, 3, 0.3))(given("ild_cnn", 3, 2, 12, 9)))
    logits, shares = fill(SoftAttention(3, 3, [4, 6, 8]))(given("soft_attention", 2, 3, 14, 10))
    keep("soft_attention", logits)
    keep("soft_attention.shares", shares)
    keep("knee", fill(Knee(1, 3, 4))(given("knee.lateral", 2, 1, 128, 128), given("knee.medial", 2, 1, 128, 128)))
    whole = given("sdfn.whole", 2, 3, 64, 64)
    lungs = F.interpolate(whole[:, :, 10:43, 5:64], (96, 64), mode="bilinear", align_corners=False)
    keep("sdfn.lungs", lungs)
    keep("sdfn", fill(Sdfn(3, 4, (2, 2, 2, 2), 8, 4), listed)(whole, lungs))


# Losses, maps -------------------------------------------------------------------------------------------------------


def losses():
    """LossMulti of ternaus/robot-surgery-segmentation; weights of Ronneberger et al. 2015, equation 2, with scipy."""
    targets = torch.floor((noise("jaccard.targets", 40) + 1) * 1.5).long().reshape(2, 1, 5, 4)
    for weight in (0.3, 1.0):
        logits = given("jaccard.logits", 2, 3, 1, 5, 4).requires_grad_()
        outputs = F.log_softmax(logits, 1)
        loss = (1 - weight) * F.nll_loss(outputs, targets)
        for label in range(3):
            truth, found = (targets == label).double(), outputs[:, label].exp()
            both = (found * truth).sum()
            union = found.sum() + truth.sum()
            loss = loss - weight * torch.log((both + 1e-15) / (union - both + 1e-15))
        loss.backward()
        keep(f"jaccard.{weight}", torch.cat([loss.reshape(1), logits.grad.flatten()]), exact=True)

    w0, sigma = 10.0, 2.0
    for name, shape in (("border.plane", (1, 20, 24)), ("border.volume", (8, 10, 12))):
        k, j, i = np.indices(shape)
        labels = np.zeros(shape, dtype=int)
        depth = shape[0] > 1
        for at in ((5, 5, 2), (12, 6, 2), (6, 13, 5), (17, 14, 5), (3, 18, 1)):
            centre = [at[0] * shape[2] / 24, at[1] * shape[1] / 20, at[2] * shape[0] / 8]
            squared = (i - centre[0]) ** 2 + (j - centre[1]) ** 2 + depth * (k - centre[2]) ** 2
            labels[squared < (2.0 if depth else 3.1) ** 2] = 1
        labels[:, :, -2:] = 2
        cells, count = components(labels > 0)
        assert count >= 4, count
        near = np.sort([distance_transform_edt(cells != cell) for cell in range(1, count + 1)], 0)
        present = np.unique(labels)
        balance = np.zeros(3)
        for label in present:
            balance[label] = labels.size / (len(present) * (labels == label).sum())
        walls = w0 * np.exp(-((near[0] + near[1]) ** 2) / (2 * sigma**2)) * (labels == 0)
        keep(f"{name}.labels", torch.from_numpy(labels), exact=True)
        keep(name, torch.from_numpy(balance[labels] + walls), exact=True)


def maps():
    x = noise("stretched", 15).reshape(1, 1, 3, 5)
    for name, size in (("up", (7, 20)), ("down", (2, 3))):
        keep(f"stretched.{name}", F.interpolate(x, size, mode="bilinear", align_corners=False), exact=True)


def main():
    for part in (unets, encoders, classifiers, others, losses, maps):
        with torch.set_grad_enabled(part is losses):
            part()
    with open(os.path.join(HERE, "systems.json"), "w") as out:
        lines = [f"  {json.dumps(name)}: {json.dumps(values)}" for name, values in GOLDEN.items()]
        out.write("{\n" + ",\n".join(lines) + "\n}\n")
    # what the tests state about sizes
    sizes = {
        "U-Net": unet_valid(1, 2, 64, 5),
        "3-D U-Net": unet3d(3, 3, 32, 4, 0),
        "nnU-Net, planes": unet(2, 1, 2, [32, 64, 128, 256, 512], [[2, 2]] * 4, [[3, 3]] * 5, False, 1),
        "nnU-Net, volumes": unet(3, 1, 2, [32, 64, 128, 256, 320, 320], [[2] * 3] * 5, [[3] * 3] * 6, True, 4),
        "LinkNet": LinkNet(3, 19, 64),
        "TernausNet": TernausNet(3, 1, 32),
        "LinkNet-34": LinkNet34(3, 1, 64),
        "TernausNet-16": TernausNet16(3, 1, 32),
        "ResNet-18": torchvision.models.resnet18(),
        "ResNet-34": torchvision.models.resnet34(),
        "DenseNet-121": torchvision.models.densenet121(),
        "ILD": IldCnn(1, 7, 4, 5, 0.3),
        "soft attention": SoftAttention(3, 1, [64, 128, 256, 512]),
        "knee": Knee(1, 5, 64),
        "SDFN": Sdfn(14, 32, (6, 12, 24, 16), 64, 4),
    }
    for name, net in sizes.items():
        print(f"{name}: {parameters(net):,} parameters, {normalised(net):,} channels in batch normalisation")


if __name__ == "__main__":
    main()
