//! From genes with histone marks to the loss of a network and to what decides when training stops.

use std::marker::PhantomData;

use burn::tensor::{Device, Tensor, TensorData};
use nn_core::losses::{BinaryCrossEntropy, Reduction};
use nn_core::metrics::{self, MetricError};
use nn_core::train::{Objective, StepContext, StepError};

use super::SequenceNet;
use crate::dataset::{DatasetError, MarkSet};

/// Genes that pass a network at once when there are many.
const GENES_AT_ONCE: usize = 512;
/// Stream of the dropout masks within a step.
const DROPOUT: u64 = 1;

/// Learns high from low expression by the cross-entropy of one logit for each gene; labels that are not a number count
/// nothing. For any network that reads `[genes, marks, bins]`.
#[derive(Debug)]
pub struct MarkObjective<'a, M> {
    set: &'a MarkSet,
    monitored: &'a [usize],
    device: Device,
    network: PhantomData<fn() -> M>,
}

impl<'a, M: SequenceNet> MarkObjective<'a, M> {
    /// The network is judged on the genes `monitored`. `device` is its own, with or without autodiff.
    ///
    /// # Errors
    /// [`DatasetError`] for a set that is empty or does not fit together.
    pub fn new(set: &'a MarkSet, monitored: &'a [usize], device: &Device) -> Result<Self, DatasetError> {
        let rows = set.len();
        if rows == 0 {
            return Err(DatasetError::Empty { what: "genes" });
        }
        let values = rows * set.marks.len() * set.bins;
        for (what, found, expected) in [("values", set.values.len(), values), ("labels", set.labels.len(), rows)] {
            if found != expected {
                return Err(DatasetError::Length { what, found, expected, rows });
            }
        }
        Ok(Self { set, monitored, device: device.clone().inner(), network: PhantomData })
    }

    /// # Shapes
    /// - output `[genes, marks, bins]`
    fn inputs(&self, genes: &[usize], device: &Device) -> Tensor<3> {
        let (marks, bins) = (self.set.marks.len(), self.set.bins);
        let size = marks * bins;
        let values: Vec<f32> =
            genes.iter().flat_map(|gene| &self.set.values[gene * size..(gene + 1) * size]).copied().collect();
        Tensor::from_data(TensorData::new(values, [genes.len(), marks, bins]), device)
    }

    /// A logit for each of `genes`, which without autodiff leaves no trace in memory.
    ///
    /// # Errors
    /// [`StepError`] when the device does not give the numbers back.
    pub fn logits(&self, network: &M, genes: &[usize]) -> Result<Vec<f64>, StepError> {
        let mut found = Vec::with_capacity(genes.len());
        for genes in genes.chunks(GENES_AT_ONCE) {
            let logits = network.logits(self.inputs(genes, &self.device), None).try_into_vec_as::<f32>();
            let logits = logits.map_err(|error| StepError::Device { what: "logits", reason: error.to_string() })?;
            found.extend(logits.into_iter().map(f64::from));
        }
        Ok(found)
    }
}

