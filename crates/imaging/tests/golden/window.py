"""Sliding windows with constant weights by MONAI 1.6.1, on sizes where its windows stand where ours do: writes window.json."""

import json
import pathlib

import torch
from monai.inferers import sliding_window_inference

torch.manual_seed(5)
# [batch, channels, k, j, i]: windows of 4 x 6 x 8 every 2 x 3 x 4 voxels.
image = torch.randn(1, 2, 8, 9, 16)
ramp = torch.linspace(-1, 1, 8)


def network(window):
    """Two classes that depend on the place in the window, so that each voxel's mean is one of different numbers."""
    first = torch.sigmoid(window[:, 0:1] + 2 * window[:, 1:2] + ramp)
    return torch.cat([first, 1 - first], 1)


found = sliding_window_inference(image, (4, 6, 8), 3, network, overlap=0.5, mode="constant")
golden = {
    "image": image.flatten().tolist(),
    "probability": found.flatten().tolist(),
    "labels": found.argmax(1).flatten().tolist(),
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(golden) + "\n")
