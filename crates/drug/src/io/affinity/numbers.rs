//! The numbers of a table: how they are written, what they are, and what is stored of them.

use super::Problem;
use crate::table::Quantity;

/// Labels of the quantities that are the negative logarithm, −log10, of a concentration in mol/l: of a dissociation
/// constant, of an inhibition constant, of what inhibits by half, and of what has half of the effect.
pub const LOGARITHMS: [&str; 4] = ["pKd", "pKi", "pIC50", "pEC50"];

/// What the numbers of a file are, and therefore what is stored: of a concentration (Kd, Ki, IC50, EC50), of which the
/// smallest binds tightest, the negative logarithm ([`LOGARITHMS`]).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unit {
    /// Stored as they stand; larger must mean tighter binding.
    #[default]
    AsIs,
    /// A concentration in nmol/l, stored as 9 − log10 of it.
    Nanomolar,
    /// A concentration in µmol/l, stored as 6 − log10 of it.
    Micromolar,
    /// A concentration in mol/l, stored as −log10 of it.
    Molar,
}

impl Unit {
    /// The value that is stored for a number of the file.
    ///
    /// # Errors
    /// Why there is none: a concentration that is not positive, a number that is not finite or too large for single
    /// precision.
    pub fn store(self, number: f64) -> Result<f32, String> {
        let offset = match self {
            Self::AsIs => None,
            Self::Nanomolar => Some(9.0),
            Self::Micromolar => Some(6.0),
            Self::Molar => Some(0.0),
        };
        let stored = match offset {
            Some(_) if number <= 0.0 => {
                return Err(format!("a concentration of {}; it must be positive", short(number)));
            }
            Some(offset) => offset - number.log10(),
            None => number,
        };
        match stored as f32 {
            single if single.is_finite() => Ok(single),
            _ if number.is_finite() => {
                Err(format!("{} is out of the range of single precision (at most {:e})", short(number), f32::MAX))
            }
            _ => Err(format!("{number} is not a finite number")),
        }
    }
}

/// A number as it is written, or with an exponent where that would be a row of digits.
fn short(number: f64) -> String {
    let plain = number == 0.0 || (1e-5..1e9).contains(&number.abs());
    if plain { number.to_string() } else { format!("{number:e}") }
}

/// The quantity that a name stands for, whatever its case: `pkd`, `kiba` or `kiba_score`, `pki`, `pic50`, `pec50`. Any
/// other name stands for itself.
///
/// ```
/// use drug::io::affinity::quantity_of;
/// assert_eq!(quantity_of("PKD").label(), "pKd");
/// assert_eq!(quantity_of("pic50").label(), "pIC50");
/// assert_eq!(quantity_of("Y").label(), "Y");
/// ```
pub fn quantity_of(name: &str) -> Quantity {
    match name.to_ascii_lowercase().as_str() {
        "pkd" => Quantity::Pkd,
        "kiba" | "kiba_score" => Quantity::KibaScore,
        lower => {
            let spelt = LOGARITHMS.into_iter().find(|known| known.eq_ignore_ascii_case(lower));
            Quantity::Other(spelt.unwrap_or(name).to_owned())
        }
    }
}

/// The number that a cell holds, and nothing beside it: neither a limit, as `>10000`, nor a number with its unit is one.
pub(super) fn read(text: &str) -> Result<f64, Problem> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let limit = text.trim_start_matches(['<', '>', '=', '≤', '≥', ' ']);
    if text.starts_with(['<', '>', '≤', '≥']) && behind_digits(limit).is_some() {
        let problem =
            format!("{text:?} is a limit, not a value; leave such rows out or write the limit's value yourself");
        return Err(Problem::new("value is a limit", problem));
    }
    let unit = |behind: &str| behind.trim_start().starts_with(|c: char| c.is_alphabetic() || c == '%');
    if behind_digits(text).is_some_and(unit) {
        let problem =
            format!("{text:?} is a number with a unit; write the number alone, in one unit for the whole column");
        return Err(Problem::new("value has a unit", problem));
    }
    Err(Problem::new("value is no number", format!("{text:?} is not a number")))
}

/// What follows the digits that `text` begins with; `None` where it begins with none.
fn behind_digits(text: &str) -> Option<&str> {
    let digits = text.trim_start_matches(['+', '-']);
    let end = digits.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len());
    digits[..end].parse::<f64>().is_ok().then(|| &digits[end..])
}
