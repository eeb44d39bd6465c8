//! Tests of `locus`.

use proptest::prelude::*;

use super::*;

fn locus(start: i64, end: i64) -> Locus {
    Locus::new("chr1", start, end).unwrap()
}

fn names(known: &[&str]) -> ContigNames {
    ContigNames::new(known.iter().map(|&name| name.to_owned()))
}

#[test]
fn one_based_positions_are_converted_once() {
    let site = Locus::from_one_based("chr1", 1, 1).unwrap();
    assert_eq!((site.start, site.end, site.len()), (0, 1, 1));
    assert_eq!(site.to_string(), "chr1:1-1(+)");
    // An empty interval, as an insertion has, survives the way there and back.
    let empty = Locus::from_one_based("chr1", 11, 10).unwrap();
    assert!(empty.is_empty() && empty.start == 10);
    assert!(Locus::from_one_based("chr1", 12, 10).is_err());
}

#[test]
fn mistakes_name_both_numbers() {
    let message = |start, end| Locus::new("chr1", start, end).unwrap_err().to_string();
    assert_eq!(message(7, 3), "chr1: the end 3 lies before the start 7");
    assert_eq!(
        message(0, i64::MAX),
        format!("chr1: position {} is beyond {MAX_POSITION}, more than any contig has", i64::MAX)
    );
    assert!(Locus::from_one_based("chr1", i64::MIN, 0).is_err());
}

#[test]
fn centres_and_windows() {
    // 10..13 has the middle base 11; of 10..14 it is 12, right of the middle.
    assert_eq!((locus(10, 13).centre(), locus(10, 14).centre()), (11, 12));
    let odd = locus(10, 13).centred(5);
    assert_eq!((odd.start, odd.end), (9, 14));
    let even = locus(10, 13).centred(4);
    assert_eq!((even.start, even.end), (9, 13));
    let before = locus(0, 1).centred(1000);
    assert_eq!((before.start, before.end), (-500, 500));
    assert_eq!(before.centre(), 0);
    assert_eq!(locus(-3, 0).centre(), -2);
}

#[test]
fn upstream_of_a_reverse_interval_is_right_of_it() {
    let forward = locus(100, 101).extended(10, 2);
    assert_eq!((forward.start, forward.end), (90, 103));
    let reverse = locus(100, 101).on(Strand::Reverse).extended(10, 2);
    assert_eq!((reverse.start, reverse.end, reverse.five_prime()), (98, 111, 110));
}

#[test]
fn overlap_is_half_open() {
    assert!(locus(0, 10).overlaps(&locus(9, 20)));
    assert!(!locus(0, 10).overlaps(&locus(10, 20)));
    assert!(!locus(5, 5).overlaps(&locus(0, 10)));
    assert!(!locus(0, 10).overlaps(&Locus::new("chr2", 0, 10).unwrap()));
}

#[test]
fn regions_as_users_write_them() {
    let read = |text: &str| text.parse::<Locus>().map(|locus| (locus.contig.to_string(), locus.start, locus.end));
    assert_eq!(read("chr1:1,001-1,100").unwrap(), ("chr1".to_owned(), 1000, 1100));
    assert_eq!(read("HLA-A*01:01:5-6(-)").unwrap(), ("HLA-A*01:01".to_owned(), 4, 6));
    for text in ["chr1", "chr1:5", "chr1:5-", ":1-2", "chr1:a-b", "", "chr1:", "chr1:é-3", "(+)"] {
        assert!(read(text).is_err(), "{text}");
    }
    assert!(read("chr1").unwrap_err().to_string().contains("chr1:1001-1100"), "the message shows how");
}

