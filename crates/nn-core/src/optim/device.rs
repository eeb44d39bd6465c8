//! The update rules as tensor operations: what every device but the CPU runs.

use super::config::OptimizerConfig;
use super::rule::Step;
use burn::tensor::Tensor;

/// The updated parameter and the buffers of [`OptimizerConfig::buffers`], as [`super::rule::update`]
/// computes them, up to the order of roundings.
pub(super) fn update(step: Step, p: Tensor<1>, g: Tensor<1>, state: Vec<Tensor<1>>) -> (Tensor<1>, Vec<Tensor<1>>) {
    let rate = step.learning_rate;
    let mut state = state.into_iter();
    let (a, b) = (state.next(), state.next());
    match (*step.config, a, b) {
        (OptimizerConfig::Sgd { momentum, dampening, nesterov, weight_decay }, Some(m), _) => {
            let g = penalised(g, &p, weight_decay);
            let (keep, take) = step.blend(momentum, dampening);
            let m = m.mul_scalar(keep) + g.clone().mul_scalar(take);
            let direction = if nesterov { g + m.clone().mul_scalar(momentum) } else { m.clone() };
            (p - direction.mul_scalar(rate), vec![m])
        }
        (OptimizerConfig::Adam { beta1, beta2, epsilon, weight_decay, epsilon_hat }, Some(m), Some(s)) => {
            let g = penalised(g, &p, weight_decay);
            let (rate, root) = step.corrections(beta1, beta2);
            let epsilon = if epsilon_hat { epsilon / root } else { epsilon };
            let (m, s) = moments(m, s, g, beta1, beta2);
            (p - direction(&m, &s, root, epsilon).mul_scalar(rate), vec![m, s])
        }
        (OptimizerConfig::AdamW { beta1, beta2, epsilon, weight_decay }, Some(m), Some(s)) => {
            let (corrected, root) = step.corrections(beta1, beta2);
            let (m, s) = moments(m, s, g, beta1, beta2);
            let p = p.mul_scalar(1.0 - rate * weight_decay);
            (p - direction(&m, &s, root, epsilon).mul_scalar(corrected), vec![m, s])
        }
        (OptimizerConfig::RmsProp { alpha, epsilon, momentum, weight_decay }, Some(s), m) => {
            let g = penalised(g, &p, weight_decay);
            let s = mean_square(s, &g, alpha);
            let direction = g / s.clone().sqrt().add_scalar(epsilon);
            match m {
                Some(m) => {
                    let m = m.mul_scalar(momentum) + direction;
                    (p - m.clone().mul_scalar(rate), vec![s, m])
                }
                None => (p - direction.mul_scalar(rate), vec![s]),
            }
        }
        (OptimizerConfig::Adadelta { rho, epsilon, weight_decay }, Some(s), Some(d)) => {
            let g = penalised(g, &p, weight_decay);
            let s = mean_square(s, &g, rho);
            let size = d.clone().add_scalar(epsilon).sqrt() / s.clone().add_scalar(epsilon).sqrt();
            let delta = size * g;
            let d = mean_square(d, &delta, rho);
            (p - delta.mul_scalar(rate), vec![s, d])
        }
        (OptimizerConfig::Adagrad { epsilon, weight_decay }, Some(s), _) => {
            let g = penalised(g, &p, weight_decay);
            let s = s + g.clone() * g.clone();
            let direction = g / s.clone().sqrt().add_scalar(epsilon);
            (p - direction.mul_scalar(rate), vec![s])
        }
        // what is left has no buffer: gradient descent without momentum
        (config, a, b) => {
            let weight_decay = if let OptimizerConfig::Sgd { weight_decay, .. } = config { weight_decay } else { 0.0 };
            let g = penalised(g, &p, weight_decay);
            (p - g.mul_scalar(rate), a.into_iter().chain(b).collect())
        }
    }
}

fn penalised(g: Tensor<1>, p: &Tensor<1>, weight_decay: f64) -> Tensor<1> {
    if weight_decay == 0.0 { g } else { g + p.clone().mul_scalar(weight_decay) }
}

fn mean_square(s: Tensor<1>, g: &Tensor<1>, keep: f64) -> Tensor<1> {
    s.mul_scalar(keep) + (g.clone() * g.clone()).mul_scalar(1.0 - keep)
}

fn moments(m: Tensor<1>, s: Tensor<1>, g: Tensor<1>, beta1: f64, beta2: f64) -> (Tensor<1>, Tensor<1>) {
    let s = mean_square(s, &g, beta2);
    (m.mul_scalar(beta1) + g.mul_scalar(1.0 - beta1), s)
}

fn direction(m: &Tensor<1>, s: &Tensor<1>, root: f64, epsilon: f64) -> Tensor<1> {
    m.clone() / s.clone().sqrt().div_scalar(root).add_scalar(epsilon)
}
