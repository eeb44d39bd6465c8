//! The update rules over slices: what the CPU device runs.

use super::config::OptimizerConfig;
use super::state::Buffers;
use burn::tensor::Element;
use std::ops::{Add, Div, Mul, Sub};

/// Below this many values a parameter is updated by one thread.
const SERIAL: usize = 1 << 15;

/// The number types that parameters are updated in.
pub(super) trait Real:
    Element + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    fn of(value: f64) -> Self;
    fn wide(self) -> f64;
    fn root(self) -> Self;
    /// The buffers in this type, converted where they were held in another.
    fn unpack(buffers: Buffers) -> [Vec<Self>; 2];
    fn pack(buffers: [Vec<Self>; 2]) -> Buffers;
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as Self
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
    fn root(self) -> Self {
        self.sqrt()
    }
    fn unpack(buffers: Buffers) -> [Vec<Self>; 2] {
        match buffers {
            Buffers::F32(buffers) => buffers,
            other => other.into_wide().map(|values| values.into_iter().map(|value| value as Self).collect()),
        }
    }
    fn pack(buffers: [Vec<Self>; 2]) -> Buffers {
        Buffers::F32(buffers)
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }
    fn wide(self) -> f64 {
        self
    }
    fn root(self) -> Self {
        self.sqrt()
    }
    fn unpack(buffers: Buffers) -> [Vec<Self>; 2] {
        buffers.into_wide()
    }
    fn pack(buffers: [Vec<Self>; 2]) -> Buffers {
        Buffers::F64(buffers)
    }
}

/// One update of one parameter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) config: &'a OptimizerConfig,
    pub(super) learning_rate: f64,
    /// How many updates this parameter has had, this one included.
    pub(super) count: u64,
}

impl Step<'_> {
    /// η / (1 − β₁ᵗ) and √(1 − β₂ᵗ): Adam's corrections for the start at zero.
    pub(super) fn corrections(&self, beta1: f64, beta2: f64) -> (f64, f64) {
        let t = self.count as f64;
        (self.learning_rate / (1.0 - beta1.powf(t)), (1.0 - beta2.powf(t)).sqrt())
    }

    /// The factors of the old and the new in the momentum: the first momentum is the gradient itself.
    pub(super) fn blend(&self, momentum: f64, dampening: f64) -> (f64, f64) {
        if self.count == 1 { (0.0, 1.0) } else { (momentum, 1.0 - dampening) }
    }
}

/// Updates the parameter `p` with its gradient `g` and the buffers of [`OptimizerConfig::buffers`];
/// a buffer that the rule does not use is empty.
///
/// Every value is computed by itself, so the result does not depend on the number of threads.
pub(super) fn update<F: Real>(step: Step, p: &mut [F], g: &[F], a: &mut [F], b: &mut [F]) {
    if p.len() <= SERIAL {
        return apply(step, p, g, a, b);
    }
    let middle = p.len() / 2;
    let (p0, p1) = p.split_at_mut(middle);
    let (g0, g1) = g.split_at(middle);
    let (a0, a1) = a.split_at_mut(middle.min(a.len()));
    let (b0, b1) = b.split_at_mut(middle.min(b.len()));
    rayon::join(|| update(step, p0, g0, a0, b0), || update(step, p1, g1, a1, b1));
}