#[test]
fn names_by_rule() {
    let human = names(&["chr1", "chr20", "chrX", "chrM", "chr1_KI270706v1_random"]);
    for (asked, expected) in [
        ("20", "chr20"),
        ("CHR20", "chr20"),
        ("NC_000020.10", "chr20"),
        ("NC_000020", "chr20"),
        ("NC_000023.11", "chrX"),
        ("MT", "chrM"),
        ("M", "chrM"),
        ("NC_012920.1", "chrM"),
        ("1_KI270706v1_random", "chr1_KI270706v1_random"),
    ] {
        assert_eq!(human.resolve(asked).unwrap(), expected, "{asked}");
    }
    let ensembl = names(&["20", "MT"]);
    assert_eq!((ensembl.resolve("chr20").unwrap(), ensembl.resolve("chrM").unwrap()), ("20", "MT"));
    assert_eq!(names(&["chrIV"]).resolve("IV").unwrap(), "chrIV");
    // Not human, so that the number is no chromosome: the version may go, no more.
    let phage = names(&["gi|9626243|ref|NC_001416.1|"]);
    assert_eq!(phage.resolve("NC_001416").unwrap(), "gi|9626243|ref|NC_001416.1|");
    assert!(phage.resolve("1416").is_err());
}

#[test]
fn names_that_fit_twice_are_asked_for() {
    let both = names(&["chr1", "1", "chr2"]);
    assert_eq!((both.resolve("1").unwrap(), both.resolve("chr1").unwrap()), ("1", "chr1"));
    assert_eq!(
        both.resolve("NC_000001.11").unwrap_err().to_string(),
        "contig NC_000001.11 may be chr1 or 1; write the name in full or give an alias table"
    );
}

#[test]
fn alias_tables_work_in_both_directions() {
    let pairs = [("CM000677.2".to_owned(), "chr15".to_owned()), ("scaffold_9".to_owned(), "CM9".to_owned())];
    let ucsc = names(&["chr15"]).with_aliases(&pairs);
    assert_eq!(ucsc.resolve("CM000677.2").unwrap(), "chr15");
    let genbank = names(&["CM000677.2"]).with_aliases(&pairs);
    assert_eq!(genbank.resolve("chr15").unwrap(), "CM000677.2");
    assert!(genbank.resolve("CM9").is_err());
}

#[test]
fn unknown_names_show_both_sides() {
    let hg19 = names(&["chr20", "chr21"]);
    assert_eq!(
        hg19.resolve("22").unwrap_err().to_string(),
        "contig 22 is not among the 2 known ones: chr20, chr21; take files of one assembly, or give an alias table"
    );
    assert!(hg19.resolve_all(["20", "chr21"]).is_ok());
    let message = hg19.resolve_all(["20", "22", "X", "22"]).unwrap_err().to_string();
    assert!(message.starts_with("2 contigs are not among the 2 known ones; missing: 22, X; known: chr20, chr21"));
    let many: Vec<String> = (0..40).map(|number| format!("s{number}")).collect();
    let message = ContigNames::new(many).resolve("t").unwrap_err().to_string();
    assert!(message.contains("s11, and 28 more"), "{message}");
    assert!(names(&[]).resolve("t").unwrap_err().to_string().contains("the 0 known ones: none"));
}

proptest! {
    #[test]
    fn display_is_read_back(start in -5_000_i64..5_000, length in 0_i64..5_000, reverse: bool) {
        let strand = if reverse { Strand::Reverse } else { Strand::Forward };
        let locus = Locus::new("chr7", start, start + length).unwrap().on(strand);
        prop_assert_eq!(locus.to_string().parse::<Locus>().unwrap(), locus);
    }

    #[test]
    fn windows_have_their_width_and_centre(start in -500_i64..500, length in 0_i64..50, width in 1_usize..60) {
        let locus = Locus::new("chr7", start, start + length).unwrap();
        let window = locus.centred(width);
        prop_assert_eq!(window.len(), width);
        prop_assert_eq!(window.centre(), locus.centre());
    }

    #[test]
    fn any_text_is_answered(text in "\\PC{0,20}") {
        let _ = text.parse::<Locus>();
        let _ = names(&["chr1", "2", "NC_000003.1"]).resolve(&text);
    }
}
