//! Samples with the expression of genes, for any network that reads rows of numbers: what class a sample is of, or how
//! much of other genes is expressed.

use burn::tensor::{Device, Tensor, TensorData};
use nn_core::config::ConfigError;
use nn_core::models::mlp::TableModel;
use nn_core::train::{StepContext, StepError};
use rand_chacha::ChaCha8Rng;

use crate::baselines::Baseline;
use crate::dataset::{ExpressionSet, Labels};
use crate::expression::{ClassifierConfig, LeastSquares, Scale, Scaler, top_genes};
use crate::kmer::{Counts, KmerConfig, Linear, Loss};
use crate::model::Predicts;
use crate::split::SplitKind;
use crate::study::loss;
use crate::task::{Fitted, NOISE, Rows, Task, TaskError, TaskNetConfig, scaled_targets};

mod sizes;

pub use self::sizes::TableSizes;

/// Logit of a class that no sample is of.
const FARTHEST: f64 = -1e6;

/// Samples of a table. Columns, and targets that are values, are standardised on the training part.
#[derive(Debug)]
pub struct TableTask<C> {
    values: Vec<f32>,
    columns: Vec<String>,
    edges: Vec<[u32; 2]>,
    config: C,
    rows: Rows,
}

impl<C: TableSizes> TableTask<C> {
    /// The class of each sample of `set`, which is one of `set.classes`; samples without labels are to be predicted.
    /// Rows of one of `groups`, such as samples of one patient, stay in one part of a split, and `edges` are the genes
    /// that are connected, where the network asks for that.
    ///
    /// # Errors
    /// [`ConfigError::Conflict`] for fewer than two classes, and for what [`ExpressionSet::check`] finds.
    pub fn classes(
        set: &ExpressionSet,
        groups: Option<Vec<u64>>,
        edges: Vec<[u32; 2]>,
        config: C,
    ) -> Result<Self, ConfigError> {
        let unlabelled = ExpressionSet { classes: Vec::new(), labels: Vec::new(), ..set.clone() };
        let checked = if set.labels.is_empty() { &unlabelled } else { set };
        checked.check().map_err(|error| ConfigError::Conflict(error.to_string()))?;
        let classes = set.classes.len();
        if classes < 2 {
            return Err(ConfigError::Conflict(format!("the samples have {classes} classes; at least two are due")));
        }
        let targets = if set.labels.is_empty() {
            vec![f32::NAN; set.len()]
        } else {
            set.labels.iter().map(|&label| label as f32).collect()
        };
        let rows = Rows {
            names: set.samples.clone(),
            loci: vec![None; set.len()],
            predicts: Predicts { tasks: vec!["class".to_owned()], labels: Labels::Classes(set.classes.clone()) },
            targets,
            groups,
        };
        let config = config.with_shape(set.genes.len(), classes);
        Ok(Self { values: set.values.clone(), columns: set.genes.clone(), edges, config, rows })
    }

