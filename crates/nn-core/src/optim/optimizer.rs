//! The optimiser of one module.

use super::config::OptimizerConfig;
use super::device;
use super::rule::{self, Real, Step};
use super::state::{Buffers, Slot};
use crate::compute::is_cpu;
use crate::config::{ConfigError, in_range};
use crate::transfer::is_under;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Tensor, TensorReadError};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use std::collections::{BTreeMap, HashMap};

/// The key of the file's metadata that holds the name of the rule.
const RULE: &str = "optimizer";
/// The part that counts a parameter's updates.
const COUNT: &str = "steps";

/// Why the state of an optimiser cannot be written, read or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OptimError {
    /// The bytes are no safetensors file, or could not be made into one.
    #[error("the optimiser's state is damaged: {0}")]
    Format(#[from] SafeTensorError),
    /// The file was written by something else.
    #[error("the file holds no optimiser state: its metadata names no optimiser")]
    NotAState,
    /// The state belongs to another rule.
    #[error(
        "the state was saved by {found}, the optimiser is {expected}; resume with the configuration of the run that saved it"
    )]
    OtherRule {
        /// The rule that the file names.
        found: String,
        /// The rule of this optimiser.
        expected: &'static str,
    },
    /// A tensor of the state is absent, or has another type than its parameter's others.
    #[error("the state has no usable tensor {name:?}; resume with the configuration of the run that saved it")]
    Missing {
        /// Name of the tensor.
        name: String,
    },
    /// The device did not give its values back.
    #[error("cannot read the state of parameter {path} from its device")]
    Read {
        /// Path of the parameter in the module.
        path: String,
        /// The device's own error.
        source: TensorReadError,
    },
    /// The state speaks of a parameter that the module does not have.
    #[error("the state belongs to another model: this one has no parameter {path}")]
    Foreign {
        /// Path of the parameter in the state.
        path: String,
    },
    /// The state of a parameter has another size.
    #[error("the state belongs to another model: parameter {path} has {expected} values, its state holds {found}")]
    Length {
        /// Path of the parameter in the module.
        path: String,
        /// Values in the state.
        found: usize,
        /// Values in the parameter.
        expected: usize,
    },
}

/// An optimiser with its memory of every parameter of one module.
///
/// A parameter is known by its path in the module, so use one optimiser for one module. On the CPU
/// device a parameter's values are updated in place when nothing else holds them, and are copied
/// first otherwise: give [`step`](Self::step) the only copy of the model. A tensor that is shared by
/// two places of a module is no longer shared after a step; hold it once and use it twice.
#[derive(Debug, Clone)]
pub struct Optimizer {
    config: OptimizerConfig,
    slots: BTreeMap<String, Slot>,
    /// Prefixes of paths with factors of the learning rate.
    rates: Vec<(String, f64)>,
}

impl Optimizer {
    pub(super) fn new(config: OptimizerConfig) -> Self {
        Self { config, slots: BTreeMap::new(), rates: Vec::new() }
    }

    /// Multiplies the learning rate of the parameter at `prefix` and of all below it by `factor`, 0 to 1,000. Where
    /// several prefixes hold, the longest one counts. The factors are settings, and no part of the saved state.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`].
    pub fn with_rate(mut self, prefix: &str, factor: f64) -> Result<Self, ConfigError> {
        in_range("factor", factor, 0.0..=1e3)?;
        self.rates.push((prefix.to_owned(), factor));
        Ok(self)
    }

    /// The factor of the learning rate of the parameter at `path`.
    fn rate(&self, path: &str) -> f64 {
        let fitting = self.rates.iter().filter(|(prefix, _)| is_under(path, prefix));
        fitting.max_by_key(|(prefix, _)| prefix.len()).map_or(1.0, |(_, factor)| *factor)
    }

    /// The rule and its constants.
    pub fn config(&self) -> &OptimizerConfig {
        &self.config
    }

    /// The model after one update. Parameters without a gradient stay as they are, weight decay and
    /// the count of their steps included.
    ///
    /// # Panics
    /// When the state is that of a model with other shapes ([`check`](Self::check) tells before), or
    /// a device fails to give its values.
    pub fn step<M: Module>(&mut self, learning_rate: f64, model: M, grads: GradientsParams) -> M {
        model.map(&mut Mapper { optimizer: self, learning_rate, grads, path: Vec::new() })
    }

