//! README, ARCHITECTURE and CONTRIBUTING name what exists, and what exists is named.

use crate::tree::{all_rust_files, domains, members, parsed, read, root};
use std::fs;
use std::path::PathBuf;

const DOCUMENTS: [&str; 3] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];

/// Folders that a path in a document may start with.
const FOLDERS: [&str; 6] = ["crates/", "pipelines/", "xtask/", "tests/", "data/", ".cargo/"];
/// Paths that only a run or a download creates.
const MADE_LATER: [&str; 2] = ["data/raw", "data/results.jsonl"];

/// Texts between single backticks; fenced blocks are left out.
fn quoted(document: &str) -> Vec<String> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in document.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

#[test]
fn the_readme_has_the_commands() {
    let readme = read("README.md");
    for command in
        ["cargo xtask demo", "cargo test --release --workspace", "cargo xtask reproduce", "cargo xtask data get"]
    {
        assert!(readme.contains(command), "{command}");
    }
    for verb in ["prepare", "train", "evaluate", "predict", "explain", "audit", "systems", "demo"] {
        assert!(readme.contains(&format!("galen-drug {verb}")), "galen-drug {verb}");
    }
    for device in ["`cpu`", "`ndarray`", "`cuda:N`", "`gpu:N`"] {
        assert!(readme.contains(device), "{device}");
    }
    let marks = ["<!-- results:begin -->", "<!-- results:end -->"];
    assert!(
        marks.iter().all(|mark| readme.matches(mark).count() == 1),
        "the results table needs its two marks, once each"
    );
    assert!(readme.find(marks[0]) < readme.find(marks[1]));
}

/// It says how much of the review is done, and which compiler is needed, as the files say that decide it.
#[test]
fn the_readme_counts_the_systems() {
    // Wherever its lines are broken.
    let readme = read("README.md").split_whitespace().collect::<Vec<_>>().join(" ");
    let listed = parsed("data/systems.toml")["system"].as_array().unwrap().clone();
    let count = |domain: &str| {
        let of = listed.iter().filter(|system| system["domain"].as_str() == Some(domain));
        let done = of.clone().filter(|system| system["status"].as_str() == Some("done")).count();
        (done, of.count())
    };
    let (mut done, mut all) = (0, 0);
    for domain in domains() {
        let (here, total) = count(&domain);
        assert!(readme.contains(&format!("{domain} {here} of {total}")), "README.md: {domain} {here} of {total}");
        (done, all) = (done + here, all + total);
    }
    assert!(
        readme.contains(&format!("implements {done} of the {all} systems")),
        "README.md: {done} of the {all} systems"
    );
    let workspace = parsed("Cargo.toml");
    let oldest = workspace["workspace"]["package"]["rust-version"].as_str().unwrap();
    assert!(readme.contains(&format!("Rust {oldest} or later")), "README.md: Rust {oldest} or later");
}

#[test]
fn paths_in_the_documents_exist() {
    let mut seen = 0;
    for document in DOCUMENTS {
        for text in quoted(&read(document)) {
            let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
            if !plain || !FOLDERS.iter().any(|folder| text.starts_with(folder)) {
                continue;
            }
            if MADE_LATER.iter().any(|path| text.starts_with(path)) {
                continue;
            }
            assert!(root().join(&text).exists(), "{document} names {text}, which is not there");
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} paths were looked at");
}

#[test]
fn links_in_the_documents_lead_somewhere() {
    for document in DOCUMENTS {
        let text = read(document);
        for (start, _) in text.match_indices("](") {
            let link = text[start + 2..].split(')').next().unwrap();
            let file = link.split('#').next().unwrap();
            if !file.is_empty() && !file.contains("://") {
                assert!(root().join(file).exists(), "{document} links to {file}, which is not there");
            }
        }
    }
}

#[test]
fn every_member_is_on_the_map() {
    let map = read("ARCHITECTURE.md");
    for member in members() {
        assert!(map.contains(&format!("`{member}`")), "ARCHITECTURE.md does not name `{member}`");
    }
}

#[test]
fn both_licences_are_there_in_full() {
    assert!(read("LICENSE-APACHE").contains("END OF TERMS AND CONDITIONS"));
    assert!(read("LICENSE-MIT").contains("WITHOUT WARRANTY OF ANY KIND"));
}

#[test]
fn no_text_names_the_machine_it_was_written_on() {
    let mut files = all_rust_files();
    files.extend(DOCUMENTS.iter().chain(&["CHANGELOG.md", "Cargo.toml"]).map(PathBuf::from));
    let experiments = domains().into_iter().map(|domain| format!("data/experiments/{domain}"));
    for folder in experiments.chain(["data".to_owned()]) {
        for entry in fs::read_dir(root().join(folder)).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                files.push(path);
            }
        }
    }
    for path in files {
        let text = read(&path);
        // Put together here, so that this file does not name them either.
        for part in [["/wo", "rk/"], ["/ro", "ot/"], ["/ho", "me/"]].map(|halves| halves.concat()) {
            assert!(!text.contains(&part), "{} names {part}", path.display());
        }
    }
}
