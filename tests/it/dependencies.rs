//! burn ← nn-core ← domain crates ← pipelines ← (process) xtask, and nn-core ← workbench ← pipelines; nothing else. Of
//! `tests` only tests know.

use crate::tree::{domains, members, parsed};

/// What a binary may depend on and a library may not.
const OF_BINARIES: [&str; 7] = ["anyhow", "clap", "ctrlc", "figment", "indicatif", "mimalloc", "plotters"];

/// Dependencies of a member outside its tests.
fn dependencies(member: &str) -> Vec<String> {
    let manifest = parsed(format!("{member}/Cargo.toml"));
    ["dependencies", "build-dependencies"]
        .iter()
        .filter_map(|section| manifest.get(*section)?.as_table())
        .flat_map(|table| table.keys().cloned())
        .collect()
}

/// Fails if `member` depends on any of `forbidden`.
fn refuse(member: &str, forbidden: impl IntoIterator<Item = impl AsRef<str>>) {
    let found = dependencies(member);
    for name in forbidden {
        let name = name.as_ref();
        assert!(!found.iter().any(|dependency| dependency == name), "{member} must not depend on {name}");
    }
}

#[test]
fn the_core_knows_no_other_member() {
    refuse("crates/nn-core", domains());
    refuse("crates/nn-core", ["workbench"]);
    refuse("crates/nn-core", OF_BINARIES);
}

#[test]
fn a_domain_knows_the_core_and_no_other_domain() {
    let domains = domains();
    assert!(!domains.is_empty());
    for domain in &domains {
        let member = format!("crates/{domain}");
        refuse(&member, domains.iter().filter(|other| *other != domain));
        refuse(&member, ["workbench", "xtask"]);
        refuse(&member, OF_BINARIES);
        assert!(dependencies(&member).iter().any(|name| name == "nn-core"), "{member} does not use nn-core");
    }
}

#[test]
fn what_the_binaries_share_knows_no_domain() {
    refuse("crates/workbench", domains());
}

#[test]
fn a_pipeline_knows_its_own_domain_only() {
    let domains = domains();
    for member in members() {
        let Some(own) = member.strip_prefix("pipelines/") else { continue };
        refuse(&member, domains.iter().filter(|domain| *domain != own));
        assert!(dependencies(&member).iter().any(|name| name == own), "{member} does not use {own}");
    }
}

#[test]
fn xtask_links_no_network_and_no_data_frame() {
    refuse("xtask", domains());
    refuse("xtask", ["burn", "burn-flex", "nn-core", "workbench", "polars", "arrow", "parquet"]);
}

#[test]
fn what_tests_share_is_of_tests_alone() {
    for member in members() {
        refuse(&member, ["tests"]);
    }
    // A domain in it would be compiled for the tests of all others.
    refuse("tests", domains());
    refuse("tests", ["nn-core", "workbench", "xtask"]);
}

#[test]
fn members_take_version_edition_and_lints_from_the_workspace() {
    for member in members() {
        let manifest = parsed(format!("{member}/Cargo.toml"));
        let package = manifest["package"].as_table().unwrap();
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            let inherited = package.get(key).and_then(|value| value.get("workspace")).and_then(toml::Value::as_bool);
            assert_eq!(inherited, Some(true), "{member}: {key} must be taken from the workspace");
        }
        assert!(package.contains_key("description"), "{member} has no description");
        let lints = manifest.get("lints").and_then(|value| value.get("workspace")).and_then(toml::Value::as_bool);
        assert_eq!(lints, Some(true), "{member} must take its lints from the workspace");
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, value) in manifest.get(section).and_then(toml::Value::as_table).into_iter().flatten() {
                let inherited = value.get("workspace").and_then(toml::Value::as_bool);
                assert_eq!(inherited, Some(true), "{member}: the version of {name} belongs into the workspace");
            }
        }
    }
}

#[test]
fn heavy_crates_are_there_in_one_version() {
    let lock = parsed("Cargo.lock");
    let packages = lock["package"].as_array().unwrap();
    for heavy in ["burn", "burn-tensor", "burn-flex", "arrow", "parquet", "noodles", "chematic"] {
        let versions: Vec<&str> = packages
            .iter()
            .filter(|package| package["name"].as_str() == Some(heavy))
            .filter_map(|package| package["version"].as_str())
            .collect();
        assert_eq!(versions.len(), 1, "{heavy}: {versions:?}");
    }
}
