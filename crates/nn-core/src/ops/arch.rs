//! Which instructions the kernels use.

use pulp::Arch;

/// The widest vectors of this processor; with the feature `portable` none, so that a sanitizer sees those paths too.
#[inline]
pub(crate) fn arch() -> Arch {
    if cfg!(feature = "portable") { Arch::Scalar } else { Arch::new() }
}
