//! A learner with one loss and one optimiser.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::{Learner, StepContext, StepError, StepReport};
use crate::optim::{OptimError, Optimizer, clip_global_norm, clip_values, renormalise};
use crate::store::{self, Metadata};

/// What is learnt: a loss over rows, and how the model is judged.
pub trait Objective {
    /// The network.
    type Model: Module;

    /// Mean loss over the data at `rows`, of shape `[1]`. Inputs go to the model's own device, which has autodiff.
    /// Noise (dropout, augmentation) is drawn from `context`.
    ///
    /// # Errors
    /// [`StepError`].
    fn loss(&self, model: &Self::Model, rows: &[usize], context: &StepContext) -> Result<Tensor<1>, StepError>;

    /// Name and value of each metric on the validation part. The model is in validation state and without autodiff.
    ///
    /// # Errors
    /// [`StepError`].
    fn validate(&self, model: &Self::Model) -> Result<Vec<(String, f64)>, StepError>;

    /// What messages call `row`: by default its number, from 0. Whoever knows better than the objective makes it
    /// [`Named`].
    fn name_of(&self, row: usize) -> String {
        row.to_string()
    }

    /// The loss of each of `rows` by itself, in the step of `context`, of shape `[rows]`; none where they cannot be
    /// told apart. Asked for when [`Objective::loss`] was not finite, to say on which rows that lies.
    ///
    /// # Errors
    /// [`StepError`].
    fn losses(
        &self,
        _model: &Self::Model,
        _rows: &[usize],
        _context: &StepContext,
    ) -> Result<Option<Tensor<1>>, StepError> {
        Ok(None)
    }
}

/// An [`Objective`] with names for its rows that it does not know itself.
#[derive(Debug, Clone)]
pub struct Named<O, F> {
    objective: O,
    name: F,
}

impl<O: Objective, F: Fn(usize) -> String> Named<O, F> {
    /// `objective`, whose rows messages call what `name` gives for their numbers.
    pub fn new(objective: O, name: F) -> Self {
        Self { objective, name }
    }
}

impl<O: Objective, F: Fn(usize) -> String> Objective for Named<O, F> {
    type Model = O::Model;

    fn loss(&self, model: &O::Model, rows: &[usize], context: &StepContext) -> Result<Tensor<1>, StepError> {
        self.objective.loss(model, rows, context)
    }

    fn validate(&self, model: &O::Model) -> Result<Vec<(String, f64)>, StepError> {
        self.objective.validate(model)
    }

    fn name_of(&self, row: usize) -> String {
        (self.name)(row)
    }

    fn losses(&self, model: &O::Model, rows: &[usize], context: &StepContext) -> Result<Option<Tensor<1>>, StepError> {
        self.objective.losses(model, rows, context)
    }
}

/// Learns an [`Objective`] with an [`Optimizer`].
pub struct Supervised<O: Objective> {
    objective: O,
    /// Absent only while the optimiser has it: an update in place needs the only copy.
    model: Option<O::Model>,
    optimizer: Optimizer,
    clip_norm: Option<f64>,
    clip_value: Option<f64>,
    max_norm: Option<f64>,
    metadata: Metadata,
}

impl<O: Objective> Supervised<O> {
    /// A learner that starts from `model`, which must be on a device with autodiff. `architecture` names the system in
    /// the weights files; weights of another one are refused.
    pub fn new(objective: O, model: O::Model, optimizer: Optimizer, architecture: &str) -> Self {
        let metadata = Metadata::from([(store::ARCHITECTURE.to_string(), architecture.to_string())]);
        let (clip_norm, clip_value, max_norm) = (None, None, None);
        Self { objective, model: Some(model), optimizer, clip_norm, clip_value, max_norm, metadata }
    }

    /// Scales gradients down whose global norm exceeds `norm`.
    pub fn with_clip_norm(mut self, norm: Option<f64>) -> Self {
        self.clip_norm = norm;
        self
    }

    /// Cuts each value of a gradient to `-limit ..= limit`, after the norm of all of them was bounded.
    pub fn with_clip_value(mut self, limit: Option<f64>) -> Self {
        self.clip_value = limit;
        self
    }

    /// Bounds the length of the weights that lead to one unit after each step, as [`renormalise`] does.
    pub fn with_max_norm(mut self, norm: Option<f64>) -> Self {
        self.max_norm = norm;
        self
    }

