//! Variants against other implementations (bcftools, kipoiseq) and against the research data, and a whole file from end
//! to end.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use genomics::genome::{Edge, Genome};
use genomics::io::read_genome;
use genomics::io::vcf::{MAX_ALTERNATES, VcfReader, VcfRow};
use genomics::locus::{Locus, Strand};
use genomics::variant::{
    Checked, Contigs, Length, LengthMismatch, Outputs, Prediction, ScoreConfig, Status, Summary, Variant, VariantError,
    VariantScorer, annotate, check, haplotype, normalise,
};
use serde_json::Value;

use crate::data;

fn genome(contig: &str, bases: &str) -> Genome {
    Genome::from_contigs([(contig.to_owned(), bases.as_bytes().to_vec())]).unwrap()
}

/// `[position, REF, ALT]`
fn variant(value: &Value) -> Variant {
    let text = |place: usize| value[place].as_str().unwrap().as_bytes();
    Variant::new("c", value[0].as_i64().unwrap(), text(1), text(2))
}

fn gunzip(path: &Path) -> String {
    let mut text = String::new();
    MultiGzDecoder::new(fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// All variants of a file, compared with a genome.
fn checked(path: &Path, genome: &Genome) -> Vec<Checked> {
    let mut contigs = Contigs::new(genome);
    let mut checked = Vec::new();
    for row in VcfReader::open(path).unwrap() {
        match row.unwrap() {
            VcfRow::Record(record) => checked.extend(Variant::of(&record).map(|variant| check(variant, &mut contigs))),
            VcfRow::Quarantined(quarantined) => panic!("{}", quarantined.row),
        }
    }
    checked
}

fn count(checked: &[Checked], status: Status) -> usize {
    checked.iter().filter(|checked| checked.status == status).count()
}

// ---------------------------------------------------------------- other implementations

#[test]
fn normal_forms_are_those_of_bcftools() {
    let golden: Value = serde_json::from_str(include_str!("../golden/normalise.json")).unwrap();
    let genome = genome("c", golden["reference"].as_str().unwrap());
    let cases = golden["cases"].as_array().unwrap();
    let mut moved = 0;
    for case in cases {
        let (given, normal) = (variant(&case["given"]), variant(&case["normal"]));
        assert_eq!(normalise(&given, &genome), normal, "{given}");
        moved += usize::from(given != normal);
    }
    assert!(cases.len() == 400 && moved > 200, "{moved}");
}

#[test]
fn haplotypes_are_those_of_kipoiseq() {
    let golden: Value = serde_json::from_str(include_str!("../golden/haplotypes.json")).unwrap();
    let genome = genome("c", golden["reference"].as_str().unwrap());
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 240);
    for case in cases {
        let number = |key: &str| case[key].as_i64().unwrap();
        let variants: Vec<Variant> = case["variants"].as_array().unwrap().iter().map(variant).collect();
        let strand = if case["strand"] == "-" { Strand::Reverse } else { Strand::Forward };
        let interval = Locus::new("c", number("start"), number("end")).unwrap().on(strand);
        let length = if case["fixed"].as_bool().unwrap() { Length::Fixed } else { Length::Free };
        let found = haplotype(&genome, &interval, &variants, number("anchor"), length, Edge::Refuse).unwrap();
        assert_eq!(String::from_utf8(found).unwrap(), case["sequence"].as_str().unwrap(), "{case}");
    }
}

/// The untranslated regions of ENST00000319363 as genomes: name, first base, bases.
fn untranslated(folder: &Path, name: &str, first: i64) -> Genome {
    let bases = fs::read_to_string(folder.join(format!("chr22_ENST00000319363_{name}.ref_seq.txt"))).unwrap();
    let mut genome = genome("chr22", bases.trim());
    genome.offset("chr22", first);
    genome
}

#[test]
fn alternative_sequences_of_the_3utr_are_those_of_kipoiseq() {
    let Some(folder) = data::path("genomics/kipoiseq_chr22") else { return };
    // 3UTR in the GTF: 17590711 to 17596583
    let utr = untranslated(&folder, "3UTR", 17_590_710);
    let interval = Locus::from_one_based("chr22", 17_590_711, 17_596_583).unwrap();
    let built = |variant: &Variant, anchor| {
        let variants = std::slice::from_ref(variant);
        let bases = haplotype(&utr, &interval, variants, anchor, Length::Free, Edge::Refuse).unwrap();
        String::from_utf8(bases).unwrap()
    };
    let all = checked(&folder.join("chr22_ENST00000319363.vcf.gz"), &utr);
    let expected = fs::read_to_string(folder.join("chr22_ENST00000319363_3UTR.alt_seqs.txt")).unwrap();
    let chosen = ["17596132:AAAATAAAT>A", "17596136:T>A", "17596167:T>C", "17596167:T>TATG"];
    assert_eq!(expected.lines().count(), chosen.len());
    for (name, expected) in chosen.iter().zip(expected.lines()) {
        let one = all.iter().find(|checked| checked.variant.to_string() == format!("chr22:{name}")).unwrap();
        for anchor in [0, interval.start, interval.end] {
            assert_eq!(built(&one.variant, anchor), expected, "{name}");
        }
    }
    // A variant and its normal form make the same sequence.
    for one in all.iter().filter(|checked| checked.status == Status::Match) {
        let normal = one.normalised.as_ref().unwrap();
        assert_eq!(built(normal, 0), built(&one.variant, 0), "{}", one.variant);
        assert_eq!(&normalise(normal, &utr), normal);
    }
}

// ---------------------------------------------------------------- statuses

#[test]
fn kipoiseq_variants_match_where_there_is_a_reference() {
    let Some(folder) = data::path("genomics/kipoiseq_chr22") else { return };
    let file = folder.join("chr22_ENST00000319363.vcf.gz");
    // The part of chr22 that comes with the file lies 14 million bases away from its variants.
    let mut part = read_genome(&folder.join("hg38_chr22_32000000_32300000.fa")).unwrap();
    part.offset("chr22", 32_000_000);
    let far = checked(&file, &part);
    assert_eq!((far.len(), count(&far, Status::OutOfRange)), (9_212, 9_212));
    assert_eq!(far[0].reason.as_deref(), Some("chr22 has the bases 32000001 to 32300000"));
    for (name, first, matches) in [("3UTR", 17_590_710, 1_464), ("5UTR", 17_565_848, 41)] {
        let near = checked(&file, &untranslated(&folder, name, first));
        assert_eq!(count(&near, Status::Match), matches, "{name}");
        assert_eq!(count(&near, Status::OutOfRange), 9_212 - matches, "{name}");
    }
}

fn run(path: &Path, genome: &Genome) -> Result<Summary, VariantError> {
    annotate(VcfReader::open(path).unwrap(), genome, None, Outputs::default())
}

#[test]
fn contigs_of_other_names_are_told_apart() {
    let Some(folder) = data::path("genomics/giab_chr20") else { return };
    let genome = read_genome(&folder.join("ucsc.hg19.chr20.unittest.fasta.gz")).unwrap();
    let nist = folder.join("test_nist.b37_chr20_100kbp_at_10mb.vcf.gz");
    let summary = run(&nist, &genome).unwrap();
    assert_eq!((summary.records, summary.alleles(), summary.statuses["match"]), (221, 222, 222));
    assert!(summary.renamed.is_empty() && summary.unknown.is_empty() && summary.lengths.is_empty());

    let text = gunzip(&nist);
    let scratch = tempfile::tempdir().unwrap();
    let named = |name: &str| -> PathBuf {
        let path = scratch.path().join("named.vcf");
        let renamed = text.replace("\nchr20\t", &format!("\n{name}\t")).replace("ID=chr20,", &format!("ID={name},"));
        fs::write(&path, renamed).unwrap();
        path
    };
    for name in ["20", "NC_000020.10"] {
        let summary = run(&named(name), &genome).unwrap();
        assert_eq!(summary.statuses["match"], 222);
        assert_eq!(summary.renamed, [(name.to_owned(), "chr20".to_owned())]);
    }
    let error = run(&named("twenty"), &genome).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "has variants on twenty; the genome has none of these, but chr20; take files of one assembly, or give an \
             alias table (--alias)"
        ),
        "{error}"
    );
    let aliased = genome.clone().with_aliases(&[("twenty".to_owned(), "chr20".to_owned())]);
    assert_eq!(run(&named("twenty"), &aliased).unwrap().statuses["match"], 222);

    let error = run(&folder.join("test_samples.vcf.gz"), &genome).unwrap_err().to_string();
    assert!(
        error.contains("has variants on chr1, chr2, chr3, chrX; the genome has none of these, but chr20"),
        "{error}"
    );
}

