//! Connected parts against scipy and by hand.

use super::*;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    size: [usize; 3],
    mask: Vec<u8>,
    labels: Vec<Vec<u32>>,
}

/// tests/golden/components.py: the numbers are the same, not only the parts.
#[test]
fn parts_are_those_of_scipy() {
    let golden: Golden = serde_json::from_str(include_str!("../../tests/golden/components.json")).unwrap();
    let connectivities = [Connectivity::Six, Connectivity::Eighteen, Connectivity::TwentySix];
    for case in golden.cases {
        let mask: Vec<bool> = case.mask.iter().map(|&value| value == 1).collect();
        for (connectivity, expected) in connectivities.into_iter().zip(case.labels) {
            let parts = label(&mask, case.size, connectivity);
            assert_eq!(parts.labels, expected, "{:?} {connectivity:?}", case.size);
            for (index, size) in parts.sizes.iter().enumerate() {
                let number = index as u32 + 1;
                assert_eq!(*size, expected.iter().filter(|&&found| found == number).count());
            }
            assert_eq!(parts.sizes.len() as u32, expected.iter().copied().max().unwrap_or(0));
        }
    }
}

#[test]
fn the_largest_part_is_kept() {
    let mask = [true, true, false, true, false, true, true, true];
    let kept = keep_largest(&mask, [8, 1, 1], Connectivity::Six);
    assert_eq!(kept, [false, false, false, false, false, true, true, true]);
    let kept = keep_largest(&mask[..4], [2, 1, 2], Connectivity::Six);
    assert_eq!(kept, [true, true, false, true]);
    // of two equal ones the first
    let kept = keep_largest(&[true, false, true], [3, 1, 1], Connectivity::Six);
    assert_eq!(kept, [true, false, false]);
    assert_eq!(keep_largest(&[false; 6], [3, 2, 1], Connectivity::TwentySix), [false; 6]);
}

/// A spiral is one part whose first pass gives many labels.
#[test]
fn arms_that_meet_late_are_one_part() {
    let picture = ["#.#.#.#", "#.#.#.#", "#.###.#", "#.....#", "#######"];
    let mask: Vec<bool> = picture.iter().flat_map(|row| row.bytes().map(|letter| letter == b'#')).collect();
    let parts = label(&mask, [7, 5, 1], Connectivity::Six);
    assert_eq!(parts.sizes, [15, 7]);
    assert_eq!(parts.largest(), Some(1));
}