    /// The level of the genes `targets` in each sample of `set`, from the genes `columns`; a target that the set does
    /// not have is not known.
    ///
    /// # Errors
    /// [`ConfigError::Conflict`] for a column that the set does not have, no columns or targets, and for what
    /// [`ExpressionSet::check`] finds.
    pub fn levels(
        set: &ExpressionSet,
        columns: &[String],
        targets: &[String],
        groups: Option<Vec<u64>>,
        config: C,
    ) -> Result<Self, ConfigError> {
        set.check().map_err(|error| ConfigError::Conflict(error.to_string()))?;
        if columns.is_empty() || targets.is_empty() {
            let (columns, targets) = (columns.len(), targets.len());
            return Err(ConfigError::Conflict(format!(
                "{columns} genes to read and {targets} to infer; give some of each"
            )));
        }
        let place = |name: &String| set.genes.iter().position(|gene| gene == name);
        let read = |name: &String| {
            place(name).ok_or_else(|| ConfigError::Conflict(format!("the samples have no gene {name}, which is read")))
        };
        let read = columns.iter().map(read).collect::<Result<Vec<usize>, ConfigError>>()?;
        let inferred: Vec<Option<usize>> = targets.iter().map(place).collect();
        let samples = 0..set.len();
        let values = samples.clone().flat_map(|row| read.iter().map(move |&gene| set.row(row)[gene])).collect();
        let levels =
            samples.flat_map(|row| inferred.iter().map(move |gene| gene.map_or(f32::NAN, |gene| set.row(row)[gene])));
        let rows = Rows {
            names: set.samples.clone(),
            loci: vec![None; set.len()],
            predicts: Predicts { tasks: targets.to_vec(), labels: Labels::Values },
            targets: levels.collect(),
            groups,
        };
        let config = config.with_shape(columns.len(), targets.len());
        Ok(Self { values, columns: columns.to_vec(), edges: Vec::new(), config, rows })
    }

    /// Values of some samples, `[samples, columns]`, on a scale.
    fn scaled(&self, rows: &[usize], scaler: Option<&Scaler>) -> Vec<f32> {
        let width = self.columns.len();
        let mut values: Vec<f32> = rows.iter().flat_map(|&row| &self.values[row * width..][..width]).copied().collect();
        if let Some(scaler) = scaler {
            scaler.apply(&mut values);
        }
        values
    }

    /// Simple predictors of classes from the labelled rows `train` with their `labels`: the nearest mean of a class,
    /// and logistic regression on the genes that tell the classes apart best.
    fn of_classes(&self, train: &[usize], labels: &[f64], query: &[usize], classes: usize) -> Vec<Baseline> {
        let width = self.columns.len();
        let scaler = Scaler::of(&self.values, width, train, Scale::Standard);
        let (learnt, asked) = (self.scaled(train, Some(&scaler)), self.scaled(query, Some(&scaler)));
        let (mut means, mut counts) = (vec![0.0; classes * width], vec![0.0_f64; classes]);
        for (row, &class) in learnt.chunks_exact(width).zip(labels) {
            let mean = &mut means[class as usize * width..][..width];
            mean.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
            counts[class as usize] += 1.0;
        }
        for (mean, count) in means.chunks_exact_mut(width).zip(&counts) {
            mean.iter_mut().for_each(|sum| *sum /= count.max(1.0));
        }
        let near = |row: &[f32], class: usize| {
            let mean = &means[class * width..][..width];
            let distance: f64 = row.iter().zip(mean).map(|(&value, mean)| (f64::from(value) - mean).powi(2)).sum();
            // a class without a row is never the nearest
            if counts[class] > 0.0 { -distance / (2.0 * width as f64) } else { FARTHEST }
        };
        let of_row = |row: &[f32]| (0..classes).map(|class| near(row, class)).collect::<Vec<f64>>();
        let nearest: Vec<f64> = asked.chunks_exact(width).flat_map(of_row).collect();
        let part = ExpressionSet {
            samples: train.iter().map(|&row| self.rows.names[row].clone()).collect(),
            genes: self.columns.clone(),
            values: learnt.clone(),
            classes: (0..classes).map(|class| class.to_string()).collect(),
            labels: labels.iter().map(|&class| class as usize).collect(),
        };
        let all: Vec<usize> = (0..part.len()).collect();
        let genes = top_genes(&part, &all, ClassifierConfig::default().genes);
        let table = |values: &[f32]| {
            let chosen: Vec<f32> =
                values.chunks_exact(width).flat_map(|row| genes.iter().map(move |&gene| row[gene])).collect();
            Counts::of(&chosen, genes.len())
        };
        let model = Linear::fit(&table(&learnt), labels, Loss::Softmax { classes }, KmerConfig::default().penalty);
        vec![
            Baseline { name: "nearest mean of a class".to_owned(), predicted: nearest },
            Baseline {
                name: format!("logistic regression on {} genes", genes.len()),
                predicted: model.predict(&table(&asked)),
            },
        ]
    }
}

