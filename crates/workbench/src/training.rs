//! A run that trains models one after the other: settings and data that must be those it began with, and models that
//! are read back where they are done.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Instant;

use nn_core::train::{Checkpoints, Outcome, StopReason};
use serde::{Deserialize, Serialize};

use crate::args::Common;
use crate::exit::Interrupted;
use crate::observe::{METRICS_LOG, Reporter, logged_seconds, say};
use crate::record::{DataRecord, Environment, Input};
use crate::run::{DATA, ENVIRONMENT, METRICS, REPORT, RunError, RunFolder};

/// Files that a message names at most.
const LISTED: usize = 5;

/// What a run is.
pub struct Opening<'a, C> {
    /// The common options.
    pub common: &'a Common,
    /// Its folder.
    pub folder: &'a Path,
    /// Its settings, resolved.
    pub config: &'a C,
    /// What goes in.
    pub data: &'a DataRecord,
    /// How it is made.
    pub environment: Environment,
    /// Models that it trains.
    pub models: usize,
    /// The command that continues it.
    pub resume: &'a str,
}

/// An open run.
pub struct TrainingRun<'a> {
    /// The common options.
    pub common: &'a Common,
    /// Its folder.
    pub folder: RunFolder,
    /// How it is made.
    pub environment: Environment,
    /// The command that continues it.
    pub resume: &'a str,
    /// What its models are numbered by.
    noun: &'static str,
    began: Instant,
    /// Seconds that earlier processes trained.
    earlier: f64,
}

impl<'a> TrainingRun<'a> {
    /// Opens the folder, refuses to continue a run on other data or with other settings than those that `free` names by
    /// their dotted keys, and writes down what goes in. Its models differ by their seeds and are called `seed-0` and so
    /// on.
    ///
    /// # Errors
    /// [`RunError`].
    pub fn open<C: Serialize>(opening: Opening<'a, C>, free: impl Fn(&str) -> bool) -> Result<Self, RunError> {
        Self::open_by("seed", opening, free)
    }

    /// As [`TrainingRun::open`], for models that differ by something else than their seeds, such as the `fold` that
    /// they leave out: `noun` stands in the place of `seed` in the names of their files.
    ///
    /// # Errors
    /// [`RunError`].
    pub fn open_by<C: Serialize>(
        noun: &'static str,
        opening: Opening<'a, C>,
        free: impl Fn(&str) -> bool,
    ) -> Result<Self, RunError> {
        let began = Instant::now();
        let Opening { common, folder, config, data, environment, models, resume } = opening;
        let folder = RunFolder::open(folder, common.resume)?;
        refuse_other_settings(&folder, config, free)?;
        refuse_other_data(&folder, data)?;
        let mut earlier = 0.0;
        for i in 0..models {
            let log = folder.file(&format!("{}/{METRICS_LOG}", log_of(noun, i)))?;
            if log.is_file() {
                earlier += logged_seconds(&log).map_err(|error| RunError::Format {
                    path: log,
                    action: "read",
                    reason: error.to_string(),
                })?;
            }
        }
        // A folder that has these is finished, and a run that goes on is not.
        for name in [METRICS, REPORT] {
            let path = folder.file(name)?;
            if path.is_file() {
                fs::remove_file(&path).map_err(|source| RunError::Io { action: "remove", path, source })?;
            }
        }
        folder.write_config(config)?;
        folder.write_json(ENVIRONMENT, &environment)?;
        folder.write_json(DATA, data)?;
        Ok(Self { common, folder, environment, resume, noun, began, earlier })
    }

    /// Wall time of the whole run, that of earlier processes included.
    pub fn seconds(&self) -> f64 {
        self.earlier + self.began.elapsed().as_secs_f64()
    }

