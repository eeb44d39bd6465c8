//! Where things are: the workspace, its data, its pipeline binaries.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;

use crate::manifest::Dataset;

/// The workspace and the folders that the command line chose.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// Folder of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    data_roots: Vec<PathBuf>,
    /// `data`, where the small tables are that the repository keeps.
    kept: PathBuf,
    bin_dir: Option<PathBuf>,
    /// What `--features` lists.
    features: Vec<String>,
}

/// One pipeline of the workspace: the folder `pipelines/<domain>`, the binary `galen-<domain>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pipeline {
    /// Domain, as its folder is called.
    pub(crate) domain: String,
    /// Package and binary.
    pub(crate) binary: String,
}

/// One line of `cargo build --message-format=json`; only what is needed here.
#[derive(Debug, Deserialize)]
struct BuildMessage {
    target: Option<BuildTarget>,
    executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct BuildTarget {
    name: String,
}

impl Workspace {
    /// Folders that were not given take their defaults: the workspace this program was built in; `data/raw`, then `$GALEN_DATA`.
    pub(crate) fn new(
        root: Option<PathBuf>,
        data_root: Option<PathBuf>,
        bin_dir: Option<PathBuf>,
        features: Vec<String>,
    ) -> Self {
        let built_in = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = whole(root.unwrap_or_else(|| built_in.parent().unwrap_or(built_in).to_path_buf()));
        let data_roots = if let Some(folder) = data_root {
            vec![whole(folder)]
        } else {
            let named = env::var_os("GALEN_DATA").map(|folder| whole(PathBuf::from(folder)));
            [Some(root.join("data").join("raw")), named].into_iter().flatten().collect()
        };
        Self { kept: root.join("data"), root, data_roots, bin_dir: bin_dir.map(whole), features }
    }

    /// The data root that holds `dataset`; the first one when none does. What the repository keeps has its folder `data` as the last.
    pub(crate) fn data_root(&self, dataset: &Dataset) -> &Path {
        let holds = |folder: &&PathBuf| dataset.files.iter().any(|file| folder.join(&file.path).exists());
        let folder = self.data_roots.iter().chain([&self.kept]).find(holds).unwrap_or(&self.data_roots[0]);
        folder.as_path()
    }

    /// The first data root that exists, for programs that look for several data sets.
    pub(crate) fn any_data_root(&self) -> &Path {
        self.data_roots.iter().find(|folder| folder.is_dir()).unwrap_or(&self.data_roots[0]).as_path()
    }

    /// The data roots in the order they are looked at, for messages.
    pub(crate) fn data_roots_text(&self) -> String {
        self.data_roots.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
    }

    /// `data/results.jsonl`.
    pub(crate) fn results_file(&self) -> PathBuf {
        self.root.join("data").join("results.jsonl")
    }

    /// A folder under cargo's target folder, for what can be made again.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.root.join("target"), PathBuf::from).join(name)
    }

    /// The pipelines present, by domain.
    ///
    /// # Errors
    /// The folder `pipelines` cannot be read or holds none.
    pub(crate) fn pipelines(&self) -> Result<Vec<Pipeline>> {
        let folder = self.root.join("pipelines");
        let mut found = Vec::new();
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
            let path = entry?.path();
            if path.join("Cargo.toml").is_file()
                && let Some(domain) = path.file_name().and_then(|name| name.to_str())
            {
                found.push(Pipeline { domain: domain.to_owned(), binary: format!("galen-{domain}") });
            }
        }
        if found.is_empty() {
            bail!("no pipeline in {}", folder.display());
        }
        found.sort_by(|a, b| a.domain.cmp(&b.domain));
        Ok(found)
    }

    /// The pipeline of `domain`.
    ///
    /// # Errors
    /// There is none; the message names those there are.
    pub(crate) fn pipeline(&self, domain: &str) -> Result<Pipeline> {
        let all = self.pipelines()?;
        let names = all.iter().map(|pipeline| pipeline.domain.clone()).collect::<Vec<_>>().join(", ");
        all.into_iter()
            .find(|pipeline| pipeline.domain == domain)
            .ok_or_else(|| anyhow!("no pipeline for {domain:?}; present: {names}"))
    }

    /// The pipeline's binary: the one in `--bin-dir`, else built now with the release profile.
    ///
    /// # Errors
    /// The build fails, or the folder has no such binary.
    pub(crate) fn binary(&self, pipeline: &Pipeline) -> Result<PathBuf> {
        // With the whole workspace selected, shared dependencies have the features that tests build them with.
        self.executable(&pipeline.binary, &["--workspace", "--bin", &pipeline.binary])
    }

    /// The program of the example `name` of `package`, found as [`Workspace::binary`] does.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn example(&self, package: &str, name: &str) -> Result<PathBuf> {
        self.executable(name, &["--package", package, "--example", name])
    }

    /// What tells cargo of the features in `more` and of those of the command line; nothing where there are none.
    ///
    /// A name without a package is one of `nn-core`: all that the domains and pipelines do with theirs is to hand the core's on, and
    /// the package of some examples has none of its own.
    pub(crate) fn features(&self, more: &[&str]) -> Vec<String> {
        let names = more.iter().copied().chain(self.features.iter().map(String::as_str));
        let list: Vec<String> =
            names.map(|name| if name.contains('/') { name.to_owned() } else { format!("nn-core/{name}") }).collect();
        if list.is_empty() { Vec::new() } else { vec!["--features".to_owned(), list.join(",")] }
    }

    /// The executable `name`: the one in `--bin-dir`, else what cargo builds of `target`.
    fn executable(&self, name: &str, target: &[&str]) -> Result<PathBuf> {
        if let Some(folder) = &self.bin_dir {
            if !self.features.is_empty() {
                bail!(
                    "--features is for programs to be built, and {} holds built ones; leave out --features or --bin-dir",
                    folder.display()
                );
            }
            let path = folder.join(format!("{name}{}", env::consts::EXE_SUFFIX));
            if !path.is_file() {
                bail!("{} is not there; leave out --bin-dir to build it", path.display());
            }
            return Ok(path);
        }
        // The executable's path is taken from cargo itself, so that any target folder will do.
        let output = cargo(&self.root)
            .args(["build", "--release", "--message-format=json-render-diagnostics"])
            .args(target)
            .args(self.features(&[]))
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .context("cannot start cargo")?;
        if !output.status.success() {
            bail!("building {name} failed ({})", output.status);
        }
        executable_in(&String::from_utf8_lossy(&output.stdout), name)
            .ok_or_else(|| anyhow!("cargo built {name} but named no executable; is its binary called otherwise?"))
    }

    /// The commit checked out, `-dirty` after it when tracked files (other than the results and the README made from them) differ.
    pub(crate) fn commit(&self) -> String {
        let Some(head) = git(&self.root, &["rev-parse", "--short=12", "HEAD"]) else {
            return "unknown".to_owned();
        };
        let changes = git(
            &self.root,
            &[
                "status",
                "--porcelain",
                "--untracked-files=no",
                "--",
                ".",
                ":(exclude)data/results.jsonl",
                ":(exclude)README.md",
            ],
        );
        match changes {
            Some(list) if list.is_empty() => head,
            _ => format!("{head}-dirty"),
        }
    }
}

