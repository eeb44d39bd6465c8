//! `data/manifest.toml`: which files a data set has, and whether the ones on disk are they.

use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    io::{self, Read, Seek},
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::workspace::Workspace;

/// All data sets.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// In the order of the file.
    #[serde(rename = "dataset")]
    pub(crate) datasets: Vec<Dataset>,
}

/// One data set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dataset {
    /// Name, as experiments use it.
    pub(crate) name: String,
    /// Domain it belongs to.
    pub(crate) domain: String,
    /// What it holds, with counts.
    pub(crate) about: String,
    /// Who made it and where these files come from.
    pub(crate) source: String,
    /// Under which terms.
    pub(crate) licence: String,
    /// Its files.
    #[serde(rename = "file")]
    pub(crate) files: Vec<DataFile>,
}

/// One file of a data set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataFile {
    /// Path under the data root, `/` between its parts.
    pub(crate) path: String,
    /// Size.
    pub(crate) bytes: u64,
    /// SHA-256, 64 lower-case hexadecimal digits.
    pub(crate) sha256: String,
    /// Address that serves exactly these bytes.
    pub(crate) url: Option<String>,
    /// For a file without address: what it was made from.
    pub(crate) derived: Option<String>,
    /// For a file without address that is an original.
    pub(crate) note: Option<String>,
    /// For a file without address: path under the data root of one that does in its place, whether the manifest knows it or not.
    pub(crate) replaced_by: Option<String>,
}

/// How a file on disk compares with the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// Size and hash agree.
    Good,
    /// There is no such file.
    Absent,
    /// There is no such file, and the one that does in its place is there.
    Replaced,
    /// There is one, and it is another.
    Different(String),
}

impl Manifest {
    /// Reads and checks the manifest of the workspace.
    ///
    /// # Errors
    /// It cannot be read, is not well formed, or an entry breaks a rule; the message names the entry.
    pub(crate) fn load(workspace: &Workspace) -> Result<Self> {
        let path = workspace.root.join("data").join("manifest.toml");
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is not a manifest", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let manifest: Self = toml::from_str(text)?;
        let mut names = HashSet::new();
        let mut paths = HashSet::new();
        for dataset in &manifest.datasets {
            if !names.insert(dataset.name.as_str()) {
                bail!("two data sets are called {:?}", dataset.name);
            }
            for file in &dataset.files {
                file.check().with_context(|| format!("data set {:?}, file {:?}", dataset.name, file.path))?;
                if !paths.insert(file.path.as_str()) {
                    bail!("two files have the path {:?}", file.path);
                }
            }
        }
        Ok(manifest)
    }

    /// The data set called `name`.
    ///
    /// # Errors
    /// There is none; the message names those there are.
    pub(crate) fn get(&self, name: &str) -> Result<&Dataset> {
        // The pipelines name a data set by its folder, as `drug/davis`.
        let called =
            |dataset: &&Dataset| dataset.name == name || format!("{}/{}", dataset.domain, dataset.name) == name;
        let Some(dataset) = self.datasets.iter().find(called) else {
            let known = self.datasets.iter().map(|dataset| dataset.name.as_str()).collect::<Vec<_>>().join(", ");
            bail!("no data set is called {name:?}; known: {known}");
        };
        Ok(dataset)
    }

    /// The data sets called `names`; all of them when there are no names.
    ///
    /// # Errors
    /// As [`Manifest::get`].
    pub(crate) fn select(&self, names: &[String]) -> Result<Vec<&Dataset>> {
        if names.is_empty() {
            return Ok(self.datasets.iter().collect());
        }
        names.iter().map(|name| self.get(name)).collect()
    }
}

impl DataFile {
    fn check(&self) -> Result<()> {
        let plain = |path: &str| {
            !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
        };
        if !plain(&self.path) {
            bail!("the path must be relative and without `..`");
        }
        if let Some(path) = &self.replaced_by
            && (self.url.is_some() || !plain(path))
        {
            bail!("replaced_by is for a file without url, and must be a relative path without `..`, found {path:?}");
        }
        if self.sha256.len() != 64 || !self.sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            bail!("sha256 must be 64 lower-case hexadecimal digits, found {:?}", self.sha256);
        }
        let told = [&self.url, &self.derived, &self.note].into_iter().flatten().count();
        if told != 1 {
            bail!("exactly one of url, derived and note must be there, found {told}");
        }
        if let Some(url) = &self.url
            && !url.starts_with("https://")
            && !url.starts_with("http://")
        {
            bail!("url must begin with https:// or http://, found {url:?}");
        }
        Ok(())
    }

    /// Where the file is under `data_root`.
    pub(crate) fn at(&self, data_root: &Path) -> PathBuf {
        data_root.join(&self.path)
    }

    /// Whether the file that does in the place of this one is under `data_root`.
    pub(crate) fn is_replaced(&self, data_root: &Path) -> bool {
        self.replaced_by.as_ref().is_some_and(|path| data_root.join(path).is_file())
    }

    /// Compares the file on disk with the manifest; `bar` advances by the bytes read.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub(crate) fn state(&self, data_root: &Path, bar: &ProgressBar) -> Result<State> {
        let path = self.at(data_root);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(if self.is_replaced(data_root) { State::Replaced } else { State::Absent });
            }
            Err(error) => return Err(error).with_context(|| format!("cannot open {}", path.display())),
        };
        let bytes = file.metadata().with_context(|| format!("cannot read {}", path.display()))?.len();
        if bytes != self.bytes {
            return Ok(State::Different(format!("{bytes} bytes, expected {}", self.bytes)));
        }
        let found = digest(&mut file, bar).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(if found == self.sha256 {
            State::Good
        } else {
            State::Different(format!("sha256 {found}, expected {}", self.sha256))
        })
    }
}

