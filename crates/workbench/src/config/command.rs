//! What the commands of every binary do with their settings.

use std::io::Write;
use std::path::Path;

use figment::value::Value;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Flags, ResolveError, file_layer, key_of, literal, resolve, to_toml};
use crate::args::{Common, environment};
use crate::exit::Usage;
use crate::run::{CONFIG, RunError, RunFolder};

/// Prints a configuration to stdout, as `--print-config` shows it.
///
/// # Errors
/// [`ResolveError::Write`] for a struct that TOML has no form for, [`ResolveError::Print`] if stdout does not take it.
pub fn print<T: Serialize>(config: &T) -> Result<(), ResolveError> {
    let text = to_toml(config)?;
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(|source| ResolveError::Print { source })
}

/// The settings of a command that is no run; `None` where they were only to be shown, which is done then.
///
/// # Errors
/// Those of [`resolve`] and [`print()`].
pub fn settings<T: Serialize + DeserializeOwned>(
    defaults: &T,
    common: &Common,
    flags: Flags,
) -> Result<Option<T>, ResolveError> {
    let settings = resolve(defaults, common, flags)?;
    if common.print_config {
        print(&settings)?;
        return Ok(None);
    }
    Ok(Some(settings))
}

/// Refuses the options of a run for a command, `verb`, that writes none.
///
/// # Errors
/// [`Usage`] with the option.
pub fn without_run_folder(common: &Common, verb: &str) -> Result<(), Usage> {
    let option = match (common.run_dir.is_some(), common.resume) {
        (true, _) => "--run-dir",
        (false, true) => "--resume",
        (false, false) => return Ok(()),
    };
    Err(Usage(format!("{verb} writes no run folder; leave out {option}")))
}

/// Refuses `--resume` for a command, `verb`, that has nothing to continue from.
///
/// # Errors
/// [`Usage`].
pub fn not_resumed(common: &Common, verb: &str) -> Result<(), Usage> {
    if common.resume {
        let text = "does all of its work each time, so there is nothing to continue; leave out --resume";
        return Err(Usage(format!("{verb} {text}")));
    }
    Ok(())
}

/// The settings of the run in `folder` that `--resume` asks to go on with; `None` where it does not, or where there is no
/// run.
///
/// # Errors
/// Those of [`RunFolder::earlier_config`].
pub fn earlier<T: DeserializeOwned>(common: &Common, folder: &Path) -> Result<Option<T>, RunError> {
    if common.resume { RunFolder::earlier_config(folder) } else { Ok(None) }
}

/// The text that `key` (dotted) is given by `--set`, an environment variable, the `--config` file or the run that is
/// continued, in this order; `None` where it is given by none of them. For a setting that decides what the defaults of
/// the others are, and so must be known before [`resolve`] has them. What is wrong with a file is left for [`resolve`] to
/// say.
pub fn choice(common: &Common, key: &str) -> Option<String> {
    choice_with(common, &environment(), key)
}

/// As [`choice`], with the environment as an argument.
fn choice_with(common: &Common, environment: &[(String, String)], key: &str) -> Option<String> {
    let set = common.set.iter().rev().find(|(name, _)| name == key);
    let variable = || environment.iter().rev().find(|(name, _)| key_of(name).is_some_and(|found| found == key));
    if let Some((_, text)) = set.or_else(variable) {
        return literal(Some(&Value::from("")), text).into_string();
    }
    let read = |path: &Path| Value::from(file_layer(path).ok()?.values).find(key)?.into_string();
    let earlier = || if common.resume { common.named_run_dir() } else { None };
    common.config.as_deref().and_then(read).or_else(|| read(&earlier()?.join(CONFIG)))
}

/// Settings of a command that has none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoConfig {}

/// Settings of a command that only computes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceConfig {
    /// Where to compute: `cpu`, `ndarray`, `cuda:N` or `gpu:N`.
    pub device: String,
}

