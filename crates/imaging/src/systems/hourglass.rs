//! The two published U-Nets: a path down, a path up, and what is handed across, with or without padding.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use nn_core::config::ConfigError;
use nn_core::layers::init::Init;
use nn_core::layers::{BatchNormConfig, Conv, ConvConfig};
use nn_core::ops::{join, max_pool};
use rand_chacha::ChaCha8Rng;

use super::blocks::{Unit, UpConv, centre};

/// Channels of an [`Hourglass`].
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Channels in.
    pub(super) channels: usize,
    /// Channels out.
    pub(super) classes: usize,
    /// Channels behind the first and behind the second convolution of each level, finest first.
    pub(super) levels: Vec<[usize; 2]>,
    /// Channels that come up to each level but the coarsest, finest first.
    pub(super) up: Vec<usize>,
    /// Whether batch normalisation stands behind each convolution.
    pub(super) norm: bool,
    /// Whether convolutions keep the size.
    pub(super) padded: bool,
    /// How weights start.
    pub(super) init: Init,
}

/// Two convolutions of width 3.
#[derive(Module, Debug)]
pub(super) struct Pair<const D: usize, const N: usize> {
    first: Unit<D, N>,
    second: Unit<D, N>,
}

impl<const D: usize, const N: usize> Pair<D, N> {
    fn init(
        inputs: usize,
        [middle, outputs]: [usize; 2],
        plan: &Plan,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, ConfigError> {
        let mut unit = |inputs, outputs| {
            let padding = usize::from(plan.padded);
            let conv = ConvConfig::new(inputs, outputs, 3).with_padding(padding).with_init(plan.init);
            let norm = plan.norm.then(|| BatchNormConfig::new(outputs));
            Unit::init(&conv, norm.as_ref(), device, rng)
        };
        Ok(Self { first: unit(inputs, middle)?, second: unit(middle, outputs)? })
    }

    fn forward(&self, x: Tensor<D>) -> Tensor<D> {
        self.second.forward(self.first.forward(x))
    }
}

/// The network over `N` axes; `D` is `N + 2`.
#[derive(Module, Debug)]
pub(super) struct Hourglass<const D: usize, const N: usize> {
    encoder: Vec<Pair<D, N>>,
    up: Vec<UpConv<D, N>>,
    decoder: Vec<Pair<D, N>>,
    head: Conv<D, N>,
}

impl<const D: usize, const N: usize> Hourglass<D, N> {
    pub(super) fn init(plan: &Plan, device: &Device, rng: &mut ChaCha8Rng) -> Result<Self, ConfigError> {
        let mut encoder = Vec::with_capacity(plan.levels.len());
        let mut inputs = plan.channels;
        for &outputs in &plan.levels {
            encoder.push(Pair::init(inputs, outputs, plan, device, rng)?);
            inputs = outputs[1];
        }
        let (mut up, mut decoder) = (Vec::new(), Vec::new());
        for (&[_, outputs], &grown) in plan.levels.iter().zip(&plan.up).rev() {
            up.push(UpConv::tiles([inputs, grown], [2; N], plan.init, device, rng));
            decoder.push(Pair::init(outputs + grown, [outputs; 2], plan, device, rng)?);
            inputs = outputs;
        }
        let head = ConvConfig::new(inputs, plan.classes, 1).with_init(plan.init).init(device, rng)?;
        Ok(Self { encoder, up, decoder, head })
    }

    /// `bottom` acts between the way down and the way up.
    ///
    /// # Shapes
    /// - x `[batch, channels, axes…]`; output `[batch, classes, axes less the margins…]`
    pub(super) fn forward(&self, mut x: Tensor<D>, bottom: impl FnOnce(Tensor<D>) -> Tensor<D>) -> Tensor<D> {
        let mut skips = Vec::with_capacity(self.encoder.len());
        for (level, block) in self.encoder.iter().enumerate() {
            if level > 0 {
                skips.push(x.clone());
                x = max_pool(x, [2; N], [2; N], [0; N]); // [batch, features, axes / 2]
            }
            x = block.forward(x); // [batch, features', axes less 4 unless padded]
        }
        x = bottom(x);
        for (up, block) in self.up.iter().zip(&self.decoder) {
            let grown = up.forward(x); // [batch, features', axes * 2]
            let joined = match skips.pop() {
                Some(skip) => join(centre(skip, &grown.dims()), grown), // [batch, features + features', axes * 2]
                None => grown,
            };
            x = block.forward(joined); // [batch, features, axes * 2 less 4 unless padded]
        }
        self.head.forward(x) // [batch, classes, axes less the margins]
    }
}

/// Sizes along one axis of a network of `levels` levels without padding, each with two convolutions of width 3.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tiles {
    pub(super) levels: usize,
}

impl Tiles {
    /// Distance of two sizes that the network takes: every halving must come out even.
    pub(super) fn step(self) -> usize {
        1 << (self.levels - 1)
    }

    /// Places that the output lacks on each side: 2 for each pair of convolutions, in places of their level. Of the
    /// coarsest level there is one pair, of all others two.
    pub(super) fn margin(self) -> usize {
        6 * self.step() - 4
    }

    /// The smallest size whose output is at least `output`, and at least one place at the bottom.
    pub(super) fn input_for(self, output: usize) -> usize {
        let step = self.step();
        // the coarsest level reads `bottom` places; above it every level reads twice those and four more
        let bottom = 8 + output.max(1).saturating_sub(4).div_ceil(step);
        step * bottom + 4 * (step - 1)
    }

    /// # Panics
    /// When `size` is not one that the network takes.
    pub(super) fn check(self, size: usize) {
        let smallest = self.input_for(1);
        let step = self.step();
        let fits = size >= smallest && (size - smallest).is_multiple_of(step);
        assert!(fits, "a size of {size} for a U-Net without padding; use {smallest} or a multiple of {step} more");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_two_papers() {
        // Ronneberger et al. 2015, figure 1: 572 in, 388 out; Cicek et al. 2016, figure 2: 132 x 132 x 116 in,
        // 44 x 44 x 28 out
        for (levels, input, output) in [(5, 572, 388), (4, 132, 44), (4, 116, 28)] {
            let tiles = Tiles { levels };
            assert_eq!(input - 2 * tiles.margin(), output);
            assert_eq!(tiles.input_for(output), input);
            assert_eq!(tiles.input_for(output - 1), input, "the next size below is {} too small", tiles.step());
            assert_eq!(tiles.input_for(output - tiles.step()), input - tiles.step());
            tiles.check(input);
        }
    }

    #[test]
    fn sizes_are_those_that_the_layers_leave() {
        for levels in 1..=5 {
            let tiles = Tiles { levels };
            for output in 1..100 {
                let input = tiles.input_for(output);
                // the layers one by one: two convolutions, halving; then doubling, two convolutions
                let mut size = input;
                for level in 0..levels {
                    if level > 0 {
                        assert!(size.is_multiple_of(2), "{input} with {levels} levels");
                        size /= 2;
                    }
                    size -= 4;
                }
                for _ in 1..levels {
                    size = 2 * size - 4;
                }
                assert_eq!(size, input - 2 * tiles.margin());
                assert!(size >= output && size < output + tiles.step().max(5), "{output}: {size}");
                tiles.check(input);
            }
        }
    }

    #[test]
    #[should_panic(expected = "a size of 571 for a U-Net without padding; use 188 or a multiple of 16 more")]
    fn other_sizes_are_refused() {
        Tiles { levels: 5 }.check(571);
    }
}
