//! Every network of `ehr::systems` on each device of this build and machine against `cpu`, within the tolerances of
//! `nn_core::parity`.
//!
//! | network | what is compared besides the logits and all gradients |
//! |---|---|
//! | `GruNet` | nothing: it gives nothing else |
//! | `Retain` | context, both attentions, what each visit contributes, penalty |
//! | `DoctorAi` | what each visit foretells of the next one, loss, penalty |
//! | `Deepr` | what each filter answers at each word |
//! | `Patient2Vec` | weights of codes and of months, the patient's vector, penalty |
//! | `DeepCare`, by mean and by sum | penalty |
//! | `GruD` and the paper's GRU-Forward and GRU-Mean | the last state |
//! | `DynamicDeepHit` | distribution, foretold measurements, attention, its three losses, penalty |
//! | `Med2Vec`, codes and groups | vectors of visits, the losses of visits and of codes, penalty |
//! | `DeepPatient` | descriptions, of encoders as they start and as they are learnt, reconstruction losses |
//!
//! `Net` and `study::Network` choose among these. `embedding`, the forests, the trees, the regressions and the Cox
//! models have no part in this: they learn in plain loops in the memory of the program and know no device.
//!
//! What acts in training alone, such as dropout, is drawn from a generator of the host. A network runs with and without
//! it, and one loss goes backwards through both.
//!
//! The slack is 1, for two recurrent layers over a handful of steps and no normalisation; where it is more, the test
//! says why.

mod measurements;
mod visits;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor, TensorData};
use nn_core::data::rng;
use nn_core::layers::init::{Fan, Init};
use nn_core::parity::{Trace, check};
use nn_core::transfer::{freeze, under};
use rand_chacha::ChaCha8Rng;

/// Numbers that are known of each patient besides.
const STATICS: usize = 2;
/// How far parameters are moved from where they start.
const MOVED: f64 = 0.25;

/// Starting values.
fn start() -> ChaCha8Rng {
    rng(1, &[])
}

/// Dropout and other noise of training.
fn noise() -> ChaCha8Rng {
    rng(2, &[])
}

/// Compares all devices that are present, `cpu` with itself among them.
fn compare(slack: f64, compute: impl FnMut(&Device) -> Trace) {
    let devices = check(slack, compute).unwrap();
    assert_eq!(devices[0], "cpu");
}

/// Moves each parameter by U(−by, by): a bias of 0 would have no part in the outputs, and vectors of codes that start
/// within 0.01 of 0 hardly any.
struct Move {
    by: f64,
    generator: ChaCha8Rng,
}

impl ModuleMapper for Move {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let value = param.val();
        let (shape, device) = (value.dims(), value.device());
        let steps = Init::Uniform(self.by).values(&shape, Fan { inputs: 1, outputs: 1 }, &mut self.generator);
        let values: Vec<f32> = value.into_data().iter::<f32>().zip(steps).map(|(value, step)| value + step).collect();
        Param::from_data(TensorData::new(values, shape), &device)
    }
}

fn moved<M: Module>(net: M, by: f64) -> M {
    net.map(&mut Move { by, generator: rng(3, &[]) })
}

/// The network without a gradient of the bias at that path. It is added to all scores of a softmax alike and changes
/// nothing, so that its gradient is rounding, or zero, with which nothing can be compared.
fn without<M: Module>(net: M, idle: &str) -> M {
    let (net, held) = freeze(net, under(&[idle]));
    assert_eq!(held, [idle]);
    net
}

fn flat<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let size = x.shape().num_elements();
    x.reshape([size])
}

/// Outputs, a loss of all of them and the gradients of so many tensors.
fn trace<M: Module>(net: &M, outputs: Vec<(&str, Tensor<1>)>, tensors: usize) -> Trace {
    let mut trace = Trace::new();
    trace.forward_backward(net, outputs);
    assert_eq!(trace.gradient_count(), tensors, "{trace:?}");
    trace
}
