//! Contig names of real files against each other.

use genomics::genome::Genome;
use genomics::io::{self, read_aliases, read_bed};
use genomics::locus::{ContigNames, Locus};

use crate::data;

#[test]
fn the_bed_of_one_assembly_on_the_genome_of_another() {
    let Some(folder) = data::path("genomics/yeast_chr12") else { return };
    let ucsc = io::read_genome(&folder.join("chr1.fa.gz")).unwrap();
    let ensembl = io::read_genome(&folder.join("chrI_genome.fa")).unwrap();
    assert_eq!((ucsc.length("I"), ensembl.length("chrI")), (Some(230_208), Some(230_218)));
    let message = ensembl.names().resolve_all(["chrI", "chrII", "Mito"]).unwrap_err().to_string();
    assert!(message.contains("missing: chrII, Mito; known: I;"), "{message}");
}

#[test]
fn names_of_a_human_bed_file() {
    let Some(folder) = data::path("genomics/giab_chr20") else { return };
    let records = read_bed(&folder.join("test_nist.b37_chr20_100kbp_at_10mb.bed")).unwrap();
    assert_eq!(records.len(), 11);
    for assembly in ["20", "chr20", "NC_000020.10"] {
        let names = ContigNames::new([assembly.to_owned()]);
        assert!(names.resolve_all(records.iter().map(|record| &*record.locus.contig)).is_ok());
    }
    assert_eq!(records[0].locus, Locus::from_one_based("chr20", 10_000_847, 10_002_407).unwrap());
}

#[test]
fn a_users_alias_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alias.tsv");
    std::fs::write(&path, "CP000247.1\tmain\n").unwrap();
    let genome = Genome::from_contigs([("main".to_owned(), b"ACGT".to_vec())]).unwrap();
    assert!(genome.length("CP000247.1").is_none());
    let genome = genome.with_aliases(&read_aliases(&path).unwrap());
    assert_eq!(genome.length("CP000247.1"), Some(4));
}
