//! Rows keep their order and say what happened; tiles are intervals.

use super::*;
use crate::model::StrandPolicy;
use crate::model::tests::fresh;

fn ensemble(window: usize) -> Ensemble {
    Ensemble::new(vec![fresh(1, window, StrandPolicy::Average)]).unwrap()
}

fn genome() -> Genome {
    let first: Vec<u8> = b"ACGTTGCAAGGCTATTACGATTGACCAGTTAACCGGATATACCATGGGCT".to_vec();
    let contigs =
        [("chr1".to_owned(), first), ("chr2".to_owned(), vec![b'N'; 45]), ("chr3".to_owned(), b"ACG".to_vec())];
    Genome::from_contigs(contigs).unwrap()
}

fn interval(contig: &str, start: i64, end: i64) -> Row {
    let interval = Locus::new(contig, start, end).unwrap();
    let summit = interval.centre();
    Row { name: interval.to_string(), query: Query::Interval { interval, summit } }
}

#[test]
fn rows_keep_their_order_and_say_what_happened() {
    let row = |query: Query| Row { name: "x".into(), query };
    let bases = |bases: &[u8]| row(Query::Sequence(bases.to_vec()));
    let rows = vec![
        bases(b"ACGTTGCAAGGCTATTACGA"),
        row(Query::Unreadable("'!' at base 3 is no nucleotide".into())),
        bases(b"ACGTTGCAAG"),
        bases(b"CCACGTTGCAAGGCTATTACGATT"),
        bases(b"ACGTTGCAAGGCTATTACGN"),
        bases(b"NNNN"),
        bases(b""),
        interval("1", 10, 20),
        interval("chr1", 0, 4),
        interval("chr1", 100, 104),
        interval("chr9", 0, 4),
        interval("chr2", 10, 20),
    ];
    let found = score(&ensemble(20), Some(&genome()), &rows, 7).unwrap();
    let said: Vec<&str> = found.iter().map(|row| row.status.as_str()).collect();
    assert_eq!(
        said[..9],
        [
            "ok",
            "invalid: '!' at base 3 is no nucleotide",
            "padded 10/20",
            "cropped 20/24",
            "unknown bases 1/20",
            "invalid: none of its 4 bases is known",
            "invalid: no bases",
            "ok",
            "padded 12/20; unknown bases 8/20",
        ]
    );
    assert!(said[9].contains("lies outside its contig, which has the bases 1 to 50"), "{}", said[9]);
    assert!(said[10].starts_with("invalid: contig chr9 is not among"), "{}", said[10]);
    assert_eq!(said[11], "invalid: none of its 20 bases is known");
    for (place, row) in found.iter().enumerate() {
        assert_eq!(row.row, 7 + place as u64);
        let numbers = row.values.as_ref().map(Vec::len);
        assert_eq!(numbers, (!row.status.starts_with(INVALID)).then_some(2), "{row:?}");
        assert!(row.values.iter().flatten().all(|value| (0.0..=1.0).contains(value)), "probabilities");
    }
    // The middle of a longer sequence is the sequence itself.
    assert_eq!(found[3].values, found[0].values);
    assert_eq!(found[7].locus.as_ref().map(ToString::to_string).as_deref(), Some("1:11-20(+)"));
    let without = score(&ensemble(20), None, &rows[7..8], 1).unwrap();
    assert!(without[0].status.contains("needs a genome"), "{}", without[0].status);
    assert!(score(&ensemble(20), None, &[], 1).unwrap().is_empty());
}

#[test]
fn the_window_lies_around_the_summit() {
    let genome = genome();
    let locus = Locus::new("chr1", 5, 45).unwrap();
    let at = |summit: i64| Row { name: "x".into(), query: Query::Interval { interval: locus.clone(), summit } };
    let found = score(&ensemble(20), Some(&genome), &[at(15), at(30)], 1).unwrap();
    let window =
        |summit: i64| genome.window(&Locus::new("chr1", summit, summit + 1).unwrap().centred(20), Edge::Pad).unwrap();
    let rows: Vec<Row> =
        [15, 30].map(|summit| Row { name: "x".into(), query: Query::Sequence(window(summit)) }).to_vec();
    let expected = score(&ensemble(20), None, &rows, 1).unwrap();
    assert_eq!(found[0].values, expected[0].values);
    assert_eq!(found[1].values, expected[1].values);
    assert_ne!(found[0].values, found[1].values);
}

#[test]
fn tiles_are_what_their_intervals_are() {
    let (ensemble, genome) = (ensemble(20), genome());
    for step in [1, 7, 50, 64] {
        let tiles: Vec<Tile> = Tiles::new(&ensemble, &genome, &[], step).unwrap().map(Result::unwrap).collect();
        let expected: usize = [50_usize, 45, 3].iter().map(|length| length.div_ceil(step)).sum();
        assert_eq!(tiles.len(), expected, "step {step}");
        let rows: Vec<Row> = tiles.iter().map(|tile| interval(&tile.contig, tile.start, tile.end)).collect();
        let scored = score(&ensemble, Some(&genome), &rows, 1).unwrap();
        for (tile, row) in tiles.iter().zip(&scored) {
            match (&tile.values, &row.values) {
                (Some(tile), Some(row)) => {
                    // 1e-6: batches of other sizes may sum in another order
                    assert!(tile.iter().zip(row).all(|(a, b)| (a - b).abs() < 1e-6), "{tile:?} and {row:?}");
                }
                (None, None) => assert_eq!(&*tile.contig, "chr2"),
                other => panic!("{tile:?}: {other:?}"),
            }
        }
        // Neighbours meet, and each contig is covered from end to end.
        for pair in tiles.windows(2).filter(|pair| pair[0].contig == pair[1].contig) {
            assert_eq!(pair[0].end, pair[1].start);
        }
        assert_eq!(tiles.last().map(|tile| tile.end), Some(3));
    }
}

#[test]
fn contigs_are_chosen_by_any_of_their_names() {
    let (ensemble, genome) = (ensemble(20), genome());
    let tiles = Tiles::new(&ensemble, &genome, &["3".to_owned()], 2).unwrap();
    assert_eq!(tiles.contigs().collect::<Vec<_>>(), [("chr3", 3)]);
    assert_eq!(tiles.count(), 2);
    assert!(Tiles::new(&ensemble, &genome, &["chrX".to_owned()], 2).is_err());
    for step in [0, 1 << 21] {
        assert!(matches!(Tiles::new(&ensemble, &genome, &[], step), Err(PredictError::Tiling { .. })), "{step}");
    }
}
