//! Conversions against independent figures, and the table against itself.

use std::collections::HashSet;

use super::*;

fn value(analyte: &Analyte, value: f64, unit: &str) -> f64 {
    match analyte.normalise(value, Some(unit)) {
        Normal::Value { value, .. } => value,
        other => panic!("{value} {unit} of {}: {other:?}", analyte.name),
    }
}

fn named(name: &str) -> &'static Analyte {
    ANALYTES.iter().find(|analyte| analyte.name == name).unwrap()
}

/// Pairs as clinical guidelines print them (ADA, WHO, SI conversion tables of the AMA Manual of Style); tolerance: half
/// a unit of the last digit that they give.
#[test]
fn conversions_agree_with_printed_pairs() {
    for (name, given, unit, expected, tolerance) in [
        ("glucose", 7.0, "mmol/L", 126.0, 0.5),
        ("glucose", 11.1, "mmol/l", 200.0, 0.5),
        ("HbA1c", 48.0, "mmol/mol", 6.5, 0.05),
        ("HbA1c", 53.0, "mmol/mol", 7.0, 0.05),
        ("HbA1c", 86.0, "mmol/mol", 10.0, 0.05),
        ("creatinine", 88.4, "µmol/L", 1.0, 0.005),
        ("urea nitrogen", 7.14, "mmol/L", 20.0, 0.05),
        ("bilirubin", 17.1, "umol/L", 1.0, 0.005),
        ("cholesterol", 5.17, "mmol/L", 200.0, 0.5),
        ("triglycerides", 1.69, "mmol/L", 150.0, 0.5),
        ("calcium", 2.5, "mmol/L", 10.0, 0.05),
        ("magnesium", 1.0, "mmol/L", 2.43, 0.005),
        ("phosphate", 1.0, "mmol/L", 3.1, 0.05),
        ("temperature", 98.6, "Deg. F", 37.0, 1e-9),
        ("temperature", 104.0, "?F", 40.0, 1e-9),
        ("pO2", 13.3, "kPa", 100.0, 0.5),
        ("hemoglobin", 140.0, "g/L", 14.0, 1e-9),
        ("weight", 154.3, "lbs", 70.0, 0.05),
        ("height", 70.0, "inches", 177.8, 1e-9),
        ("leukocytes", 11.0, "10*9/L", 11.0, 0.0),
        ("sodium", 140.0, "mmol/L", 140.0, 0.0),
        ("pCO2", 40.0, "MM HG", 40.0, 0.0),
    ] {
        let found = value(named(name), given, unit);
        assert!((found - expected).abs() <= tolerance, "{given} {unit} of {name}: {found} where {expected} is due");
    }
}

#[test]
fn what_no_patient_can_have_had_is_told_from_what_is_unknown() {
    assert_eq!(named("pH").normalise(74.1, Some("units")), Normal::Outlier);
    assert_eq!(named("temperature").normalise(0.0, Some("°C")), Normal::Outlier);
    assert_eq!(named("systolic blood pressure").normalise(11_647.0, Some("mmHg")), Normal::Outlier);
    assert_eq!(named("temperature").normalise(98.6, Some("°C")), Normal::Outlier, "Fahrenheit under a wrong name");
    assert_eq!(named("glucose").normalise(5.0, Some("furlongs")), Normal::UnknownUnit);
    assert_eq!(named("glucose").normalise(5.0, None), Normal::UnknownUnit);
    assert_eq!(named("glucose").normalise(f64::NAN, Some("mg/dL")), Normal::Outlier);
    assert_eq!(named("glucose").normalise(90.0, Some("MG/DL")), Normal::Value { value: 90.0, converted: false });
    assert_eq!(named("sodium").normalise(140.0, Some("mmol/L")), Normal::Value { value: 140.0, converted: false });
}

#[test]
fn names_and_codes_lead_to_one_analyte() {
    let (mut codes, mut labels) = (HashSet::new(), HashSet::new());
    for analyte in &ANALYTES {
        assert!(analyte.range.0 < analyte.range.1, "{}", analyte.name);
        for code in analyte.loinc {
            assert!(codes.insert(*code), "{code} is there twice");
            // The last digit of a LOINC code is its check digit (Luhn's, modulo 10).
            let (digits, check) = code.split_once('-').unwrap();
            let doubled = |(place, digit): (usize, u8)| {
                let digit = u32::from(digit - b'0') * (2 - place as u32 % 2);
                digit / 10 + digit % 10
            };
            let sum: u32 = digits.bytes().rev().enumerate().map(doubled).sum();
            assert_eq!((10 - sum % 10) % 10, check.parse::<u32>().unwrap(), "{code} of {}", analyte.name);
        }
        for (label, unit) in analyte.labels {
            assert!(labels.insert(*label), "{label} is there twice");
            assert_eq!(*label, label.to_lowercase());
            assert!(unit.is_none_or(|unit| analyte.normalise(analyte.range.0, Some(unit)) != Normal::UnknownUnit));
        }
    }
    assert_eq!(by_loinc("4548-4").unwrap().name, "HbA1c");
    assert_eq!(by_label(" Temperature F ").unwrap().1, Some("°F"));
    assert!(by_loinc("0000-0").is_none() && by_label("urine colour").is_none());
}
