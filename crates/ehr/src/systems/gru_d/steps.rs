//! The steps of a sequence, one by one, for a recursion.

use burn::tensor::{Bool, Device, Tensor, TensorData};

/// Which rows have ended before `step`, `[batch, hidden]`.
pub(super) fn over(lengths: &[usize], step: usize, hidden: usize, device: &Device) -> Tensor<2, Bool> {
    let ended: Vec<bool> = lengths.iter().map(|&length| length <= step).collect();
    let rows = ended.len();
    Tensor::<2, Bool>::from_data(TensorData::new(ended, [rows, 1]), device).expand([rows, hidden])
}

/// The steps of `[time * batch, width]`, in order. Backwards, a slice fills a gradient of the size of what it was cut
/// from; cut from quarters of quarters, that is less in all than cutting every step from the whole.
pub(super) fn steps(x: Tensor<2>, time: usize) -> Vec<Tensor<2>> {
    let mut parts = Vec::with_capacity(time);
    quarters(x, time, &mut parts);
    parts
}

fn quarters(x: Tensor<2>, time: usize, parts: &mut Vec<Tensor<2>>) {
    if time <= 1 {
        parts.push(x);
        return;
    }
    let rows = x.dims()[0] / time;
    let part = time.div_ceil(4);
    for start in (0..time).step_by(part) {
        let steps = part.min(time - start);
        quarters(x.clone().narrow(0, start * rows, steps * rows), steps, parts);
    }
}
