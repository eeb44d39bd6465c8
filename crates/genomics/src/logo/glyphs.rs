//! Outlines of the letters in a square of 100 units, y downwards.

/// Side of the square that an outline fills.
pub(super) const SIDE: f64 = 100.0;

/// The outline of A, C, G, T; N for anything else.
pub(super) fn outline(letter: u8) -> &'static str {
    match letter {
        b'A' => "M0 100L37 0H63L100 100H77L69 77H31L23 100ZM37.5 58H62.5L50 21Z",
        b'C' => {
            "M100 33C96 12 78 0 53 0C20 0 0 20 0 50C0 80 20 100 53 100C78 100 96 88 100 66L77 62C74 75 66 81 53 81\
             C35 81 24 70 24 50C24 30 35 19 53 19C66 19 74 25 77 37Z"
        }
        b'G' => {
            "M98 33C94 12 77 0 52 0C20 0 0 20 0 50C0 80 19 100 52 100C72 100 88 94 100 83V46H54V64H78V74\
             C71 79 63 81 53 81C35 81 24 70 24 50C24 30 35 19 52 19C65 19 73 25 76 37Z"
        }
        b'T' => "M0 0H100V19H62V100H38V19H0Z",
        _ => "M0 100V0H24L76 64V0H100V100H76L24 36V100Z",
    }
}

/// The letter's colour.
pub(super) fn paint(letter: u8) -> &'static str {
    match letter {
        b'A' => "#009e73",
        b'C' => "#0072b2",
        b'G' => "#e69f00",
        b'T' => "#d55e00",
        _ => "#999999",
    }
}
