//! The command line, and what is said to who typed it.
#![allow(clippy::doc_markdown, reason = "documentation comments are the help here, which shows backticks as they are")]

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use imaging::io::ReadOptions;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use workbench::args::{Common, Repeats};

pub(crate) use workbench::observe::counted;

/// Deep learning for medical imaging: from DICOM, NIfTI and pictures to segmentations and classifications, and back.
#[derive(Debug, Parser)]
#[command(name = "galen-imaging", version, about, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Read a whole set, and write its table, its audit, its split and a plan to train by
    Prepare(Prepare),
    /// Train models, judge them beside the baselines, and write a report
    Train(Train),
    /// Judge trained models on labelled cases or pictures
    Evaluate(Evaluate),
    /// Segment or classify DICOM series, volumes or pictures; segmentations come back on the grid of their source
    Predict(Predict),
    /// Draw what a prediction rests on, as overlays
    Explain(Explain),
    /// Look for duplicates, leakage and shortcuts that make a score say less than it seems to
    Audit(Audit),
    /// Choose spacing, patch, depth, batch and normalisation from the cases, as an editable file
    Plan(PlanArgs),
    /// List the published systems this binary has
    Systems,
    /// Remove what identifies a patient from a folder of DICOM files
    Deidentify(Deidentify),
    /// List DICOM files and series: what can be read, what is wrong with the geometry, what may identify a patient
    Inspect(Inspect),
    /// Read any volume and write it as NIfTI
    Convert(Convert),
    /// Train, judge and use a model on a phantom series generated on the spot
    Demo(Demo),
    /// Measure speed
    #[command(hide = true)]
    Bench(Bench),
}

/// How a set of cases or pictures is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    /// A folder with images/ and labels/ of the same file names
    Folders,
    /// A folder with imagesTr/ and labelsTr/, a file for each channel (_0000)
    NnUnet,
    /// Numbered pictures in image/ and label/, each a case of its own
    Slices,
    /// A table with the columns id, subject, image (image2 …) and label
    Table,
    /// A folder of folders of DICOM files, without labels
    Series,
    /// Labelled pictures in an npz file, as MedMNIST has them
    Npz,
    /// A folder for each class, with or without train/, val/ and test/ above them; or a table with the columns id, subject,
    /// image, label and part
    Pictures,
}

