//! Comparison against enumeration of everything that could be drawn from a small database.

use super::*;
use crate::motif::UNIFORM;

fn motif(name: &str, columns: &[Column]) -> Motif {
    Motif::new(name, columns.to_vec()).unwrap()
}

/// Three motifs of two and three positions, so that there are 16 columns on both strands.
fn small(config: CompareConfig) -> MotifDatabase {
    let motifs = vec![
        motif("a", &[[0.7, 0.1, 0.1, 0.1], [0.1, 0.5, 0.3, 0.1], [0.0, 0.0, 0.9, 0.1]]),
        motif("b", &[[0.4, 0.4, 0.1, 0.1], [0.2, 0.2, 0.0, 0.6]]),
        motif("c", &[[0.05, 0.15, 0.7, 0.1], [0.1, 0.1, 0.4, 0.4], [0.8, 0.0, 0.1, 0.1]]),
    ];
    MotifDatabase::new(motifs, config).unwrap()
}

fn query() -> Motif {
    motif("q", &[[0.6, 0.2, 0.1, 0.1], [0.1, 0.6, 0.2, 0.1], [0.1, 0.1, 0.7, 0.1]])
}

/// Steps of each position of the query against each column, and those of a position that meets nothing, made anew.
fn steps(database: &MotifDatabase, query: &Motif) -> (Vec<Vec<i64>>, i64) {
    let complete = database.config.overhang == Overhang::Median;
    let mut scores: Vec<Vec<f64>> = query
        .columns()
        .iter()
        .map(|a| database.columns.iter().map(|b| database.config.column_score.of(a, b)).collect())
        .collect();
    if complete {
        for scores in &mut scores {
            let mut sorted = scores.clone();
            sorted.sort_by(f64::total_cmp);
            let median = f64::midpoint(sorted[7], sorted[8]);
            scores.iter_mut().for_each(|score| *score -= median);
        }
    }
    let extreme = |pick: fn(f64, f64) -> f64| scores.iter().flatten().copied().reduce(pick).unwrap();
    let (low, high) = (extreme(f64::min), extreme(f64::max));
    let scale = database.config.bins as f64 / (high - low);
    let step = |score: f64| ((score - low) * scale).round() as i64;
    (scores.iter().map(|row| row.iter().map(|score| step(*score)).collect()).collect(), step(0.0))
}

/// Probability that `first..end` of the query reach `least` with columns drawn at random, by trying all of them.
fn enumerated(steps: &[Vec<i64>], first: usize, end: usize, least: i64) -> f64 {
    let mut sums = vec![0];
    for row in &steps[first..end] {
        sums = sums.iter().flat_map(|sum| row.iter().map(move |step| sum + step)).collect();
    }
    sums.iter().filter(|sum| **sum >= least).count() as f64 / sums.len() as f64
}

/// Every offset of a query of three positions: its overlap as positions of the query, and the first column it meets.
fn overlaps(width: usize, least: usize) -> Vec<(usize, usize, isize)> {
    (-2..width as isize)
        .map(|offset| ((-offset).max(0) as usize, (width as isize - offset).min(3) as usize, offset))
        .filter(|(first, end, _)| end - first >= least.min(width))
        .collect()
}

#[test]
fn p_values_are_those_of_all_that_could_be_drawn() {
    for column_score in [ColumnScore::Euclidean, ColumnScore::Pearson] {
        for (overhang, least_overlap) in [(Overhang::Median, 1), (Overhang::Ignored, 1), (Overhang::Ignored, 2)] {
            let config = CompareConfig { column_score, overhang, least_overlap, bins: 50, both_strands: true };
            let database = small(config);
            let query = query();
            let (steps, missing) = steps(&database, &query);
            let missing = if overhang == Overhang::Median { missing } else { 0 };
            for found in database.search(&query) {
                let width = database.motifs[found.target].width();
                let (mut least, mut tried) = (1.0_f64, 0);
                for strand in [found.target, 3 + found.target] {
                    let begin = database.starts[strand] as isize;
                    let places = overlaps(width, least_overlap);
                    let sum = |&(first, end, offset): &(usize, usize, isize)| -> i64 {
                        let met = (first..end).map(|at| steps[at][(begin + at as isize + offset) as usize]);
                        met.sum::<i64>() + (3 - (end - first)) as i64 * missing
                    };
                    tried += places.len();
                    let best = places.iter().map(sum).max().unwrap();
                    let chance = |place: &(usize, usize, isize), sum: i64| {
                        enumerated(&steps, place.0, place.1, sum - (3 - (place.1 - place.0)) as i64 * missing)
                    };
                    if overhang == Overhang::Median {
                        let beaten = places.iter().map(|place| 1.0 - chance(place, best)).product::<f64>();
                        least = least.min(1.0 - beaten);
                    } else {
                        least = places.iter().map(|place| chance(place, sum(place))).fold(least, f64::min);
                    }
                }
                let attempts = if overhang == Overhang::Median { 2 } else { tried as i32 };
                let expected = 1.0 - (1.0 - least).powi(attempts);
                // sums of some thousand products of probabilities
                assert!((found.p_value - expected).abs() < 1e-12, "{overhang:?} {found:?}, not {expected}");
            }
        }
    }
}

#[test]
fn a_motif_is_most_like_itself() {
    let database = small(CompareConfig::default());
    for (target, motif) in database.motifs().iter().enumerate() {
        let best = &database.search(motif)[0];
        assert_eq!((best.target, best.offset, best.overlap, best.strand), (target, 0, motif.width(), Strand::Forward));
        let best = &database.search(&motif.reverse_complement())[0];
        assert_eq!((best.target, best.offset, best.overlap, best.strand), (target, 0, motif.width(), Strand::Reverse));
    }
    assert_eq!(database.search_all(&[query(), query()])[1], database.search(&query()));
}

#[test]
fn the_score_is_that_of_the_columns_that_meet() {
    let database = small(CompareConfig { overhang: Overhang::Ignored, ..CompareConfig::default() });
    let query = query();
    for found in database.search(&query) {
        let target = &database.motifs()[found.target];
        let target = if found.strand == Strand::Forward { target.clone() } else { target.reverse_complement() };
        let met = query.columns().iter().enumerate().filter_map(|(at, column)| {
            let under = usize::try_from(at as isize + found.offset).ok()?;
            Some((column, target.columns().get(under)?))
        });
        let scores: Vec<f64> = met.map(|(a, b)| ColumnScore::Euclidean.of(a, b)).collect();
        assert_eq!(scores.len(), found.overlap);
        assert!((scores.iter().sum::<f64>() - found.score).abs() < 1e-12);
    }
}

#[test]
fn columns_that_are_all_alike_say_nothing() {
    let flat = vec![motif("a", &[UNIFORM; 3]), motif("b", &[UNIFORM; 5])];
    for overhang in [Overhang::Median, Overhang::Ignored] {
        let config = CompareConfig { overhang, both_strands: false, ..CompareConfig::default() };
        let database = MotifDatabase::new(flat.clone(), config).unwrap();
        assert!(database.search(&query()).iter().all(|found| found.p_value == 1.0 && found.q_value == 1.0));
    }
    let pearson = ColumnScore::Pearson;
    assert_eq!(pearson.of(&UNIFORM, &[1.0, 0.0, 0.0, 0.0]), 0.0);
    assert!((pearson.of(&[0.7, 0.1, 0.1, 0.1], &[1.0, 0.0, 0.0, 0.0]) - 1.0).abs() < 1e-12);
}
