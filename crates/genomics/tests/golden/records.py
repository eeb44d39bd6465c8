"""A small BCF file and its records as htslib prints them.

pip install pysam==0.24.1; python records.py
Writes records.bcf and records.json.
"""
import json
import tempfile
from pathlib import Path

import pysam

text = """##fileformat=VCFv4.2
##FILTER=<ID=low,Description="Low quality">
##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth">
##INFO=<ID=AF,Number=A,Type=Float,Description="Frequency">
##INFO=<ID=DB,Number=0,Type=Flag,Description="In dbSNP">
##INFO=<ID=END,Number=1,Type=Integer,Description="Last base">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="Depths">
##contig=<ID=chr1,length=1000>
##contig=<ID=chr20,length=63025520>
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tNA12878\tNA12879
"""
rows = [
    "chr1\t10\trs1\tA\tC\t30.5\tPASS\tDP=14;AF=0.5;DB\tGT:AD\t0/1:7,7\t1|1:0,9",
    "chr1\t20\t.\tACG\tA,AT\t.\tlow\tDP=300;AF=0.25,0.125\tGT\t1/2\t./.",
    "chr20\t70000\trs2;rs3\tT\t<DEL>\t1\tPASS\tEND=70100\tGT\t0/1\t0/0",
    "chr20\t70001\t.\tG\t*,GTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT\t2\tPASS\tDP=1\tGT\t0/2\t0/0",
    "chr20\t70002\t.\tG\t.\t.\t.\tDP=2\tGT\t0/0\t0/0",
]
with tempfile.TemporaryDirectory() as folder:
    plain = Path(folder, "records.vcf")
    plain.write_text(text + "\n".join(rows) + "\n")
    with pysam.VariantFile(plain) as source, pysam.VariantFile("records.bcf", "wb", header=source.header) as sink:
        for record in source:
            sink.write(record)
with pysam.VariantFile("records.bcf") as back:
    lines = [str(record).rstrip("\n") for record in back]
with open("records.json", "w") as file:
    json.dump({"htslib": pysam.version.__htslib_version__, "lines": lines}, file)
