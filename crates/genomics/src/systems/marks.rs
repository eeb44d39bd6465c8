//! Genes with histone marks, for any network that reads `[genes, marks, bins]`.

use burn::tensor::{Device, Tensor, TensorData};
use nn_core::config::ConfigError;
use nn_core::train::StepError;
use rand_chacha::ChaCha8Rng;

use super::SequenceNet;
use super::attentive_chrome::{AttentiveChrome, AttentiveChromeConfig};
use super::deep_chrome::{DeepChrome, DeepChromeConfig};
use crate::baselines::Baseline;
use crate::dataset::{DatasetError, Labels, MarkSet};
use crate::kmer::{Counts, KmerConfig, Linear, Loss};
use crate::model::Predicts;
use crate::split::SplitKind;
use crate::task::{Fitted, Rows, Task, TaskError, TaskNetConfig};

/// Sizes of a network that reads histone marks.
pub trait MarkSizes: Clone {
    /// The network.
    type Net: SequenceNet;

    /// Marks and bins that it reads, and logits that it gives.
    fn shape(&self) -> [usize; 3];

    /// The same for other marks and bins, and one logit.
    fn with_shape(self, marks: usize, bins: usize) -> Self;

    /// The system with these sizes.
    fn named(&self) -> TaskNetConfig;

    /// The network with starting values from `rng`.
    ///
    /// # Errors
    /// [`ConfigError`] for a size out of range.
    fn build(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Self::Net, ConfigError>;
}

impl MarkSizes for DeepChromeConfig {
    type Net = DeepChrome;

    fn shape(&self) -> [usize; 3] {
        [self.marks, self.bins, self.outputs]
    }

    fn with_shape(self, marks: usize, bins: usize) -> Self {
        Self { marks, bins, outputs: 1, ..self }
    }

    fn named(&self) -> TaskNetConfig {
        TaskNetConfig::DeepChrome(self.clone())
    }

    fn build(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<DeepChrome, ConfigError> {
        self.init(device, rng)
    }
}

impl MarkSizes for AttentiveChromeConfig {
    type Net = AttentiveChrome;

    fn shape(&self) -> [usize; 3] {
        [self.marks, self.bins, self.outputs]
    }

    fn with_shape(self, marks: usize, bins: usize) -> Self {
        Self { marks, bins, outputs: 1, ..self }
    }

    fn named(&self) -> TaskNetConfig {
        TaskNetConfig::AttentiveChrome(self.clone())
    }

    fn build(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<AttentiveChrome, ConfigError> {
        self.init(device, rng)
    }
}

/// Genes of a set, whose expression is learnt, high or low; a gene without a label counts nothing. Counts are read as
/// they are, as the authors of both networks have them.
#[derive(Debug)]
pub struct MarkTask<'a, C> {
    set: &'a MarkSet,
    config: C,
    rows: Rows,
}

impl<'a, C: MarkSizes> MarkTask<'a, C> {
    /// The genes of `set` for networks of `config`, with the marks and bins of the set.
    ///
    /// # Errors
    /// [`DatasetError`] for a set that is empty or does not fit together.
    pub fn new(set: &'a MarkSet, config: C) -> Result<Self, DatasetError> {
        let rows = set.len();
        if rows == 0 {
            return Err(DatasetError::Empty { what: "genes" });
        }
        let values = rows * set.marks.len() * set.bins;
        let starts = set.starts.as_ref().map_or(rows, Vec::len);
        for (what, found, expected) in
            [("values", set.values.len(), values), ("labels", set.labels.len(), rows), ("starts", starts, rows)]
        {
            if found != expected {
                return Err(DatasetError::Length { what, found, expected, rows });
            }
        }
        let config = config.with_shape(set.marks.len(), set.bins);
        let rows = Rows {
            names: set.genes.clone(),
            loci: set
                .starts
                .as_ref()
                .map_or_else(|| vec![None; rows], |starts| starts.iter().cloned().map(Some).collect()),
            predicts: Predicts { tasks: vec!["expression".to_owned()], labels: Labels::Binary },
            targets: set.labels.clone(),
            groups: None,
        };
        Ok(Self { set, config, rows })
    }

