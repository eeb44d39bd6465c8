//! Strands, windows, files and ensembles.

use super::*;
use crate::sequence::reverse_complement;
use crate::systems::deep_bind::DeepBindConfig;

/// A fresh network of few filters that reads `window` bases and predicts two tasks.
pub(crate) fn fresh(seed: u64, window: usize, strands: StrandPolicy) -> SequenceModel {
    let config = DeepBindConfig {
        length: window,
        outputs: 2,
        filters: 6,
        kernel: 5,
        second_filters: 4,
        second_kernel: 3,
        hidden: 5,
        both_strands: strands == StrandPolicy::Network,
        ..DeepBindConfig::default()
    };
    let network = NetConfig::DeepBind(config);
    let card = ModelCard {
        preprocessing: Preprocessing::new(window, strands, Unknown::Zeros),
        predicts: Predicts { tasks: vec!["a".into(), "b".into()], labels: Labels::Binary },
        origin: Origin::default(),
        network: network.clone(),
    };
    SequenceModel { network: network.init(&Device::flex(), &mut rng(seed, &[])).unwrap().valid(), card }
}

const SEQUENCES: [&[u8]; 3] = [b"ACGTTGCAAGGCTATTACGA", b"TTTTTTTTTTACGNNNACGT", b"GGGACCCATTAGACATTACA"];

/// The largest difference of two lists of numbers.
fn apart(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn a_reverse_complement_is_the_same_where_both_strands_count() {
    let reversed: Vec<Vec<u8>> = SEQUENCES.iter().map(|sequence| reverse_complement(sequence)).collect();
    let reversed: Vec<&[u8]> = reversed.iter().map(Vec::as_slice).collect();
    for (strands, same) in [
        (StrandPolicy::Given, false),
        (StrandPolicy::Augment, false),
        (StrandPolicy::Average, true),
        (StrandPolicy::Network, true),
    ] {
        let model = fresh(1, 20, strands);
        let difference = apart(&model.logits(&SEQUENCES).unwrap(), &model.logits(&reversed).unwrap());
        // 1e-6: sums of a few dozen products in single precision
        assert_eq!(difference < 1e-6, same, "{strands:?}: {difference}");
    }
}

#[test]
fn the_mean_over_strands_is_the_mean_of_the_two() {
    let averaged = fresh(1, 20, StrandPolicy::Average);
    let mut given = averaged.clone();
    given.card.preprocessing.strands = StrandPolicy::Given;
    let reversed: Vec<Vec<u8>> = SEQUENCES.iter().map(|sequence| reverse_complement(sequence)).collect();
    let reversed: Vec<&[u8]> = reversed.iter().map(Vec::as_slice).collect();
    let (a, b) = (given.logits(&SEQUENCES).unwrap(), given.logits(&reversed).unwrap());
    let expected: Vec<f64> = a.iter().zip(&b).map(|(a, b)| f64::midpoint(*a, *b)).collect();
    assert!(apart(&averaged.logits(&SEQUENCES).unwrap(), &expected) < 1e-6);
}

#[test]
fn longer_sequences_are_cropped_around_their_middle_and_shorter_ones_padded() {
    let preprocessing = Preprocessing::new(4, StrandPolicy::Given, Unknown::Quarter);
    assert_eq!(preprocessing.window_of(b"AACCGGT"), b"ACCG");
    assert_eq!(preprocessing.window_of(b"AC"), b"AC");
    let x = preprocessing.encode(&[b"AC"], &Device::flex()).try_into_vec_as::<f32>().unwrap();
    // channels A, C, G, T of four places, the outer two unknown
    assert_eq!(x[..8], [0.25, 1.0, 0.0, 0.25, 0.25, 0.0, 1.0, 0.25]);
    let model = fresh(1, 20, StrandPolicy::Given);
    let long = [b"CC".as_slice(), SEQUENCES[0], b"TT"].concat();
    assert_eq!(model.logits(&[&long]).unwrap(), model.logits(&SEQUENCES[..1]).unwrap());
    assert!(model.logits(&[]).unwrap().is_empty());
}

#[test]
fn an_ensemble_is_the_mean_of_its_members_on_every_way() {
    let models = vec![fresh(1, 20, StrandPolicy::Average), fresh(2, 20, StrandPolicy::Average)];
    let alone: Vec<Vec<f64>> = models.iter().map(|model| model.logits(&SEQUENCES).unwrap()).collect();
    let expected: Vec<f64> = alone[0].iter().zip(&alone[1]).map(|(a, b)| f64::midpoint(*a, *b)).collect();
    let ensemble = Ensemble::new(models).unwrap();
    assert_eq!(ensemble.logits(&SEQUENCES).unwrap(), expected);
    let x = ensemble.card().preprocessing.encode(&SEQUENCES, &Device::flex());
    assert!(apart(&ensemble.logits_of(&x).unwrap(), &expected) < 1e-6);
    assert!(apart(&numbers(ensemble.forward(x.clone())).unwrap(), &expected) < 1e-6);
    let rescaled = ensemble.rescaled(&x, &nn_core::explain::Rescale::off()).unwrap();
    assert!(apart(&numbers(rescaled).unwrap(), &expected) < 1e-6);
    assert_eq!(ensemble.shown(&[0.0, f64::INFINITY]), [0.5, 1.0]);
}

#[test]
fn classes_become_probabilities_that_sum_to_one() {
    let classes = Labels::Classes(["a", "b"].map(String::from).to_vec());
    let found = shown(&classes, &[0.0, 3.0_f64.ln(), 1.0, 1.0]);
    for (found, expected) in found.iter().zip([0.25, 0.75, 0.5, 0.5]) {
        assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
    }
    assert_eq!(shown(&Labels::Values, &[-3.0, 7.0]), [-3.0, 7.0]);
}

#[test]
fn nothing_and_a_mixture_are_refused() {
    assert!(matches!(Ensemble::new(Vec::new()), Err(ModelError::Empty)));
    let error =
        |other: SequenceModel| Ensemble::new(vec![fresh(1, 20, StrandPolicy::Given), other]).err().unwrap().to_string();
    let mut other = fresh(2, 20, StrandPolicy::Given);
    other.card.predicts.tasks[1] = "c".into();
    assert_eq!(
        error(other),
        "model 1 and model 2 do not belong together: what they predict is a, b (yes or no) in one and a, c (yes or no) in \
         the other"
    );
    assert!(error(fresh(2, 20, StrandPolicy::Average)).contains("how they read sequences"));
    assert!(error(fresh(2, 24, StrandPolicy::Given)).contains("how they read sequences"));
}

#[test]
fn a_model_comes_back_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let model = fresh(1, 20, StrandPolicy::Average);
    model.save(&path).unwrap();
    let again = SequenceModel::load(&path, &Device::flex()).unwrap();
    assert_eq!(again.card, model.card);
    assert_eq!(again.logits(&SEQUENCES).unwrap(), model.logits(&SEQUENCES).unwrap());
    assert_eq!(Ensemble::load(folder.path(), &Device::flex()).unwrap().models().len(), 1);
    let absent = Ensemble::load(&folder.path().join("none"), &Device::flex()).err().unwrap();
    assert!(matches!(absent, ModelError::Absent(_)), "{absent}");
}

