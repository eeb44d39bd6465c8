//! Tests of `io::gff`.

use proptest::prelude::*;

use super::*;

fn features(text: &[u8]) -> Vec<Result<Feature, String>> {
    GffReader::new(text, Path::new("a.gtf")).map(|feature| feature.map_err(|error| error.to_string())).collect()
}

fn annotation(text: &str) -> Annotation {
    Annotation::from_features(GffReader::new(text.as_bytes(), Path::new("a.gff"))).unwrap()
}

const GTF: &str = "#!genome-build X\r
1\tx\tgene\t11\t40\t.\t-\t.\tgene_id \"G1\"; gene_name \"ABC1\"; gene_biotype \"protein_coding\";\r
1\tx\ttranscript\t11\t40\t.\t-\t.\tgene_id \"G1\"; transcript_id \"T1\";\r
1\tx\texon\t31\t40\t.\t-\t.\tgene_id \"G1\"; transcript_id \"T1\"; exon_number 1; note \"a; b\"\r
1\tx\texon\t11\t20\t.\t-\t.\tgene_id \"G1\"; transcript_id \"T1\"; exon_number 2;\r
1\tx\tCDS\t12\t20\t.\t-\t0\tgene_id \"G1\"; transcript_id \"T1\";\r
2\tx\texon\t101\t200\t7.5\t+\t.\tgene_id \"G2\"; transcript_id \"G2\"; gene_type \"lncRNA\"\r
2\tx\texon\t301\t400\t.\t+\t.\tgene_id \"G2\"; transcript_id \"G2\";\r
2\tx\tgap\t301\t400\t.\t.\t.\t.\r
";

const GFF: &str = "##gff-version 3
chrI\tSGD\tgene\t1807\t2169\t.\t-\t.\tID=YAL068C;Name=PAU8;Note=Hypothetical%20protein%3B;biotype=protein_coding
chrI\tSGD\tCDS\t1807\t2169\t.\t-\t0\tParent=YAL068C;
chrI\tx\tmRNA\t11\t40\t.\t+\t.\tID=m1;Parent=g1
chrI\tx\tmRNA\t21\t40\t.\t+\t.\tID=m2;Parent=g1
chrI\tx\texon\t31\t40\t.\t+\t.\tParent=m1,m2
chrI\tx\texon\t11\t20\t.\t+\t.\tID=e1;Parent=m1
chrI\tx\tgene\t11\t40\t.\t+\t.\tID=g1
chrI\tx\ttRNA\t501\t570\t.\t+\t.\tID=t1
chrI\tx\tnoncoding_exon\t501\t570\t.\t+\t.\tParent=t1
chrI\tx\tregion\t1\t9000\t.\t.\t.\tID=r1
###
##FASTA
>chrI
ACGT
";

#[test]
fn lines_of_gtf() {
    let found: Vec<Feature> = features(GTF.as_bytes()).into_iter().map(Result::unwrap).collect();
    assert_eq!(found.len(), 8);
    let exon = &found[2];
    assert_eq!((exon.locus.to_string().as_str(), exon.locus.start, exon.kind.as_str()), ("1:31-40(-)", 30, "exon"));
    assert_eq!((exon.get("exon_number"), exon.get("note"), exon.get("absent")), (Some("1"), Some("a; b"), None));
    assert_eq!((found[4].phase, found[5].score, found[7].stranded), (Some(0), Some(7.5), false));
}

#[test]
fn a_gene_on_the_reverse_strand_starts_at_its_end() {
    let genes = annotation(GTF).genes;
    let (reverse, forward) = (&genes[0], &genes[1]);
    assert_eq!((reverse.name.as_str(), reverse.biotype.as_deref()), ("ABC1", Some("protein_coding")));
    assert_eq!((reverse.tss(), forward.tss()), (39, 100));
    // Upstream of a reverse gene is right of it: 40 to 44; and 10 bases from 39 on downwards are 30 to 39.
    let promoter = reverse.promoter(5, 10);
    assert_eq!((promoter.start, promoter.end, promoter.strand), (30, 45, Strand::Reverse));
    let promoter = forward.promoter(5, 10);
    assert_eq!((promoter.start, promoter.end, promoter.strand), (95, 110, Strand::Forward));
    assert_eq!(forward.promoter(500, 1).start, -400);
    let transcript = &reverse.transcripts[0];
    assert_eq!(
        (transcript.exons.as_slice(), transcript.coding.as_slice()),
        ([10..20, 30..40].as_slice(), std::slice::from_ref(&(11..20)))
    );
}

#[test]
fn genes_without_a_line_of_their_own() {
    let annotation = annotation(GTF);
    let gene = &annotation.genes[1];
    assert_eq!((gene.id.as_str(), gene.name.as_str(), gene.kind.as_str()), ("G2", "G2", "transcript"));
    assert_eq!((gene.locus.start, gene.locus.end, gene.biotype.as_deref()), (100, 400, Some("lncRNA")));
    assert_eq!(
        annotation
            .transcripts()
            .map(|(gene, transcript)| (gene.id.as_str(), transcript.id.as_str()))
            .collect::<Vec<_>>(),
        [("G1", "T1"), ("G2", "G2")]
    );
}

