//! Tells people and programs how training goes: a progress bar, `metrics.jsonl`, TensorBoard event files.
//!
//! The bar is drawn on stderr and only on a terminal; elsewhere there is one line an epoch. `metrics.jsonl` and the
//! event files are written whatever the verbosity. After a resumption they hold each step and each epoch once.

mod log;

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nn_core::train::{Event, Observer};
use serde_json::json;

use crate::args::{Common, Verbosity};
use crate::tensorboard::EventWriter;

use log::Log;
pub use log::{Curve, curves, logged_seconds};

/// Says a line on stderr, unless the command was asked to be quiet.
pub fn say(common: &Common, text: &str) {
    if common.verbosity() >= Verbosity::Normal {
        // A closed stderr is no reason to stop a run.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

/// A number with its noun, as `1 model` and `5 models`.
pub fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// Name of the file with one JSON object a line: each epoch, each validation, and every so many steps.
pub const METRICS_LOG: &str = "metrics.jsonl";

/// Steps between two that are logged, unless set otherwise.
const STEP_INTERVAL: u64 = 50;

/// The logs could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObserveError {
    /// The operating system refused something.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// An observer for [`nn_core::train::fit`] that shows and records.
pub struct Reporter {
    folder: PathBuf,
    verbosity: Verbosity,
    step_interval: u64,
    title: String,
    out: Option<Box<dyn Write>>,
    bar: Option<ProgressBar>,
    log: Option<Log>,
    board: Option<EventWriter>,
    failure: Option<ObserveError>,
    /// The line of an epoch that waits for its validation.
    pending: Option<String>,
    epochs: usize,
    total_steps: u64,
    rows: u64,
    since: Instant,
    learning_rate: Option<f64>,
}

impl Reporter {
    /// An observer that writes its files to `folder` and shows as much as `verbosity` asks for.
    pub fn new(folder: &Path, verbosity: Verbosity) -> Self {
        Self {
            folder: folder.to_path_buf(),
            verbosity,
            step_interval: STEP_INTERVAL,
            title: String::new(),
            out: None,
            bar: None,
            log: None,
            board: None,
            failure: None,
            pending: None,
            epochs: 0,
            total_steps: 0,
            rows: 0,
            since: Instant::now(),
            learning_rate: None,
        }
    }

    /// What is trained, as `seed 2 of 5`; it stands before each line.
    pub fn title(mut self, title: &str) -> Self {
        title.clone_into(&mut self.title);
        self
    }

    /// Logs every `steps`-th step; 0 logs none.
    pub fn step_interval(mut self, steps: u64) -> Self {
        self.step_interval = steps;
        self
    }

    /// Writes lines to `out` instead of stderr, without a bar.
    pub fn output(mut self, out: Box<dyn Write>) -> Self {
        self.out = Some(out);
        self
    }

    /// Ends the logs. Observing never stops a run, so what went wrong on the way is said here.
    ///
    /// # Errors
    /// [`ObserveError`], the first that occurred.
    pub fn finish(mut self) -> Result<(), ObserveError> {
        self.say_pending();
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if let Some(board) = &mut self.board
            && let Err(source) = board.flush()
        {
            let path = board.path().to_path_buf();
            self.failure.get_or_insert(ObserveError::Io { action: "write", path, source });
        }
        self.failure.map_or(Ok(()), Err)
    }

    fn say(&mut self, line: &str) {
        if self.verbosity == Verbosity::Quiet {
            return;
        }
        let line = if self.title.is_empty() { line.to_owned() } else { format!("{}: {line}", self.title) };
        // A closed stderr must not end a run.
        let _ = match (&self.bar, &mut self.out) {
            (Some(bar), _) => {
                bar.println(line);
                Ok(())
            }
            (None, Some(out)) => writeln!(out, "{line}").and_then(|()| out.flush()),
            (None, None) => writeln!(io::stderr().lock(), "{line}"),
        };
    }

    fn say_pending(&mut self) {
        if let Some(line) = self.pending.take() {
            self.say(&line);
        }
    }

    /// Keeps the first failure and says it once.
    fn failed(&mut self, error: ObserveError) {
        if self.failure.is_none() {
            self.say(&format!("warning: {error}; the run goes on without that log"));
            self.failure = Some(error);
        }
    }

    fn record(&mut self, line: &serde_json::Value) {
        let Some(log) = &mut self.log else { return };
        if let Err(error) = log.append(line) {
            self.log = None;
            self.failed(error);
        }
    }

    /// Adds scalars at the current step. The event file starts with the first of them, because only then is the step
    /// known at which a resumed run goes on.
    fn scalars(&mut self, values: &[(&str, f64)]) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64());
        if self.board.is_none() && self.failure.is_none() {
            match EventWriter::create(&self.folder, self.total_steps, now) {
                Ok(board) => self.board = Some(board),
                Err(source) => {
                    let path = self.folder.clone();
                    self.failed(ObserveError::Io { action: "create an event file in", path, source });
                }
            }
        }
        let Some(board) = &mut self.board else { return };
        if let Err(source) = board.scalars(self.total_steps, now, values).and_then(|()| board.flush()) {
            let path = board.path().to_path_buf();
            self.board = None;
            self.failed(ObserveError::Io { action: "write", path, source });
        }
    }

    fn started(&mut self, epochs: usize, epoch: usize, step: usize, resumed: bool) {
        self.epochs = epochs;
        self.since = Instant::now();
        self.rows = 0;
        let path = self.folder.join(METRICS_LOG);
        let from = if resumed { Some((epoch, step)) } else { None };
        match Log::open(&path, from) {
            Ok((log, total_steps)) => {
                self.log = Some(log);
                self.total_steps = total_steps;
            }
            Err(error) => self.failed(error),
        }
        self.record(&json!({
            "event": "started", "epoch": epoch, "step": step, "total_steps": self.total_steps,
            "epochs": epochs, "resumed": resumed,
        }));
        if resumed && epoch < epochs {
            self.say(&format!("resumed at epoch {} of {epochs}, step {}", epoch + 1, step + 1));
        }
    }

    fn step(&mut self, epoch: usize, step: usize, steps_in_epoch: usize, rows: usize, loss: f64) {
        self.rows += rows as u64;
        let wanted = self.out.is_none() && self.verbosity >= Verbosity::Normal && io::stderr().is_terminal();
        if self.bar.is_none() && wanted {
            let bar = bar((self.epochs * steps_in_epoch) as u64);
            // A resumed run's speed is that of its own steps.
            bar.set_position((epoch * steps_in_epoch + step) as u64);
            bar.reset_eta();
            self.bar = Some(bar);
        }
        if let Some(bar) = &self.bar {
            let speed = self.rows as f64 / self.since.elapsed().as_secs_f64().max(1e-9);
            bar.set_prefix(format!("epoch {}/{}", epoch + 1, self.epochs));
            bar.set_message(format!("{speed:.0} rows/s, loss {loss:.4}"));
            bar.set_position((epoch * steps_in_epoch + step + 1) as u64);
        }
    }
}

