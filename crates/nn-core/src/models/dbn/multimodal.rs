//! Several stacks under one machine: what is seen of one modality fills in the others.
//!
//! Ngiam et al. 2011, *Multimodal deep learning*, ICML, and Srivastava & Salakhutdinov 2012, *Learning representations
//! for multimodal data with deep belief nets*, ICML Representation Learning Workshop; with modalities of cell biology,
//! Zhang et al. 2016 use the same form. The layers of each modality are directed; the machine on top sees the codes of
//! all of them side by side.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::greedy::{GreedyConfig, Place, Session, learn, machines, of_rows};
use super::stack::Stack;
use super::{DbnConfig, DbnError};
use crate::config::{ConfigError, in_range};
use crate::models::rbm::sampling::bernoulli;
use crate::models::rbm::{Rbm, RbmConfig, RbmError, VisibleUnits};

/// Sizes of a network with several modalities. There is no default number of them that could be right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultimodalConfig {
    /// The stack of each modality, 2 to 64.
    pub modalities: Vec<DbnConfig>,
    /// Hidden units of the machine on top, 1 to 1,000,000.
    pub joint: usize,
    /// Standard deviation of the starting weights of the machine on top, 0 to 10.
    pub weight_sd: f64,
}

impl MultimodalConfig {
    /// Modalities and joint units, with starting weights as elsewhere.
    pub fn new(modalities: Vec<DbnConfig>, joint: usize) -> Self {
        Self { modalities, joint, weight_sd: RbmConfig::default().weight_sd }
    }

    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("modalities", self.modalities.len(), 2..=64)?;
        self.modalities.iter().try_for_each(DbnConfig::validate)?;
        in_range("joint", self.joint, 1..=1_000_000)?;
        in_range("weight_sd", self.weight_sd, 0.0..=10.0)
    }

    /// Width of each modality's code.
    fn widths(&self) -> Vec<usize> {
        self.modalities.iter().filter_map(|modality| modality.layers.last().copied()).collect()
    }

    fn joint_machine(&self) -> RbmConfig {
        RbmConfig {
            units: VisibleUnits::Bernoulli,
            visible: self.widths().iter().sum(),
            hidden: self.joint,
            weight_sd: self.weight_sd,
            hidden_bias: 0.0,
        }
    }
}

/// How missing modalities are filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Completion {
    /// Steps of Gibbs sampling before any is used.
    pub burn_in: usize,
    /// Steps whose means are averaged, 1 to 1,000,000.
    pub samples: usize,
}

impl Default for Completion {
    fn default() -> Self {
        Self { burn_in: 50, samples: 100 }
    }
}

/// A network with one stack for each modality and a machine on top of their codes.
#[derive(Module, Debug)]
pub struct MultimodalDbn {
    modalities: Vec<Stack>,
    joint: Rbm,
    #[module(skip)]
    config: MultimodalConfig,
}

impl MultimodalDbn {
    /// The sizes it was built with.
    pub fn config(&self) -> &MultimodalConfig {
        &self.config
    }

    /// The stack of each modality.
    pub fn modalities(&self) -> &[Stack] {
        &self.modalities
    }

    /// The machine on top.
    pub fn joint(&self) -> &Rbm {
        &self.joint
    }

    /// Probabilities of the joint units, all modalities known: the features of the rows.
    ///
    /// # Shapes
    /// - inputs: for each modality `[rows, visible]`; output `[rows, joint]`
    ///
    /// # Errors
    /// [`DbnError::Modalities`], [`DbnError::Rows`], [`RbmError::Columns`].
    pub fn transform(&self, inputs: Vec<Tensor<2>>) -> Result<Tensor<2>, DbnError> {
        let inputs: Vec<Option<Tensor<2>>> = inputs.into_iter().map(Some).collect();
        self.rows(&inputs)?;
        let codes = self.modalities.iter().zip(inputs).filter_map(|(stack, input)| input.map(|input| stack.up(input)));
        Ok(self.joint.transform(Tensor::<2>::cat(codes.collect(), 1)))
    }

