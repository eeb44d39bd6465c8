//! Divisions: what stays together, what is balanced, and what a written one refuses.

use std::collections::HashSet;

use nn_core::data::{k_fold, stratified};

use super::*;

/// Six hundred rows of 150 subjects, a third of them of class 1.
fn rows() -> Rows {
    let subject = |row: usize| row % 150;
    Rows {
        ids: (0..600).map(|row| format!("image {row}")).collect(),
        subjects: (0..600).map(|row| format!("subject {}", subject(row))).collect(),
        strata: (0..600).map(|row| u64::from(subject(row) % 3 == 0)).collect(),
        digests: (0..600).map(|row| format!("{row:x}")).collect(),
        parts: Vec::new(),
    }
}

#[test]
fn subjects_stay_together_and_classes_are_balanced() {
    let rows = rows();
    for seed in 0..10 {
        let split = split(&rows, &SplitConfig { seed, ..SplitConfig::default() }).unwrap();
        check_subjects(&rows, &split).unwrap();
        assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (420, 60, 120));
        for part in Part::ALL {
            let ones = split.part(part).iter().filter(|&&row| rows.strata[row] == 1).count();
            // Subjects have four rows: a third of the part to within one subject.
            assert!((ones as f64 - split.part(part).len() as f64 / 3.0).abs() <= 4.0, "{part}: {ones}");
        }
    }
    let other = split(&rows, &SplitConfig { seed: 77, ..SplitConfig::default() }).unwrap();
    assert_ne!(split(&rows, &SplitConfig::default()).unwrap(), other);
    assert_eq!(split(&rows, &SplitConfig { seed: 77, ..SplitConfig::default() }).unwrap(), other);
}

#[test]
fn rows_that_stand_alone_are_divided_to_within_one() {
    let strata: Vec<u64> = (0..997).map(|row| u64::from(row % 7 == 0) + u64::from(row % 11 == 0)).collect();
    let alone: Vec<u64> = (0..997).collect();
    let fractions = Fractions { validation: 0.15, test: 0.25 };
    let split = stratified_groups(&alone, &strata, fractions, 3).unwrap();
    // The sizes of the parts as nn_core divides without groups, to within one row of each of the three strata.
    let peer = stratified(&strata, fractions, 3).unwrap();
    for (part, share) in [(Part::Train, 0.6), (Part::Validation, 0.15), (Part::Test, 0.25)] {
        assert!(split.part(part).len().abs_diff(peer.part(part).len()) <= 3);
        for stratum in 0..3 {
            let all = strata.iter().filter(|found| **found == stratum).count() as f64;
            let here = split.part(part).iter().filter(|&&row| strata[row] == stratum).count() as f64;
            assert!((here - share * all).abs() <= 1.0, "{part} {stratum}: {here} of {all}");
        }
    }
    split.check(997).unwrap();
    assert_eq!(split.train.len() + split.validation.len() + split.test.len(), 997);
}

#[test]
fn copies_stay_together_whatever_is_divided() {
    let mut rows = rows();
    // Rows 0 and 1 are copies, of two subjects.
    rows.digests[1] = rows.digests[0].clone();
    for kind in [SplitKind::Random, SplitKind::Subject] {
        for seed in 0..20 {
            let split = split(&rows, &SplitConfig { kind, seed, ..SplitConfig::default() }).unwrap();
            let home = |row: usize| Part::ALL.into_iter().find(|&part| split.part(part).contains(&row)).unwrap();
            assert_eq!(home(0), home(1));
            if kind == SplitKind::Subject {
                assert_eq!(home(0), home(451), "row 451 is of the subject of row 1");
            }
        }
    }
}

