//! Parameter counts of the authors' networks, PyTorch's outputs with its own pooling, and samples learnt by heart.

use nn_core::data::rng;
use nn_core::models::mlp::{TableObjective, Targets, Task};

use super::*;
use crate::systems::golden::{filled, input};
use crate::systems::parts::tests::{assert_golden, losses};

const KINDS: [Kind; 3] = [Kind::Lines, Kind::Squares, Kind::Hybrid];

fn small(kind: Kind) -> MostaviConfig {
    MostaviConfig {
        kind,
        genes: 60,
        lines: 9,
        columns: 7,
        filters: 4,
        kernel: 3,
        hidden: 6,
        classes: 3,
        ..MostaviConfig::default()
    }
}

#[test]
fn parameter_counts_are_those_of_the_authors_networks() {
    let count = |kind| {
        let config = MostaviConfig { kind, ..MostaviConfig::default() };
        config.init(&Device::flex(), &mut rng(1, &[])).unwrap().num_params()
    };
    let output = 128 * 34 + 34;
    // 100 × 1 places, every second kept
    assert_eq!(count(Kind::Lines), (71 * 32 + 32) + (50 * 32 * 128 + 128) + output);
    // 100 × 71 → 46 × 31 → 23 × 15
    assert_eq!(count(Kind::Squares), (100 * 32 + 32) + (23 * 15 * 32 * 128 + 128) + output);
    let filters = (71 * 32 + 32) + (100 * 32 + 32);
    assert_eq!(count(Kind::Hybrid), filters + ((50 + 36) * 32 * 128 + 128) + output);
}

#[test]
fn outputs_are_those_of_pytorch() {
    for (kind, name) in KINDS.into_iter().zip(["lines", "squares", "hybrid"]) {
        let model = filled(small(kind).init(&Device::flex(), &mut rng(1, &[])).unwrap());
        let x = input("samples", [3, 1, 60]).reshape([3, 60]);
        assert_golden(model.logits(x, None), &format!("mostavi.{name}"));
    }
}

#[test]
fn samples_are_learnt_by_heart() {
    let device = Device::flex().autodiff();
    let x = Init::Normal(1.0).values(&[12 * 60], Fan::dense([1, 1]), &mut rng(4, &[]));
    let classes: Vec<usize> = (0..12).map(|row| row * 5 % 3).collect();
    let rows: Vec<usize> = (0..12).collect();
    for kind in KINDS {
        let task = Task::new("type", Targets::Classes { count: 3, rows: classes.clone() });
        let objective = TableObjective::<Mostavi>::new(x.clone(), 60, vec![task], rows.clone(), &device).unwrap();
        let config = MostaviConfig { hidden: 32, filters: 8, ..small(kind) };
        let model = config.init(&device, &mut rng(2, &[])).unwrap();
        let [first, last] = losses(objective, model, &rows, 120, 5e-3);
        assert!(last < 0.05 && last < 0.1 * first, "{kind:?}: {first} {last}");
    }
}

#[test]
fn an_image_holds_its_genes_and_filters() {
    let config = MostaviConfig::for_genes(Kind::Lines, 7091, 34);
    assert_eq!(config, MostaviConfig::default());
    for genes in [1, 2, 17, 96, 2308] {
        let config = MostaviConfig::for_genes(Kind::Hybrid, genes, 4);
        config.validate().unwrap();
        assert!(config.lines * config.columns >= genes && (config.lines - 1) * config.columns < genes, "{config:?}");
    }
    let error = MostaviConfig { kind: Kind::Squares, kernel: 8, ..small(Kind::Squares) }.validate().unwrap_err();
    assert_eq!(error.to_string(), "kernel = 8 is out of range; allowed: 1 to 7");
    let error = MostaviConfig { genes: 64, ..small(Kind::Lines) }.validate().unwrap_err();
    assert_eq!(error.to_string(), "genes = 64 is out of range; allowed: 1 to 63");
    MostaviConfig::recipe().validate().unwrap();
}
