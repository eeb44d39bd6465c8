//! The variables of the challenge, and the values that they can have.

use crate::io::Counts;
use crate::io::rows::Reason;
use crate::units::by_loinc;

/// A variable of the challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in the files.
    pub name: &'static str,
    /// In words.
    pub description: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Its LOINC code; empty where none fits.
    pub loinc: &'static str,
}

const fn parameter(
    name: &'static str,
    description: &'static str,
    unit: &'static str,
    loinc: &'static str,
) -> Parameter {
    Parameter { name, description, unit, loinc }
}

/// The 37 variables that are measured over time, by name.
pub const PARAMETERS: [Parameter; 37] = [
    parameter("ALP", "Alkaline phosphatase", "IU/L", "6768-6"),
    parameter("ALT", "Alanine transaminase", "IU/L", "1742-6"),
    parameter("AST", "Aspartate transaminase", "IU/L", "1920-8"),
    parameter("Albumin", "Albumin", "g/dL", "1751-7"),
    parameter("BUN", "Blood urea nitrogen", "mg/dL", "3094-0"),
    parameter("Bilirubin", "Bilirubin", "mg/dL", "1975-2"),
    parameter("Cholesterol", "Cholesterol", "mg/dL", "2093-3"),
    parameter("Creatinine", "Serum creatinine", "mg/dL", "2160-0"),
    parameter("DiasABP", "Invasive diastolic arterial blood pressure", "mmHg", "8462-4"),
    parameter("FiO2", "Fractional inspired oxygen", "1", ""),
    parameter("GCS", "Glasgow coma score", "1", "9269-2"),
    parameter("Glucose", "Serum glucose", "mg/dL", "2345-7"),
    parameter("HCO3", "Serum bicarbonate", "mmol/L", "1963-8"),
    parameter("HCT", "Hematocrit", "%", "4544-3"),
    parameter("HR", "Heart rate", "bpm", "8867-4"),
    parameter("K", "Serum potassium", "mEq/L", "2823-3"),
    parameter("Lactate", "Lactate", "mmol/L", "2524-7"),
    parameter("MAP", "Invasive mean arterial blood pressure", "mmHg", "8478-0"),
    parameter("MechVent", "Mechanical ventilation respiration", "1", ""),
    parameter("Mg", "Serum magnesium", "mmol/L", ""),
    parameter("NIDiasABP", "Non-invasive diastolic arterial blood pressure", "mmHg", "8462-4"),
    parameter("NIMAP", "Non-invasive mean arterial blood pressure", "mmHg", "8478-0"),
    parameter("NISysABP", "Non-invasive systolic arterial blood pressure", "mmHg", "8480-6"),
    parameter("Na", "Serum sodium", "mEq/L", "2951-2"),
    parameter("PaCO2", "Partial pressure of arterial carbon dioxide", "mmHg", "2019-8"),
    parameter("PaO2", "Partial pressure of arterial oxygen", "mmHg", "2703-7"),
    parameter("Platelets", "Platelets", "K/uL", "777-3"),
    parameter("RespRate", "Respiration rate", "breaths/min", "9279-1"),
    parameter("SaO2", "Oxygen saturation in hemoglobin", "%", "2708-6"),
    parameter("SysABP", "Invasive systolic arterial blood pressure", "mmHg", "8480-6"),
    parameter("Temp", "Temperature", "°C", "8310-5"),
    parameter("TroponinI", "Troponin I", "ug/L", "10839-9"),
    parameter("TroponinT", "Troponin T", "ug/L", "6598-7"),
    parameter("Urine", "Urine output", "mL", "9187-6"),
    parameter("WBC", "White blood cell count", "K/uL", "6690-2"),
    parameter("Weight", "Weight", "kg", "29463-7"),
    parameter("pH", "Arterial pH", "1", "2744-1"),
];

/// Intensive-care units by the number in `ICUType`.
pub(super) const UNITS: [&str; 4] = [
    "Coronary care unit",
    "Cardiac surgery recovery unit",
    "Medical intensive care unit",
    "Surgical intensive care unit",
];

/// Ranges beyond which a value is an error, where the table of units has none or a wider one: pressures of 0 are of lines
/// that are not connected, a weight of 0 and a height of 1.8 (metres) or 431.8 are slips of the pen.
const RANGES: [(&str, f64, f64); 13] = [
    ("DiasABP", 1.0, 300.0),
    ("FiO2", 0.21, 1.0),
    ("GCS", 3.0, 15.0),
    ("HR", 1.0, 350.0),
    ("Height", 50.0, 275.0),
    ("MAP", 1.0, 350.0),
    ("NIDiasABP", 1.0, 300.0),
    ("NIMAP", 1.0, 350.0),
    ("NISysABP", 1.0, 375.0),
    ("RespRate", 1.0, 120.0),
    ("SysABP", 1.0, 375.0),
    ("Temp", 20.0, 47.0),
    ("Weight", 20.0, 650.0),
];

/// A value as it was meant, or why it cannot be.
pub(super) fn cleaned(parameter: &str, value: f64, counts: &mut Counts) -> Result<f64, Reason> {
    let mut value = value;
    if parameter == "pH" {
        // 7.35 without its point.
        let divisor = [10.0, 100.0].into_iter().find(|divisor| (6.5..=8.0).contains(&(value / divisor)));
        if let Some(divisor) = divisor {
            value /= divisor;
            counts.change("a pH got its point back");
        }
    }
    let own = RANGES.iter().find(|(name, ..)| *name == parameter).map(|(_, least, most)| (*least, *most));
    let shared = || {
        let known = PARAMETERS.iter().find(|known| known.name == parameter)?;
        by_loinc(known.loinc).map(|analyte| analyte.range)
    };
    match own.or_else(shared) {
        Some((least, most)) if !(least..=most).contains(&value) => {
            Err(format!("no patient can have had this value: {parameter}").into())
        }
        _ => Ok(value),
    }
}
