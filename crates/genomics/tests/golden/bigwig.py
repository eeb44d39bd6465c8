#!/usr/bin/env python3
"""Values of bigWig files as pyBigWig reads them, and a small file of every kind of block as it writes them.

    bigwig.py DATA > bigwig.json     (and writes steps.bw beside this file)

DATA is the folder that holds genomics/. Needs pyBigWig 0.3.29.
"""
import json
import os
import sys
import zlib

import pyBigWig

here = os.path.dirname(os.path.abspath(__file__))
folder = os.path.join(sys.argv[1], "genomics", "deeptools")


def content(path):
    """Names, lengths and spans; long lists as CRC-32 of their bytes (two little-endian u32 and one f32 for each)."""
    import struct
    out = []
    with pyBigWig.open(path) as file:
        for name, length in file.chroms().items():
            spans = file.intervals(name) or []
            packed = b"".join(struct.pack("<IIf", *span) for span in spans)
            out.append({"contig": name, "length": length, "spans": len(spans), "crc32": zlib.crc32(packed),
                        "first": [list(span) for span in spans[:3]]})
    return out


steps = pyBigWig.open(os.path.join(here, "steps.bw"), "w")
steps.addHeader([("chr2", 5000), ("chr1", 1000), ("scaffold_without_values", 70)], maxZooms=2)
steps.addEntries("chr2", 100, values=[0.5 * i for i in range(20)], span=20, step=30)
steps.addEntries("chr2", [1000, 1010, 1300], values=[1.0, -2.0, 3.5], span=10)
steps.addEntries(["chr1", "chr1", "chr1"], [0, 10, 990], ends=[10, 500, 1000], values=[1.5, 0.0, 7.25])
steps.close()

result = {name: content(os.path.join(folder, name)) for name in sorted(os.listdir(folder)) if name.endswith(".bw")}
result["steps.bw"] = content(os.path.join(here, "steps.bw"))
json.dump(result, sys.stdout, indent=0)
sys.stdout.write("\n")
