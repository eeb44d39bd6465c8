//! Faults that a pipeline must survive: damaged files, numbers out of any range, places that cannot be written. The status
//! says whose fault it is, the message names the file; nothing panics, and nothing half-written is left.

use crate::command::{Finished, demo_run, folder_with, galen_genomics_in};
use crate::data::{Draw, fasta, quick, table};
use std::fs;

/// Fails unless the program said what is wrong in words of its own.
fn told(finished: Finished, code: i32, text: &str) {
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    finished.ends_with(code).says(text);
}

// ---------------------------------------------------------------- compressed blocks

/// The checksum of gzip (RFC 1952, section 8), bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _: u8| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), bit))
}

/// A block of BGZF (SAM specification, section 4.1) whose content is stored as it is.
fn block(content: &[u8]) -> Vec<u8> {
    let length = content.len() as u16;
    let mut bytes = vec![0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 6, 0, b'B', b'C', 2, 0];
    // One less than the whole: 18 bytes before the deflated part, 5 of its own, 8 behind it.
    bytes.extend((18 + 5 + length + 8 - 1).to_le_bytes());
    bytes.push(1);
    bytes.extend(length.to_le_bytes());
    bytes.extend((!length).to_le_bytes());
    bytes.extend_from_slice(content);
    bytes.extend(crc32(content).to_le_bytes());
    bytes.extend(u32::from(length).to_le_bytes());
    bytes
}

/// The block that ends a file.
const END: [u8; 28] =
    [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 6, 0, b'B', b'C', 2, 0, 0x1b, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// A BAM file of one contig of 100 bases with a read of ten at 20, without its end.
fn bam() -> Vec<u8> {
    let (text, name) = (b"@HD\tVN:1.6\tSO:coordinate\n@SQ\tSN:chr1\tLN:100\n", b"chr1\0");
    let mut bytes = b"BAM\x01".to_vec();
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend_from_slice(text);
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend((name.len() as u32).to_le_bytes());
    bytes.extend_from_slice(name);
    bytes.extend(100_u32.to_le_bytes());
    let mut read = Vec::new();
    for number in [0_i32, 20] {
        read.extend(number.to_le_bytes());
    }
    // length of the name with its end, mapping quality 60, bin 4681, one operation, no flag, ten bases
    read.extend([2, 60]);
    for number in [4681_u16, 1, 0] {
        read.extend(number.to_le_bytes());
    }
    for number in [10_i32, -1, -1, 0] {
        read.extend(number.to_le_bytes());
    }
    read.extend_from_slice(b"r\0");
    read.extend((10_u32 << 4).to_le_bytes());
    read.extend([0x11; 5]);
    read.extend([30; 10]);
    bytes.extend((read.len() as u32).to_le_bytes());
    bytes.extend(read);
    block(&bytes)
}

#[test]
fn faults_of_blocks_are_errors_and_a_missing_end_is_a_warning() {
    let folder = folder_with(&[]);
    let coverage = |bytes: &[u8]| {
        fs::write(folder.path().join("a.bam"), bytes).unwrap();
        galen_genomics_in(folder.path(), &["coverage", "--bam", "a.bam", "--bin", "10"])
    };
    let data = bam();
    let whole = coverage(&[&data[..], &END[..]].concat()).ends_with(0);
    let rows: Vec<&str> = whole.stdout.lines().skip(1).collect();
    assert_eq!((rows.len(), rows[2]), (10, "chr1\t20\t30\t1"), "{}", whole.stdout);
    assert!(!whole.stderr.contains("no end marker"), "{}", whole.stderr);
    let endless = coverage(&data).ends_with(0).says("a.bam has no end marker");
    assert_eq!(endless.stdout, whole.stdout);

    let behind = data.len();
    for (at, bytes) in [(behind - 4, &65_537_u32.to_le_bytes()[..]), (16, &[0, 0][..]), (behind - 8, &[1, 2, 3, 4][..])]
    {
        let mut fault = [&data[..], &END[..]].concat();
        fault[at..at + bytes.len()].copy_from_slice(bytes);
        told(coverage(&fault), 1, "a.bam");
    }
    for length in [0, 10, 17, 40, behind / 2, behind - 1] {
        told(coverage(&data[..length]), 1, "a.bam");
    }
}

// ---------------------------------------------------------------- text

#[test]
fn letters_that_are_none_are_told_row_by_row() {
    let mut draw = Draw::new(12);
    let good = draw.bases(200);
    let text = format!(">nul\nACGT\0ACGT\n>gap\nAC-GT\n>windows\r\n{good}\r\n>protein\nMKVLAAGEQ\n>plain\n{good}\n");
    let folder = folder_with(&[("a.fa", &text)]);
    let model = demo_run().to_string_lossy().into_owned();
    let finished = galen_genomics_in(folder.path(), &["predict", "--model", &model, "--fasta", "a.fa"]);
    let csv = finished.stdout.clone();
    told(finished, 0, "2 ok, 0 scored with remarks, 3 invalid");
    let rows: Vec<&str> = csv.lines().skip(1).collect();
    assert_eq!(rows.len(), 5, "{csv}");
    assert!([0, 1, 3].iter().all(|&at: &usize| rows[at].contains("invalid")), "{csv}");
    // Line ends do not count: the same bases, the same number.
    assert_eq!(rows[2].rsplit(',').next(), rows[4].rsplit(',').next(), "{csv}");
}

/// As the variants of a file may be: behind the end of the contig, without an alternative, with very many of them.
#[test]
fn strange_variants_keep_their_place() {
    let bases = "ACGT".repeat(200);
    let many = vec!["C"; 20_000].join(",");
    let vcf = format!(
        "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS\tS\n\
         chr1\t301\tgood\tA\tG\t.\t.\t.\tGT\t0/1\t0/1\nchr1\t999999\tbeyond\tA\tG\t.\t.\t.\tGT\t0/1\t0/1\n\
         chr1\t301\tmany\tA\t{many}\t.\t.\t.\tGT\t0/1\t0/1\nchr1\tx\tunplaced\tA\tG\t.\t.\t.\tGT\t0/1\t0/1\n\
         chr1\t305\tnone\tA\t.\t.\t.\t.\tGT\t0/1\t0/1\nchr1\t305\tlast\tA\t*\t.\t.\t.\tGT\t0/1\t0/1\n"
    );
    let folder = folder_with(&[("a.vcf", &vcf), ("genome.fa", &format!(">chr1\n{bases}\n"))]);
    let model = demo_run().to_string_lossy().into_owned();
    let arguments = ["variants", "--model", &model, "--vcf", "a.vcf", "--genome", "genome.fa", "--out", "out.vcf"];
    let finished = galen_genomics_in(folder.path(), &arguments);
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    finished.ends_with(0);
    let out = fs::read_to_string(folder.path().join("out.vcf")).unwrap();
    let names: Vec<&str> =
        out.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split('\t').nth(2)).collect();
    // A line without a position is no record.
    assert_eq!(names, ["good", "beyond", "many", "none", "last"]);
}