impl Default for DeviceConfig {
    fn default() -> Self {
        Self { device: "cpu".to_owned() }
    }
}

impl DeviceConfig {
    /// File, environment and options; `None` where they were only to be shown.
    ///
    /// # Errors
    /// Those of [`settings`].
    pub fn new(common: &Common) -> Result<Option<Self>, ResolveError> {
        settings(&Self::default(), common, Flags::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "network.system";

    // The order is that of the layers: see `each_layer_overrides_the_one_below` in the tests of `resolve`.
    #[test]
    fn what_decides_the_defaults_is_looked_for_in_the_order_of_the_layers() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let variables = [("GALEN_NETWORK__SYSTEM".to_owned(), "from-variable".to_owned())];
        write(CONFIG, "[network]\nsystem = \"from-run\"\n");
        let run_dir = Some(folder.path().to_path_buf());
        let mut common = Common { run_dir, ..Common::default() };
        assert_eq!(choice_with(&common, &[], KEY), None, "a run that is not continued");
        common.resume = true;
        assert_eq!(choice_with(&common, &[], KEY).as_deref(), Some("from-run"));
        common.config = Some(write("other.toml", "seed = 1\n"));
        assert_eq!(choice_with(&common, &[], KEY).as_deref(), Some("from-run"), "the file does not say");
        common.config = Some(write("file.toml", "[network]\nhidden = 4\nsystem = \"from-file\"\n"));
        assert_eq!(choice_with(&common, &[], KEY).as_deref(), Some("from-file"));
        assert_eq!(choice_with(&common, &variables, KEY).as_deref(), Some("from-variable"));
        common.set = vec![(KEY.to_owned(), "first".to_owned()), (KEY.to_owned(), "\"last\"".to_owned())];
        assert_eq!(choice_with(&common, &variables, KEY).as_deref(), Some("last"));
    }

    #[test]
    fn the_choice_of_a_file_is_in_its_section_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        let common = Common { config: Some(path.clone()), ..Common::default() };
        for (text, expected) in [
            ("network.system = \"gru-d\"\n", Some("gru-d")),
            ("[network]\nsystem=\"gru-d\" # with decay\n", Some("gru-d")),
            ("system = \"gru-d\"\n[network]\n[source]\nsystem = \"x\"\n", None),
            ("[network]\nsystem = 4\n", None),
            ("[network\n", None),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(choice_with(&common, &[], KEY).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_command_without_a_run_takes_none_of_its_options() {
        let named = Common { run_dir: Some("run".into()), ..Common::default() };
        let resumed = Common { resume: true, ..Common::default() };
        assert!(without_run_folder(&Common::default(), "bench").is_ok());
        for (common, option) in [(named, "--run-dir"), (resumed, "--resume")] {
            let error = without_run_folder(&common, "bench").unwrap_err().to_string();
            assert!(error.starts_with("bench ") && error.ends_with(option), "{error}");
        }
    }

    #[test]
    fn only_a_run_is_continued_and_only_where_that_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let fresh = Common::default();
        let resumed = Common { resume: true, ..Common::default() };
        assert!(not_resumed(&fresh, "prepare").is_ok());
        let error = not_resumed(&resumed, "prepare").unwrap_err().to_string();
        assert!(error.starts_with("prepare ") && error.ends_with("leave out --resume"), "{error}");

        let found = |common: &Common| earlier::<DeviceConfig>(common, folder.path());
        assert_eq!(found(&resumed).unwrap(), None, "nothing is there");
        std::fs::write(folder.path().join(CONFIG), "device = \"ndarray\"\n").unwrap();
        assert_eq!(found(&fresh).unwrap(), None);
        assert_eq!(found(&resumed).unwrap(), Some(DeviceConfig { device: "ndarray".to_owned() }));
        std::fs::write(folder.path().join(CONFIG), "device = 4\n").unwrap();
        assert!(matches!(found(&resumed), Err(RunError::Format { .. })));
    }
}
