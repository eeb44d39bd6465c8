//! Dropout whose mask is an argument's doing.

use burn::tensor::{Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Inverted dropout (Srivastava et al. 2014): each unit is zero with probability `p`, the others are
/// divided by `1 − p`. Without a generator, as in evaluation, the input is returned unchanged.
///
/// burn's own layer draws from one generator of the whole process, so that a resumed run would see
/// other masks; here the mask is a function of the generator that the caller passes.
///
/// # Shapes
/// - x and output: any, the same
pub fn dropout<const D: usize>(x: Tensor<D>, p: f64, rng: Option<&mut ChaCha8Rng>) -> Tensor<D> {
    let Some(rng) = rng.filter(|_| p > 0.0) else {
        return x;
    };
    let kept = (1.0 / (1.0 - p)) as f32;
    let shape = x.shape();
    let mask: Vec<f32> = (0..shape.num_elements()).map(|_| if rng.random::<f64>() < p { 0.0 } else { kept }).collect();
    let mask = Tensor::<D>::from_data(TensorData::new(mask, shape), &x.device());
    x * mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn the_mean_is_kept_and_the_generator_decides() {
        let device = Device::flex();
        let x = Tensor::<2>::ones([100, 100], &device);
        let run = |stream| {
            dropout(x.clone(), 0.25, Some(&mut crate::data::rng(7, &[stream]))).into_data().try_to_vec::<f32>().unwrap()
        };
        let (a, b, c) = (run(1), run(1), run(2));
        assert_eq!(a, b);
        assert_ne!(a, c);
        // 10,000 draws: the share of zeros has a standard deviation of 0.0043.
        let zeros = a.iter().filter(|&&v| v == 0.0).count() as f64 / 1e4;
        assert!((zeros - 0.25).abs() < 0.02, "{zeros}");
        assert!(a.iter().all(|&v| v == 0.0 || (v - 4.0 / 3.0).abs() < 1e-6));
        assert_eq!(dropout(x.clone(), 0.25, None).into_data(), x.into_data());
    }
}
