//! The command line, and what is said to who typed it.
#![allow(clippy::doc_markdown, reason = "documentation comments are the help here, which shows backticks as they are")]

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use workbench::args::{Common, Repeats};

pub(crate) use workbench::observe::counted;

/// Deep learning for health records: from hospital tables, FHIR and MEDS to calibrated predictions and their report.
#[derive(Debug, Parser)]
#[command(name = "galen-ehr", version, about, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Convert any source to a MEDS data set within a cap on memory; with a task also its labels, split and audit
    Prepare(Prepare),
    /// Write a table of what was known at each prediction time, for R, Python or a spreadsheet
    Features(Features),
    /// Train models, judge them beside the baselines, and write a report
    Train(Train),
    /// Judge trained models on labelled records
    Evaluate(Evaluate),
    /// Predict for every patient of a FHIR bundle, a MEDS data set or any other source
    Predict(Predict),
    /// Show what predictions rest on: codes, visits, measurements
    Explain(Explain),
    /// Look for leaks that make a score say more than it should; ends with 1 where it finds one
    Audit(Audit),
    /// Find who has a disease by rules of laboratory values, codes and notes, and count by arm
    Phenotype(Phenotype),
    /// Look codes up: ICD-9, ICD-10, CCS, NDC, RxNorm, ATC, with the maps between them
    Codes(Codes),
    /// List the published systems this binary has
    Systems,
    /// Train, judge and use a model on records generated on the spot
    Demo(Demo),
    /// Run a published study whose models are no yes-or-no predictors
    Experiment(Experiment),
    /// Measure speed
    #[command(hide = true)]
    Bench(Bench),
}

/// How records are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    /// A MEDS data set: data/**/*.parquet and metadata/
    Meds,
    /// A folder of the MIMIC-III tables
    Mimic3,
    /// A folder of the MIMIC-IV tables
    Mimic4,
    /// A folder of the eICU tables
    Eicu,
    /// A folder of OMOP CDM 5.3 or 5.4 tables
    Omop,
    /// FHIR R4 bundles or NDJSON: a file, a folder or an archive of them
    Fhir,
    /// PhysioNet 2012: a folder of the published text files, or the parquet files of its sets
    P12,
    /// The UCI diabetes set of 130 hospitals: diabetic_data.csv
    Diabetes130,
    /// Any table, by a mapping file (--mapping)
    Mapping,
}