#[test]
fn folds_are_disjoint_and_cover_everything() {
    let rows = rows();
    let plain = Rows { strata: Vec::new(), digests: Vec::new(), ..rows.clone() };
    assert_eq!(folds(&plain, 5, &SplitConfig::default()).unwrap(), k_fold(&plain.subject_ids(), 5, 1).unwrap());
    for kind in [SplitKind::Subject, SplitKind::Random, SplitKind::Blocks] {
        let found = folds(&rows, 5, &SplitConfig { kind, ..SplitConfig::default() }).unwrap();
        let mut seen: Vec<usize> = found.iter().flat_map(|split| split.test.clone()).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..600).collect::<Vec<usize>>());
        for split in &found {
            assert_eq!((split.train.len(), split.test.len()), (480, 120));
            if kind == SplitKind::Subject {
                check_subjects(&rows, split).unwrap();
            }
        }
    }
}

#[test]
fn blocks_follow_the_order_and_keep_their_distance() {
    let split = blocks(200, Fractions { validation: 0.0, test: 0.2 }, 0).unwrap();
    assert_eq!((split.train.len(), split.validation.len()), (160, 0));
    assert_eq!(split.test, (160..200).collect::<Vec<usize>>());
    let split = blocks(30, Fractions { validation: 0.2, test: 0.2 }, 2).unwrap();
    assert_eq!(split.train, (0..16).collect::<Vec<usize>>());
    assert_eq!(split.validation, (18..22).collect::<Vec<usize>>());
    assert_eq!(split.test, (24..30).collect::<Vec<usize>>());
    let found = block_folds(30, 4, 1).unwrap();
    assert_eq!(found[0].test, (0..7).collect::<Vec<usize>>());
    assert_eq!(found[0].train, (8..30).collect::<Vec<usize>>());
    assert_eq!(found[1].train, (0..6).chain(16..30).collect::<Vec<usize>>());
    assert!(matches!(block_folds(4, 5, 0), Err(DataError::TooFewGroups { groups: 4, parts: 5 })));
    assert!(matches!(block_folds(6, 2, 6), Err(DataError::TooFewGroups { .. })));
    assert!(matches!(
        blocks(10, Fractions { validation: 0.1, test: 0.1 }, 4),
        Err(DataError::EmptyPart { part: Part::Validation, .. })
    ));
}

#[test]
fn upstream_parts_are_taken_as_they_are() {
    let mut rows = rows();
    let config = SplitConfig { kind: SplitKind::Upstream, ..SplitConfig::default() };
    assert!(matches!(split(&rows, &config), Err(SplitError::NoUpstream)));
    rows.parts = (0..600).map(|row| if row < 500 { Part::Train } else { Part::Test }).collect();
    assert_eq!(split(&rows, &config).unwrap().test, (500..600).collect::<Vec<usize>>());
    assert!(matches!(folds(&rows, 5, &config), Err(SplitError::NoUpstream)));
}

