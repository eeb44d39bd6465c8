//! Transfer learning: a trained body under a new head, parameters that stay as they are, and learning rates that fall
//! from the head to the input.
//!
//! Yosinski et al. 2014, *How transferable are features in deep neural networks?*; gradual unfreezing and rates by layer
//! as in Howard and Ruder 2018, *Universal language model fine-tuning for text classification*, section 3.2.
//!
//! Parts of a model are named by the paths of their tensors: the prefix `body.0` stands for `body.0.weight` and
//! everything else below `body.0`, and not for `body.01`.
//!
//! ```
//! use burn::tensor::Device;
//! use nn_core::data::rng;
//! use nn_core::models::mlp::MlpConfig;
//! use nn_core::store::{self, Metadata};
//! use nn_core::transfer::{freeze, load_body, under};
//!
//! let device = Device::flex().autodiff();
//! let trained = MlpConfig::new(4, &[8], 10).init(&device, &mut rng(1, &[]))?;
//! let file = store::to_safetensors(&trained, &Metadata::new())?;
//!
//! let fresh = MlpConfig::new(4, &[8], 2).init(&device, &mut rng(2, &[]))?;
//! let (model, body) = load_body(fresh, &file, &["heads"])?;
//! assert_eq!(body.applied, ["hidden.0.linear.bias", "hidden.0.linear.weight"]);
//! assert_eq!(body.skipped, ["heads.0.bias", "heads.0.weight"]);
//!
//! let (model, frozen) = freeze(model, under(&["hidden"]));
//! assert_eq!(frozen, body.applied);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeMap;

use burn::module::{Flag, Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

use crate::config::{ConfigError, in_range};
use crate::store::{self, Layout, Metadata, StoreError};

/// Metadata name under which [`store`] notes the layout of a file, and its value for that of PyTorch.
const LAYOUT: (&str, &str) = ("layout", "pytorch");

/// What became of the tensors when a body was loaded. Names are sorted, and are those of the file's layout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body {
    /// Tensors that the model took from the file.
    pub applied: Vec<String>,
    /// Tensors of the file that were left out, because they belong to the head.
    pub skipped: Vec<String>,
    /// Tensors of the model that kept their values, because they belong to the head.
    pub kept: Vec<String>,
    /// The file's metadata.
    pub metadata: Metadata,
}

/// Whether a path is one of `prefixes` or lies below one.
pub fn under<'a>(prefixes: &'a [&'a str]) -> impl Fn(&str) -> bool + 'a {
    move |path| prefixes.iter().any(|prefix| is_under(path, prefix))
}

/// Whether `path` is `prefix` or lies below it; everything lies below the empty one.
pub(crate) fn is_under(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| prefix.is_empty() || rest.is_empty() || rest.starts_with('.'))
}

/// Puts the tensors of a weights file of [`store`], in either of its layouts, into `model`, all but those under the
/// prefixes of `head`: there the model keeps the values that it has, and the file may have other shapes, other tensors
/// or none. Outside of the head the two must agree in every tensor. A head is initialised anew by giving a model that
/// has just been built.
///
/// # Errors
/// [`StoreError`]: as [`store::from_safetensors`] for bytes that are no weights file, and for tensors outside of the
/// head that are missing, superfluous or of another shape.
pub fn load_body<M: Module>(model: M, bytes: &[u8], head: &[&str]) -> Result<(M, Body), StoreError> {
    let notes = store::notes(bytes)?;
    let mut metadata = notes.clone();
    metadata.remove(LAYOUT.0);
    let damaged = |error: safetensors::SafeTensorError| StoreError::Format(error.to_string());
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    // A layout that is not known is refused below, where the file is read in earnest.
    let pytorch = notes.get(LAYOUT.0).is_some_and(|layout| layout == LAYOUT.1);
    let layout = if pytorch { Layout::PyTorch } else { Layout::Burn };
    let own = store::to_safetensors_as(&model, &Metadata::new(), layout)?;
    let own = SafeTensors::deserialize(&own).map_err(damaged)?;

    let in_head = under(head);
    let mut body = Body { metadata, ..Body::default() };
    let mut tensors: BTreeMap<String, TensorView<'_>> = BTreeMap::new();
    for (name, tensor) in file.tensors() {
        if in_head(&name) {
            body.skipped.push(name);
        } else {
            body.applied.push(name.clone());
            tensors.insert(name, tensor);
        }
    }
    for (name, tensor) in own.tensors() {
        if in_head(&name) {
            body.kept.push(name.clone());
            tensors.insert(name, tensor);
        }
    }
    [&mut body.applied, &mut body.skipped, &mut body.kept].into_iter().for_each(|names| names.sort());
    let merged = safetensors::serialize(tensors, Some(notes.into_iter().collect())).map_err(damaged)?;
    let (model, _) = store::from_safetensors(model, &merged)?;
    Ok((model, body))
}

