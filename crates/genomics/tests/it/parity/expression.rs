//! Networks that read the expression of genes in samples.

use burn::tensor::Device;
use genomics::dataset::ExpressionSet;
use genomics::systems::adage::AdageConfig;
use genomics::systems::d_gex::DGexConfig;
use genomics::systems::gedfn::GedfnConfig;
use genomics::systems::late::{LateConfig, LateObjective};
use genomics::systems::mostavi::{Kind, MostaviConfig};
use genomics::systems::table::TableTask;
use nn_core::data::rng;
use nn_core::models::autoencoder::Rows;
use nn_core::models::mlp::TableModel;
use nn_core::parity::Trace;

use super::{ALL, PLAIN, ROWS, SEED, agree, names, normal, of_objective, of_task, passes, record, values};

const CLASSES: usize = 3;

/// Samples of each of three classes.
fn samples(genes: usize) -> ExpressionSet {
    ExpressionSet {
        samples: names("sample", ROWS),
        genes: names("gene", genes),
        values: values(ROWS * genes, 3),
        classes: names("class", CLASSES),
        labels: (0..ROWS).map(|row| row % CLASSES).collect(),
    }
}

/// What a network makes of rows of `columns` numbers.
fn of_rows<N: TableModel>(net: &N, columns: usize, device: &Device) -> Trace {
    passes(net, device, |net, device, rows, noise| {
        net.logits(normal([rows, columns], 2, device), noise) // [rows, outputs]
    })
}

#[test]
fn d_gex() {
    // Output weights larger than the authors' 1e-4, which would leave next to nothing of the gradients in front.
    let config = DGexConfig { landmarks: 8, hidden: vec![10, 8, 10], targets: 5, dropout: 0.2, output_range: 0.3 };
    let set = samples(8 + 5);
    let task = TableTask::levels(&set, &set.genes[..8], &set.genes[8..], None, config.clone()).unwrap();
    agree(PLAIN, 2 * (4 * 2), |device| {
        let mut trace = of_rows(&config.init(device, &mut rng(SEED, &[0])).unwrap(), 8, device);
        trace.extend("task: ", of_task(&task, &[ALL], device));
        trace
    });
}

#[test]
fn gedfn() {
    const GENES: usize = 9;
    // a chain of genes, each of which sees itself
    let connected = |place: &usize| (place / GENES).abs_diff(place % GENES) <= 1;
    let adjacency: Vec<f32> = (0..GENES * GENES).map(|place| f32::from(u8::from(connected(&place)))).collect();
    let edges = (0..GENES * GENES).filter(connected).map(|place| [(place / GENES) as u32, (place % GENES) as u32]);
    let config = GedfnConfig { hidden: [16, 12], classes: CLASSES, dropout: 0.3, deviation: 0.5, limit: 2 };
    let task = TableTask::classes(&samples(GENES), None, edges.collect(), config.clone()).unwrap();
    agree(PLAIN, 2 * (4 * 2), |device| {
        let net = config.init(&adjacency, GENES, device, &mut rng(SEED, &[0])).unwrap();
        let mut trace = of_rows(&net, GENES, device);
        record(&mut trace, "importance", net.importance().unwrap(), device);
        trace.extend("task: ", of_task(&task, &[ALL], device));
        trace
    });
}

#[test]
fn mostavi() {
    // filters of each kind, and two dense layers
    for (kind, parameters) in [(Kind::Lines, 2 + 4), (Kind::Squares, 2 + 4), (Kind::Hybrid, 2 * 2 + 4)] {
        // three places of the image are left to zeros
        let config = MostaviConfig {
            kind,
            genes: 60,
            lines: 9,
            columns: 7,
            filters: 8,
            kernel: 3,
            hidden: 16,
            classes: CLASSES,
            ..MostaviConfig::default()
        };
        let task = TableTask::classes(&samples(60), None, Vec::new(), config.clone()).unwrap();
        agree(PLAIN, 2 * parameters, |device| {
            let mut trace = of_rows(&config.init(device, &mut rng(SEED, &[0])).unwrap(), 60, device);
            trace.extend("task: ", of_task(&task, &[ALL], device));
            trace
        });
    }
}

#[test]
fn adage() {
    let config = AdageConfig { genes: 12, nodes: 8, corruption: 0.2 };
    let shares = values(ROWS * 12, 3).into_iter().map(|value| 1.0 / (1.0 + (-value).exp())).collect();
    let objective = config.objective(Rows::new(shares, 12).unwrap(), None).unwrap();
    // one matrix for both directions, the biases of the nodes and of the genes
    agree(PLAIN, 2 * 3, |device| {
        let net = config.init(device, &mut rng(SEED, &[0])).unwrap();
        let x = normal([ROWS, 12], 2, device);
        let (code, found) = (net.encode(x.clone()).flatten(0, 1), net.forward(x).flatten(0, 1));
        let mut trace = Trace::new();
        trace.forward_backward(&net, vec![("code", code), ("reconstruction", found)]);
        trace.extend("objective: ", of_objective(&objective, &net, &[ALL]));
        trace
    });
}

#[test]
fn late() {
    // Weights larger than the authors' 1e-3, which would leave next to nothing of the gradients of the first layers.
    let config = LateConfig { genes: 10, hidden: vec![16, 12], input_dropout: 0.2, dropout: 0.3, deviation: 0.1 };
    // a third of the counts are zero, and are left out of the loss
    let counts = values(ROWS * 10, 3).into_iter().map(|value| (value + 0.5).max(0.0)).collect();
    let objective = LateObjective::new(&config, Rows::new(counts, 10).unwrap(), None).unwrap();
    agree(PLAIN, 2 * (4 * 2), |device| {
        let net = config.init(device, &mut rng(SEED, &[0])).unwrap();
        let mut trace = passes(&net, device, |net, device, rows, noise| {
            net.forward(normal([rows, 10], 2, device), noise) // [rows, genes]
        });
        trace.extend("objective: ", of_objective(&objective, &net, &[ALL]));
        trace
    });
}
