//! `metrics.jsonl`: appended to line by line, cut back when a run is resumed, read for the learning curves.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::ObserveError;

/// The file, open for appending.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Opens the file. `from` is the epoch and step at which a resumed run goes on: what the file holds from there on,
    /// and a line that a killed process left unfinished, is cut off. Without it the file starts empty. Returns the
    /// number of steps that the last remaining line counts, too.
    pub(super) fn open(path: &Path, from: Option<(usize, usize)>) -> Result<(Self, u64), ObserveError> {
        let failed = |action| move |source| ObserveError::Io { action, path: path.to_path_buf(), source };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed("create the folder of"))?;
        }
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed("read")(error)),
        };
        let (keep, total_steps) = from.map_or((0, 0), |from| kept(&text, from));
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(failed("open"))?;
        file.set_len(keep as u64).and_then(|()| file.seek(SeekFrom::End(0))).map_err(failed("cut back"))?;
        Ok((Self { path: path.to_path_buf(), file }, total_steps))
    }

    /// Appends one line in one write.
    pub(super) fn append(&mut self, line: &Value) -> Result<(), ObserveError> {
        let text = format!("{line}\n");
        self.file.write_all(text.as_bytes()).and_then(|()| self.file.flush()).map_err(|source| ObserveError::Io {
            action: "write",
            path: self.path.clone(),
            source,
        })
    }
}

/// How many bytes of the file stand before `from`, and the number of steps that the last line of them counts.
fn kept(text: &[u8], from: (usize, usize)) -> (usize, u64) {
    let (mut keep, mut total_steps) = (0, 0);
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let whole = line.ends_with(b"\n");
        let Ok(object) = serde_json::from_slice::<Value>(line) else { break };
        match position(&object) {
            Some(position) if whole && position < from => {
                keep += line.len();
                total_steps = object["total_steps"].as_u64().unwrap_or(total_steps);
            }
            _ => break,
        }
    }
    (keep, total_steps)
}

/// Epoch and step of a line; what stands at the end of an epoch comes after all of its steps.
fn position(line: &Value) -> Option<(usize, usize)> {
    let epoch = line["epoch"].as_u64()? as usize;
    let step = line["step"].as_u64().map_or(usize::MAX, |step| step as usize);
    Some((epoch, step))
}

/// One curve of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// `train loss`, or `validation` and the name of the metric.
    pub name: String,
    /// Epoch, from 1, and value; values that are not finite are left out.
    pub points: Vec<(f64, f64)>,
}

/// The learning curves in a `metrics.jsonl`, in the order in which they first appear.
///
/// # Errors
/// [`ObserveError::Io`] if the file cannot be read. An unfinished last line is passed over.
pub fn curves(path: &Path) -> Result<Vec<Curve>, ObserveError> {
    let mut curves: Vec<Curve> = Vec::new();
    for object in objects(path)? {
        let Some(epoch) = object["epoch"].as_u64() else { continue };
        let x = epoch as f64 + 1.0;
        match object["event"].as_str() {
            Some("epoch") => add(&mut curves, "train loss".to_owned(), x, object["train_loss"].as_f64()),
            Some("validated") => {
                for (name, value) in object["metrics"].as_object().into_iter().flatten() {
                    add(&mut curves, format!("validation {name}"), x, value.as_f64());
                }
            }
            _ => {}
        }
    }
    Ok(curves)
}

/// Seconds that the epochs in a `metrics.jsonl` took, those before a resumption included.
///
/// # Errors
/// [`ObserveError::Io`] if the file cannot be read.
pub fn logged_seconds(path: &Path) -> Result<f64, ObserveError> {
    let epochs = objects(path)?.into_iter().filter(|object| object["event"] == "epoch");
    Ok(epochs.filter_map(|object| object["seconds"].as_f64()).sum())
}

/// The lines of a log; one that is no JSON, such as an unfinished last one, is passed over.
fn objects(path: &Path) -> Result<Vec<Value>, ObserveError> {
    let text =
        fs::read(path).map_err(|source| ObserveError::Io { action: "read", path: path.to_path_buf(), source })?;
    Ok(text.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

fn add(curves: &mut Vec<Curve>, name: String, x: f64, y: Option<f64>) {
    let Some(y) = y else { return };
    match curves.iter_mut().find(|curve| curve.name == name) {
        Some(curve) => curve.points.push((x, y)),
        None => curves.push(Curve { name, points: vec![(x, y)] }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 6] = [
        r#"{"event":"started","epoch":0,"step":0,"total_steps":0}"#,
        r#"{"event":"step","epoch":0,"step":1,"total_steps":2}"#,
        r#"{"event":"epoch","epoch":0,"total_steps":4}"#,
        r#"{"event":"step","epoch":1,"step":1,"total_steps":6}"#,
        r#"{"event":"step","epoch":1,"step":3,"total_steps":8}"#,
        r#"{"event":"epoch","epoch":1,"total_steps":8}"#,
    ];

    fn remaining(from: (usize, usize)) -> (usize, u64) {
        let text = LINES.join("\n") + "\n";
        let (bytes, steps) = kept(text.as_bytes(), from);
        (text[..bytes].lines().count(), steps)
    }

    #[test]
    fn a_resumed_run_keeps_what_came_before_it() {
        assert_eq!(remaining((1, 0)), (3, 4));
        assert_eq!(remaining((1, 2)), (4, 6));
        // a checkpoint at the end of epoch 1, before its end was logged again
        assert_eq!(remaining((1, 4)), (5, 8));
        assert_eq!(remaining((2, 0)), (6, 8));
        assert_eq!(remaining((0, 0)), (0, 0));
    }

    #[test]
    fn a_torn_line_is_cut_off() {
        let whole = format!("{}\n", LINES[0]);
        for torn in [r#"{"event":"epo"#, LINES[2]] {
            let text = format!("{whole}{torn}");
            assert_eq!(kept(text.as_bytes(), (9, 0)).0, whole.len(), "{torn}");
        }
    }
}
