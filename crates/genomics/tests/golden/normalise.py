"""Left-aligned and trimmed variants as bcftools norm writes them.

pip install pysam==0.24.1; python normalise.py > normalise.json
The reference is made of short repeats, so that most insertions and deletions can be shifted, some of them to the first
base of the contig.
"""
import json
import random
import tempfile
from pathlib import Path

import pysam
from pysam import bcftools

random.seed(20)
reference = "AAAAAAAAAA" + "".join(
    random.choice(["A", "C", "G", "T", "CA", "CAG", "GT", "ATTA"]) * random.randint(1, 6) for _ in range(60)
)

variants = []
while len(variants) < 400:
    start = random.choice([random.randrange(12), random.randrange(len(reference) - 30)])
    length = random.choice([1, 1, 2, 3, 4, 6, 9])
    ref = reference[start : start + length]
    kind = random.randrange(4)
    if kind == 0:  # insertion of a copy of what stands there
        alt = ref + reference[start + length : start + length + random.choice([1, 2, 3, 4, 6])]
    elif kind == 1 and length > 1:  # deletion
        alt = ref[: random.randrange(1, length)]
    elif kind == 2:  # insertion of anything
        alt = ref + "".join(random.choice("ACGT") for _ in range(random.randint(1, 4)))
    else:  # block substitution
        alt = "".join(random.choice("ACGT") for _ in range(random.randint(1, 5)))
    if ref and alt != ref:
        variants.append((start, ref, alt))

with tempfile.TemporaryDirectory() as folder:
    fasta, vcf = Path(folder, "r.fa"), Path(folder, "v.vcf")
    fasta.write_text(f">c\n{reference}\n")
    pysam.faidx(str(fasta))
    lines = ["##fileformat=VCFv4.2", f"##contig=<ID=c,length={len(reference)}>", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]
    lines += [f"c\t{s + 1}\t{i}\t{r}\t{a}\t.\t.\t." for i, (s, r, a) in enumerate(variants)]
    vcf.write_text("\n".join(lines) + "\n")
    # the order of the records changes with their positions
    rows = [line.split("\t") for line in bcftools.norm("-f", str(fasta), str(vcf)).splitlines() if line[0] != "#"]

normal = {int(row[2]): [int(row[1]) - 1, row[3], row[4]] for row in rows}
cases = [{"given": [s, r, a], "normal": normal[i]} for i, (s, r, a) in enumerate(variants)]
print(json.dumps({"bcftools": pysam.version.__bcftools_version__, "reference": reference, "cases": cases}))
