//! Tests of `io::bed`.

use std::fs;

use proptest::prelude::*;

use super::*;

fn read(name: &str, text: &str) -> Vec<Result<BedRecord, String>> {
    let records = BedReader::new(text.as_bytes(), Path::new(name));
    records.map(|record| record.map_err(|error| error.to_string())).collect()
}

fn one(text: &str) -> BedRecord {
    let mut records = read("a.bed", text);
    assert_eq!(records.len(), 1);
    records.pop().unwrap().unwrap()
}

#[test]
fn the_first_base_of_a_contig() {
    let record = one("chr1\t0\t1");
    assert_eq!((record.locus.start, record.locus.end, record.locus.to_string()), (0, 1, "chr1:1-1(+)".to_owned()));
    assert_eq!(record, BedRecord::new(Locus::new("chr1", 0, 1).unwrap()));
    assert!(one("chr1\t5\t5\n").locus.is_empty());
}

#[test]
fn bed_of_every_width() {
    let line = "chr7\t100\t200\tgene\t960\t-\t110\t190\t255,0,0\t2\t10,30,\t0,70,";
    let fields: Vec<&str> = line.split('\t').collect();
    for columns in [3, 4, 5, 6, 7, 8, 9, 12] {
        let record = one(&fields[..columns].join("\t"));
        assert_eq!(record.name.as_deref(), (columns > 3).then_some("gene"), "{columns}");
        assert_eq!(record.score, (columns > 4).then_some(960.0));
        assert_eq!((record.stranded, record.locus.strand == Strand::Reverse), (columns > 5, columns > 5));
        assert_eq!(record.thick, (columns > 7).then_some(110..190));
        assert_eq!(record.colour.as_deref(), (columns > 8).then_some("255,0,0"));
        assert_eq!(record.blocks, if columns == 12 { vec![100..110, 170..200] } else { vec![] });
    }
    // BED11 has sizes of blocks without their starts: no use.
    assert_eq!(one(&fields[..11].join("\t")).colour.as_deref(), Some("255,0,0"));
    assert_eq!(one(&format!("{line}\tmore\tcolumns")).blocks.len(), 2);
    assert_eq!(one("chr1 5 9 x").name.as_deref(), Some("x"), "blanks between columns");
    assert!(!one("chr1\t5\t9\t.\t.\t.").stranded);
}

#[test]
fn columns_of_others_behind_six() {
    let record = one("chr1\t5\t9\tx\t1\t+\t3.5\tyes\t7");
    assert_eq!((record.thick, record.score), (None, Some(1.0)));
    let broad = read("a.broadPeak", "chr1\t5\t9\tx\t1\t.\t3.5\t2\t-1").remove(0).unwrap();
    assert_eq!((broad.signal, broad.p_value, broad.q_value, broad.peak), (Some(3.5), Some(2.0), None, None));
    let reader = BedReader::new(&b"chr1\t5\t9\tx\t1\t.\t3\t2\t1"[..], Path::new("a.txt"));
    let record = reader.with_layout(BedLayout::Bed(3)).next().unwrap().unwrap();
    assert_eq!(record, BedRecord::new(Locus::new("chr1", 5, 9).unwrap()));
}

#[test]
fn peaks_and_their_summits() {
    let record = one("chr22\t100\t300\tp1\t214\t.\t13.2\t24.2\t21.4\t166");
    assert_eq!((record.signal, record.q_value, record.peak, record.summit()), (Some(13.2), Some(21.4), Some(166), 266));
    let window = record.window(101);
    assert_eq!((window.start, window.end), (216, 317));
    let without = one("chr22\t100\t300\tp1\t214\t.\t13.2\t-1\t-1\t-1");
    assert_eq!((without.p_value, without.peak, without.summit()), (None, None, 200));
    assert!(read("a.bed", "chr22\t100\t300\tp1\t214\t.\t1\t1\t1\t200")[0].as_ref().unwrap_err().contains("summit 200"));
}

#[test]
fn headings_are_passed_over() {
    let text = "# made by hand\nbrowser position chr1:1-2\ntrack name=\"x\"\n\ntrack\t5\t9\r\ntrackless\t5\t9\n";
    let names: Vec<String> =
        read("a.bed", text).into_iter().map(|record| record.unwrap().locus.contig.to_string()).collect();
    assert_eq!(names, ["track", "trackless"]);
}

