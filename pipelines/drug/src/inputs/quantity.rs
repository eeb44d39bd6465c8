//! What the numbers of a table are: as `--quantity` names it, and what of them cannot be that.

use drug::io::affinity::{LOGARITHMS, Unit, quantity_of};
use drug::io::deepdta::KD_ABOVE;
use drug::table::{AffinityTable, Quantity};
use std::ops::RangeInclusive;
use workbench::exit::Usage;

/// Concentrations of which the smallest bind tightest.
const CONSTANTS: [&str; 4] = ["kd", "ki", "ic50", "ec50"];

/// Where the median of negative logarithms may lie: from 0.1 mol/l, more than most compounds dissolve in, to 1 fmol/l,
/// biotin's to avidin, the tightest that is known of a protein and a small molecule (Green 1990, *Methods Enzymol.*
/// 184:51).
const MEDIANS: RangeInclusive<f32> = 1.0..=15.0;

/// The words of a name.
fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

/// The constant that a name in lower case begins with, as `kd` of `kd_nm` and `kdnm`.
fn constant_of(name: &str) -> Option<&'static str> {
    let head = words(name).next()?;
    CONSTANTS.into_iter().find(|constant| matches!(head.strip_prefix(constant), Some("" | "nm" | "um")))
}

/// Whether a name in lower case has a unit of concentration in it, or is one.
fn has_unit(name: &str) -> bool {
    words(name).any(|word| matches!(word, "nm" | "um")) || matches!(name, "m" | "mm" | "pm" | "µm" | "μm")
}

/// The unit of the numbers that `--quantity` names and what they become: an IC50 in nmol/l, `ic50-nm`, becomes pIC50.
/// Upper and lower case, `-`, `_` and blanks are the same.
pub(super) fn named(name: &str) -> Result<(Unit, Quantity), Usage> {
    let plain = name.trim().to_lowercase().replace(['_', ' '], "-");
    let Some(constant) = constant_of(&plain) else {
        if has_unit(&plain) {
            return Err(Usage(format!(
                "--quantity {name} says a unit and not of what; use kd-nm, ki-nm, ic50-nm or ec50-nm, and so with um and m, or a name without a unit if larger values bind tighter"
            )));
        }
        return Ok((Unit::AsIs, quantity_of(name.trim())));
    };
    let quantity = quantity_of(&format!("p{constant}"));
    let unit = match plain.strip_prefix(constant) {
        Some("-nm" | "nm") => Unit::Nanomolar,
        Some("-um" | "um") => Unit::Micromolar,
        Some("-m") => Unit::Molar,
        _ => {
            let becomes = quantity.label();
            return Err(Usage(format!(
                "--quantity {name}: use {constant}-nm, {constant}-um or {constant}-m (each becomes {becomes}), or p{constant} if the values are {becomes} already"
            )));
        }
    };
    Ok((unit, quantity))
}

/// Why the values, which were in `unit`, seem not to be what they are taken for; `told` where somebody said what they
/// are. Taken for something else, the weakest binder may have the largest value.
pub(super) fn doubt(table: &AffinityTable, unit: Unit, told: bool) -> Option<String> {
    if LOGARITHMS.contains(&table.quantity.label()) {
        improbable(table, unit)
    } else if told {
        None
    } else {
        untold(table)
    }
}

/// Doubts negative logarithms by their median, which a few wrong rows do not move.
fn improbable(table: &AffinityTable, unit: Unit) -> Option<String> {
    let mut values: Vec<f32> = table.pairs.iter().map(|pair| pair.value).collect();
    values.sort_unstable_by(f32::total_cmp);
    let median = *values.get(values.len() / 2)?;
    if MEDIANS.contains(&median) {
        return None;
    }
    let label = table.quantity.label();
    let constant = label.trim_start_matches('p').to_ascii_lowercase();
    let units = format!("--quantity {constant}-nm, {constant}-um or {constant}-m");
    let advice = match unit {
        Unit::AsIs if median > *MEDIANS.end() => format!("they look like constants; say their unit with {units}"),
        Unit::AsIs => {
            format!(
                "if they are constants, say their unit with {units}; if another measure, name it with --quantity NAME"
            )
        }
        Unit::Nanomolar | Unit::Micromolar | Unit::Molar => format!("their unit seems to be another one; use {units}"),
    };
    let (low, high) = (*MEDIANS.start(), *MEDIANS.end());
    Some(format!("the values cannot be {label}: their median is {median:?}, not between {low} and {high}; {advice}"))
}

