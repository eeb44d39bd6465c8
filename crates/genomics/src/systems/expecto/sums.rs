//! Sums of marks in a file: they take hours for all genes of a genome, and are the same for any tissue and any split.

use std::path::Path;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use nn_core::store::{self, Metadata, StoreError};

use super::ExpectoConfig;
use crate::locus::Locus;
use crate::model::{ModelError, json};

/// Name of the files in their metadata.
const ARCHITECTURE: &str = "expecto-sums";

/// The sums as what the store writes.
#[derive(Module, Debug)]
struct Table {
    values: Param<Tensor<2>>,
}

/// What a file of sums is of: a body, the windows around starts, the genome, and the genes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SumsFile {
    /// Genes and sums of each.
    shape: [usize; 2],
    /// Body, windows, genome and genes.
    made_of: String,
}

impl SumsFile {
    /// The sums of the genes that start at `starts` of a genome, whose file has the SHA-256 `genome`.
    pub fn of(config: &ExpectoConfig, genome: &str, starts: &[Locus]) -> Self {
        // FNV-1a of all places: a slip of a file is to be found, not a forgery
        let letters = starts.iter().flat_map(|start| format!("{start} ").into_bytes());
        let genes = letters
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, letter| (hash ^ u64::from(letter)).wrapping_mul(0x0100_0000_01b3));
        let (body, windows) = (&config.weights, json(&config.spatial));
        let made_of = format!("body {body}, windows {windows}, genome {genome}, {} genes {genes:016x}", starts.len());
        Self { shape: [starts.len(), config.sums()], made_of }
    }

    /// Writes the sums, `[genes, sums]`, row-major, whole or not at all, by way of `device`.
    ///
    /// # Errors
    /// [`ModelError::Store`].
    ///
    /// # Panics
    /// If there are not as many values.
    pub fn save(&self, values: &[f32], path: &Path, device: &Device) -> Result<(), ModelError> {
        let metadata = Metadata::from([
            (store::ARCHITECTURE.to_owned(), ARCHITECTURE.to_owned()),
            (store::CONFIG.to_owned(), self.made_of.clone()),
        ]);
        Ok(store::save(&self.table(values.to_vec(), device), &metadata, path)?)
    }

    /// Reads the sums that [`SumsFile::save`] wrote, by way of `device`.
    ///
    /// # Errors
    /// [`ModelError::Store`] for a file that cannot be read or is none of sums, and [`ModelError::Mismatch`] for one of
    /// another body, genome, or other windows or genes.
    pub fn load(&self, path: &Path, device: &Device) -> Result<Vec<f32>, ModelError> {
        let metadata = store::load_metadata_of(path, ARCHITECTURE)?;
        let found = metadata.get(store::CONFIG).cloned().unwrap_or_default();
        if found != self.made_of {
            let (path, what) = (path.to_owned(), "what the sums are of");
            let reference = format!("the settings and the data say {}", self.made_of);
            return Err(ModelError::Mismatch { path, what, found, reference });
        }
        let [genes, sums] = self.shape;
        let (table, _) = store::load(self.table(vec![0.0; genes * sums], device), path)?;
        let values = table.values.val().try_into_vec_as::<f32>().map_err(|error| StoreError::InFile {
            path: path.to_owned(),
            error: Box::new(StoreError::Format(error.to_string())),
        });
        Ok(values?)
    }

    fn table(&self, values: Vec<f32>, device: &Device) -> Table {
        Table { values: Param::from_tensor(crate::systems::parts::tensor(values, self.shape, device)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systems::expecto::tests::small;

    #[test]
    fn sums_come_back_and_those_of_other_genes_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sums.safetensors");
        let config = ExpectoConfig { body: small(), weights: "ab".to_owned(), ..ExpectoConfig::default() };
        let starts = [3, 9].map(|at| Locus::new("chr1", at, at + 1).unwrap());
        let file = SumsFile::of(&config, "cd", &starts);
        // ten sums of three marks
        let values: Vec<f32> = (0..2 * 30).map(|value| value as f32 / 7.0).collect();
        let device = Device::flex();
        file.save(&values, &path, &device).unwrap();
        assert_eq!(file.load(&path, &device).unwrap(), values);
        let other = |config: &ExpectoConfig, genome: &str, starts: &[Locus]| {
            SumsFile::of(config, genome, starts).load(&path, &device).unwrap_err().to_string()
        };
        let turned = [starts[1].clone(), starts[0].clone()];
        let body = ExpectoConfig { weights: "ef".to_owned(), ..config.clone() };
        for error in [other(&config, "cd", &turned), other(&config, "xy", &starts), other(&body, "cd", &starts)] {
            assert!(error.contains("sums.safetensors: what the sums are of is body ab"), "{error}");
        }
        std::fs::write(&path, b"no file of sums").unwrap();
        assert!(file.load(&path, &device).unwrap_err().to_string().contains("sums.safetensors"));
    }
}
