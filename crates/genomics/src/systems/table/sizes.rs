//! The systems that read rows of numbers, made for the columns and outputs of a table.

use burn::tensor::Device;
use nn_core::config::ConfigError;
use nn_core::models::mlp::TableModel;
use rand_chacha::ChaCha8Rng;

use crate::systems::d_gex::{DGex, DGexConfig};
use crate::systems::gedfn::{Gedfn, GedfnConfig};
use crate::systems::mostavi::{Mostavi, MostaviConfig};
use crate::task::{Fitted, TaskNetConfig};

/// Sizes of a network that reads rows of numbers.
pub trait TableSizes: Clone {
    /// The network.
    type Net: TableModel;

    /// The same for other columns and outputs.
    fn with_shape(self, columns: usize, outputs: usize) -> Self;

    /// The system with these sizes.
    fn named(&self) -> TaskNetConfig;

    /// The network with starting values from `rng`, for `columns` columns that are connected as `fitted` says.
    ///
    /// # Errors
    /// [`ConfigError`] for a size out of range.
    fn build(
        &self,
        columns: usize,
        fitted: &Fitted,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self::Net, ConfigError>;
}

impl TableSizes for MostaviConfig {
    type Net = Mostavi;

    /// An image of other genes has about the proportions of the authors'.
    fn with_shape(self, columns: usize, outputs: usize) -> Self {
        if self.genes == columns {
            return Self { classes: outputs, ..self };
        }
        let image = Self::for_genes(self.kind, columns, outputs);
        Self { genes: columns, lines: image.lines, columns: image.columns, classes: outputs, ..self }
    }

    fn named(&self) -> TaskNetConfig {
        TaskNetConfig::Mostavi(self.clone())
    }

    fn build(&self, _: usize, _: &Fitted, device: &Device, rng: &mut ChaCha8Rng) -> Result<Mostavi, ConfigError> {
        self.init(device, rng)
    }
}

impl TableSizes for GedfnConfig {
    type Net = Gedfn;

    fn with_shape(self, _columns: usize, outputs: usize) -> Self {
        Self { classes: outputs, ..self }
    }

    fn named(&self) -> TaskNetConfig {
        TaskNetConfig::Gedfn(self.clone())
    }

    fn build(
        &self,
        columns: usize,
        fitted: &Fitted,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Gedfn, ConfigError> {
        let mut adjacency = vec![0.0; columns * columns];
        for &[one, other] in &fitted.edges {
            let place = one as usize * columns + other as usize;
            let edge = adjacency.get_mut(place).filter(|_| (other as usize) < columns);
            *edge.ok_or_else(|| {
                ConfigError::Conflict(format!("genes {one} and {other} of {columns} are connected"))
            })? = 1.0;
        }
        self.init(&adjacency, columns, device, rng)
    }
}

impl TableSizes for DGexConfig {
    type Net = DGex;

    fn with_shape(self, columns: usize, outputs: usize) -> Self {
        Self { landmarks: columns, targets: outputs, ..self }
    }

    fn named(&self) -> TaskNetConfig {
        TaskNetConfig::DGex(self.clone())
    }

    fn build(&self, _: usize, _: &Fitted, device: &Device, rng: &mut ChaCha8Rng) -> Result<DGex, ConfigError> {
        self.init(device, rng)
    }
}
