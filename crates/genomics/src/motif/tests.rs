//! Motifs against counting by hand, enumeration of all windows, and brute force.

use burn::tensor::activation::relu;
use burn::tensor::module::conv1d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};
use nn_core::data::rng;
use rand::RngExt;

use super::*;
use crate::locus::Strand;
use crate::sequence::reverse_complement;

/// Rounding of sums of some hundred products near 1.
const EXACT: f64 = 1e-12;

/// A motif of random probabilities.
fn random(width: usize, seed: u64) -> Motif {
    let rng = &mut rng(seed, &[]);
    let column = |_| {
        let raw: Column = std::array::from_fn(|_| rng.random::<f64>().powi(3) + 0.01);
        let sum: f64 = raw.iter().sum();
        raw.map(|value| value / sum)
    };
    Motif::new(format!("m{seed}"), (0..width).map(column).collect()).unwrap()
}

/// Random bases with an N here and there.
fn bases(length: usize, seed: u64) -> Vec<u8> {
    let rng = &mut rng(seed, &[]);
    (0..length).map(|_| if rng.random_bool(0.01) { b'N' } else { ALPHABET[rng.random_range(0..4)] }).collect()
}

#[test]
fn numbers_that_are_no_motif_are_refused() {
    let message = |columns: Vec<Column>| Motif::new("m", columns).unwrap_err().to_string();
    assert_eq!(message(vec![]), "motif m has no positions");
    assert_eq!(message(vec![[0.25; 4], [0.5; 4]]), "motif m, position 2: the probabilities sum to 2, not to 1");
    assert_eq!(message(vec![[1.5, -0.5, 0.0, 0.0]]), "motif m, position 1: -0.5 is no probability");
    assert_eq!(message(vec![[f64::NAN; 4]]), "motif m, position 1: NaN is no probability");
    let counted = Motif::from_counts("m", &[[1.0, -2.0, 0.0, 0.0]], 0.0).unwrap_err().to_string();
    assert_eq!(counted, "motif m, position 1: -2 is no count");
}

#[test]
fn counts_become_probabilities() {
    let motif = Motif::from_counts("m", &[[3.0, 1.0, 0.0, 0.0], [0.0; 4]], 4.0).unwrap();
    assert_eq!(motif.columns(), [[0.5, 0.25, 0.125, 0.125], UNIFORM]);
    assert_eq!(motif.sites, Some(4.0));
    let bare = Motif::from_counts("m", &[[3.0, 1.0, 0.0, 0.0], [0.0; 4]], 0.0).unwrap();
    assert_eq!(bare.columns(), [[0.75, 0.25, 0.0, 0.0], UNIFORM]);
    // −0.75 log₂ 0.75 − 0.25 log₂ 0.25 bits are missing to 2
    assert!((bare.information(&UNIFORM)[0] - 1.188_721_875_540_867).abs() < EXACT);
}

#[test]
fn ends_without_information_are_cut() {
    let weak = [0.3, 0.3, 0.2, 0.2];
    let strong = [0.97, 0.01, 0.01, 0.01];
    let motif = Motif::new("m", vec![weak, strong, weak, strong, weak, weak]).unwrap();
    assert_eq!(motif.core(0.5, &UNIFORM), 1..4);
    assert_eq!(motif.trimmed(0.5, &UNIFORM).columns(), &motif.columns()[1..4]);
    assert_eq!(motif.trimmed(0.0, &UNIFORM), motif);
    // the best position stays where none is good enough
    let flat = Motif::new("m", vec![UNIFORM, weak, UNIFORM]).unwrap();
    assert_eq!(flat.core(0.5, &UNIFORM), 1..2);
}

#[test]
fn letters_of_a_consensus() {
    let of = |column: Column| Motif::new("m", vec![column]).unwrap().consensus();
    for (column, letter) in [
        ([0.6, 0.2, 0.1, 0.1], "A"),
        ([0.55, 0.35, 0.05, 0.05], "M"),
        ([0.05, 0.05, 0.4, 0.5], "K"),
        ([0.4, 0.3, 0.2, 0.1], "N"),
        (UNIFORM, "N"),
    ] {
        assert_eq!(of(column), letter, "{column:?}");
    }
}

