//! What one step of each recurrent network computes for one row, forward and backward.

use pulp::Simd;

use super::kernel::{complement, load, sigmoid, store, tanh};

/// One step for one row of the batch.
///
/// For the backward pass a step keeps [`KEPT`](Self::KEPT) vectors of `hidden` values, behind which lies the state it
/// started from. The backward step puts gradients in their place: the first [`GATES`](Self::GATES) are those of the
/// terms that come from the input, the last `GATES` those of the terms that come from the state.
pub(super) trait Unit: Copy + Send + Sync {
    /// Vectors of `hidden` values that the weights give.
    const GATES: usize;
    /// Vectors that pass from step to step; the first is the output.
    const STATES: usize;
    /// Vectors kept for the backward pass beside the state.
    const KEPT: usize;

    /// From the terms of input and state to the next state, in place.
    ///
    /// # Shapes
    /// - input, hidden `[GATES, hidden]` in PyTorch's order, biases included; state `[STATES, hidden]`
    /// - kept `[KEPT + STATES, hidden]`: what the backward step needs
    fn forward<S: Simd>(self, simd: S, input: &[f32], hidden: &[f32], state: &mut [f32], kept: &mut [f32]);

    /// From the gradient of the next state to those of the terms.
    ///
    /// # Shapes
    /// - kept as [`forward`](Self::forward) left it, becomes the gradients
    /// - output `[hidden]`: gradient of the output of this step
    /// - through `[hidden]`: gradient that came to the output through the weights of the step after
    /// - direct `[STATES, hidden]`: gradient of the state after the step by other ways, becomes that of the state before
    ///   it without the way through the weights
    fn backward<S: Simd>(self, simd: S, kept: &mut [f32], output: &[f32], through: &[f32], direct: &mut [f32]);
}

/// Cuts into `N` parts of `size`.
#[inline(always)]
fn parts<const N: usize>(values: &[f32], size: usize) -> [&[f32]; N] {
    std::array::from_fn(|part| &values[part * size..(part + 1) * size])
}

#[inline(always)]
fn parts_mut<const N: usize>(values: &mut [f32], size: usize) -> [&mut [f32]; N] {
    let mut parts = values.chunks_exact_mut(size);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

/// `a + b`, read from memory.
#[inline(always)]
fn sum<S: Simd>(simd: S, a: &[f32], b: &[f32], at: usize) -> S::f32s {
    simd.add_f32s(load(simd, a, at), load(simd, b, at))
}

/// `a · b · c`.
#[inline(always)]
fn product<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
    simd.mul_f32s(simd.mul_f32s(a, b), c)
}

/// `gradient · s (1 − s)`: in front of a sigmoid that gave `s`.
#[inline(always)]
fn before_sigmoid<S: Simd>(simd: S, gradient: S::f32s, s: S::f32s) -> S::f32s {
    product(simd, gradient, s, complement(simd, s))
}

/// `gradient · (1 − t²)`: in front of a hyperbolic tangent that gave `t`.
#[inline(always)]
fn before_tanh<S: Simd>(simd: S, gradient: S::f32s, t: S::f32s) -> S::f32s {
    simd.mul_f32s(gradient, complement(simd, simd.mul_f32s(t, t)))
}

/// The plain network of Elman 1990: h' = f(Wx + b + Uh + c). Keeps h'.
#[derive(Clone, Copy)]
pub(super) struct Plain {
    /// f is the rectifier, otherwise the hyperbolic tangent.
    pub(super) rectified: bool,
}

impl Unit for Plain {
    const GATES: usize = 1;
    const STATES: usize = 1;
    const KEPT: usize = 1;

    #[inline(always)]
    fn forward<S: Simd>(self, simd: S, input: &[f32], hidden: &[f32], state: &mut [f32], kept: &mut [f32]) {
        let size = state.len();
        let zero = simd.splat_f32s(0.0);
        for at in (0..size).step_by(S::F32_LANES) {
            let x = sum(simd, input, hidden, at);
            let next = if self.rectified {
                // Not the maximum with zero: NaN must stay NaN.
                simd.select_f32s(simd.less_than_f32s(x, zero), zero, x)
            } else {
                tanh(simd, x)
            };
            store(simd, &mut kept[..size], at, next);
            store(simd, state, at, next);
        }
    }

    #[inline(always)]
    fn backward<S: Simd>(self, simd: S, kept: &mut [f32], output: &[f32], through: &[f32], direct: &mut [f32]) {
        let zero = simd.splat_f32s(0.0);
        let next = &mut kept[..output.len()];
        for at in (0..output.len()).step_by(S::F32_LANES) {
            let gradient = simd.add_f32s(sum(simd, output, through, at), load(simd, direct, at));
            let h = load(simd, next, at);
            let before = if self.rectified {
                simd.select_f32s(simd.greater_than_f32s(h, zero), gradient, zero)
            } else {
                before_tanh(simd, gradient, h)
            };
            store(simd, next, at, before);
            store(simd, direct, at, zero);
        }
    }
}

/// The gated recurrent unit (Cho et al. 2014) in the form of PyTorch, where the reset gate acts behind the
/// weights of the state:
///
/// r = σ(Wr x + Ur h), z = σ(Wz x + Uz h), n = tanh(Wn x + r ⊙ (Un h)), h' = (1 − z) ⊙ n + z ⊙ h, biases left out.
///
/// Keeps n, r, z and Un h; in this order the gradients of both kinds of terms are three neighbours.
#[derive(Clone, Copy)]
pub(super) struct Gru;

impl Unit for Gru {
    const GATES: usize = 3;
    const STATES: usize = 1;
    const KEPT: usize = 4;