    fn update<const D: usize>(
        &mut self,
        path: String,
        learning_rate: f64,
        value: Tensor<D>,
        grad: Tensor<D>,
    ) -> Tensor<D> {
        let target = value.device();
        let grad = if grad.device() == target { grad } else { grad.to_device(&target) };
        let size = value.shape().num_elements();
        let learning_rate = learning_rate * self.rate(&path);
        let slot = self.slots.entry(path).or_default();
        if slot.count > 0 {
            for (at, name) in self.config.buffers().iter().enumerate() {
                let held = slot.buffers.length(at);
                assert!(
                    held == size,
                    "a parameter of {size} values has a {name} of {held}: the state is another model's"
                );
            }
        }
        slot.count += 1;
        let step = Step { config: &self.config, learning_rate, count: slot.count };
        match (is_cpu(&target), value.dtype(), grad.dtype()) {
            (true, DType::F32, DType::F32) => on_host::<f32, D>(step, &mut slot.buffers, value, grad),
            (true, DType::F64, DType::F64) => on_host::<f64, D>(step, &mut slot.buffers, value, grad),
            _ => on_device(step, &mut slot.buffers, value, grad),
        }
    }

    /// The state as the bytes of a safetensors file: `<path>.steps` and one flat tensor for each
    /// thing remembered. The same state gives the same bytes.
    ///
    /// # Errors
    /// [`OptimError::Read`] when a device does not give its values back.
    pub fn to_bytes(&self) -> Result<Vec<u8>, OptimError> {
        let mut parts: Vec<(String, Dtype, usize, Vec<u8>)> = Vec::new();
        for (path, slot) in &self.slots {
            parts.push((format!("{path}.{COUNT}"), Dtype::U64, 1, slot.count.to_le_bytes().to_vec()));
            for (at, name) in self.config.buffers().iter().enumerate() {
                let (dtype, bytes) = slot.buffers.to_bytes(at, path)?;
                parts.push((format!("{path}.{name}"), dtype, slot.buffers.length(at), bytes));
            }
        }
        let mut views = Vec::with_capacity(parts.len());
        for (name, dtype, length, bytes) in &parts {
            views.push((name.as_str(), TensorView::new(*dtype, vec![*length], bytes)?));
        }
        // one entry only: the map has no order of its own, and the bytes must not depend on it
        let metadata = HashMap::from([(RULE.to_owned(), self.config.name().to_owned())]);
        Ok(safetensors::serialize(views, Some(metadata))?)
    }

    /// Replaces the state with one that [`to_bytes`](Self::to_bytes) wrote; nothing changes on error.
    /// The values go to their parameter's device at the next step.
    ///
    /// # Errors
    /// [`OptimError`] when the bytes are damaged, are no optimiser's, or are of another rule.
    pub fn load_bytes(&mut self, bytes: &[u8]) -> Result<(), OptimError> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let found = header.metadata().as_ref().and_then(|metadata| metadata.get(RULE)).ok_or(OptimError::NotAState)?;
        if found != self.config.name() {
            return Err(OptimError::OtherRule { found: found.clone(), expected: self.config.name() });
        }
        let file = SafeTensors::deserialize(bytes)?;
        let suffix = format!(".{COUNT}");
        let mut slots = BTreeMap::new();
        for name in file.names() {
            let Some(path) = name.strip_suffix(&suffix) else { continue };
            let count = file.tensor(name)?;
            let Some(count) = count.data().first_chunk::<8>().filter(|_| count.dtype() == Dtype::U64) else {
                return Err(OptimError::Missing { name: name.to_owned() });
            };
            let mut parts = Vec::new();
            for part in self.config.buffers() {
                let name = format!("{path}.{part}");
                let Ok(view) = file.tensor(&name) else { return Err(OptimError::Missing { name }) };
                parts.push((view.dtype(), view.data()));
            }
            let Some(buffers) = Buffers::from_bytes(&parts) else {
                return Err(OptimError::Missing { name: path.to_owned() });
            };
            slots.insert(path.to_owned(), Slot { count: u64::from_le_bytes(*count), buffers });
        }
        self.slots = slots;
        Ok(())
    }

    /// Checks that the state can be that of `model`: every path is there, with as many values.
    ///
    /// # Errors
    /// [`OptimError::Foreign`] or [`OptimError::Length`] for the first parameter that disagrees.
    pub fn check<M: Module>(&self, model: &M) -> Result<(), OptimError> {
        let mut sizes = Sizes::default();
        model.visit(&mut sizes);
        for (path, slot) in &self.slots {
            let Some(&expected) = sizes.found.get(path) else {
                return Err(OptimError::Foreign { path: path.clone() });
            };
            for at in 0..self.config.buffers().len() {
                let found = slot.buffers.length(at);
                if found != expected {
                    return Err(OptimError::Length { path: path.clone(), found, expected });
                }
            }
        }
        Ok(())
    }
}

