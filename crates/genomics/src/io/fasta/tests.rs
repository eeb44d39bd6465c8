//! Tests of `io::fasta`.

use std::fs;
use std::io::{BufReader, Write as _};

use proptest::prelude::*;

use super::*;
use crate::locus::Strand;

fn records(text: &[u8]) -> Vec<String> {
    FastaReader::new(BufReader::with_capacity(3, text), Path::new("a.fa"))
        .map(|record| match record {
            Ok(record) => format!("{}={}", record.header.text, String::from_utf8_lossy(&record.sequence)),
            Err(error) => error.to_string(),
        })
        .collect()
}

/// What `read_genome` makes of a text, contigs in order.
fn genome(text: &[u8]) -> Result<Vec<(String, String)>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fa");
    fs::write(&path, text).unwrap();
    let genome = read_genome(&path).map_err(|error| error.to_string().replace(&*path.to_string_lossy(), "a.fa"))?;
    let contigs = genome.contigs().map(|(name, length)| {
        let locus = Locus::new(name, 0, length as i64).unwrap();
        (name.to_owned(), String::from_utf8(genome.window(&locus, Edge::Refuse).unwrap()).unwrap())
    });
    Ok(contigs.collect())
}

#[test]
fn records_of_any_shape() {
    let text = b"\r\n\n>chr1 first contig\r\nACg\r\n\r\nNtu\r\n>chr2\nAC GT\tR\n> 6400 \nA\n>\nC";
    assert_eq!(records(text), ["chr1 first contig=ACGNTT", "chr2=ACGTR", "6400=A", "=C"]);
    assert_eq!(records(b""), [""; 0]);
    assert_eq!(records(b"\n \n"), [""; 0]);
    assert_eq!(records(b"\xef>a\nC").len(), 1);
    let header = FastaReader::new(&b">chr1  first contig \nA"[..], Path::new("a.fa")).header().unwrap().unwrap();
    assert_eq!((header.name(), header.description(), header.line), ("chr1", "first contig", 1));
}

#[test]
fn refusals_name_the_line_and_the_reader_goes_on() {
    let text = b"ACGT\nAC\n>a x\nACGT\nAC-GT\n>b\n>c\nA\0\n>d\nA>C\n>e\nACGT\n>\n";
    let expected = [
        "a.fa, line 1: text before the first '>'; is this FASTA?",
        "a.fa, line 5: a: '-' at base 7 is no nucleotide; letters are ACGTU and the IUPAC codes to N",
        "a.fa, line 6: b has no bases; drop it, or get the file again",
        "a.fa, line 8: c: byte 0x00 at base 2 is no nucleotide; letters are ACGTU and the IUPAC codes to N",
        "a.fa, line 10: d: '>' at base 2 is no nucleotide; letters are ACGTU and the IUPAC codes to N",
        "e=ACGT",
        "a.fa, line 13: a record without a name has no bases; drop it, or get the file again",
    ];
    assert_eq!(records(text), expected);
    let mut long = vec![b'>'];
    long.extend(vec![b'x'; MAX_HEADER + 5]);
    long.extend(b"\nACGT\n>b\nC\n");
    assert_eq!(records(&long), ["a.fa, line 1: the header has more than 65536 bytes; shorten it", "b=C"]);
}

