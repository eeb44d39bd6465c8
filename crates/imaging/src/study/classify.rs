//! A study of labelled pictures.

mod config;

pub use self::config::{CLASSIFY_MONITORS, ClassifyStudyConfig};

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use burn::tensor::{Device, Int, Tensor, TensorData};
use nn_core::data::{Balanced, Sampler, Shuffled, group_ids, rng};
use nn_core::losses::{CrossEntropy, Reduction};
use nn_core::metrics::MetricError;
use nn_core::train::{
    Checkpoints, FitConfig, Monitor, Objective, Observer, Outcome, StepContext, StepError, Supervised, TRAIN_LOSS, fit,
};
use nn_core::transfer::{freeze, under};
use rayon::prelude::*;

use super::StudyError;
use super::batches::{AtLeast, enough};
use super::decay::PolynomialDecay;
use super::division::Divided;
use crate::augment::{AugmentConfig, Draw, picture};
use crate::evaluate::JudgedPictures;
use crate::model::{CLASSIFIER, ClassifyCard, ClassifyModel, Origin, PictureScale, logits, softmax, with_body};
use crate::pictures::{CropConfig, PictureSet};
use crate::sampling::Fill;
use crate::systems::{Classifier, ClassifyNet};

/// Stream of the dropout masks within a step.
const DROPOUT: u64 = 1;

/// One trained model of a study and what training came to.
#[derive(Debug, Clone)]
pub struct TrainedClassifier {
    /// The model with its card, ready to be saved.
    pub model: ClassifyModel,
    /// How training ended.
    pub outcome: Outcome,
}

/// A set of pictures with its parts, ready to train on.
#[derive(Debug)]
pub struct ClassifyStudy<'a> {
    set: &'a PictureSet,
    dataset: String,
    config: ClassifyStudyConfig,
    divided: Divided,
    /// A weights file whose body is kept.
    weights: Option<PathBuf>,
    /// How the part behind each picture was found.
    crop: Option<CropConfig>,
}

impl<'a> ClassifyStudy<'a> {
    /// A study of `set`, called `dataset`, under a configuration that was [resolved](ClassifyStudyConfig::resolved) for
    /// it.
    ///
    /// # Errors
    /// [`StudyError`] for settings out of range, or a part without pictures.
    pub fn new(
        set: &'a PictureSet,
        dataset: &str,
        divided: Divided,
        config: ClassifyStudyConfig,
    ) -> Result<Self, StudyError> {
        config.validate()?;
        for model in 0..divided.models() {
            let split = divided.split(model);
            for (part, rows) in [("training", &split.train), ("test", &split.test)] {
                if rows.is_empty() {
                    return Err(StudyError::EmptyPart { part, model });
                }
            }
        }
        Ok(Self { set, dataset: dataset.to_owned(), config, divided, weights: None, crop: None })
    }

    /// The same, starting from the body of a weights file, with a head of its own: one of the same network for other
    /// classes, or one of PyTorch with torchvision's names.
    pub fn with_weights(self, weights: Option<PathBuf>) -> Self {
        Self { weights, ..self }
    }

    /// The same on pictures behind which a part of them lies; the models remember how it was found.
    pub fn with_crop(self, crop: Option<CropConfig>) -> Self {
        Self { crop, ..self }
    }

    /// The pictures.
    pub fn set(&self) -> &'a PictureSet {
        self.set
    }

    /// The configuration.
    pub fn config(&self) -> &ClassifyStudyConfig {
        &self.config
    }

    /// How the pictures are divided.
    pub fn divided(&self) -> &Divided {
        &self.divided
    }

    fn monitor(&self, watched: bool) -> Monitor {
        match self.config.monitor.as_str() {
            _ if !watched => Monitor::lower(TRAIN_LOSS),
            "loss" => Monitor::lower("loss"),
            other => Monitor::higher(other),
        }
    }

    /// A fresh network, or one with the body of the given weights.
    fn network(&self, seed: u64, device: &Device) -> Result<ClassifyNet, StudyError> {
        let mut network = self.config.network.init(device, &mut rng(seed, &[0]))?;
        if let Some(weights) = &self.weights {
            network = with_body(network, weights)?;
        }
        if self.config.freeze {
            let head = network.head();
            (network, _) = freeze(network, |path| !under(&head)(path));
        }
        Ok(network)
    }

    /// Trains model `i`.
    ///
    /// # Errors
    /// [`StudyError`]; see [`fit`] for what of a failed run is kept.
    pub fn train(
        &self,
        i: usize,
        device: &Device,
        (checkpoints, resume): (Option<&Checkpoints>, bool),
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<TrainedClassifier, StudyError> {
        let (config, seed, split) = (&self.config, self.config.seed_of(i), self.divided.split(i));
        let device = device.clone().autodiff();
        let network = self.network(seed, &device)?;
        let scale = PictureScale::fit(self.set, &split.train);
        // The 4,000 pictures of a small set are no reason for a long file, those of a large one would be.
        let learnt: Vec<String> = split.train.iter().take(LISTED).map(|&row| self.set.ids[row].clone()).collect();
        let card = ClassifyCard {
            network: config.network.clone(),
            scale: scale.clone(),
            crop: self.crop.clone(),
            names: self.set.classes.clone(),
            origin: Origin {
                dataset: self.dataset.clone(),
                split: self.divided.kind().name().to_owned(),
                seed,
                learnt,
            },
        };
        let (batch, rows) = (config.learning.batch_size, split.train.clone());
        let needed = config.network.smallest_batch([self.set.height, self.set.width]);
        enough(batch.min(rows.len()), needed, config.network.name())?;
        let sampler: Box<dyn Sampler> = if config.balanced {
            let labels: Vec<u64> = rows.iter().map(|&row| self.set.labels[row] as u64).collect();
            Box::new(Balanced::new(rows, &labels, batch))
        } else {
            Box::new(Shuffled::new(rows, batch))
        };
        let sampler = AtLeast::new(sampler, needed);
        let monitor = self.monitor(!split.validation.is_empty());
        let objective =
            PictureObjective { set: self.set, scale, watched: &split.validation, augment: &config.augment, device };
        let learner = Supervised::new(objective, network, config.learning.optimizer(), CLASSIFIER)
            .with_clip_norm(config.learning.clip())
            .with_metadata(card.metadata());
        let mut learner = PolynomialDecay::new(learner, config.epochs, config.learning.decay);
        let fit_config = FitConfig {
            seed,
            patience: (config.patience > 0).then_some(config.patience),
            restore_best: config.learning.keep_best,
            ..FitConfig::new(config.epochs, config.learning.rate, monitor)
        };
        let outcome = fit(&mut learner, &sampler, &fit_config, checkpoints, resume, observer, stop)?;
        let network = learner.into_inner().into_model()?;
        Ok(TrainedClassifier { model: ClassifyModel { network, card }, outcome })
    }

    /// Pictures `rows` beside their probabilities, `[rows, classes]`.
    ///
    /// # Errors
    /// [`StudyError::Metric`] when a probability is none.
    pub fn judge(&self, rows: &[usize], probabilities: Vec<f64>) -> Result<JudgedPictures, StudyError> {
        Ok(judged(self.set, rows, probabilities)?)
    }
}

