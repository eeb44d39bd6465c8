//! The published sets: counts as their description states them, places on the genome, and damaged files.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use genomics::dataset::{Labels, SequenceSet};
use genomics::genome::Edge;
use genomics::io::sets::{self, ExpressionLayout, LabelColumn};
use genomics::io::{IoError, read_aliases, read_genome, tables};
use genomics::sequence::gc_content;

use crate::data;

/// Rows with label 0 and with label 1.
fn classes(set: &SequenceSet) -> (usize, usize) {
    set.check().unwrap();
    let count = |label: f32| set.targets.iter().filter(|&&target| target == label).count();
    (count(0.0), count(1.0))
}

#[test]
fn chip_seq_of_encode() {
    let Some(folder) = data::path("genomics/tf_chipseq_encode") else { return };
    for (name, positives, unknown) in [
        ("USF2_H1-hESC_USF2_Stanford", 6_452, 0),
        ("YY1_H1-hESC_YY1_SC-281_HudsonAlpha", 17_828, 0),
        ("SRF_H1-hESC_SRF_HudsonAlpha", 4_605, 0),
        ("TAF1_H1-hESC_TAF1_HudsonAlpha", 20_047, 0),
        ("TEAD4_H1-hESC_TEAD4_SC-101184_HudsonAlpha", 19_357, 0),
        ("SUZ12_H1-hESC_SUZ12_USC", 4_289, 10),
    ] {
        let train = sets::deepbind(&folder.join(format!("{name}_AC.seq.gz"))).unwrap();
        let test = sets::deepbind(&folder.join(format!("{name}_B.seq.gz"))).unwrap();
        assert_eq!((classes(&train), classes(&test)), ((0, positives), (500, 500)), "{name}");
        assert!(train.sequences.iter().chain(&test.sequences).all(|sequence| sequence.len() == 101));
        let found = train.sequences.concat().iter().filter(|&&letter| letter == b'N').count();
        assert_eq!(found, unknown, "{name}");
        assert_eq!((train.labels, test.tasks.as_slice()), (Labels::Binary, ["Bound".to_owned()].as_slice()));
        assert!(test.names[0].starts_with("seq_"));
    }
}

/// The places in the headers are right: on the part of chromosome 20 that is there, they give the sequences.
#[test]
fn binding_sites_of_proteins_on_rna() {
    let Some(folder) = data::path("genomics/rbp31") else { return };
    let genome =
        data::path("genomics/giab_chr20/ucsc.hg19.chr20.unittest.fasta.gz").map(|path| read_genome(&path).unwrap());
    let mut compared = [0, 0];
    for name in ["17_ICLIP_HNRNPC_hg19", "24_PARCLIP_QKI_hg19", "27_ICLIP_TDP43_hg19"] {
        for (part, rows) in [("training", (24_000, 6_000)), ("test", (8_000, 2_000))] {
            let set = sets::class_fasta(&folder.join(name).join(format!("{part}.fa.gz"))).unwrap();
            assert_eq!((classes(&set), set.longest()), (rows, 101), "{name} {part}");
            let Some(genome) = &genome else { continue };
            for (locus, sequence) in set.loci.iter().zip(&set.sequences) {
                let locus = locus.as_ref().unwrap();
                if &*locus.contig == "chr20" && locus.start > 9_995_000 && locus.end < 11_095_000 {
                    assert_eq!(genome.window(locus, Edge::Refuse).unwrap(), *sequence, "{locus}");
                    compared[usize::from(locus.strand == genomics::locus::Strand::Reverse)] += 1;
                }
            }
        }
    }
    assert!(genome.is_none() || compared == [32, 2], "{compared:?}");
}

#[test]
fn methylated_adenines() {
    let Some(folder) = data::path("genomics/m6a_41bp") else { return };
    for (name, train, test) in
        [("Human_Brain", 9_210, 9_208), ("Human_Liver", 5_268, 5_268), ("Mouse_brain", 16_050, 16_050)]
    {
        for (part, rows) in [("train", train), ("test", test)] {
            let set = sets::labelled_csv(&folder.join(name).join(format!("{part}.csv.gz"))).unwrap();
            assert_eq!(classes(&set), (rows / 2, rows / 2), "{name} {part}");
            assert!(set.sequences.iter().all(|sequence| sequence.len() == 41 && sequence[20] == b'A'));
        }
    }
}