#[test]
fn the_other_strand_of_the_other_strand() {
    let motif = random(7, 3);
    assert_eq!(motif.reverse_complement().reverse_complement(), motif);
    let flat = |motif: &Motif| motif.columns().concat();
    let mut other = flat(&motif.reverse_complement());
    other.reverse();
    assert_eq!(other, flat(&motif));
}

/// Adjusted p-values by their definition: over all thresholds that reject it, the least estimate of the false share.
#[test]
fn false_discovery_rates_by_definition() {
    let rng = &mut rng(8, &[]);
    for round in 0..20 {
        // some are equal
        let p_values: Vec<f64> = (0..30).map(|_| f64::from(rng.random_range(1..=40_u32)) / 40.0).collect();
        let tests = 30 + round;
        for (p, q) in p_values.iter().zip(benjamini_hochberg(&p_values, tests)) {
            let share = |limit: f64| limit * tests as f64 / p_values.iter().filter(|p| **p <= limit).count() as f64;
            let expected = p_values.iter().filter(|limit| *limit >= p).map(|limit| share(*limit)).fold(1.0, f64::min);
            assert!((q - expected).abs() < EXACT, "{p}: {q}, not {expected}");
        }
    }
    assert!(benjamini_hochberg(&[], 5).is_empty());
}

#[test]
fn p_values_are_those_of_all_windows() {
    let (width, background) = (6, [0.3, 0.2, 0.1, 0.4]);
    let motif = random(width, 5);
    let (pseudocount, step) = (0.1, 0.01);
    let pssm = Pssm::new(&motif, &background, pseudocount, step).unwrap();
    // motifs that do not say how many sites they stand on have 20
    let score = |place: usize, base: usize| {
        let smoothed = (20.0 * motif.columns()[place][base] + pseudocount * background[base]) / 20.1;
        ((smoothed / background[base]).log2() / step).round()
    };
    let windows: Vec<(f64, f64)> = (0..4_usize.pow(width as u32))
        .map(|number| {
            let window = (0..width).map(|place| (number >> (2 * place)) & 3);
            window
                .enumerate()
                .fold((0.0, 1.0), |(sum, chance), (place, base)| (sum + score(place, base), chance * background[base]))
        })
        .collect();
    for &(limit, _) in windows.iter().step_by(37) {
        let expected: f64 = windows.iter().filter(|(sum, _)| *sum >= limit).map(|(_, chance)| chance).sum();
        let found = pssm.p_value(limit * step);
        assert!((found - expected).abs() < EXACT, "{limit}: {found}, not {expected}");
        let threshold = pssm.threshold(found * (1.0 + 1e-9)).unwrap();
        assert!((threshold - limit * step).abs() < 1e-9 || pssm.p_value(threshold) == found, "{threshold} {limit}");
    }
    let best = windows.iter().map(|(sum, _)| *sum).fold(f64::NEG_INFINITY, f64::max);
    assert!((pssm.highest() - best * step).abs() < 1e-9);
    assert_eq!((pssm.p_value(-1e3), pssm.p_value(1e3)), (1.0, 0.0));
}

/// The score of one window as a strand reads it.
fn score(pssm: &Pssm, window: &[u8], strand: Strand) -> f64 {
    let read = if strand == Strand::Forward { window.to_vec() } else { reverse_complement(window) };
    pssm.bits(pssm.windows(&codes(&read)).next().unwrap()[0])
}