    /// Fills in the modalities that are `None`: the codes of the others stay as they are while the machine on top runs
    /// through alternating Gibbs sampling, and what its means give further down is averaged. Known modalities come back
    /// unchanged; of a missing one of word counts, the shares of the words are given.
    ///
    /// # Shapes
    /// - inputs and output: for each modality `[rows, visible]`
    ///
    /// # Errors
    /// [`DbnError::NothingKnown`], [`DbnError::Modalities`], [`DbnError::Rows`], [`RbmError::Columns`],
    /// [`ConfigError::OutOfRange`] if no sample is to be used.
    pub fn complete(
        &self,
        inputs: Vec<Option<Tensor<2>>>,
        completion: &Completion,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<Tensor<2>>, DbnError> {
        in_range("samples", completion.samples, 1..=1_000_000)?;
        let rows = self.rows(&inputs)?;
        let device = self.joint.device();
        let widths = self.config.widths();

        // Codes that are not known begin half on: at the mean of a unit of which nothing is known.
        let codes = self.modalities.iter().zip(&inputs).zip(&widths).map(|((stack, input), &width)| match input {
            Some(input) => stack.up(input.clone()),
            None => Tensor::<2>::full([rows, width], 0.5, &device),
        });
        let mut visible = Tensor::<2>::cat(codes.collect(), 1); // [rows, all codes]
        let open = open_columns(&inputs, &widths, &device); // [1, all codes]
        let held = visible.clone() * (-open.clone() + 1.0);
        let mut sums: Vec<Option<Tensor<2>>> = vec![None; inputs.len()];
        for step in 0..completion.burn_in + completion.samples {
            let states = self.joint.sample_hidden(visible, rng); // [rows, joint]
            let means = self.joint.visible_mean(states, None); // [rows, all codes]
            if step >= completion.burn_in {
                let mut start = 0;
                for ((stack, sum), (input, &width)) in
                    self.modalities.iter().zip(&mut sums).zip(inputs.iter().zip(&widths))
                {
                    if input.is_none() {
                        let code = means.clone().narrow(1, start, width); // [rows, width]
                        let decoded = stack.down(code, None); // [rows, visible]
                        *sum = Some(match sum.take() {
                            Some(sum) => sum + decoded,
                            None => decoded,
                        });
                    }
                    start += width;
                }
            }
            visible = bernoulli(means, rng) * open.clone() + held.clone();
        }
        let share = 1.0 / completion.samples as f64;
        let filled = inputs.into_iter().zip(sums);
        Ok(filled.filter_map(|(input, sum)| input.or(sum.map(|sum| sum.mul_scalar(share)))).collect())
    }

    /// The number of rows, after checking that all that is known fits.
    fn rows(&self, inputs: &[Option<Tensor<2>>]) -> Result<usize, DbnError> {
        let (found, expected) = (inputs.len(), self.modalities.len());
        if found != expected {
            return Err(DbnError::Modalities { found, expected });
        }
        let mut rows = None;
        for (modality, (input, config)) in inputs.iter().zip(&self.config.modalities).enumerate() {
            let Some(input) = input else { continue };
            let [found, columns] = input.dims();
            if columns != config.visible {
                let what = "modality";
                return Err(RbmError::Columns { what, found: columns, expected: config.visible }.into());
            }
            let expected = *rows.get_or_insert(found);
            if found != expected {
                return Err(DbnError::Rows { modality, found, expected });
            }
        }
        rows.ok_or(DbnError::NothingKnown)
    }
}

/// One where a code is missing, zero where it is known, `[1, all codes]`.
fn open_columns(inputs: &[Option<Tensor<2>>], widths: &[usize], device: &Device) -> Tensor<2> {
    let open: Vec<f32> = inputs
        .iter()
        .zip(widths)
        .flat_map(|(input, &width)| std::iter::repeat_n(if input.is_none() { 1.0 } else { 0.0 }, width))
        .collect();
    let width = open.len();
    Tensor::from_data(TensorData::new(open, [1, width]), device)
}

/// Learns the stack of each modality layer by layer, and then the machine on top on their codes, on the device of the
/// data and without autodiff. Rows of all modalities belong together; `validation` is only measured and may have no
/// rows.
///
/// # Shapes
/// - data, validation: for each modality `[rows, visible]`
///
/// # Errors
/// [`DbnError`].
pub fn pretrain_multimodal(
    config: &MultimodalConfig,
    greedy: &GreedyConfig,
    data: &[Tensor<2>],
    validation: &[Tensor<2>],
    session: &mut Session<'_>,
) -> Result<MultimodalDbn, DbnError> {
    config.validate()?;
    for part in [data, validation] {
        let (found, expected) = (part.len(), config.modalities.len());
        if found != expected {
            return Err(DbnError::Modalities { found, expected });
        }
        let rows = part.iter().map(|matrix| matrix.dims()[0]);
        for (modality, found) in rows.clone().enumerate() {
            let expected = rows.clone().next().unwrap_or(found);
            if found != expected {
                return Err(DbnError::Rows { modality, found, expected });
            }
        }
    }
    let mut modalities = Vec::with_capacity(data.len());
    for (number, modality) in config.modalities.iter().enumerate() {
        let prefix = format!("modality-{number}-");
        let parts = [&data[number], &validation[number]];
        modalities.push(Stack::of(&machines(modality, greedy, (prefix.as_str(), number as u64), parts, session)?));
    }
    let codes = |part: &[Tensor<2>]| {
        let each = modalities.iter().zip(part).zip(config.widths());
        let code = |((stack, matrix), width): ((&Stack, &Tensor<2>), usize)| {
            of_rows(matrix.clone().inner(), width, |rows| stack.up(rows))
        };
        Tensor::<2>::cat(each.map(code).collect(), 1) // [rows, all codes]
    };
    let (codes, validation_codes) = (codes(data), codes(validation));
    let place = Place { name: "joint".to_owned(), stream: [data.len() as u64, 0], inner: true };
    let joint = learn(&config.joint_machine(), greedy, place, &codes, &validation_codes, session)?;
    Ok(MultimodalDbn { modalities, joint, config: config.clone() })
}
