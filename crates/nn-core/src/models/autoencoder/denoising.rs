//! Corruption of the input of a denoising autoencoder, whose target stays clean.
//!
//! Vincent et al. 2010, *Stacked denoising autoencoders*, JMLR 11:3371, section 3.3.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, in_range};
use crate::layers::init::{Fan, Init};

/// What is done to a row before it is encoded.
///
/// A fraction ν of a row means round(ν · columns) distinct columns, drawn anew for each row and step: the fixed number
/// of Vincent et al. 2008, section 2.3.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Corruption {
    /// Nothing: the plain autoencoder.
    #[default]
    None,
    /// A fraction of the columns becomes 0.
    Masking {
        /// ν, 0 to 1.
        fraction: f64,
    },
    /// A fraction of the columns becomes the smallest or the largest value, each with probability 1/2.
    SaltAndPepper {
        /// ν, 0 to 1.
        fraction: f64,
        /// The smallest value, 0 in the paper.
        low: f32,
        /// The largest value, 1 in the paper.
        high: f32,
    },
    /// N(0, sd²) is added to every column.
    Gaussian {
        /// Standard deviation, 0 or more.
        sd: f64,
    },
}

impl Corruption {
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        match *self {
            Self::None => Ok(()),
            Self::Masking { fraction } => in_range("fraction", fraction, 0.0..=1.0),
            Self::SaltAndPepper { fraction, low, high } => {
                in_range("fraction", fraction, 0.0..=1.0)?;
                in_range("high", high, low..=f32::MAX)
            }
            Self::Gaussian { sd } => in_range("sd", sd, 0.0..=1e6),
        }
    }

    /// Corrupts `values`, rows of `columns` one behind the other. Without a column (0) nothing happens.
    pub fn apply(&self, values: &mut [f32], columns: usize, rng: &mut ChaCha8Rng) {
        if columns == 0 {
            return;
        }
        match *self {
            // a deviation of 0 draws nothing, so that −0 stays −0
            Self::None | Self::Gaussian { sd: 0.0 } => {}
            Self::Masking { fraction } => pick(values, columns, fraction, rng, |_| 0.0),
            Self::SaltAndPepper { fraction, low, high } => {
                pick(values, columns, fraction, rng, |rng| if rng.random::<bool>() { high } else { low });
            }
            Self::Gaussian { sd } => {
                let noise = Init::Normal(sd).values(&[values.len()], Fan { inputs: 1, outputs: 1 }, rng);
                values.iter_mut().zip(noise).for_each(|(value, noise)| *value += noise);
            }
        }
    }
}

/// Replaces round(`fraction` · `columns`) values of each row, drawn without replacement.
fn pick(
    values: &mut [f32],
    columns: usize,
    fraction: f64,
    rng: &mut ChaCha8Rng,
    mut replacement: impl FnMut(&mut ChaCha8Rng) -> f32,
) {
    let count = ((fraction * columns as f64).round() as usize).min(columns);
    // The order that one row leaves behind is as good a start for the next as any other.
    let mut order: Vec<usize> = (0..columns).collect();
    for row in values.chunks_mut(columns) {
        for place in 0..count {
            order.swap(place, rng.random_range(place..columns));
            row[order[place]] = replacement(rng);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::rng;

    const COLUMNS: usize = 40;

    fn corrupted(corruption: Corruption, value: f32, stream: u64) -> Vec<f32> {
        let mut values = vec![value; 500 * COLUMNS];
        corruption.apply(&mut values, COLUMNS, &mut rng(5, &[stream]));
        values
    }

    #[test]
    fn masking_hits_the_same_number_of_columns_in_every_row_and_every_column_alike() {
        let values = corrupted(Corruption::Masking { fraction: 0.25 }, 3.0, 0);
        assert!(values.chunks(COLUMNS).all(|row| row.iter().filter(|&&v| v == 0.0).count() == 10));
        assert!(values.iter().all(|&v| v == 0.0 || v == 3.0));
        // of 500 rows a column is hit in 125 ± 9.7 (binomial): five standard deviations
        for column in 0..COLUMNS {
            let hits = values.iter().skip(column).step_by(COLUMNS).filter(|&&v| v == 0.0).count() as f64;
            assert!((hits - 125.0).abs() < 48.5, "column {column}: {hits}");
        }
        assert_ne!(values, corrupted(Corruption::Masking { fraction: 0.25 }, 3.0, 1));
        // rows of one width corrupt alike whatever stands in them
        let other = corrupted(Corruption::Masking { fraction: 0.25 }, 7.0, 0);
        assert!(values.iter().zip(&other).all(|(a, b)| (*a == 0.0) == (*b == 0.0)));
    }

    #[test]
    fn salt_and_pepper_is_a_fair_coin() {
        let corruption = Corruption::SaltAndPepper { fraction: 0.5, low: -1.0, high: 2.0 };
        let values = corrupted(corruption, 0.5, 0);
        let count = |wanted: f32| values.iter().filter(|&&v| v == wanted).count() as f64;
        assert_eq!(count(0.5), 10_000.0);
        // 10,000 flips: standard deviation 50
        assert!((count(2.0) - 5000.0).abs() < 250.0 && count(-1.0) + count(2.0) == 10_000.0, "{}", count(2.0));
    }

    #[test]
    fn gaussian_noise_has_its_moments_and_zero_noise_is_none() {
        let values = corrupted(Corruption::Gaussian { sd: 0.3 }, 1.0, 0);
        let n = values.len() as f64;
        let mean = values.iter().copied().map(f64::from).sum::<f64>() / n;
        let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
        // 20,000 draws: the mean's error is 0.0021, the variance's 1 % of itself
        assert!((mean - 1.0).abs() < 0.0105 && (variance / 0.09 - 1.0).abs() < 0.05, "{mean} {variance}");
        for none in [
            Corruption::None,
            Corruption::Masking { fraction: 0.0 },
            Corruption::Gaussian { sd: 0.0 },
            Corruption::SaltAndPepper { fraction: 0.0, low: 0.0, high: 1.0 },
        ] {
            assert_eq!(corrupted(none, 1.0, 0), vec![1.0; 500 * COLUMNS], "{none:?}");
        }
        assert_eq!(corrupted(Corruption::Masking { fraction: 1.0 }, 1.0, 0), vec![0.0; 500 * COLUMNS]);
    }

    #[test]
    fn constants_out_of_range_are_refused() {
        for bad in [
            Corruption::Masking { fraction: 1.1 },
            Corruption::SaltAndPepper { fraction: -0.1, low: 0.0, high: 1.0 },
            Corruption::SaltAndPepper { fraction: 0.1, low: 1.0, high: 0.0 },
            Corruption::Gaussian { sd: f64::NAN },
        ] {
            assert!(matches!(bad.validate(), Err(ConfigError::OutOfRange { .. })), "{bad:?}");
        }
        let read: Corruption = serde_json::from_str(r#"{"kind":"masking","fraction":0.05}"#).unwrap();
        assert_eq!(read, Corruption::Masking { fraction: 0.05 });
        assert!(serde_json::from_str::<Corruption>(r#"{"kind":"masking","sd":0.05}"#).is_err());
    }
}
