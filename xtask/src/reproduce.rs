//! `cargo xtask reproduce NAME`: run an experiment as its file says, compare, record.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    data,
    experiment::{Experiment, Step, files, merge},
    manifest::{Manifest, State, digests},
    process,
    results::{self, Entry, Metric},
    text,
    workspace::Workspace,
};

/// What to do about files that no server is known to have.
const BY_HAND: &str = "put it in place by hand (it has no address; `cargo xtask data list` says where it is from)";

/// Arguments of `reproduce`.
#[derive(Debug, Args)]
pub(crate) struct ReproduceArgs {
    /// Experiment (default: list them)
    name: Option<String>,
    /// Check in minutes that every part runs; nothing is compared or recorded
    #[arg(long)]
    smoke: bool,
    /// Setting passed on to the pipeline, recorded with the result
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// What a reader of the result must know, recorded with it
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Run folder (default: runs/NAME/DATE)
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Arguments passed on to every step, replacing those of the same name; recorded with the result
    #[arg(last = true, value_name = "ARGS")]
    extra: Vec<String>,
}

/// What a pipeline leaves in `<run>/metrics.json`; only what is recorded.
#[derive(Debug, Deserialize)]
pub(crate) struct RunMetrics {
    #[serde(default)]
    models: u64,
    #[serde(default)]
    seeds: Vec<u64>,
    #[serde(default)]
    epochs: Vec<u64>,
    /// Metrics with their spread.
    pub(crate) metrics: BTreeMap<String, Metric>,
    #[serde(default)]
    baselines: BTreeMap<String, BTreeMap<String, Value>>,
    device: String,
    #[serde(default)]
    peak_mb: Option<f64>,
    /// Seconds of the whole run, those before a resumption included.
    #[serde(default)]
    wall_seconds: Option<f64>,
    /// Commit that the program was built from, where its build knew it.
    #[serde(default)]
    commit: Option<String>,
}

impl RunMetrics {
    /// Baselines by name and metric. A value is a number, or an object with a mean as metrics are; what is neither is left out.
    pub(crate) fn baseline_values(&self) -> BTreeMap<String, BTreeMap<String, f64>> {
        let value = |value: &Value| value.as_f64().or_else(|| value.get("mean").and_then(Value::as_f64));
        let values = |of: &BTreeMap<String, Value>| {
            of.iter().filter_map(|(metric, found)| Some((metric.clone(), value(found)?))).collect()
        };
        self.baselines.iter().map(|(name, of)| (name.clone(), values(of))).collect()
    }
}

/// What all steps together measured.
#[derive(Debug, Default)]
struct Measured {
    models: Option<u64>,
    seeds: Vec<u64>,
    epochs: Vec<u64>,
    metrics: BTreeMap<String, Metric>,
    baselines: BTreeMap<String, BTreeMap<String, f64>>,
    device: String,
    peak_mb: Option<f64>,
    wall: Duration,
    /// Commits of the programs, in the order of their use.
    commits: Vec<String>,
}

/// Runs the verb.
///
/// # Errors
/// The experiment or its data is not there, a step fails, or (without `--smoke`) a bound is broken; the result is recorded first.
pub(crate) fn run(workspace: &Workspace, args: &ReproduceArgs) -> Result<()> {
    let Some(name) = &args.name else {
        return list(workspace);
    };
    let experiment = Experiment::load(workspace, name)?;
    let (data_root, hashes) = check_data(workspace, &experiment)?;
    let binary = experiment.program(workspace)?;
    let run_dir = run_dir(workspace, name, args)?;
    eprintln!(
        "{}\n{} ({})\ncost: {}\nrun folder: {}",
        experiment.title,
        experiment.paper,
        experiment.citation,
        experiment.cost,
        run_dir.display()
    );

    let mut passed_on: Vec<String> =
        args.set.iter().flat_map(|setting| ["--set".to_owned(), setting.clone()]).collect();
    passed_on.extend(args.extra.iter().cloned());
    let mut measured = Measured::default();
    for step in &experiment.steps {
        let folder = if experiment.steps.len() == 1 { run_dir.clone() } else { run_dir.join(&step.name) };
        let smoke = args.smoke.then_some(experiment.smoke.as_slice());
        let places =
            [("{data}", data_root.as_path()), ("{root}", workspace.root.as_path()), ("{run}", folder.as_path())];
        let step_args = step_args(step, &places, smoke, &passed_on);
        eprintln!("step {}: {}", step.name, process::line(&binary, &step_args));
        measured.commits.extend(begun_by(&folder));
        let elapsed =
            process::run(&binary, &step_args, &workspace.root).with_context(|| format!("step {:?}", step.name))?;
        let metrics = read_metrics(&folder)?;
        // What the run wrote counts the processes before this one, where it was continued.
        let run = metrics.wall_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        measured.wall += run.unwrap_or(elapsed);
        measured.take(&experiment, step, metrics)?;
    }

    let commit = workspace.commit();
    let entry = Entry {
        experiment: name.clone(),
        domain: experiment.domain.clone(),
        built_from: built_from(&commit, &measured.commits),
        commit,
        date: text::now()?,
        device: measured.device,
        seeds: measured.seeds,
        models: measured.models.unwrap_or(0),
        epochs: measured.epochs,
        data: hashes,
        protocol: experiment.protocol.trim().to_owned(),
        arguments: passed_on,
        note: args.note.clone(),
        failures: results::broken(&experiment.bounds, &measured.metrics, &measured.baselines),
        passed: false,
        metrics: measured.metrics,
        baselines: measured.baselines,
        published: experiment.published.clone(),
        bounds: experiment.bounds.clone(),
        wall_seconds: text::milliseconds(measured.wall.as_secs_f64()),
        peak_mb: measured.peak_mb,
    };
    finish(workspace, &experiment, Entry { passed: entry.failures.is_empty(), ..entry }, args.smoke)
}