#[test]
fn parents_of_gff3_in_any_order() {
    let genes = annotation(GFF).genes;
    let shown: Vec<String> = genes
        .iter()
        .map(|gene| format!("{} {} {} {}", gene.kind, gene.id, gene.name, gene.transcripts.len()))
        .collect();
    assert_eq!(shown, ["gene YAL068C PAU8 1", "gene g1 g1 2", "tRNA t1 t1 1"]);
    assert_eq!(genes[0].tss(), 2168);
    assert_eq!(
        (genes[0].transcripts[0].id.as_str(), genes[0].transcripts[0].coding.as_slice()),
        ("YAL068C", std::slice::from_ref(&(1806..2169)))
    );
    assert_eq!(genes[1].transcripts[0].exons, [10..20, 30..40]);
    assert_eq!(genes[1].transcripts[1].exons, std::slice::from_ref(&(30..40)));
    let first = features(GFF.as_bytes()).remove(0).unwrap();
    assert_eq!(first.get("Note"), Some("Hypothetical protein;"));
}

#[test]
fn one_name_on_two_contigs_is_two_genes() {
    let line = |contig: &str| format!("{contig}\tx\texon\t1\t9\t.\t+\t.\tgene_id \"G\"; transcript_id \"T\";\n");
    assert_eq!(annotation(&(line("chrX") + &line("chrY"))).genes.len(), 2);
}

#[test]
fn escapes() {
    for (text, expected) in [
        ("a%20b", "a b"),
        ("100%", "100%"),
        ("%2", "%2"),
        ("%zz", "%zz"),
        ("%C3%A9", "é"),
        ("é%3B", "é;"),
        ("%+1", "%+1"),
    ] {
        assert_eq!(decoded(text), expected);
    }
}

#[test]
fn refusals_name_the_line_and_the_reader_goes_on() {
    let good = "1\tx\tgene\t1\t9\t.\t+\t.\tgene_id \"G\"\n";
    for (line, expected) in [
        ("1\tx\tgene\t1\t9\t.\t+", "7 columns with tabs between where GFF and GTF have 9"),
        ("1\tx\tgene\t0\t9\t.\t+\t.\tgene_id \"G\"", "start 0 and end 9; both count from 1"),
        ("1\tx\tgene\t9\t1\t.\t+\t.\tgene_id \"G\"", "start 9 and end 1"),
        ("1\tx\tgene\ta\t1\t.\t+\t.\tgene_id \"G\"", "start \"a\" is no number"),
        ("1\tx\tgene\t1\t9\t.\tx\t.\tgene_id \"G\"", "strand \"x\"; +, -, . or ? are due"),
        ("1\tx\tgene\t1\t9\t.\t+\t3\tgene_id \"G\"", "phase \"3\"; 0, 1, 2 or . are due"),
        ("1\tx\tgene\t1\t9\t.\t+\t.\tgene_id \"G", "the value of gene_id has no closing quote; is the line cut off?"),
        ("1\tx\tgene\t1\t9\t.\t+\t.\tID=G;Nam", "attribute \"Nam\" has no value"),
        ("\tx\tgene\t1\t9\t.\t+\t.\tID=G", "no name of a contig or of a feature"),
    ] {
        let found = features(format!("{good}{line}\n{good}").as_bytes());
        let message = found[1].as_ref().unwrap_err();
        assert!(message.starts_with("a.gtf, line 2: ") && message.contains(expected), "{message}");
        assert!(found.len() == 3 && found[2].is_ok());
    }
}

#[test]
fn a_file_without_genes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gff3");
    std::fs::write(&path, "##gff-version 3\n").unwrap();
    assert!(read_gff(&path).unwrap_err().to_string().ends_with("a.gff3 has no genes"));
}

/// Every beginning of a file, and the file with each of its bits flipped.
#[test]
fn damaged_files_get_an_answer() {
    for whole in [GTF, GFF] {
        let whole = whole.as_bytes();
        let cut = (0..whole.len()).map(|length| whole[..length].to_vec());
        let flipped = (0..whole.len() * 8).map(|bit| {
            let mut copy = whole.to_vec();
            copy[bit / 8] ^= 1 << (bit % 8);
            copy
        });
        for bytes in cut.chain(flipped) {
            let reader = GffReader::new(bytes.as_slice(), Path::new("a.gff"));
            let usable = reader.flatten().map(Ok);
            for gene in Annotation::from_features(usable).unwrap().genes {
                assert!(gene.locus.start >= 0 && gene.locus.end > gene.locus.start);
                assert!(gene.transcripts.iter().all(|transcript| transcript.exons.is_sorted_by_key(|exon| exon.start)));
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(prop_oneof![
        3 => Just(b'1'), 3 => Just(b'\t'), 1 => Just(b'\n'), 1 => Just(b'"'), 1 => Just(b';'), 1 => any::<u8>()
    ], 0..160)) {
        for feature in features(&bytes) {
            match feature {
                Ok(feature) => prop_assert!(feature.locus.start >= 0 && !feature.locus.is_empty()),
                Err(message) => prop_assert!(message.starts_with("a.gtf, line "), "{}", message),
            }
        }
    }

    #[test]
    fn attributes_come_back(pairs in proptest::collection::vec(("[a-z_]{1,6}", "[ -!#-~]{0,8}"), 1..5)) {
        let text = pairs.iter().map(|(key, value)| format!("{key} \"{value}\";")).collect::<Vec<_>>().join(" ");
        let expected: Vec<_> = pairs.into_iter().map(|(key, value)| (key, value.trim().to_owned())).collect();
        prop_assert_eq!(gtf_attributes(text.trim()).unwrap(), expected);
    }
}
