"""Time of one training step in PyTorch (forward, backward, Adam with a rate of 1e-3; the loss is the mean of the squared output).

    python3 torch_steps.py --only NAME [--steps N] [--threads N] [--device cpu|cuda]

One workload a process, so that its peak of memory is its own. Two steps are run before the N that are timed. The last line printed is
one JSON object; `seconds` is the middle one of the N, `peak_mb` the largest resident memory of the process in MiB.

| workload | network | input |
|---|---|---|
| `unet2d` | U-Net of 5 levels, 32 channels at the top, convolutions of 3 with batch norm, transposed ones of 2 | 2 x 1 x 256 x 256 |
| `unet3d` | the same in three dimensions with 4 levels and 16 channels at the top | 2 x 1 x 40 x 56 x 40 |
| `cnn1d` | Basset (Kelley et al. 2016) | 64 x 4 x 600 |
| `gru` | embedding of 5,000 codes in 128 numbers, a GRU of 128, a linear read-out of its last state | 64 x 100 codes |
| `deepdta` | DeepDTA (Öztürk et al. 2018), every pair through both branches | 256 pairs of 64 drugs and 256 proteins |
"""

import argparse
import json
import resource
import time

import torch
from torch import nn

WARM_UP = 2


class UNet(nn.Module):
    """Two convolutions a level, halved on the way down, doubled and joined with the other side on the way up."""

    def __init__(self, dimensions, top, levels):
        super().__init__()
        kinds = {
            2: (nn.Conv2d, nn.BatchNorm2d, nn.ConvTranspose2d, nn.MaxPool2d),
            3: (nn.Conv3d, nn.BatchNorm3d, nn.ConvTranspose3d, nn.MaxPool3d),
        }
        convolution, norm, transposed, pool = kinds[dimensions]

        def level(inputs, outputs):
            parts = []
            for channels in (inputs, outputs):
                parts += [convolution(channels, outputs, kernel_size=3, padding=1), norm(outputs), nn.ReLU()]
            return nn.Sequential(*parts)

        widths = [top * 2**depth for depth in range(levels)]
        self.halve = pool(2)
        self.first = level(1, top)
        self.downward = nn.ModuleList(level(above, below) for above, below in zip(widths, widths[1:]))
        self.enlarge = nn.ModuleList(
            transposed(below, above, kernel_size=2, stride=2) for above, below in zip(widths, widths[1:])
        )
        self.upward = nn.ModuleList(level(2 * width, width) for width in widths[:-1])
        self.read_out = convolution(top, 1, kernel_size=1)

    def forward(self, image):
        levels = [self.first(image)]
        for block in self.downward:
            levels.append(block(self.halve(levels[-1])))
        features = levels.pop()
        for enlarge, block in zip(self.enlarge[::-1], self.upward[::-1]):
            features = block(torch.cat((levels.pop(), enlarge(features)), dim=1))
        return self.read_out(features)


def basset():
    """Three convolutions with batch norm and pooling, three dense layers, 164 outputs."""
    parts, inputs = [], 4
    for outputs, kernel, pool in [(300, 19, 3), (200, 11, 4), (200, 7, 4)]:
        parts.append(nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2))
        parts += [nn.BatchNorm1d(outputs), nn.ReLU(), nn.MaxPool1d(pool)]
        inputs = outputs
    # 600 letters are 200, 50 and then 12 places after the pools.
    parts += [nn.Flatten(), nn.Linear(12 * inputs, 1000), nn.ReLU(), nn.Linear(1000, 1000), nn.ReLU(), nn.Linear(1000, 164)]
    return nn.Sequential(*parts)


class LastState(nn.Module):
    """A number for each sequence of codes, from the last state of a GRU."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5000, 128)
        self.recurrent = nn.GRU(128, 128, batch_first=True)
        self.read_out = nn.Linear(128, 1)

    def forward(self, codes):
        states, _ = self.recurrent(self.embedding(codes))
        return self.read_out(states[:, -1])


class DeepDta(nn.Module):
    """The plain network: a pair's strings are embedded, convolved and pooled, whether they were in the batch before or not."""

    def __init__(self):
        super().__init__()
        self.embeddings = nn.ModuleList([nn.Embedding(65, 128), nn.Embedding(26, 128)])
        self.branches = nn.ModuleList([self.branch(4), self.branch(8)])
        self.head = nn.Sequential(
            nn.Linear(2 * 96, 1024), nn.ReLU(), nn.Dropout(0.1),
            nn.Linear(1024, 1024), nn.ReLU(), nn.Dropout(0.1),
            nn.Linear(1024, 512), nn.ReLU(),
            nn.Linear(512, 1),
        )

    @staticmethod
    def branch(kernel):
        parts = []
        for inputs, outputs in [(128, 32), (32, 64), (64, 96)]:
            parts += [nn.Conv1d(inputs, outputs, kernel), nn.ReLU()]
        return nn.Sequential(*parts)

    def forward(self, drugs, proteins):
        sides = zip((drugs, proteins), self.embeddings, self.branches)
        pooled = [branch(embedding(labels).mT).amax(dim=2) for labels, embedding, branch in sides]
        return self.head(torch.cat(pooled, dim=1))


def workload(name):
    """Network and inputs."""
    def labels(below, *shape):
        return torch.randint(below, shape)

    if name == "unet2d":
        return UNet(dimensions=2, top=32, levels=5), [torch.rand(2, 1, 256, 256)]
    if name == "unet3d":
        return UNet(dimensions=3, top=16, levels=4), [torch.rand(2, 1, 40, 56, 40)]
    if name == "cnn1d":
        return basset(), [torch.rand(64, 4, 600)]
    if name == "gru":
        return LastState(), [labels(5000, 64, 100)]
    # Drawn with repetition, as the pairs of a batch of Davis share their drugs.
    drugs, proteins = labels(65, 64, 85), labels(26, 256, 1200)
    return DeepDta(), [drugs[labels(64, 256)], proteins[labels(256, 256)]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", required=True, choices=["unet2d", "unet3d", "cnn1d", "gru", "deepdta"])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    if args.steps < 1:
        parser.error("--steps must be at least 1")
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    network, inputs = workload(args.only)
    network = network.to(args.device).train()
    inputs = [values.to(args.device) for values in inputs]
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)

    def wait():
        if args.device != "cpu":
            torch.cuda.synchronize()

    def step():
        optimiser.zero_grad()
        network(*inputs).square().mean().backward()
        optimiser.step()
        wait()

    for _ in range(WARM_UP):
        step()
    times = []
    for _ in range(args.steps):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    times.sort()
    print(json.dumps({
        "name": args.only,
        "seconds": times[len(times) // 2],
        "min_seconds": times[0],
        "items": len(times),
        "threads": torch.get_num_threads(),
        "params": sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "device": args.device,
        "version": f"torch {torch.__version__}, {torch.get_num_threads()} threads",
    }))


if __name__ == "__main__":
    main()
