//! The reader and writer of variant files: on damaged files, on unusual ones, on large ones, and on the research data.

use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;
use std::time::Instant;

use flate2::read::MultiGzDecoder;
use genomics::io::IoError;
use genomics::io::vcf::{InfoField, MAX_ALTERNATES, VcfNote, VcfReader, VcfRecord, VcfRow, VcfWriter};

use crate::data::{self, damaged, gzip};

const SMALL: &str = "##fileformat=VCFv4.2\n##contig=<ID=chr1,length=1000>\n\
    #CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\n\
    chr1\t5\trs1\tA\tC,<DEL>\t3.5\tPASS\tDP=3;DB\tGT\t0/1\n\
    chr1\t9\t.\tACG\tA\t.\t.\t.\tGT\t1/1\n";

const BINARY: &[u8] = include_bytes!("../golden/records.bcf");

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut text).unwrap();
    text
}

fn open(bytes: impl Into<Vec<u8>>) -> Result<VcfReader, IoError> {
    VcfReader::new(Cursor::new(bytes.into()), Path::new("a.vcf"))
}

/// Records and the messages of quarantined rows.
fn rows(reader: VcfReader) -> (Vec<VcfRecord>, Vec<String>) {
    let (mut records, mut refused) = (Vec::new(), Vec::new());
    for row in reader {
        match row.unwrap() {
            VcfRow::Record(record) => records.push(record),
            VcfRow::Quarantined(quarantined) => refused.push(quarantined.row.to_string()),
        }
    }
    (records, refused)
}

/// Reads to the end or to the first error, and looks at everything.
fn survive(reader: Result<VcfReader, IoError>) -> usize {
    let Ok(reader) = reader else { return 0 };
    assert!(reader.notes().iter().all(|note| !note.to_string().is_empty()));
    let mut rows = 0;
    for row in reader {
        match row {
            Ok(VcfRow::Record(record)) => {
                assert!(!record.contig().is_empty() && !record.reference().is_empty() && record.position() >= -1);
                assert!(record.alternates().all(|alternate| !alternate.is_empty()));
            }
            Ok(VcfRow::Quarantined(quarantined)) => assert!(!quarantined.row.problem.is_empty()),
            Err(error) => {
                assert!(error.to_string().contains("a.vcf"), "{error}");
                break;
            }
        }
        rows += 1;
    }
    rows
}

// ---------------------------------------------------------------- damaged files

#[test]
fn damaged_text_loses_no_line() {
    for bytes in damaged(SMALL.as_bytes()) {
        let filled = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).count();
        let seen = survive(open(bytes.clone()));
        let header = open(bytes).map_or(0, |reader| reader.header().lines().len() + reader.notes().len() + 1);
        // The header, at most one line that names the columns, and the rest are rows.
        assert!(seen <= filled && seen + header >= filled, "{seen} and {header} of {filled}");
    }
}

#[test]
fn damaged_compressed_files_get_an_answer() {
    let packed = gzip(SMALL.as_bytes());
    for bytes in damaged(&packed) {
        survive(open(bytes));
    }
    // From the two bytes on that tell a gzip file.
    for length in 2..packed.len() {
        let broken = match open(&packed[..length]) {
            Err(error) => Some(error),
            Ok(mut reader) => reader.find_map(Result::err),
        };
        let message = broken.unwrap().to_string();
        assert!(message.contains("may be damaged or cut short"), "{length}: {message}");
    }
}

#[test]
fn damaged_binary_files_get_an_answer() {
    for bytes in damaged(&gunzip(BINARY)) {
        survive(open(bytes));
    }
    for bytes in damaged(BINARY) {
        survive(open(bytes));
    }
}

#[test]
fn a_binary_record_that_cannot_be_decoded_is_one_record_lost() {
    let mut bytes = gunzip(BINARY);
    let second = bytes.windows(3).position(|window| window == b"ACG").unwrap();
    // The type of REF: a string of three letters (0x37) becomes three floats.
    assert_eq!(bytes[second - 1], 0x37);
    bytes[second - 1] = 0x35;
    let (records, refused) = rows(open(bytes).unwrap());
    assert_eq!((records.len(), refused.len()), (4, 1));
    assert!(refused[0].starts_with("record 2: it cannot be decoded"), "{}", refused[0]);
    assert_eq!((records[1].line(), records[1].index()), (3, 1));
}

#[test]
fn a_bgzip_file_without_its_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bcf");
    fs::write(&path, BINARY).unwrap();
    assert_eq!(VcfReader::open(&path).unwrap().count(), 5);
    fs::write(&path, &BINARY[..BINARY.len() - 28]).unwrap();
    let message = VcfReader::open(&path).err().unwrap().to_string();
    assert!(message.contains("end marker of bgzip"), "{message}");
}

// ---------------------------------------------------------------- unusual files

