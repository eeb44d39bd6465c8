//! How sets are found, and how a case is put together.

use std::fs;
use std::path::Path;

use super::*;

fn grid(origin: f64) -> Geometry {
    Geometry { origin: [origin, 0.0, 0.0], ..Geometry::axial([2, 2, 1], [1.0; 3]) }
}

fn volume(origin: f64) -> Volume {
    Volume::new(vec![1.0; 4], grid(origin)).unwrap()
}

fn touch(root: &Path, names: &[&str]) {
    for name in names {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"").unwrap();
    }
}

fn ids(cases: &[CaseFiles]) -> Vec<&str> {
    cases.iter().map(|case| case.id.as_str()).collect()
}

#[test]
fn channels_and_label_stand_on_one_grid() {
    let names = vec!["background".to_owned(), "cell".to_owned()];
    let label = |origin: f64| LabelMap::new(vec![0, 1, 1, 0], grid(origin), names.clone()).unwrap();
    assert!(Case::new("a", "s", vec![volume(0.0), volume(0.01)], Some(label(0.0))).is_ok());
    let error = Case::new("a", "s", vec![volume(0.0), volume(3.0)], None).unwrap_err().to_string();
    assert!(error.starts_with("case a: channel 1 has voxels of 1.000") && error.contains("from (3.000"), "{error}");
    let error = Case::new("a", "s", vec![volume(0.0)], Some(label(-2.0))).unwrap_err().to_string();
    assert!(error.starts_with("case a: the label has ") && error.contains("-2.000"), "{error}");
    assert!(matches!(Case::new("a", "s", vec![], None), Err(CaseError::NoImage { .. })));
    let large = Volume::new(vec![0.0; 6], Geometry::axial([3, 2, 1], [1.0; 3])).unwrap();
    let error = Case::new("a", "s", vec![volume(0.0), large], None).unwrap_err().to_string();
    assert!(error.contains("channel 1 has 3 × 2 × 1 voxels, but channel 0 has 2 × 2 × 1 voxels"), "{error}");
}

#[test]
fn numbers_in_names_are_numbers() {
    let mut names = ["s10", "s9", "s010", "s1", "a", "s1b", "s", "t2", "s00", "s0"];
    names.sort_by(|one, other| natural_order(one, other));
    assert_eq!(names, ["a", "s", "s0", "s00", "s1", "s1b", "s9", "s010", "s10", "t2"]);
    // No number is too long.
    assert!(natural_order("99999999999999999999999", "100000000000000000000000").is_lt());
}

#[test]
fn folders_of_images_and_labels_are_paired() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    touch(
        root,
        &[
            "images/c10.nii.gz",
            "images/c9.nii.gz",
            "images/._c9.nii.gz",
            "images/notes.txt",
            "labels/c10.nii.gz",
            "README",
        ],
    );
    let found = discover(root, None).unwrap();
    assert_eq!(Layout::of(root), Some(Layout::Folders));
    assert_eq!(ids(&found), ["c9", "c10"]);
    assert_eq!(found[0].label, None);
    assert_eq!(found[1].label, Some(root.join("labels/c10.nii.gz")));
    assert_eq!(found[1].subject, "c10");
    touch(root, &["images/c9.png"]);
    assert!(matches!(discover(root, None), Err(CaseError::Twice { id, .. }) if id == "c9"));
}

#[test]
fn channels_of_nnu_net_are_complete() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    touch(root, &["imagesTr/b_0000.nii.gz", "imagesTr/b_0001.nii.gz", "imagesTr/a_0000.nii.gz", "labelsTr/b.nii.gz"]);
    let error = discover(root, None).unwrap_err().to_string();
    assert!(error.starts_with("case a has no channel 0001"), "{error}");
    touch(root, &["imagesTr/a_0001.nii.gz"]);
    let found = discover(root, Some(Layout::NnUnet)).unwrap();
    assert_eq!(ids(&found), ["a", "b"]);
    assert_eq!(found[1].channels, [root.join("imagesTr/b_0000.nii.gz"), root.join("imagesTr/b_0001.nii.gz")]);
    assert_eq!((&found[0].label, &found[1].label), (&None, &Some(root.join("labelsTr/b.nii.gz"))));
}

#[test]
fn numbered_slices_are_cases_of_one_subject() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("stack");
    touch(&root, &["image/10.png", "image/2.png", "image/0.png", "label/10.png", "label/2.png", "label/0.png"]);
    let found = discover(&root, None).unwrap();
    assert_eq!(ids(&found), ["0", "2", "10"]);
    assert!(found.iter().all(|case| case.subject == "stack" && case.label.is_some()));
}

#[test]
fn tables_name_everything() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let table = root.join("cases.csv");
    fs::write(
        &table,
        "\u{feff}id,subject,image,image2,label\n1,ann,t1/a.nii,t2/a.nii,l/a.nii\n2,,t1/b.nii,t2/b.nii,\n",
    )
    .unwrap();
    for path in [root, table.as_path()] {
        let found = discover(path, None).unwrap();
        assert_eq!(ids(&found), ["1", "2"]);
        assert_eq!(found[0].channels, [root.join("t1/a.nii"), root.join("t2/a.nii")]);
        assert_eq!((found[0].subject.as_str(), found[1].subject.as_str()), ("ann", "2"));
        assert_eq!((found[0].label.clone(), found[1].label.clone()), (Some(root.join("l/a.nii")), None));
    }
    for (text, wanted) in [
        ("id,label\n1,x\n", "line 1: the columns are id, label; there must be one called image"),
        ("image,image2\na,b\nc,\n", "line 3: image2 is empty"),
        ("image\na\nb,c\n", "line 3: "),
        ("image\n", "no case in"),
        ("id,image\n1,a\n1,b\n", "case 1 is there twice"),
    ] {
        fs::write(&table, text).unwrap();
        let error = discover(&table, None).unwrap_err().to_string();
        assert!(error.contains(wanted), "{text:?}: {error}");
    }
}

#[test]
fn folders_that_are_no_set_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    touch(root, &["a/readme.txt"]);
    assert!(matches!(discover(root, None), Err(CaseError::NoLayout { .. })));
    assert!(matches!(discover(&root.join("absent"), None), Err(CaseError::Os { .. })));
    fs::create_dir(root.join("images")).unwrap();
    assert!(matches!(discover(root, None), Err(CaseError::NoCases { .. })));
    // A patient ID cannot be read from these: the folder's name stands for it.
    touch(root, &["series/one/1.dcm", "series/one/2.dcm", "series/two/IM0001"]);
    let found = discover(&root.join("series"), None).unwrap();
    assert_eq!(ids(&found), ["one", "two"]);
    assert_eq!((found[1].subject.as_str(), &found[1].channels[0]), ("two", &root.join("series/two")));
}