impl<M: SequenceNet> Objective for MarkObjective<'_, M> {
    type Model = M;

    fn loss(&self, model: &M, rows: &[usize], context: &StepContext) -> Result<Tensor<1>, StepError> {
        let device = self.device.clone().autodiff();
        let logits = model.logits(self.inputs(rows, &device), Some(&mut context.rng(DROPOUT))); // [genes, 1]
        let labels: Vec<f32> = rows.iter().map(|&row| self.set.labels[row]).collect();
        let known: Vec<f32> = labels.iter().map(|label| f32::from(u8::from(!label.is_nan()))).collect();
        let labels: Vec<f32> = labels.into_iter().map(|label| if label.is_nan() { 0.0 } else { label }).collect();
        let column = |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, [rows.len(), 1]), &device);
        Ok(BinaryCrossEntropy::default().forward(logits, column(labels), Some(column(known)), Reduction::Mean))
    }

    /// `loss`, and `auroc` and `average_precision` where both classes occur.
    fn validate(&self, model: &M) -> Result<Vec<(String, f64)>, StepError> {
        let known: Vec<usize> =
            self.monitored.iter().copied().filter(|&gene| !self.set.labels[gene].is_nan()).collect();
        if known.is_empty() {
            return Err(MetricError::Empty.into());
        }
        let logits = self.logits(model, &known)?;
        let high: Vec<bool> = known.iter().map(|&gene| self.set.labels[gene] > 0.5).collect();
        // ln(1 + e^z) without overflow, of the logit that should be low
        let losses = logits.iter().zip(&high).map(|(&logit, &high)| {
            let z = if high { -logit } else { logit };
            z.max(0.0) + (-z.abs()).exp().ln_1p()
        });
        let mut found = vec![("loss".to_owned(), losses.sum::<f64>() / known.len() as f64)];
        let scores = [
            ("auroc", metrics::auroc(&high, &logits)),
            ("average_precision", metrics::average_precision(&high, &logits)),
        ];
        for (name, score) in scores {
            match score {
                Ok(value) => found.push((name.to_owned(), value)),
                Err(MetricError::Undefined { .. }) => {}
                Err(error) => return Err(error.into()),
            }
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
    use nn_core::train::{FitConfig, Monitor, Supervised, fit};

    use super::*;
    use crate::systems::attentive_chrome::{AttentiveChrome, AttentiveChromeConfig};
    use crate::systems::deep_chrome::{DeepChrome, DeepChromeConfig};
    use crate::systems::golden::noise;

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
        MarkSet { genes: names("g", genes), marks: names("m", 2), bins, values, labels }
    }

    /// The scores of the last 40 of 160 genes after a few epochs over the others.
    fn trained<M: SequenceNet>(net: M, set: &MarkSet, epochs: usize) -> Vec<(String, f64)> {
        let device = Device::flex();
        let monitored: Vec<usize> = (120..160).collect();
        let objective = MarkObjective::<M>::new(set, &monitored, &device).unwrap();
        let mut learner = Supervised::new(objective, net, OptimizerConfig::adam().init(), "marks");
        let sampler = Shuffled::new((0..120).collect(), 16);
        let config = FitConfig::new(epochs, 0.01, Monitor::lower("loss"));
        fit(&mut learner, &sampler, &config, None, false, &mut (), &AtomicBool::new(false)).unwrap().best_metrics
    }

    #[test]
    fn a_planted_rule_is_learnt() {
        let set = planted(160);
        let device = Device::flex().autodiff();
        let config = DeepChromeConfig {
            marks: 2,
            bins: 20,
            filters: 8,
            kernel: 5,
            pool: 4,
            hidden: vec![16],
            ..DeepChromeConfig::default()
        };
        let net: DeepChrome = config.init(&device, &mut rng(1, &[])).unwrap();
        let scores = trained(net, &set, 8);
        let names: Vec<&str> = scores.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["loss", "auroc", "average_precision"]);
        assert!(scores[1].1 > 0.95, "{scores:?}");
        let config = AttentiveChromeConfig { marks: 2, bins: 20, bin_hidden: 8, mark_hidden: 4, outputs: 1 };
        let net: AttentiveChrome = config.init(&device, &mut rng(1, &[])).unwrap();
        let scores = trained(net, &set, 8);
        assert!(scores[1].1 > 0.95, "{scores:?}");
    }

    #[test]
    fn missing_labels_make_no_difference() {
        let set = planted(8);
        let device = Device::flex().autodiff();
        let config = AttentiveChromeConfig { marks: 2, bins: 20, bin_hidden: 3, mark_hidden: 2, outputs: 1 };
        let net = config.init(&device, &mut rng(4, &[])).unwrap();
        let context = StepContext { seed: 1, epoch: 0, step: 0, learning_rate: 0.1 };
        let loss = |set: &MarkSet, rows: &[usize]| {
            let objective = MarkObjective::<AttentiveChrome>::new(set, &[], &device).unwrap();
            objective.loss(&net, rows, &context).unwrap().try_into_scalar::<f64>().unwrap()
        };
        let mut holes = set.clone();
        (holes.labels[1], holes.labels[6]) = (f32::NAN, f32::NAN);
        let (some, all) = (loss(&set, &[0, 2, 3]), loss(&holes, &[0, 1, 2, 3, 6]));
        // 1e-6: the sums run over other blocks
        assert!((some - all).abs() < 1e-6, "{some} and {all}");
        let monitored = [0, 1, 2, 3, 6];
        let objective = MarkObjective::<AttentiveChrome>::new(&holes, &monitored, &device).unwrap();
        let scores = objective.validate(&net.valid()).unwrap();
        assert!((scores[0].1 - some).abs() < 1e-6, "{scores:?} and {some}");
        let alone = MarkObjective::<AttentiveChrome>::new(&set, &[0], &device).unwrap();
        let alone = alone.validate(&net.valid()).unwrap();
        assert!(alone.iter().all(|(name, _)| name != "auroc"), "no AUROC of one class: {alone:?}");
    }

    #[test]
    fn sets_that_do_not_fit_together_are_refused() {
        let device = Device::flex();
        let error = |set: &MarkSet| MarkObjective::<AttentiveChrome>::new(set, &[], &device).unwrap_err().to_string();
        let mut set = planted(3);
        set.labels.pop();
        assert_eq!(error(&set), "2 labels, but 3 are due for 3 rows");
        set = planted(3);
        set.bins = 19;
        assert_eq!(error(&set), "120 values, but 114 are due for 3 rows");
        assert_eq!(error(&MarkSet::default()), "the set has no genes");
    }
}
