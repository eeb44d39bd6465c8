//! Measurements in one unit each, and values that no patient can have had.
//!
//! One laboratory writes glucose in mg/dL and the next in mmol/L, one chart has the temperature in Fahrenheit, `HbA1c`
//! comes in percent (NGSP) and in mmol/mol (IFCC): a threshold means something only behind a conversion. Each
//! [`Analyte`] has one unit, the customary one of the United States that MIMIC and eICU use, what the others are times,
//! and a range beyond which a value is a slip of the pen (a pH of 74, a temperature of 0).
//!
//! ```
//! use ehr::units::{Normal, by_loinc, by_label};
//! let hba1c = by_loinc("4548-4").ok_or("not in the table")?;
//! let Normal::Value { value, .. } = hba1c.normalise(53.0, Some("mmol/mol")) else { return Err("no value".into()) };
//! assert!((value - 7.0).abs() < 0.005, "53 mmol/mol are 7.0 %");
//! let (temperature, unit) = by_label("Temperature Fahrenheit").ok_or("not in the table")?;
//! assert_eq!((temperature.unit, unit), ("°C", Some("°F")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod table;

use std::collections::HashMap;
use std::sync::LazyLock;

pub use self::table::ANALYTES;

/// Something that is measured, with its unit and the values it can have.
#[derive(Debug, PartialEq)]
pub struct Analyte {
    /// Its name.
    pub name: &'static str,
    /// LOINC codes under which it is reported, whatever their unit.
    pub loinc: &'static [&'static str],
    /// Names in the dictionaries of MIMIC and eICU, in small letters, each with the unit that the name itself gives.
    pub labels: &'static [(&'static str, Option<&'static str>)],
    /// The unit that values are brought to.
    pub unit: &'static str,
    /// Other units, with what a value in them is multiplied by and what is then added.
    pub others: &'static [(&'static str, f64, f64)],
    /// Smallest and largest value, in [`Analyte::unit`], that a patient can have had.
    pub range: (f64, f64),
}

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Normal {
    /// The value in the unit of the analyte.
    Value {
        /// The value.
        value: f64,
        /// Whether it was in another unit.
        converted: bool,
    },
    /// No patient can have had it.
    Outlier,
    /// The unit is missing or not among those of the analyte; the value stays as it is.
    UnknownUnit,
}

impl Analyte {
    /// Brings a value to the unit of the analyte.
    pub fn normalise(&self, value: f64, unit: Option<&str>) -> Normal {
        let Some(unit) = unit else { return Normal::UnknownUnit };
        let (value, converted) = if same(unit, self.unit) {
            (value, false)
        } else if let Some((_, times, plus)) = self.others.iter().find(|(other, _, _)| same(unit, other)) {
            (value * times + plus, (*times, *plus) != (1.0, 0.0))
        } else {
            return Normal::UnknownUnit;
        };
        let (least, most) = self.range;
        if (least..=most).contains(&value) { Normal::Value { value, converted } } else { Normal::Outlier }
    }
}

/// The analyte of a LOINC code.
pub fn by_loinc(code: &str) -> Option<&'static Analyte> {
    static CODES: LazyLock<HashMap<&'static str, &'static Analyte>> = LazyLock::new(|| {
        ANALYTES.iter().flat_map(|analyte| analyte.loinc.iter().map(move |code| (*code, analyte))).collect()
    });
    CODES.get(code.trim()).copied()
}

/// The analyte of a name in a dictionary, in capital or small letters, and the unit that the name gives, if any.
pub fn by_label(label: &str) -> Option<(&'static Analyte, Option<&'static str>)> {
    type Labels = HashMap<&'static str, (&'static Analyte, Option<&'static str>)>;
    static LABELS: LazyLock<Labels> = LazyLock::new(|| {
        let labels =
            |analyte: &'static Analyte| analyte.labels.iter().map(move |(label, unit)| (*label, (analyte, *unit)));
        ANALYTES.iter().flat_map(labels).collect()
    });
    LABELS.get(label.trim().to_lowercase().as_str()).copied()
}

/// Whether two spellings are one unit.
fn same(one: &str, other: &str) -> bool {
    one == other || folded(one).eq(folded(other))
}

/// The letters of a unit that tell it from another: without blanks and points, in small letters, one sign for micro,
/// none for degrees, and thousands per microlitre spelt alike.
fn folded(unit: &str) -> impl Iterator<Item = char> + '_ {
    let unit = unit.trim();
    let unit = SYNONYMS.iter().find(|(spelt, _)| unit.eq_ignore_ascii_case(spelt)).map_or(unit, |(_, meant)| *meant);
    let kept = unit.chars().filter(|c| !matches!(c, ' ' | '.' | '°' | '_'));
    kept.map(|c| if matches!(c, 'µ' | 'μ') { 'u' } else { c.to_ascii_lowercase() })
}

/// Spellings that no rule brings together.
const SYNONYMS: [(&str, &str); 39] = [
    ("deg F", "F"),
    ("deg. F", "F"),
    ("degF", "F"),
    ("?F", "F"),
    ("Fahrenheit", "F"),
    ("deg C", "C"),
    ("deg. C", "C"),
    ("degC", "C"),
    ("?C", "C"),
    ("Cel", "C"),
    ("Celsius", "C"),
    ("lbs", "lb"),
    ("[lb_av]", "lb"),
    ("inch", "in"),
    ("inches", "in"),
    ("[in_i]", "in"),
    ("percent", "%"),
    ("mm Hg", "mmHg"),
    ("mm[Hg]", "mmHg"),
    ("beats/min", "bpm"),
    ("{beats}/min", "bpm"),
    ("/min", "bpm"),
    ("insp/min", "breaths/min"),
    ("{breaths}/min", "breaths/min"),
    ("K/mcL", "K/uL"),
    ("x10E3/uL", "K/uL"),
    ("10^3/uL", "K/uL"),
    ("10*3/uL", "K/uL"),
    ("10^9/L", "K/uL"),
    ("10*9/L", "K/uL"),
    ("x10^9/L", "K/uL"),
    ("thou/uL", "K/uL"),
    ("mcmol/L", "umol/L"),
    ("MM/L", "mmol/L"),
    ("gm/dL", "g/dL"),
    ("g%", "g/dL"),
    ("mg%", "mg/dL"),
    ("kg.", "kg"),
    ("% sat", "%"),
];

#[cfg(test)]
mod tests;