#[test]
fn plain_gzip_bgzip_and_binary_files_are_told_apart() {
    let plain = rows(open(SMALL).unwrap());
    assert_eq!(rows(open(gzip(SMALL.as_bytes())).unwrap()), plain);
    assert_eq!(rows(open(SMALL.replace('\n', "\r\n")).unwrap()), plain);
    assert_eq!(rows(open(format!("\u{feff}{SMALL}")).unwrap()), plain);
    assert!(plain.1.is_empty());
    let record = &plain.0[0];
    assert_eq!((record.contig(), record.position(), record.id()), ("chr1", 4, Some("rs1")));
    assert_eq!((record.line(), record.index(), record.info()), (4, 0, "DP=3;DB"));
    assert_eq!(record.reference(), b"A");
    assert_eq!(record.alternates().collect::<Vec<_>>(), [&b"C"[..], b"<DEL>"]);
    assert_eq!((plain.0[1].id(), plain.0[1].info()), (None, "."));
    assert!(matches!(open(""), Err(IoError::Empty { .. })));
}

#[test]
fn binary_records_are_those_that_htslib_prints() {
    let golden: serde_json::Value = serde_json::from_str(include_str!("../golden/records.json")).unwrap();
    let reader = open(BINARY).unwrap();
    assert_eq!(reader.header().samples(), ["NA12878", "NA12879"]);
    assert_eq!(reader.header().contigs()[1], ("chr20".to_owned(), Some(63_025_520)));
    assert!(reader.header().lines().iter().all(|line| !line.contains("IDX")), "{:?}", reader.header().lines());
    let (records, refused) = rows(reader);
    assert!(refused.is_empty(), "{refused:?}");
    let lines: Vec<&str> = golden["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert_eq!(records.len(), lines.len());
    for (record, line) in records.iter().zip(lines) {
        let columns = |line: &str| line.split('\t').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(columns(record.text())[..8], columns(line)[..8]);
        // Genotypes come through too.
        assert_eq!(columns(record.text()).len(), columns(line).len());
        assert!(columns(record.text())[9].starts_with(&columns(line)[9][..3]));
    }
}

#[test]
fn what_is_no_record_is_quarantined_with_its_line() {
    let body = "chr1\t1\t.\tA\tC\n\nchr1 2 . A C\nchr1\tx\t.\tA\tC\nchr1\t-5\t.\tA\tC\n\
        chr1\t99999999999999999999\t.\tA\tC\nchr1\t3\t.\t\tC\nchr1\t3\t.\tA-\tC\nchr1\t3\t.\tA\tC,,G\n\t3\t.\tA\tC\n\
        ##late=1\n#CHROM\tPOS\tID\tREF\tALT\nchr1\t0\t.\tN\tC\nchr1\t4\t.\tA\tC d\n";
    let mut text = body.as_bytes().to_vec();
    text.extend(b"chr1\t4\t.\tA\tC\t\xff\nchr2\t7\tx\tA\t.");
    let reader = open(text).unwrap();
    assert_eq!(reader.notes(), [VcfNote::NoHeader]);
    let (records, refused) = rows(reader);
    let shown: Vec<(u64, &str, i64)> = records.iter().map(|r| (r.line(), r.contig(), r.position())).collect();
    assert_eq!(shown, [(1, "chr1", 0), (13, "chr1", -1), (16, "chr2", 6)]);
    assert_eq!(records[2].alternates().count(), 0);
    let expected = [
        "line 3: it has 1 of the columns CHROM, POS, ID, REF and ALT, with tabs between",
        "line 4: POS \"x\" is no position",
        "line 5: POS \"-5\" is no position",
        "line 6: POS \"99999999999999999999\" is no position",
        "line 7: REF \"\" is no sequence",
        "line 8: REF \"A-\" is no sequence",
        "line 9: ALT \"C,,G\" has an empty allele or a blank",
        "line 10: CHROM \"\" is no name",
        "line 11: it has 1 of the columns CHROM, POS, ID, REF and ALT, with tabs between",
        "line 12: POS \"POS\" is no position",
        "line 14: ALT \"C d\" has an empty allele or a blank",
        "line 15: not UTF-8 at byte 14; convert the file",
    ];
    assert_eq!(refused, expected);
}

#[test]
fn samples_of_one_name_and_a_million_alleles() {
    let samples = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tmother\tchild\tmother\n";
    let many = vec!["C"; 1_000_000].join(",");
    let row = |alternates: &str| format!("chr1\t5\t.\tA\t{alternates}\t.\t.\tDP=1\tGT\t0/0\t0/0\t0/0\n");
    let just = vec!["C"; MAX_ALTERNATES].join(",");
    let long = format!("chr1\t5\t.\t{}\t{}\n", "A".repeat(1 << 17), vec!["C"; 1 << 12].join(","));
    let text = format!("##fileformat=VCFv4.2\n{samples}{}{}{}{long}{}", row("G"), row(&many), row(&just), row("T"));
    let start = Instant::now();
    let reader = open(text).unwrap();
    assert_eq!(reader.notes(), [VcfNote::DuplicateSamples(vec!["mother".to_owned()])]);
    let (mut records, mut kept) = (Vec::new(), Vec::new());
    for row in reader {
        match row.unwrap() {
            VcfRow::Record(record) => records.push(record),
            VcfRow::Quarantined(quarantined) => kept.push((quarantined.row.to_string(), quarantined.record)),
        }
    }
    assert!(start.elapsed().as_secs_f64() < 5.0);
    assert_eq!(records.iter().map(|r| r.alternates().count()).collect::<Vec<_>>(), [1, MAX_ALTERNATES, 1]);
    assert_eq!(kept[0].0, "line 4: it has 1000000 alternate alleles; at most 10000 are used");
    assert_eq!(kept[1].0, "line 6: it has 4096 alternate alleles of 131072 reference bases, which is too much");
    assert!(kept.iter().all(|(_, record)| record.is_some()));
}

#[test]
fn binary_files_with_samples_of_one_name_are_read() {
    let plain = gunzip(BINARY);
    let place = plain.windows(7).position(|window| window == b"NA12879").unwrap();
    let mut bytes = plain.clone();
    bytes[place..place + 7].copy_from_slice(b"NA12878");
    let reader = open(bytes).unwrap();
    assert_eq!(reader.notes(), [VcfNote::DuplicateSamples(vec!["NA12878".to_owned()])]);
    assert_eq!(rows(reader), rows(open(plain).unwrap()));
}

// ---------------------------------------------------------------- out

#[test]
fn what_was_read_is_written_with_fields_added() {
    let text = "##fileformat=VCFv4.2\n##INFO=<ID=GALEN_OLD,Number=A,Type=String,Description=\"x\">\n##source=a\n\
        #CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\n\
        chr1\t5\trs1\tA\tC\t3.50\tPASS\tGALEN_OLD=1;DP=3;GALEN_X;DB\tGT\t0/1\n\
        chr1\t6\t.\ta\tc\nchr1\t7\t.\tA\tC\t.\t.\t\nchr1\t8\t.\tA\tC\t.\t.\tGALEN_OLD=2\n";
    let reader = open(text).unwrap();
    let field = InfoField { id: "GALEN_D".to_owned(), number: "A", kind: "Float", description: "one".to_owned() };
    let mut out = Vec::new();
    let mut writer = VcfWriter::new(&mut out, reader.header(), &[field]).unwrap();
    for (record, added) in rows(reader).0.iter().zip(["GALEN_D=1", "GALEN_D=2", "GALEN_D=3", ""]) {
        writer.write(record, added).unwrap();
    }
    let expected = "##fileformat=VCFv4.2\n##source=a\n##INFO=<ID=GALEN_D,Number=A,Type=Float,Description=\"one\">\n\
        #CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\n\
        chr1\t5\trs1\tA\tC\t3.50\tPASS\tDP=3;DB;GALEN_D=1\tGT\t0/1\n\
        chr1\t6\t.\ta\tc\t.\t.\tGALEN_D=2\nchr1\t7\t.\tA\tC\t.\t.\tGALEN_D=3\nchr1\t8\t.\tA\tC\t.\t.\t.\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);

    let mut out = Vec::new();
    let reader = open("chr1\t5\t.\tA\tC\n").unwrap();
    VcfWriter::new(&mut out, reader.header(), &[]).unwrap();
    assert_eq!(out, b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n");
}

// ---------------------------------------------------------------- research data

#[test]
fn files_of_the_research_data() {
    let Some(folder) = data::path("genomics/giab_chr20") else { return };
    let (records, refused) = rows(VcfReader::open(&folder.join("malformed.vcf")).unwrap());
    assert_eq!(records.iter().map(VcfRecord::line).collect::<Vec<_>>(), [80, 82]);
    assert_eq!(refused, ["line 81: it has 4 of the columns CHROM, POS, ID, REF and ALT, with tabs between"]);
    let alleles = |records: &[VcfRecord]| records.iter().map(|record| record.alternates().count()).sum::<usize>();
    for (name, expected) in [
        ("test_nist.b37_chr20_100kbp_at_10mb.vcf.gz", (221, 222)),
        ("test_samples.vcf.gz", (753, 764)),
        ("test_vaf.vcf", (6, 10)),
    ] {
        let (records, refused) = rows(VcfReader::open(&folder.join(name)).unwrap());
        assert!(refused.is_empty(), "{name}: {refused:?}");
        assert_eq!((records.len(), alleles(&records)), expected, "{name}");
    }
    let Some(folder) = data::path("genomics/kipoiseq_chr22") else { return };
    let reader = VcfReader::open(&folder.join("chr22_ENST00000319363.vcf.gz")).unwrap();
    // Its rows have no INFO, whatever its header says.
    assert_eq!(reader.header().contigs(), [("chr22".to_owned(), Some(50_818_468))]);
    let (records, refused) = rows(reader);
    assert_eq!((records.len(), alleles(&records), refused.len()), (9_212, 9_212, 0));
    assert!(records.iter().all(|record| record.info() == "."));
}