/// `folder` from the root of the file system, because processes are started in the workspace and not where the user stands.
fn whole(folder: PathBuf) -> PathBuf {
    std::path::absolute(&folder).unwrap_or(folder)
}

/// A `cargo` command that runs in the workspace.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What `cargo run` told this program of its own package would be taken for a change by build scripts that look at it, as
    // ring's does: under `cargo xtask` and without it, all that depends on it would be compiled anew in turns.
    let own = |name: &std::ffi::OsStr| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PKG_") || matches!(&*name, "CARGO_MANIFEST_DIR" | "CARGO_MANIFEST_PATH")
    };
    env::vars_os().filter(|(name, _)| own(name)).for_each(|(name, _)| {
        command.env_remove(name);
    });
    command.current_dir(root);
    command
}

/// The last executable called `name` among cargo's messages.
fn executable_in(messages: &str, name: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<BuildMessage>(line).ok())
        .filter(|message| message.target.as_ref().is_some_and(|target| target.name == name))
        .filter_map(|message| message.executable)
        .next_back()
}

/// What `git` prints, trimmed; none where there is no git or no repository.
fn git(root: &Path, args: &[&str]) -> Option<String> {
    let output =
        Command::new("git").args(args).current_dir(root).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `cargo test` tells this test of its package as `cargo run` tells the program.
    #[test]
    fn cargo_is_not_told_of_the_package_that_runs_it() {
        let command = cargo(Path::new("."));
        let removed: Vec<_> = command.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        let told: Vec<_> =
            env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_PKG_")).collect();
        assert!(told.iter().all(|(name, _)| removed.contains(&name.as_os_str())), "{removed:?}");
        assert_eq!(
            env::var_os("CARGO_MANIFEST_DIR").is_some(),
            removed.iter().any(|name| *name == "CARGO_MANIFEST_DIR")
        );
    }

    #[test]
    fn the_executable_is_found_among_cargo_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"drug","kind":["lib"]},"executable":null}"#,
            "\nnot json\n",
            r#"{"reason":"compiler-artifact","target":{"name":"galen-drug","kind":["bin"]},"executable":"/t/release/galen-drug"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(executable_in(messages, "galen-drug"), Some(PathBuf::from("/t/release/galen-drug")));
        assert_eq!(executable_in(messages, "drug"), None);
    }

    #[test]
    fn what_the_repository_keeps_is_looked_for_in_its_own_folder_last() {
        let folder = tempfile::tempdir().unwrap();
        let text = "name = 'a'\ndomain = 'd'\nabout = ''\nsource = ''\nlicence = ''\n\
                    [[file]]\npath = 'a/x'\nbytes = 1\nsha256 = ''\nnote = ''\n";
        let dataset: Dataset = toml::from_str(text).unwrap();
        let given = folder.path().join("given");
        let workspace = Workspace::new(Some(folder.path().to_path_buf()), Some(given.clone()), None, Vec::new());
        assert_eq!(workspace.data_root(&dataset), given);
        for root in [folder.path().join("data"), given] {
            fs::create_dir_all(root.join("a")).unwrap();
            fs::write(root.join("a/x"), "x").unwrap();
            assert_eq!(workspace.data_root(&dataset), root);
        }
    }

    #[test]
    fn a_given_data_root_is_the_only_one() {
        let workspace = Workspace::new(Some(PathBuf::from("/w")), Some(PathBuf::from("/d")), None, Vec::new());
        assert_eq!(workspace.any_data_root(), Path::new("/d"));
        assert_eq!(workspace.data_roots_text(), "/d");
    }

    #[test]
    fn features_are_those_of_the_core_unless_they_name_a_package() {
        let with = |features: &[&str]| {
            Workspace::new(None, None, None, features.iter().map(|&name| name.to_owned()).collect())
        };
        assert!(with(&[]).features(&[]).is_empty());
        let both = with(&["vulkan", "galen-drug/cuda"]).features(&["ndarray"]);
        assert_eq!(both, ["--features", "nn-core/ndarray,nn-core/vulkan,galen-drug/cuda"]);
    }
}