fn finish(workspace: &Workspace, experiment: &Experiment, entry: Entry, smoke: bool) -> Result<()> {
    text::print(&comparison(experiment, &entry))?;
    if smoke {
        let wanted = experiment.published.keys().chain(experiment.bounds.keys());
        let missing: Vec<&str> =
            wanted.filter(|metric| !entry.metrics.contains_key(*metric)).map(String::as_str).collect();
        if !missing.is_empty() {
            bail!("the run wrote no {}", missing.join(", "));
        }
        return text::print("smoke run: everything ran; nothing was compared or recorded\n");
    }
    results::append(workspace, &entry)?;
    text::print(&format!(
        "recorded in {}; `cargo xtask report` updates the README\n",
        workspace.results_file().display()
    ))?;
    if !entry.passed {
        bail!("{} is outside its bounds: {}", entry.experiment, entry.failures.join("; "));
    }
    Ok(())
}

fn list(workspace: &Workspace) -> Result<()> {
    let mut rows = Vec::new();
    for (name, _) in files(workspace)? {
        let experiment = Experiment::load(workspace, &name)?;
        let dataset = experiment.dataset.unwrap_or_else(|| "–".to_owned());
        rows.push(vec![name, dataset, experiment.title, experiment.cost]);
    }
    text::print(&text::table(&["experiment", "data set", "what", "cost"], &rows))
}

/// The data root, and the hashes of the files of the experiment's data set that are there; none of them where it needs no data set.
fn check_data(workspace: &Workspace, experiment: &Experiment) -> Result<(PathBuf, BTreeMap<String, String>)> {
    let Some(name) = &experiment.dataset else {
        return Ok((workspace.any_data_root().to_path_buf(), BTreeMap::new()));
    };
    let manifest = Manifest::load(workspace)?;
    let dataset = manifest.get(name)?;
    let root = workspace.data_root(dataset);
    let mut hashes = BTreeMap::new();
    let (mut absent, mut in_place) = (Vec::new(), Vec::new());
    for (file, state) in dataset.files.iter().zip(data::states(dataset, workspace)?) {
        match state {
            State::Good => {
                hashes.insert(file.path.clone(), file.sha256.clone());
            }
            State::Absent => absent.push(file.path.as_str()),
            State::Replaced => in_place.extend(file.replaced_by.as_deref()),
            State::Different(how) => {
                let remedy = if file.url.is_some() {
                    format!("`cargo xtask data get {} --replace`", dataset.name)
                } else {
                    BY_HAND.to_owned()
                };
                bail!("{}: {how}; the experiment needs the file that the manifest names: {remedy}", file.path);
            }
        }
    }
    if hashes.is_empty() {
        let remedy = if dataset.files.iter().any(|file| file.url.is_some()) {
            format!("get it with `cargo xtask data get {}`", dataset.name)
        } else {
            BY_HAND.to_owned()
        };
        bail!(
            "the data set {:?} is not in {}; {remedy}, or name its folder with --data-root or $GALEN_DATA",
            dataset.name,
            workspace.data_roots_text()
        );
    }
    hashes.extend(digests(root, in_place)?);
    if !absent.is_empty() {
        eprintln!("note: not present, which matters only if the pipeline reads them: {}", absent.join(", "));
    }
    // The pipeline may be started in another folder than this program.
    let root = root.canonicalize().with_context(|| format!("cannot find {}", root.display()))?;
    Ok((root, hashes))
}

fn run_dir(workspace: &Workspace, name: &str, args: &ReproduceArgs) -> Result<PathBuf> {
    let folder = match &args.run_dir {
        Some(folder) => std::path::absolute(folder).with_context(|| format!("cannot use {}", folder.display()))?,
        None if args.smoke => {
            let folder = workspace.scratch("smoke").join(name);
            if folder.exists() {
                fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
            }
            folder
        }
        None => workspace.root.join("runs").join(name).join(text::now()?.replace(':', "-")),
    };
    let parent = folder.parent().unwrap_or(&folder);
    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    Ok(folder)
}

