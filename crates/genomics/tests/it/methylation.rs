//! `DeepCpG` on two cells of chromosome 18.

use burn::tensor::Device;
use genomics::io::sets::methylation;
use genomics::methylation::MethylationTable;
use genomics::systems::deep_cpg::{DeepCpgConfig, DeepCpgTask, Modules};
use genomics::systems::recipe::Recipe;
use genomics::task::{Fitted, TaskObjective};
use nn_core::data::rng;
use nn_core::metrics::auroc;
use nn_core::train::Monitor;

use crate::data::path;

/// The mean area over cells of scores `[rows, cells]` for the sites `rows`.
fn area(table: &MethylationTable, rows: &[usize], scores: &[f64]) -> f64 {
    let cells = table.cells().len();
    let of_cell = |cell: usize| {
        let pairs = rows.iter().enumerate().map(|(at, &row)| (table.row(row)[cell], scores[at * cells + cell]));
        let (states, scores): (Vec<bool>, Vec<f64>) =
            pairs.filter(|(state, _)| !state.is_nan()).map(|(state, score)| (state >= 0.5, score)).unzip();
        auroc(&states, &scores).unwrap()
    };
    (0..cells).map(of_cell).sum::<f64>() / cells as f64
}

#[test]
fn neighbours_fill_in_missing_states_better_than_their_mean() {
    let Some(folder) = path("genomics/deepcpg_cpg") else { return };
    let cells = ["BS27_4_SER", "BS28_2_SER"];
    let cells = cells.map(|cell| (cell.to_owned(), methylation(&folder.join(format!("{cell}.bed.gz")), None).unwrap()));
    let table = MethylationTable::from_cells(&cells).unwrap();
    assert_eq!((table.len(), table.cells().len()), (17_023, 2));
    assert_eq!(table.sites()[0].to_string(), "18:3000023-3000023(+)");

    // the first sites are learnt from, the last ones tested on
    let [train, validation, test] = [0..11_902, 11_902..13_603, 13_603..17_023].map(Iterator::collect::<Vec<usize>>);
    let config = DeepCpgConfig {
        modules: Modules::Cpg,
        cells: 2,
        neighbours: 10,
        per_cell: 32,
        recurrent: 32,
        l1: 0.0,
        l2: 0.0,
        ..DeepCpgConfig::default()
    };
    let device = Device::flex();
    let task = DeepCpgTask::new(&table, None, config.clone()).unwrap();
    let objective = || TaskObjective::new(&task, Fitted::default(), validation.clone(), &device);
    let model = config.init(&device.clone().autodiff(), &mut rng(1, &[])).unwrap();
    let recipe = Recipe { learning_rate: 3e-3, epochs: 3, ..DeepCpgConfig::recipe() };
    let (model, _) = recipe.train("deep-cpg", objective(), model, &train, Monitor::higher("auroc"), 1).unwrap();
    let found = area(&table, &test, &objective().predict(&model, &test).unwrap());

    let neighbours = table.neighbours(&test, 10, 25_000);
    let means: Vec<f64> =
        neighbours.chunks_exact(40).map(|around| f64::from(around[..20].iter().sum::<f32>()) / 20.0).collect();
    let baseline = area(&table, &test, &means);
    // numpy: 0.861 and 0.917 without a limit on the distance
    assert!((baseline - 0.8893).abs() < 1e-3, "{baseline}");
    assert!(found > baseline, "{found} {baseline}");
}
