//! Which axes of a patch a network shrinks how often, and what it costs.

/// The form of a network on a patch of two or three axes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Topology {
    /// Voxels along each axis: whole numbers, multiples of what the strides ask for.
    pub(super) patch: Vec<f64>,
    /// How each level shrinks each axis; the first does not.
    pub(super) strides: Vec<Vec<usize>>,
    /// Width of the convolutions of each level.
    pub(super) kernels: Vec<Vec<usize>>,
}

impl Topology {
    /// What the patch is a multiple of along an axis.
    pub(super) fn multiple(&self, axis: usize) -> f64 {
        self.strides.iter().map(|stride| stride[axis]).product::<usize>() as f64
    }
}

/// Axes are halved together while their spacings lie within a factor of two of the finest of them and their maps keep
/// `smallest` voxels; the finer axes come first until they have caught up. A convolution has width 1 along an axis that
/// is still twice as coarse as the finest, 3 from then on.
pub(super) fn shape(spacing: &[f64], size: &[f64], smallest: f64, levels: usize) -> Topology {
    let dims = spacing.len();
    let (mut mm, mut map) = (spacing.to_vec(), size.to_vec());
    let mut kernel = vec![1; dims];
    let (mut strides, mut kernels) = (vec![vec![1; dims]], Vec::new());
    while strides.len() < levels {
        let long: Vec<usize> = (0..dims).filter(|&axis| map[axis] >= 2.0 * smallest).collect();
        let finest = long.iter().map(|&axis| mm[axis]).fold(f64::INFINITY, f64::min);
        let halved: Vec<usize> = long.into_iter().filter(|&axis| mm[axis] / finest < 2.0).collect();
        // An axis alone is halved only while its map stays half as large again as it must be.
        if halved.is_empty() || (halved.len() == 1 && map[halved[0]] < 3.0 * smallest) {
            break;
        }
        let finest = mm.iter().copied().fold(f64::INFINITY, f64::min);
        for axis in 0..dims {
            if mm[axis] / finest < 2.0 {
                kernel[axis] = 3;
            }
        }
        let mut stride = vec![1; dims];
        for axis in halved {
            stride[axis] = 2;
            mm[axis] *= 2.0;
            map[axis] = (map[axis] / 2.0).ceil();
        }
        strides.push(stride);
        kernels.push(kernel.clone());
    }
    // The coarsest level has full convolutions.
    kernels.push(vec![3; dims]);
    let found = Topology { patch: Vec::new(), strides, kernels };
    let patch = (0..dims).map(|axis| (size[axis] / found.multiple(axis)).ceil() * found.multiple(axis)).collect();
    Topology { patch, ..found }
}

/// Values in all feature maps of a plain U-Net with two convolutions a level, on one patch: what its memory goes with.
pub(super) fn feature_voxels(found: &Topology, features: &[usize], classes: usize) -> f64 {
    let mut size = found.patch.clone();
    let mut voxels = Vec::with_capacity(features.len());
    for stride in &found.strides {
        size.iter_mut().zip(stride).for_each(|(edge, &by)| *edge = (*edge / by as f64).floor());
        voxels.push(size.iter().product::<f64>());
    }
    let encoder: f64 = voxels.iter().zip(features).map(|(count, width)| 2.0 * count * *width as f64).sum();
    // Behind each of the finer levels: the transposed convolution and two more.
    let finer = voxels.len().saturating_sub(1);
    let decoder: f64 = voxels[..finer].iter().zip(features).map(|(count, width)| 3.0 * count * *width as f64).sum();
    let head = if finer > 0 { voxels[0] * classes as f64 } else { 0.0 };
    encoder + decoder + head
}