/// The arguments of `step` with each mark of `places` replaced by its folder.
fn step_args(step: &Step, places: &[(&str, &Path)], smoke: Option<&[String]>, passed_on: &[String]) -> Vec<String> {
    let placed = |arg: &String| {
        places.iter().fold(arg.clone(), |arg, (mark, folder)| arg.replace(mark, &folder.display().to_string()))
    };
    let base: Vec<String> = step.args.iter().map(placed).collect();
    let base = merge(&base, smoke.unwrap_or_default());
    merge(&base, passed_on)
}

/// What the run in the folder `run` measured.
///
/// # Errors
/// It left no `metrics.json`, or one that is not what a pipeline writes.
pub(crate) fn read_metrics(run: &Path) -> Result<RunMetrics> {
    let path = run.join("metrics.json");
    let text = fs::read_to_string(&path).with_context(|| format!("the step left no {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not what a pipeline writes", path.display()))
}

/// The commit of the program that last worked in the folder `run`, if that begins before this step: a run that is continued.
fn begun_by(run: &Path) -> Option<String> {
    let text = fs::read_to_string(run.join("environment.json")).ok()?;
    let environment: Value = serde_json::from_str(&text).ok()?;
    environment.get("commit").and_then(Value::as_str).map(str::to_owned)
}

/// Each of the commits `used` once, in their order; none where all are the one checked out.
fn built_from(checkout: &str, used: &[String]) -> Vec<String> {
    let head = checkout.trim_end_matches("-dirty");
    let mut found: Vec<String> = Vec::new();
    for commit in used {
        // A build may know fewer digits of a commit, or more.
        let same = head.starts_with(commit.as_str()) || commit.starts_with(head);
        let commit = if same { checkout } else { commit.as_str() };
        if !found.iter().any(|known| known == commit) {
            found.push(commit.to_owned());
        }
    }
    if found.iter().all(|known| known == checkout) { Vec::new() } else { found }
}

impl Measured {
    fn take(&mut self, experiment: &Experiment, step: &Step, run: RunMetrics) -> Result<()> {
        if !self.device.is_empty() && self.device != run.device {
            bail!("step {:?} ran on {}, an earlier one on {}", step.name, run.device, self.device);
        }
        let baselines = run.baseline_values();
        self.device = run.device;
        self.models = Some(self.models.map_or(run.models, |models| models.min(run.models)));
        for seed in run.seeds {
            if !self.seeds.contains(&seed) {
                self.seeds.push(seed);
            }
        }
        self.epochs.extend(run.epochs);
        self.commits.extend(run.commit);
        self.peak_mb = match (self.peak_mb, run.peak_mb) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
        for (metric, value) in run.metrics {
            self.metrics.insert(experiment.qualified(step, &metric), value);
        }
        for (baseline, values) in baselines {
            let known = self.baselines.entry(baseline).or_default();
            known.extend(values.into_iter().map(|(metric, value)| (experiment.qualified(step, &metric), value)));
        }
        Ok(())
    }
}

/// The table that is printed at the end: published, ours, baselines, bounds.
fn comparison(experiment: &Experiment, entry: &Entry) -> String {
    let mut rows = Vec::new();
    for (name, metric) in &entry.metrics {
        let published = entry.published.get(name).map_or_else(String::new, |value| format!("{:.3}", value.value));
        let bound = entry.bounds.get(name).map_or_else(String::new, |bound| {
            let limits = [
                bound.max.map(|max| format!("<= {max}")),
                bound.min.map(|min| format!(">= {min}")),
                bound.below.as_ref().map(|baseline| format!("< {baseline}")),
                bound.above.as_ref().map(|baseline| format!("> {baseline}")),
            ];
            limits.into_iter().flatten().collect::<Vec<_>>().join(", ")
        });
        rows.push(vec![name.clone(), published, crate::report::spread(metric), bound]);
    }
    let mut out = text::table(&["metric", "published", "ours", "bound"], &rows);
    let mut rows = Vec::new();
    for (origin, baselines) in [("this run", &entry.baselines), ("elsewhere", &experiment.reference)] {
        for (baseline, values) in baselines {
            let shown =
                values.iter().map(|(metric, value)| format!("{metric} {value:.4}")).collect::<Vec<_>>().join(", ");
            rows.push(vec![baseline.clone(), origin.to_owned(), shown]);
        }
    }
    if !rows.is_empty() {
        out.push('\n');
        out.push_str(&text::table(&["baseline", "computed", "values"], &rows));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_told_where_they_are_not_the_one_checked_out() {
        let of = |checkout: &str, used: &[&str]| {
            built_from(checkout, &used.iter().map(|&commit| commit.to_owned()).collect::<Vec<_>>())
        };
        let (head, changed) = ("67bf71f8fa70", "67bf71f8fa70-dirty");
        assert!(of(head, &[]).is_empty());
        assert!(of(head, &["67bf71f", "67bf71f8fa70a1b2c3"]).is_empty());
        assert!(of(changed, &["67bf71f"]).is_empty());
        assert_eq!(of(head, &["5c3842b", "5c3842b"]), ["5c3842b"]);
        assert_eq!(of(changed, &["5c3842b", "67bf71f", "5c3842b"]), ["5c3842b", changed]);
        assert_eq!(of("unknown", &["5c3842b"]), ["5c3842b"]);
    }
}
