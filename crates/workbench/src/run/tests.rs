//! Run folders, one process at a time: what they are opened on, and what they may hold.

use super::*;

#[test]
fn a_mistyped_folder_gets_no_lock_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.tex"), "x").unwrap();
    let error = RunFolder::open(folder.path(), false).unwrap_err();
    assert!(matches!(error, RunError::NotEmpty { what: FILES, .. }), "{error}");
    assert!(!error.to_string().contains("--resume"), "{error}");
    assert!(matches!(RunFolder::open(folder.path(), true), Err(RunError::NotARun { .. })));
    assert!(!folder.path().join(LOCK).exists());
}

#[test]
fn the_lock_is_released_with_the_value() {
    let folder = tempfile::tempdir().unwrap();
    let first = RunFolder::open(folder.path(), false).unwrap();
    let error = RunFolder::open(folder.path(), false).unwrap_err();
    let expected = format!("in use by process {}", std::process::id());
    assert!(error.to_string().contains(&expected), "{error}");
    drop(first);
    assert!(!RunFolder::open(folder.path(), false).unwrap().resumed());
}

#[test]
fn names_stay_inside_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::open(folder.path(), false).unwrap();
    for name in ["", "../x", "/x", "a/../../x"] {
        assert!(matches!(run.write(name, b"x"), Err(RunError::Name { .. })), "{name}");
    }
    let path = run.write("figures/a.svg", "<svg/>").unwrap();
    assert_eq!(fs::read(path).unwrap(), b"<svg/>");
}

#[test]
fn the_folder_of_the_divisions_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::open(folder.path(), false).unwrap();
    fs::write(run.splits().unwrap().join("model-0.tsv"), "x").unwrap();
    assert_eq!(fs::read(run.splits().unwrap().join("model-0.tsv")).unwrap(), b"x");
    assert_eq!(run.splits().unwrap(), folder.path().join("splits"));
}
