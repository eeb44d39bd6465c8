//! Where a maximum over places is reached more than once, so that a gradient lays the whole share on one of them.

use genomics::explain::{ExplainError, Inputs, PoolTies, Tie};
use genomics::model::Ensemble;
use genomics::systems::NetConfig;
use genomics::systems::deep_motif::Architecture;

/// Sequences that are looked at.
const LOOKED_AT: usize = 20;

/// The maximum that stands right behind the first convolution; none where there is none.
fn first_pooling(network: &NetConfig) -> Option<PoolTies> {
    let window = match network {
        NetConfig::DeepBind(config) => (config.second_filters > 0).then_some(config.pool),
        NetConfig::Basset(config) => config.pools.first().copied(),
        NetConfig::DeepMotif(config) => match config.architecture {
            Architecture::Cnn => (config.kernels.len() > 1).then_some(config.pool),
            Architecture::Rnn | Architecture::CnnRnn => return None,
        },
        NetConfig::CnnProm(config) => config.layers.first().map(|layer| layer.pool),
        NetConfig::Beluga(_) => return None,
    };
    // A window of one place has no second one, and none is the whole sequence.
    (window != Some(1)).then(|| PoolTies { window, ..PoolTies::default() })
}

/// The first equal maxima among some of the sequences, in words: those of the first layer of the first model, on the
/// strand that is given.
pub(super) fn first(
    ensemble: &Ensemble,
    inputs: &Inputs,
    rows: &[usize],
    names: &[&str],
) -> Result<Option<String>, ExplainError> {
    let model = &ensemble.models()[0];
    let Some(method) = first_pooling(&model.card.network) else { return Ok(None) };
    for &row in rows.iter().take(LOOKED_AT) {
        let x = inputs.tensor().clone().narrow(0, row, 1);
        let Some(maps) = model.network.first_maps(x) else { return Ok(None) };
        let span = inputs.span(row);
        for Tie { channel, positions, .. } in method.find(&maps)? {
            let places: Vec<usize> = positions
                .into_iter()
                .filter(|place| span.contains(place))
                .map(|place| place - span.start + 1)
                .collect();
            if let [one, other, ..] = places[..] {
                let name = names[row];
                return Ok(Some(format!("in {name} filter {channel} finds as much at base {one} as at base {other}")));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use genomics::dataset::Labels;
    use genomics::model::{ModelCard, Origin, Predicts, Preprocessing, SequenceModel, StrandPolicy};
    use genomics::sequence::Unknown;
    use genomics::systems::deep_bind::DeepBindConfig;
    use nn_core::burn::tensor::Device;
    use nn_core::data::rng;

    #[test]
    fn the_first_pooling_is_that_of_the_system() {
        let window = |system: &str| {
            first_pooling(&NetConfig::named(system).unwrap())
                .map(|ties| ties.window.map_or("all".into(), |w| w.to_string()))
        };
        assert_eq!(window("deepbind").as_deref(), Some("2"));
        assert_eq!(window("deepbind-2015").as_deref(), Some("all"));
        assert_eq!(window("basset").as_deref(), Some("3"));
        assert_eq!(window("deepmotif-cnn").as_deref(), Some("2"));
        assert_eq!(window("cnnprom").as_deref(), Some("4"));
        assert_eq!((window("deepmotif-rnn"), window("beluga")), (None, None));
    }

    #[test]
    fn a_site_that_is_there_twice_is_named() {
        let network = NetConfig::DeepBind(DeepBindConfig {
            length: 32,
            filters: 8,
            kernel: 5,
            norm: false,
            second_filters: 0,
            average: false,
            both_strands: false,
            ..DeepBindConfig::default()
        });
        let device = Device::flex();
        let model = SequenceModel {
            network: network.init(&device, &mut rng(1, &[])).unwrap(),
            card: ModelCard {
                network,
                preprocessing: Preprocessing::new(32, StrandPolicy::Given, Unknown::Zeros),
                predicts: Predicts { tasks: vec!["bound".into()], labels: Labels::Binary },
                origin: Origin::default(),
            },
        };
        let ensemble = Ensemble::new(vec![model]).unwrap();
        // No five bases occur twice in the first sequence; the second one begins anew after ten.
        let sequences: [&[u8]; 2] = [b"ACGTTGCAAGCTATAGGGTCCCAAATTCGA", b"ACGTTGCAAGACGTTGCAAGACGTTGCAAG"];
        let inputs = Inputs::new(&sequences, 32, Unknown::Zeros, &device).unwrap();
        let names = ["once", "twice"];
        assert_eq!(first(&ensemble, &inputs, &[0], &names).unwrap(), None);
        let found = first(&ensemble, &inputs, &[0, 1], &names).unwrap().unwrap();
        let numbers: Vec<usize> = found.split(' ').filter_map(|word| word.parse().ok()).collect();
        let [filter, one, other] = numbers[..] else { panic!("{found}") };
        assert!(found.starts_with("in twice filter") && filter < 8, "{found}");
        assert!(one >= 1 && other <= 30 && other > one && (other - one).is_multiple_of(10), "{found}");
    }
}
