//! scikit-learn's digits for tests, and its division of them.

use std::io::Read as _;

use burn::tensor::{Device, Tensor, TensorData};
use flate2::read::GzDecoder;
use serde_json::Value;

/// Pixels of an image.
pub(in crate::models) const PIXELS: usize = 64;

/// The reference values that rbm.py made.
pub(in crate::models) fn golden() -> Value {
    serde_json::from_str(include_str!("../../../tests/golden/rbm.json")).unwrap()
}

/// The images with pixels from 0 to 1, the class of each, and the rows of the training and the test part of
/// `train_test_split(test_size=0.2, random_state=0)`.
pub(in crate::models) struct Digits {
    pub(in crate::models) pixels: Vec<f32>,
    pub(in crate::models) classes: Vec<usize>,
    pub(in crate::models) train: Vec<usize>,
    pub(in crate::models) test: Vec<usize>,
}

impl Digits {
    pub(in crate::models) fn read() -> Self {
        let mut text = String::new();
        let bytes: &[u8] = include_bytes!("../../../../../data/samples/digits.csv.gz");
        GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
        let (mut pixels, mut classes) = (Vec::new(), Vec::new());
        for line in text.lines() {
            let row: Vec<f32> = line.split(',').map(|field| field.trim().parse().unwrap()).collect();
            let (&class, row) = row.split_last().unwrap();
            classes.push(class as usize);
            pixels.extend(row.iter().map(|pixel| pixel / 16.0));
        }
        assert_eq!((pixels.len(), classes.len()), (1797 * PIXELS, 1797));
        let golden = golden();
        let rows = |part: &str| -> Vec<usize> {
            golden["split"][part].as_array().unwrap().iter().map(|row| row.as_u64().unwrap() as usize).collect()
        };
        Self { pixels, classes, train: rows("train"), test: rows("test") }
    }

    /// # Shapes
    /// - output `[rows, 64]`
    pub(in crate::models) fn images(&self, rows: &[usize]) -> Tensor<2> {
        let mut pixels = Vec::with_capacity(rows.len() * PIXELS);
        rows.iter().for_each(|&row| pixels.extend_from_slice(&self.pixels[row * PIXELS..][..PIXELS]));
        Tensor::from_data(TensorData::new(pixels, [rows.len(), PIXELS]), &Device::flex())
    }

    /// The classes of `rows`.
    pub(in crate::models) fn classes_of(&self, rows: &[usize]) -> Vec<usize> {
        rows.iter().map(|&row| self.classes[row]).collect()
    }
}
