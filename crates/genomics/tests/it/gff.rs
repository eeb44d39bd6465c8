//! Genes of real annotations on their genomes: both strands.

use std::fs;
use std::path::Path;

use genomics::genome::{Edge, Genome};
use genomics::io::gff::{Annotation, Feature, GffReader};
use genomics::io::{read_genome, read_gff};
use genomics::locus::Strand;

use crate::data;

/// A start codon reads ATG on its own strand, and a gene begins with it, also where the file writes it as the end.
#[test]
fn genes_of_yeast_begin_with_atg_on_both_strands() {
    let Some(folder) = data::path("genomics/yeast_sacCer3") else { return };
    let genome = read_genome(&folder.join("sacCer3.fa")).unwrap();
    let path = folder.join("sacCer3.annotation.gtf");
    let features: Vec<Feature> = GffReader::open(&path).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(features.len(), 4_351);
    let mut codons = [0, 0];
    for feature in features.iter().filter(|feature| feature.kind == "start_codon") {
        assert_eq!(genome.window(&feature.locus, Edge::Refuse).unwrap(), b"ATG", "{}", feature.locus);
        codons[usize::from(feature.locus.strand == Strand::Reverse)] += 1;
    }
    assert_eq!(codons, [406, 430]);

    let annotation = read_gff(&path).unwrap();
    let of = |strand| annotation.genes.iter().filter(|gene| gene.locus.strand == strand).count();
    assert_eq!((annotation.genes.len(), of(Strand::Forward), of(Strand::Reverse)), (885, 430, 455));
    assert_eq!(annotation.transcripts().count(), 885);
    // Transcripts that begin with ATG, as counted in Python: all but those that are not translated.
    let begins = annotation.genes.iter().filter(|gene| {
        let first = gene.promoter(0, 3);
        assert_eq!(first.len(), 3);
        genome.window(&first, Edge::Refuse).unwrap() == b"ATG"
    });
    assert_eq!(begins.count(), 853);
    let gene = annotation.genes.iter().find(|gene| gene.id == "YDL246C").unwrap();
    assert_eq!((gene.locus.start, gene.tss(), gene.locus.strand), (8_682, 9_755, Strand::Reverse));
    let promoter = gene.promoter(1_000, 500);
    assert_eq!((promoter.start, promoter.end), (9_256, 10_756));
    let window = genome.window(&promoter, Edge::Refuse).unwrap();
    assert_eq!((window.len(), &window[1_000..1_003]), (1_500, b"ATG".as_slice()));
}

#[test]
fn genes_of_gff3() {
    let Some(folder) = data::path("genomics/yeast_chr12") else { return };
    let annotation = read_gff(&folder.join("yeast_chr1+2.gff3")).unwrap();
    let genes: Vec<_> = annotation.genes.iter().filter(|gene| gene.kind == "gene").collect();
    let reverse = genes.iter().filter(|gene| gene.locus.strand == Strand::Reverse).count();
    assert_eq!((genes.len(), reverse), (573, 302));
    let tss = |id: &str| annotation.genes.iter().find(|gene| gene.id == id).unwrap().tss();
    assert_eq!((tss("YAL069W"), tss("YAL068C")), (334, 2_168));
    let kinds = |kind: &str| annotation.genes.iter().filter(|gene| gene.kind == kind).count();
    assert_eq!((kinds("tRNA"), kinds("transposable_element_gene"), kinds("pseudogene")), (17, 8, 2));
    assert!(genes.iter().all(|gene| gene.transcripts.len() == 1));

    // These genes are coding regions; the lines of three begin with the intron before it, at its GT.
    let genome = read_genome(&folder.join("chr2.fa.gz")).unwrap();
    let on_two = genes.iter().filter(|gene| &*gene.locus.contig == "chrII");
    let (mut all, mut begins) = (0, 0);
    for gene in on_two {
        all += 1;
        begins += usize::from(genome.window(&gene.promoter(0, 3), Edge::Refuse).unwrap() == b"ATG");
    }
    assert_eq!((all, begins), (456, 453));
}

/// The untranslated regions of kipoiseq's transcript, whose sequences lie beside the annotation.
#[test]
fn a_region_on_a_record_that_begins_within_its_contig() {
    let Some(folder) = data::path("genomics/kipoiseq_chr22") else { return };
    let gtf = folder.join("chr22_ENST00000319363.gtf");
    let features: Vec<Feature> = GffReader::open(&gtf).unwrap().collect::<Result<_, _>>().unwrap();
    for (kind, file, start) in [
        ("5UTR", "chr22_ENST00000319363_5UTR.ref_seq.txt", 17_565_848),
        ("3UTR", "chr22_ENST00000319363_3UTR.ref_seq.txt", 17_590_710),
    ] {
        let bases = fs::read_to_string(folder.join(file)).unwrap().trim().as_bytes().to_vec();
        let mut genome = Genome::from_contigs([("chr22".to_owned(), bases.clone())]).unwrap();
        genome.offset("chr22", start);
        let region = features.iter().find(|feature| feature.kind == kind).unwrap();
        assert_eq!(genome.window(&region.locus, Edge::Refuse).unwrap(), bases, "{kind}");
    }
    let gene = &read_gff(&gtf).unwrap().genes[0];
    assert_eq!((gene.id.as_str(), gene.tss(), gene.transcripts[0].exons.len()), ("ENSG00000177663", 17_565_848, 13));
}

#[test]
fn compressed_and_damaged_files() {
    let text = b"1\tx\tgene\t11\t40\t.\t-\t.\tgene_id \"G1\"; gene_name \"A\";\n\
                 1\tx\texon\t11\t20\t.\t-\t.\tgene_id \"G1\"; transcript_id \"T\"\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gtf.gz");
    let compressed = data::gzip(text);
    fs::write(&path, &compressed).unwrap();
    let whole = read_gff(&path).unwrap();
    assert_eq!((whole.genes.len(), whole.genes[0].tss()), (1, 39));
    for length in 0..compressed.len() {
        fs::write(&path, &compressed[..length]).unwrap();
        assert!(read_gff(&path).is_err(), "{length}");
    }
    for bytes in data::damaged(text) {
        let usable = GffReader::new(bytes.as_slice(), Path::new("a.gtf")).flatten().map(Ok);
        assert!(Annotation::from_features(usable).unwrap().genes.len() <= 2);
    }
}
