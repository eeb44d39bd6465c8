//! What is measured, in which units, and what a patient can have had.
//!
//! Between mass and amount of substance stand molar masses (IUPAC 2021), rounded to the digits that laboratories use.
//! `HbA1c` follows the NGSP/IFCC master equation, NGSP = 0.09148 IFCC + 2.152 (Hoelzel and others, Clin. Chem. 50, 2004).
//! Ranges are those beyond which measurements are errors, not illness: wide enough for what has been survived, about as
//! in the clean-up of MIMIC-III by Harutyunyan and others (Sci. Data 6, 2019, `variable_ranges.csv`).

use super::Analyte;

/// Kilopascals to millimetres of mercury.
const KPA: f64 = 7.500_617;

const NONE: &[(&str, f64, f64)] = &[];

/// Unit of substances that are counted by charge or by amount, which are the same for ions of one charge.
const IONS: &[(&str, f64, f64)] = &[("mmol/L", 1.0, 0.0)];

const PRESSURE: &[(&str, f64, f64)] = &[("kPa", KPA, 0.0)];

const fn analyte(
    name: &'static str,
    loinc: &'static [&'static str],
    labels: &'static [(&'static str, Option<&'static str>)],
    unit: &'static str,
    others: &'static [(&'static str, f64, f64)],
    range: (f64, f64),
) -> Analyte {
    Analyte { name, loinc, labels, unit, others, range }
}