/// Updates the values in the memory that the tensor holds; a buffer not there yet starts at zero.
fn on_host<F: Real, const D: usize>(step: Step, buffers: &mut Buffers, value: Tensor<D>, grad: Tensor<D>) -> Tensor<D> {
    let device = value.device();
    // Neither is copied when this was its only handle and it lies in one piece.
    let (mut values, grads) = (value.into_data(), grad.into_data());
    let updated = match (values.as_mut_slice::<F>(), grads.as_slice::<F>()) {
        (Ok(p), Ok(g)) => {
            let mut held = F::unpack(std::mem::take(buffers));
            for state in held.iter_mut().take(step.config.buffers().len()) {
                state.resize(p.len(), F::of(0.0));
            }
            let [a, b] = &mut held;
            rule::update(step, p, g, a, b);
            *buffers = F::pack(held);
            true
        }
        _ => false,
    };
    let value = Tensor::from_data(values, (&device, F::dtype()));
    if updated {
        return value;
    }
    // Only memory that cannot be read as numbers of this type leads here; the operations copy it.
    on_device(step, buffers, value, Tensor::from_data(grads, (&device, F::dtype())))
}

/// Updates with tensor operations, half precision in single; a buffer not there yet starts at zero.
fn on_device<const D: usize>(step: Step, buffers: &mut Buffers, value: Tensor<D>, grad: Tensor<D>) -> Tensor<D> {
    let (device, dtype, dims) = (value.device(), value.dtype(), value.dims());
    let size: usize = dims.iter().product();
    let wide = if dtype == DType::F64 { DType::F64 } else { DType::F32 };
    let count = step.config.buffers().len();
    let state = if step.count == 1 {
        (0..count).map(|_| Tensor::<1>::zeros([size], (&device, wide))).collect()
    } else {
        std::mem::take(buffers).into_tensors(count, &device, wide)
    };
    let value = value.reshape::<1, _>([size]).cast(wide);
    let grad = grad.reshape::<1, _>([size]).cast(wide);
    let (value, state) = device::update(step, value, grad, state);
    *buffers = Buffers::Device(state);
    value.cast(dtype).reshape::<D, _>(dims)
}

/// Walks the module and updates each parameter that has a gradient.
struct Mapper<'a> {
    optimizer: &'a mut Optimizer,
    learning_rate: f64,
    grads: GradientsParams,
    path: Vec<String>,
}

impl ModuleMapper for Mapper<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(grad) = self.grads.remove::<D>(param.id) else { return param };
        let (id, value, mapper) = param.consume();
        let tracked = value.is_require_grad();
        let checkpointing = value.gradient_checkpointing_strategy();
        let mut value = self.optimizer.update(self.path.join("."), self.learning_rate, value.inner(), grad.inner());
        if let Some(strategy) = checkpointing {
            value = value.autodiff().with_gradient_checkpointing_strategy(strategy).set_require_grad(tracked);
        }
        Param::from_mapped_value(id, value, mapper)
    }
}

/// The number of values of each parameter, by path.
#[derive(Default)]
struct Sizes {
    path: Vec<String>,
    found: HashMap<String, usize>,
}

impl ModuleVisitor for Sizes {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.insert(self.path.join("."), param.lazy_shape().num_elements());
    }
}
