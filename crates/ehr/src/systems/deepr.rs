//! Deepr: a patient as a sentence, with words for the time between visits, and a convolution that finds motifs in it.
//!
//! Nguyen, Tran, Wickramasinghe and Venkatesh 2017, *Deepr: a convolutional net for medical records*, IEEE Journal of
//! Biomedical and Health Informatics 21:22: codes of a visit stand together, and between two visits stands one of five
//! words for 0–1, 1–3, 3–6, 6–12 and more than 12 months (section III-A); vectors of 100 numbers, 100 filters of 3 to 5
//! words, a rectifier, the maximum over the sentence, one dense layer (section III-B).
//!
//! The paper takes the codes of a visit in random order; here they are sorted, so that a patient has one answer. The
//! longest sentence is ours. Filters are centred on words, with zeros around the sentence.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::init::Init;
use nn_core::layers::{Conv1d, ConvConfig, dense, dropout};
use nn_core::ops::global_max_pool;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::parts::{CODES, CodeEmbedding, check_shape, with_statics};
use super::{PADDING, SequenceNet, VisitBatch};

/// Sizes of the network; the defaults are the published ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeeprConfig {
    /// Ids of the vocabulary, padding and the unknown code included, words for gaps excluded.
    pub codes: usize,
    /// Numbers that are known besides the visits.
    pub statics: usize,
    /// Labels or classes.
    pub outputs: usize,
    /// Numbers of a word's vector.
    pub embedding: usize,
    /// Filters of the convolution.
    pub filters: usize,
    /// Words that a filter sees; an odd number.
    pub kernel: usize,
    /// Longest gap in days of each word for gaps but the last, which stands for all that is longer; rising.
    pub gaps: Vec<f32>,
    /// Words of the longest sentence; of a longer one the end is read.
    pub words: usize,
    /// Dropout in front of the output, 0 to 0.95.
    pub dropout: f64,
}

impl Default for DeeprConfig {
    fn default() -> Self {
        Self {
            codes: CODES,
            statics: 0,
            outputs: 1,
            embedding: 100,
            filters: 100,
            kernel: 5,
            gaps: vec![30.0, 90.0, 180.0, 365.0],
            words: 1000,
            dropout: 0.5,
        }
    }
}