#[test]
fn genomes() {
    let pairs = |list: &[(&str, &str)]| -> Result<Vec<(String, String)>, String> {
        Ok(list.iter().map(|&(name, bases)| (name.to_owned(), bases.to_owned())).collect())
    };
    assert_eq!(genome(b">chr1 foo\r\nacGT\r\nN\r\n>chr2\r\nRY"), pairs(&[("chr1", "ACGTN"), ("chr2", "RY")]));
    for (text, expected) in [
        (b">a\nA\n>b\nC\n>a\nG\n".as_slice(), "a.fa, line 5: the name a is that of line 1 already; names must differ"),
        (b">\nA\n".as_slice(), "a.fa, line 1: no name behind '>'"),
        (b">a\n>b\nC\n".as_slice(), "a.fa, line 1: a has no bases; drop it, or get the file again"),
        (b"".as_slice(), "a.fa has no records"),
        (b">a\nAC\nA*\n".as_slice(), "a.fa, line 3: contig a: '*' at base 4 is no nucleotide"),
    ] {
        let message = genome(text).unwrap_err();
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let long = b"ACGTN".repeat(500_000);
    for name in ["a.fa", "a.fa.gz"] {
        let path = folder.path().join(name);
        write_fasta(&path, [("chr1 x", long.as_slice()), ("chr2", b"AC".as_slice())]).unwrap();
        let read = read_fasta(&path).unwrap();
        assert_eq!(read[0], ("chr1 x".to_owned(), long.clone()));
        let genome = read_genome(&path).unwrap();
        let again = folder.path().join(format!("b-{name}"));
        write_genome(&again, &genome).unwrap();
        assert_eq!(read_genome(&again).unwrap(), genome);
    }
    let text = fs::read_to_string(folder.path().join("a.fa")).unwrap();
    assert!(text.lines().all(|line| line.len() <= 60) && text.ends_with(">chr2\nAC\n"));
}

// ---------------------------------------------------------------- indices

/// The example of the manual page faidx(5), with line ends of one byte and of two, and no end of the last line.
#[test]
fn indices_as_samtools_makes_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fa");
    let text = ">one\nATGCATGCATGCATGCATGCATGCATGCAT\nGCATGCATGCATGCATGCATGCATGCATGC\nATGCAT\n>two another chromosome\n\
                ATGCATGCATGCAT\nGCATGCATGCATGC";
    fs::write(&path, text).unwrap();
    let shown = |path: &Path| -> Vec<String> {
        let out = path.with_extension("fai");
        write_index(&out, &build_index(path).unwrap()).unwrap();
        assert_eq!(read_index(&out).unwrap(), build_index(path).unwrap());
        fs::read_to_string(&out).unwrap().lines().map(str::to_owned).collect()
    };
    assert_eq!(shown(&path), ["one\t66\t5\t30\t31", "two\t28\t98\t14\t15"]);
    fs::write(&path, text.replace('\n', "\r\n")).unwrap();
    assert_eq!(shown(&path), ["one\t66\t6\t30\t32", "two\t28\t103\t14\t16"]);
    fs::write(&path, ">a\nACGT\nAC\nACGT\n").unwrap();
    assert!(build_index(&path).unwrap_err().to_string().contains("line 4: a: lines differ in length"));
    fs::write(&path, ">a\nACGT\n\nACGT\n").unwrap();
    assert!(build_index(&path).is_err());
}

#[test]
fn windows_of_indexed_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fa");
    fs::write(&path, ">one\nACGTA\nCGTAC\nGn\n>two x\r\nAAA\r\nCC\r\n").unwrap();
    let whole = read_genome(&path).unwrap();
    let mut parts = IndexedFasta::open(&path).unwrap();
    assert_eq!(parts.contigs().collect::<Vec<_>>(), [("one", 12), ("two", 5)]);
    for contig in ["one", "two"] {
        for start in -3..14 {
            for end in start..15 {
                for strand in [Strand::Forward, Strand::Reverse] {
                    let locus = Locus::new(contig, start, end).unwrap().on(strand);
                    assert_eq!(
                        parts.window(&locus, Edge::Pad).unwrap(),
                        whole.window(&locus, Edge::Pad).unwrap(),
                        "{locus}"
                    );
                    let refused = parts.window(&locus, Edge::Refuse).err().map(|error| error.to_string());
                    let expected = whole.window(&locus, Edge::Refuse).err();
                    assert_eq!(refused.is_some(), expected.is_some());
                    if let Some(expected) = expected {
                        assert!(refused.unwrap().ends_with(&expected.to_string()));
                    }
                }
            }
        }
    }
    let two = parts.genome(&["two"]).unwrap();
    assert_eq!(two.contigs().collect::<Vec<_>>(), [("two", 5)]);
    assert!(parts.genome(&["three"]).unwrap_err().to_string().contains("one, two"));
}