impl<C: TableSizes> Task for TableTask<C> {
    type Net = C::Net;

    fn rows(&self) -> &Rows {
        &self.rows
    }

    fn network(&self) -> TaskNetConfig {
        self.config.named()
    }

    fn split(&self) -> SplitKind {
        SplitKind::Random
    }

    fn fit(&self, train: &[usize], _seed: u64) -> Result<Fitted, TaskError> {
        let tasks = self.rows.predicts.tasks.len();
        let values = self.rows.predicts.labels == Labels::Values;
        Ok(Fitted {
            columns: self.columns.clone(),
            inputs: Some(Scaler::of(&self.values, self.columns.len(), train, Scale::Standard)),
            targets: values.then(|| Scaler::of(&self.rows.targets, tasks, train, Scale::Standard)),
            edges: self.edges.clone(),
            ..Fitted::default()
        })
    }

    fn init(&self, fitted: &Fitted, device: &Device, rng: &mut ChaCha8Rng) -> Result<C::Net, ConfigError> {
        self.config.build(self.columns.len(), fitted, device, rng)
    }

    fn logits(
        &self,
        net: &C::Net,
        fitted: &Fitted,
        rows: &[usize],
        device: &Device,
        noise: Option<&mut ChaCha8Rng>,
    ) -> Result<Tensor<2>, StepError> {
        let x = TensorData::new(self.scaled(rows, fitted.inputs.as_ref()), [rows.len(), self.columns.len()]);
        Ok(TableModel::logits(net, Tensor::from_data(x, device), noise)) // [samples, outputs]
    }

    /// Of values, the squared error summed over the targets of a sample, as the authors of D-GEX have it.
    fn loss(
        &self,
        net: &C::Net,
        fitted: &Fitted,
        rows: &[usize],
        device: &Device,
        context: &StepContext,
    ) -> Result<Tensor<1>, StepError> {
        let logits = self.logits(net, fitted, rows, device, Some(&mut context.rng(NOISE)))?; // [samples, outputs]
        let Predicts { labels, tasks } = &self.rows.predicts;
        let mean = loss(labels, logits, &scaled_targets(&self.rows, fitted, rows));
        Ok(if *labels == Labels::Values { mean.mul_scalar(tasks.len() as f64) } else { mean })
    }

    fn penalty(&self, net: &C::Net) -> Option<Tensor<1>> {
        TableModel::penalty(net)
    }

    /// Of classes the majority, the nearest mean and logistic regression; of values the mean, and linear regression of
    /// each target on all columns.
    fn baselines(&self, train: &[usize], query: &[usize]) -> Result<Vec<Baseline>, TaskError> {
        let mut found = vec![self.rows.prior(train, query)];
        let Predicts { labels, tasks } = &self.rows.predicts;
        if let Labels::Classes(classes) = labels {
            let (places, labels): (Vec<usize>, Vec<f64>) = self.rows.known(train, 0).into_iter().unzip();
            let learnt: Vec<usize> = places.iter().map(|&place| train[place]).collect();
            if !learnt.is_empty() {
                found.extend(self.of_classes(&learnt, &labels, query, classes.len()));
            }
        } else if !train.is_empty() {
            let scaler = Scaler::of(&self.values, self.columns.len(), train, Scale::Standard);
            let (x, y) = (self.scaled(train, Some(&scaler)), self.rows.targets_of(train));
            let penalty = KmerConfig::default().penalty;
            let model = LeastSquares::fit(&x, self.columns.len(), &y, tasks.len(), penalty);
            let predicted = model.predict(&self.scaled(query, Some(&scaler)));
            found.push(Baseline { name: "linear regression, gene by gene".to_owned(), predicted });
        }
        Ok(found)
    }
}