// ---------------------------------------------------------------- models

#[test]
fn models_that_are_damaged_or_none_are_refused() {
    let folder = folder_with(&[("a.fa", &fasta(3, true, 1))]);
    let path = folder.path().join("m.safetensors");
    let whole = fs::read(demo_run().join("model/seed-0.safetensors")).unwrap();
    let predict = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        galen_genomics_in(folder.path(), &["predict", "--model", "m.safetensors", "--fasta", "a.fa"])
    };
    predict(&whole).ends_with(0);
    for length in (0..whole.len()).step_by(whole.len() / 12) {
        told(predict(&whole[..length]), 1, "m.safetensors");
    }
    // A header that would take 99 MB, and what a checkpoint that runs a command when it is unpickled begins with.
    told(predict(&[&99_000_000_u64.to_le_bytes()[..], b"{}"].concat()), 1, "header takes 99000000 bytes");
    told(predict(b"\x80\x02cposix\nsystem\nX\x05\0\0\0touch\x85R."), 1, "m.safetensors");
    told(predict(b"PK\x03\x04 and so on"), 1, "m.safetensors");
}

// ---------------------------------------------------------------- numbers, parts and places

#[test]
fn numbers_without_bounds_stop_the_run_at_their_step() {
    let labels = table(60, 4).replace(",1,", ",3e30,").replace(",0,", ",-3e30,");
    let folder = folder_with(&[("a.csv", &labels), ("nan.csv", "sequence,label\nACGT,1\nACGA,inf\n")]);
    let words =
        quick(&["train", "--data", "a.csv", "--split", "random", "--models", "1", "--epochs", "2", "--run-dir", "run"]);
    let finished = galen_genomics_in(folder.path(), &words);
    assert!(finished.stderr.contains("not finite"), "{}", finished.stderr);
    told(finished, 1, "step");
    assert!(!folder.path().join("run/metrics.json").exists());

    // The square of one such label is beyond what an f32 holds: the sequences that have it are named, and no others.
    let wild = |row: usize| row.is_multiple_of(4);
    let mut few = String::new();
    for (line, text) in table(60, 4).lines().enumerate() {
        let text = if line > 0 && wild(line - 1) { text.replace(",1,", ",3e30,") } else { text.to_owned() };
        few.push_str(&[&text, "\n"].concat());
    }
    fs::write(folder.path().join("a.csv"), few).unwrap();
    let words =
        quick(&["train", "--data", "a.csv", "--split", "random", "--models", "1", "--epochs", "2", "--run-dir", "few"]);
    let finished = galen_genomics_in(folder.path(), &words);
    let (_, message) = finished.stderr.split_once("the loss is not finite in epoch 1, step ").expect(&finished.stderr);
    let (_, named) = message.split_once(", rows ").unwrap();
    let (named, _) = named.split_once("; look at these rows").unwrap();
    let number = |name: &str| name.strip_prefix('r').and_then(|row| row.parse::<usize>().ok());
    assert!(named.split(", ").all(|name| number(name).is_some_and(wild)), "{named}");
    told(galen_genomics_in(folder.path(), &["audit", "--data", "nan.csv"]), 1, "line 3");
}

