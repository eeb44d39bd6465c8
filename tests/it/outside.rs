//! The public API as another crate uses it.

use drug::explain::occlude_residues;
use drug::synthetic::{Class, MOTIFS, SyntheticConfig, affinity_table, interaction};
use nn_core::metrics::{auroc, concordance_index, mse};
use std::convert::Infallible;

/// A model that reads the text of both inputs, written here with the public parts only.
fn reads_both(smiles: &str, sequence: &[u8]) -> f64 {
    let Some(class) = Class::of(smiles) else { return 0.0 };
    let present = |motif: &str| sequence.windows(motif.len()).any(|window| window == motif.as_bytes());
    (0..MOTIFS.len()).filter(|&motif| present(MOTIFS[motif])).map(|motif| interaction(class, motif)).sum()
}

#[test]
fn generated_affinities_follow_what_both_strings_say_and_not_the_target_alone() {
    let (table, _) = affinity_table(&SyntheticConfig { drugs: 60, targets: 48, ..SyntheticConfig::default() }).unwrap();
    let rows: Vec<usize> = (0..table.pairs.len()).collect();
    let measured = table.values(&rows);
    let both: Vec<f64> = table
        .pairs
        .iter()
        .map(|pair| {
            let (drug, target) = (&table.drugs[pair.drug as usize], &table.targets[pair.target as usize]);
            reads_both(&drug.smiles, target.sequence.as_bytes())
        })
        .collect();
    // The mean of a target over all drugs: the best that an id-only model can say of a new drug.
    let targets = table.targets.len();
    let means: Vec<f64> = (0..targets)
        .map(|t| measured.iter().skip(t).step_by(targets).sum::<f64>() / table.drugs.len() as f64)
        .collect();
    let by_target: Vec<f64> = table.pairs.iter().map(|pair| means[pair.target as usize]).collect();
    let overall = vec![measured.iter().sum::<f64>() / measured.len() as f64; measured.len()];

    assert!(concordance_index(&measured, &both).unwrap() > 0.75);
    assert!(concordance_index(&measured, &by_target).unwrap() < 0.65);
    assert!(mse(&measured, &by_target).unwrap() > 0.8 * mse(&measured, &overall).unwrap());
}

#[test]
fn occlusion_of_any_scorer_points_at_the_residues_it_reads() {
    let (table, truth) =
        affinity_table(&SyntheticConfig { drugs: 4, targets: 8, ..SyntheticConfig::default() }).unwrap();
    for (target, planted) in table.targets.iter().zip(&truth.motifs) {
        let score = |inputs: &[Vec<u8>]| {
            let present = |ids: &Vec<u8>| {
                MOTIFS.iter().filter(|motif| ids.windows(motif.len()).any(|window| window == motif.as_bytes())).count()
                    as f64
            };
            Ok::<_, Infallible>(inputs.iter().map(present).collect())
        };
        let effects = occlude_residues(target.sequence.as_bytes(), 1, b'X', score).unwrap();
        let labels: Vec<bool> = (0..effects.len()).map(|i| planted.iter().any(|p| p.span.contains(&i))).collect();
        assert_eq!(auroc(&labels, &effects).unwrap(), 1.0, "{}", target.id);
    }
}
