//! Penalties on weights, by their place in a module.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// `Σ l1 · |w| + l2 · w²` over the parameters to whose path `factors` gives `[l1, l2]`, `[1]`; none where all are zero.
///
/// A path is the names of the fields from the outermost in, with dots between, such as `output.weight`.
pub fn penalty<M: Module>(model: &M, factors: impl Fn(&str) -> [f64; 2]) -> Option<Tensor<1>> {
    let mut weights = Weights { factors, path: Vec::new(), terms: Vec::new() };
    model.visit(&mut weights);
    weights.terms.into_iter().reduce(|sum, term| sum + term)
}

struct Weights<F> {
    factors: F,
    path: Vec<String>,
    terms: Vec<Tensor<1>>,
}

impl<F: Fn(&str) -> [f64; 2]> ModuleVisitor for Weights<F> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let [l1, l2] = (self.factors)(&self.path.join("."));
        if l1 > 0.0 {
            self.terms.push(param.val().abs().sum().mul_scalar(l1));
        }
        if l2 > 0.0 {
            self.terms.push(param.val().square().sum().mul_scalar(l2));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::rng;
    use crate::layers::dense;
    use crate::layers::init::Init;
    use burn::nn::Linear;
    use burn::tensor::Device;

    #[derive(Module, Debug)]
    struct Two {
        first: Linear,
        second: Linear,
    }

    #[test]
    fn penalties_follow_the_path() {
        let device = Device::flex();
        let layer = |value| dense([2, 3], Init::Constant(value), &device, &mut rng(1, &[]));
        let model = Two { first: layer(-2.0), second: layer(0.5) };
        let of = |factors: fn(&str) -> [f64; 2]| penalty(&model, factors).map(|sum| sum.into_scalar::<f32>());
        // six weights of −2 and six of 0.5
        assert_eq!(of(|path| if path == "first.weight" { [1.0, 0.0] } else { [0.0; 2] }), Some(12.0));
        assert_eq!(of(|path| if path.ends_with("weight") { [1.0, 2.0] } else { [0.0; 2] }), Some(15.0 + 51.0));
        assert_eq!(of(|path| if path.ends_with("bias") { [1.0, 1.0] } else { [0.0; 2] }), Some(0.0));
        assert_eq!(of(|_| [0.0; 2]), None);
    }
}
