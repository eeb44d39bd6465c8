//! Whether a network computes on every device what it computes on `cpu`: the check that each layer and system owes.
//! And what is needed to compare it with another implementation: [`filled`], which gives it parameters by their names.
//!
//! On `cpu` the layers run on the hand-written operations of [`crate::ops`], elsewhere they are composed of burn's own,
//! so comparing the devices compares the two as well.
//!
//! ```
//! use burn::tensor::Tensor;
//! use nn_core::{layers::{dense, init::Init}, parity::{self, Trace}};
//!
//! let compared = parity::check(1.0, |device| {
//!     let layer = dense([3, 2], Init::GlorotUniform, device, &mut nn_core::data::rng(7, &[]));
//!     let x = Tensor::<2>::from_data([[0.5, -1.0, 2.0]], device);
//!     let mut trace = Trace::new();
//!     trace.forward_backward(&layer, vec![("output", layer.forward(x).flatten(0, 1))]);
//!     trace
//! })?;
//! assert_eq!(compared[0], "cpu");
//! # Ok::<(), parity::ParityError>(())
//! ```

mod weights;

pub use self::weights::{filled, noise};

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use crate::compute::{self, DeviceError};

/// Why devices do not agree, or why nothing was compared.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParityError {
    /// A device is listed and cannot be used.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The same computation gave other values, or values of other sizes.
    #[error("on {device}: {found}; on cpu: {expected}")]
    Names {
        /// The device.
        device: String,
        /// What it gave there: name and number of values.
        found: String,
        /// What it gave on `cpu`.
        expected: String,
    },
    /// Zeros would agree with anything that was left out, and what is not finite with nothing.
    #[error("{name} on cpu has norm {norm}, with which nothing can be compared; choose other inputs")]
    Nothing {
        /// Which value.
        name: String,
        /// Its Euclidean norm.
        norm: f64,
    },
    /// A second run on `cpu` gave other bits.
    #[error("{name} on cpu differs between two runs")]
    Unsteady {
        /// Which value.
        name: String,
    },
    /// Further away than rounding explains.
    #[error(
        "{name} on {device} is {distance:.3e} from that on cpu, whose norm is {size:.3e}; {allowed:.3e} is allowed"
    )]
    Apart {
        /// Which value.
        name: String,
        /// The device.
        device: String,
        /// ‖found − expected‖.
        distance: f64,
        /// ‖expected‖.
        size: f64,
        /// The largest distance that passes.
        allowed: f64,
    },
}

/// How far a device may be from `cpu`, as a share of the Euclidean norm of each tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// For outputs and losses.
    pub values: f64,
    /// For gradients.
    pub gradients: f64,
}

impl Tolerance {
    /// | device | values | gradients | reason |
    /// |---|---|---|---|
    /// | `cpu`, `ndarray`, `gpu:N` | 1e-4 | 1e-4 | f32 sums in another order: 2⁻²⁴ = 6e-8 for each of some hundred roundings, with room |
    /// | `cuda:N` | 1e-2 | 0.2 | burn may multiply f32 matrices on tensor cores: 11 bits of a factor, 5e-4 |
    ///
    /// With 11 bits about one maximum in a hundred is won by another window and one rectified unit in a thousand changes
    /// side; a new winner has another gradient, hence the 0.2.
    #[must_use]
    pub fn of(device: &str) -> Self {
        if device.starts_with("cuda") {
            Self { values: 1e-2, gradients: 0.2 }
        } else {
            Self { values: 1e-4, gradients: 1e-4 }
        }
    }

    /// Both shares times `factor`: for networks whose depth or normalisation multiplies a rounding.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self { values: self.values * factor, gradients: self.gradients * factor }
    }
}

/// One thing that a computation came to.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    name: String,
    gradient: bool,
    values: Vec<f32>,
}

/// What a computation came to: outputs, losses and gradients by name, on the host.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trace {
    entries: Vec<Entry>,
}

impl Trace {
    /// Without values.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tensor of any shape.
    pub fn tensor<const D: usize>(&mut self, name: impl Into<String>, x: Tensor<D>) {
        let values = x.into_data().iter::<f32>().collect();
        self.push(name.into(), false, values);
    }

    /// Adds a number that is on the host already.
    pub fn number(&mut self, name: impl Into<String>, value: f64) {
        self.push(name.into(), false, vec![value as f32]);
    }