    /// Trains model `i` for up to `limit` epochs with `train`, goes on training it, or reads it with `load` where it is
    /// done; `save` writes it.
    ///
    /// # Errors
    /// What the closures report, [`RunError`], and [`Interrupted`] after Ctrl-C.
    pub fn model<M, E>(
        &self,
        i: usize,
        limit: usize,
        load: impl FnOnce(&Path) -> Result<M, E>,
        train: impl FnOnce(&Checkpoints, bool, &mut Reporter) -> Result<(M, Outcome), E>,
        save: impl FnOnce(&M, &Path) -> Result<(), E>,
    ) -> Result<Trained<M>, E>
    where
        E: From<RunError> + From<Interrupted>,
    {
        let noun = self.noun;
        let file = self.folder.file(&format!("model/{noun}-{i}.safetensors"))?;
        let log = log_of(noun, i);
        let summary = format!("{log}/outcome.json");
        if file.is_file() && self.folder.file(&summary)?.is_file() {
            let ended: Ended = self.folder.read_json(&summary)?;
            if ended.out_of_patience || ended.limit >= limit {
                say(self.common, &format!("model {i}: trained before, read from {}", file.display()));
                let Ended { epochs, best_epoch, .. } = ended;
                return Ok(Trained { model: load(&file)?, epochs, best_epoch, log });
            }
            say(self.common, &format!("model {i}: trained for {} epochs before, now for up to {limit}", ended.epochs));
        }
        let checkpoints = Checkpoints::new(self.folder.checkpoints().join(format!("{noun}-{i}")));
        let mut reporter =
            Reporter::new(&self.folder.file(&log)?, self.common.verbosity()).title(&format!("model {i}"));
        let (model, outcome) = train(&checkpoints, self.folder.resumed(), &mut reporter).inspect_err(|_| {
            let checkpoints = self.folder.checkpoints();
            say(
                self.common,
                &format!("model {i} was not trained to its end; its checkpoints are in {}", checkpoints.display()),
            );
        })?;
        let (epochs, best_epoch) = (outcome.epochs_run, outcome.best_epoch);
        if outcome.stopped != StopReason::Interrupted {
            let models = self.folder.file("model")?;
            fs::create_dir_all(&models).map_err(|source| RunError::Io { action: "create", path: models, source })?;
            save(&model, &file)?;
            let out_of_patience = outcome.stopped == StopReason::NoImprovement;
            self.folder.write_json(&summary, &Ended { epochs, best_epoch, limit, out_of_patience })?;
        }
        // A disk that is too full for the log is no reason to lose a model.
        if let Err(error) = reporter.finish() {
            say(self.common, &format!("warning: the log of model {i} is not complete: {error}"));
        }
        if outcome.stopped == StopReason::Interrupted {
            return Err(Interrupted { resume: self.resume.to_owned() }.into());
        }
        Ok(Trained { model, epochs, best_epoch, log })
    }
}

/// Name of the folder of a model's log.
fn log_of(noun: &str, i: usize) -> String {
    format!("logs/{noun}-{i}")
}

/// A model with what training it came to.
pub struct Trained<M> {
    /// The model.
    pub model: M,
    /// Epochs that it was trained.
    pub epochs: usize,
    /// The epoch whose weights it has, from 0, where one was chosen.
    pub best_epoch: Option<usize>,
    /// Name of the folder in the run folder with the model's learning curve.
    pub log: String,
}

/// `outcome.json`: how the training of a model ended.
#[derive(Debug, Serialize, Deserialize)]
struct Ended {
    epochs: usize,
    best_epoch: Option<usize>,
    /// Epochs that it was allowed.
    limit: usize,
    /// Whether it stopped because it no longer got better.
    out_of_patience: bool,
}

/// A path as a shell takes it.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:@,".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Refuses to continue a run with other settings than those that `free` names by their dotted keys: its result would be
/// a mixture.
///
/// # Errors
/// [`RunError::Other`] with each setting, what it was and what it is; [`RunError`] if the folder cannot be read.
pub fn refuse_other_settings<C: Serialize>(
    folder: &RunFolder,
    config: &C,
    free: impl Fn(&str) -> bool,
) -> Result<(), RunError> {
    let said = |value: &str| if value.is_empty() { "not set".to_owned() } else { value.to_owned() };
    let changed: Vec<String> = folder
        .changes(config)?
        .into_iter()
        .filter(|change| !free(&change.key))
        .map(|change| format!("{} was {}, is {}", change.key, said(&change.before), said(&change.after)))
        .collect();
    refuse(folder, "with other settings", "give the same ones", &changed)
}

/// Refuses to continue a run on other data than it began with.
///
/// # Errors
/// [`RunError::Other`] with each file, what it was and what it is; [`RunError`] if the folder cannot be read.
pub fn refuse_other_data(folder: &RunFolder, now: &DataRecord) -> Result<(), RunError> {
    if !folder.file(DATA)?.is_file() {
        return Ok(());
    }
    let before: DataRecord = folder.read_json(DATA)?;
    let of = |record: &DataRecord, name: &str| {
        let input = record.inputs.iter().find(|input| input.name == name);
        input.map_or_else(|| "nothing".to_owned(), |Input { bytes, sha256, .. }| format!("{bytes} bytes, {sha256}"))
    };
    let names: BTreeSet<&str> = before.inputs.iter().chain(&now.inputs).map(|input| input.name.as_str()).collect();
    let mut changed: Vec<String> = names
        .into_iter()
        .map(|name| (name, of(&before, name), of(now, name)))
        .filter(|(_, before, now)| before != now)
        .take(LISTED)
        .map(|(name, before, now)| format!("{name} was {before}, is {now}"))
        .collect();
    if before.kept != now.kept {
        changed.push(format!("{} rows were used, now there are {}", before.kept, now.kept));
    }
    refuse(folder, "on other data", "restore it", &changed)
}

fn refuse(folder: &RunFolder, how: &'static str, remedy: &'static str, changed: &[String]) -> Result<(), RunError> {
    if changed.is_empty() {
        return Ok(());
    }
    Err(RunError::Other { path: folder.path().to_path_buf(), how, changes: changed.join("; "), remedy })
}
