//! Which device a model runs on: device strings to burn devices.
//!
//! | string | backend | built with |
//! |---|---|---|
//! | `cpu` | burn-flex, and the operations of [`crate::ops`] | always |
//! | `ndarray` | burn-ndarray, small shapes only | `--features ndarray` |
//! | `cuda:N` | burn-cuda, NVIDIA card N | `--features cuda` |
//! | `gpu:N` | burn's Vulkan backend, card N of any maker | `--features vulkan` |
//!
//! This is the only module that knows which backends were compiled in.

use burn::tensor::Device;

/// Why a device string gives no device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// Not one of the known forms.
    #[error("device {0:?} is not known; use cpu, ndarray, cuda:N or gpu:N")]
    Unknown(String),
    /// The index behind the colon is not a number.
    #[error("device {0:?}: the part after the colon must be a number such as 0")]
    Index(String),
    /// The backend was left out of this build.
    #[error("device {device:?} was not compiled in; build again with --features {feature}")]
    NotCompiled {
        /// The device asked for.
        device: String,
        /// The cargo feature that adds it.
        feature: &'static str,
    },
    /// The backend is there, the device is not.
    #[error("device {device:?} is not present; this machine has: {present}")]
    Absent {
        /// The device asked for.
        device: String,
        /// The devices found, comma separated.
        present: String,
    },
}

/// The kinds of device, in the order in which they are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Cpu,
    NdArray,
    Cuda,
    Vulkan,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Cpu, Self::NdArray, Self::Cuda, Self::Vulkan];

    fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::NdArray => "ndarray",
            Self::Cuda => "cuda",
            Self::Vulkan => "gpu",
        }
    }

    /// The cargo feature that compiles it in; the CPU needs none.
    fn feature(self) -> Option<&'static str> {
        match self {
            Self::Cpu => None,
            Self::NdArray => Some("ndarray"),
            Self::Cuda => Some("cuda"),
            Self::Vulkan => Some("vulkan"),
        }
    }

    fn is_indexed(self) -> bool {
        matches!(self, Self::Cuda | Self::Vulkan)
    }

    /// The devices of this kind, or `None` when the build left the backend out.
    fn devices(self) -> Option<Vec<Device>> {
        #[allow(unused_imports)]
        use burn::tensor::DeviceType;
        match self {
            Self::Cpu => Some(vec![Device::flex()]),
            #[cfg(feature = "ndarray")]
            // Deprecated upstream in favour of flex, and kept because comparisons need it.
            #[allow(deprecated)]
            Self::NdArray => Some(vec![Device::ndarray()]),
            #[cfg(feature = "cuda")]
            Self::Cuda => Some(Device::enumerate(DeviceType::Cuda).into_vec()),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Some(Device::enumerate(DeviceType::Vulkan).into_vec()),
            #[allow(unreachable_patterns)]
            _ => None,
        }
    }
}

/// What is known of one kind of device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// `cpu`, `ndarray`, `cuda` or `gpu`.
    pub kind: &'static str,
    /// Whether this build contains its backend.
    pub compiled: bool,
    /// The strings that [`device`] accepts for the devices present.
    pub present: Vec<String>,
}

/// Every kind of device, whether it was compiled in, and which of them this machine has.
pub fn list() -> Vec<DeviceInfo> {
    Kind::ALL
        .into_iter()
        .map(|kind| {
            let devices = kind.devices();
            let name =
                |at: usize| if kind.is_indexed() { format!("{}:{at}", kind.name()) } else { kind.name().to_owned() };
            DeviceInfo {
                kind: kind.name(),
                compiled: devices.is_some(),
                present: (0..devices.map_or(0, |d| d.len())).map(name).collect(),
            }
        })
        .collect()
}

/// The burn device of a device string, without gradient tracking.
///
/// ```
/// use nn_core::compute;
/// assert!(compute::is_cpu(&compute::device("cpu")?));
/// assert!(compute::device("tpu").is_err());
/// # Ok::<(), compute::DeviceError>(())
/// ```
///
/// # Errors
/// [`DeviceError`] when the string is malformed, the backend is not in this build (naming the
/// feature to build with), or the device is not present (naming those that are).
pub fn device(name: &str) -> Result<Device, DeviceError> {
    let (head, index) = name.split_once(':').map_or((name, None), |(head, index)| (head, Some(index)));
    let kind =
        Kind::ALL.into_iter().find(|kind| kind.name() == head).ok_or_else(|| DeviceError::Unknown(name.to_owned()))?;
    if index.is_some() && !kind.is_indexed() {
        return Err(DeviceError::Unknown(name.to_owned()));
    }
    let index: usize = index.unwrap_or("0").parse().map_err(|_| DeviceError::Index(name.to_owned()))?;
    let Some(devices) = kind.devices() else {
        let feature = kind.feature().unwrap_or_default();
        return Err(DeviceError::NotCompiled { device: name.to_owned(), feature });
    };
    devices.into_iter().nth(index).ok_or_else(|| DeviceError::Absent {
        device: name.to_owned(),
        present: list().into_iter().flat_map(|info| info.present).collect::<Vec<_>>().join(", "),
    })
}

/// Whether this is the `cpu` device, with or without gradient tracking.
pub fn is_cpu(device: &Device) -> bool {
    *device == Device::flex()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_always_there_and_autodiff_does_not_change_it() {
        let cpu = device("cpu").unwrap();
        assert!(is_cpu(&cpu) && is_cpu(&cpu.autodiff()));
        assert_eq!(list()[0], DeviceInfo { kind: "cpu", compiled: true, present: vec!["cpu".into()] });
    }

    #[test]
    fn malformed_device_strings_are_refused() {
        for (name, error) in [
            ("tpu", DeviceError::Unknown("tpu".into())),
            ("cpu:1", DeviceError::Unknown("cpu:1".into())),
            ("cuda:x", DeviceError::Index("cuda:x".into())),
            ("", DeviceError::Unknown(String::new())),
        ] {
            assert_eq!(device(name).unwrap_err(), error);
        }
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn an_absent_backend_names_its_feature() {
        let error = device("cuda:0").unwrap_err().to_string();
        assert!(error.ends_with("build again with --features cuda"), "{error}");
    }
}