/// Every analyte that is known here.
pub static ANALYTES: [Analyte; 46] = [
    // blood chemistry
    analyte(
        "glucose",
        &["2345-7", "2339-0", "2340-8", "2341-6", "14749-6", "15074-8", "41653-7"],
        &[("glucose (70-105)", None), ("bedside glucose", None)],
        "mg/dL",
        &[("mmol/L", 18.016, 0.0)],
        (1.0, 3000.0),
    ),
    analyte(
        "creatinine",
        &["2160-0", "14682-9", "38483-4"],
        &[("creatinine", None), ("creatinine (0-1.3)", None)],
        "mg/dL",
        &[("umol/L", 1.0 / 88.42, 0.0)],
        (0.0, 60.0),
    ),
    // reported as nitrogen; what is given in mmol/L is urea, of which each molecule has two atoms of it
    analyte(
        "urea nitrogen",
        &["3094-0", "6299-2", "3091-6", "22664-7"],
        &[("bun", None), ("bun (6-20)", None)],
        "mg/dL",
        &[("mmol/L", 2.801, 0.0)],
        (0.0, 350.0),
    ),
    analyte("sodium", &["2951-2", "2947-0"], &[("sodium", None)], "mEq/L", IONS, (80.0, 220.0)),
    analyte("potassium", &["2823-3", "6298-4"], &[("potassium", None)], "mEq/L", IONS, (0.5, 15.0)),
    analyte("chloride", &["2075-0", "2069-3"], &[("chloride", None)], "mEq/L", IONS, (40.0, 180.0)),
    analyte(
        "bicarbonate",
        &["1963-8", "2028-9", "1959-6"],
        &[("bicarbonate", None), ("hco3", None)],
        "mEq/L",
        IONS,
        (1.0, 70.0),
    ),
    analyte("anion gap", &["1863-0", "33037-3"], &[("anion gap", None)], "mEq/L", IONS, (-20.0, 80.0)),
    analyte(
        "calcium",
        &["17861-6", "2000-8"],
        &[("calcium", None)],
        "mg/dL",
        &[("mmol/L", 4.008, 0.0), ("mEq/L", 2.004, 0.0)],
        (1.0, 30.0),
    ),
    analyte(
        "free calcium",
        &["1994-3", "12180-6"],
        &[("ionized calcium", None)],
        "mmol/L",
        &[("mg/dL", 0.2495, 0.0)],
        (0.1, 5.0),
    ),
    analyte(
        "magnesium",
        &["2601-3", "19123-9"],
        &[("magnesium", None)],
        "mg/dL",
        &[("mmol/L", 2.431, 0.0), ("mEq/L", 1.2155, 0.0)],
        (0.1, 25.0),
    ),
    analyte(
        "phosphate",
        &["2777-1"],
        &[("phosphate", None), ("phosphorous", None)],
        "mg/dL",
        &[("mmol/L", 3.097, 0.0)],
        (0.1, 40.0),
    ),
    analyte(
        "bilirubin",
        &["1975-2"],
        &[("total bilirubin", None)],
        "mg/dL",
        &[("umol/L", 1.0 / 17.1, 0.0)],
        (0.0, 100.0),
    ),
    analyte("albumin", &["1751-7"], &[("albumin", None)], "g/dL", &[("g/L", 0.1, 0.0)], (0.3, 8.0)),
    analyte("total protein", &["2885-2"], &[("total protein", None)], "g/dL", &[("g/L", 0.1, 0.0)], (0.5, 20.0)),
    analyte(
        "lactate",
        &["32693-4", "2524-7", "2518-9"],
        &[("lactate", None), ("lactic acid", None)],
        "mmol/L",
        &[("mg/dL", 0.111, 0.0), ("mEq/L", 1.0, 0.0)],
        (0.0, 60.0),
    ),
    analyte("uric acid", &["3084-1"], &[("uric acid", None)], "mg/dL", &[("umol/L", 1.0 / 59.48, 0.0)], (0.0, 60.0)),
    analyte(
        "cholesterol",
        &["2093-3"],
        &[("total cholesterol", None)],
        "mg/dL",
        &[("mmol/L", 38.67, 0.0)],
        (5.0, 2000.0),
    ),
    analyte("HDL cholesterol", &["2085-9"], &[("hdl", None)], "mg/dL", &[("mmol/L", 38.67, 0.0)], (1.0, 300.0)),
    analyte(
        "LDL cholesterol",
        &["2089-1", "13457-7", "18262-6"],
        &[("ldl", None)],
        "mg/dL",
        &[("mmol/L", 38.67, 0.0)],
        (1.0, 1500.0),
    ),
    analyte(
        "triglycerides",
        &["2571-8", "1644-4"],
        &[("triglycerides", None)],
        "mg/dL",
        &[("mmol/L", 88.57, 0.0)],
        (5.0, 20_000.0),
    ),
    analyte(
        "HbA1c",
        &["4548-4", "17856-6", "59261-8"],
        &[("hemoglobin a1c", None)],
        "%",
        &[("mmol/mol", 0.09148, 2.152)],
        (2.0, 25.0),
    ),
    // blood count
    analyte(
        "hemoglobin",
        &["718-7", "20509-6"],
        &[("hemoglobin", None), ("hgb", None)],
        "g/dL",
        &[("g/L", 0.1, 0.0), ("mmol/L", 1.6114, 0.0)],
        (0.5, 30.0),
    ),
    analyte(
        "hematocrit",
        &["4544-3", "20570-8"],
        &[("hematocrit", None), ("hct", None)],
        "%",
        &[("L/L", 100.0, 0.0)],
        (2.0, 80.0),
    ),
    analyte(
        "leukocytes",
        &["804-5", "6690-2", "26464-8"],
        &[("wbc", None), ("wbc x 1000", None)],
        "K/uL",
        NONE,
        (0.0, 1000.0),
    ),
    analyte(
        "platelets",
        &["777-3", "26515-7"],
        &[("platelets", None), ("platelets x 1000", None)],
        "K/uL",
        NONE,
        (0.0, 3000.0),
    ),
    analyte(
        "erythrocytes",
        &["789-8"],
        &[("rbc", None)],
        "m/uL",
        &[("10^12/L", 1.0, 0.0), ("M/mcL", 1.0, 0.0)],
        (0.3, 12.0),
    ),
    // blood gas
    analyte(
        "pH",
        &["11558-4", "2744-1", "2746-6"],
        &[("ph", Some("units")), ("ph (arterial)", Some("units"))],
        "units",
        NONE,
        (6.3, 8.1),
    ),
    analyte(
        "pCO2",
        &["11557-6", "2019-8"],
        &[("paco2", None), ("arterial paco2", None)],
        "mmHg",
        PRESSURE,
        (3.0, 250.0),
    ),
    analyte("pO2", &["11556-8", "2703-7"], &[("pao2", None), ("arterial pao2", None)], "mmHg", PRESSURE, (5.0, 800.0)),
    // at the bedside
    analyte("heart rate", &["8867-4"], &[("heart rate", None)], "bpm", NONE, (0.0, 350.0)),
    analyte(
        "respiratory rate",
        &["9279-1"],
        &[("respiratory rate", None)],
        "breaths/min",
        &[("bpm", 1.0, 0.0)],
        (0.0, 120.0),
    ),
    analyte(
        "oxygen saturation",
        &["20564-1", "2708-6", "59408-5"],
        &[("spo2", None), ("o2 saturation pulseoxymetry", None)],
        "%",
        NONE,
        (0.0, 100.0),
    ),
    analyte(
        "systolic blood pressure",
        &["8480-6"],
        &[
            ("non invasive blood pressure systolic", None),
            ("arterial blood pressure systolic", None),
            ("arterial bp [systolic]", None),
            ("nbp [systolic]", None),
        ],
        "mmHg",
        PRESSURE,
        (0.0, 375.0),
    ),
    analyte(
        "diastolic blood pressure",
        &["8462-4"],
        &[
            ("non invasive blood pressure diastolic", None),
            ("arterial blood pressure diastolic", None),
            ("arterial bp [diastolic]", None),
            ("nbp [diastolic]", None),
        ],
        "mmHg",
        PRESSURE,
        (0.0, 375.0),
    ),
    analyte(
        "mean blood pressure",
        &["8478-0"],
        &[
            ("non invasive blood pressure mean", None),
            ("arterial blood pressure mean", None),
            ("arterial bp mean", None),
            ("nbp mean", None),
        ],
        "mmHg",
        PRESSURE,
        (0.0, 375.0),
    ),
    analyte(
        "central venous pressure",
        &["60985-9"],
        &[("cvp", None), ("central venous pressure", None)],
        "mmHg",
        &[("cmH2O", 0.7356, 0.0)],
        (-20.0, 100.0),
    ),
    analyte(
        "temperature",
        &["8310-5", "8329-5", "8331-1"],
        &[
            ("temperature f", Some("°F")),
            ("temperature fahrenheit", Some("°F")),
            ("temperature f (calc)", Some("°F")),
            ("temperature c", Some("°C")),
            ("temperature celsius", Some("°C")),
            ("temperature c (calc)", Some("°C")),
        ],
        "°C",
        &[("°F", 5.0 / 9.0, -160.0 / 9.0)],
        (14.0, 47.0),
    ),
    analyte(
        "weight",
        &["29463-7", "3141-9"],
        &[
            ("daily weight", None),
            ("admit wt", None),
            ("admission weight (kg)", Some("kg")),
            ("admission weight (lbs.)", Some("lb")),
        ],
        "kg",
        &[("lb", 0.453_592_37, 0.0), ("g", 0.001, 0.0), ("oz", 0.028_349_523, 0.0)],
        (0.2, 650.0),
    ),
    analyte(
        "height",
        &["8302-2"],
        &[("height", None), ("height (cm)", Some("cm"))],
        "cm",
        &[("in", 2.54, 0.0), ("m", 100.0, 0.0)],
        (15.0, 275.0),
    ),
    // coagulation, enzymes
    analyte(
        "prothrombin time",
        &["5902-2"],
        &[("pt", None)],
        "sec",
        &[("s", 1.0, 0.0), ("seconds", 1.0, 0.0)],
        (5.0, 300.0),
    ),
    analyte(
        "partial thromboplastin time",
        &["3173-2", "14979-9"],
        &[("ptt", None)],
        "sec",
        &[("s", 1.0, 0.0), ("seconds", 1.0, 0.0)],
        (5.0, 400.0),
    ),
    analyte(
        "alanine aminotransferase",
        &["1742-6"],
        &[("alt", None), ("alt (sgpt)", None)],
        "IU/L",
        &[("U/L", 1.0, 0.0), ("ukat/L", 59.88, 0.0)],
        (0.0, 50_000.0),
    ),
    analyte(
        "aspartate aminotransferase",
        &["1920-8"],
        &[("ast", None), ("ast (sgot)", None)],
        "IU/L",
        &[("U/L", 1.0, 0.0), ("ukat/L", 59.88, 0.0)],
        (0.0, 80_000.0),
    ),
    analyte(
        "troponin T",
        &["6598-7"],
        &[("troponin - t", None)],
        "ng/mL",
        &[("ug/L", 1.0, 0.0), ("ng/L", 0.001, 0.0), ("pg/mL", 0.001, 0.0)],
        (0.0, 500.0),
    ),
    analyte(
        "C-reactive protein",
        &["1988-5", "30522-7"],
        &[("crp", None), ("c-reactive protein", None)],
        "mg/L",
        &[("mg/dL", 10.0, 0.0)],
        (0.0, 1000.0),
    ),
];
