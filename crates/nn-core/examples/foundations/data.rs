//! The two tables of `data/samples`, and their parts.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use flate2::read::GzDecoder;
use nn_core::data::{Fractions, stratified};

use crate::numpy;

/// Rows of numbers with a class each.
pub(crate) struct Table {
    pub(crate) features: Vec<f32>,
    pub(crate) columns: usize,
    pub(crate) labels: Vec<usize>,
    pub(crate) classes: usize,
}

/// Rows that are learnt from, that pick the epoch, and that judge.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) train: Vec<usize>,
    pub(crate) validation: Vec<usize>,
    pub(crate) test: Vec<usize>,
}

impl Parts {
    /// The training and the validation part together.
    pub(crate) fn learnt(&self) -> Vec<usize> {
        [self.train.as_slice(), &self.validation].concat()
    }
}

impl Table {
    pub(crate) fn rows(&self) -> usize {
        self.labels.len()
    }

    /// The features of `rows`, one row behind the other.
    pub(crate) fn pick(&self, rows: &[usize]) -> Vec<f32> {
        let mut picked = Vec::with_capacity(rows.len() * self.columns);
        rows.iter().for_each(|&row| picked.extend_from_slice(&self.features[row * self.columns..][..self.columns]));
        picked
    }

    /// The same rows with other features.
    pub(crate) fn with_features(&self, features: Vec<f32>) -> Self {
        let columns = features.len() / self.rows();
        Self { features, columns, labels: self.labels.clone(), classes: self.classes }
    }

    /// Columns of mean 0 over `rows`; with `scale` also of standard deviation 1 (divisor n, as scikit-learn's scaler).
    pub(crate) fn standardised(&self, rows: &[usize], scale: bool) -> Self {
        let n = rows.len() as f64;
        let mut features = self.features.clone();
        for column in 0..self.columns {
            let of = |row: usize| f64::from(self.features[row * self.columns + column]);
            let mean = rows.iter().map(|&row| of(row)).sum::<f64>() / n;
            let variance = rows.iter().map(|&row| (of(row) - mean).powi(2)).sum::<f64>() / n;
            let factor = if scale && variance > 0.0 { variance.sqrt().recip() } else { 1.0 };
            for row in 0..self.rows() {
                features[row * self.columns + column] = ((of(row) - mean) * factor) as f32;
            }
        }
        self.with_features(features)
    }

    /// A fifth is the test part, the one of scikit-learn's `train_test_split` with `random_state=split`.
    pub(crate) fn parts(&self, split: u32, seed: u64) -> Result<Parts> {
        let (learnt, test) = numpy::split(self.rows(), split);
        self.divided(learnt, test, seed)
    }

    /// The same with `stratify`.
    pub(crate) fn stratified_parts(&self, split: u32, seed: u64) -> Result<Parts> {
        let (learnt, test) = numpy::stratified_split(&self.labels, self.classes, split);
        self.divided(learnt, test, seed)
    }

    /// A tenth of the rows `learnt`, by classes, becomes the validation part; `seed` decides which.
    pub(crate) fn divided(&self, learnt: Vec<usize>, test: Vec<usize>, seed: u64) -> Result<Parts> {
        let labels: Vec<u64> = learnt.iter().map(|&row| self.labels[row] as u64).collect();
        let inner = stratified(&labels, Fractions { validation: 0.1, test: 0.0 }, seed)?;
        let rows = |places: &[usize]| places.iter().map(|&place| learnt[place]).collect();
        Ok(Parts { train: rows(&inner.train), validation: rows(&inner.validation), test })
    }
}

/// 1,797 digits of 8 × 8 pixels from 0 to 1.
pub(crate) fn digits(folder: &Path) -> Result<Table> {
    let path = folder.join("digits.csv.gz");
    let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut text = String::new();
    let inflated = GzDecoder::new(bytes.as_slice()).read_to_string(&mut text);
    inflated.with_context(|| format!("{} is not compressed text", path.display()))?;
    let table = parse(&text, 64, 10, 1.0 / 16.0);
    table.with_context(|| format!("{} is not the table that data/samples/README.md describes", path.display()))
}

/// 569 tumours with 30 measures each.
pub(crate) fn breast_cancer(folder: &Path) -> Result<Table> {
    let path = folder.join("breast_cancer.csv");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let rows = text.split_once('\n').map_or("", |(_, rows)| rows);
    let table = parse(rows, 30, 2, 1.0);
    table.with_context(|| format!("{} is not the table that data/samples/README.md describes", path.display()))
}

/// Lines of `columns` numbers, which are multiplied by `scale`, and a class.
fn parse(text: &str, columns: usize, classes: usize, scale: f32) -> Result<Table> {
    let (mut features, mut labels) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        ensure!(fields.len() == columns + 1, "row {number} has {} fields, not {}", fields.len(), columns + 1);
        for field in &fields[..columns] {
            let value: f32 = field.parse().with_context(|| format!("row {number}: {field:?} is not a number"))?;
            features.push(value * scale);
        }
        let label = fields[columns];
        let class: usize = label.parse().with_context(|| format!("row {number}: {label:?} is not a class"))?;
        ensure!(class < classes, "row {number}: class {class} of {classes}");
        labels.push(class);
    }
    ensure!(!labels.is_empty(), "there are no rows");
    Ok(Table { features, columns, labels, classes })
}