    #[inline(always)]
    fn forward<S: Simd>(self, simd: S, input: &[f32], hidden: &[f32], state: &mut [f32], kept: &mut [f32]) {
        let size = state.len();
        let [input_r, input_z, input_n] = parts(input, size);
        let [hidden_r, hidden_z, hidden_n] = parts(hidden, size);
        let [kept_n, kept_r, kept_z, kept_term] = parts_mut(kept, size);
        for at in (0..size).step_by(S::F32_LANES) {
            let r = sigmoid(simd, sum(simd, input_r, hidden_r, at));
            let z = sigmoid(simd, sum(simd, input_z, hidden_z, at));
            let term = load(simd, hidden_n, at);
            let n = tanh(simd, simd.mul_add_e_f32s(r, term, load(simd, input_n, at)));
            let next = simd.mul_add_e_f32s(z, simd.sub_f32s(load(simd, state, at), n), n);
            store(simd, kept_n, at, n);
            store(simd, kept_r, at, r);
            store(simd, kept_z, at, z);
            store(simd, kept_term, at, term);
            store(simd, state, at, next);
        }
    }

    #[inline(always)]
    fn backward<S: Simd>(self, simd: S, kept: &mut [f32], output: &[f32], through: &[f32], direct: &mut [f32]) {
        let size = output.len();
        let [kept_n, kept_r, kept_z, kept_term, previous] = parts_mut(kept, size);
        for at in (0..size).step_by(S::F32_LANES) {
            let gradient = simd.add_f32s(sum(simd, output, through, at), load(simd, direct, at));
            let (n, r, z) = (load(simd, kept_n, at), load(simd, kept_r, at), load(simd, kept_z, at));
            let of_n = before_tanh(simd, simd.mul_f32s(gradient, complement(simd, z)), n);
            let of_r = before_sigmoid(simd, simd.mul_f32s(of_n, load(simd, kept_term, at)), r);
            let change = simd.sub_f32s(load(simd, previous, at), n);
            let of_z = before_sigmoid(simd, simd.mul_f32s(gradient, change), z);
            store(simd, kept_n, at, of_n);
            store(simd, kept_r, at, of_r);
            store(simd, kept_z, at, of_z);
            store(simd, kept_term, at, simd.mul_f32s(of_n, r));
            store(simd, direct, at, simd.mul_f32s(gradient, z));
        }
    }
}

/// Long short-term memory (Hochreiter & Schmidhuber 1997) with the forget gate of Gers et al. 2000:
///
/// i, f, o = σ(W x + U h), g = tanh(W x + U h), c' = f ⊙ c + i ⊙ g, h' = o ⊙ tanh(c'), biases left out; the state is h, c.
///
/// Keeps i, f, g and o.
#[derive(Clone, Copy)]
pub(super) struct Lstm;

impl Unit for Lstm {
    const GATES: usize = 4;
    const STATES: usize = 2;
    const KEPT: usize = 4;

    #[inline(always)]
    fn forward<S: Simd>(self, simd: S, input: &[f32], hidden: &[f32], state: &mut [f32], kept: &mut [f32]) {
        let size = state.len() / 2;
        let [input_i, input_f, input_g, input_o] = parts(input, size);
        let [hidden_i, hidden_f, hidden_g, hidden_o] = parts(hidden, size);
        let [kept_i, kept_f, kept_g, kept_o] = parts_mut(kept, size);
        let [output, cell] = parts_mut(state, size);
        for at in (0..size).step_by(S::F32_LANES) {
            let i = sigmoid(simd, sum(simd, input_i, hidden_i, at));
            let f = sigmoid(simd, sum(simd, input_f, hidden_f, at));
            let g = tanh(simd, sum(simd, input_g, hidden_g, at));
            let o = sigmoid(simd, sum(simd, input_o, hidden_o, at));
            let next = simd.mul_add_e_f32s(f, load(simd, cell, at), simd.mul_f32s(i, g));
            store(simd, kept_i, at, i);
            store(simd, kept_f, at, f);
            store(simd, kept_g, at, g);
            store(simd, kept_o, at, o);
            store(simd, cell, at, next);
            store(simd, output, at, simd.mul_f32s(o, tanh(simd, next)));
        }
    }

    #[inline(always)]
    fn backward<S: Simd>(self, simd: S, kept: &mut [f32], output: &[f32], through: &[f32], direct: &mut [f32]) {
        let size = output.len();
        let [kept_i, kept_f, kept_g, kept_o, _, previous] = parts_mut(kept, size);
        let [of_output, of_cell] = parts_mut(direct, size);
        for at in (0..size).step_by(S::F32_LANES) {
            let (i, f) = (load(simd, kept_i, at), load(simd, kept_f, at));
            let (g, o) = (load(simd, kept_g, at), load(simd, kept_o, at));
            let cell = load(simd, previous, at);
            let squashed = tanh(simd, simd.mul_add_e_f32s(f, cell, simd.mul_f32s(i, g)));
            let gradient = simd.add_f32s(sum(simd, output, through, at), load(simd, of_output, at));
            let of_next =
                simd.add_f32s(before_tanh(simd, simd.mul_f32s(gradient, o), squashed), load(simd, of_cell, at));
            store(simd, kept_i, at, before_sigmoid(simd, simd.mul_f32s(of_next, g), i));
            store(simd, kept_f, at, before_sigmoid(simd, simd.mul_f32s(of_next, cell), f));
            store(simd, kept_g, at, before_tanh(simd, simd.mul_f32s(of_next, i), g));
            store(simd, kept_o, at, before_sigmoid(simd, simd.mul_f32s(gradient, squashed), o));
            store(simd, of_output, at, simd.splat_f32s(0.0));
            store(simd, of_cell, at, simd.mul_f32s(of_next, f));
        }
    }
}
