//! The body against PyTorch and the authors' size, sums by hand, and effects against a twin that predicts every window.

use burn::tensor::TensorData;
use nn_core::data::rng;
use nn_core::train::Objective;
use rand::RngExt;

use super::*;
use crate::dataset::{Labels, SequenceSet};
use crate::genome::Genome;
use crate::locus::{Locus, Strand};
use crate::sequence::reverse_complement;
use crate::systems::golden::{filled, input, noise};
use crate::systems::parts::tests::{assert_golden, expected, losses};

pub(super) fn small() -> BelugaConfig {
    BelugaConfig {
        length: 71,
        filters: [3, 4, 5, 4, 6, 5],
        kernel: 4,
        pool: 2,
        hidden: 7,
        outputs: 3,
        dropout: [0.0; 3],
    }
}

/// Bases that the script makes as well.
fn bases(name: &str, count: usize) -> Vec<u8> {
    noise(name, count).map(|value| b"ACGT"[((value + 1.0) * 2.0) as usize]).collect()
}

#[test]
fn parameter_counts_are_those_of_the_authors_body() {
    let config = BelugaConfig::default();
    // chromatin.py: Linear(67840, 2003), Linear(2003, 2002)
    assert_eq!(config.width(), 67_840);
    assert_eq!(config.parameters(), 149_536_251);
    // and the formula is that of what is built
    for config in [small(), BelugaConfig { length: 90, kernel: 3, pool: 3, ..small() }] {
        let model = config.init(&Device::flex(), &mut rng(1, &[])).unwrap();
        assert_eq!(model.num_params(), config.parameters());
    }
}

#[test]
fn outputs_are_those_of_pytorch() {
    let model = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
    assert_golden(model.logits(input("windows", [3, 4, 71]), None), "beluga");
}

#[test]
fn marks_are_the_same_on_both_strands() {
    let model = small().init(&Device::flex(), &mut rng(2, &[])).unwrap();
    let one = bases("strands", 71);
    let other = reverse_complement(&one);
    let marks = model.chromatin(&[&one, &other]).unwrap();
    // the mean of the two; 1e-6: a sum may run in another order at another place of a batch
    assert!(marks[..3].iter().zip(&marks[3..]).all(|(a, b)| (a - b).abs() < 1e-6), "{marks:?}");
    let of = |sequence: &[u8]| -> Vec<f64> {
        let x = TensorData::new(one_hot(&[sequence], 71, Unknown::Zeros), [1, 4, 71]);
        let logits = model.logits(Tensor::from_data(x, &Device::flex()), None);
        logits.try_into_vec_as::<f64>().unwrap().into_iter().map(probability).collect()
    };
    for (mark, (own, other)) in marks.iter().zip(of(&one).iter().zip(of(&other))) {
        assert!((mark - f64::midpoint(*own, other)).abs() < 1e-6, "{mark}");
    }
}

#[test]
fn sums_by_hand() {
    let spatial = SpatialConfig::default();
    spatial.validate().unwrap();
    let offsets = spatial.offsets();
    // 200 windows, symmetric around the start
    assert_eq!((offsets.len(), offsets[0], offsets[99], offsets[100], offsets[199]), (200, -19_900, -100, 100, 19_900));
    assert_eq!(spatial.shifts(), [-800, -600, -400, -200, 0, 200, 400, 600, 800]);
    // predict.py: exp(−0.01 ⌊|d| / 200⌋) where d ≤ 0, … then the same where d ≥ 0
    let weights = spatial.weights(-450);
    let expected = [0.01, 0.02, 0.05, 0.1, 0.2].map(|rate: f64| (-rate * 2.0).exp());
    assert_eq!((&weights[..5], &weights[5..]), (&expected[..], &[0.0; 5][..]));
    assert_eq!(spatial.weights(0), [1.0; 10]);
    assert_eq!(spatial.weights(199), [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]);

    let few = SpatialConfig { decays: vec![2.0_f64.ln()], ..spatial };
    // two marks of windows one step upstream, at the start, and two steps downstream
    let sums = few.features(&[4.0, 8.0, 1.0, 3.0, 40.0, 80.0], &[-200, 0, 500]);
    for (found, expected) in sums.iter().zip([2.0 + 1.0, 4.0 + 3.0, 1.0 + 10.0, 3.0 + 20.0]) {
        assert!((found - expected).abs() < 1e-12, "{sums:?}");
    }
    let error = SpatialConfig { reach: 10, ..few }.validate().unwrap_err().to_string();
    assert_eq!(error, "reach = 10 is out of range; allowed: 200 to 1000000000");
}