/// The `fresh` model with the body of the `trained` one: its head starts anew, and may have another shape.
///
/// # Errors
/// [`StoreError`] if the two differ outside of the head.
pub fn with_new_head<M: Module>(trained: &M, fresh: M, head: &[&str]) -> Result<(M, Body), StoreError> {
    load_body(fresh, &store::to_safetensors(trained, &Metadata::new())?, head)
}

/// Holds every parameter at whose path `chosen` answers with true: it gets no gradient, so that no optimiser touches it
/// and no weight decay shrinks it, and batch normalisation below such a path keeps its running statistics. Comes back
/// with the sorted paths of all tensors that are held, running statistics included.
///
/// The state belongs to the model: it outlasts [`Module::valid`] and loading of weights, and is not stored with them.
pub fn freeze<M: Module>(model: M, chosen: impl Fn(&str) -> bool) -> (M, Vec<String>) {
    switch(model, chosen, false)
}

/// Lets every parameter learn again at whose path `chosen` answers with true, and comes back with their sorted paths.
pub fn unfreeze<M: Module>(model: M, chosen: impl Fn(&str) -> bool) -> (M, Vec<String>) {
    switch(model, chosen, true)
}

fn switch<M: Module>(model: M, chosen: impl Fn(&str) -> bool, learns: bool) -> (M, Vec<String>) {
    let mut switch = Switch { chosen, learns, path: Vec::new(), found: Vec::new() };
    let model = model.map(&mut switch);
    switch.found.sort();
    (model, switch.found)
}

struct Switch<F> {
    chosen: F,
    learns: bool,
    path: Vec<String>,
    found: Vec<String>,
}

impl<F: Fn(&str) -> bool> ModuleMapper for Switch<F> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.join(".");
        if !(self.chosen)(&path) {
            return param;
        }
        self.found.push(path);
        param.set_require_grad(self.learns)
    }

    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        if (self.chosen)(&self.path.join(".")) { flag.with_value(self.learns) } else { flag }
    }
}

/// Factors of the learning rate for the parts of a model, which are named from the input to the head: 1 for the last,
/// and for each other that of the next one divided by `decay`, 1 or more (2.6 in Howard and Ruder 2018, section 3.2).
///
/// # Errors
/// [`ConfigError::OutOfRange`].
pub fn rates_by_depth(parts: &[&str], decay: f64) -> Result<Vec<(String, f64)>, ConfigError> {
    in_range("decay", decay, 1.0..=1e6)?;
    let mut factor = 1.0;
    let mut rates = Vec::with_capacity(parts.len());
    for part in parts.iter().rev() {
        rates.push(((*part).to_owned(), factor));
        factor /= decay;
    }
    rates.reverse();
    Ok(rates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_at_a_point() {
        let body = under(&["body.0", "norm"]);
        for (path, inside) in [
            ("body.0", true),
            ("body.0.weight", true),
            ("body.01.weight", false),
            ("body", false),
            ("norm.gamma", true),
            ("head.norm", false),
        ] {
            assert_eq!(body(path), inside, "{path}");
        }
        assert!(under(&[""])("anything") && !under(&[])("anything"));
    }

    #[test]
    fn rates_fall_towards_the_input() {
        let rates = rates_by_depth(&["embedding", "encoder", "head"], 2.6).unwrap();
        let names: Vec<&str> = rates.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["embedding", "encoder", "head"]);
        for ((_, factor), expected) in rates.iter().zip([1.0 / 6.76, 1.0 / 2.6, 1.0]) {
            assert!((factor - expected).abs() < 1e-12, "{factor} instead of {expected}");
        }
        assert!(rates_by_depth(&["head"], 0.5).is_err() && rates_by_depth(&[], f64::NAN).is_err());
    }
}
