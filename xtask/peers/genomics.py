"""Parts of a genomics pipeline as its users have them in Python today.

    python3 genomics.py prepare GENOME.fa FOLDER      writes genome.fa, reads.bam and variants.vcf, the same each time
    python3 genomics.py coverage-pysam FOLDER/reads.bam
    python3 genomics.py coverage-samtools FOLDER/reads.bam
    python3 genomics.py windows GENOME.fa --items N --window W
    python3 genomics.py variants GENOME.fa FOLDER/variants.vcf --window W

Needs pysam, pyfaidx, numpy, kipoiseq; `samtools` for coverage-samtools.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import time

import numpy as np

READS, LENGTH, VARIANTS = 1_000_000, 100, 20_000
BATCH = 256


def prepare(genome, folder):
    import pysam

    os.makedirs(folder, exist_ok=True)
    bam, vcf, copy = (os.path.join(folder, name) for name in ("reads.bam", "variants.vcf", "genome.fa"))
    if os.path.exists(bam + ".bai") and os.path.exists(vcf):
        return {"seconds": 0.0, "items": 0}
    draw = np.random.default_rng(1)
    # a copy, because indices are written beside it
    shutil.copyfile(genome, copy)
    with pysam.FastaFile(copy) as fasta:
        name = fasta.references[0]
        sequence = fasta.fetch(name).upper()
    header = {"HD": {"VN": "1.6", "SO": "coordinate"}, "SQ": [{"SN": name, "LN": len(sequence)}]}
    starts = np.sort(draw.integers(0, len(sequence) - LENGTH - 20, READS))
    shapes = draw.integers(0, 10, READS)
    with pysam.AlignmentFile(bam, "wb", header=header) as out:
        for place, (start, shape) in enumerate(zip(starts, shapes)):
            read = pysam.AlignedSegment(out.header)
            read.query_name = f"r{place}"
            read.query_sequence = sequence[start:start + LENGTH]
            read.query_qualities = pysam.qualitystring_to_array("I" * LENGTH)
            read.flag, read.reference_id, read.reference_start = int(draw.integers(0, 2)) * 16, 0, int(start)
            read.mapping_quality = 60
            # most reads match from end to end; some have a deletion, an insertion or clipped ends
            read.cigarstring = {0: "50M10D50M", 1: "40M5I55M", 2: "10S90M"}.get(int(shape), "100M")
            out.write(read)
    pysam.index(bam)
    with open(vcf, "w") as out:
        out.write(f"##fileformat=VCFv4.2\n##contig=<ID={name},length={len(sequence)}>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        for start in np.sort(draw.choice(len(sequence) - 4000, VARIANTS, replace=False) + 2000):
            ref = sequence[start:start + int(draw.integers(1, 4))]
            alt = "ACGT"[("ACGT".index(ref[0]) + 1) % 4] if draw.random() < 0.8 else ref[0] + "TGA"
            out.write(f"{name}\t{start + 1}\t.\t{ref if len(alt) == 1 else ref[0]}\t{alt}\t.\tPASS\t.\n")
    return {"seconds": 0.0, "items": READS}


def coverage_pysam(bam):
    import pysam

    began = time.perf_counter()
    total = reads = 0
    with pysam.AlignmentFile(bam) as file:
        for name in file.references:
            a, c, g, t = file.count_coverage(name, quality_threshold=0, read_callback="all")
            total += int(np.sum(a) + np.sum(c) + np.sum(g) + np.sum(t))
        reads = file.mapped
    return {"seconds": time.perf_counter() - began, "items": reads, "value": total, "version": f"pysam {pysam.__version__}"}


def coverage_samtools(bam):
    version = subprocess.run(["samtools", "--version"], capture_output=True, check=True).stdout.decode(errors="replace").split("\n")[0]
    reads = int(subprocess.run(["samtools", "view", "-c", bam], capture_output=True, text=True, check=True).stdout)
    began = time.perf_counter()
    # its text goes to nobody, as our depths do: writing them is not compared
    subprocess.run(["samtools", "depth", "-s", "-@", "1", "-o", os.devnull, bam], check=True)
    return {"seconds": time.perf_counter() - began, "items": reads, "version": version}


def windows(genome, items, width):
    from pyfaidx import Fasta, __version__

    table = np.zeros((256, 4), np.float32)
    for channel, base in enumerate(b"ACGT"):
        table[base, channel] = 1.0
    fasta = Fasta(genome, sequence_always_upper=True, as_raw=True)
    name = list(fasta.keys())[0]
    starts = np.random.default_rng(1).integers(0, len(fasta[name]) - width, items)
    began = time.perf_counter()
    for first in range(0, items, BATCH):
        batch = [np.frombuffer(fasta[name][start:start + width].encode(), np.uint8) for start in starts[first:first + BATCH]]
        channels = table[np.stack(batch)].transpose(0, 2, 1)
        np.ascontiguousarray(channels)
    return {"seconds": time.perf_counter() - began, "items": items, "version": f"pyfaidx {__version__}, numpy {np.__version__}"}


def variants(genome, vcf, width):
    import kipoiseq
    from kipoiseq import Interval, Variant
    from kipoiseq.extractors import VariantSeqExtractor

    began = time.perf_counter()
    extractor = VariantSeqExtractor(fasta_file=genome)
    reference = extractor.fasta
    built = 0
    with open(vcf) as rows:
        for row in rows:
            if row.startswith("#"):
                continue
            name, position, _, ref, alt = row.split("\t")[:5]
            position = int(position)
            interval = Interval(name, position - 1 - width // 2, position - 1 - width // 2 + width)
            reference.extract(interval)
            extractor.extract(interval, [Variant(name, position, ref, alt)], anchor=position - 1)
            built += 1
    return {"seconds": time.perf_counter() - began, "items": built, "version": f"kipoiseq {kipoiseq.__version__}"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part")
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--window", type=int, default=1000)
    args = parser.parse_args()
    found = {
        "prepare": lambda: prepare(*args.paths),
        "coverage-pysam": lambda: coverage_pysam(*args.paths),
        "coverage-samtools": lambda: coverage_samtools(*args.paths),
        "windows": lambda: windows(*args.paths, args.items, args.window),
        "variants": lambda: variants(*args.paths, args.window),
    }[args.part]()
    usage = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({"name": args.part, "peak_mb": usage / 1024, "device": "cpu", **found}))


if __name__ == "__main__":
    main()
