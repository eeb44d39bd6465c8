#!/usr/bin/env python3
"""Per-base depth of the alignment files of the research data, as samtools, mosdepth and bedtools give it.

    depth.py DATA [NAME...] > depth.json

DATA is the folder that holds genomics/; names, as htslib/c1#clip.sam, restrict it to those files. A tool that fails on a
file is left out for it (mosdepth stops at reads that leave their contig). Needs samtools 1.16, mosdepth 0.3.3 and bedtools 2.30 on the PATH. Of each contig
with depth the file keeps the number of covered positions, the sum, the number of runs of equal depth, the CRC-32 of those
runs written as `start TAB end TAB depth LF` (0-based, half-open, without depth 0), and the first three runs.
"""
import gzip
import json
import os
import subprocess
import sys
import tempfile
import zlib

SETS = ["deeptools", "giab_chr20", "htslib", "macs_ctcf_chr22"]
REFERENCES = {"deeptools/test1.cram": "deeptools/test1.fa"}


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True).stdout.decode()


def merged(rows):
    """Joins neighbours of equal depth and drops depth 0; `rows` in order of position."""
    runs = []
    for start, end, depth in rows:
        if depth == 0 or start == end:
            continue
        if runs and runs[-1][1] == start and runs[-1][2] == depth:
            runs[-1][1] = end
        else:
            runs.append([start, end, depth])
    return runs


def summary(contigs, lengths):
    """`lengths` clips what lies behind the end of a contig, which samtools prints."""
    out = []
    for name, rows in contigs.items():
        runs = merged((start, min(end, lengths[name]), depth) for start, end, depth in rows if start < lengths[name])
        if not runs:
            continue
        text = "".join(f"{s}\t{e}\t{d}\n" for s, e, d in runs)
        out.append({
            "contig": name,
            "positions": sum(e - s for s, e, _ in runs),
            "sum": sum((e - s) * d for s, e, d in runs),
            "runs": len(runs),
            "crc32": zlib.crc32(text.encode()),
            "first": runs[:3],
        })
    return out


def table(text, one_based):
    contigs = {}
    for line in text.splitlines():
        fields = line.split("\t")
        if one_based:
            position = int(fields[1])
            contigs.setdefault(fields[0], []).append((position - 1, position, int(fields[2])))
        else:
            contigs.setdefault(fields[0], []).append((int(fields[1]), int(fields[2]), int(fields[3])))
    return contigs


def main():
    root = os.path.join(sys.argv[1], "genomics")
    result = {}
    work = tempfile.mkdtemp()
    for folder in SETS:
        for file in sorted(os.listdir(os.path.join(root, folder))):
            if not file.endswith((".bam", ".sam", ".cram")):
                continue
            name = f"{folder}/{file}"
            if sys.argv[2:] and name not in sys.argv[2:]:
                continue
            bam = os.path.join(work, "sorted.bam")
            reference = REFERENCES.get(name)
            reference = ["--reference", os.path.join(root, reference)] if reference else []
            entry = {}

            def record(key, produce):
                try:
                    entry[key] = produce()
                except subprocess.CalledProcessError as error:
                    sys.stderr.write(f"{name}, {key}: {error.stderr.decode().strip().splitlines()[:2]}\n")

            def prepare():
                run("samtools", "sort", *reference, "-o", bam, os.path.join(root, name))
                run("samtools", "index", bam)
                return int(run("samtools", "view", "-c", bam))

            def mosdepth():
                run("mosdepth", "-F", str(0xF04), os.path.join(work, "mos"), bam)
                with gzip.open(os.path.join(work, "mos.per-base.bed.gz"), "rt") as rows:
                    return summary(table(rows.read(), False), lengths)

            def five_prime():
                kept = os.path.join(work, "kept.bam")
                run("samtools", "view", "-b", "-F", str(0xF04), "-o", kept, bam)
                return summary(table(run("bedtools", "genomecov", "-5", "-bg", "-ibam", kept), False), lengths)

            record("records", prepare)
            if not entry:
                continue
            header = [line.split("\t") for line in run("samtools", "view", "-H", bam).splitlines() if line.startswith("@SQ")]
            fields = [dict(field.split(":", 1) for field in line[1:]) for line in header]
            lengths = {line["SN"]: int(line["LN"]) for line in fields}
            record("samtools", lambda: summary(table(run("samtools", "depth", bam), True), lengths))
            strict = ["-G", "0x800", "-Q", "20"]
            record("samtools_strict", lambda: summary(table(run("samtools", "depth", *strict, bam), True), lengths))
            record("samtools_deletions", lambda: summary(table(run("samtools", "depth", "-J", bam), True), lengths))
            record("mosdepth", mosdepth)
            record("bedtools_five_prime", five_prime)
            result[name] = entry
    json.dump(result, sys.stdout, indent=0)
    sys.stdout.write("\n")


main()
