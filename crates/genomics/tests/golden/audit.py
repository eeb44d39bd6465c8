"""Writes audit.json: what tests/it/audit.rs expects of published sets, counted in Python.

    python audit.py FOLDER > audit.json

FOLDER holds rbp31, m6a_41bp and uci_splice. Needs nothing but Python (3.11 was used).
"""

import bisect
import collections
import csv
import gzip
import json
import sys

COMPLEMENT = str.maketrans("ACGTMRWSYKVHDBN", "TGCAKYWSRMBDHVN")


def other_strand(sequence):
    return sequence[::-1].translate(COMPLEMENT)


def canonical(sequence):
    return min(sequence, other_strand(sequence))


def class_fasta(path):
    rows = []
    for record in gzip.open(path, "rt").read().split(">")[1:]:
        header, *lines = record.split("\n")
        sequence = "".join(lines).strip().upper().replace("U", "T")
        # 'chr1,+,69396,69496; class:0', counted from 0, with the last base
        place, label = header.split(";")
        contig, _, start, end = place.strip().split(",")
        assert int(end) + 1 - int(start) == len(sequence)
        rows.append((sequence, label.strip()[-1], (contig, int(start), int(end) + 1)))
    return rows


def table(path):
    return [(r["sequence"].upper().replace("U", "T"), r["label"], None) for r in csv.DictReader(gzip.open(path, "rt"))]


def compare(train, test):
    sequences = collections.defaultdict(set)
    labels = collections.defaultdict(set)
    for sequence, label, _ in train:
        sequences[canonical(sequence)].add(sequence)
        labels[canonical(sequence)].add(label)
    everything = collections.defaultdict(set)
    for sequence, label, _ in train + test:
        everything[canonical(sequence)].add(label)
    twins = [row for row in test if canonical(row[0]) in sequences]
    exact = [row for row in twins if row[0] in sequences[canonical(row[0])]]
    known = lambda row: sum(row[0].count(base) for base in "ACGT")
    out = {
        "train": len(train),
        "test": len(test),
        "distinct": len(everything),
        "conflicts": sum(len(found) > 1 for found in everything.values()),
        "same_sequence": len(exact),
        "reverse_complement": len(twins) - len(exact),
        "conflicting": sum(bool(labels[canonical(row[0])] - {row[1]}) for row in twins),
        "rows_with_unknown": sum(known(row) < len(row[0]) for row in test),
        "rows_all_unknown": sum(known(row) == 0 for row in test),
        "unknown": sum(len(row[0]) - known(row) for row in test) / sum(len(row[0]) for row in test),
    }
    if train[0][2]:
        starts = collections.defaultdict(list)
        longest = max(end - start for _, _, (_, start, end) in train)
        for _, _, (contig, start, end) in train:
            starts[contig].append((start, end))
        for intervals in starts.values():
            intervals.sort()
        def overlaps(place):
            contig, start, end = place
            intervals = starts.get(contig, [])
            first = bisect.bisect_left(intervals, (start - longest, 0))
            last = bisect.bisect_left(intervals, (end, 0))
            return any(other > start for _, other in intervals[first:last])
        out["same_contig"] = sum(row[2][0] in starts for row in test)
        out["overlapping"] = sum(overlaps(row[2]) for row in test)
    return out


def main(folder):
    out = {}
    for name in ["17_ICLIP_HNRNPC_hg19", "24_PARCLIP_QKI_hg19", "27_ICLIP_TDP43_hg19"]:
        parts = [class_fasta(f"{folder}/rbp31/{name}/{part}.fa.gz") for part in ["training", "test"]]
        out[name] = compare(*parts)
    for name in ["Human_Brain", "Human_Liver", "Mouse_brain"]:
        out[name] = compare(*(table(f"{folder}/m6a_41bp/{name}/{part}.csv.gz") for part in ["train", "test"]))
    splice = [line.split(",") for line in open(f"{folder}/uci_splice/spliceData.txt") if line.strip()]
    sequences = [(sequence.strip().upper(), label.strip()) for label, _, sequence in splice]
    labels = collections.defaultdict(set)
    for sequence, label in sequences:
        labels[canonical(sequence)].add(label)
    out["uci_splice"] = {
        "rows": len(sequences),
        "different_letters": len({sequence for sequence, _ in sequences}),
        "distinct": len(labels),
        "conflicts": sum(len(found) > 1 for found in labels.values()),
    }
    print(json.dumps(out, indent=1))


main(sys.argv[1])