/// Where records come from, and what is asked of them.
#[derive(Debug, Clone, Args)]
pub(crate) struct Source {
    /// Folder or file; names such as ehr/physionet2012 are looked up under the data root
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    /// Layout [default: told by what is there]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// What the columns of any table are
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) mapping: Option<PathBuf>,
    /// Cohort and question, as a file; some sets have their own, which is the default
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) task: Option<PathBuf>,
    /// Labels in the MEDS schema instead of a task
    #[arg(long, value_name = "FILE.parquet")]
    pub(crate) labels: Option<PathBuf>,
    /// Part of a set: of PhysioNet 2012 a, b or both (b is held out); of the diabetes set all, which keeps stays that
    /// ended in death or a hospice
    #[arg(long, value_name = "NAME")]
    pub(crate) part: Option<String>,
    /// Memory that a conversion may use, as 4GiB
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_memory: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Prepare {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Folder for the MEDS data set
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// How to divide: upstream, subject, calendar, site
    #[arg(long)]
    pub(crate) split: Option<String>,
    /// Folder of code tables: what stands above each code (ICD, CCS, ATC) goes into the set, so that a code that a model
    /// does not know stands for it
    #[arg(long, value_name = "FOLDER")]
    pub(crate) maps: Option<PathBuf>,
    /// Folder of the drug tables, or of the files of an RxNorm release
    #[arg(long, value_name = "FOLDER", requires = "maps")]
    pub(crate) drugs: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Features {
    #[command(flatten)]
    pub(crate) source: Source,
    /// How to divide: upstream, subject, calendar, site; columns are chosen on the training part [default: subject]
    #[arg(long)]
    pub(crate) split: Option<String>,
    /// What is made of the values of a code, comma separated; also first, sd, since
    /// [default: last,mean,min,max,count,slope]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) statistics: Vec<String>,
    /// Times before the prediction time, comma separated, as 24h,7d [default: all that is known]
    #[arg(long, value_name = "SPANS", value_delimiter = ',')]
    pub(crate) windows: Vec<String>,
    /// File for the table: .parquet or .csv
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Train {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Name of the data set in the results [default: name of the data folder or file]
    #[arg(long)]
    pub(crate) dataset: Option<String>,
    /// The network; `galen-ehr systems` lists them [default: gru]
    #[arg(long)]
    pub(crate) system: Option<String>,
    /// How to divide: upstream, subject, calendar, site [default: subject]
    #[arg(long)]
    pub(crate) split: Option<String>,
    /// Folds of a cross-validation, each model tested on another one [default: one held-out part for all models]
    #[arg(long)]
    pub(crate) folds: Option<usize>,
    #[command(flatten)]
    pub(crate) repeats: Repeats,
    /// Train although the audit finds a leak; the results say so
    #[arg(long)]
    pub(crate) allow_leaks: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Evaluate {
    /// Run folder or .safetensors file
    #[arg(long, value_name = "PATH")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Code prefix that divides the patients into subgroups, as GENDER//
    #[arg(long, value_name = "PREFIX")]
    pub(crate) subgroups: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Predict {
    /// Run folder (all its models, as an ensemble) or .safetensors file
    #[arg(long, value_name = "PATH")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Look at nothing behind this time [default: each patient's last event, or what the task asks]
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// File for the rows: .csv, or - for stdout
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) out: PathBuf,
    /// Also write a page with a timeline of each patient and what the prediction rests on
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Run folder (its first model is explained) or .safetensors file
    #[arg(long, value_name = "PATH")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Patients to explain, comma separated [default: those with the highest probabilities]
    #[arg(long, value_name = "IDS", value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) subject: Vec<i64>,
    /// Look at nothing behind this time [default: each patient's last event, or what the task asks]
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// Patients that are explained [default: 4]
    #[arg(long)]
    pub(crate) shown: Option<usize>,
    /// Folder for explanations.json and explanations.html
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(flatten)]
    pub(crate) source: Source,
    /// How to divide: upstream, subject, calendar, site
    #[arg(long)]
    pub(crate) split: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Phenotype {
    /// Name of a shipped rule, as t2dm, or a file
    #[arg(value_name = "RULE")]
    pub(crate) rule: String,
    #[command(flatten)]
    pub(crate) source: Source,
    /// The same as --data, for a set that is known by its name
    #[arg(long, value_name = "NAME", conflicts_with = "data")]
    pub(crate) dataset: Option<PathBuf>,
    /// File for the patients and their onset
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Codes {
    /// Codes, as 250.00, E11.9, ICD9CM/4280 or a drug's number
    #[arg(value_name = "CODE", required = true)]
    pub(crate) code: Vec<String>,
    /// Folder of the code tables [default: ehr/icd_maps under the data root]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) maps: Option<PathBuf>,
    /// Folder of the drug tables, or of the files of an RxNorm release [default: ehr/drug_maps under the data root]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) drugs: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Fewer patients and epochs: shows that everything runs, not that it learns
    #[arg(long)]
    pub(crate) quick: bool,
}

/// Which published study.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Which {
    /// Doctor AI: what the next admission will bring
    DoctorAi,
    /// Deep Patient: diseases to come from a representation learnt without labels
    DeepPatient,
    /// Dynamic-DeepHit on primary biliary cirrhosis
    DynamicDeephit,
    /// Skip-gram vectors of codes against their categories
    CodeEmbeddings,
    /// Med2Vec: vectors of codes and visits, and what the next visit will bring
    Med2vec,
}

#[derive(Debug, Args)]
pub(crate) struct Experiment {
    /// Which study
    #[arg(value_enum)]
    pub(crate) which: Which,
    /// Folder or file of the data [default: the study's own under the data root]
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    /// Layout [default: told by what is there]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Folder of the code tables [default: ehr/icd_maps under the data root]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) maps: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) repeats: Repeats,
}

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Measure {
    /// Tables to a MEDS data set
    Convert,
    /// A MEDS data set into memory
    Read,
    /// The table that logistic regression and trees read, of every subject at its last event
    Table,
    /// Hourly series, of every subject at its last event
    Series,
    /// An epoch of GRU-D on generated series
    GruD,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// What to measure
    #[arg(value_enum)]
    pub(crate) what: Measure,
    /// Tables or data set of `convert`, `read`, `table` and `series`
    #[arg(long, value_name = "PATH")]
    pub(crate) input: Option<PathBuf>,
    /// Layout of them [default: told by what is there]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Folder that `convert` writes to
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    /// Events of the MIMIC-shaped tables that `convert` generates where it is given no input
    #[arg(long, default_value_t = 1_000_000, value_parser = RangedU64ValueParser::<u64>::new().range(1000..=1 << 36))]
    pub(crate) events: u64,
    /// Memory that `convert` may use
    #[arg(long, value_name = "SIZE", default_value = "2GiB")]
    pub(crate) max_memory: String,
    /// Series of an epoch
    #[arg(long, default_value_t = 2880, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    pub(crate) rows: usize,
    /// Steps of a series
    #[arg(long, default_value_t = 48, value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000))]
    pub(crate) steps: usize,
    /// Series of a batch
    #[arg(long, default_value_t = 64, value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    pub(crate) batch: usize,
    /// Rounds
    #[arg(long, default_value_t = 3, value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000))]
    pub(crate) items: usize,
}
