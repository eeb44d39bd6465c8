//! Audits of sets small enough to know the answer.

use super::*;
use crate::case::Case;
use crate::geometry::Geometry;
use crate::synthetic::{PhantomConfig, PicturesConfig, phantoms};
use crate::volume::{LabelMap, Volume};

fn pictures() -> PictureSet {
    crate::synthetic::pictures(&PicturesConfig { subjects: 60, per_subject: 1, ..PicturesConfig::default() }).unwrap()
}

/// Makes picture `to` that of `from`, times `scale`.
fn copy(set: &mut PictureSet, from: usize, to: usize, scale: f32) {
    let stride = set.stride();
    let picture: Vec<f32> = set.picture(from).iter().map(|value| scale * value + (scale - 1.0)).collect();
    set.pixels[to * stride..][..stride].copy_from_slice(&picture);
}

fn halves() -> Split {
    Split::new((0..40).collect(), vec![], (40..58).collect())
}

#[test]
fn nothing_is_found_where_nothing_is() {
    let audit = Audit::pictures(&pictures(), &halves(), &AuditConfig::default()).unwrap();
    assert_eq!((audit.rows, audit.unused, audit.distinct), (60, 2, 60));
    assert!(audit.duplicates.is_empty() && audit.outliers.is_empty() && audit.blank.is_empty());
    let [train, test] = &audit.parts[..] else { panic!("two parts") };
    assert_eq!((train.rows, train.subjects, train.repeats, train.unlabelled), (40, 40, 0, 0));
    assert_eq!(train.classes, [("disc".to_owned(), 20), ("ring".to_owned(), 20)]);
    assert_eq!((test.part, test.sizes), (Part::Test, [[28, 28], [28, 28], [1, 1]]));
    let [overlap] = &audit.overlaps[..] else { panic!("one overlap") };
    assert_eq!((overlap.exact, overlap.near, overlap.conflicting, overlap.subjects), (0, 0, 0, 0));
    // The baselines, the simplest first.
    let scores: Vec<(&str, f64)> =
        audit.scores_on(Part::Test).map(|scored| (scored.name.as_str(), scored.scores["auroc"])).collect();
    assert_eq!(scores.len(), 4);
    assert_eq!(scores[0], ("majority class", 0.5));
    let text = audit.to_text();
    assert!(text.contains("60 images, 60 different ones"), "{text}");
    assert_eq!(audit.findings(), Vec::<String>::new(), "{text}");
    let read: Audit = serde_json::from_str(&serde_json::to_string(&audit).unwrap()).unwrap();
    assert_eq!(read, audit);
}

#[test]
fn copies_and_near_copies_are_found_with_their_classes() {
    let mut set = pictures();
    copy(&mut set, 3, 45, 1.0);
    copy(&mut set, 4, 6, 1.0);
    copy(&mut set, 8, 51, 0.7);
    set.subjects[50] = set.subjects[0].clone();
    // 3 is a ring and 45 too, 8 a disc, but 51 a ring.
    let audit = Audit::pictures(&set, &halves(), &AuditConfig::default()).unwrap();
    let [overlap] = &audit.overlaps[..] else { panic!("one overlap") };
    assert_eq!((overlap.exact, overlap.near, overlap.conflicting), (1, 1, 1));
    assert_eq!((overlap.subjects, overlap.rows_of_subjects), (1, 1));
    assert_eq!(overlap.shared_subjects, ["subject 0000"]);
    assert_eq!((audit.distinct, audit.parts[0].repeats, audit.parts[1].repeats), (58, 1, 0));
    let pairs: Vec<(String, String, bool, bool)> = audit
        .duplicates
        .iter()
        .map(|found| (found.images[0].id.clone(), found.images[1].id.clone(), found.exact, found.conflicting))
        .collect();
    let name = |row: usize| set.ids[row].clone();
    assert_eq!(
        pairs,
        [(name(3), name(45), true, false), (name(4), name(6), true, false), (name(8), name(51), false, true)]
    );
    let findings = audit.findings().join("\n");
    for wanted in [
        "1 of 18 (5.6 %) test images are of 1 subjects that are in training as well: subject 0000",
        "1 of 18 (5.6 %) test images are exact copies of training images",
        "1 of 18 (5.6 %) test images are near duplicates of training images",
        "1 of 40 (2.5 %) train images repeat another image",
        "1 groups of images that are the same or alike are of different classes",
    ] {
        assert!(findings.contains(wanted), "{wanted}\n{findings}");
    }
}

