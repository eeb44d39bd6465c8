//! Nearest neighbours among the drugs measured on the same target.

use rayon::prelude::*;

use super::bias::Biases;
use super::{BaselineError, check};
use crate::split::drugs_read;
use crate::table::AffinityTable;

/// Power of the similarity that weights a neighbour: high enough that the many drugs at Tanimoto 0.1, alike in nothing, do
/// not outvote the few at 0.5.
pub const POWER: i32 = 3;

/// For each query, the mean of the labels that the training drugs have on the same target, weighted by the cube of their
/// Tanimoto similarity (ECFP4, 2,048 bits) to the query's drug. Where that has no weight, because the target is not in
/// training, the SMILES cannot be read or no drug shares a bit, the [bias](super::bias()) model answers.
///
/// # Errors
/// [`BaselineError`] when `train` has no rows or a row does not exist.
pub fn tanimoto_knn(table: &AffinityTable, train: &[usize], query: &[usize]) -> Result<Vec<f64>, BaselineError> {
    check(table, train, query)?;
    let biases = Biases::fit(table, train);
    let (_, fingerprints) = drugs_read(table);

    let mut measured = vec![Vec::new(); table.targets.len()];
    let mut in_training = vec![false; table.drugs.len()];
    for &row in train {
        let pair = &table.pairs[row];
        measured[pair.target as usize].push((pair.drug as usize, f64::from(pair.value)));
        in_training[pair.drug as usize] = true;
    }
    // Rows of one drug share their similarities.
    let mut of_drug = vec![Vec::new(); table.drugs.len()];
    for (place, &row) in query.iter().enumerate() {
        of_drug[table.pairs[row].drug as usize].push(place);
    }
    let asked: Vec<usize> = (0..of_drug.len()).filter(|&drug| !of_drug[drug].is_empty()).collect();

    let answers: Vec<Vec<(usize, f64)>> = asked
        .into_par_iter()
        .map(|drug| {
            let weight = |other: usize| match (&fingerprints[drug], &fingerprints[other]) {
                (Some(own), Some(fingerprint)) if in_training[other] => own.tanimoto(fingerprint).powi(POWER),
                _ => 0.0,
            };
            let weights: Vec<f64> = (0..table.drugs.len()).map(weight).collect();
            let answer = |&place: &usize| {
                let pair = &table.pairs[query[place]];
                let (mut sum, mut total) = (0.0, 0.0);
                for &(other, value) in &measured[pair.target as usize] {
                    sum += weights[other] * value;
                    total += weights[other];
                }
                (place, if total > 0.0 { sum / total } else { biases.predict(pair) })
            };
            of_drug[drug].iter().map(answer).collect()
        })
        .collect();

    let mut predicted = vec![0.0; query.len()];
    for (place, value) in answers.into_iter().flatten() {
        predicted[place] = value;
    }
    Ok(predicted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baselines::bias;
    use crate::chem::Molecule;
    use crate::table::{Drug, Pair, Quantity, Target};

    const SMILES: [&str; 5] = ["CCO", "CCCO", "Oc1ccccc1", "C1CC(", "CCCCO"];

    fn table(rows: &[(u32, u32, f32)]) -> AffinityTable {
        AffinityTable {
            drugs: SMILES.map(|smiles| Drug { id: smiles.to_owned(), smiles: smiles.to_owned() }).into(),
            targets: ["M", "K", "V"].map(|s| Target { id: s.to_owned(), sequence: s.to_owned() }).into(),
            pairs: rows.iter().map(|&(drug, target, value)| Pair { drug, target, value }).collect(),
            quantity: Quantity::Pkd,
        }
    }

    #[test]
    fn neighbours_weigh_by_the_cube_of_their_similarity() {
        // Butanol is asked on target 0, where ethanol, propanol and phenol are known; target 1 must not matter.
        let table = table(&[(0, 0, 5.0), (1, 0, 6.0), (2, 0, 9.0), (1, 1, 100.0), (4, 0, 0.0)]);
        let print = |drug: usize| Molecule::parse(SMILES[drug]).unwrap().ecfp4();
        let weight = |drug: usize| print(4).tanimoto(&print(drug)).powi(3);
        let total = weight(0) + weight(1) + weight(2);
        let expected = (weight(0) * 5.0 + weight(1) * 6.0 + weight(2) * 9.0) / total;
        let predicted = tanimoto_knn(&table, &[0, 1, 2, 3], &[4]).unwrap();
        assert!((predicted[0] - expected).abs() < 1e-12);
        assert!(predicted[0] > 5.0 && predicted[0] < 6.5, "propanol is the nearest: {predicted:?}");
    }

    #[test]
    fn without_neighbours_the_biases_answer() {
        let table = table(&[(0, 0, 5.0), (3, 1, 7.0), (3, 0, 0.0), (0, 1, 0.0), (0, 2, 0.0), (1, 0, 0.0)]);
        let (train, query) = ([0, 1], [2, 3, 4, 5]);
        let predicted = tanimoto_knn(&table, &train, &query).unwrap();
        let additive = bias(&table, &train, &query).unwrap();
        // The unreadable drug asked; only the unreadable drug known; nothing known; ethanol known for propanol.
        assert_eq!(predicted[..3], additive[..3]);
        assert!((predicted[3] - 5.0).abs() < 1e-12);
    }
}
