//! What tests of models need to be compared with a golden file: parameters in, gradients out, both by path.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use serde_json::Value;

/// The numbers of a list, nested or not, in the order of reading.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap_or_else(|| panic!("{number} is no number"))],
    }
}

/// The counts of a list.
pub(crate) fn counts(value: &Value) -> Vec<usize> {
    numbers(value).into_iter().map(|number| number as usize).collect()
}

/// The numbers of a list as a tensor.
pub(crate) fn tensor<const D: usize>(value: &Value, shape: [usize; D], device: &Device) -> Tensor<D> {
    let values: Vec<f32> = numbers(value).into_iter().map(|number| number as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The values of a tensor.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.try_into_vec_as::<f64>().unwrap()
}

/// The model with the parameters of a golden file, each of which it must have, in the same shape.
pub(crate) fn with_parameters<M: Module>(model: M, parameters: &Value, device: &Device) -> M {
    let mut put = Put { parameters, device, path: Vec::new(), count: 0 };
    let model = model.map(&mut put);
    assert_eq!(put.count, parameters.as_object().unwrap().len(), "parameters of the file that the model has");
    model
}

struct Put<'a> {
    parameters: &'a Value,
    device: &'a Device,
    path: Vec<String>,
    count: usize,
}

impl ModuleMapper for Put<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.join(".");
        let Some(found) = self.parameters.get(&path) else {
            return param;
        };
        let shape = param.val().dims();
        assert_eq!(counts(&found["shape"]), shape, "{path}");
        self.count += 1;
        let values: Vec<f32> = numbers(&found["value"]).into_iter().map(|number| number as f32).collect();
        Param::from_data(TensorData::new(values, shape), self.device)
    }
}

/// Compares the gradient of every parameter of the golden file.
pub(crate) fn assert_gradients<M: Module>(model: &M, gradients: &GradientsParams, parameters: &Value, tolerance: f64) {
    let mut check = Check { gradients, parameters, tolerance, path: Vec::new(), count: 0 };
    model.visit(&mut check);
    assert_eq!(check.count, parameters.as_object().unwrap().len(), "gradients that were compared");
}

struct Check<'a> {
    gradients: &'a GradientsParams,
    parameters: &'a Value,
    tolerance: f64,
    path: Vec<String>,
    count: usize,
}

impl ModuleVisitor for Check<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.path.join(".");
        let Some(expected) = self.parameters.get(&path) else {
            return;
        };
        let found = self.gradients.get::<D>(param.id).unwrap_or_else(|| panic!("no gradient of {path}"));
        assert_close(&values(found), &numbers(&expected["gradient"]), self.tolerance, &path);
        self.count += 1;
    }
}

/// No number is further from the expected one than `tolerance`, or that part of it where it is above 1.
pub(crate) fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= tolerance * e.abs().max(1.0), "{what}[{at}]: {f} instead of {e}");
    }
}
