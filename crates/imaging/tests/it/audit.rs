//! The audit and the baselines on published sets. The counts of copies are those of equal pictures by numpy's `unique`,
//! those of neighbours and the scores were found by an independent implementation (numpy and scikit-learn).

use imaging::audit::{Audit, AuditConfig, Facts};
use imaging::baselines::{BaselineConfig, segment};
use imaging::case::{Case, discover, read_cases};
use imaging::evaluate::{Scores, judge};
use imaging::pictures::{PictureOptions, PictureSet};
use imaging::split::{Rows, SplitConfig, SplitFile, SplitKind, split};
use nn_core::data::{Part, Split};

use crate::data;

fn near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found}, expected {expected}");
}

#[test]
fn pneumonia_mnist_has_eight_twins_across_its_parts() {
    let Some(path) = data::path("pneumoniamnist_full/pneumoniamnist.npz") else { return };
    let options = PictureOptions { classes: vec!["normal".into(), "pneumonia".into()], ..PictureOptions::default() };
    let set = PictureSet::read(&path, &options).unwrap();
    assert_eq!((set.len(), set.channels, set.height, set.width), (5232, 1, 28, 28));
    let parts = set.upstream().unwrap();
    assert_eq!(
        (set.class_counts(&parts.train), set.class_counts(&parts.validation)),
        (vec![1214, 3494], vec![135, 389])
    );

    let audit = Audit::pictures(&set, &parts, &AuditConfig::default()).unwrap();
    let [overlap] = &audit.overlaps[..] else { panic!("{} overlaps", audit.overlaps.len()) };
    assert_eq!((overlap.part, overlap.exact, overlap.near, overlap.conflicting), (Part::Validation, 8, 0, 0));
    assert_eq!((audit.parts[0].repeats, audit.parts[1].repeats), (18, 0));
    assert_eq!(audit.distinct, 5232 - 18 - 8);
    assert!(audit.duplicates.iter().all(|found| found.exact && !found.conflicting));
    let findings = audit.findings().join("\n");
    assert!(findings.contains("8 of 524 (1.5 %) validation images are exact copies of training images"), "{findings}");
    assert!(findings.contains("18 of 4,708 (0.4 %) train images repeat another image"), "{findings}");

    // scikit-learn: brightness 0.806, fifteen neighbours 0.982, logistic regression on pixels 0.986.
    let auroc: Vec<f64> = audit.scores_on(Part::Validation).map(|scored| scored.scores["auroc"]).collect();
    assert_eq!(auroc[0], 0.5);
    near(auroc[1], 0.806, 0.002, "brightness");
    // Shares of fifteen have ties, and one more of each class changes no order.
    near(auroc[2], 0.982, 0.002, "neighbours");
    // scikit-learn stops after 300 steps, before the minimum.
    near(auroc[3], 0.986, 0.005, "pixels");
    let majority = &audit.scores_on(Part::Validation).next().unwrap().scores;
    near(majority["accuracy"], 389.0 / 524.0, 1e-12, "accuracy of the majority class");

    // A split of one's own keeps copies together.
    let rows = Rows::of_pictures(&set);
    let config = SplitConfig { kind: SplitKind::Random, ..SplitConfig::default() };
    let own = split(&rows, &config).unwrap();
    let facts: Vec<Facts> = (0..set.len()).map(|row| Facts::of_picture(&set, row)).collect();
    let audit = Audit::new(&facts, &set.classes, &own, &AuditConfig::default()).unwrap();
    assert!(audit.overlaps.len() == 2 && audit.overlaps.iter().all(|overlap| overlap.exact == 0));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("split.tsv");
    SplitFile::new(&rows, &own).unwrap().write(&file).unwrap();
    assert_eq!(SplitFile::read(&file).unwrap().apply(&rows, &file).unwrap(), own);
}

#[test]
fn neighbouring_sections_and_the_sides_of_one_brain_are_alike() {
    if let Some(folder) = data::path("isbi2012_em/data/membrane/train") {
        let names = ["membrane", "cell"].map(str::to_owned);
        let cases = read_cases(&discover(&folder, None).unwrap(), &names).unwrap();
        let facts: Vec<Facts> = cases.iter().map(Facts::of_case).collect();
        let all = Split::new((0..24).collect(), vec![], (24..30).collect());
        let audit = Audit::new(&facts, &[], &all, &AuditConfig::default()).unwrap();
        assert_eq!(audit.neighbours.unwrap().found, 30);
        assert_eq!((audit.distinct, audit.duplicates.len(), audit.empty_labels.len()), (30, 0, 0));
        let findings = audit.findings().join("\n");
        assert!(findings.contains("split in blocks") && findings.contains("are of one subject"), "{findings}");
    }
    if let Some(folder) = data::path("msd_hippocampus_dev") {
        let names = ["background", "anterior", "posterior"].map(str::to_owned);
        let cases = read_cases(&discover(&folder, None).unwrap(), &names).unwrap();
        let facts: Vec<Facts> = cases.iter().map(Facts::of_case).collect();
        let all = Split::new((0..160).collect(), vec![], (160..200).collect());
        let audit = Audit::new(&facts, &[], &all, &AuditConfig::default()).unwrap();
        // Of 200, where chance has 2; one more or less where two thumbnails are equally near in single precision.
        near(audit.neighbours.unwrap().found as f64, 66.0, 1.0, "neighbours");
        assert_eq!((audit.distinct, audit.duplicates.len(), audit.empty_labels.len()), (200, 0, 0));
        assert!(audit.findings().iter().any(|finding| finding.contains("split in blocks")));
        let sizes = audit.parts.iter().flat_map(|part| part.sizes).flatten();
        assert!(sizes.clone().min() == Some(24) && sizes.max() == Some(59), "{:?}", audit.parts);
    }
}

#[test]
fn the_mean_shape_of_hippocampi_is_a_strong_baseline() {
    let Some(folder) = data::path("msd_hippocampus_dev") else { return };
    let names = ["background", "anterior", "posterior"].map(str::to_owned);
    let cases = read_cases(&discover(&folder, None).unwrap(), &names).unwrap();
    let learnt: Vec<&Case> = cases[..160].iter().collect();
    let config = BaselineConfig { voxels: 20_000, ..BaselineConfig::default() };
    // By numpy on the last 40 cases: mean shape, threshold, nearest case.
    let expected = [[0.728, 0.658], [0.132, 0.078], [0.736, 0.689]];
    for (baseline, expected) in segment(&learnt, &config).unwrap().iter().zip(expected) {
        let mut scores = Scores::new();
        for case in &cases[160..] {
            let found = baseline.predict(case).unwrap();
            scores.push(judge(&case.id, &case.subject, case.label.as_ref().unwrap(), &found).unwrap());
        }
        let metrics = scores.metrics();
        for (name, expected) in ["dice_anterior", "dice_posterior"].iter().zip(expected) {
            // A voxel at the edge of a bin, or of a field, may fall to the other side.
            near(metrics[*name], expected, 0.003, &format!("{} {name}", baseline.name()));
        }
    }
}
