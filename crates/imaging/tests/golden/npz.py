"""Arrays by numpy, as hexadecimal bytes with their values. Writes npz.json."""

import io
import json

import numpy as np

rng = np.random.default_rng(23)
arrays = {
    "train_images": rng.integers(0, 256, (6, 4, 5)).astype(np.uint8),
    "train_labels": rng.integers(0, 2, (6, 1)).astype(np.int64),
    "fortran": np.asfortranarray(rng.normal(size=(3, 2, 4)).astype(np.float32)),
    "big": rng.integers(-9, 9, (2, 3)).astype(">i4"),
    "truth": np.array([[True, False], [False, True]]),
    "double": rng.normal(size=(2, 2)),
}
cases = {}
for name, write in (("stored", np.savez), ("deflated", np.savez_compressed)):
    out = io.BytesIO()
    write(out, **arrays)
    cases[name] = out.getvalue().hex()
out = io.BytesIO()
np.save(out, arrays["train_images"])
objects = io.BytesIO()
np.save(objects, np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
json.dump({
    "archives": cases, "single": out.getvalue().hex(), "objects": objects.getvalue().hex(),
    "arrays": {name: {"shape": list(array.shape), "values": [float(np.float32(value)) for value in array.ravel()]} for name, array in arrays.items()},
}, open("npz.json", "w"))