fn net(body: Beluga, spatial: SpatialConfig, heads: &[Ridge]) -> Expecto {
    let (body_config, tissues) = (body.config().clone(), heads.len());
    let config = ExpectoConfig { body: body_config, spatial, tissues, ..ExpectoConfig::default() };
    config.init(body, &Expecto::lines(heads), &Device::flex()).unwrap()
}

fn tiny() -> (Beluga, SpatialConfig, Ridge) {
    let body = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
    let spatial = SpatialConfig { step: 5, reach: 20, decays: vec![0.1, 0.4], shift: 12 };
    let weights = (0..4 * 3).map(|place| f64::from(place * 7 % 5) - 2.0).collect();
    (body, spatial, Ridge { weights, intercept: 0.5 })
}

#[test]
fn effects_are_differences_of_predictions_window_by_window() {
    let (body, spatial, head) = tiny();
    let model = net(body.clone(), spatial, std::slice::from_ref(&head));
    let reference = bases("reference", 101);
    for (at, (strand, distance)) in [(Strand::Forward, -7), (Strand::Reverse, 3)].into_iter().enumerate() {
        let mut alternative = reference.clone();
        for base in &mut alternative[35..66] {
            *base = match *base {
                b'A' => b'C',
                b'C' => b'A',
                b'G' => b'T',
                _ => b'G',
            };
        }
        let alleles = Alleles { reference: reference.clone(), alternative, distance, strand };
        let found = model.effects(std::slice::from_ref(&alleles)).unwrap()[0];
        let mut twin = 0.0;
        for shift in [-10_i64, -5, 0, 5, 10] {
            // windows of 71 whose base 35 is `shift` behind base 50
            let cut = |sequence: &[u8]| sequence[(50 + shift - 35) as usize..][..71].to_vec();
            let marks = body.chromatin(&[&cut(&alleles.reference), &cut(&alleles.alternative)]).unwrap();
            let from_start = if strand == Strand::Forward { distance + shift } else { distance - shift };
            for (side, upstream) in [true, false].into_iter().enumerate() {
                if (upstream && from_start > 0) || (!upstream && from_start < 0) {
                    continue;
                }
                for (place, decay) in [0.1, 0.4].into_iter().enumerate() {
                    let weight = f64::exp(-decay * f64::from((from_start.abs() / 5) as i32));
                    for mark in 0..3 {
                        twin += head.weights[(side * 2 + place) * 3 + mark] * weight * (marks[3 + mark] - marks[mark]);
                    }
                }
            }
        }
        // probabilities in single precision, times some ten weights of 2 and below
        assert!((found - twin).abs() < 1e-5, "{found} instead of {twin}");
        let golden = expected("expecto.effects")[at];
        assert!((found - golden).abs() < 1e-5 && golden.abs() > 1e-3, "{found} instead of {golden}");
        // the other way round it has the opposite effect, and no variant has none
        let back =
            Alleles { reference: alleles.alternative.clone(), alternative: reference.clone(), ..alleles.clone() };
        let none = Alleles { alternative: reference.clone(), ..alleles };
        let other = model.effects(&[back, none]).unwrap();
        assert!((other[0] + found).abs() < 1e-5 && other[1].abs() < 1e-5, "{other:?}");
    }
}

