//! What record formats that share vocabularies have in common: names of vocabularies, numbers of subjects, units.

use sha2::{Digest as _, Sha256};

use super::Counts;
use crate::units::{Normal, by_loinc};

/// What stands in a code for a unit, or anything else, that is not known.
pub(crate) const UNKNOWN: &str = "UNK";

/// Digits up to which an identifier of a patient counts as a number: 2^53 has sixteen.
const DIGITS: usize = 15;

/// Names of vocabularies as OMOP spells them, with the addresses and object identifiers by which FHIR knows them.
const VOCABULARIES: [(&str, &str); 34] = [
    ("http://loinc.org", "LOINC"),
    ("urn:oid:2.16.840.1.113883.6.1", "LOINC"),
    ("http://snomed.info/sct", "SNOMED"),
    ("urn:oid:2.16.840.1.113883.6.96", "SNOMED"),
    ("http://www.nlm.nih.gov/research/umls/rxnorm", "RxNorm"),
    ("urn:oid:2.16.840.1.113883.6.88", "RxNorm"),
    ("http://hl7.org/fhir/sid/icd-9-cm", "ICD9CM"),
    ("http://hl7.org/fhir/sid/icd-9-cm/diagnosis", "ICD9CM"),
    ("urn:oid:2.16.840.1.113883.6.103", "ICD9CM"),
    ("http://hl7.org/fhir/sid/icd-9-cm/procedure", "ICD9Proc"),
    ("urn:oid:2.16.840.1.113883.6.104", "ICD9Proc"),
    ("http://hl7.org/fhir/sid/icd-10-cm", "ICD10CM"),
    ("urn:oid:2.16.840.1.113883.6.90", "ICD10CM"),
    ("http://hl7.org/fhir/sid/icd-10", "ICD10"),
    ("urn:oid:2.16.840.1.113883.6.3", "ICD10"),
    ("http://www.cms.gov/medicare/coding/icd10", "ICD10PCS"),
    ("http://hl7.org/fhir/sid/icd-10-pcs", "ICD10PCS"),
    ("urn:oid:2.16.840.1.113883.6.4", "ICD10PCS"),
    ("http://www.ama-assn.org/go/cpt", "CPT4"),
    ("urn:oid:2.16.840.1.113883.6.12", "CPT4"),
    ("http://www.cms.gov/medicare/coding/hcpcscodes", "HCPCS"),
    ("https://www.cms.gov/medicare/coding/hcpcsreleasecodesets", "HCPCS"),
    ("urn:oid:2.16.840.1.113883.6.285", "HCPCS"),
    ("http://hl7.org/fhir/sid/ndc", "NDC"),
    ("urn:oid:2.16.840.1.113883.6.69", "NDC"),
    ("http://hl7.org/fhir/sid/cvx", "CVX"),
    ("urn:oid:2.16.840.1.113883.12.292", "CVX"),
    ("http://www.whocc.no/atc", "ATC"),
    ("urn:oid:2.16.840.1.113883.6.73", "ATC"),
    ("http://unitsofmeasure.org", "UCUM"),
    ("http://www.nubc.org/patient-discharge", "NUBC"),
    ("https://www.nubc.org/codesystem/patdischargestatus", "NUBC"),
    ("http://terminology.hl7.org/codesystem/discharge-disposition", "DISCHARGE"),
    ("http://terminology.hl7.org/codesystem/v3-actcode", "ActCode"),
];

/// The name of the vocabulary that FHIR knows under an address.
pub(crate) fn vocabulary(address: &str) -> Option<&'static str> {
    let address = address.trim().trim_end_matches('/');
    VOCABULARIES.iter().find(|(known, _)| address.eq_ignore_ascii_case(known)).map(|(_, name)| *name)
}

/// The number of the subject whose identifier is a text: a whole number of up to 15 digits stays what it is, of anything
/// else the first 63 bits of its SHA-256 are taken. Among ten million patients two share a number with a probability below
/// one in a hundred thousand.
pub fn subject_number(identifier: &str) -> i64 {
    let identifier = identifier.trim();
    let number = identifier.len() <= DIGITS && identifier.bytes().all(|byte| byte.is_ascii_digit());
    // A leading zero tells two identifiers apart that are one number.
    if number
        && (identifier == "0" || !identifier.starts_with('0'))
        && let Ok(number) = identifier.parse()
    {
        return number;
    }
    let first =
        Sha256::digest(identifier.as_bytes()).iter().take(8).fold(0_u64, |all, byte| (all << 8) | u64::from(*byte));
    (first >> 1) as i64
}