impl DeeprConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_shape(self.codes, self.statics, self.outputs)?;
        in_range("embedding", self.embedding, 1..=65_536)?;
        in_range("filters", self.filters, 1..=65_536)?;
        in_range("kernel", self.kernel, 1..=255)?;
        in_range("words", self.words, 1..=1_000_000)?;
        in_range("dropout", self.dropout, 0.0..=0.95)?;
        if self.kernel.is_multiple_of(2) {
            return Err(ConfigError::Conflict(format!(
                "kernel = {} has no word in its middle; use an odd number",
                self.kernel
            )));
        }
        self.gaps.iter().try_for_each(|&days| in_range("gaps", days, 0.0..=1e6))?;
        if self.gaps.windows(2).any(|bounds| bounds[0] >= bounds[1]) {
            return Err(ConfigError::Conflict(format!("gaps = {:?} must rise", self.gaps)));
        }
        Ok(())
    }

    /// Builds the network: vectors from N(0, 1 / embedding), the rest as PyTorch draws it.
    ///
    /// # Errors
    /// What [`DeeprConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Deepr, ConfigError> {
        self.validate()?;
        let words = self.codes + self.gaps.len() + 1;
        let embedding = CodeEmbedding::new([words, self.embedding], Init::LeCunNormal, device, rng);
        let convolution = ConvConfig::new(self.embedding, self.filters, self.kernel).same().init(device, rng)?;
        let output = dense([self.filters + self.statics, self.outputs], Init::PyTorchDefault, device, rng);
        Ok(Deepr { embedding, convolution, output, config: self.clone() })
    }

    /// The word for a gap: [`DeeprConfig::codes`] for the shortest ones, and so on.
    ///
    /// ```
    /// use ehr::systems::deepr::DeeprConfig;
    /// let config = DeeprConfig { codes: 50, ..DeeprConfig::default() };
    /// assert_eq!([0.0, 30.0, 31.0, 365.0, 3650.0].map(|days| config.gap_word(days)), [50, 50, 51, 53, 54]);
    /// ```
    pub fn gap_word(&self, days: f32) -> u32 {
        let shorter = self.gaps.iter().filter(|&&longest| longest < days).count();
        (self.codes + shorter) as u32
    }

    /// The sentence of a row: ids of the codes of its visits, with words for the gaps between them.
    ///
    /// # Panics
    /// When the batch has no such row.
    pub fn sentence(&self, batch: &VisitBatch, row: usize) -> Vec<u32> {
        let mut words = Vec::new();
        for visit in 0..batch.lengths()[row] {
            if visit > 0 {
                words.push(self.gap_word(batch.gap(row, visit)));
            }
            words.extend_from_slice(batch.codes(row, visit));
        }
        words.split_off(words.len().saturating_sub(self.words))
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Deepr {
    embedding: CodeEmbedding,
    convolution: Conv1d,
    output: Linear,
    #[module(skip)]
    config: DeeprConfig,
}

impl Deepr {
    /// The sizes it was built with.
    pub fn config(&self) -> &DeeprConfig {
        &self.config
    }

    /// How strongly each filter answers at each word, 0 in padding; sentences are those of [`DeeprConfig::sentence`].
    ///
    /// # Shapes
    /// - output `[rows, filters, words]`, where `words` are those of the longest sentence, 1 at least
    ///
    /// # Panics
    /// When the batch has a code beyond the vocabulary.
    pub fn motifs(&self, batch: &VisitBatch) -> Tensor<3> {
        let (rows, width) = (batch.rows(), self.config.embedding);
        let largest = batch.all_codes().iter().max().map_or(0, |&code| code as usize);
        // behind them stand the words for gaps
        assert!(largest < self.config.codes, "code {largest} of a vocabulary of {}", self.config.codes);
        let sentences: Vec<Vec<u32>> = (0..rows).map(|row| self.config.sentence(batch, row)).collect();
        let words = sentences.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let mut ids = Vec::with_capacity(rows * words);
        let mut mask = Vec::with_capacity(rows * words);
        for sentence in &sentences {
            ids.extend_from_slice(sentence);
            ids.resize(ids.len() + words - sentence.len(), PADDING);
            mask.extend((0..words).map(|word| if word < sentence.len() { 1.0_f32 } else { 0.0 }));
        }
        let mask = Tensor::<3>::from_data(TensorData::new(mask, [rows, 1, words]), &self.embedding.device());
        let x = self.embedding.vectors(&ids).reshape([rows, words, width]).swap_dims(1, 2); // [rows, embedding, words]
        relu(self.convolution.forward(x * mask.clone())) * mask // [rows, filters, words]
    }
}

impl SequenceNet for Deepr {
    fn logits(&self, batch: &VisitBatch, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        // nothing is below 0 behind the rectifier, so padding is never the largest
        let found = global_max_pool(self.motifs(batch)); // [rows, filters]
        let found = dropout(found, self.config.dropout, rng);
        self.output.forward(with_statics(found, batch, self.config.statics)) // [rows, outputs]
    }
}

#[cfg(test)]
mod tests {
    use nn_core::data::rng;

    use super::*;
    use crate::systems::golden::{STATICS, VOCABULARY, assert_golden, batch, filled, left_after};

    fn small() -> DeeprConfig {
        DeeprConfig {
            codes: VOCABULARY,
            statics: STATICS,
            outputs: 2,
            embedding: 5,
            filters: 6,
            kernel: 3,
            ..DeeprConfig::default()
        }
    }

    #[test]
    fn sizes_are_those_of_pytorch() {
        let net = DeeprConfig::default().init(&Device::flex(), &mut rng(1, &[])).unwrap();
        // Embedding(1005, 100), Conv1d(100, 100, 5), Linear(100, 1)
        assert_eq!(net.num_params(), 100_500 + 50_100 + 101);
    }

    #[test]
    fn sentences_are_those_of_the_script() {
        let (config, batch) = (small(), batch());
        let words: Vec<f64> = (0..batch.rows()).flat_map(|row| config.sentence(&batch, row)).map(f64::from).collect();
        assert_eq!(words, crate::systems::golden::expected("deepr.words"));
        let short = DeeprConfig { words: 3, ..small() };
        let sentence = config.sentence(&batch, 0);
        assert_eq!(short.sentence(&batch, 0), sentence[sentence.len() - 3..]);
    }

    #[test]
    fn outputs_are_pytorchs() {
        let net = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
        // 1e-5: single precision against double
        assert_golden(net.motifs(&batch()), "deepr.motifs", 1e-5);
        assert_golden(net.logits(&batch(), None), "deepr", 1e-5);
    }

    #[test]
    fn it_learns_a_few_patients_by_heart() {
        let device = Device::flex().autodiff();
        let config = DeeprConfig { outputs: 1, embedding: 8, filters: 16, dropout: 0.0, ..small() };
        let left = left_after(config.init(&device, &mut rng(2, &[])).unwrap(), 200, 0.02);
        assert!(left < 0.1, "{left}");
    }

    #[test]
    fn settings_that_do_not_fit_are_refused() {
        let error = DeeprConfig { kernel: 4, ..small() }.validate().unwrap_err().to_string();
        assert_eq!(error, "kernel = 4 has no word in its middle; use an odd number");
        let error = DeeprConfig { gaps: vec![30.0, 30.0], ..small() }.validate().unwrap_err().to_string();
        assert_eq!(error, "gaps = [30.0, 30.0] must rise");
        for (config, field) in [
            (DeeprConfig { filters: 0, ..small() }, "filters"),
            (DeeprConfig { words: 0, ..small() }, "words"),
            (DeeprConfig { gaps: vec![-1.0], ..small() }, "gaps"),
        ] {
            let error = config.validate().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{field} = ")), "{error}");
        }
    }
}