// ---------------------------------------------------------------- from end to end

const BASES: &str = "ACGTACGTTTTTACGATCGATCGGATCCGATTACAGGCAT";

fn file() -> String {
    let many = vec!["C"; MAX_ALTERNATES + 1].join(",");
    format!(
        "##fileformat=VCFv4.2\n##contig=<ID=20,length=41>\n##INFO=<ID=DP,Number=1,Type=Integer,Description=\"Depth\">\n\
         #CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n\
         20\t2\trs1\tC\tT\t30\tPASS\tDP=3\n\
         20\t5\t.\tA\tG,<DEL>,T\t.\t.\tDP=1;GALEN_OLD=7\n\
         20\tx\t.\tA\n\
         20\t8\trs2\tG\tT\t.\t.\t.\n\
         20\t11\t.\tTT\tT\t.\t.\tDP=2\n\
         20\t500\t.\tA\tC\t.\t.\t.\n\
         20\t3\t.\tA\tC\t.\t.\t.\n\
         20\t4\t.\tT\t.\t.\t.\t.\n\
         20\t7\t.\tG\t{many}\t.\t.\tDP=1\n\
         21\t1\t.\tA\tC\t.\t.\t.\n"
    )
}

/// The number of G and C, which stands for a logit.
fn gc(sequences: &[&[u8]]) -> Prediction {
    let count = |sequence: &&[u8]| sequence.iter().filter(|base| b"CG".contains(base)).count() as f32;
    Ok(sequences.iter().map(count).collect())
}

