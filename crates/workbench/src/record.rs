//! What a run writes down about itself: where it ran, what went in, what came out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// `environment.json`: what else decides the result, besides configuration and data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Commit of the source, where the build knew it.
    pub commit: Option<String>,
    /// Version of each crate that matters, by name.
    pub versions: BTreeMap<String, String>,
    /// Device that computes, as `--device` names it.
    pub device: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Model of the processor, where the system tells.
    pub cpu: Option<String>,
    /// Processor architecture and operating system, as `x86_64-linux`.
    pub target: String,
    /// Seed of everything random.
    pub seed: u64,
    /// When the run was started, in seconds since 1970-01-01 UTC.
    pub started: u64,
}

impl Environment {
    /// Describes this process. `commit` defaults to what `GALEN_COMMIT` held when this crate was built; `versions` are
    /// the name and version of the binary and of the libraries that decide its numbers.
    pub fn collect(commit: Option<&str>, versions: &[(&str, &str)], device: &str, seed: u64) -> Self {
        let mut versions: BTreeMap<String, String> =
            versions.iter().map(|&(name, version)| (name.to_owned(), version.to_owned())).collect();
        versions.insert(env!("CARGO_PKG_NAME").to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        Self {
            commit: commit.or(option_env!("GALEN_COMMIT")).map(str::to_owned),
            versions,
            device: device.to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            cpu: cpu_model(),
            target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            seed,
            started: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs()),
        }
    }
}

/// One input file of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// What it is, as `davis affinities`.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// SHA-256 of its content, in hexadecimal.
    pub sha256: String,
}

impl Input {
    /// Measures a file.
    ///
    /// # Errors
    /// What the operating system says when the file cannot be read.
    pub fn of(name: &str, path: &Path) -> io::Result<Self> {
        let mut reader = BufReader::with_capacity(1 << 16, File::open(path)?);
        let mut digest = Sha256::new();
        let mut bytes = 0;
        let mut buffer = vec![0_u8; 1 << 16];
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            digest.update(&buffer[..read]);
            bytes += read as u64;
        }
        let mut sha256 = String::with_capacity(64);
        for byte in digest.finalize() {
            let _ = write!(sha256, "{byte:02x}");
        }
        Ok(Self { name: name.to_owned(), bytes, sha256 })
    }
}

/// `data.json`: what went in, and what became of each row of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataRecord {
    /// The input files.
    pub inputs: Vec<Input>,
    /// Rows that are used.
    pub kept: usize,
    /// Rows that are not, by reason.
    pub dropped: BTreeMap<String, usize>,
    /// Name of the way the rows are split, as `cold-drug`.
    pub split: Option<String>,
    /// Rows in each part of the split.
    pub parts: BTreeMap<String, usize>,
}

/// Mean and spread of one metric over the repeats of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Mean of `values`.
    pub mean: f64,
    /// Standard deviation of `values` with divisor n − 1; `None` for a single value.
    pub sd: Option<f64>,
    /// One value for each repeat.
    pub values: Vec<f64>,
    /// Lower end of the confidence interval, where one was computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end of the confidence interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

impl Summary {
    /// Summarises `values`; `None` if there are none.
    pub fn of(values: Vec<f64>) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let sd = (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt());
        Some(Self { mean, sd, values, low: None, high: None })
    }

    /// Adds a confidence interval.
    pub fn interval(mut self, low: f64, high: f64) -> Self {
        self.low = Some(low);
        self.high = Some(high);
        self
    }
}

/// The data part of [`RunMetrics`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSummary {
    /// Rows used.
    pub rows: usize,
    /// SHA-256 of each input file, by name.
    pub sha256: BTreeMap<String, String>,
}

/// `metrics.json`: what came out. The experiment runner reads it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunMetrics {
    /// What was predicted, as `affinity`.
    pub task: String,
    /// Name of the data set.
    pub dataset: String,
    /// Protocol of the experiment, as `paper`.
    pub protocol: String,
    /// Name of the split.
    pub split: String,
    /// Models trained for each repeat (an ensemble has more than one).
    pub models: usize,
    /// Seed of each repeat.
    pub seeds: Vec<u64>,
    /// Epochs run in each repeat.
    pub epochs: Vec<usize>,
    /// Metrics on the test part, by name.
    pub metrics: BTreeMap<String, Summary>,
    /// The same metrics of trivial predictors on the same split, by predictor and metric.
    pub baselines: BTreeMap<String, BTreeMap<String, f64>>,
    /// The data.
    pub data: DataSummary,
    /// Device that computed.
    pub device: String,
    /// Wall time in seconds.
    pub wall_seconds: f64,
    /// Peak memory in MB, where the system tells; see [`peak_memory_mb`].
    pub peak_mb: Option<f64>,
    /// Version of the binary.
    pub version: String,
    /// Commit of the source, where the build knew it.
    pub commit: Option<String>,
}

/// Largest resident memory of this process so far, in MB (10⁶ bytes); `None` where the system does not tell.
pub fn peak_memory_mb() -> Option<f64> {
    peak_in(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// `VmHWM:     1234 kB`; the kernel's kB are 1024 bytes.
fn peak_in(status: &str) -> Option<f64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}

fn cpu_model() -> Option<String> {
    model_in(&std::fs::read_to_string("/proc/cpuinfo").ok()?)
}

fn model_in(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_memory_is_read_from_the_kernels_text() {
        let status = "Name:\tgalen\nVmPeak:\t  900000 kB\nVmHWM:\t  500000 kB\nVmRSS:\t  400000 kB\n";
        assert_eq!(peak_in(status), Some(512.0));
        assert_eq!(peak_in("Name:\tgalen\n"), None);
        assert_eq!(model_in("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n").unwrap(), "Some CPU @ 2 GHz");
    }

    // sample standard deviation by hand: deviations -1, 0, 1, so sqrt(2 / 2)
    #[test]
    fn a_summary_uses_the_sample_deviation() {
        let summary = Summary::of(vec![1.0, 2.0, 3.0]).unwrap();
        assert_eq!((summary.mean, summary.sd), (2.0, Some(1.0)));
        assert_eq!(Summary::of(vec![4.0]).unwrap().sd, None);
        assert_eq!(Summary::of(Vec::new()), None);
    }

    // FIPS 180-2, appendix B.1
    #[test]
    fn an_input_carries_length_and_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let input = Input::of("three letters", &path).unwrap();
        assert_eq!(input.bytes, 3);
        assert_eq!(input.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn an_environment_names_device_seed_and_versions() {
        let environment = Environment::collect(Some("abc123"), &[("drug", "0.1.0")], "cpu", 7);
        assert_eq!(environment.commit.as_deref(), Some("abc123"));
        assert_eq!(environment.versions["drug"], "0.1.0");
        assert_eq!((environment.device.as_str(), environment.seed), ("cpu", 7));
        assert!(environment.cores >= 1);
        assert!(environment.versions.contains_key("workbench"));
    }
}
