"""Time of lifelines' concordance index.

    python3 lifelines_ci.py INPUTS.json
"""

import json
import sys
import time

import lifelines
import numpy
from lifelines.utils import concordance_index


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        inputs = json.load(file)["ci"]
    truth = numpy.array(inputs["truth"], dtype=numpy.float64)
    predicted = numpy.array(inputs["predicted"], dtype=numpy.float64)
    times = []
    for _ in range(3):
        began = time.perf_counter()
        value = concordance_index(truth, predicted)
        times.append(time.perf_counter() - began)
    print(json.dumps({
        "seconds": sorted(times)[1], "items": len(truth), "value": float(value), "version": f"lifelines {lifelines.__version__}"
    }))


if __name__ == "__main__":
    main()
