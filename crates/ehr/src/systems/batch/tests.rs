//! Batches against the visits that they were made of.

use super::*;
use crate::systems::golden::{patients, random_patients};

fn history(visits: &[(f32, bool, &[u32])]) -> VisitSequence {
    let mut sequence = VisitSequence::new(Vec::new());
    for &(days, planned, codes) in visits {
        sequence.push(days, planned, codes.iter().copied());
    }
    sequence
}

#[test]
fn a_visit_is_a_set_without_padding() {
    let found = history(&[(5.0, false, &[3, 0, 2, 3]), (-1.0, true, &[]), (f32::NAN, false, &[1]), (2.5, false, &[2])]);
    assert_eq!(found.len(), 4);
    assert_eq!([found.codes(0), found.codes(1), found.codes(2), found.codes(3)], [&[2, 3][..], &[], &[1], &[2]]);
    assert_eq!(found.codes(4), &[] as &[u32]);
    assert_eq!(found.gaps(), [0.0, 0.0, 0.0, 2.5]);
    assert_eq!(found.planned(), [false, true, false, false]);
    assert_eq!(found.last(2), history(&[(0.0, false, &[1]), (2.5, false, &[2])]));
    assert_eq!(found.last(9), found);
    assert!(found.last(0).is_empty());
}

#[test]
fn a_batch_gives_back_what_it_was_made_of() {
    let given = random_patients(30);
    let batch = VisitBatch::new(&given);
    assert_eq!(batch.rows(), 30);
    assert_eq!(batch.visits(), given.iter().map(VisitSequence::len).max().unwrap());
    let (codes, mask) = batch.padded_codes(&Device::flex());
    let [_, _, width] = codes.dims();
    let codes = codes.try_into_vec_as::<i64>().unwrap();
    let mask = mask.int().try_into_vec_as::<i64>().unwrap();
    let real = batch.mask(&Device::flex()).try_into_vec_as::<f32>().unwrap();
    let mut flat = batch.all_codes().iter().zip(batch.places());
    for (row, given) in given.iter().enumerate() {
        assert_eq!(batch.lengths()[row], given.len().max(1));
        if given.is_empty() {
            assert_eq!(batch.sequence(row).codes(0), &[] as &[u32], "a visit without codes");
        } else {
            assert_eq!(&batch.sequence(row), given);
        }
        for visit in 0..batch.visits() {
            let cell = row * batch.visits() + visit;
            assert_eq!(real[cell] == 1.0, visit < given.len().max(1));
            assert_eq!(batch.codes(row, visit), given.codes(visit));
            for place in 0..width {
                let code = given.codes(visit).get(place).copied();
                assert_eq!(codes[cell * width + place], i64::from(code.unwrap_or(PADDING)));
                assert_eq!(mask[cell * width + place], i64::from(code.is_some()));
                if let Some(code) = code {
                    assert_eq!(flat.next(), Some((&code, cell)));
                }
            }
        }
    }
    assert_eq!(flat.next(), None);
}

#[test]
fn more_padding_is_the_same_patients() {
    let batch = VisitBatch::new(&random_patients(10));
    let wider = batch.padded_to(batch.visits() + 3);
    assert_eq!(wider.visits(), batch.visits() + 3);
    assert_eq!((wider.all_codes(), wider.lengths()), (batch.all_codes(), batch.lengths()));
    assert_eq!(batch.padded_to(0), batch);
    let same = |row| assert_eq!(wider.sequence(row), batch.sequence(row));
    (0..10).for_each(same);
}

#[test]
fn spans_are_counted_from_the_last_visit() {
    // days before the last visit: 100, 70, 25, 0; spans of 30 days: 3, 2, 0, 0
    let given = history(&[(0.0, false, &[2]), (30.0, true, &[3, 4]), (45.0, true, &[4, 5]), (25.0, false, &[5, 6])]);
    let found = VisitBatch::new([&given]).in_spans(30.0, 10).sequence(0);
    let days = 30.0;
    let expected =
        history(&[(days, false, &[2]), (days, true, &[3, 4]), (days, false, &[]), (days, false, &[4, 5, 6])]);
    assert_eq!(found, expected);
    let found = VisitBatch::new([&given]).in_spans(30.0, 2).sequence(0);
    assert_eq!(found, history(&[(days, false, &[4, 5, 6])]), "a second span would have no codes");
}

#[test]
fn nothing_in_is_an_empty_batch() {
    let batch = VisitBatch::new([]);
    assert_eq!((batch.rows(), batch.visits(), batch.statics_width()), (0, 1, 0));
    let batch = VisitBatch::new([&VisitSequence::default()]);
    assert_eq!((batch.rows(), batch.lengths(), batch.places()), (1, &[1][..], Vec::new()));
    assert_eq!(VisitBatch::new(&patients()).statics(&Device::flex()).dims(), [4, 2]);
}

#[test]
fn gaps_are_in_days_and_as_logarithms() {
    let batch = VisitBatch::new([&history(&[(0.0, false, &[2]), (9.0, false, &[3])]), &VisitSequence::default()]);
    assert_eq!(batch.gaps(&Device::flex()).try_into_vec_as::<f32>().unwrap(), [0.0, 9.0, 0.0, 0.0]);
    let logs = batch.log_gaps(&Device::flex()).try_into_vec_as::<f64>().unwrap();
    // single precision
    assert!((logs[1] - 10.0_f64.ln()).abs() < 1e-6 && logs[2] == 0.0);
}
