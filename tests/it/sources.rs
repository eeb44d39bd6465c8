//! Invariants that can be read off the sources.

use crate::tree::{all_rust_files, code, domains, has_word, members, read, rust_files};
use std::path::{Path, PathBuf};

/// Words of the domains, as they would stand in a name.
const DOMAIN_WORDS: [&str; 14] = [
    "smiles", "Smiles", "protein", "Protein", "ligand", "Ligand", "patient", "Patient", "dicom", "Dicom", "fasta",
    "genome", "Genome", "molecule",
];
/// Crates that read or write formats; only a domain's `io` may name them.
const FORMAT_CRATES: [&str; 17] = [
    "arrow",
    "bigtools",
    "dicom_core",
    "dicom_dictionary_std",
    "dicom_encoding",
    "dicom_object",
    "dicom_transfer_syntax_registry",
    "gif",
    "image",
    "jpeg_decoder",
    "noodles",
    "noodles_bgzf",
    "parquet",
    "png",
    "polars",
    "tiff",
    "zip",
];
/// What a library must leave to the binaries.
const OF_BINARIES: [&str; 9] =
    ["println!", "eprintln!", "print!", "eprint!", "dbg!", "std::env", "env::var", "process::exit", "env::args"];
/// Devices, which a library must be handed; only `nn_core::compute` turns a name into one.
const DEVICES: [&str; 6] =
    ["Device::default", "Device::flex", "Device::ndarray", "Device::cuda", "Device::wgpu", "Device::vulkan"];
/// What leaves a part of a file where the process is killed.
const PARTLY: [&str; 3] = ["File::create", "fs::write", "fs::copy"];
/// Longest file, and longest file of a system.
const LINES: [usize; 2] = [400, 300];

/// Every place in `files` where one of `words` stands in code, as `path:line: word`.
fn places(files: Vec<PathBuf>, words: &[&str], found: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut places = Vec::new();
    for path in files {
        for (number, line) in code(&path) {
            for word in words.iter().filter(|word| found(&line, word)) {
                places.push(format!("{}:{number}: {word}", path.display()));
            }
        }
    }
    places
}

/// The libraries: what must run in anybody's program.
fn libraries() -> impl Iterator<Item = String> {
    domains().into_iter().chain(["nn-core".to_owned()])
}

fn is_below(path: &Path, folder: &str) -> bool {
    // A module is `folder.rs` with the folder beside it.
    path.starts_with(folder) || path == Path::new(&format!("{folder}.rs"))
}

#[test]
fn the_core_has_no_domain_word() {
    let found = places(rust_files("crates/nn-core/src"), &DOMAIN_WORDS, |line, word| line.contains(word));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn only_io_names_a_format_crate() {
    for domain in domains() {
        let folder = format!("crates/{domain}/src");
        let io = format!("{folder}/io");
        let outside = rust_files(folder).into_iter().filter(|path| !is_below(path, &io)).collect();
        let found = places(outside, &FORMAT_CRATES, |line, word| {
            has_word(line, word) && (line.contains(&format!("{word}::")) || line.contains(&format!("use {word}")))
        });
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn only_chem_names_the_chemistry_crate() {
    let others = all_rust_files().into_iter().filter(|path| !is_below(path, "crates/drug/src/chem"));
    let others = others.filter(|path| !path.starts_with("tests")).collect();
    let found = places(others, &["chematic"], has_word);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn libraries_neither_print_nor_look_around_nor_exit() {
    for library in libraries() {
        let found = places(rust_files(format!("crates/{library}/src")), &OF_BINARIES, has_word_or_path);
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn libraries_choose_no_device() {
    for library in libraries() {
        let files = rust_files(format!("crates/{library}/src")).into_iter();
        let others = files.filter(|path| !is_below(path, "crates/nn-core/src/compute")).collect();
        let found = places(others, &DEVICES, has_word_or_path);
        assert!(found.is_empty(), "{found:#?}");
    }
}

/// `xtask` links none of ours, and `tests` writes for itself. A conversion's own folder is gone when it is done.
#[test]
fn files_are_written_whole() {
    let ours = members().into_iter().filter(|member| member != "xtask" && member != "tests");
    let files = ours.flat_map(|member| rust_files(format!("{member}/src")));
    let others = files.filter(|path| !is_below(path, "crates/ehr/src/io/etl/spill")).collect();
    let found = places(others, &PARTLY, has_word_or_path);
    assert!(found.is_empty(), "write these by nn_core::atomic: {found:#?}");
}

/// As a word, or as the end of a longer path such as `std::env::var`.
fn has_word_or_path(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        !line[..start].chars().next_back().is_some_and(|before| before.is_alphanumeric() || before == '_')
    })
}

#[test]
fn unsafe_code_stands_in_the_operations_alone() {
    let others = all_rust_files().into_iter().filter(|path| !is_below(path, "crates/nn-core/src/ops"));
    let others = others.filter(|path| !path.starts_with("tests")).collect();
    let found = places(others, &["unsafe"], has_word);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<_> = all_rust_files().into_iter().filter(|path| !read(path).starts_with("//! ")).collect();
    assert!(silent.is_empty(), "these do not open with a line of documentation (//!): {silent:#?}");
}

#[test]
fn files_stay_short() {
    let too_long: Vec<String> = all_rust_files()
        .into_iter()
        .filter_map(|path| {
            let system = path.iter().any(|part| part == "systems") && path.starts_with("crates");
            let (lines, most) = (read(&path).lines().count(), LINES[usize::from(system)]);
            (lines > most).then(|| format!("{}: {lines} lines, at most {most}", path.display()))
        })
        .collect();
    assert!(too_long.is_empty(), "{too_long:#?}");
}

#[test]
fn nothing_is_left_to_do() {
    let marks = ["todo!", "unimplemented!", "TODO", "FIXME"];
    // This package has to name the marks.
    let others = all_rust_files().into_iter().filter(|path| !path.starts_with("tests"));
    let found: Vec<PathBuf> = others.filter(|path| marks.iter().any(|mark| read(path).contains(mark))).collect();
    assert!(found.is_empty(), "{found:#?}");
}