fn apply<F: Real>(step: Step, p: &mut [F], g: &[F], a: &mut [F], b: &mut [F]) {
    let one = F::of(1.0);
    let rate = F::of(step.learning_rate);
    match *step.config {
        OptimizerConfig::Sgd { momentum: 0.0, weight_decay, .. } => {
            let decay = F::of(weight_decay);
            for (p, &g) in p.iter_mut().zip(g) {
                *p = *p - rate * (g + decay * *p);
            }
        }
        OptimizerConfig::Sgd { momentum, dampening, nesterov, weight_decay } => {
            let (keep, take) = step.blend(momentum, dampening);
            let (keep, take, decay) = (F::of(keep), F::of(take), F::of(weight_decay));
            let (of_gradient, of_momentum) = if nesterov { (one, F::of(momentum)) } else { (F::of(0.0), one) };
            for ((p, &g), m) in p.iter_mut().zip(g).zip(a.iter_mut()) {
                let g = g + decay * *p;
                *m = keep * *m + take * g;
                *p = *p - rate * (of_gradient * g + of_momentum * *m);
            }
        }
        OptimizerConfig::Adam { beta1, beta2, epsilon, weight_decay, epsilon_hat } => {
            let (rate, root) = step.corrections(beta1, beta2);
            let epsilon = if epsilon_hat { epsilon / root } else { epsilon };
            adam(p, g, a, b, [F::of(rate), F::of(root), F::of(epsilon), F::of(weight_decay), one], [beta1, beta2]);
        }
        OptimizerConfig::AdamW { beta1, beta2, epsilon, weight_decay } => {
            let (rate, root) = step.corrections(beta1, beta2);
            let shrink = F::of(1.0 - step.learning_rate * weight_decay);
            adam(p, g, a, b, [F::of(rate), F::of(root), F::of(epsilon), F::of(0.0), shrink], [beta1, beta2]);
        }
        OptimizerConfig::RmsProp { alpha, epsilon, momentum, weight_decay } => {
            let (keep, take) = (F::of(alpha), F::of(1.0 - alpha));
            let (epsilon, decay) = (F::of(epsilon), F::of(weight_decay));
            if momentum == 0.0 {
                for ((p, &g), s) in p.iter_mut().zip(g).zip(a.iter_mut()) {
                    let g = g + decay * *p;
                    *s = keep * *s + take * g * g;
                    *p = *p - rate * (g / (s.root() + epsilon));
                }
            } else {
                let momentum = F::of(momentum);
                for (((p, &g), s), m) in p.iter_mut().zip(g).zip(a.iter_mut()).zip(b.iter_mut()) {
                    let g = g + decay * *p;
                    *s = keep * *s + take * g * g;
                    *m = momentum * *m + g / (s.root() + epsilon);
                    *p = *p - rate * *m;
                }
            }
        }
        OptimizerConfig::Adadelta { rho, epsilon, weight_decay } => {
            let (keep, take) = (F::of(rho), F::of(1.0 - rho));
            let (epsilon, decay) = (F::of(epsilon), F::of(weight_decay));
            for (((p, &g), s), d) in p.iter_mut().zip(g).zip(a.iter_mut()).zip(b.iter_mut()) {
                let g = g + decay * *p;
                *s = keep * *s + take * g * g;
                let delta = (*d + epsilon).root() / (*s + epsilon).root() * g;
                *d = keep * *d + take * delta * delta;
                *p = *p - rate * delta;
            }
        }
        OptimizerConfig::Adagrad { epsilon, weight_decay } => {
            let (epsilon, decay) = (F::of(epsilon), F::of(weight_decay));
            for ((p, &g), s) in p.iter_mut().zip(g).zip(a.iter_mut()) {
                let g = g + decay * *p;
                *s = *s + g * g;
                *p = *p - rate * (g / (s.root() + epsilon));
            }
        }
    }
}