#[test]
fn images_that_do_not_belong_stand_out() {
    let mut set = pictures();
    let stride = set.stride();
    set.pixels[5 * stride..6 * stride].fill(7.0);
    set.pixels[9 * stride..10 * stride].iter_mut().for_each(|value| *value *= 50.0);
    let audit = Audit::pictures(&set, &halves(), &AuditConfig::default()).unwrap();
    assert_eq!(audit.blank, [Named { id: set.ids[5].clone(), part: Some(Part::Train) }]);
    assert!(audit.outliers.iter().all(|outlier| [&set.ids[5], &set.ids[9]].contains(&&outlier.image.id)));
    for row in [5, 9] {
        assert!(audit.outliers.iter().any(|outlier| outlier.image.id == set.ids[row] && outlier.what == "median"));
    }
    assert!(audit.findings().iter().any(|finding| finding.contains("the intensities of 2 of 60")));
}

#[test]
fn cases_are_audited_by_their_labels_and_order() {
    let made =
        phantoms(&PhantomConfig { size: [24, 24, 24], spacing: [2.0; 3], ..PhantomConfig::default() }, 8).unwrap();
    let mut cases: Vec<Case> = Vec::new();
    // Each phantom twice, the second time brighter and with other noise: as the sections of one block are.
    for phantom in &made {
        for twin in 0..2 {
            let mut case = phantom.case.clone();
            case.id = format!("{} {twin}", case.id);
            case.subject.clone_from(&case.id);
            let change =
                |(place, value): (usize, &mut f32)| *value += 0.2 * twin as f32 * ((place * 7919) % 101) as f32;
            case.channels[0].voxels.iter_mut().enumerate().for_each(change);
            cases.push(case);
        }
    }
    if let Some(map) = &mut cases[5].label {
        map.labels.fill(0);
    }
    cases[7].channels[0].voxels[100] = f32::NAN;
    cases[9].label = None;
    let facts: Vec<Facts> = cases.iter().map(Facts::of_case).collect();
    let split = Split::new((0..12).collect(), vec![], (12..16).collect());
    let config = AuditConfig { near_correlation: 0.999_999, ..AuditConfig::default() };
    let audit = Audit::new(&facts, &[], &split, &config).unwrap();
    assert_eq!(audit.empty_labels, [Named { id: cases[5].id.clone(), part: Some(Part::Train) }]);
    assert_eq!(audit.not_finite, [Named { id: cases[7].id.clone(), part: Some(Part::Train) }]);
    assert_eq!((audit.parts[0].unlabelled, audit.parts[0].labels[0].cases), (1, 10));
    let organ = &audit.parts[1].labels[0];
    let volumes: Vec<f64> = cases[12..].iter().filter_map(|case| Some(case.label.as_ref()?.volume_mm3(1))).collect();
    assert_eq!((organ.name.as_str(), organ.mm3.unwrap()), ("organ", Spread::of(&volumes).unwrap()));
    // The twin of each is its neighbour.
    let neighbours = audit.neighbours.unwrap();
    assert_eq!((neighbours.found, neighbours.expected), (16, 2.0));
    assert!(audit.findings().iter().any(|finding| finding.contains("split in blocks")));
    assert!(audit.to_text().contains("train, organ: in 10 of 12"), "{}", audit.to_text());
}

#[test]
fn modified_scores_are_those_of_the_handbook() {
    // Median 3, absolute deviations 2, 1, 0, 1, 97: their median is 1.
    let z = facts::modified_z(&[1.0, 2.0, 3.0, 4.0, 100.0]);
    for (found, expected) in z.iter().zip([-1.349, -0.6745, 0.0, 0.6745, 0.6745 * 97.0]) {
        assert!((found - expected).abs() < 1e-12);
    }
    assert_eq!(facts::modified_z(&[1.0, 1.0, 1.0, 9.0]), [0.0; 4]);
    assert!(facts::modified_z(&[]).is_empty());
}

#[test]
fn divisions_of_other_sets_and_settings_out_of_range_are_refused() {
    let set = pictures();
    let split = Split::new(vec![0, 60], vec![], vec![1]);
    assert!(matches!(Audit::pictures(&set, &split, &AuditConfig::default()), Err(AuditError::Split(_))));
    let config = AuditConfig { near_bits: 9, ..AuditConfig::default() };
    assert!(matches!(Audit::pictures(&set, &halves(), &config), Err(AuditError::Config(_))));
    let volume = Volume::new(vec![0.0; 8], Geometry::axial([2, 2, 2], [1.0; 3])).unwrap();
    let map = LabelMap::with_default_names(vec![0; 8], volume.geometry.clone()).unwrap();
    let facts = Facts::of_case(&Case::new("a", "a", vec![volume], Some(map)).unwrap());
    assert_eq!((facts.labels.as_deref(), facts.intensity), (Some(&[][..]), [0.0; 3]));
}