#[test]
fn promoters_and_enhancers() {
    if let Some(folder) = data::path("genomics/cnnprom") {
        let coli = sets::two_fastas(&folder.join("Ecoli_prom.fa"), &folder.join("Ecoli_non_prom.fa.gz")).unwrap();
        assert_eq!((classes(&coli), coli.longest()), ((3_000, 839), 81));
        let cress = sets::two_fastas(
            &folder.join("Arabidopsis_non_tata.fa.gz"),
            &folder.join("Arabidopsis_non_prom_big.fa.gz"),
        );
        let cress = cress.unwrap();
        assert_eq!((classes(&cress), cress.longest()), ((11_459, 5_905), 251));
        assert!(cress.loci.iter().all(Option::is_none));
    }
    if let Some(folder) = data::path("genomics/ienhancer2l") {
        let set = sets::two_fastas(&folder.join("enhancer.cv.txt"), &folder.join("non.cv.txt")).unwrap();
        assert_eq!((classes(&set), set.longest()), ((1_484, 1_484), 200));
        assert!(set.loci.iter().all(Option::is_some), "headers name places in either case");
        // Most of this set is composition: enhancers have more G and C.
        let mean = |range: std::ops::Range<usize>| {
            let count = range.len() as f64;
            set.sequences[range].iter().map(|sequence| gc_content(sequence)).sum::<f64>() / count
        };
        assert!(mean(0..1_484) > mean(1_484..2_968) + 0.05);
        let Some(path) = data::path("genomics/giab_chr20/ucsc.hg19.chr20.unittest.fasta.gz") else { return };
        let genome = read_genome(&path).unwrap();
        let known = set.loci.iter().zip(&set.sequences).filter_map(|(locus, sequence)| {
            let locus = locus.as_ref()?;
            let inside = &*locus.contig == "chr20" && locus.start > 9_995_000 && locus.end < 11_095_000;
            inside.then(|| assert_eq!(genome.window(locus, Edge::Refuse).unwrap(), *sequence, "{locus}"))
        });
        assert_eq!(known.count(), 2);
    }
}

#[test]
fn sets_of_the_uci_repository() {
    if let Some(path) = data::path("genomics/uci_splice/spliceData.txt") {
        let set = sets::uci_splice(&path).unwrap();
        set.check().unwrap();
        let count = |class: f32| set.targets.iter().filter(|&&target| target == class).count();
        assert_eq!((count(0.0), count(1.0), count(2.0), set.longest()), (767, 768, 1_655, 60));
        let letters = set.sequences.concat();
        let of = |letter: u8| letters.iter().filter(|&&other| other == letter).count();
        assert_eq!((of(b'N'), of(b'D'), of(b'R'), of(b'S')), (56, 2, 1, 1));
        let distinct: HashSet<&[u8]> = set.sequences.iter().map(Vec::as_slice).collect();
        assert_eq!(set.len() - distinct.len(), 185, "sequences that are there again");
    }
    if let Some(path) = data::path("genomics/uci_promoters/promoters.data") {
        let set = sets::uci_promoters(&path).unwrap();
        assert_eq!((classes(&set), set.names[0].as_str()), ((53, 53), "S10"));
        assert!(set.sequences.iter().all(|sequence| sequence.len() == 57));
    }
}

/// Sums as Python gives them.
#[test]
fn expression_tables() {
    if let Some(folder) = data::path("genomics/expr_cancer") {
        let part = |name: &str| {
            sets::khan(&folder.join(format!("Khan_x{name}.csv")), &folder.join(format!("Khan_y{name}.csv"))).unwrap()
        };
        let (train, test) = (part("train"), part("test"));
        assert_eq!((train.len(), test.len(), train.genes.len(), test.genes.len()), (63, 20, 2_308, 2_308));
        let counts: Vec<usize> =
            (0..4).map(|class| train.labels.iter().filter(|&&label| label == class).count()).collect();
        assert_eq!(
            (train.classes.join(" ").as_str(), counts.as_slice()),
            ("BL EWS NB RMS", [8, 23, 12, 20].as_slice())
        );
        let sum: f64 = train.values.iter().map(|&value| f64::from(value)).sum();
        assert!((sum + 81_721.212_237_9).abs() < 0.02, "{sum}: half a unit of f32 for each of 145,404 values at most");
    }
    if let Some(path) = data::path("genomics/sc_pbmc68k/pbmc68k_reduced_lognorm.csv.gz") {
        let layout = ExpressionLayout { label: LabelColumn::Named("label".to_owned()), ..ExpressionLayout::default() };
        let set = sets::expression(&path, &layout).unwrap();
        assert_eq!((set.len(), set.genes.len(), set.classes.len()), (700, 765, 10));
        let filled = set.values.iter().filter(|&&value| value != 0.0).count() as f64 / set.values.len() as f64;
        assert!((filled - 0.325_676_937).abs() < 1e-8);
    }
    if let Some(folder) = data::path("genomics/gedfn_example") {
        let layout = ExpressionLayout { header: false, names: false, label: LabelColumn::Last };
        let set = sets::expression(&folder.join("example_expression.csv.gz"), &layout).unwrap();
        assert_eq!((set.len(), set.genes.len(), set.labels.iter().sum::<usize>()), (100, 500, 50));
        let network = sets::matrix(&folder.join("example_adjacency.txt.gz")).unwrap();
        assert_eq!((network.rows, network.columns, network.values.iter().sum::<f32>()), (500, 500, 2_494.0));
    }
}