#[test]
fn hits_are_those_of_a_plain_search() {
    let motifs = [random(5, 11), random(9, 12)];
    let sequences: Vec<Vec<u8>> = (0..8).map(|seed| bases(40 * seed, seed as u64)).collect();
    let sequences: Vec<&[u8]> = sequences.iter().map(Vec::as_slice).collect();
    let background = background(&sequences);
    let config = ScanConfig { p_value: 0.01, ..ScanConfig::default() };
    let hits = config.scan(&motifs, &sequences, &background).unwrap();
    let mut expected = Vec::new();
    for (number, motif) in motifs.iter().enumerate() {
        let pssm = Pssm::new(motif, &background, config.pseudocount, config.step).unwrap();
        for (row, sequence) in sequences.iter().enumerate() {
            for (start, window) in sequence.windows(motif.width()).enumerate() {
                if window.contains(&b'N') {
                    continue;
                }
                for strand in [Strand::Forward, Strand::Reverse] {
                    let score = score(&pssm, window, strand);
                    if pssm.p_value(score) <= config.p_value {
                        expected.push((number, row, start, strand, score));
                    }
                }
            }
        }
    }
    let found: Vec<_> = hits.iter().map(|hit| (hit.motif, hit.sequence, hit.start, hit.strand, hit.score)).collect();
    assert_eq!(found, expected);
    assert!(found.len() > 20, "{}", found.len());
    let forward = ScanConfig { both_strands: false, ..config }.scan(&motifs, &sequences, &background).unwrap();
    assert_eq!(forward.len(), hits.iter().filter(|hit| hit.strand == Strand::Forward).count());
    for hit in &hits {
        assert_eq!(hit.end, hit.start + motifs[hit.motif].width());
        assert!(hit.q_value >= hit.p_value && hit.q_value <= 1.0);
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    let motif = random(3, 1);
    let message = |error: MotifError| error.to_string();
    let scan = ScanConfig { step: 0.0, ..ScanConfig::default() };
    assert!(message(scan.scan(&[], &[], &UNIFORM).unwrap_err()).starts_with("step = 0 is out of range"));
    let background = [0.5, 0.5, 0.0, 0.0];
    assert!(
        message(Pssm::new(&motif, &background, 0.1, 0.01).unwrap_err()).contains("background [0.5, 0.5, 0.0, 0.0]")
    );
    let seqlets = SeqletConfig { core: 0, ..SeqletConfig::default() };
    assert!(message(seqlets.find(&[]).unwrap_err()).starts_with("core = 0"));
    let found = SeqletConfig::default().find(&[vec![0.0; 20], vec![0.0, f64::NAN]]).unwrap_err();
    assert_eq!(message(found), "sequence 1: the score of base 2 is NaN, not a finite number");
    assert!(message(MotifDatabase::new(vec![], CompareConfig::default()).unwrap_err()).contains("is empty"));
}

/// Filters of one position: 1 for A and 3 for C, 2 for G, and one that nothing activates.
fn bank() -> FilterBank {
    let weights = vec![1.0_f32, 3.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0, -1.0, -1.0, -1.0, -1.0];
    let weights = Tensor::<3>::from_data(TensorData::new(weights, [3, 4, 1]), &Device::flex());
    FilterBank::new(&weights, None).unwrap()
}

#[test]
fn a_filter_counts_what_activates_it_more_than_half() {
    let config = FilterConfig { least_sites: 1, pseudocount: 0.0, trim_bits: 0.0, ..FilterConfig::default() };
    let sequences: [&[u8]; 3] = [b"AACCGNTT", b"CAG", b""];
    let found = config.motifs(&bank(), &sequences).unwrap();
    // the first filter's maximum is 3, and of its 1 for A and 3 for C only the latter is above 1.5
    assert_eq!((found[0].highest, found[0].sites), (3.0, 3));
    assert_eq!(found[0].motif.as_ref().unwrap().columns(), [[0.0, 1.0, 0.0, 0.0]]);
    assert_eq!((found[1].highest, found[1].sites), (2.0, 2));
    assert_eq!((found[2].highest, found[2].sites, &found[2].motif), (0.0, 0, &None));
    // with a share of 0.3 the As count as well
    let found = FilterConfig { share: 0.3, ..config.clone() }.motifs(&bank(), &sequences).unwrap();
    assert_eq!(found[0].motif.as_ref().unwrap().columns(), [[0.5, 0.5, 0.0, 0.0]]);
    assert_eq!(found[0].motif.as_ref().unwrap().sites, Some(6.0));
    // too few sites make no motif, but are counted
    let found = FilterConfig { least_sites: 4, ..config.clone() }.motifs(&bank(), &sequences).unwrap();
    assert_eq!((found[0].sites, &found[0].motif), (3, &None));
    // batch normalisation that turns the sign round: what had least has most
    let turned = bank().scaled(&[-1.0, 1.0, 1.0], &[1.5, 0.0, 0.0]).unwrap();
    let found = config.motifs(&turned, &sequences).unwrap();
    assert_eq!((found[0].highest, found[0].sites), (1.5, 4), "G and T, but not A with 0.5");
    assert_eq!(bank().filter(1), [[0.0, 0.0, 2.0, 0.0]]);
    // on both strands each G is a C as well
    let both = FilterConfig { both_strands: true, ..config };
    assert_eq!(both.motifs(&bank(), &sequences).unwrap()[0].sites, 5);
}

#[test]
fn maps_of_a_layer_say_what_its_filters_say() {
    let rng = &mut rng(14, &[]);
    let weights: Vec<f32> = (0..5 * 4 * 6).map(|_| rng.random_range(-1.0..1.0)).collect();
    let bias: Vec<f32> = (0..5).map(|_| rng.random_range(-0.5..0.5)).collect();
    let device = Device::flex();
    let weights = Tensor::<3>::from_data(TensorData::new(weights, [5, 4, 6]), &device);
    let bias = Tensor::<1>::from_data(TensorData::new(bias, [5]), &device);
    let sequences: Vec<Vec<u8>> = (0..300).map(|seed| bases(20 + seed as usize % 15, seed)).collect();
    let sequences: Vec<&[u8]> = sequences.iter().map(Vec::as_slice).collect();
    let config = FilterConfig { both_strands: true, share: 0.6, ..FilterConfig::default() };
    let bank = FilterBank::new(&weights, Some(&bias)).unwrap();
    let maps = |x: Tensor<3>| {
        let options = ConvOptions::new([1], [0], [1], 1);
        relu(conv1d(x, weights.clone(), Some(bias.clone()), options))
    };
    let expected = config.motifs(&bank, &sequences).unwrap();
    let found = config.motifs_of(&maps, 6, &sequences, &device).unwrap();
    assert_eq!(found.len(), 5);
    for (found, expected) in found.iter().zip(&expected) {
        // sums of seven numbers near 1 in another order; none of the windows lies at the threshold
        assert!((found.highest - expected.highest).abs() < 1e-5, "{} {}", found.highest, expected.highest);
        assert_eq!((found.sites, &found.motif), (expected.sites, &expected.motif));
    }
    let message = config.motifs_of(&maps, 7, &sequences, &device).unwrap_err().to_string();
    assert!(message.ends_with("expected 256 rows, filters, and 28 windows of 7 bases"), "{message}");
}

#[test]
fn filters_of_another_shape_are_refused() {
    let weights = Tensor::<3>::zeros([3, 5, 2], &Device::flex());
    let message = FilterBank::new(&weights, None).unwrap_err().to_string();
    assert_eq!(
        message,
        "the weight of the filters has shape [3, 5, 2]; expected filters, 4 channels and a width, none of them 0"
    );
    let weights = Tensor::<3>::zeros([3, 4, 2], &Device::flex());
    let message = FilterBank::new(&weights, Some(&Tensor::zeros([4], &Device::flex()))).unwrap_err().to_string();
    assert_eq!(message, "the bias of the filters has shape [4]; expected one number for each of 3 filters");
    assert!(bank().scaled(&[1.0], &[0.0; 3]).is_err());
}

#[test]
fn noise_has_no_seqlets_and_planted_stretches_are_all_found() {
    let rng = &mut rng(21, &[]);
    let mut scores: Vec<Vec<f64>> = (0..100).map(|_| (0..80).map(|_| rng.random_range(-1.0..1.0)).collect()).collect();
    let config = SeqletConfig::default();
    // of 7300 windows of noise at a false discovery rate of 5 % a handful at most
    assert!(config.find(&scores).unwrap().len() <= 3);
    for (row, scores) in scores.iter_mut().enumerate() {
        let sign = if row % 2 == 0 { 2.5 } else { -2.5 };
        scores[30..38].iter_mut().for_each(|score| *score += sign);
    }
    let found = config.find(&scores).unwrap();
    for (row, positive) in (0..100).map(|row| (row, row % 2 == 0)) {
        let best = found.iter().find(|seqlet| seqlet.sequence == row).unwrap();
        assert!(best.core.start.abs_diff(30) <= 2 && (best.score > 0.0) == positive, "{best:?}");
        assert_eq!(best.span, best.core.start - 4..best.core.end + 4);
        assert!(best.q_value <= 0.05 && best.p_value <= best.q_value);
    }
    let again = config.find(&scores).unwrap();
    assert_eq!(found, again);
    // at the ends a seqlet is cut, and a short sequence has none
    scores.iter_mut().for_each(|scores| scores.rotate_left(30));
    scores[1].truncate(7);
    let found = config.find(&scores).unwrap();
    let first = found.iter().find(|seqlet| seqlet.sequence == 0).unwrap();
    assert!(first.core.start <= 2 && first.span == (0..first.core.end + 4), "{first:?}");
    assert!(found.iter().all(|seqlet| seqlet.sequence != 1));
}