fn scored(input: &Path, vcf: &Path, table: &Path) -> Result<Summary, VariantError> {
    let genome = genome("chr20", BASES);
    let config = ScoreConfig { width: 5, ..ScoreConfig::default() };
    let mut scorer = VariantScorer::new(&genome, config, vec!["gc".to_owned()], gc).unwrap();
    let outputs = Outputs { vcf: Some(vcf), table: Some(table) };
    annotate(VcfReader::open(input)?, &genome, Some(&mut scorer), outputs)
}

#[test]
fn a_file_from_end_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("in.vcf"), file()).unwrap();
    let summary = scored(&path("in.vcf"), &path("out.vcf.gz"), &path("out.tsv")).unwrap();
    assert_eq!((summary.records, summary.alleles(), summary.scored, summary.quarantined), (8, 10, 5, 2));
    let statuses: Vec<(&str, u64)> = summary.statuses.iter().map(|(&name, &count)| (name, count)).collect();
    let expected =
        [("match", 4), ("mismatch", 1), ("out_of_range", 1), ("swapped", 1), ("symbolic", 1), ("unsupported", 2)];
    assert_eq!(statuses, expected);
    assert_eq!(summary.renamed, [("20".to_owned(), "chr20".to_owned())]);
    assert_eq!(summary.unknown, [("21".to_owned(), 1)]);
    assert_eq!(summary.lengths, [LengthMismatch { contig: "20".to_owned(), file: 41, genome: 40 }]);
    assert!(summary.first_quarantined[0].starts_with("line 7: it has 4 of the columns"), "{summary:?}");
    assert!(summary.first_quarantined[1].starts_with("line 13: it has 10001 alternate alleles"), "{summary:?}");

    // Every well-formed record, in order, as it was but for INFO.
    let text = gunzip(&path("out.vcf.gz"));
    let rows: Vec<Vec<&str>> =
        text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows.iter().map(|row| row[1]).collect::<Vec<_>>(), ["2", "5", "8", "11", "500", "3", "4", "7", "1"]);
    let input = file();
    let given = input.lines().filter(|line| !line.starts_with('#') && !line.contains("\tx\t"));
    for (row, line) in rows.iter().zip(given) {
        assert_eq!(row[..7], line.split('\t').collect::<Vec<_>>()[..7]);
    }
    for (row, start, end) in [
        (0, "DP=3;GALEN_STATUS=match;GALEN_REF=2;GALEN_ALT=1;GALEN_DELTA=-0.149", ";GALEN_LOGODDS=-1"),
        (1, "DP=1;GALEN_STATUS=match,symbolic,match;GALEN_REF=3,.,3;GALEN_ALT=4,.,3;", ";GALEN_LOGODDS=1,.,0"),
        (2, "GALEN_STATUS=swapped;GALEN_REF=3;GALEN_ALT=2;", ";GALEN_LOGODDS=-1"),
        (3, "DP=2;GALEN_STATUS=match;GALEN_REF=2;GALEN_ALT=2;GALEN_DELTA=0", ";GALEN_LOGODDS=0"),
        (4, "GALEN_STATUS=out_of_range;GALEN_REF=.;", ";GALEN_LOGODDS=."),
        (5, "GALEN_STATUS=mismatch;GALEN_REF=.;", ";GALEN_LOGODDS=."),
        (6, "GALEN_STATUS=.;GALEN_REF=.;", ";GALEN_LOGODDS=."),
        (7, "DP=1;GALEN_STATUS=quarantined", "quarantined"),
        (8, "GALEN_STATUS=unsupported;GALEN_REF=.;", ";GALEN_LOGODDS=."),
    ] {
        assert!(rows[row][7].starts_with(start) && rows[row][7].ends_with(end), "{}", rows[row][7]);
    }

    let table = fs::read_to_string(path("out.tsv")).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 1 + 10 + 2);
    let columns = "line\tcontig\tposition\tid\treference\talternate\tallele\tstatus\treason\tnormalised";
    assert_eq!(lines[0], format!("{columns}\tREF\tALT\tDELTA\tLOGODDS"));
    assert!(lines[1].starts_with("5\t20\t2\trs1\tC\tT\t1\tmatch\t\tchr20:2:C>T\t2\t1\t-0.149"), "{}", lines[1]);
    assert_eq!(lines[3], "6\t20\t5\t\tA\t<DEL>\t2\tsymbolic\tALT is <DEL>\t\t\t\t\t");
    let problem = "it has 4 of the columns CHROM, POS, ID, REF and ALT, with tabs between";
    assert_eq!(lines[5], format!("7\t\t\t\t\t\t\tquarantined\t{problem}\t\t\t\t\t"));
    assert_eq!(lines[7], "9\t20\t11\t\tTT\tT\t1\tmatch\t\tchr20:7:GT>G\t2\t2\t0\t0");
    assert!(lines.iter().all(|line| line.matches('\t').count() == 13));

    // A reader that takes the specification at its word reads it, and another run changes nothing.
    let mut strict = noodles::vcf::io::Reader::new(text.as_bytes());
    let header = strict.read_header().unwrap();
    assert_eq!(strict.record_bufs(&header).map(Result::unwrap).count(), 9);
    scored(&path("out.vcf.gz"), &path("again.vcf"), &path("again.tsv")).unwrap();
    assert_eq!(fs::read_to_string(path("again.vcf")).unwrap(), text);
}