/// Doubts values that seem to be concentrations where nobody said what they are: as they stand, the weakest binder has
/// the largest value. Their column's name tells them, or a value that no score reaches.
fn untold(table: &AffinityTable) -> Option<String> {
    let Quantity::Other(name) = &table.quantity else { return None };
    let plain = name.to_lowercase();
    let found = constant_of(&plain);
    let values = || table.pairs.iter().map(|pair| pair.value);
    let (low, high) = (values().fold(f32::INFINITY, f32::min), values().fold(f32::NEG_INFINITY, f32::max));
    let why = if found.is_some() || has_unit(&plain) {
        format!("column {name} seems to hold constants")
    } else if f64::from(high) > KD_ABOVE {
        format!("the values of {name} go from {low:?} to {high:?}; above {KD_ABOVE} they seem to be constants")
    } else {
        return None;
    };
    let (constant, likewise) = found.map_or(("kd", "; ki, ic50 and ec50 likewise"), |constant| (constant, ""));
    let becomes = quantity_of(&format!("p{constant}"));
    Some(format!(
        "{why}, of which the smallest bind tightest; say what they are with --quantity {constant}-nm, {constant}-um or {constant}-m (each becomes {}{likewise}), or with --quantity NAME if larger values bind tighter",
        becomes.label()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use drug::table::{Drug, Pair, Target};

    fn table(quantity: &str, values: &[f32]) -> AffinityTable {
        AffinityTable {
            drugs: vec![Drug { id: "d".into(), smiles: "C".into() }],
            targets: vec![Target { id: "t".into(), sequence: "M".into() }],
            pairs: values.iter().map(|&value| Pair { drug: 0, target: 0, value }).collect(),
            quantity: quantity_of(quantity),
        }
    }

    #[test]
    fn names_of_quantities() {
        let other = |name: &str| Quantity::Other(name.to_owned());
        for (name, unit, quantity) in [
            ("kd-nm", Unit::Nanomolar, Quantity::Pkd),
            ("kd-nM", Unit::Nanomolar, Quantity::Pkd),
            ("KD-NM", Unit::Nanomolar, Quantity::Pkd),
            ("kd_nM", Unit::Nanomolar, Quantity::Pkd),
            ("Kd nM", Unit::Nanomolar, Quantity::Pkd),
            ("KdnM", Unit::Nanomolar, Quantity::Pkd),
            ("kd-uM", Unit::Micromolar, Quantity::Pkd),
            ("Kd_M", Unit::Molar, Quantity::Pkd),
            ("ki-m", Unit::Molar, other("pKi")),
            ("IC50-nM", Unit::Nanomolar, other("pIC50")),
            ("ec50-um", Unit::Micromolar, other("pEC50")),
            ("pkd", Unit::AsIs, Quantity::Pkd),
            ("kiba", Unit::AsIs, Quantity::KibaScore),
            ("KIBA_score", Unit::AsIs, Quantity::KibaScore),
            ("pic50", Unit::AsIs, other("pIC50")),
            ("Activity", Unit::AsIs, other("Activity")),
            ("kinase_score", Unit::AsIs, other("kinase_score")),
        ] {
            assert_eq!(named(name), Ok((unit, quantity)), "{name}");
        }
        for (name, constant) in
            [("Kd", "kd"), ("Ki", "ki"), ("kd-µM", "kd"), ("ic50-mM", "ic50"), ("IC50 (nM)", "ic50")]
        {
            let message = named(name).unwrap_err().to_string();
            assert!(message.contains(&format!("use {constant}-nm, {constant}-um or {constant}-m")), "{message}");
        }
        for name in ["nM", "um", "M", "µM", "pkd-nm", "affinity_nM"] {
            let message = named(name).unwrap_err().to_string();
            assert!(message.contains("not of what; use kd-nm, ki-nm, ic50-nm or ec50-nm"), "{message}");
        }
    }

    #[test]
    fn what_binds_tightest_has_to_be_told() {
        let doubted = |quantity: &str, values: &[f32]| doubt(&table(quantity, values), Unit::AsIs, false).unwrap();
        let message = doubted("Y", &[0.016, 10_000.0]);
        for part in ["the values of Y go from 0.016 to 10000.0", "--quantity kd-nm", "ki, ic50 and ec50 likewise"] {
            assert!(message.contains(part), "{part}: {message}");
        }
        let message = doubted("IC50 (nM)", &[1.0]);
        assert!(message.contains("--quantity ic50-nm, ic50-um or ic50-m (each becomes pIC50),"), "{message}");
        for name in ["KdnM", "Affinity_nM"] {
            assert!(doubted(name, &[1.0]).starts_with(&format!("column {name} seems to hold constants")));
        }
        // 100 may be a share in per cent; the last name says what the values are.
        for (quantity, high) in [("Y", 100.0), ("inhibition", 99.5), ("kiba_score", 101.0)] {
            assert_eq!(doubt(&table(quantity, &[0.0, high]), Unit::AsIs, false), None, "{quantity}");
        }
        assert_eq!(doubt(&table("activity", &[10_000.0]), Unit::AsIs, true), None);
    }

    /// 10,000 nmol/l are 1e-5 mol/l, a pKd of 5; read as 10,000 mol/l they would be one of -4.
    #[test]
    fn logarithms_are_told_from_what_they_are_of() {
        for (quantity, unit, values, advice) in [
            ("pkd", Unit::AsIs, [0.5, 43.0, 10_000.0], "look like constants; say their unit with --quantity kd-nm,"),
            ("pIC50", Unit::AsIs, [16.0; 3], "look like constants; say their unit with --quantity ic50-nm,"),
            ("pki", Unit::AsIs, [0.002, 0.05, 12.0], "if they are constants, say their unit with --quantity ki-nm,"),
            ("pkd", Unit::Molar, [-4.0; 3], "another one; use --quantity kd-nm, kd-um or kd-m"),
            ("pkd", Unit::Nanomolar, [17.0; 3], "another one; use --quantity kd-nm, kd-um or kd-m"),
        ] {
            // Who names a unit or a logarithm can be wrong too.
            for told in [false, true] {
                let message = doubt(&table(quantity, &values), unit, told).unwrap();
                assert!(message.starts_with("the values cannot be p") && message.contains(advice), "{message}");
            }
        }
        // Davis has a median of 5, its floor. A few rows that are wrong are not all of them.
        for values in [&[5.0, 5.0, 10.8][..], &[6.0, 7.0, 8.0, 10_000.0, -4.0], &[1.0], &[15.0]] {
            assert_eq!(doubt(&table("pkd", values), Unit::AsIs, false), None, "{values:?}");
        }
    }
}