    /// Counts of some genes, `[genes, marks, bins]`.
    fn values(&self, genes: &[usize]) -> Vec<f32> {
        let size = self.set.marks.len() * self.set.bins;
        genes.iter().flat_map(|gene| &self.set.values[gene * size..(gene + 1) * size]).copied().collect()
    }
}

impl<C: MarkSizes> Task for MarkTask<'_, C> {
    type Net = C::Net;

    fn rows(&self) -> &Rows {
        &self.rows
    }

    fn network(&self) -> TaskNetConfig {
        self.config.named()
    }

    /// By chromosome where the genes have a place, because the bins of neighbours hold the same reads.
    fn split(&self) -> SplitKind {
        if self.set.starts.is_some() { SplitKind::Chromosome } else { SplitKind::Random }
    }

    fn fit(&self, _train: &[usize], _seed: u64) -> Result<Fitted, TaskError> {
        let (columns, counting) = (self.set.marks.clone(), self.set.counting.clone());
        Ok(Fitted { columns, counting, ..Fitted::default() })
    }

    fn init(&self, _fitted: &Fitted, device: &Device, rng: &mut ChaCha8Rng) -> Result<C::Net, ConfigError> {
        self.config.build(device, rng)
    }

    fn logits(
        &self,
        net: &C::Net,
        _fitted: &Fitted,
        rows: &[usize],
        device: &Device,
        noise: Option<&mut ChaCha8Rng>,
    ) -> Result<Tensor<2>, StepError> {
        let [marks, bins, _] = self.config.shape();
        let x = TensorData::new(self.values(rows), [rows.len(), marks, bins]);
        Ok(net.logits(Tensor::from_data(x, device), noise)) // [genes, 1]
    }

    /// The majority, and logistic regression on the counts of all bins.
    fn baselines(&self, train: &[usize], query: &[usize]) -> Result<Vec<Baseline>, TaskError> {
        let mut found = vec![self.rows.prior(train, query)];
        let (places, labels): (Vec<usize>, Vec<f64>) = self.rows.known(train, 0).into_iter().unzip();
        if !places.is_empty() {
            let learnt: Vec<usize> = places.iter().map(|&place| train[place]).collect();
            let table = |genes: &[usize]| Counts::of(&self.values(genes), self.set.marks.len() * self.set.bins);
            let model = Linear::fit(&table(&learnt), &labels, Loss::Logistic, KmerConfig::default().penalty);
            let name = "logistic regression on all bins".to_owned();
            found.push(Baseline { name, predicted: model.predict(&table(query)) });
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use burn::module::Module;
    use nn_core::data::{Shuffled, rng};
    use nn_core::optim::OptimizerConfig;
    use nn_core::train::{FitConfig, Monitor, Objective, StepContext, Supervised, fit};

    use super::*;
    use crate::systems::golden::noise;
    use crate::task::TaskObjective;

    /// Genes with a hill somewhere on noise: of the second mark if they are expressed, of the first if they are not.
    fn planted(genes: usize) -> MarkSet {
        let bins = 20;
        let mut values: Vec<f32> = noise("marks", genes * 2 * bins).map(|value| 1.0 + value).collect();
        let labels: Vec<f32> = (0..genes).map(|gene| f32::from(u8::from(gene % 2 == 0))).collect();
        for (gene, label) in labels.iter().enumerate() {
            let (mark, start) = (usize::from(*label > 0.5), gene * 7 % 16);
            values[(gene * 2 + mark) * bins + start..][..4].iter_mut().for_each(|value| *value += 4.0);
        }
        let names = |what: &str, count: usize| (0..count).map(|i| format!("{what}{i}")).collect();
        MarkSet { genes: names("g", genes), marks: names("m", 2), bins, values, labels, ..MarkSet::default() }
    }

    /// The scores of the last 40 of 160 genes after a few epochs over the others.
    fn trained<C: MarkSizes + std::fmt::Debug>(config: C, set: &MarkSet, epochs: usize) -> Vec<(String, f64)> {
        let device = Device::flex();
        let task = MarkTask::new(set, config).unwrap();
        let fitted = task.fit(&[], 1).unwrap();
        let net = task.init(&fitted, &device.clone().autodiff(), &mut rng(1, &[])).unwrap();
        let objective = TaskObjective::new(&task, fitted, (120..160).collect(), &device);
        let mut learner = Supervised::new(objective, net, OptimizerConfig::adam().init(), "marks");
        let sampler = Shuffled::new((0..120).collect(), 16);
        let config = FitConfig::new(epochs, 0.01, Monitor::lower("loss"));
        fit(&mut learner, &sampler, &config, None, false, &mut (), &AtomicBool::new(false)).unwrap().best_metrics
    }

    #[test]
    fn a_planted_rule_is_learnt() {
        let set = planted(160);
        let config =
            DeepChromeConfig { filters: 8, kernel: 5, pool: 4, hidden: vec![16], ..DeepChromeConfig::default() };
        let scores = trained(config, &set, 8);
        let names: Vec<&str> = scores.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["loss", "auroc", "average_precision"]);
        assert!(scores[1].1 > 0.95, "{scores:?}");
        let config = AttentiveChromeConfig { bin_hidden: 8, mark_hidden: 4, ..AttentiveChromeConfig::default() };
        let scores = trained(config, &set, 8);
        assert!(scores[1].1 > 0.95, "{scores:?}");
    }

    /// An objective that judges networks on these genes.
    fn judged_on<'a>(
        task: &'a MarkTask<'a, AttentiveChromeConfig>,
        genes: &[usize],
    ) -> TaskObjective<'a, MarkTask<'a, AttentiveChromeConfig>> {
        TaskObjective::new(task, Fitted::default(), genes.to_vec(), &Device::flex())
    }

