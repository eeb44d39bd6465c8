//! What an optimiser remembers of one parameter, and its form on disk.

use super::OptimError;
use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::Dtype;

/// The buffers of one parameter, flat, where its last update left them.
#[derive(Debug, Clone)]
pub(super) enum Buffers {
    F32([Vec<f32>; 2]),
    F64([Vec<f64>; 2]),
    Device(Vec<Tensor<1>>),
}

impl Default for Buffers {
    fn default() -> Self {
        Self::F32([Vec::new(), Vec::new()])
    }
}

/// The memory of one parameter.
#[derive(Debug, Clone, Default)]
pub(super) struct Slot {
    /// How many updates the parameter has had.
    pub(super) count: u64,
    pub(super) buffers: Buffers,
}

impl Buffers {
    /// The values in double precision; exact for what was single.
    pub(super) fn into_wide(self) -> [Vec<f64>; 2] {
        match self {
            Self::F32(buffers) => buffers.map(|values| values.into_iter().map(f64::from).collect()),
            Self::F64(buffers) => buffers,
            Self::Device(tensors) => {
                let mut wide = [Vec::new(), Vec::new()];
                for (values, tensor) in wide.iter_mut().zip(tensors) {
                    *values = tensor.into_data().iter::<f64>().collect();
                }
                wide
            }
        }
    }

    /// The first `count` buffers as tensors of `dtype` on `device`.
    pub(super) fn into_tensors(self, count: usize, device: &Device, dtype: DType) -> Vec<Tensor<1>> {
        match self {
            Self::Device(tensors) => tensors
                .into_iter()
                .map(|tensor| if tensor.device() == *device { tensor } else { tensor.to_device(device) })
                .map(|tensor| tensor.cast(dtype))
                .collect(),
            host => host
                .into_wide()
                .into_iter()
                .take(count)
                .map(|values| {
                    let shape = [values.len()];
                    Tensor::from_data(TensorData::new(values, shape), (device, dtype))
                })
                .collect(),
        }
    }

    /// The number of values in buffer `at`.
    pub(super) fn length(&self, at: usize) -> usize {
        match self {
            Self::F32(buffers) => buffers.get(at).map_or(0, Vec::len),
            Self::F64(buffers) => buffers.get(at).map_or(0, Vec::len),
            Self::Device(tensors) => tensors.get(at).map_or(0, |tensor| tensor.dims()[0]),
        }
    }

    /// The type and the little-endian bytes of buffer `at`.
    pub(super) fn to_bytes(&self, at: usize, path: &str) -> Result<(Dtype, Vec<u8>), OptimError> {
        let read = |source| OptimError::Read { path: path.to_owned(), source };
        Ok(match self {
            Self::F32(buffers) => (Dtype::F32, narrow_bytes(&buffers[at])),
            Self::F64(buffers) => (Dtype::F64, wide_bytes(&buffers[at])),
            Self::Device(tensors) => {
                let tensor = tensors[at].clone();
                if tensor.dtype() == DType::F64 {
                    (Dtype::F64, wide_bytes(&tensor.try_into_vec_as::<f64>().map_err(read)?))
                } else {
                    (Dtype::F32, narrow_bytes(&tensor.try_into_vec_as::<f32>().map_err(read)?))
                }
            }
        })
    }

    /// The buffers from their little-endian bytes, all of one type; `None` for another type.
    pub(super) fn from_bytes(parts: &[(Dtype, &[u8])]) -> Option<Self> {
        if parts.iter().all(|(dtype, _)| *dtype == Dtype::F32) {
            let mut buffers = [Vec::new(), Vec::new()];
            for (values, (_, bytes)) in buffers.iter_mut().zip(parts) {
                *values = bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
            }
            return Some(Self::F32(buffers));
        }
        if parts.iter().all(|(dtype, _)| *dtype == Dtype::F64) {
            let mut buffers = [Vec::new(), Vec::new()];
            for (values, (_, bytes)) in buffers.iter_mut().zip(parts) {
                *values = bytes.as_chunks::<8>().0.iter().map(|eight| f64::from_le_bytes(*eight)).collect();
            }
            return Some(Self::F64(buffers));
        }
        None
    }
}

fn narrow_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn wide_bytes(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_move_between_memory_and_tensors_without_change() {
        let values = vec![0.1_f32, -2.5e-30, 3.0e20];
        let device = Device::flex();
        let host = Buffers::F32([values.clone(), Vec::new()]);
        let bytes = host.to_bytes(0, "x").unwrap();
        let tensors = host.into_tensors(1, &device, DType::F32);
        assert_eq!(tensors.len(), 1);
        let moved = Buffers::Device(tensors);
        assert_eq!(moved.length(0), 3);
        assert_eq!(moved.length(1), 0);
        assert_eq!(moved.to_bytes(0, "x").unwrap(), bytes);
        let wide: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
        assert_eq!(moved.into_wide(), [wide, Vec::new()]);

        let Some(Buffers::F32([first, second])) = Buffers::from_bytes(&[(bytes.0, bytes.1.as_slice())]) else {
            panic!("single precision comes back as single precision");
        };
        assert_eq!((first, second), (values, Vec::new()));
        assert!(Buffers::from_bytes(&[(Dtype::F32, &[0_u8; 4][..]), (Dtype::F64, &[0_u8; 8][..])]).is_none());
        assert!(Buffers::from_bytes(&[(Dtype::I32, &[0_u8; 4][..])]).is_none());
    }
}
