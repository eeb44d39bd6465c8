//! Tells the compiler the commit that a pipeline is built from, where there is one to tell; a build without git goes on
//! without it.
#![allow(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=../build.rs");
    println!("cargo::rerun-if-env-changed=GALEN_COMMIT");
    let named = std::env::var("GALEN_COMMIT").ok().filter(|commit| !commit.is_empty());
    if let Some(commit) = named.or_else(from_git) {
        println!("cargo::rustc-env=GALEN_COMMIT={commit}");
    }
}

/// The commit of the workspace, if the workspace is a repository of its own.
fn from_git() -> Option<String> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.parent()?;
    if !workspace.join(".git").exists() {
        return None;
    }
    let folder = PathBuf::from(git(workspace, &["rev-parse", "--absolute-git-dir"])?);
    // A branch may lie packed when this runs and have a file of its own after the next commit: so the folder, not the file.
    for place in ["HEAD", "packed-refs", "refs/heads"].map(|name| folder.join(name)) {
        if place.exists() {
            println!("cargo::rerun-if-changed={}", place.display());
        }
    }
    git(workspace, &["rev-parse", "--short", "HEAD"])
}

/// What git prints, if it ends well.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
