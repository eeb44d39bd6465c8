"""Time of turning strings into padded labels with a Python dictionary, as the published code does.

    python3 python_tokens.py INPUTS.json
"""

import json
import platform
import sys
import time

import numpy


def encode(text, table, length):
    labels = numpy.zeros(length, dtype=numpy.int64)
    for place, character in enumerate(text[:length]):
        labels[place] = table[character]
    return labels


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        inputs = json.load(file)
    work = [
        (inputs["smiles"], inputs["labels"]["smiles"], inputs["drug_tokens"]),
        (inputs["sequences"], inputs["labels"]["protein"], inputs["target_tokens"]),
    ]
    for texts, table, expected in work:
        for text, labels in zip(texts, expected):
            if encode(text, table, len(labels)).tolist() != labels:
                raise SystemExit(f"the two sides encode {text[:40]!r} differently")
    times = []
    for _ in range(5):
        began = time.perf_counter()
        for texts, table, expected in work:
            length = len(expected[0])
            for text in texts:
                encode(text, table, length)
        times.append(time.perf_counter() - began)
    print(json.dumps({
        "seconds": sorted(times)[2],
        "items": sum(len(texts) for texts, _, _ in work),
        "version": f"Python {platform.python_version()}, numpy {numpy.__version__}",
    }))


if __name__ == "__main__":
    main()