/// Where labelled cases or pictures come from.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// Folder, table or npz file; names such as imaging/msd_hippocampus_dev are looked up under the data root
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    /// Layout [default: told by what is there]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Names of the labels 1, 2, …, comma separated [default: label 1, label 2, …]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) names: Vec<String>,
    /// Use the first cases only
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct Prepare {
    #[command(flatten)]
    pub(crate) source: Source,
    /// How to divide: auto, upstream, random, subject, blocks
    #[arg(long)]
    pub(crate) split: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Train {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Name of the data set in the results [default: name of the data folder or file]
    #[arg(long)]
    pub(crate) dataset: Option<String>,
    /// The network; `galen-imaging systems` lists them [default: unet, for labelled pictures resnet18]
    #[arg(long)]
    pub(crate) system: Option<String>,
    /// Plan that `galen-imaging plan` wrote, edited or not [default: made from the training cases]
    #[arg(long, value_name = "PLAN.toml")]
    pub(crate) plan: Option<PathBuf>,
    /// How to divide: auto, upstream, random, subject, blocks
    #[arg(long)]
    pub(crate) split: Option<String>,
    /// Folds of a cross-validation, each model tested on another one [default: one test part for all models]
    #[arg(long)]
    pub(crate) folds: Option<usize>,
    #[command(flatten)]
    pub(crate) repeats: Repeats,
    /// Weights of a trained model of the same network, or of torchvision's (.pt, .pth); the body is kept and the head starts
    /// anew (classifiers)
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// The body of --weights does not learn: its head alone does
    #[arg(long)]
    pub(crate) freeze: bool,
    /// Where the lungs are, for sdfn: auto, a folder of masks named as the pictures, or a segmentation model [default: auto]
    #[arg(long, value_name = "PATH")]
    pub(crate) crop: Option<PathBuf>,
    /// Keep prepared cases in this folder, and in memory only as many as `cache.memory_mb` allows (segmentations)
    #[arg(long, value_name = "FOLDER")]
    pub(crate) cache: Option<PathBuf>,
    /// Cut patches ahead of their step on so many threads, within `loader.memory_mb` (segmentations)
    #[arg(long, value_name = "N")]
    pub(crate) loader_threads: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct Evaluate {
    /// Run folder or .safetensors file
    #[arg(long, value_name = "PATH")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Also write a table of all cases with their scores, or of all pictures with their probabilities
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) out: Option<PathBuf>,
}

/// What is done about DICOM series that are no grid as they are; they are refused by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Args)]
pub(crate) struct Reading {
    /// Correct gantry tilt and uneven slices by resampling instead of refusing the series
    #[arg(long)]
    pub(crate) allow_resample: bool,
    /// Read slices of several sizes, spacings or orientations, and localisers, as volumes of their own instead of refusing
    /// the series
    #[arg(long)]
    pub(crate) split_series: bool,
}

impl Reading {
    /// The same as options of the readers.
    pub(crate) fn options(self) -> ReadOptions {
        ReadOptions { allow_resample: self.allow_resample, split_series: self.split_series, ..ReadOptions::default() }
    }
}

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(crate) struct Predict {
    /// Run folder (all its models, as an ensemble) or .safetensors file
    #[arg(long, value_name = "PATH")]
    pub(crate) model: PathBuf,
    /// DICOM folder or file, NIfTI file, picture, or a folder of any of these; repeat it for each channel of one case
    #[arg(long, value_name = "PATH", required = true)]
    pub(crate) input: Vec<PathBuf>,
    /// Folder for the results
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// Keep the largest connected part of each label
    #[arg(long)]
    pub(crate) largest: bool,
    /// Also average over mirrored inputs (not for models of a left and a right side)
    #[arg(long)]
    pub(crate) mirror: bool,
    /// Also write the probability of each label: NIfTI, and parametric maps beside DICOM
    #[arg(long)]
    pub(crate) probabilities: bool,
    /// Write no overlays (secondary captures) beside DICOM segmentations
    #[arg(long)]
    pub(crate) no_overlay: bool,
    #[command(flatten)]
    pub(crate) series: Reading,
}

/// How a classifier's decision is divided among the places of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Method {
    /// Gradient-weighted activations of the last feature map
    GradCam,
    /// What the decision loses when a square is covered
    Occlusion,
    /// The two above, a file of each
    Both,
    /// Where a network with soft attention says that it looked
    Attention,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Run folder or .safetensors file of a classifier
    #[arg(long, value_name = "PATH")]
    pub(crate) model: PathBuf,
    /// Pictures, DICOM files, folders of them, or an npz file
    #[arg(long, value_name = "PATH", required = true)]
    pub(crate) input: Vec<PathBuf>,
    /// Folder for the overlays
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// How places get their share [default: grad-cam]
    #[arg(long, value_enum)]
    pub(crate) method: Option<Method>,
    /// Class to explain [default: the one that is predicted]
    #[arg(long, value_name = "NAME")]
    pub(crate) class: Option<String>,
    /// Pictures that are drawn [default: 8]
    #[arg(long)]
    pub(crate) shown: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(flatten)]
    pub(crate) source: Source,
    /// How to divide: auto, upstream, random, subject, blocks
    #[arg(long)]
    pub(crate) split: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) source: Source,
    /// File for the plan; - for stdout
    #[arg(long, value_name = "PLAN.toml", default_value = "-")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Deidentify {
    /// Folder of DICOM files
    #[arg(long, value_name = "FOLDER")]
    pub(crate) input: PathBuf,
    /// Folder for the files without identity; must not exist or be empty
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// File whose content keys the new identifiers and date shifts; the same key gives the same ones
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// DICOM file or folder
    #[arg(long, value_name = "PATH")]
    pub(crate) input: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// DICOM folder or file, NIfTI file, picture, numbered pictures, npz
    #[arg(long, value_name = "PATH")]
    pub(crate) input: PathBuf,
    /// Output: .nii or .nii.gz; a folder where the input holds several volumes
    #[arg(long, value_name = "PATH")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) series: Reading,
    /// Turn the axes so that they grow to these directions, as RAS
    #[arg(long, value_name = "CODE")]
    pub(crate) orient: Option<String>,
    /// Resample to this spacing, comma separated millimetres
    #[arg(long, value_name = "I,J,K", value_delimiter = ',')]
    pub(crate) spacing: Vec<f64>,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Fewer cases and epochs: shows that everything runs, not that it learns
    #[arg(long)]
    pub(crate) quick: bool,
}

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Measure {
    /// A DICOM series to a volume
    Series,
    /// A NIfTI file to a volume
    Nifti,
    /// Augmented patches of a generated volume
    Augment,
    /// Sliding-window inference over a generated volume by a fresh network
    Window,
    /// Training steps of a fresh network
    Train,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// What to measure
    #[arg(value_enum)]
    pub(crate) what: Measure,
    /// Input of `series` and `nifti`
    #[arg(long, value_name = "PATH")]
    pub(crate) input: Option<PathBuf>,
    /// Voxels along each axis of a generated volume
    #[arg(long, default_value_t = 128, value_parser = RangedU64ValueParser::<usize>::new().range(8..=1024))]
    pub(crate) size: usize,
    /// Voxels along each axis of a patch
    #[arg(long, default_value_t = 64, value_parser = RangedU64ValueParser::<usize>::new().range(8..=512))]
    pub(crate) patch: usize,
    /// Rounds
    #[arg(long, default_value_t = 10, value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    pub(crate) items: usize,
}
