//! `variants` gives every record back, with how it stands to the genome and what it does.

use crate::command::{demo_run, folder_with, galen_genomics_in};
use crate::data::Draw;
use std::fs;

#[test]
fn every_record_is_there_with_its_status() {
    let mut bases = Draw::new(4).bases(600);
    bases.replace_range(299..303, "ACGT");
    let vcf = "##fileformat=VCFv4.2\n##contig=<ID=1,length=600>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n\
               1\t300\tmatch\tA\tG\t.\tPASS\tDP=3\n\
               1\t300\tswapped\tT\tA\t.\tPASS\t.\n\
               1\t300\tmismatch\tG\tC\t.\tPASS\t.\n\
               1\t300\ttwo\tA\tG,T\t.\tPASS\t.\n\
               1\t301\tdeletion\tCG\tC\t.\tPASS\t.\n\
               1\t300\tsymbolic\tA\t<DEL>\t.\tPASS\t.\n\
               1\t900\tbeyond\tA\tG\t.\tPASS\t.\n";
    let folder = folder_with(&[("a.vcf", vcf), ("genome.fa", &format!(">chr1\n{bases}\n"))]);
    let model = demo_run().to_string_lossy().into_owned();
    let arguments = [
        "variants",
        "--model",
        &model,
        "--vcf",
        "a.vcf",
        "--genome",
        "genome.fa",
        "--out",
        "out.vcf",
        "--table",
        "out.tsv",
    ];
    let told = galen_genomics_in(folder.path(), &arguments).ends_with(0).says("contig 1 is chr1 of the genome");
    assert!(told.stdout.contains("match"), "{}", told.stdout);
    let out = fs::read_to_string(folder.path().join("out.vcf")).unwrap();
    let records: Vec<&str> = out.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(records.len(), 7, "{out}");
    let ids: Vec<&str> = records.iter().map(|record| record.split('\t').nth(2).unwrap()).collect();
    assert_eq!(ids, ["match", "swapped", "mismatch", "two", "deletion", "symbolic", "beyond"]);
    assert!(records[0].contains("DP=3") && records[0].contains("GALEN_STATUS=match"), "{}", records[0]);
    assert!(records[3].contains("GALEN_STATUS=match,match"), "{}", records[3]);
    for (at, status) in [(1, "swapped"), (2, "mismatch"), (5, "symbolic")] {
        assert!(records[at].contains(&format!("GALEN_STATUS={status}")), "{}", records[at]);
    }
    // Where there is an effect, it is a number; where the genome has no such variant, there is none.
    let delta = |record: &str| {
        record.split("GALEN_DELTA=").nth(1).and_then(|rest| rest.split([';', '\t']).next()?.parse::<f64>().ok())
    };
    assert!(delta(records[0]).is_some() && delta(records[4]).is_some(), "{out}");
    assert!(delta(records[2]).is_none() && delta(records[6]).is_none(), "{out}");
    let table = fs::read_to_string(folder.path().join("out.tsv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 8, "a row for each allele:\n{table}");
}

#[test]
fn a_file_of_another_assembly_is_told_apart() {
    let vcf = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nchr20\t300\t.\tA\tG\t.\tPASS\t.\n";
    let folder = folder_with(&[("a.vcf", vcf), ("genome.fa", &format!(">chr1\n{}\n", Draw::new(4).bases(600)))]);
    let model = demo_run().to_string_lossy().into_owned();
    let arguments = ["variants", "--model", &model, "--vcf", "a.vcf", "--genome", "genome.fa", "--out", "out.vcf"];
    galen_genomics_in(folder.path(), &arguments).ends_with(1).says("chr20").says("chr1");
    assert!(!folder.path().join("out.vcf").exists());
}
