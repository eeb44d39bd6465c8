//! Gated recurrent units over visits, the network that is trained when no other is asked for.
//!
//! Cho et al. 2014, *Learning phrase representations using RNN encoder–decoder*, for the units; a visit is the sum of
//! the vectors of its codes, as in Choi et al. 2016, *Doctor AI* (section 3.2), and the days since the visit before
//! stand beside it as ln(1 + days). The state after the last visit, with the statics, goes to one dense layer. Sizes
//! are ours: 128 throughout, which is also what RETAIN has.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::init::Init;
use nn_core::layers::{Gru, RecurrentConfig, dense, dropout};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::parts::{CODES, CodeEmbedding, check_shape, with_statics};
use super::{SequenceNet, VisitBatch};

/// Sizes of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GruConfig {
    /// Ids of the vocabulary, padding and the unknown code included.
    pub codes: usize,
    /// Numbers that are known besides the visits.
    pub statics: usize,
    /// Labels or classes.
    pub outputs: usize,
    /// Numbers of a code's vector.
    pub embedding: usize,
    /// Units of each layer.
    pub hidden: usize,
    /// Layers.
    pub layers: usize,
    /// Whether the network reads the days between visits.
    pub time: bool,
    /// Dropout behind the vectors, between the layers and in front of the output, 0 to 0.95.
    pub dropout: f64,
}

impl Default for GruConfig {
    fn default() -> Self {
        Self { codes: CODES, statics: 0, outputs: 1, embedding: 128, hidden: 128, layers: 1, time: true, dropout: 0.2 }
    }
}

impl GruConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_shape(self.codes, self.statics, self.outputs)?;
        in_range("embedding", self.embedding, 1..=65_536)?;
        self.recurrent().validate()
    }

    fn recurrent(&self) -> RecurrentConfig {
        let input = self.embedding + usize::from(self.time);
        RecurrentConfig { layers: self.layers, dropout: self.dropout, ..RecurrentConfig::new(input, self.hidden) }
    }

    /// Builds the network: vectors from N(0, 1 / embedding), the rest as PyTorch draws it.
    ///
    /// # Errors
    /// What [`GruConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<GruNet, ConfigError> {
        self.validate()?;
        let embedding = CodeEmbedding::new([self.codes, self.embedding], Init::LeCunNormal, device, rng);
        let units = self.recurrent().gru(device, rng)?;
        let output = dense([self.hidden + self.statics, self.outputs], Init::PyTorchDefault, device, rng);
        Ok(GruNet { embedding, units, output, config: self.clone() })
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct GruNet {
    embedding: CodeEmbedding,
    units: Gru,
    output: Linear,
    #[module(skip)]
    config: GruConfig,
}

impl GruNet {
    /// The sizes it was built with.
    pub fn config(&self) -> &GruConfig {
        &self.config
    }
}

impl SequenceNet for GruNet {
    fn logits(&self, batch: &VisitBatch, mut rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        let p = self.config.dropout;
        let mut x = dropout(self.embedding.visits(batch), p, rng.as_deref_mut()); // [rows, visits, embedding]
        if self.config.time {
            let gaps = batch.log_gaps(&x.device());
            x = Tensor::cat(vec![x, gaps], 2); // [rows, visits, embedding + 1]
        }
        let last = self.units.forward(x, Some(batch.lengths()), rng.as_deref_mut()).last; // [rows, hidden]
        let last = with_statics(dropout(last, p, rng), batch, self.config.statics);
        self.output.forward(last) // [rows, outputs]
    }
}

#[cfg(test)]
mod tests {
    use nn_core::data::rng;

    use super::*;
    use crate::systems::VisitSequence;
    use crate::systems::golden::{STATICS, VOCABULARY, assert_golden, batch, filled, left_after, values};

    fn small() -> GruConfig {
        GruConfig {
            codes: VOCABULARY,
            statics: STATICS,
            outputs: 2,
            embedding: 5,
            hidden: 6,
            layers: 2,
            ..GruConfig::default()
        }
    }

    #[test]
    fn sizes_are_those_of_pytorch() {
        let device = Device::flex();
        let net = GruConfig::default().init(&device, &mut rng(1, &[])).unwrap();
        // sum(p.numel() for p in …): Embedding(1000, 128) 128,000; GRU(129, 128) 99,456; Linear(128, 1) 129
        assert_eq!(net.num_params(), 128_000 + 99_456 + 129);
    }

    #[test]
    fn outputs_are_pytorchs() {
        let net = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
        // 1e-5: single precision against double
        assert_golden(net.logits(&batch(), None), "gru", 1e-5);
    }

    #[test]
    fn order_and_gaps_matter_and_the_order_within_a_visit_does_not() {
        let config = GruConfig { statics: 0, ..small() };
        let net = filled(config.init(&Device::flex(), &mut rng(1, &[])).unwrap());
        let run = |visits: &[(f32, &[u32])]| {
            let mut sequence = VisitSequence::new(Vec::new());
            visits.iter().for_each(|(days, codes)| sequence.push(*days, false, codes.iter().copied()));
            values(net.logits(&VisitBatch::new([&sequence]), None))
        };
        let found = run(&[(0.0, &[2, 3]), (10.0, &[4])]);
        assert_eq!(found, run(&[(0.0, &[3, 2, 2, 0]), (10.0, &[4])]));
        for other in [run(&[(0.0, &[4]), (10.0, &[2, 3])]), run(&[(0.0, &[2, 3]), (300.0, &[4])])] {
            // what rounding could do is a thousand times less
            assert!(found.iter().zip(&other).any(|(a, b)| (a - b).abs() > 1e-3), "{found:?} and {other:?}");
        }
        let without = GruConfig { time: false, ..net.config().clone() };
        let net = filled(without.init(&Device::flex(), &mut rng(1, &[])).unwrap());
        let run = |days: f32| {
            let mut sequence = VisitSequence::new(Vec::new());
            sequence.push(0.0, false, [2, 3]);
            sequence.push(days, false, [4]);
            values(net.logits(&VisitBatch::new([&sequence]), None))
        };
        assert_eq!(run(10.0), run(300.0));
    }

    #[test]
    fn it_learns_a_few_patients_by_heart() {
        let device = Device::flex().autodiff();
        let config = GruConfig { outputs: 1, dropout: 0.0, ..small() };
        let left = left_after(config.init(&device, &mut rng(2, &[])).unwrap(), 150, 0.01);
        assert!(left < 0.1, "{left}");
    }

    #[test]
    fn settings_out_of_range_are_named() {
        for (config, field) in [
            (GruConfig { codes: 1, ..small() }, "codes"),
            (GruConfig { outputs: 0, ..small() }, "outputs"),
            (GruConfig { embedding: 0, ..small() }, "embedding"),
            (GruConfig { hidden: 0, ..small() }, "hidden"),
            (GruConfig { dropout: 1.0, ..small() }, "dropout"),
        ] {
            let error = config.validate().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{field} = ")), "{error}");
        }
    }
}