#[test]
fn expression_reads_genes_in_the_direction_of_their_strands() {
    let (body, spatial, head) = tiny();
    let sequence = bases("contig", 400);
    let turned = Genome::from_contigs([("c".to_owned(), reverse_complement(&sequence))]).unwrap();
    let genome = Genome::from_contigs([("c".to_owned(), sequence)]).unwrap();
    let features = |genome: &Genome, gene: Locus| Expecto::features(&body, &spatial, genome, &[gene]).unwrap();
    let gene = Locus::new("c", 150, 260).unwrap();
    // the same gene on the other strand of the turned genome; windows of odd length keep their middle
    let there = Locus::new("c", 400 - 260, 400 - 150).unwrap().on(Strand::Reverse);
    let (one, other) = (features(&genome, gene.clone()), features(&turned, there));
    assert_eq!(one.len(), 4 * 3);
    for (one, other) in one.iter().zip(&other) {
        assert!((one - other).abs() < 1e-6, "{one} {other}");
    }
    assert_ne!(one, features(&genome, gene.clone().on(Strand::Reverse)));
    // a second tissue has twice the weights and another intercept
    let twice = Ridge { weights: head.weights.iter().map(|weight| 2.0 * weight).collect(), intercept: -1.0 };
    let model = net(body.clone(), spatial.clone(), &[head.clone(), twice]);
    let sums = one.iter().map(|&sum| sum as f32).collect();
    let found = model.predict(sums).try_into_vec_as::<f64>().unwrap();
    let line = one.iter().zip(&head.weights).map(|(sum, weight)| sum * weight).sum::<f64>();
    // single precision of twelve products of about 2
    assert!((found[0] - (0.5 + line)).abs() < 1e-4 && (found[1] - (2.0 * line - 1.0)).abs() < 1e-4, "{found:?}");
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let (body, spatial, head) = tiny();
    let config = ExpectoConfig { body: small(), spatial: spatial.clone(), tissues: 1, ..ExpectoConfig::default() };
    let error = config.init(body.clone(), &[0.0; 4], &Device::flex()).unwrap_err().to_string();
    assert!(error.starts_with("the linear step has 4 weights; 13 are due, for 12 sums"), "{error}");
    let other = ExpectoConfig { body: BelugaConfig { hidden: 8, ..small() }, ..config };
    let error = other.init(body.clone(), &[], &Device::flex()).unwrap_err().to_string();
    assert_eq!(error, "the body has other sizes than the settings say");
    let model = net(body, spatial, &[head]);
    assert_eq!(model.span(), 91);
    let (reference, alternative) = (bases("reference", 91), bases("reference", 90));
    let error = model.effects(&[Alleles { reference, alternative, distance: 0, strand: Strand::Forward }]).unwrap_err();
    let expected = "variant 1: the alternative window has 90 bases; 91 are due, with the variant in the middle";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn marks_of_windows_are_learnt_by_heart() {
    let mut rng = rng(6, &[]);
    let rows = 8;
    let mut targets: Vec<f32> = (0..rows * 3).map(|_| f32::from(u8::from(rng.random::<bool>()))).collect();
    targets[4] = f32::NAN;
    let set = SequenceSet {
        names: (0..rows).map(|row| row.to_string()).collect(),
        sequences: (0..rows).map(|row| bases(&format!("row {row}"), 71)).collect(),
        loci: vec![None; rows],
        tasks: ["a", "b", "c"].map(str::to_owned).to_vec(),
        labels: Labels::Binary,
        targets,
        groups: None,
    };
    let config = BelugaConfig { filters: [16; 6], hidden: 32, ..small() };
    let device = Device::flex().autodiff();
    let all: Vec<usize> = (0..rows).collect();
    let objective = BelugaObjective::new(&set, &config, all.clone(), &device).unwrap();
    let model = config.init(&device, &mut nn_core::data::rng(2, &[])).unwrap();
    assert!(objective.validate(&model.valid()).unwrap().iter().all(|(_, value)| value.is_finite()));
    let [first, last] = losses(objective, model, &all, 600, 3e-3);
    assert!(last < 0.05 * first, "{first} {last}");
    let error = BelugaObjective::new(&set, &BelugaConfig { outputs: 2, ..config }, all, &device).unwrap_err();
    assert!(error.to_string().starts_with("3 tasks of Binary labels"), "{error}");
}