#[test]
fn parts_that_cannot_be_made_or_are_the_same_are_told() {
    let one = table(4, 1);
    let folder = folder_with(&[("one.csv", &one), ("a.csv", &table(40, 2))]);
    let groups = ["audit", "--data", "one.csv", "--column", "group=family", "--split", "group"];
    told(galen_genomics_in(folder.path(), &groups), 1, "group");
    let same = ["audit", "--data", "a.csv", "--test", "a.csv"];
    let finished = galen_genomics_in(folder.path(), &same).ends_with(0);
    // A tenth of the rows is the validation part; the others are in training and test.
    assert!(finished.stdout.contains("test sequences are in train, letter for letter"), "{}", finished.stdout);
}

#[test]
fn places_that_cannot_be_written_are_named() {
    let mut draw = Draw::new(3);
    let genome = format!(">chr1\n{}\n", draw.bases(600));
    let sam = "@HD\tVN:1.6\tSO:coordinate\n@SQ\tSN:chr1\tLN:100\na\t0\tchr1\t11\t60\t4M\t*\t0\t0\tACGT\t*\n";
    let folder = folder_with(&[("a.csv", &table(40, 2)), ("a.fa", &genome), ("genome.fa", &genome), ("a.sam", sam)]);
    let model = demo_run().to_string_lossy().into_owned();
    // What stands in the way is a file, or a folder that is not there: so it is for any user, root too.
    let in_the_way =
        quick(&["train", "--data", "a.csv", "--split", "random", "--models", "1", "--run-dir", "a.csv/run"]);
    told(galen_genomics_in(folder.path(), &in_the_way), 1, "a.csv/run");
    for (arguments, text) in [
        (vec!["predict", "--model", &model, "--fasta", "a.fa", "--out", "absent/out.csv"], "absent"),
        (
            vec!["predict", "--model", &model, "--genome", "genome.fa", "--tile", "100", "--out", "absent/a.bw"],
            "absent",
        ),
        (vec!["coverage", "--bam", "a.sam", "--bin", "10", "--out", "absent/out.bw"], "absent"),
        (vec!["coverage", "--bam", "a.sam", "--bin", "10", "--out", "a.fa/out.tsv"], "a.fa"),
    ] {
        told(galen_genomics_in(folder.path(), &arguments), 1, text);
        assert!(!folder.path().join("absent").exists());
    }
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = names.filter(|name| name.to_string_lossy().contains(".tmp")).collect();
    assert!(left.is_empty(), "temporary files were left: {left:?}");
}
