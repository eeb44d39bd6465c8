//! What to say about an atom with too many bonds.
//!
//! RDKit's sanitisation decides; this module only finds the numbers for the message. RDKit compares an atom with the
//! valences of the element that has as many electrons (so N+ is treated as carbon), from the table in its
//! `Code/GraphMol/atomic_data.cpp`, which is repeated here for the main groups.

use chematic::core::{AtomIdx, Molecule};

/// Atomic number and allowed valences; elements that are absent are not limited.
const ALLOWED: [(i32, &str); 34] = [
    (1, "1"),
    (2, "0"),
    (4, "2"),
    (5, "3"),
    (6, "4"),
    (7, "3"),
    (8, "2"),
    (9, "1"),
    (10, "0"),
    (13, "3"),
    (14, "4"),
    (15, "3, 5"),
    (16, "2, 4, 6"),
    (17, "1"),
    (18, "0"),
    (31, "3"),
    (32, "4"),
    (33, "3, 5"),
    (34, "2, 4, 6"),
    (35, "1"),
    (36, "0"),
    (49, "3"),
    (50, "2, 4"),
    (51, "3, 5"),
    (52, "2, 4, 6"),
    (53, "1, 3, 5"),
    (54, "0, 2, 4, 6"),
    (55, "1"),
    (82, "2, 4"),
    (83, "3, 5"),
    (84, "2, 4, 6"),
    (85, "1, 3, 5"),
    (86, "0"),
    (87, "1"),
];

/// Why RDKit refused `atom`: `Al has valence 6; allowed: 3`. `message` is RDKit's own, which carries the valence found.
pub(super) fn reason(graph: &Molecule, atom: usize, message: &str) -> String {
    let Some(entry) = graph.atom_opt(AtomIdx(atom as u32)) else {
        return message.to_owned();
    };
    let name = match entry.charge {
        0 => entry.element.symbol().to_owned(),
        1 => format!("{}+", entry.element.symbol()),
        -1 => format!("{}-", entry.element.symbol()),
        charge => format!("{}{charge:+}", entry.element.symbol()),
    };
    // "Explicit valence for atom # 9 Al, 6, is greater than permitted"
    let found = message.split(", ").nth(1).and_then(|number| number.parse::<u32>().ok());
    let electrons = i32::from(entry.element.atomic_number()) - i32::from(entry.charge);
    let allowed = ALLOWED.iter().find(|(number, _)| *number == electrons).map_or("", |(_, list)| *list);
    match found {
        Some(found) if !allowed.is_empty() => format!("{name} has valence {found}; allowed: {allowed}"),
        Some(found) => format!("{name} has valence {found}, more than it can have"),
        None if !allowed.is_empty() => format!("{name} has more bonds than its valence permits; allowed: {allowed}"),
        None => format!("{name} has more bonds than its valence permits"),
    }
}
