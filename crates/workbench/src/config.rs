//! Layered configuration: defaults, then the file, then the environment, then the command line.
//!
//! A configuration is a plain struct with `Serialize` and `Deserialize`; its `Default` (or the paper's values) is the
//! lowest layer, so it needs no `#[serde(default)]`. Two rules for such structs: tagged enums are internally tagged
//! (`#[serde(tag = "kind")]`), and no field is skipped when it is serialised, because the keys that the *result*
//! serialises to are the keys that exist. A key that is none of them is refused with the nearest one that is.

mod command;
mod explain;

use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::explain::{explain, refuse_unknown};
use crate::args::{Common, PREFIX, environment};

pub use self::command::{DeviceConfig, NoConfig, choice, earlier, not_resumed, print, settings, without_run_folder};

/// Variables of this project that are no settings: where the data is, where to write, what was built.
const NOT_SETTINGS: [&str; 4] = ["data", "run_dir", "commit", "python"];

/// A configuration that cannot be put together: ends a binary with status 2; or that cannot be printed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The file cannot be read.
    #[error("cannot read configuration file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("configuration file {path} is not valid TOML: {reason}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, column and what is wrong there.
        reason: String,
    },
    /// A key that does not exist.
    #[error("{origin}: unknown key {key:?}; {hint}")]
    UnknownKey {
        /// The key, dotted.
        key: String,
        /// Where it is set.
        origin: String,
        /// The nearest key, or all that there are.
        hint: String,
    },
    /// A value of the wrong type, or outside what the type allows.
    #[error("{origin}: {key}: {reason}")]
    Value {
        /// The key, dotted.
        key: String,
        /// Where it is set.
        origin: String,
        /// What was found and what was expected.
        reason: String,
    },
    /// The configuration cannot be written as TOML.
    #[error("the configuration cannot be written as TOML: {reason}")]
    Write {
        /// What the serialiser said.
        reason: String,
    },
    /// The configuration cannot be printed.
    #[error("cannot print the configuration: {source}")]
    Print {
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// Settings that a binary's own named options stand for, such as `--epochs`.
///
/// ```
/// use workbench::config::Flags;
/// let (epochs, rate): (Option<usize>, Option<f64>) = (Some(3), None);
/// let _flags = Flags::new().set("train.epochs", epochs).set("train.learning_rate", rate);
/// // only `train.epochs` is set: an option that was not given leaves the other layers alone
/// ```
#[derive(Debug, Clone, Default)]
pub struct Flags {
    values: Vec<(String, Result<Value, String>)>,
}

impl Flags {
    /// No options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` (dotted) if the option was given.
    pub fn set(mut self, key: &str, value: Option<impl Serialize>) -> Self {
        if let Some(value) = value {
            self.values.push((key.to_owned(), Value::serialize(value).map_err(|error| error.to_string())));
        }
        self
    }
}

/// Puts the configuration together: `defaults`, the `--config` file, the environment, `--set`, then `flags` with
/// `--device` and `--seed`.
///
/// # Errors
/// [`ResolveError`] that names the key, where it is set, and what would be accepted.
pub fn resolve<T: Serialize + DeserializeOwned>(
    defaults: &T,
    common: &Common,
    flags: Flags,
) -> Result<T, ResolveError> {
    resolve_with(defaults, common, &environment(), flags)
}

/// As [`resolve`], with the environment as an argument: pairs of name (`GALEN_TRAIN__EPOCHS` for `train.epochs`) and
/// value.
///
/// # Errors
/// [`ResolveError`].
pub fn resolve_with<T: Serialize + DeserializeOwned>(
    defaults: &T,
    common: &Common,
    environment: &[(String, String)],
    flags: Flags,
) -> Result<T, ResolveError> {
    let schema = as_value(defaults, "the defaults")?;
    let mut layers = Vec::new();
    if let Some(path) = &common.config {
        layers.push(file_layer(path)?);
    }
    layers.extend(environment.iter().filter_map(|(name, text)| variable_layer(&schema, name, text)));
    for (key, text) in &common.set {
        let origin = format!("--set {key}={text}");
        layers.push(Layer::single(origin, key, literal(schema.find_ref(key), text)));
    }
    let flags = flags.set("device", common.device.as_deref()).set("seed", common.seed);
    for (key, value) in flags.values {
        let option = key.rsplit('.').next().unwrap_or(&key).replace('_', "-");
        let origin = format!("option --{option}");
        match value {
            Ok(value) => layers.push(Layer::single(origin, &key, value)),
            Err(reason) => return Err(ResolveError::Value { key, origin, reason }),
        }
    }

    let mut figment = Figment::from(Layer { origin: "the defaults".into(), values: dict(&schema) });
    for layer in &layers {
        figment = figment.merge(layer);
    }
    let resolved: T = figment.extract().map_err(|error| {
        let merged = figment.find_value("").unwrap_or_else(|_| schema.clone());
        explain::<T>(&error, &layers, &schema, &merged)
    })?;
    let known = as_value(&resolved, "the result")?;
    for layer in &layers {
        refuse_unknown(layer, &layer.values, &known, "")?;
    }
    Ok(resolved)
}

/// The configuration as the TOML text that `config.toml` holds and `--print-config` shows.
///
/// # Errors
/// [`ResolveError::Write`] for a struct that TOML has no form for, such as a map with keys that are not text.
pub fn to_toml<T: Serialize>(config: &T) -> Result<String, ResolveError> {
    toml::to_string_pretty(config).map_err(|error| ResolveError::Write { reason: error.to_string() })
}

/// One source of settings.
#[derive(Debug, Clone)]
struct Layer {
    origin: String,
    values: Dict,
}

impl Layer {
    /// A layer with one dotted key.
    fn single(origin: String, key: &str, value: Value) -> Self {
        let mut parts = key.rsplit('.');
        let last = parts.next().unwrap_or(key);
        let mut values = Dict::from([(last.to_owned(), value)]);
        for part in parts {
            values = Dict::from([(part.to_owned(), Value::from(values))]);
        }
        Self { origin, values }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

fn as_value<T: Serialize>(config: &T, origin: &str) -> Result<Value, ResolveError> {
    let failed = |reason: String| ResolveError::Value { key: "configuration".into(), origin: origin.into(), reason };
    match Value::serialize(config) {
        Ok(value) if value.as_dict().is_some() => Ok(value),
        Ok(_) => Err(failed("it is not a struct with named fields".into())),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn dict(value: &Value) -> Dict {
    value.as_dict().cloned().unwrap_or_default()
}

fn file_layer(path: &Path) -> Result<Layer, ResolveError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ResolveError::Read { path: path.to_path_buf(), source })?;
    let syntax = |reason: String| ResolveError::Syntax { path: path.to_path_buf(), reason };
    let table = text.parse::<toml::Table>().map_err(|error| syntax(error.to_string().trim_end().to_owned()))?;
    let value = Value::serialize(table).map_err(|error| syntax(error.to_string()))?;
    Ok(Layer { origin: format!("configuration file {}", path.display()), values: dict(&value) })
}

/// The dotted key that an environment variable of this project stands for.
fn key_of(name: &str) -> Option<String> {
    Some(name.strip_prefix(PREFIX)?.to_lowercase().replace("__", "."))
}

/// The layer of one environment variable; `None` for those that are no settings. A device or a seed may stand in the
/// environment of a command that has neither.
fn variable_layer(schema: &Value, name: &str, text: &str) -> Option<Layer> {
    let key = key_of(name)?;
    let optional = matches!(key.as_str(), "device" | "seed") && schema.find_ref(&key).is_none();
    if key.is_empty() || optional || NOT_SETTINGS.contains(&key.as_str()) {
        return None;
    }
    let value = literal(schema.find_ref(&key), text);
    Some(Layer::single(format!("environment variable {name}"), &key, value))
}

/// Reads the text of an option or variable as TOML would (`5`, `1e-3`, `true`, `[1, 2]`), and as plain text where that
/// fails or where the default is text.
fn literal(expected: Option<&Value>, text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<toml::Table>().ok().filter(|table| table.len() == 1);
    let parsed = parsed.and_then(|mut table| table.remove("value"));
    let wants_text = matches!(expected, Some(Value::String(..) | Value::Char(..)));
    match parsed {
        Some(toml::Value::String(inner)) => Value::from(inner),
        Some(other) if !wants_text => Value::serialize(other).unwrap_or_else(|_| Value::from(text)),
        None if !wants_text => match text.trim().parse::<f64>() {
            // `.5` and `5.` are numbers to people, though not to TOML
            Ok(number) if number.is_finite() => Value::from(number),
            _ => Value::from(text),
        },
        _ => Value::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_toml_unless_the_default_is_text() {
        let text = Value::from("davis");
        assert_eq!(literal(None, "5").to_i128(), Some(5));
        assert_eq!(literal(None, "1e-3").to_f64(), Some(1e-3));
        assert_eq!(literal(None, ".5").to_f64(), Some(0.5));
        assert_eq!(literal(None, "true").to_bool(), Some(true));
        assert_eq!(literal(None, "kiba").as_str(), Some("kiba"));
        assert_eq!(literal(Some(&text), "7").as_str(), Some("7"));
        assert_eq!(literal(Some(&text), "\"7\"").as_str(), Some("7"));
        assert_eq!(literal(None, "1\nother = 2").as_str(), Some("1\nother = 2"), "a second key smuggled in");
    }
}