#[test]
fn indices_that_do_not_belong_to_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fa");
    let index = folder.path().join("a.fa.fai");
    fs::write(&path, ">one\nACGTA\nCGTAC\nGT\n>two\nAC\n").unwrap();
    fs::write(&index, "one\t14\t5\t5\t6\n").unwrap();
    let message = read_genome(&path).unwrap_err().to_string();
    assert!(
        message.contains("contig 1 is one with 14 bases in the index and one with 12 bases in the file"),
        "{message}"
    );
    let one = Locus::new("one", 0, 14).unwrap();
    let message = IndexedFasta::open(&path).unwrap().window(&one, Edge::Pad).unwrap_err().to_string();
    assert!(message.contains("one has 12 of the 14 bases from 1 on"), "{message}");
    for (text, expected) in [
        ("one\t12\t5\t5\n", "line 1: 4 columns where an index has 5"),
        ("one\t12\t5\t0\t6\n", "line 1: one: 12 bases in lines of 0 bases"),
        ("one\t12\t5\t7\t6\n", "lines of 7 bases and 6 bytes"),
        ("one\t-1\t5\t5\t6\n", "length \"-1\" is no number that fits there"),
        ("one\t18446744073709551615\t5\t5\t6\n", "18446744073709551615 bases"),
        ("one\t12\t18446744073709551615\t5\t6\n", "line 1: one: 12 bases"),
        ("one\t12\t5\t5\t6\none\t12\t5\t5\t6\n", "line 2: contig one is there already"),
        ("", "has no entries"),
    ] {
        fs::write(&index, text).unwrap();
        let message = IndexedFasta::open(&path).err().unwrap().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn compressed_files_need_both_indices() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fa.gz");
    write_fasta(&path, [("one", b"ACGT".as_slice())]).unwrap();
    let message = IndexedFasta::open(&path).err().unwrap().to_string();
    assert!(message.contains("a.fa.gz.gzi: this index is missing"), "{message}");
    // A file of one block has an index of none.
    fs::write(folder.path().join("a.fa.gz.gzi"), [0; 8]).unwrap();
    let mut parts = IndexedFasta::open(&path).unwrap();
    assert_eq!(parts.window(&Locus::new("one", 1, 3).unwrap(), Edge::Refuse).unwrap(), b"CG");
    let mut plain = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    plain.write_all(b">one\nACGT\n").unwrap();
    fs::write(&path, plain.finish().unwrap()).unwrap();
    assert!(IndexedFasta::open(&path).err().unwrap().to_string().contains("compress it with bgzip"));
    assert_eq!(read_genome(&path).unwrap().length("one"), Some(4));
}

proptest! {
    /// Sequences come out letter for letter, however lines and buffers are cut.
    #[test]
    fn sequences_come_back(sequence in "[ACGTRYNacgtn]{1,200}", width in 1_usize..80, capacity in 1_usize..40) {
        let lines: Vec<&str> =
            sequence.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let text = format!(">x y\r\n{}\r\n>z\nA\n", lines.join("\r\n"));
        let reader = FastaReader::new(BufReader::with_capacity(capacity, text.as_bytes()), Path::new("a.fa"));
        let records: Vec<FastaRecord> = reader.map(Result::unwrap).collect();
        prop_assert_eq!(&records[0].sequence, &sequence.to_ascii_uppercase().into_bytes());
        prop_assert_eq!(records[1].header.line, lines.len() as u64 + 2);
    }

    /// Any bytes get an answer, and no record is lost: each line that begins with '>' is one.
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(
        prop_oneof![3 => Just(b'A'), 2 => Just(b'\n'), 2 => Just(b'>'), 1 => Just(b'\r'), 1 => any::<u8>()], 0..80,
    )) {
        let headers = bytes.split(|&byte| byte == b'\n').filter(|line| line.first() == Some(&b'>')).count();
        let found = records(&bytes);
        let before = found.iter().filter(|text| text.contains("before the first")).count();
        prop_assert!(before <= 1);
        // A blank before '>' at the very start is passed over.
        prop_assert!(found.len() - before == headers || found.len() - before == headers + 1, "{:?}", found);
    }
}
