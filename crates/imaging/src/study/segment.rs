//! A study of segmentations.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use nn_core::config::ConfigError;
use nn_core::data::rng;
use nn_core::train::{Checkpoints, FitConfig, Monitor, Named, Observer, Outcome, Supervised, TRAIN_LOSS, fit};

use super::ahead::{Cutter, Feed};
use super::batches::{AtLeast, enough};
use super::data::{fit as fit_intensities, prepare};
use super::decay::PolynomialDecay;
use super::division::Divided;
use super::objective::SegmentObjective;
use super::{SegmentStudyConfig, StudyError};
use crate::cache::{Cache, CacheConfig};
use crate::case::Case;
use crate::evaluate::{Scores, judge};
use crate::loader::LoaderConfig;
use crate::model::{Origin, Preprocessing, SEGMENTER, SegmentCard, SegmentEnsemble, SegmentModel};
use crate::plan::{Fingerprint, Plan, PlanError};
use crate::predict::{SegmentOptions, Segmentation, segment_case};
use crate::sampling::PatchOrder;
use crate::volume::Volume;

/// One trained model of a study and what training came to.
#[derive(Debug, Clone)]
pub struct TrainedSegmenter {
    /// The model with its card, ready to be saved.
    pub model: SegmentModel,
    /// How training ended.
    pub outcome: Outcome,
}

/// A set of cases with its parts, ready to train on.
#[derive(Debug)]
pub struct SegmentStudy<'a> {
    cases: &'a [Case],
    names: Vec<String>,
    dataset: String,
    config: SegmentStudyConfig,
    divided: Divided,
    cache: Option<Arc<Cache>>,
    loader: Option<LoaderConfig>,
}

/// The plan for the cases `rows`.
///
/// # Errors
/// [`StudyError::Plan`] when there are none, or they do not fit the settings.
pub fn plan(cases: &[Case], rows: &[usize], config: &SegmentStudyConfig) -> Result<Plan, StudyError> {
    let learnt: Vec<&Case> = rows.iter().map(|&row| &cases[row]).collect();
    let fingerprint = Fingerprint::of(&learnt).map_err(PlanError::from)?;
    let dims = match &config.network {
        // Networks of one kind of axes decide themselves.
        crate::systems::SegmentConfig::Unet(_) if config.sized_by_plan => {
            // A slice that sees its neighbours is one of a network of slices.
            config.planning.dims.or((config.context > 0).then_some(2))
        }
        network => Some(network.dims()),
    };
    let mut planning = config.planning.clone();
    planning.dims = dims;
    Ok(Plan::of(&fingerprint, &planning)?)
}

impl<'a> SegmentStudy<'a> {
    /// A study of `cases`, called `dataset`, whose labels are called `names` (the background first), under a
    /// configuration that was [resolved](SegmentStudyConfig::resolved) for it.
    ///
    /// # Errors
    /// [`StudyError`] for settings out of range, or cases without labels or with labels that have no name.
    pub fn new(
        cases: &'a [Case],
        names: &[String],
        dataset: &str,
        divided: Divided,
        config: SegmentStudyConfig,
    ) -> Result<Self, StudyError> {
        config.validate()?;
        for case in cases {
            let map = case.label.as_ref().ok_or_else(|| StudyError::Unlabelled { id: case.id.clone() })?;
            let largest = map.labels.iter().copied().max().unwrap_or(0);
            if usize::from(largest) >= names.len() {
                return Err(StudyError::Label { id: case.id.clone(), label: largest, names: names.len() });
            }
        }
        for model in 0..divided.models() {
            let split = divided.split(model);
            for (part, rows) in [("training", &split.train), ("test", &split.test)] {
                if rows.is_empty() {
                    return Err(StudyError::EmptyPart { part, model });
                }
            }
        }
        let (names, dataset) = (names.to_vec(), dataset.to_owned());
        Ok(Self { cases, names, dataset, config, divided, cache: None, loader: None })
    }

    /// The same with prepared cases on disk, and as many of them in memory as the settings allow. What is learnt is the
    /// same bit for bit.
    ///
    /// # Errors
    /// [`StudyError`] for settings out of range, or a folder that is not named or cannot be made.
    pub fn with_cache(self, config: &CacheConfig) -> Result<Self, StudyError> {
        if config.folder.is_none() {
            let text = "cache.memory_mb is set, but no folder; give cache.folder, where the other cases are kept";
            return Err(ConfigError::Conflict(text.to_owned()).into());
        }
        Ok(Self { cache: Some(Arc::new(Cache::new(config)?)), ..self })
    }

    /// The same with patches that are cut ahead of their step, on threads of their own. What is learnt is the same bit for
    /// bit.
    ///
    /// # Errors
    /// [`StudyError::Config`] with the field that is out of range.
    pub fn with_loader(self, config: LoaderConfig) -> Result<Self, StudyError> {
        config.validate()?;
        Ok(Self { loader: Some(config), ..self })
    }