#[test]
fn a_card_that_contradicts_itself_or_this_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let refused = |change: fn(&mut ModelCard)| {
        let mut model = fresh(1, 20, StrandPolicy::Given);
        change(&mut model.card);
        model.save(&path).unwrap();
        SequenceModel::load(&path, &Device::flex()).err().unwrap().to_string()
    };
    let error = refused(|card| card.preprocessing.alphabet = "AGCT".into());
    assert!(error.contains("the order of the bases is AGCT, but this program's is ACGT"), "{error}");
    let error = refused(|card| card.preprocessing.window = 30);
    assert!(error.contains("the window is 30, but the network reads 20 bases"), "{error}");
    let error = refused(|card| drop(card.predicts.tasks.pop()));
    assert!(error.contains("the number of outputs is 1, but the network has 2"), "{error}");
    let error = refused(|card| card.network = card.network.clone().with_shape(3, 2));
    assert!(error.contains("length = 3") || error.contains("the window"), "{error}");
}

/// A file that was cut short anywhere, or one of another system, is an error that names it; a flipped bit in what stands
/// before the weights is an error that names it too, or changes nothing that decides their number and order.
#[test]
fn damaged_and_foreign_files_are_errors_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let model = fresh(1, 20, StrandPolicy::Average);
    model.save(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let load = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        SequenceModel::load(&path, &Device::flex())
    };
    for length in (0..header).step_by(17).chain((header..whole.len()).step_by(61)) {
        let error = load(&whole[..length]).err().unwrap_or_else(|| panic!("{length} of {} bytes", whole.len()));
        assert!(error.to_string().contains("a.safetensors"), "{length}: {error}");
    }
    for bit in (0..8 * header).step_by(7) {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        match load(&flipped) {
            Ok(found) => {
                assert_eq!(found.card.network.length(), 20);
                assert_eq!(found.network.num_params(), model.network.num_params());
            }
            Err(error) => assert!(error.to_string().contains("a.safetensors"), "bit {bit}: {error}"),
        }
    }
    let mut foreign = model.card.metadata();
    foreign.insert(store::ARCHITECTURE.to_owned(), "another-system".to_owned());
    store::save(&model.network, &foreign, &path).unwrap();
    let error = SequenceModel::load(&path, &Device::flex()).err().unwrap().to_string();
    assert!(error.contains("a.safetensors") && error.contains("another-system"), "{error}");
}