#[test]
fn refusals_name_the_line_and_the_reader_goes_on() {
    let cases = [
        ("chr1\t100", "2 columns where 3 are due"),
        ("chr1\tstart\tend", "start \"start\" is no number that fits there; if this is a heading, put # before it"),
        ("chr1\t-1\t5", "start -1 is negative; BED counts from 0"),
        ("chr1\t9\t5", "chr1: the end 5 lies before the start 9"),
        ("chr1\t9\t99999999999999", "position 99999999999999 is beyond"),
        ("chr1\t1e3\t5", "start \"1e3\" is no number"),
        ("\t1\t5", "no name of a contig in column 1"),
    ];
    for (line, expected) in cases {
        let found = read("a.bed", &format!("{line}\nchr2\t1\t5\n"));
        let message = found[0].as_ref().unwrap_err();
        assert!(message.starts_with("a.bed, line 1: ") && message.contains(expected), "{message}");
        assert!(found[1].is_ok() && found.len() == 2);
    }
    let columns = [
        ("x\tNaN\t+\t1\t2\t0\t1\t10\t0", "score NaN is not finite"),
        ("x\tlots\t+\t1\t2\t0\t1\t10\t0", "score \"lots\" is no number"),
        ("x\t1\tplus\t1\t2\t0\t1\t10\t0", "strand \"plus\"; +, - or . are due"),
        ("x\t1\t+\t1\t2\t0\t2\t10\t0", "2 blocks with 1 sizes and 1 starts"),
        ("x\t1\t+\t1\t2\t0\t1\t11\t0", "block 1 of 11 bases, 0 behind the start, leaves"),
        ("x\t1\t+\t1\t2\t0\t2\t5,5\t0,4", "block 2 of 5 bases, 4 behind the start, leaves"),
        ("x\t1\t+\t1\t2\t0\t1\t-5\t0", "block 1 of -5 bases"),
        ("x\t1\t+\ta\t2\t0\t1\t10\t0", "thick start \"a\" is no number"),
    ];
    for (rest, expected) in columns {
        let found = read("a.bed", &format!("chr1\t0\t10\tx\t1\t+\t1\t2\t0\t1\t10\t0\nchr1\t0\t10\t{rest}\n"));
        let message = found[1].as_ref().unwrap_err();
        assert!(message.starts_with("a.bed, line 2: ") && message.contains(expected), "{message}");
    }
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let twelve = one("chr7\t100\t200\tgene\t9.5\t-\t110\t190\t255,0,0\t2\t10,30\t0,70");
    let peak = one("chr22\t100\t300\tp1\t214\t.\t13.2\t24.2\t-1\t166");
    for (name, record, layout) in [
        ("a.bed", &twelve, BedLayout::Bed(12)),
        ("a.bed.gz", &twelve, BedLayout::Bed(12)),
        ("a.narrowPeak", &peak, BedLayout::NarrowPeak),
    ] {
        let path = folder.path().join(name);
        write_bed(&path, [record, record], layout).unwrap();
        assert_eq!(read_bed(&path).unwrap(), [record.clone(), record.clone()]);
    }
    let path = folder.path().join("b.bed");
    for (columns, expected) in [
        (3, "chr22\t100\t300\n"),
        (6, "chr22\t100\t300\tp1\t214\t.\n"),
        (12, "chr22\t100\t300\tp1\t214\t.\t100\t100\t0\t1\t200\t0\n"),
    ] {
        write_bed(&path, [&peak], BedLayout::Bed(columns)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    }
    write_bed(&path, [&twelve], BedLayout::BroadPeak).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "chr7\t100\t200\tgene\t9.5\t-\t0\t-1\t-1\n");
    write_bedgraph(&path, [("chr1", 0..10, 0.5), ("chr1", 10..20, 1.0)]).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "chr1\t0\t10\t0.5\nchr1\t10\t20\t1\n");
    fs::write(&path, "# nothing\n").unwrap();
    assert!(matches!(read_bed(&path), Err(IoError::Empty { .. })));
}

proptest! {
    /// Every line that is no heading comes out, as an interval or as a refusal.
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(prop_oneof![
        3 => Just(b'1'), 3 => Just(b'\t'), 2 => Just(b'\n'), 1 => Just(b'+'), 1 => Just(b','), 1 => any::<u8>()
    ], 0..120)) {
        let found: Vec<_> = BedReader::new(bytes.as_slice(), Path::new("a.bed")).collect();
        let lines = bytes.split(|&byte| byte == b'\n');
        let filled = lines
            .filter(|line| std::str::from_utf8(line).map_or(true, |text| !passed_over(text)))
            .count();
        prop_assert_eq!(found.len(), filled);
    }

    #[test]
    fn intervals_come_back(
        start in 0_i64..1_000_000,
        length in 0_i64..5_000,
        score in 0.0_f64..1000.0,
        name in "[a-z]{1,8}",
        strand in 0..3,
    ) {
        let mut record = BedRecord::new(Locus::new("chr3", start, start + length).unwrap());
        (record.name, record.score) = (Some(name), Some(score));
        record.stranded = strand > 0;
        record.locus.strand = if strand == 2 { Strand::Reverse } else { Strand::Forward };
        let mut line = String::new();
        format_record(&mut line, &record, BedLayout::Bed(6)).unwrap();
        prop_assert_eq!(one(&line), record);
    }
}