    /// Adds what the weights files say about the model, such as [`store::CONFIG`] and [`store::PREPROCESSING`].
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata.extend(metadata);
        self
    }

    /// What is learnt.
    pub fn objective(&self) -> &O {
        &self.objective
    }

    /// The model as it is now, on its device with autodiff.
    ///
    /// # Errors
    /// [`StepError::Lost`] after a step that panicked.
    pub fn model(&self) -> Result<&O::Model, StepError> {
        self.model.as_ref().ok_or(StepError::Lost)
    }

    /// The model for use: in validation state and without autodiff.
    ///
    /// # Errors
    /// [`StepError::Lost`] after a step that panicked.
    pub fn into_model(self) -> Result<O::Model, StepError> {
        Ok(self.model()?.valid())
    }

    fn with_weights(&self, weights: &[u8]) -> Result<O::Model, StepError> {
        let (model, metadata) = store::from_safetensors(self.model()?.clone(), weights)?;
        if let Some(architecture) = self.metadata.get(store::ARCHITECTURE) {
            store::check_architecture(&metadata, architecture)?;
        }
        Ok(model)
    }
}

/// The optimiser's error as one of the step.
fn optimizer_failed(error: OptimError) -> StepError {
    StepError::Optimizer(error.to_string())
}

impl<O: Objective> Learner for Supervised<O> {
    fn step(&mut self, rows: &[usize], context: &StepContext) -> Result<StepReport, StepError> {
        let model = self.model.as_ref().ok_or(StepError::Lost)?;
        let loss = self.objective.loss(model, rows, context)?;
        let value = loss
            .clone()
            .try_into_scalar::<f64>()
            .map_err(|error| StepError::Device { what: "loss", reason: error.to_string() })?;
        if !value.is_finite() {
            return Ok(StepReport { loss: value, grad_norm: None });
        }
        if !loss.is_tracked() {
            return Err(StepError::NoGradient);
        }
        let mut gradients = GradientsParams::from_grads(loss.backward(), model);
        // What the graph still holds of the parameters must go before they can be updated in place.
        drop(loss);
        let norm = clip_global_norm(&mut gradients, model, self.clip_norm.unwrap_or(f64::INFINITY));
        if norm.is_finite() {
            if let Some(limit) = self.clip_value {
                clip_values(&mut gradients, model, limit);
            }
            let model = self.model.take().ok_or(StepError::Lost)?;
            let model = self.optimizer.step(context.learning_rate, model, gradients);
            self.model = Some(match self.max_norm {
                Some(norm) => renormalise(model, norm),
                None => model,
            });
        }
        Ok(StepReport { loss: value, grad_norm: Some(norm) })
    }

    fn validate(&mut self) -> Result<Vec<(String, f64)>, StepError> {
        self.objective.validate(&self.model()?.valid())
    }

    fn weights(&self) -> Result<Vec<u8>, StepError> {
        Ok(store::to_safetensors(self.model()?, &self.metadata)?)
    }

    fn optimizer(&self) -> Result<Vec<u8>, StepError> {
        self.optimizer.to_bytes().map_err(optimizer_failed)
    }

    fn restore(&mut self, weights: &[u8], optimizer: &[u8]) -> Result<(), StepError> {
        let model = self.with_weights(weights)?;
        let mut restored = self.optimizer.clone();
        restored.load_bytes(optimizer).map_err(optimizer_failed)?;
        restored.check(&model).map_err(optimizer_failed)?;
        self.model = Some(model);
        self.optimizer = restored;
        Ok(())
    }

    fn restore_weights(&mut self, weights: &[u8]) -> Result<(), StepError> {
        self.model = Some(self.with_weights(weights)?);
        Ok(())
    }

    fn name_of(&self, row: usize) -> String {
        self.objective.name_of(row)
    }

    fn blame(&self, rows: &[usize], context: &StepContext) -> Result<Vec<usize>, StepError> {
        let Some(losses) = self.objective.losses(self.model()?, rows, context)? else {
            return Ok(Vec::new());
        };
        let losses = losses
            .try_into_vec_as::<f64>()
            .map_err(|error| StepError::Device { what: "losses", reason: error.to_string() })?;
        Ok(rows.iter().zip(losses).filter(|(_, loss)| !loss.is_finite()).map(|(&row, _)| row).collect())
    }
}
