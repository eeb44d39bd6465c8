//! `metrics.json` of the run folder, in the form that the pipelines write and the experiment runner reads.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use nn_core::atomic;
use serde::Serialize;

/// Mean and spread of one metric over the seeds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary {
    mean: f64,
    /// Divisor n − 1; absent for a single value.
    #[serde(skip_serializing_if = "Option::is_none")]
    sd: Option<f64>,
    values: Vec<f64>,
}

impl Summary {
    /// None of no values.
    fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let sd = (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt());
        Some(Self { mean, sd, values: values.to_vec() })
    }
}

/// What a run measures.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    task: String,
    dataset: String,
    protocol: String,
    split: String,
    models: usize,
    seeds: Vec<u64>,
    epochs: Vec<usize>,
    metrics: BTreeMap<String, Summary>,
    baselines: BTreeMap<String, BTreeMap<String, f64>>,
    device: String,
    wall_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_mb: Option<f64>,
    version: String,
    #[serde(skip)]
    began: Instant,
}

impl Report {
    pub(crate) fn new(protocol: &str, split: &str, seeds: &[u64]) -> Self {
        Self {
            task: "classification and reconstruction".to_owned(),
            dataset: "samples".to_owned(),
            protocol: protocol.to_owned(),
            split: split.to_owned(),
            models: seeds.len(),
            seeds: seeds.to_vec(),
            epochs: Vec::new(),
            metrics: BTreeMap::new(),
            baselines: BTreeMap::new(),
            device: "cpu".to_owned(),
            wall_seconds: 0.0,
            peak_mb: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            began: Instant::now(),
        }
    }

    /// Records a metric, one value a seed, and prints it.
    pub(crate) fn metric(&mut self, name: &str, values: &[f64]) {
        if let Some(summary) = Summary::of(values) {
            let spread = summary.sd.map_or_else(String::new, |sd| format!(" ± {sd:.4}"));
            println!("{name:<32} {:.4}{spread}  ({:.0} s)", summary.mean, self.began.elapsed().as_secs_f64());
            self.metrics.insert(name.to_owned(), summary);
        }
    }

    /// Records what `baseline` has of the metric `name`.
    pub(crate) fn baseline(&mut self, baseline: &str, name: &str, value: f64) {
        self.baselines.entry(baseline.to_owned()).or_default().insert(name.to_owned(), value);
    }

    /// Mean of a metric that was recorded.
    pub(crate) fn mean(&self, name: &str) -> Option<f64> {
        self.metrics.get(name).map(|summary| summary.mean)
    }

    /// Names of the metrics so far.
    pub(crate) fn names(&self) -> Vec<String> {
        self.metrics.keys().cloned().collect()
    }

    /// Writes `metrics.json` into the run folder.
    pub(crate) fn write(mut self, folder: &Path) -> Result<()> {
        self.wall_seconds = self.began.elapsed().as_secs_f64();
        self.peak_mb = peak_mb();
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join("metrics.json");
        let text = serde_json::to_vec_pretty(&self).context("cannot put the metrics into text")?;
        atomic::write(&path, &text)?;
        println!("{} metrics in {}", self.metrics.len(), path.display());
        Ok(())
    }
}

/// Largest resident memory of this process so far in MB (10⁶ bytes); none where the system does not tell.
fn peak_mb() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}
