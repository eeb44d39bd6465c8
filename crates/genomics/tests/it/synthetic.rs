//! The generated genome, peaks, reads and variants as files, read back by the crate's own readers.

use std::fs;

use genomics::genome::Edge;
use genomics::io::bam::{AlignmentOptions, Alignments, Order};
use genomics::io::bed::{BedLayout, write_bed};
use genomics::io::fasta::write_fasta;
use genomics::io::vcf::{VcfReader, VcfRow};
use genomics::io::{read_bed, read_genome};
use genomics::synthetic::{GenomeConfig, ReadConfig, SyntheticGenome, VariantConfig, sam, vcf};
use genomics::variant::{Contigs, Status, Variant, check};

fn made() -> SyntheticGenome {
    SyntheticGenome::new(&GenomeConfig { contigs: 2, windows: 40, ..GenomeConfig::default() }).unwrap()
}

#[test]
fn genome_and_peaks_come_back_from_files() {
    let (folder, made) = (tempfile::tempdir().unwrap(), made());
    let (fasta, bed) = (folder.path().join("genome.fa"), folder.path().join("peaks.narrowPeak"));
    write_fasta(&fasta, made.contigs.iter().map(|(name, bases)| (name.as_str(), bases.as_slice()))).unwrap();
    let genome = read_genome(&fasta).unwrap();
    assert_eq!(genome, made.genome().unwrap());
    write_bed(&bed, &made.peaks(), BedLayout::NarrowPeak).unwrap();
    let peaks = read_bed(&bed).unwrap();
    assert_eq!(peaks.len(), 40);
    for (peak, window) in peaks.iter().zip(made.windows.iter().filter(|window| window.bound)) {
        assert_eq!(peak.locus, window.locus);
        let site = &window.sites[0].locus;
        assert_eq!(peak.summit(), site.centre());
        let around = genome.window(&peak.window(site.len()).on(site.strand), Edge::Refuse).unwrap();
        assert_eq!(around, genome.window(&site.centred(site.len()), Edge::Refuse).unwrap());
    }
}

#[test]
fn reads_come_back_from_sam() {
    let (folder, made) = (tempfile::tempdir().unwrap(), made());
    let reads = made.reads(&ReadConfig::default()).unwrap();
    let path = folder.path().join("reads.sam");
    fs::write(&path, sam(&made, &reads)).unwrap();
    let mut alignments = Alignments::open(&path, &AlignmentOptions::default()).unwrap();
    assert_eq!(alignments.order(), Order::Coordinate);
    alignments.check_genome(&made.genome().unwrap()).unwrap();
    let mut expected = reads.iter();
    while alignments.advance().unwrap() {
        let (found, expected) = (alignments.read(), expected.next().unwrap());
        assert_eq!((found.name.as_slice(), found.flags), (expected.name.as_bytes(), expected.flags));
        assert_eq!(found.mapping_quality, expected.mapping_quality);
        match &expected.locus {
            Some(locus) => {
                assert_eq!((found.start, found.end(), found.strand()), (locus.start, locus.end, locus.strand));
                assert_eq!(made.contigs[found.contig.unwrap()].0, *locus.contig);
            }
            None => assert_eq!(found.contig, None),
        }
    }
    assert!(expected.next().is_none());
}

#[test]
fn variants_come_back_from_vcf_and_agree_with_the_genome() {
    let (folder, made) = (tempfile::tempdir().unwrap(), made());
    let variants = made.variants(&VariantConfig { disrupting: 10, creating: 8, neutral: 15, seed: 2 }).unwrap();
    let path = folder.path().join("variants.vcf");
    fs::write(&path, vcf(&made, &variants)).unwrap();
    let genome = made.genome().unwrap();
    let mut contigs = Contigs::new(&genome);
    let mut expected = variants.iter();
    for row in VcfReader::open(&path).unwrap() {
        let VcfRow::Record(record) = row.unwrap() else { panic!("a row cannot be used") };
        let expected = expected.next().unwrap();
        assert!(record.info().contains(&format!("EFFECT={};BITS=", expected.effect.name())), "{}", record.info());
        let alleles: Vec<Variant> = Variant::of(&record).collect();
        let [variant] = &alleles[..] else { panic!("{} alleles", alleles.len()) };
        assert_eq!(variant.to_string(), expected.variant.to_string());
        assert_eq!(variant.id, expected.variant.id);
        assert_eq!(check(variant.clone(), &mut contigs).status, Status::Match);
    }
    assert!(expected.next().is_none());
}