    #[test]
    fn missing_labels_make_no_difference() {
        let set = planted(8);
        let device = Device::flex().autodiff();
        let config = AttentiveChromeConfig { marks: 2, bins: 20, bin_hidden: 3, mark_hidden: 2, outputs: 1 };
        let net = config.init(&device, &mut rng(4, &[])).unwrap();
        let context = StepContext { seed: 1, epoch: 0, step: 0, learning_rate: 0.1 };
        let mut holes = set.clone();
        (holes.labels[1], holes.labels[6]) = (f32::NAN, f32::NAN);
        let (whole, holed) = (MarkTask::new(&set, config.clone()).unwrap(), MarkTask::new(&holes, config).unwrap());
        let loss = |task, rows: &[usize]| {
            judged_on(task, &[]).loss(&net, rows, &context).unwrap().try_into_scalar::<f64>().unwrap()
        };
        let (some, all) = (loss(&whole, &[0, 2, 3]), loss(&holed, &[0, 1, 2, 3, 6]));
        // 1e-6: the sums run over other blocks
        assert!((some - all).abs() < 1e-6, "{some} and {all}");
        let scores = judged_on(&holed, &[0, 1, 2, 3, 6]).validate(&net.valid()).unwrap();
        assert!((scores[0].1 - some).abs() < 1e-6, "{scores:?} and {some}");
        let alone = judged_on(&whole, &[0]).validate(&net.valid()).unwrap();
        assert!(alone.iter().all(|(name, _)| name != "auroc"), "no AUROC of one class: {alone:?}");
    }

    #[test]
    fn sets_that_do_not_fit_together_are_refused() {
        let error = |set: &MarkSet| MarkTask::new(set, DeepChromeConfig::default()).unwrap_err().to_string();
        let mut set = planted(3);
        set.labels.pop();
        assert_eq!(error(&set), "2 labels, but 3 are due for 3 rows");
        set = planted(3);
        set.bins = 19;
        assert_eq!(error(&set), "120 values, but 114 are due for 3 rows");
        assert_eq!(error(&MarkSet::default()), "the set has no genes");
    }
}