#[test]
fn numbers_along_the_genome() {
    if let Some(folder) = data::path("genomics/deepchrome_toy") {
        for (part, genes, sum) in [("train", 10, 29_539.0), ("valid", 10, 34_525.0), ("test", 9, 24_399.0)] {
            let set = sets::deepchrome(&folder.join(format!("{part}.csv"))).unwrap();
            assert_eq!((set.len(), set.bins, set.marks.len(), set.values.len()), (genes, 100, 5, genes * 500));
            assert_eq!((set.values.iter().sum::<f32>(), set.marks[3].as_str()), (sum, "H3K4me3"));
        }
        let train = sets::deepchrome(&folder.join("train.csv")).unwrap();
        assert_eq!((train.genes[0].as_str(), train.labels.iter().sum::<f32>()), ("000003", 5.0));
    }
    if let Some(folder) = data::path("genomics/deepcpg_cpg") {
        for (cell, methylated) in [("BS27_4_SER", 4_069), ("BS28_2_SER", 6_859)] {
            let sites = sets::methylation(&folder.join(format!("{cell}.bed.gz")), None).unwrap();
            assert_eq!(sites.len(), 10_000);
            assert_eq!(sites.iter().filter(|(_, state)| *state == 1.0).count(), methylated);
        }
    }
    if let Some(folder) = data::path("genomics/genomic_benchmarks_intervals") {
        for (set, part, class, rows, width) in [
            ("human_nontata_promoters", "train", "positive", 14_742, 251),
            ("human_nontata_promoters", "train", "negative", 12_355, 251),
            ("human_nontata_promoters", "test", "positive", 4_915, 251),
            ("human_nontata_promoters", "test", "negative", 4_119, 251),
            ("human_enhancers_cohn", "train", "positive", 10_421, 500),
            ("human_enhancers_cohn", "train", "negative", 10_422, 500),
            ("human_enhancers_cohn", "test", "positive", 3_474, 500),
            ("human_enhancers_cohn", "test", "negative", 3_474, 500),
        ] {
            let path = folder.join(set).join(part).join(format!("{class}.csv.gz"));
            let records = sets::intervals(&path).unwrap();
            assert_eq!(records.len(), rows, "{set} {part} {class}");
            assert!(records.iter().all(|record| record.locus.len() == width));
        }
    }
}

#[test]
fn damaged_files_get_an_answer() {
    type Reader<'a> = Box<dyn Fn(&Path) -> Result<(), IoError> + 'a>;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    let checked = |set: Result<SequenceSet, IoError>| set.map(|set| set.check().unwrap());
    let cases: [(&[u8], Reader<'_>); 10] = [
        (
            b"FoldID\tEventID\tseq\tBound\nA\ts1\tACGT\t1\nA\ts2\tNN\t0\n",
            Box::new(|path: &Path| checked(sets::deepbind(path))),
        ),
        (b"sequence,label\r\n\"ACGT\",1\r\nAC,0\r\n", Box::new(|path: &Path| checked(sets::labelled_csv(path)))),
        (
            b"> chr1,+,3,5; class:0\nACG\n> chr1,-,3,5; class:1\nTTT\n",
            Box::new(|path: &Path| checked(sets::class_fasta(path))),
        ),
        (b"EI,  a,   ACGT\nN,  b,  AN\n", Box::new(|path: &Path| checked(sets::uci_splice(path)))),
        (b"+,S10,\t\ttact\n-,8,\tac\n", Box::new(|path: &Path| checked(sets::uci_promoters(path)))),
        (
            b"\"\",\"V1\",\"V2\"\n\"a\",0.5,-1e3\n\"b\",1,2\n",
            Box::new(|path: &Path| {
                sets::expression(path, &ExpressionLayout::default()).map(|set| set.check().unwrap())
            }),
        ),
        (
            b"g1,1,0,6,0\ng1,2,1,2,0\ng2,1,0,1,1\ng2,2,5,5,1\n",
            Box::new(|path: &Path| {
                let set = sets::deepchrome(path)?;
                assert_eq!(set.values.len(), set.len() * set.bins * set.marks.len());
                Ok(())
            }),
        ),
        (b"18\t3000023\t1.0\n18\t3000086\t0\n", Box::new(|path: &Path| sets::methylation(path, None).map(drop))),
        (
            b"enhancer_chrom,enhancer_start,enhancer_end,promoter_chrom,promoter_start,promoter_end,label\n\
              chr1,1,5,chr1,8,9,1\nchr1,1,5,chr2,8,9,0\n",
            Box::new(|path: &Path| tables::interactions(path, None).map(drop)),
        ),
        (b"#alias\nchr1\t1\tNC_000001.10\nchr2\t2\n", Box::new(|path: &Path| read_aliases(path).map(drop))),
    ];
    for (text, read) in cases {
        for bytes in data::damaged(text) {
            fs::write(&path, &bytes).unwrap();
            if let Err(error) = read(&path) {
                assert!(error.to_string().contains("a.txt"), "{error}");
            }
        }
    }
}
