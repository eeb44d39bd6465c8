//! Where the weights of a body come from: a network that was trained here, or the authors' file.

use std::path::Path;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use nn_core::data::rng;
use nn_core::store::{PyTorchImport, StoreError, import_pytorch};

use super::{Beluga, BelugaConfig};
use crate::dataset::Labels;
use crate::model::{ModelError, SequenceModel};
use crate::systems::Net;

/// Channels of the authors' body in our order: theirs are A, G, C, T.
const ORDER: [usize; 4] = [0, 2, 1, 3];

/// The layers of the authors' `chromatin.py` by our names. Its convolutions are of two axes, one of which has length 1.
#[derive(Module, Debug)]
struct Published {
    convolutions: Vec<Flat>,
    hidden: Linear,
    output: Linear,
}

#[derive(Module, Debug)]
struct Flat {
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
}

impl Beluga {
    /// Reads a body from a model of the system `beluga` (`.safetensors`), or from a `state_dict` of the authors'
    /// network, such as their `deepsea.beluga.pth`, whose sizes are `config`. It comes in validation state.
    ///
    /// # Errors
    /// [`ModelError`] naming the file and what of it cannot be used.
    pub fn load(path: &Path, config: &BelugaConfig, device: &Device) -> Result<Self, ModelError> {
        if path.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("safetensors")) {
            return published(path, config, device);
        }
        let SequenceModel { network, card } = SequenceModel::load(path, device)?;
        let mismatch = |what, found: String, reference: &str| ModelError::Mismatch {
            path: path.to_owned(),
            what,
            found,
            reference: reference.to_owned(),
        };
        if card.predicts.labels != Labels::Binary {
            return Err(mismatch("what is predicted", card.predicts.describe(), "the marks of a body are yes or no"));
        }
        match network {
            Net::Beluga(body) => Ok(body),
            _ => Err(mismatch("the network", card.network.system().to_owned(), "the body of ExPecto is beluga")),
        }
    }
}

/// The authors' weights.
fn published(path: &Path, config: &BelugaConfig, device: &Device) -> Result<Beluga, ModelError> {
    let impossible = |source| ModelError::Config { path: path.to_owned(), source };
    // All of these weights are overwritten, so their seed does not matter.
    let mut body = config.init(device, &mut rng(0, &[])).map_err(impossible)?;
    let flat = body.convolutions.iter().map(|convolution| {
        let [filters, inputs, kernel] = convolution.weight.val().dims();
        let weight = Param::from_tensor(Tensor::zeros([filters, inputs, 1, kernel], device));
        Flat { weight, bias: Param::from_tensor(Tensor::zeros([filters], device)) }
    });
    let empty = Published { convolutions: flat.collect(), hidden: body.hidden.clone(), output: body.output.clone() };
    let rename = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    let options = PyTorchImport {
        renames: vec![
            rename(r"^model\.0\.", "convolutions."),
            rename(r"^model\.1\.2\.1\.", "hidden."),
            rename(r"^model\.1\.4\.1\.", "output."),
        ],
        ..PyTorchImport::default()
    };
    let (read, report) = import_pytorch(empty, path, &options)?;
    let in_file = |error| StoreError::InFile { path: path.to_owned(), error: Box::new(error) };
    report.complete().map_err(in_file)?;
    for (place, (convolution, flat)) in body.convolutions.iter_mut().zip(read.convolutions).enumerate() {
        let [filters, inputs, _, kernel] = flat.weight.val().dims();
        let weight = flat.weight.val().reshape::<3, _>([filters, inputs, kernel]);
        let weight = match place {
            0 => Tensor::cat(ORDER.map(|channel| weight.clone().narrow(1, channel, 1)).to_vec(), 1),
            _ => weight,
        };
        convolution.weight = Param::from_tensor(weight);
        convolution.bias = Some(flat.bias);
    }
    Ok(Beluga { hidden: read.hidden, output: read.output, ..body }.valid())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::model::{ModelCard, Origin, Predicts, Preprocessing, StrandPolicy};
    use crate::sequence::Unknown;
    use crate::systems::deep_bind::DeepBindConfig;
    use crate::systems::expecto::tests::small;
    use crate::systems::golden::input;
    use crate::systems::{NetConfig, SequenceNet};

    /// The layers of `chromatin.py` at small sizes, with the outputs of windows whose channels are A, G, C, T there
    /// (`tests/golden/beluga.py`).
    #[test]
    fn the_authors_weights_give_the_authors_outputs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("beluga.pth");
        std::fs::write(&path, include_bytes!("../../../tests/golden/beluga.pth")).unwrap();
        let body = Beluga::load(&path, &small(), &Device::flex()).unwrap();
        let expected: Value = serde_json::from_str(include_str!("../../../tests/golden/beluga.json")).unwrap();
        let found = body.logits(input("windows", [3, 4, 71]), None).try_into_vec_as::<f64>().unwrap();
        let expected = expected.as_array().unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            let expected = expected.as_f64().unwrap();
            // single precision on sums of up to some hundred products
            assert!((found - expected).abs() < 1e-5 * expected.abs().max(1.0), "{found} instead of {expected}");
        }
        let other = BelugaConfig { hidden: 8, ..small() };
        let error = Beluga::load(&path, &other, &Device::flex()).unwrap_err().to_string();
        assert!(error.contains("beluga.pth") && error.contains("hidden"), "{error}");
    }

    #[test]
    fn a_body_that_was_trained_here_is_read_and_another_network_refused() {
        let folder = tempfile::tempdir().unwrap();
        let model = |network: NetConfig, labels: Labels| {
            let card = ModelCard {
                preprocessing: Preprocessing::new(network.length(), StrandPolicy::Average, Unknown::Zeros),
                predicts: Predicts { tasks: ["a", "b", "c"].map(str::to_owned).to_vec(), labels },
                origin: Origin::default(),
                network: network.clone(),
            };
            let path = folder.path().join("model.safetensors");
            let network = network.init(&Device::flex(), &mut rng(3, &[])).unwrap();
            SequenceModel { network, card }.save(&path).unwrap();
            path
        };
        let x = input("windows", [3, 4, 71]);
        let expected = small().init(&Device::flex(), &mut rng(3, &[])).unwrap().logits(x.clone(), None);
        let load = |path: &Path| Beluga::load(path, &BelugaConfig::default(), &Device::flex());
        let body = load(&model(NetConfig::Beluga(small()), Labels::Binary)).unwrap();
        assert_eq!(body.config(), &small());
        assert_eq!(body.logits(x, None).into_data(), expected.into_data());
        let error = load(&model(NetConfig::Beluga(small()), Labels::Values)).unwrap_err().to_string();
        assert!(error.contains("what is predicted is a, b, c (values)"), "{error}");
        let other = DeepBindConfig { length: 71, outputs: 3, ..DeepBindConfig::default() };
        let error = load(&model(NetConfig::DeepBind(other), Labels::Binary)).unwrap_err().to_string();
        assert!(error.contains("the network is deepbind, but the body of ExPecto is beluga"), "{error}");
    }
}
