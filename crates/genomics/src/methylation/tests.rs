//! Neighbours by hand and against a twin that looks at every site.

use super::*;
use nn_core::data::rng;
use rand::RngExt;

fn calls(contig: &str, found: &[(i64, f32)]) -> Vec<(Locus, f32)> {
    found.iter().map(|&(start, state)| (Locus::new(contig, start, start + 1).unwrap(), state)).collect()
}

#[test]
fn sites_of_all_cells_stand_in_one_table() {
    let first = [calls("chr2", &[(7, 1.0)]), calls("chr1", &[(20, 0.0), (5, 1.0)])].concat();
    let table = MethylationTable::from_cells(&[("a".to_owned(), first), ("b".to_owned(), calls("chr1", &[(20, 1.0)]))])
        .unwrap();
    let shown: Vec<String> = table.sites().iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["chr1:6-6(+)", "chr1:21-21(+)", "chr2:8-8(+)"]);
    assert_eq!((table.len(), table.cells().len()), (3, 2));
    assert_eq!(table.row(1), [0.0, 1.0]);
    assert!(table.row(0)[1].is_nan() && table.row(2)[1].is_nan());
}

#[test]
fn neighbours_by_hand() {
    // Positions 0, 10, 30, 60 and 100; the reach of 40 caps the distance of 60 at 1.
    let calls = calls("c", &[(0, 1.0), (10, 0.0), (30, 1.0), (60, 0.0), (100, 1.0)]);
    let table = MethylationTable::from_cells(&[("a".to_owned(), calls)]).unwrap();
    let around = |row| table.neighbours(&[row], 2, 40);
    // left: farthest first; right: nearest first
    assert_eq!(around(2), [1.0, 0.0, 0.0, 1.0, 0.75, 0.5, 0.75, 1.0]);
    // the first site has none to its left
    assert_eq!(around(0), [0.5, 0.5, 0.0, 1.0, 1.0, 1.0, 0.25, 0.75]);
    assert_eq!(around(4), [1.0, 0.0, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0]);
    assert_eq!(table.neighbours(&[], 2, 40), [0.0_f32; 0]);
}

/// All called sites of a cell on the contig of `row`, sorted by distance on each side.
fn twin(table: &MethylationTable, row: usize, cell: usize, k: usize, reach: f32) -> Vec<f32> {
    let here = &table.sites()[row];
    let mut sides = [Vec::new(), Vec::new()];
    for (site, locus) in table.sites().iter().enumerate() {
        let state = table.row(site)[cell];
        if site != row && locus.contig == here.contig && !state.is_nan() {
            let apart = (locus.start - here.start) as f32;
            sides[usize::from(apart > 0.0)].push((apart.abs(), state));
        }
    }
    let [mut left, mut right] = sides.map(|mut side| {
        side.sort_by(|a, b| a.0.total_cmp(&b.0));
        side.resize(k.max(side.len()), (f32::INFINITY, 0.5));
        side.truncate(k);
        side
    });
    left.reverse();
    left.append(&mut right);
    let states = left.iter().map(|(_, state)| *state);
    states.chain(left.iter().map(|(apart, _)| apart.min(reach) / reach)).collect()
}

#[test]
fn neighbours_are_those_of_a_search_of_all_sites() {
    let mut rng = rng(4, &[]);
    let mut cells = Vec::new();
    for cell in 0..3 {
        let mut found = Vec::new();
        for contig in ["chr1", "chr2"] {
            for position in (0..600).step_by(7) {
                // the third cell has calls on one contig only, and few
                let share = if cell == 2 { 0.1 } else { 0.6 };
                if rng.random::<f64>() < share && !(cell == 2 && contig == "chr1") {
                    found.push((contig, position, f32::from(u8::from(rng.random::<bool>()))));
                }
            }
        }
        let calls = found.iter().flat_map(|&(contig, position, state)| calls(contig, &[(position, state)]));
        cells.push((format!("cell {cell}"), calls.collect()));
    }
    let table = MethylationTable::from_cells(&cells).unwrap();
    let rows: Vec<usize> = (0..table.len()).rev().collect();
    let found = table.neighbours(&rows, 5, 100);
    for (place, found) in found.chunks_exact(20).enumerate() {
        let (row, cell) = (rows[place / 3], place % 3);
        assert_eq!(found, twin(&table, row, cell, 5, 100.0), "site {row}, cell {cell}");
    }
}

#[test]
fn what_makes_no_table_is_refused_with_its_place() {
    let one = |found: &[(i64, f32)]| MethylationTable::from_cells(&[("a".to_owned(), calls("c", found))]);
    let message = |found: &[(i64, f32)]| one(found).unwrap_err().to_string();
    assert_eq!(message(&[]), "there are no calls; give at least one");
    assert_eq!(
        message(&[(3, 1.5)]),
        "cell a, c:4-4(+): the state is 1.5; allowed: 0 (not methylated) to 1 (methylated)"
    );
    assert!(message(&[(3, f32::NAN)]).contains("the state is NaN"));
    assert!(message(&[(3, 1.0), (3, 1.0)]).starts_with("cell a, c:4-4(+): the site is called twice"));
    assert_eq!(MethylationTable::from_cells(&[]).unwrap_err().to_string(), "there are no cells; give at least one");
}