/// A measured value, in the unit of what was measured where that is known.
#[derive(Debug, PartialEq)]
pub(crate) struct Reading<'a> {
    /// The value, unless no patient can have had it.
    pub(crate) value: Option<f32>,
    /// The unit it is in, for the code.
    pub(crate) unit: &'a str,
    /// What was written, of a value that was not taken.
    pub(crate) text: Option<String>,
}

/// Brings the value of a code to the unit of what was measured, and counts what it did.
pub(crate) fn reading<'a>(
    vocabulary: &str,
    code: &str,
    value: f64,
    unit: Option<&'a str>,
    counts: &mut Counts,
) -> Reading<'a> {
    let plain = Reading { value: finite(value), unit: unit.unwrap_or(UNKNOWN), text: None };
    let Some(analyte) = Some(code).filter(|_| vocabulary == "LOINC").and_then(by_loinc) else { return plain };
    match analyte.normalise(value, unit) {
        Normal::UnknownUnit => plain,
        Normal::Value { value, converted } => {
            if converted {
                counts.change("a value was brought to the unit of what was measured");
            }
            Reading { value: finite(value), unit: analyte.unit, text: None }
        }
        Normal::Outlier => {
            counts.change("a value that no patient can have had is kept as text only");
            Reading { value: None, text: Some(value.to_string()), ..plain }
        }
    }
}

/// A number as events have it.
pub(crate) fn finite(value: f64) -> Option<f32> {
    Some(value as f32).filter(|value| value.is_finite())
}

/// A text as a part of a code: trimmed, in capitals, with single blanks; `UNK` for an empty one.
pub(crate) fn part(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(str::to_uppercase).collect();
    if words.is_empty() { UNKNOWN.to_owned() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_keep_numbers_and_get_the_hash_of_texts() {
        for (text, number) in [("42", 42), (" 42 ", 42), ("0", 0), ("123456789012345", 123_456_789_012_345)] {
            assert_eq!(subject_number(text), number);
        }
        // SHA-256 of "abc" begins with ba7816bf8f01cfea (FIPS 180-2, appendix B.1).
        assert_eq!(subject_number("abc"), (0xba78_16bf_8f01_cfea_u64 >> 1) as i64);
        // And of nothing with e3b0c44298fc1c14.
        assert_eq!(subject_number(""), (0xe3b0_c442_98fc_1c14_u64 >> 1) as i64);
        assert_ne!(subject_number("042"), 42);
        assert!(subject_number("-1") >= 0 && subject_number("1234567890123456") != 1_234_567_890_123_456);
    }

    #[test]
    fn vocabularies_have_one_name() {
        assert_eq!(vocabulary("http://loinc.org/"), Some("LOINC"));
        assert_eq!(vocabulary("http://www.cms.gov/Medicare/Coding/ICD10"), Some("ICD10PCS"));
        assert_eq!(vocabulary("http://example.org"), None);
    }

    #[test]
    fn values_come_in_one_unit() {
        let mut counts = Counts::default();
        let found = reading("LOINC", "4548-4", 53.0, Some("mmol/mol"), &mut counts);
        assert_eq!(found.unit, "%");
        // The master equation: 0.09148 * 53 + 2.152 = 7.00044; float32 has seven digits.
        assert!((found.value.unwrap() - 7.000_44).abs() < 1e-5);
        let outlier = reading("LOINC", "4548-4", 700.0, Some("%"), &mut counts);
        assert_eq!(outlier, Reading { value: None, unit: "%", text: Some("700".to_owned()) });
        let other = reading("SNOMED", "4548-4", 53.0, None, &mut counts);
        assert_eq!(other, Reading { value: Some(53.0), unit: UNKNOWN, text: None });
        assert_eq!(counts.changed.values().sum::<u64>(), 2);
        assert_eq!(
            (finite(1e300), part("  White   British "), part(" ")),
            (None, "WHITE BRITISH".to_owned(), "UNK".to_owned())
        );
    }
}