/// Pictures that a model's card lists as learnt.
const LISTED: usize = 10_000;

/// Pictures `rows` of a set beside their probabilities, `[rows, classes]`.
///
/// # Errors
/// [`MetricError`] when there are none, or a probability is none.
pub(crate) fn judged(set: &PictureSet, rows: &[usize], probabilities: Vec<f64>) -> Result<JudgedPictures, MetricError> {
    let labels = rows.iter().map(|&row| set.labels[row]).collect();
    let subjects = group_ids(rows.iter().map(|&row| set.subjects[row].as_str()));
    JudgedPictures::new(labels, probabilities, set.classes.len(), subjects)
}

/// Cross-entropy of the classes.
struct PictureObjective<'a> {
    set: &'a PictureSet,
    scale: PictureScale,
    /// The rows that are scored after each epoch.
    watched: &'a [usize],
    augment: &'a AugmentConfig,
    /// The network's device, with autodiff.
    device: Device,
}

impl PictureObjective<'_> {
    /// Pictures of a step, each changed by what is drawn for it.
    ///
    /// # Shapes
    /// - output `[rows, channels, height, width]`
    fn inputs(&self, rows: &[usize], context: &StepContext) -> Tensor<4> {
        let size = [self.set.channels, self.set.height, self.set.width];
        let pictures: Vec<Vec<f32>> = rows
            .par_iter()
            .enumerate()
            .map(|(position, &row)| {
                let mut pixels = self.set.picture(row).to_vec();
                self.scale.apply(&mut pixels);
                // A row may be drawn twice an epoch; no two of its changes are alike.
                let turn = position + context.step as usize * rows.len();
                let draw = Draw::new(context.seed, context.epoch, turn * self.set.len() + row);
                if *self.augment == AugmentConfig::none() {
                    pixels
                } else {
                    picture(&pixels, size, Fill::Border, self.augment, draw)
                }
            })
            .collect();
        self.scale.tensor(pictures.concat(), &self.device)
    }
}

impl Objective for PictureObjective<'_> {
    type Model = ClassifyNet;

    fn loss(&self, model: &ClassifyNet, rows: &[usize], context: &StepContext) -> Result<Tensor<1>, StepError> {
        let logits = model.logits(self.inputs(rows, context), Some(&mut context.rng(DROPOUT))); // [rows, classes]
        let classes: Vec<i64> = rows.iter().map(|&row| self.set.labels[row] as i64).collect();
        let classes = Tensor::<1, Int>::from_data(TensorData::new(classes, [rows.len()]), &self.device);
        Ok(CrossEntropy::default().forward(logits, classes, Reduction::Mean))
    }

    /// `loss`, `auroc` and `accuracy`, where they are defined.
    fn validate(&self, model: &ClassifyNet) -> Result<Vec<(String, f64)>, StepError> {
        if self.watched.is_empty() {
            return Ok(Vec::new());
        }
        let classes = self.set.classes.len().max(1);
        let logits = logits(model, &self.scale, self.set, self.watched)?;
        let probabilities = logits.chunks(classes).flat_map(softmax).collect();
        let judged = judged(self.set, self.watched, probabilities)?;
        let mut found = Vec::new();
        for name in CLASSIFY_MONITORS {
            match judged.score(name) {
                Ok(value) => found.push((name.to_owned(), value)),
                Err(MetricError::Undefined { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(found)
    }

    fn name_of(&self, row: usize) -> String {
        self.set.ids[row].clone()
    }
}
