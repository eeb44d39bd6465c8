//! What is wrong with a configuration, in the words of the person who wrote it: the key, the value, where it is set.

use std::cmp::Reverse;

use figment::error::Kind;
use figment::value::{Dict, Value};
use serde::de::DeserializeOwned;

use super::{Layer, ResolveError, dict};

/// Turns figment's error about `merged`, which the layers over the defaults in `schema` came to, into one that names the
/// key and the layer that set it.
pub(super) fn explain<T: DeserializeOwned>(
    error: &figment::Error,
    layers: &[Layer],
    schema: &Value,
    merged: &Value,
) -> ResolveError {
    let mut path = error.path.clone();
    if let Kind::UnknownField(name, _) = &error.kind
        && path.last() == Some(name)
    {
        path.pop();
    }
    let within = path.join(".");
    // Within flattened structs and tagged enums serde loses the way: the path ends at the section around them.
    let lost = merged.find_ref(&within).is_some_and(|value| value.as_dict().is_some());
    let found = if lost { culprit::<T>(error, &within, layers, schema, merged) } else { None };
    let key = match (&error.kind, &found) {
        (Kind::MissingField(name), Some(found)) => joined(section_of(found), name),
        (_, Some(found)) => found.clone(),
        (Kind::MissingField(name), None) => joined(&within, name),
        (Kind::UnknownField(name, _), None) => joined(&within, name),
        (_, None) => within,
    };
    // figment doubles the backticks around the alternatives of an enum.
    let mut reason = error.kind.to_string().replace("``", "`");
    if key.is_empty() {
        return ResolveError::Value { key: "configuration".into(), origin: "the defaults".into(), reason };
    }
    let origin = origin_of(found.as_deref().unwrap_or(&key), error, layers);
    if let Kind::UnknownField(name, known) = &error.kind
        && last(&key) == name
    {
        let known: Vec<String> = known.iter().map(|name| joined(section_of(&key), name)).collect();
        return ResolveError::UnknownKey { origin, hint: hint(&key, &known), key };
    }
    if let Some(value) = merged.find_ref(&key).filter(|value| !quotes(&reason, value)).and_then(as_text) {
        reason = format!("{value}: {reason}");
    }
    if let Some(default) = schema.find_ref(&key).and_then(as_text) {
        reason = format!("{reason} (the default is {default})");
    }
    ResolveError::Value { origin, reason, key }
}

/// The key below `within` that `error` is about: of those that the layers set, the first without which it is another
/// error or none. Those that the error quotes are tried first. What was tried stays as the defaults have it, so that of
/// two values that are wrong in the same way the second one is found.
fn culprit<T: DeserializeOwned>(
    error: &figment::Error,
    within: &str,
    layers: &[Layer],
    schema: &Value,
    merged: &Value,
) -> Option<String> {
    let said = error.kind.to_string();
    let mut keys = Vec::new();
    for layer in layers {
        all_keys(&Value::from(layer.values.clone()), "", &mut keys);
    }
    keys.retain(|key| within.is_empty() || key.strip_prefix(within).is_some_and(|rest| rest.starts_with('.')));
    keys.sort_by_cached_key(|key| {
        let value = merged.find_ref(key);
        let quoted = match &error.kind {
            Kind::UnknownField(name, _) => last(key) == name,
            _ => value.is_some_and(|value| quotes(&said, value)),
        };
        // A section is tried after all that it holds.
        let section = value.is_some_and(|value| value.as_dict().is_some());
        (section, !quoted, Reverse(key.matches('.').count()))
    });
    let mut trial = dict(merged);
    keys.into_iter().find(|key| {
        reset(&mut trial, key, schema.find_ref(key));
        match Value::from(trial.clone()).deserialize::<T>() {
            Ok(_) => true,
            Err(other) => other.path != error.path || other.kind.to_string() != said,
        }
    })
}

/// Puts the default back in the place of `key`, or nothing where there is none.
fn reset(values: &mut Dict, key: &str, default: Option<&Value>) {
    if let Some((section, rest)) = key.split_once('.') {
        if let Some(Value::Dict(_, inner)) = values.get_mut(section) {
            reset(inner, rest, default);
        }
    } else if let Some(default) = default {
        values.insert(key.to_owned(), default.clone());
    } else {
        values.remove(key);
    }
}