/// SHA-256 of each of `paths` under `data_root`, by path; those that are not there are left out.
///
/// # Errors
/// One is there and cannot be read.
pub(crate) fn digests<'a>(
    data_root: &Path,
    paths: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for path in paths {
        let place = data_root.join(path);
        if place.is_file() {
            let hash = File::open(&place).and_then(|mut file| digest(&mut file, &ProgressBar::hidden()));
            found.insert(path.to_owned(), hash.with_context(|| format!("cannot read {}", place.display()))?);
        }
    }
    Ok(found)
}

/// SHA-256 of the whole of `file`, as hexadecimal digits.
///
/// # Errors
/// It cannot be read.
pub(crate) fn digest(file: &mut File, bar: &ProgressBar) -> io::Result<String> {
    file.rewind()?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0_u8; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                hash.update(&buffer[..count]);
                bar.inc(count as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(format!("{:x}", hash.finalize()))
}

/// A bar in bytes with rate and time left, drawn on standard error when that is a terminal.
pub(crate) fn byte_bar(bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:32} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    ProgressBar::new(bytes).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(path: &str, sha256: &str, origin: &str) -> String {
        format!(
            "[[dataset]]\nname = 'a'\ndomain = 'drug'\nabout = ''\nsource = ''\nlicence = ''\n\
             [[dataset.file]]\npath = '{path}'\nbytes = 3\nsha256 = '{sha256}'\n{origin}\n"
        )
    }

    #[test]
    fn entries_that_break_a_rule_are_named() {
        let good = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(Manifest::parse(&manifest("d/x", good, "note = 'n'")).is_ok());
        let cases = [
            (manifest("../x", good, "note = 'n'"), "relative"),
            (manifest("/x", good, "note = 'n'"), "relative"),
            (manifest("d/x", "BA", "note = 'n'"), "64 lower-case"),
            (manifest("d/x", good, ""), "found 0"),
            (manifest("d/x", good, "note = 'n'\nderived = 'd'"), "found 2"),
            (manifest("d/x", good, "url = 'ftp://h/x'"), "https://"),
            (manifest("d/x", good, "url = 'https://h/x'\nreplaced_by = 'd/y'"), "for a file without url"),
            (manifest("d/x", good, "note = 'n'\nreplaced_by = '/d/y'"), "replaced_by"),
        ];
        for (text, expected) in cases {
            let error = format!("{:#}", Manifest::parse(&text).unwrap_err());
            assert!(error.contains(expected) && error.contains("data set \"a\""), "{error}");
        }
    }

    #[test]
    fn a_file_is_judged_by_size_then_by_hash() {
        let folder = tempfile::tempdir().unwrap();
        // SHA-256 of "abc" from FIPS 180-2, appendix B.1
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let text = format!("path = 'x'\nbytes = 3\nsha256 = '{sha256}'\nnote = ''\nreplaced_by = 'y'\n");
        let file: DataFile = toml::from_str(&text).unwrap();
        let state = || file.state(folder.path(), &ProgressBar::hidden()).unwrap();
        let hashes = || digests(folder.path(), ["x", "y"]).unwrap();
        assert_eq!((state(), hashes().len()), (State::Absent, 0));
        std::fs::write(folder.path().join("y"), "").unwrap();
        assert_eq!((state(), hashes().len()), (State::Replaced, 1));
        std::fs::write(folder.path().join("x"), "abc").unwrap();
        assert_eq!((state(), hashes()["x"].as_str()), (State::Good, sha256));
        std::fs::write(folder.path().join("x"), "abd").unwrap();
        assert!(matches!(state(), State::Different(why) if why.starts_with("sha256 ")));
        std::fs::write(folder.path().join("x"), "ab").unwrap();
        assert_eq!(state(), State::Different("2 bytes, expected 3".to_owned()));
    }
}