impl Observer for Reporter {
    fn event(&mut self, event: &Event) {
        if !matches!(event, Event::Validated { .. }) {
            self.say_pending();
        }
        match event {
            Event::Started { epochs, epoch, step, resumed } => self.started(*epochs, *epoch, *step, *resumed),
            Event::Damaged { reason } => self.say(&format!("warning: a checkpoint was passed over: {reason}")),
            Event::Step { epoch, step, steps_in_epoch, total_steps, rows, loss, grad_norm, learning_rate } => {
                self.total_steps = *total_steps;
                self.learning_rate = Some(*learning_rate);
                if self.step_interval > 0 && total_steps.is_multiple_of(self.step_interval) {
                    self.record(&json!({
                        "event": "step", "epoch": epoch, "step": step, "total_steps": total_steps, "rows": rows,
                        "loss": loss, "grad_norm": grad_norm, "learning_rate": learning_rate,
                    }));
                    let mut values = vec![("train/step_loss", *loss), ("train/learning_rate", *learning_rate)];
                    values.extend(grad_norm.map(|norm| ("train/gradient_norm", norm)));
                    self.scalars(&values);
                }
                self.step(*epoch, *step, *steps_in_epoch, *rows, *loss);
            }
            Event::EpochEnd { epoch, train_loss, seconds, rows } => {
                self.record(&json!({
                    "event": "epoch", "epoch": epoch, "total_steps": self.total_steps, "train_loss": train_loss,
                    "rows": rows, "seconds": seconds, "learning_rate": self.learning_rate,
                }));
                self.scalars(&[("train/loss", *train_loss)]);
                self.pending =
                    Some(format!("epoch {}/{}  loss {train_loss:.4}  {seconds:.1} s", epoch + 1, self.epochs));
            }
            Event::Validated { epoch, metrics, improved } => {
                let object: serde_json::Map<String, serde_json::Value> =
                    metrics.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
                self.record(&json!({
                    "event": "validated", "epoch": epoch, "total_steps": self.total_steps, "metrics": object,
                    "improved": improved,
                }));
                let named: Vec<(String, f64)> =
                    metrics.iter().map(|(name, value)| (format!("validation/{name}"), *value)).collect();
                let values: Vec<(&str, f64)> = named.iter().map(|(name, value)| (name.as_str(), *value)).collect();
                self.scalars(&values);
                let mut line = self.pending.take().unwrap_or_else(|| format!("epoch {}/{}", epoch + 1, self.epochs));
                for (name, value) in metrics {
                    let _ = write!(line, "  {name} {value:.4}");
                }
                if *improved {
                    line.push_str("  (best so far)");
                }
                self.say(&line);
            }
            Event::Checkpointed { path, .. } if self.verbosity >= Verbosity::Verbose => {
                self.say(&format!("checkpoint {}", path.display()));
            }
            Event::Stopped { reason } => {
                if let Some(bar) = self.bar.take() {
                    bar.finish_and_clear();
                }
                self.say(&format!("stopped after {} steps: {}", self.total_steps, reason.describe()));
            }
            Event::Failed { .. } => {
                // The error itself is what `fit` returns, and the binary prints that.
                if let Some(bar) = self.bar.take() {
                    bar.abandon();
                }
            }
            _ => {}
        }
    }
}

fn bar(steps: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} [{bar:30}] {percent}%, {msg}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
    ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr_with_hz(5)).with_style(style)
}