/// Fault: a patient in the training and in the test part.
#[test]
fn a_subject_on_two_sides_is_a_hard_error() {
    let rows = rows();
    let leaky = Split::new(vec![0, 1, 2], vec![], vec![5, 151]);
    let error = check_subjects(&rows, &leaky).unwrap_err().to_string();
    assert!(
        error.starts_with("subject subject 1 is in the train part (image 1) and in the test part (image 151)"),
        "{error}"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("split.tsv");
    SplitFile::new(&rows, &leaky).unwrap().write(&path).unwrap();
    let read = SplitFile::read(&path).unwrap();
    assert!(matches!(read.apply(&rows, &path), Err(SplitError::Leak { .. })));
}

#[test]
fn a_written_division_comes_back_and_refuses_other_data() {
    let rows = rows();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("split.tsv");
    let config = SplitConfig { validation_fraction: 0.0, ..SplitConfig::default() };
    let mut split = split(&rows, &config).unwrap();
    let unused = split.train.pop().unwrap();
    let written = SplitFile::new(&rows, &split).unwrap();
    assert_eq!(written.rows[unused].part, None);
    written.write(&path).unwrap();
    let read = SplitFile::read(&path).unwrap();
    assert_eq!(read, written);
    assert_eq!(read.apply(&rows, &path).unwrap(), split);
    // The order of the rows does not matter, nor does a row that is new.
    let mut other = rows.clone();
    for column in [&mut other.ids, &mut other.subjects, &mut other.digests] {
        column.reverse();
    }
    other.strata.reverse();
    let moved = read.apply(&other, &path).unwrap();
    let names =
        |rows: &Rows, part: &[usize]| part.iter().map(|&row| rows.ids[row].clone()).collect::<HashSet<String>>();
    assert_eq!(names(&other, &moved.test), names(&rows, &split.test));

    let mut changed = rows.clone();
    changed.digests[split.test[0]] = "ffff".to_owned();
    let error = read.apply(&changed, &path).unwrap_err().to_string();
    assert!(error.contains("has changed since") && error.contains("ffff"), "{error}");
    let mut missing = rows.clone();
    missing.ids[split.train[0]] = "other".to_owned();
    assert!(matches!(read.apply(&missing, &path), Err(SplitError::Missing { .. })));

    let good = std::fs::read_to_string(&path).unwrap();
    for (text, wanted) in [
        (good.replacen("train", "trian", 1), "\"trian\" is none of train, validation, test and unused"),
        (good.replacen("sha256", "sha1", 1), "line 1: the header is not id, subject, part, sha256"),
        (good.lines().next().unwrap().to_owned(), "there are no rows"),
        (good.replacen("image 1\t", "image 0\t", 1), "image 0 is there twice"),
        (String::new(), "there are no rows"),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = SplitFile::read(&path).unwrap_err().to_string();
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
}

#[test]
fn files_are_known_by_their_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::create_dir(root.join("series")).unwrap();
    for (name, bytes) in [("a.nii", "abc"), ("b.nii", "abc"), ("series/2", "c"), ("series/1", "ab")] {
        std::fs::write(root.join(name), bytes).unwrap();
    }
    let case = |paths: &[&str]| CaseFiles {
        id: paths[0].to_owned(),
        subject: String::new(),
        channels: paths.iter().map(|path| root.join(path)).collect(),
        label: None,
    };
    let digest = |paths: &[&str]| digest_of_files(&case(paths)).unwrap();
    assert_eq!(digest(&["a.nii"]), digest(&["b.nii"]));
    // The border between two files counts.
    assert_ne!(digest(&["series"]), digest(&["a.nii"]));
    let files = [case(&["a.nii"]), case(&["series"])];
    let rows = Rows::of_cases(&files).hash_files(&files).unwrap();
    assert_eq!(rows.digests, [digest(&["a.nii"]), digest(&["series"])]);
    let error = digest_of_files(&case(&["absent.nii"])).unwrap_err().to_string();
    assert!(error.contains("absent.nii"), "{error}");
}

#[test]
fn settings_out_of_range_and_columns_of_other_sets_are_refused() {
    let bad = [
        SplitConfig { test_fraction: -0.1, ..SplitConfig::default() },
        SplitConfig { test_fraction: 0.6, validation_fraction: 0.5, ..SplitConfig::default() },
        SplitConfig { gap: 1, ..SplitConfig::default() },
    ];
    assert!(bad.iter().all(|config| config.validate().is_err()));
    let short = Rows { subjects: vec!["a".to_owned()], ..rows() };
    assert!(matches!(
        split(&short, &SplitConfig::default()),
        Err(SplitError::Length { what: "subjects", found: 1, rows: 600 })
    ));
    let mut twice = rows();
    twice.ids[9] = twice.ids[3].clone();
    assert!(matches!(split(&twice, &SplitConfig::default()), Err(SplitError::Twice { .. })));
    let few = Rows { ids: vec!["a".into(), "b".into()], subjects: vec!["x".into(), "x".into()], ..Rows::default() };
    let error = split(&few, &SplitConfig::default()).unwrap_err().to_string();
    assert!(error.starts_with("cannot make a subject split of 2 rows of 1 subjects"), "{error}");
    assert!("patients".parse::<SplitKind>().unwrap_err().to_string().contains("upstream, random, subject, blocks"));
}
