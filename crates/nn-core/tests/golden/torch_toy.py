"""Golden files for the weight formats: what PyTorch computes from weights that nn_core exports, and weights it imports.

    pip install torch safetensors && python3 torch_toy.py

The network is Linear(3, 4), BatchNorm1d(4), ReLU, Linear(4, 2) in evaluation mode.

toy_export.safetensors  weights given by a formula, in the bytes that nn_core::store must write in PyTorch layout: this
                        script has its own writer, the safetensors package reads the file back
toy.pt                  torch.save of a state_dict with random weights
toy_nested.pt           the same weights as float64 under "state_dict", each name behind "module."
toy.json                inputs and, for both sets of weights, PyTorch's outputs
"""
import hashlib
import json
import os
import struct

import safetensors.torch
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
METADATA = {"architecture": "toy", "config": '{"hidden":4,"unit":"µmol/l"}', "layout": "pytorch"}


class Toy(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = torch.nn.Linear(3, 4)
        self.norm = torch.nn.BatchNorm1d(4)
        self.fc2 = torch.nn.Linear(4, 2)

    def forward(self, x):
        return self.fc2(torch.relu(self.norm(self.fc1(x))))


def formula(tensor_index, name, shape):
    """Values with at most 7 binary digits, exact in float32; variances positive."""
    count = 1
    for size in shape:
        count *= size
    shift = 1 if name.endswith("running_var") else -50
    return [((i * 37 + tensor_index * 11) % 101 + shift) / 64 for i in range(count)]


def digest(tensors):
    """As described in nn_core::store::digest."""
    hashed = hashlib.sha256()

    def number(value):
        hashed.update(struct.pack("<Q", value))

    def field(content):
        number(len(content))
        hashed.update(content)

    number(len(METADATA))
    for name in sorted(METADATA):
        field(name.encode())
        field(METADATA[name].encode())
    number(len(tensors))
    for name in sorted(tensors):
        shape, values = tensors[name]
        field(name.encode())
        field(b"F32")
        number(len(shape))
        for length in shape:
            number(length)
        field(struct.pack(f"<{len(values)}f", *values))
    return hashed.hexdigest()


def write_safetensors(path, tensors):
    header = {"__metadata__": {"galen_sha256": digest(tensors), **METADATA}}
    data = b""
    for name in sorted(tensors):
        shape, values = tensors[name]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + 4 * len(values)]}
        data += struct.pack(f"<{len(values)}f", *values)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + data)


torch.manual_seed(7)
inputs = torch.randn(5, 3)
model = Toy()
model.train()
for _ in range(3):  # moves the running statistics away from 0 and 1
    model(torch.randn(16, 3) * 2 + 1)
model.eval()
state = model.state_dict()
torch.save(state, os.path.join(HERE, "toy.pt"))
nested = {"module." + name: value.double() if value.is_floating_point() else value for name, value in state.items()}
torch.save({"epoch": 3, "state_dict": nested}, os.path.join(HERE, "toy_nested.pt"))
imported = model(inputs)

names = sorted(name for name in state if not name.endswith("num_batches_tracked"))
tensors = {name: (list(state[name].shape), formula(index, name, state[name].shape)) for index, name in enumerate(names)}
path = os.path.join(HERE, "toy_export.safetensors")
write_safetensors(path, tensors)
exported = Toy()
missing, unexpected = exported.load_state_dict(safetensors.torch.load_file(path), strict=False)
assert set(missing) <= {"norm.num_batches_tracked"} and not unexpected, (missing, unexpected)
exported.eval()
with open(os.path.join(HERE, "toy.json"), "w") as out:
    json.dump({"inputs": inputs.tolist(), "imported": imported.tolist(), "exported": exported(inputs).tolist()}, out)
    out.write("\n")