    /// Adds the loss, a tensor of one value, and the gradient of each parameter of `model` that it depends on, by path.
    pub fn backward<M: Module>(&mut self, model: &M, loss: Tensor<1>) {
        self.tensor("loss", loss.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), model);
        self.gradients(model, &gradients);
    }

    /// Adds the gradient of each parameter of `model` that has one in `gradients`, by path.
    pub fn gradients<M: Module>(&mut self, model: &M, gradients: &GradientsParams) {
        let mut visitor = Collect { gradients, path: Vec::new(), into: self };
        model.visit(&mut visitor);
    }

    /// Adds the outputs, each flattened to one axis, the loss Σ cᵢ·outputᵢ with constants c that differ between
    /// neighbours, and the gradient of each parameter that it depends on.
    pub fn forward_backward<M: Module>(&mut self, model: &M, outputs: Vec<(&str, Tensor<1>)>) {
        let mut losses = Vec::new();
        for (name, x) in outputs {
            losses.push((x.clone() * constants(x.dims()[0], &x.device())).sum());
            self.tensor(name, x);
        }
        self.backward(model, Tensor::cat(losses, 0).sum());
    }

    /// Names and values in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[f32])> {
        self.entries.iter().map(|entry| (entry.name.as_str(), entry.values.as_slice()))
    }

    /// The values of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[f32]> {
        self.iter().find(|(known, _)| *known == name).map(|(_, values)| values)
    }

    /// How many gradients there are.
    #[must_use]
    pub fn gradient_count(&self) -> usize {
        self.entries.iter().filter(|entry| entry.gradient).count()
    }

    /// All of `other` behind what is here, with `prefix` before each name.
    pub fn extend(&mut self, prefix: &str, other: Self) {
        self.entries
            .extend(other.entries.into_iter().map(|entry| Entry { name: format!("{prefix}{}", entry.name), ..entry }));
    }

    /// Fails unless `found`, computed on `device`, is within `tolerance` of this.
    ///
    /// The size that a gradient is judged by is at least a thousandth of that of all gradients together: behind a bias
    /// whose effect a normalisation takes away again there is nothing but rounding.
    ///
    /// # Errors
    /// [`ParityError`]: other names or sizes, nothing to compare with, or too far apart.
    pub fn compare(&self, device: &str, found: &Self, tolerance: Tolerance) -> Result<(), ParityError> {
        let all = norm(self.entries.iter().filter(|entry| entry.gradient).flat_map(|entry| &entry.values));
        let mut pairs = self.entries.iter().zip(&found.entries);
        let other = pairs.find(|(a, b)| (&a.name, a.values.len()) != (&b.name, b.values.len()));
        if other.is_some() || self.entries.len() != found.entries.len() {
            let text = |entries: &[Entry], entry: Option<&Entry>| match entry {
                Some(entry) => format!("{} of {} values", entry.name, entry.values.len()),
                None => format!("{} tensors", entries.len()),
            };
            return Err(ParityError::Names {
                device: device.to_owned(),
                found: text(&found.entries, other.map(|(_, found)| found)),
                expected: text(&self.entries, other.map(|(expected, _)| expected)),
            });
        }
        for (expected, found) in self.entries.iter().zip(&found.entries) {
            let name = expected.name.clone();
            let own = norm(&expected.values);
            if !(own > 0.0 && own.is_finite()) {
                return Err(ParityError::Nothing { name, norm: own });
            }
            let (share, size) =
                if expected.gradient { (tolerance.gradients, own.max(1e-3 * all)) } else { (tolerance.values, own) };
            let squares =
                expected.values.iter().zip(&found.values).map(|(&e, &f)| (f64::from(f) - f64::from(e)).powi(2));
            let (distance, allowed) = (squares.sum::<f64>().sqrt(), share * size);
            // Not a number is not near.
            if distance.is_nan() || distance > allowed {
                return Err(ParityError::Apart { name, device: device.to_owned(), distance, size: own, allowed });
            }
        }
        Ok(())
    }

    fn push(&mut self, name: String, gradient: bool, values: Vec<f32>) {
        self.entries.push(Entry { name, gradient, values });
    }

    /// The first name whose values have other bits in `again`.
    fn unsteady(&self, again: &Self) -> Option<String> {
        let bits = |entry: &Entry| entry.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        let mut pairs = self.entries.iter().zip(&again.entries);
        pairs.find(|(a, b)| bits(a) != bits(b)).map(|(a, _)| a.name.clone())
    }
}

/// Runs `compute` on `cpu`, and again there and on every other device of this build and machine, and gives the names of
/// the devices that agree: on `cpu` in every bit, elsewhere within `slack` times [`Tolerance::of`] the device.
///
/// The device keeps track of gradients. Draw weights and inputs with [`crate::data::rng`], whose numbers come from the
/// host.
///
/// # Errors
/// [`ParityError`]: the first difference.
pub fn check(slack: f64, mut compute: impl FnMut(&Device) -> Trace) -> Result<Vec<String>, ParityError> {
    let mut run = |name: &str| compute::device(name).map(|device| compute(&device.autodiff()));
    let expected = run("cpu")?;
    let devices: Vec<String> = compute::list().into_iter().flat_map(|info| info.present).collect();
    for device in &devices {
        let found = run(device)?;
        expected.compare(device, &found, Tolerance::of(device).times(slack))?;
        if device == "cpu"
            && let Some(name) = expected.unsteady(&found)
        {
            return Err(ParityError::Unsteady { name });
        }
    }
    Ok(devices)
}

/// Multiples of 1/16 from −1 to 1, no two of 33 neighbours equal.
fn constants(length: usize, device: &Device) -> Tensor<1> {
    let values: Vec<f32> = (0..length).map(|at| ((at * 17 + 3) % 33) as f32 / 16.0 - 1.0).collect();
    Tensor::from_data(values.as_slice(), device)
}

fn norm<'a>(values: impl IntoIterator<Item = &'a f32>) -> f64 {
    values.into_iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt()
}

/// Adds the gradient of every parameter, by path.
struct Collect<'a> {
    gradients: &'a GradientsParams,
    path: Vec<String>,
    into: &'a mut Trace,
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            let values = gradient.into_data().iter::<f32>().collect();
            self.into.push(format!("gradient of {}", self.path.join(".")), true, values);
        }
    }
}

#[cfg(test)]
mod tests;