/// Adam with an L2 penalty (`decay`) or a shrinking parameter (`shrink`).
fn adam<F: Real>(
    p: &mut [F],
    g: &[F],
    mean: &mut [F],
    square: &mut [F],
    [rate, root, epsilon, decay, shrink]: [F; 5],
    [beta1, beta2]: [f64; 2],
) {
    let (new_mean, keep, take) = (F::of(1.0 - beta1), F::of(beta2), F::of(1.0 - beta2));
    for (((p, &g), m), s) in p.iter_mut().zip(g).zip(mean.iter_mut()).zip(square.iter_mut()) {
        let g = g + decay * *p;
        *m = *m + (g - *m) * new_mean;
        *s = keep * *s + take * g * g;
        *p = shrink * *p - rate * *m / (s.root() / root + epsilon);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// x after `steps` steps on f = x₁² + 3x₂² from (1, −2).
    fn descend(config: OptimizerConfig, learning_rate: f64, steps: u64) -> Vec<f64> {
        let (mut x, mut a, mut b) = (vec![1.0, -2.0], vec![0.0; 2], vec![0.0; 2]);
        for count in 1..=steps {
            let g = [2.0 * x[0], 6.0 * x[1]];
            update(Step { config: &config, learning_rate, count }, &mut x, &g, &mut a, &mut b);
        }
        x
    }

    #[test]
    fn weight_decay_of_gradient_descent_is_a_penalty() {
        // each step multiplies x₁ by 1 − 0.1·(2 + 0.1) and x₂ by 1 − 0.1·(6 + 0.1)
        let x = descend(OptimizerConfig::sgd().with_weight_decay(0.1), 0.1, 5);
        assert!((x[0] - 0.79_f64.powi(5)).abs() < 1e-12, "{x:?}");
        assert!((x[1] + 2.0 * 0.39_f64.powi(5)).abs() < 1e-12, "{x:?}");
    }

    #[test]
    fn nesterov_looks_ahead() {
        // two steps by hand with η 0.1 and μ 0.5, for x₁: b = 2, x = 1 − 0.1·3 = 0.7; b = 2.4, x = 0.7 − 0.1·2.6
        let config = OptimizerConfig::Sgd { momentum: 0.5, dampening: 0.0, nesterov: true, weight_decay: 0.0 };
        assert!((descend(config, 0.1, 2)[0] - 0.44).abs() < 1e-12);
    }

    #[test]
    fn adamw_shrinks_a_parameter_without_gradient_and_adam_does_not_shrink_it_so() {
        let mut x = [2.0_f64];
        for count in 1..=3 {
            let config = OptimizerConfig::adamw();
            update(Step { config: &config, learning_rate: 0.5, count }, &mut x, &[0.0], &mut [0.0], &mut [0.0]);
        }
        assert!((x[0] - 2.0 * (1.0_f64 - 0.5 * 0.01).powi(3)).abs() < 1e-12, "{x:?}");
        // the L2 penalty passes through the normalisation: its first step is η whatever its size
        let config = OptimizerConfig::adam().with_weight_decay(0.01);
        let mut x = [2.0_f64];
        update(Step { config: &config, learning_rate: 0.5, count: 1 }, &mut x, &[0.0], &mut [0.0], &mut [0.0]);
        assert!((x[0] - 1.5).abs() < 1e-6, "{x:?}");
    }

    #[test]
    fn keras_adds_epsilon_before_the_correction() {
        // Keras: η·√(1−β₂ᵗ)/(1−β₁ᵗ)·m/(√v + ε); at t = 1, m = 0.1·g and v = 0.001·g²
        let (epsilon, g) = (1e-3_f64, 2.0_f64);
        let (beta1, beta2, weight_decay) = (0.9, 0.999, 0.0);
        let hat = |epsilon_hat| OptimizerConfig::Adam { beta1, beta2, epsilon, weight_decay, epsilon_hat };
        let expected = 1.0 - 0.1 * 0.001_f64.sqrt() / 0.1 * (0.1 * g) / ((0.001 * g * g).sqrt() + epsilon);
        assert!((descend(hat(true), 0.1, 1)[0] - expected).abs() < 1e-12);
        let after = 1.0 - 0.1 * g / (g + epsilon);
        assert!((descend(hat(false), 0.1, 1)[0] - after).abs() < 1e-12);
    }

    #[test]
    fn many_threads_give_what_one_gives() {
        let size = 3 * SERIAL + 17;
        for config in [OptimizerConfig::sgd(), OptimizerConfig::adagrad(), OptimizerConfig::adam()] {
            let g: Vec<f32> = (0..size).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
            let buffers = |at: usize| vec![0.0_f32; if at < config.buffers().len() { size } else { 0 }];
            let step = Step { config: &config, learning_rate: 0.01, count: 1 };
            let (mut p, mut a, mut b) = (vec![0.5_f32; size], buffers(0), buffers(1));
            let (mut q, mut c, mut d) = (p.clone(), a.clone(), b.clone());
            update(step, &mut p, &g, &mut a, &mut b);
            apply(step, &mut q, &g, &mut c, &mut d);
            assert_eq!((p, a, b), (q, c, d), "{config:?}");
        }
    }
}
