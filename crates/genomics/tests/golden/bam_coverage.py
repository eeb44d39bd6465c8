#!/usr/bin/env python3
"""Binned coverage as deepTools' bamCoverage gives it, fragments as bedtools gives them, windows counted with pysam.

    bam_coverage.py DATA > bam_coverage.json

DATA is the folder that holds genomics/. Needs deepTools 3.5.6 and pysam in this Python, samtools 1.16 and bedtools 2.30 on
the PATH. Rows are merged where neighbours are equal and rows of value 0 are left out; `crc32` is that of the rows written
as `contig TAB start TAB end TAB value LF`.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zlib

import pysam

FILES = ["paired_chr2L.bam", "phiX.bam", "test1.bam", "testA.bam", "testB.bam", "test_filtering.bam", "test_paired2.bam"]
# (contig, 0-based position, strand): in the middle, on both strands, at both ends of the contig
CENTRES = {
    "paired_chr2L.bam": [("chr2L", 2500, "+"), ("chr2L", 2500, "-"), ("chr2L", 120, "+"), ("chr2L", 8333, "-"),
                         ("chr2L", 5000, "+"), ("chr2L", 5025, "+")],
    "phiX.bam": [("phiX174", 2700, "+"), ("phiX174", 2700, "-"), ("phiX174", 5300, "-"), ("phiX174", 0, "+")],
}
BINS, BIN = 20, 50


def merged(rows):
    runs = []
    for contig, start, end, value in rows:
        if value == 0 or start == end:
            continue
        if runs and runs[-1][0] == contig and runs[-1][2] == start and runs[-1][3] == value:
            runs[-1][2] = end
        else:
            runs.append([contig, start, end, value])
    return runs


def summary(rows, whole=False):
    runs = merged(rows)
    text = "".join(f"{c}\t{s}\t{e}\t{v}\n" for c, s, e, v in runs)
    out = {"rows": len(runs), "crc32": zlib.crc32(text.encode()), "first": runs[:3]}
    if whole:
        out["all"] = runs
    return out


def bed_graph(text, number):
    for line in text.splitlines():
        contig, start, end, value = line.split("\t")
        yield contig, int(start), int(end), number(value)


def main():
    folder = os.path.join(sys.argv[1], "genomics", "deeptools")
    work = tempfile.mkdtemp()
    program = os.path.join(os.path.dirname(sys.executable), "bamCoverage")
    result = {}
    for name in FILES:
        bam = os.path.join(work, name)
        shutil.copyfile(os.path.join(folder, name), bam)
        pysam.index(bam)
        entry = {}

        def deeptools(*options):
            out = os.path.join(work, "out.bg")
            command = [program, "-b", bam, "-o", out, "-of", "bedgraph", "-p", "1", *options]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with open(out) as rows:
                return rows.read()

        entry["none_25"] = summary(bed_graph(deeptools("-bs", "25"), int))
        whole = name in ("phiX.bam", "testB.bam")
        for scale in ("CPM", "RPKM", "BPM"):
            rows = bed_graph(deeptools("-bs", "100", "--normalizeUsing", scale), float)
            entry[f"{scale.lower()}_100"] = summary(rows, whole)
        entry["extended_20"] = summary(bed_graph(deeptools("-bs", "20", "--extendReads", "200"), int))
        proper = subprocess.run(["samtools", "view", "-b", "-f", "2", "-F", "0xF04", bam], check=True, capture_output=True)
        pairs = os.path.join(work, "proper.bam")
        with open(pairs, "wb") as out:
            out.write(proper.stdout)
        bedtools = subprocess.run(["bedtools", "genomecov", "-pc", "-bg", "-ibam", pairs], check=True, capture_output=True)
        entry["fragments"] = summary(bed_graph(bedtools.stdout.decode(), int))
        if name in CENTRES:
            entry["windows"] = [windows(bam, centre, strand) for centre in CENTRES[name] for strand in "*+-"]
        result[name] = entry
    json.dump(result, sys.stdout, indent=0)
    sys.stdout.write("\n")


def windows(path, centre, strand):
    """Reads (not unmapped, secondary, QC-failed, duplicate or supplementary) that touch each bin with a covered base."""
    contig, position, direction = centre
    width = BINS * BIN
    start = position - width // 2 if direction == "+" else position + 1 - width // 2
    counts = [0] * BINS
    with pysam.AlignmentFile(path) as reads:
        for read in reads.fetch(contig):
            if read.flag & 0xF04 or (strand != "*" and read.is_reverse != (strand == "-")):
                continue
            touched = set()
            for left, right in read.get_blocks():
                for base in range(max(left, start), min(right, start + width)):
                    touched.add((base - start) // BIN)
            for place in touched:
                counts[place] += 1
    if direction == "-":
        counts.reverse()
    return {"contig": contig, "position": position, "strand": direction, "reads": strand, "counts": counts}


main()