/// Whether `text` shows the value, or one of the list that it is.
fn quotes(text: &str, value: &Value) -> bool {
    match value {
        Value::String(_, inner) => text.contains(inner.as_str()),
        Value::Array(_, items) => items.iter().any(|item| quotes(text, item)),
        _ => as_text(value).is_some_and(|value| text.contains(&value)),
    }
}

/// The last layer that sets `key` or a part of it; else what figment remembers.
fn origin_of(key: &str, error: &figment::Error, layers: &[Layer]) -> String {
    let setter = layers.iter().rev().find(|layer| Value::from(layer.values.clone()).find_ref(key).is_some());
    match (setter, &error.metadata) {
        (Some(layer), _) => layer.origin.clone(),
        (None, Some(metadata)) => metadata.name.to_string(),
        (None, None) => "the configuration".to_owned(),
    }
}

/// A scalar as a person would type it.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(format!("{text:?}")),
        Value::Bool(_, flag) => Some(flag.to_string()),
        Value::Num(_, number) => {
            let whole = number.to_i128().map(|whole| whole.to_string());
            let natural = number.to_u128().map(|whole| whole.to_string());
            number.to_f64().map(|number| number.to_string()).or(whole).or(natural)
        }
        _ => None,
    }
}

/// The last part of a dotted key.
fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// A dotted key without its last part.
fn section_of(key: &str) -> &str {
    key.rsplit_once('.').map_or("", |(section, _)| section)
}

/// The dotted key of `name` in `section`.
fn joined(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

/// Refuses what a layer sets and `known` does not have.
pub(super) fn refuse_unknown(layer: &Layer, found: &Dict, known: &Value, prefix: &str) -> Result<(), ResolveError> {
    for (name, value) in found {
        let key = joined(prefix, name);
        match (known.find_ref(&key), value) {
            (None, _) => {
                let mut keys = Vec::new();
                all_keys(known, "", &mut keys);
                return Err(ResolveError::UnknownKey { origin: layer.origin.clone(), hint: hint(&key, &keys), key });
            }
            (Some(Value::Dict(..)), Value::Dict(_, inner)) => refuse_unknown(layer, inner, known, &key)?,
            (Some(_), _) => {}
        }
    }
    Ok(())
}

/// Every key, dotted; a section after what it holds.
fn all_keys(value: &Value, prefix: &str, keys: &mut Vec<String>) {
    if let Value::Dict(_, inner) = value {
        for (name, value) in inner {
            let key = joined(prefix, name);
            all_keys(value, &key, keys);
            keys.push(key);
        }
    }
}

/// Names the nearest of `known`: by the whole dotted key, or by its last part where the section is wrong. Where none is
/// near, lists them.
fn hint(key: &str, known: &[String]) -> String {
    let nearest = known
        .iter()
        .map(|candidate| {
            // one more for the wrong section, so that the right one wins at equal spelling
            let moved = edit_distance(last(key), last(candidate)) + 1;
            (edit_distance(key, candidate).min(moved), candidate)
        })
        .min();
    match nearest {
        Some((distance, candidate)) if distance <= (last(key).len() / 3).max(2) => {
            format!("did you mean {candidate:?}?")
        }
        _ if known.is_empty() => "there are no keys here".to_owned(),
        _ => format!("known keys: {}", known.join(", ")),
    }
}

/// Levenshtein distance over characters; `-` and `_` count as the same.
fn edit_distance(a: &str, b: &str) -> usize {
    let normal = |text: &str| -> Vec<char> { text.to_lowercase().replace('-', "_").chars().collect() };
    let (a, b) = (normal(a), normal(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    // distances from the definition, by hand
    #[test]
    fn edit_distance_counts_single_edits() {
        for (a, b, expected) in [
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("epochs", "epoch", 1),
            ("run-dir", "run_dir", 0),
            ("ab", "ba", 2),
        ] {
            assert_eq!(edit_distance(a, b), expected, "{a} {b}");
            assert_eq!(edit_distance(b, a), expected, "{b} {a}");
        }
    }
}
