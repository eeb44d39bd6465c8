"""Time of one training epoch of the plain DeepDTA network in PyTorch: every pair goes through both branches.

    python3 torch_deepdta_epoch.py INPUTS.json [--batches N] [--threads N] [--device cpu|cuda]

Times N training steps (batch, forward, backward, Adam) after two that are not counted, and scales their mean to an epoch.
"""

import argparse
import json
import resource
import time

import torch
from torch import nn


class Branch(nn.Module):
    def __init__(self, labels, kernel):
        super().__init__()
        self.embed = nn.Embedding(labels, 128)
        self.convolve = nn.Sequential(
            nn.Conv1d(128, 32, kernel), nn.ReLU(), nn.Conv1d(32, 64, kernel), nn.ReLU(), nn.Conv1d(64, 96, kernel), nn.ReLU()
        )

    def forward(self, tokens):
        return self.convolve(self.embed(tokens).transpose(1, 2)).amax(2)


class DeepDta(nn.Module):
    def __init__(self, drug_labels, target_labels, drug_kernel, target_kernel):
        super().__init__()
        self.drug = Branch(drug_labels, drug_kernel)
        self.target = Branch(target_labels, target_kernel)
        self.head = nn.Sequential(
            nn.Linear(192, 1024), nn.ReLU(), nn.Dropout(0.1),
            nn.Linear(1024, 1024), nn.ReLU(), nn.Dropout(0.1),
            nn.Linear(1024, 512), nn.ReLU(), nn.Linear(512, 1),
        )

    def forward(self, drug, target):
        return self.head(torch.cat([self.drug(drug), self.target(target)], 1)).squeeze(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inputs")
    parser.add_argument("--batches", type=int, default=10)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(1)

    with open(args.inputs, encoding="utf-8") as file:
        inputs = json.load(file)
    drugs = torch.tensor(inputs["drug_tokens"], dtype=torch.long, device=args.device)
    targets = torch.tensor(inputs["target_tokens"], dtype=torch.long, device=args.device)
    pairs = torch.tensor([pair[:2] for pair in inputs["pairs"]], dtype=torch.long, device=args.device)
    values = torch.tensor([pair[2] for pair in inputs["pairs"]], dtype=torch.float32, device=args.device)
    size, kernels = inputs["batch_size"], inputs["kernels"]

    # Label 0 is the padding, so a table of n characters has n + 1 rows.
    model = DeepDta(
        max(inputs["labels"]["smiles"].values()) + 1, max(inputs["labels"]["protein"].values()) + 1, kernels["drug"], kernels["target"]
    ).to(args.device)
    model.train()
    # Keras' epsilon, as in the paper's code.
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)

    def synchronise():
        if args.device != "cpu":
            torch.cuda.synchronize()

    order = torch.randperm(len(pairs), device=args.device)
    full = len(pairs) // size
    if full == 0:
        raise SystemExit(f"{len(pairs)} pairs do not fill a batch of {size}")
    times = []
    for step in range(args.batches + 2):
        synchronise()
        began = time.perf_counter()
        rows = order[(step % full) * size : (step % full + 1) * size]
        optimiser.zero_grad()
        predicted = model(drugs[pairs[rows, 0]], targets[pairs[rows, 1]])
        nn.functional.mse_loss(predicted, values[rows]).backward()
        optimiser.step()
        synchronise()
        if step >= 2:
            times.append(time.perf_counter() - began)
    seconds = sum(times) / len(times) * len(pairs) / size
    print(json.dumps({
        "seconds": seconds,
        "items": len(pairs),
        "batches": len(times),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "device": args.device,
        "version": f"torch {torch.__version__}, {torch.get_num_threads()} threads",
    }))


if __name__ == "__main__":
    main()
