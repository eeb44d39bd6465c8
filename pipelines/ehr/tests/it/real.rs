//! What the numbers are read from: real sets, where they are there.

use crate::command::galen_ehr_in;
use crate::data::real;
use serde_json::Value;
use std::path::Path;

fn here() -> &'static Path {
    Path::new(".")
}

/// The review's example of a phenotype: 6 values of `HbA1c` above 7.0 and 49 rows of ICD-9 250.x.
#[test]
fn type_2_diabetes_of_the_mimic_demo_is_counted_by_arm() {
    let Some(data) = real("mimic3_demo") else { return };
    let data = data.to_string_lossy().into_owned();
    let words = ["phenotype", "t2dm", "--data", &data, "--format", "mimic3", "--json"];
    let found: Value = serde_json::from_str(&galen_ehr_in(here(), &words).ends_with(0).stdout).unwrap();
    let fired: Vec<u64> = found["arms"].as_array().unwrap().iter().filter_map(|arm| arm["fired"].as_u64()).collect();
    assert!(fired.contains(&6) && fired.contains(&49), "{found}");
}

/// Fault 18 on a real set: the outcomes lie beside the records and reach no input.
#[test]
fn the_audit_passes_physionet_2012() {
    let Some(data) = real("physionet2012") else { return };
    let data = data.to_string_lossy().into_owned();
    let words = ["audit", "--data", &data, "--format", "p12", "--part", "a"];
    let found = galen_ehr_in(here(), &words).ends_with(0).stdout;
    assert!(found.contains("passed: none of the known leaks"), "{found}");
}

#[test]
fn codes_are_looked_up() {
    let (Some(maps), Some(drugs)) = (real("icd_maps"), real("drug_maps")) else { return };
    let (maps, drugs) = (maps.to_string_lossy().into_owned(), drugs.to_string_lossy().into_owned());
    let words = ["codes", "250.00", "--maps", &maps, "--drugs", &drugs];
    let found = galen_ehr_in(here(), &words).ends_with(0).stdout;
    assert!(found.contains("E119") && found.to_lowercase().contains("approximate"), "{found}");
    let words = ["codes", "nonsense", "--maps", &maps, "--drugs", &drugs];
    galen_ehr_in(here(), &words).ends_with(1).says("no table knows nonsense");
}

/// A hospital's tables become MEDS within a cap on memory, and are told apart from other tables by themselves.
#[test]
fn the_mimic_demo_is_converted() {
    let Some(data) = real("mimic3_demo") else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = data.to_string_lossy().into_owned();
    let words = ["prepare", "--data", &data, "--out", "made", "--max-memory", "1GiB"];
    let told = galen_ehr_in(folder.path(), &words).ends_with(0).stdout;
    assert!(told.contains("rows read") && told.contains("events of 100 subjects"), "{told}");
    assert!(folder.path().join("made/metadata/codes.parquet").is_file());
}