#[test]
fn several_tasks_have_names_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("in.vcf"), "chr20\t2\t.\tC\tT\n").unwrap();
    let genome = genome("chr20", BASES);
    let tasks = ["USF2 (H1)", "USF2/(H1)", "b.1"].map(str::to_owned).to_vec();
    let thrice = |sequences: &[&[u8]]| -> Prediction { Ok(vec![f32::NAN; sequences.len() * 3]) };
    let mut scorer = VariantScorer::new(&genome, ScoreConfig::default(), tasks, thrice).unwrap();
    let (vcf, table) = (path("out.vcf"), path("out.tsv"));
    let outputs = Outputs { vcf: Some(&vcf), table: Some(&table) };
    annotate(VcfReader::open(&path("in.vcf")).unwrap(), &genome, Some(&mut scorer), outputs).unwrap();
    let text = fs::read_to_string(&vcf).unwrap();
    for name in ["GALEN_DELTA_USF2__H1_", "GALEN_DELTA_USF2__H1_.2", "GALEN_LOGODDS_b.1"] {
        assert!(text.contains(&format!("##INFO=<ID={name},Number=A,Type=Float,")), "{text}");
        assert!(text.contains(&format!(";{name}=.")), "{text}");
    }
    assert!(fs::read_to_string(&table).unwrap().contains("\ta score is not a number\tchr20:2:C>T\t"));
}

#[test]
fn a_run_that_fails_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let whole = file();
    let mut broken = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut broken, whole.as_bytes()).unwrap();
    let mut broken = broken.finish().unwrap();
    broken.truncate(broken.len() - 12);
    for (name, bytes, message) in [
        ("cut.vcf.gz", broken.as_slice(), "may be damaged or cut short"),
        (
            "other.vcf",
            b"chr7\t2\t.\tC\tT\n".as_slice(),
            "has variants on chr7; the genome has none of these, but chr20",
        ),
        ("no.vcf", b"one\ntwo\n".as_slice(), "none of the 2 rows of"),
    ] {
        fs::write(path(name), bytes).unwrap();
        let (vcf, table) = (path("out.vcf"), path("out.tsv"));
        let error = scored(&path(name), &vcf, &table).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        assert!(!vcf.exists() && !table.exists());
        fs::remove_file(path(name)).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{name}");
    }

    fs::write(path("in.vcf"), &whole).unwrap();
    fs::write(path("out.vcf"), "old").unwrap();
    let genome = genome("chr20", BASES);
    let broken = |_: &[&[u8]]| -> Prediction { Err("no device".into()) };
    let mut scorer = VariantScorer::new(&genome, ScoreConfig::default(), vec!["a".to_owned()], broken).unwrap();
    let out = path("out.vcf");
    let outputs = Outputs { vcf: Some(&out), table: None };
    let reader = VcfReader::open(&path("in.vcf")).unwrap();
    let error = annotate(reader, &genome, Some(&mut scorer), outputs).unwrap_err();
    assert_eq!(error.to_string(), "the sequences cannot be scored: no device");
    assert_eq!(fs::read_to_string(&out).unwrap(), "old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}
