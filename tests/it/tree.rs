//! The workspace's files, as the other modules look at them.

use std::fs;
use std::path::{Path, PathBuf};

/// Folder of the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Text of a file below the root.
pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A parsed TOML file below the root.
pub(crate) fn parsed(path: impl AsRef<Path>) -> toml::Table {
    let path = path.as_ref();
    toml::from_str(&read(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Folders of the workspace's members, relative to the root.
pub(crate) fn members() -> Vec<String> {
    let members = parsed("Cargo.toml")["workspace"]["members"].as_array().unwrap().clone();
    members.into_iter().map(|member| member.as_str().unwrap().to_owned()).collect()
}

/// Names of the domain crates: the libraries besides the core and what the binaries share.
pub(crate) fn domains() -> Vec<String> {
    members()
        .iter()
        .filter_map(|member| member.strip_prefix("crates/"))
        .filter(|name| !["nn-core", "workbench"].contains(name))
        .map(str::to_owned)
        .collect()
}

/// Every Rust file below a folder, relative to the root, in order; none if there is no such folder.
pub(crate) fn rust_files(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(&root().join(folder), &mut files);
    files.sort();
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                collect(&path, files);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path.strip_prefix(root()).unwrap().to_path_buf());
        }
    }
}

/// Rust files of all members.
pub(crate) fn all_rust_files() -> Vec<PathBuf> {
    members().iter().flat_map(rust_files).collect()
}

/// What stands before a module that is compiled for tests alone.
const FOR_TESTS: &str = "#[cfg(test)]";

/// Whether the module in a file, or one that it is part of, is compiled for tests alone.
fn is_of_tests(path: &Path) -> bool {
    let (Some(folder), Some(name)) = (path.parent(), path.file_stem()) else { return false };
    if name == "lib" || name == "main" {
        return false;
    }
    // A module is declared in the file beside its folder, or in the root of the crate.
    let parents = [folder.with_extension("rs"), folder.join("lib.rs"), folder.join("main.rs")];
    let declared = format!("mod {};", name.to_string_lossy());
    parents.iter().filter(|parent| root().join(parent).is_file()).any(|parent| {
        let text = read(parent);
        let lines: Vec<&str> = text.lines().collect();
        let at = lines.iter().position(|line| line.ends_with(&declared)).unwrap_or(0);
        let mut attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
        attributes.any(|line| *line == FOR_TESTS) || is_of_tests(parent)
    })
}

/// Where the code of a text ends and its unit tests begin, which stand at the bottom.
fn end_of_code(text: &str) -> usize {
    let begins = |start: usize| {
        let module = text[start..].lines().find(|line| !line.starts_with("#["));
        module.is_some_and(|line| line.contains("mod tests") && line.ends_with('{'))
    };
    text.match_indices(FOR_TESTS).map(|(start, _)| start).find(|&start| begins(start)).unwrap_or(text.len())
}

/// Lines of code with their number from 1: no comment, no documentation, and nothing of the unit tests, which stand at the
/// bottom of a file or in files of their own.
pub(crate) fn code(path: &Path) -> Vec<(usize, String)> {
    if path.iter().any(|part| part == "tests") || is_of_tests(path) {
        return Vec::new();
    }
    let text = read(path);
    text[..end_of_code(&text)]
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number + 1, line.to_owned()))
        .collect()
}

/// Whether `line` has `word` with no letter, digit, `_` or `:` before and no letter, digit or `_` after it.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        !before.is_some_and(|c| part_of_name(c) || c == ':') && !after.is_some_and(part_of_name)
    })
}

#[test]
fn words_are_found_as_words_and_paths_from_their_head() {
    for (line, word, expected) in [
        ("use noodles::fasta;", "noodles", true),
        ("let x = arrow::array::X;", "arrow", true),
        ("use crate::io::parquet::Writer;", "parquet", false),
        ("let narrow = 1;", "arrow", false),
        ("arrow_count", "arrow", false),
    ] {
        assert_eq!(has_word(line, word), expected, "{line}");
    }
}

#[test]
fn the_tree_is_seen() {
    assert!(members().iter().any(|member| member == "crates/nn-core"));
    assert!(domains().iter().any(|domain| domain == "drug"));
    assert!(rust_files("crates/nn-core/src").iter().any(|path| path.ends_with("compute.rs")));
    let lines = code(Path::new("crates/drug/src/table.rs"));
    assert!(lines.iter().any(|(_, line)| line.contains("pub struct Pair")));
    assert!(!lines.iter().any(|(_, line)| line.contains("//!")));
}

#[test]
fn tests_are_no_code_and_what_stands_behind_their_declaration_is() {
    let text = "#[cfg(test)]\nmod tests;\n\nfn code() {}\n\n#[cfg(test)]\nmod tests {\n    fn test() {}\n}\n";
    assert_eq!(&text[..end_of_code(text)], "#[cfg(test)]\nmod tests;\n\nfn code() {}\n\n");
    assert_eq!(end_of_code("fn code() {}\n"), 13);
    assert!(!is_of_tests(Path::new("crates/nn-core/src/models/rbm.rs")));
    let hidden = ["genomics/src/study/tests.rs", "imaging/src/io/dicom/tests.rs", "nn-core/src/models/rbm/digits.rs"];
    for path in hidden {
        let path = Path::new("crates").join(path);
        assert!(is_of_tests(&path) && code(&path).is_empty(), "{}", path.display());
    }
    let lines = code(Path::new("crates/genomics/src/study.rs"));
    assert!(lines.iter().any(|(_, line)| line.contains("pub struct Study<")), "{} lines", lines.len());
}