    /// The cases.
    pub fn cases(&self) -> &'a [Case] {
        self.cases
    }

    /// Names of the labels, the background first.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The configuration.
    pub fn config(&self) -> &SegmentStudyConfig {
        &self.config
    }

    /// How the cases are divided.
    pub fn divided(&self) -> &Divided {
        &self.divided
    }

    fn card(&self, i: usize, preprocessing: Preprocessing) -> SegmentCard {
        let learnt = self.divided.split(i).train.iter().map(|&row| self.cases[row].id.clone()).collect();
        SegmentCard {
            network: self.config.network.clone(),
            preprocessing,
            window: self.config.window(),
            names: self.names.clone(),
            origin: Origin {
                dataset: self.dataset.clone(),
                split: self.divided.kind().name().to_owned(),
                seed: self.config.seed_of(i),
                learnt,
            },
        }
    }

    /// Which epoch is the best: by the mean Dice of the watched cases, where there are any.
    fn monitor(watched: bool) -> Monitor {
        if watched { Monitor::higher("dice") } else { Monitor::lower(TRAIN_LOSS) }
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
    ) -> Result<TrainedSegmenter, StudyError> {
        let (config, seed, split) = (&self.config, self.config.seed_of(i), self.divided.split(i));
        let preprocessing = Preprocessing {
            orientation: config.orientation.clone(),
            crop: config.crop_to_foreground,
            spacing: config.spacing,
            channels: fit_intensities(self.cases, &split.train, &config.normalise)?,
        };
        let learnt = prepare(self.cases, &split.train, &preprocessing, self.cache.as_ref())?;
        let watched = watched(&split.validation, config.monitored);
        let watched_cases = prepare(self.cases, &watched, &preprocessing, self.cache.as_ref())?;
        let device = device.clone().autodiff();
        let network = config.network.init(&device, &mut rng(seed, &[0]))?;
        let card = self.card(i, preprocessing);
        let patches = if config.patches == 0 { learnt.len() } else { config.patches };
        let order = PatchOrder::new((0..learnt.len()).collect(), learnt.len(), patches, config.learning.batch_size);
        let needed = config.network.smallest_batch(config.sampling().patch);
        enough(patches.min(config.learning.batch_size.max(1)), needed, config.network.name())?;
        let sampler = || AtLeast::new(Box::new(order.clone()), needed);
        let truths = watched.iter().filter_map(|&row| self.cases[row].label.as_ref()).collect();
        let monitor = Self::monitor(watched_cases.len() > 0);
        let cutter =
            Cutter { learnt, order: order.clone(), sampling: config.sampling(), augment: config.augment.clone() };
        let objective = SegmentObjective {
            feed: Feed::new(cutter, Box::new(sampler()), self.loader.clone()),
            watched: watched_cases,
            truths,
            config,
            preprocessing: card.preprocessing.clone(),
            names: &self.names,
            device,
        };
        let objective = Named::new(objective, |row| self.cases[split.train[order.case(row)]].id.clone());
        let learner = Supervised::new(objective, network, config.learning.optimizer(), SEGMENTER)
            .with_clip_norm(config.learning.clip())
            .with_metadata(card.metadata());
        let mut learner = PolynomialDecay::new(learner, config.epochs, config.learning.decay);
        let fit_config = FitConfig {
            seed,
            restore_best: config.learning.keep_best,
            ..FitConfig::new(config.epochs, config.learning.rate, monitor)
        };
        let outcome = fit(&mut learner, &sampler(), &fit_config, checkpoints, resume, observer, stop)?;
        let network = learner.into_inner().into_model()?;
        Ok(TrainedSegmenter { model: SegmentModel { network, card }, outcome })
    }

    /// Segments case `row`, as `predict` would.
    ///
    /// # Errors
    /// [`StudyError::Predict`].
    pub fn predict(&self, ensemble: &SegmentEnsemble, row: usize) -> Result<Segmentation, StudyError> {
        let channels: Vec<&Volume> = self.cases[row].channels.iter().collect();
        let options = SegmentOptions { largest: self.config.largest, ..SegmentOptions::default() };
        Ok(segment_case(ensemble, &channels, &options)?)
    }

    /// Adds the scores of case `row` to `scores`.
    ///
    /// # Errors
    /// [`StudyError::Evaluate`] when the labels stand on another grid than the truth.
    pub fn judge(&self, row: usize, found: &Segmentation, scores: &mut Scores) -> Result<(), StudyError> {
        let case = &self.cases[row];
        let truth = case.label.as_ref().ok_or_else(|| StudyError::Unlabelled { id: case.id.clone() })?;
        let named = crate::volume::LabelMap { names: self.names.clone(), ..truth.clone() };
        scores.push(judge(&case.id, &case.subject, &named, &found.labels)?);
        Ok(())
    }
}

/// So many of the rows, evenly spaced; all of them for 0.
fn watched(rows: &[usize], most: usize) -> Vec<usize> {
    if most == 0 || rows.len() <= most {
        return rows.to_vec();
    }
    (0..most).map(|place| rows[place * rows.len() / most]).collect()
}
