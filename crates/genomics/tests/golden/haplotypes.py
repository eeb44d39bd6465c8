"""Sequences of intervals with several variants in them, as kipoiseq builds them.

pip install kipoiseq==0.7.1 (with its dependencies); python haplotypes.py > haplotypes.json
Variants of one case do not overlap: where they do, kipoiseq inserts both alleles, and we refuse.
"""
import json
import random
import tempfile
from pathlib import Path

from kipoiseq.dataclasses import Interval, Variant
from kipoiseq.extractors import VariantSeqExtractor

random.seed(9)
reference = "".join(random.choice("ACGT") for _ in range(400))


def variants(first, last):
    """Sorted, none touching the REF of another."""
    found, at = [], first
    while at < last:
        at += random.choice([0, 1, 1, 2, 3, 5, 8, 13])
        length = random.choice([1, 1, 1, 2, 3, 5, 9])
        ref = reference[at : at + length]
        alt = random.choice(
            [random.choice("ACGT"), ref[0] + "".join(random.choice("ACGT") for _ in range(random.randint(1, 6)))]
        )
        if ref != alt:
            found.append((at, ref, alt))
        at += length
    return found


cases = []
with tempfile.TemporaryDirectory() as folder:
    fasta = Path(folder, "r.fa")
    fasta.write_text(f">c\n{reference}\n")
    extractor = VariantSeqExtractor(str(fasta))
    while len(cases) < 240:
        start = random.randint(100, 260)
        end = start + random.choice([0, 1, 2, 7, 20, 40])
        chosen = variants(start - 12, end + 12)
        random.shuffle(chosen)
        anchor = random.randint(start - 3, end + 3)
        fixed, strand = random.random() < 0.6, random.choice("+-")
        sequence = extractor.extract(
            Interval("c", start, end, strand=strand),
            [Variant("c", at + 1, ref, alt) for at, ref, alt in chosen],
            anchor=anchor,
            fixed_len=fixed,
        )
        cases.append(
            {
                "start": start,
                "end": end,
                "strand": strand,
                "anchor": anchor,
                "fixed": fixed,
                "variants": chosen,
                "sequence": sequence,
            }
        )
print(json.dumps({"reference": reference, "cases": cases}))
