//! Optimisers with the reference constants, global-norm clipping, and schedules per epoch.
//!
//! burn's own optimisers are not used, for three reasons. Their defaults are not PyTorch's (ε 1e-5
//! instead of 1e-8, a dampening of 0.1, RMSprop with momentum); Adadelta is missing; and their state
//! is keyed by parameter ids that are drawn at random when a model is built, so a state read back in
//! a new process finds no parameter that it belongs to. Here the state is keyed by the parameter's
//! path in the module (`encoder.0.weight`), and training that was stopped and resumed is equal bit
//! for bit to training that was not.
//!
//! - [`OptimizerConfig`]: which rule, with which constants; [`OptimizerConfig::init`] gives the
//! - [`Optimizer`]: [`step`](Optimizer::step), and its state [as bytes](Optimizer::to_bytes);
//! - [`clip_global_norm`], [`gradient_norms`]: over all parameters together, as PyTorch does;
//! - [`clip_values`], [`renormalise`]: bounds on single values and on the weights of a unit;
//! - [`Schedule`], [`ScheduleState`]: the learning rate from epoch to epoch.
//!
//! ```
//! use nn_core::optim::{OptimizerConfig, Schedule, ScheduleState};
//! let mut optimizer = OptimizerConfig::adam().init();
//! let mut rate = ScheduleState::new(Schedule::Exponential { factor: 0.5 }, 1e-3, false);
//! // in an epoch: model = optimizer.step(rate.learning_rate(), model, gradients);
//! rate.step(None);
//! assert_eq!(rate.learning_rate(), 5e-4);
//! # let _ = &mut optimizer;
//! ```

mod bounds;
mod clip;
mod config;
mod device;
mod optimizer;
mod rule;
mod schedule;
mod state;

pub use self::bounds::{clip_values, renormalise};
pub use self::clip::{clip_global_norm, gradient_norms};
pub use self::config::OptimizerConfig;
pub use self::optimizer::{OptimError, Optimizer};
pub use self::schedule::{Schedule, ScheduleState};

#[cfg(test)]
mod tests {
    use super::rule::Step;
    use super::*;
    use burn::module::{Module, Param};
    use burn::optim::GradientsParams;
    use burn::tensor::{DType, Device, Tensor, TensorData};

    const START: [f64; 2] = [1.0, -2.0];

    /// Where five steps of PyTorch's optimisers in float64 end, for f = x₁² + 3x₂² from (1, −2).
    fn trajectories() -> Vec<(OptimizerConfig, f64, [f64; 2])> {
        use super::OptimizerConfig as C;
        let sgd = |momentum, dampening| C::Sgd { momentum, dampening, nesterov: false, weight_decay: 0.0 };
        let adam = |epsilon| C::Adam { beta1: 0.9, beta2: 0.999, epsilon, weight_decay: 0.0, epsilon_hat: false };
        let rmsprop = |momentum, epsilon| C::RmsProp { alpha: 0.99, epsilon, momentum, weight_decay: 0.0 };
        vec![
            (C::sgd(), 0.1, [0.327_680_000, -0.020_480_000]),
            (C::sgd_momentum(0.9), 0.1, [-0.580_420_000, 0.460_120_000]),
            (sgd(0.9, 0.1), 0.1, [-0.533_642_752, 0.731_740_672]),
            (C::adam(), 0.1, [0.507_963_659, -1.502_955_780]),
            (adam(1e-5), 0.1, [0.507_966_319, -1.502_956_213]),
            (C::rmsprop(), 0.01, [0.696_465_789, -1.685_481_579]),
            (rmsprop(0.9, 1e-5), 0.01, [0.141_973_505, -1.090_743_479]),
            (C::adagrad(), 0.1, [0.697_714_862, -1.686_761_598]),
            (C::Adagrad { epsilon: 1e-5, weight_decay: 0.0 }, 0.1, [0.697_715_909, -1.686_761_782]),
            (C::adadelta(), 1.0, [0.983_631_324, -1.983_599_137]),
            (C::adadelta_zeiler(), 1.0, [0.977_340_677, -1.977_276_717]),
        ]
    }

    fn gradient(x: &[f64]) -> Vec<f64> {
        vec![2.0 * x[0], 6.0 * x[1]]
    }

    fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &dyn std::fmt::Debug) {
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() <= tolerance, "{what:?}: {found:?} instead of {expected:?}");
        }
    }

    #[derive(Module, Debug)]
    struct Point {
        x: Param<Tensor<1>>,
    }

    impl Point {
        fn new(x: &[f64], dtype: DType) -> Self {
            let device = Device::flex().autodiff();
            let data = TensorData::new(x.to_vec(), [x.len()]);
            Self { x: Param::from_tensor(Tensor::from_data(data, (&device, dtype))) }
        }

        fn gradients(&self) -> GradientsParams {
            let x = self.x.val();
            let device = x.device();
            let curvature = Tensor::<1>::from_data(TensorData::new(vec![1.0_f64, 3.0], [2]), (&device, x.dtype()));
            let loss = (x.clone() * x * curvature).sum();
            GradientsParams::from_grads(loss.backward(), self)
        }

        fn values(&self) -> Vec<f64> {
            self.x.val().try_into_vec_as::<f64>().unwrap()
        }
    }

    #[test]
    fn the_rules_follow_the_reference_trajectories() {
        for (config, rate, end) in trajectories() {
            let (mut x, mut a, mut b) = (START.to_vec(), vec![0.0; 2], vec![0.0; 2]);
            for count in 1..=5 {
                let g = gradient(&x);
                rule::update(Step { config: &config, learning_rate: rate, count }, &mut x, &g, &mut a, &mut b);
            }
            assert_close(&x, &end, 1e-8, &config);
        }
    }

    #[test]
    fn the_rules_as_tensor_operations_follow_the_reference_trajectories() {
        let device = Device::flex();
        for (config, rate, end) in trajectories() {
            let tensor = |v: Vec<f64>| Tensor::<1>::from_data(TensorData::new(v, [2]), (&device, DType::F64));
            let mut x = tensor(START.to_vec());
            let mut state = vec![tensor(vec![0.0; 2]); config.buffers().len()];
            for count in 1..=5 {
                let g = tensor(gradient(&x.clone().try_into_vec_as::<f64>().unwrap()));
                (x, state) = device::update(Step { config: &config, learning_rate: rate, count }, x, g, state);
            }
            assert_close(&x.try_into_vec_as::<f64>().unwrap(), &end, 1e-6, &config);
        }
    }

    #[test]
    fn modules_follow_the_reference_trajectories() {
        for (dtype, tolerance) in [(DType::F64, 1e-6), (DType::F32, 1e-5)] {
            for (config, rate, end) in trajectories() {
                let (mut optimizer, mut model) = (config.init(), Point::new(&START, dtype));
                for _ in 0..5 {
                    let gradients = model.gradients();
                    model = optimizer.step(rate, model, gradients);
                    assert_eq!(model.x.val().dtype(), dtype);
                }
                assert_close(&model.values(), &end, tolerance, &config);
            }
        }
    }

    #[test]
    fn a_state_saved_and_loaded_into_a_new_model_continues_bit_for_bit() {
        for (config, rate, _) in trajectories() {
            let (mut optimizer, mut model) = (config.init(), Point::new(&START, DType::F32));
            let mut resumed = None;
            for step in 0..5 {
                if step == 3 {
                    let bytes = optimizer.to_bytes().unwrap();
                    let mut other = config.init();
                    other.load_bytes(&bytes).unwrap();
                    assert_eq!(other.to_bytes().unwrap(), bytes, "{config:?}");
                    let fresh = Point::new(&model.values(), DType::F32);
                    assert_ne!(fresh.x.id, model.x.id);
                    other.check(&fresh).unwrap();
                    resumed = Some((other, fresh));
                }
                let gradients = model.gradients();
                model = optimizer.step(rate, model, gradients);
            }
            let (mut other, mut fresh) = resumed.unwrap();
            for _ in 3..5 {
                let gradients = fresh.gradients();
                fresh = other.step(rate, fresh, gradients);
            }
            assert_eq!(fresh.values(), model.values(), "{config:?}");
            assert_eq!(other.to_bytes().unwrap(), optimizer.to_bytes().unwrap(), "{config:?}");
        }
    }

    #[derive(Module, Debug)]
    struct Net {
        body: Point,
        bodyguard: Point,
        head: Point,
    }

    #[test]
    fn each_part_learns_at_its_own_rate() {
        let point = || Point::new(&START, DType::F32);
        let model = Net { body: point(), bodyguard: point(), head: point() };
        let [body, bodyguard, head] = [&model.body, &model.bodyguard, &model.head].map(|part| part.x.val());
        let sums = [body, bodyguard, head].map(|x| (x.clone() * x).sum());
        let gradients = GradientsParams::from_grads(Tensor::cat(sums.to_vec(), 0).sum().backward(), &model);
        let optimizer = OptimizerConfig::sgd().init().with_rate("body.x", 0.5).unwrap();
        let mut optimizer = optimizer.with_rate("body", 0.0).unwrap().with_rate("head", 0.1).unwrap();
        let model = optimizer.step(0.1, model, gradients);
        // x − 0.1 · factor · 2x; the longest prefix counts, and one that ends inside of a name does not
        for (part, factor) in [(&model.body, 0.5), (&model.bodyguard, 1.0), (&model.head, 0.1)] {
            let expected = START.map(|x| x - 0.1 * factor * 2.0 * x);
            assert_close(&part.values(), &expected, 1e-6, &factor);
        }
        for factor in [-0.1, f64::NAN, f64::INFINITY] {
            assert!(OptimizerConfig::sgd().init().with_rate("body", factor).is_err());
        }
    }

    #[test]
    fn a_step_leaves_the_callers_copy_of_the_model_alone() {
        let model = Point::new(&START, DType::F32);
        let copy = model.clone();
        let gradients = model.gradients();
        let model = OptimizerConfig::sgd().init().step(0.1, model, gradients);
        assert_close(&model.values(), &[0.8, -0.8], 1e-6, &"moved");
        assert_eq!(copy.values(), START);
        assert!(model.x.is_require_grad() && model.x.val().is_autodiff());
    }

    #[test]
    fn foreign_states_are_refused_with_the_reason() {
        let (mut optimizer, model) = (OptimizerConfig::adam().init(), Point::new(&START, DType::F32));
        let gradients = model.gradients();
        let model = optimizer.step(0.1, model, gradients);
        let bytes = optimizer.to_bytes().unwrap();

        let error = OptimizerConfig::adagrad().init().load_bytes(&bytes).unwrap_err().to_string();
        assert!(error.contains("adam") && error.contains("adagrad"), "{error}");
        assert!(OptimizerConfig::adam().init().load_bytes(&bytes[..bytes.len() - 1]).is_err());
        assert!(OptimizerConfig::adam().init().load_bytes(b"").is_err());

        optimizer.check(&model).unwrap();
        let longer = Point::new(&[1.0, 2.0, 3.0], DType::F32);
        let error = optimizer.check(&longer).unwrap_err().to_string();
        assert!(error.contains("parameter x has 3 values") && error.contains("state holds 2"), "{error}");
        let other = burn::nn::LinearConfig::new(2, 2).init(&Device::flex());
        assert!(matches!(optimizer.check(&other), Err(OptimError::Foreign { .. })));
    }
}
