//! Networks whose rows are more than one window of a sequence.

use burn::module::Module;
use genomics::dataset::MarkSet;
use genomics::genes::GeneTable;
use genomics::genome::Genome;
use genomics::interactions::{InteractionTable, Pair};
use genomics::locus::{Locus, Strand};
use genomics::methylation::MethylationTable;
use genomics::systems::SequenceNet;
use genomics::systems::attentive_chrome::AttentiveChromeConfig;
use genomics::systems::deep_chrome::DeepChromeConfig;
use genomics::systems::deep_cpg::{DeepCpgConfig, DeepCpgInput, DeepCpgTask, Modules};
use genomics::systems::expecto::{Expecto, ExpectoConfig, SpatialConfig};
use genomics::systems::gene2vec::{Encoding, Gene2vecConfig, Gene2vecTask, WORDS};
use genomics::systems::marks::MarkTask;
use genomics::systems::speid::{SpeidConfig, SpeidTask};
use genomics::systems::xpresso::{XpressoConfig, XpressoTask};
use genomics::task::Task;
use nn_core::data::rng;
use nn_core::models::embedding::SkipGramConfig;
use nn_core::parity::Trace;

use super::{
    ALL, NORMALISED, PLAIN, ROWS, SEED, agree, bases, names, normal, of_task, passes, record, sequence_set,
    small_beluga, values,
};

/// Tensors of a recurrent layer in both directions: weights and biases of inputs and states.
const BOTH_DIRECTIONS: usize = 2 * 4;

fn genome(length: usize) -> Genome {
    Genome::from_contigs([("chr1".to_owned(), bases(length, 4))]).unwrap()
}

fn locus(start: i64, length: i64) -> Locus {
    Locus::new("chr1", start, start + length).unwrap()
}

/// Genes with three marks in 33 bins; the label of one is missing.
fn mark_set() -> MarkSet {
    MarkSet {
        genes: names("gene", ROWS),
        marks: names("mark", 3),
        bins: 33,
        values: values(ROWS * 3 * 33, 3).into_iter().map(f32::abs).collect(),
        labels: vec![1.0, 0.0, 0.0, 1.0, f32::NAN, 1.0],
        ..MarkSet::default()
    }
}

#[test]
fn deep_chrome() {
    let hidden = vec![16, 12];
    let config =
        DeepChromeConfig { marks: 3, bins: 33, outputs: 1, filters: 12, kernel: 4, pool: 5, hidden, dropout: 0.5 };
    let set = mark_set();
    let task = MarkTask::new(&set, config.clone()).unwrap();
    agree(PLAIN, 2 * (4 * 2), |device| {
        let net = config.init(device, &mut rng(SEED, &[0])).unwrap();
        let mut trace = passes(&net, device, |net, device, rows, noise| {
            net.logits(normal([rows, 3, 33], 2, device), noise) // [genes, 1]
        });
        trace.extend("task: ", of_task(&task, &[ALL], device));
        trace
    });
}

#[test]
fn attentive_chrome() {
    let config = AttentiveChromeConfig { marks: 3, bins: 33, outputs: 1, bin_hidden: 5, mark_hidden: 4 };
    let set = mark_set();
    let task = MarkTask::new(&set, config.clone()).unwrap();
    // a memory with its context for each mark and one for all of them, and the output
    agree(PLAIN, 2 * ((3 + 1) * (BOTH_DIRECTIONS + 1) + 2), |device| {
        let net = config.init(device, &mut rng(SEED, &[0])).unwrap();
        let found = net.forward(normal([ROWS, 3, 33], 2, device));
        let (logits, bins, marks) = (found.logits.flatten(0, 1), found.bins.flatten(0, 2), found.marks.flatten(0, 1));
        let mut trace = Trace::new();
        trace.forward_backward(&net, vec![("logits", logits), ("bins", bins), ("marks", marks)]);
        trace.extend("task: ", of_task(&task, &[ALL], device));
        trace
    });
}

/// Sites every three bases; each of three cells lacks another quarter of them.
fn sites() -> MethylationTable {
    let calls = |cell: i64| -> Vec<(Locus, f32)> {
        let called = (0..24_i64).filter(|site| site % 4 != cell);
        called.map(|site| (locus(3 * site + 60, 1), f32::from(u8::from((site + cell) % 5 < 2)))).collect()
    };
    MethylationTable::from_cells(&[0, 1, 2].map(|cell| (format!("cell {cell}"), calls(cell)))).unwrap()
}

#[test]
fn deep_cpg() {
    let (genome, table) = (genome(300), sites());
    // two convolutions and a dense layer; a dense layer and a gated one; behind each or both the output
    let (dna, cpg) = (3 * 2, 2 + BOTH_DIRECTIONS);
    for (modules, parameters) in
        [(Modules::Dna, dna + 2), (Modules::Cpg, cpg + 2), (Modules::Joint, dna + cpg + 2 * 2 + 2)]
    {
        let config = DeepCpgConfig {
            modules,
            cells: 3,
            window: 41,
            filters: [12, 12],
            kernels: [5, 3],
            hidden: 16,
            neighbours: 2,
            reach: 30,
            per_cell: 12,
            recurrent: 5,
            joint: vec![20, 16],
            dropout: 0.2,
            ..DeepCpgConfig::default()
        };
        let task = DeepCpgTask::new(&table, Some(&genome), config.clone()).unwrap();
        agree(PLAIN, 2 * parameters, |device| {
            let net = config.init(device, &mut rng(SEED, &[0])).unwrap();
            let mut trace = passes(&net, device, |net, device, rows, noise| {
                let (dna, neighbours) = (normal([rows, 4, 41], 2, device), normal([rows, 3, 8], 3, device));
                net.logits(DeepCpgInput { dna: Some(dna), neighbours: Some(neighbours) }, noise) // [rows, 3]
            });
            trace.extend("task: ", of_task(&task, &[ALL], device));
            trace
        });
    }
}

#[test]
fn speid() {
    let config = SpeidConfig {
        enhancer: 60,
        promoter: 44,
        filters: 12,
        kernel: 7,
        pool: 4,
        recurrent: 5,
        hidden: 16,
        ..SpeidConfig::default()
    };
    let pair = |at: u32| Pair { enhancer: at, promoter: (at * 5 + 2) % 7, interacts: at.is_multiple_of(3) };
    let table = InteractionTable {
        enhancers: (0..7).map(|at| locus(100 + 100 * at, 30)).collect(),
        promoters: (0..7).map(|at| locus(1000 + 100 * at, 30)).collect(),
        pairs: (0..7).map(pair).collect(),
    };
    let genome = genome(2000);
    let task = SpeidTask::new(&table, &genome, config.clone()).unwrap();
    // two convolutions, the memory, two dense layers, and four normalisations
    agree(NORMALISED, 2 * (2 * 2 + BOTH_DIRECTIONS + 2 * 2 + 4 * 2), |device| {
        let net = config.init(device, &mut rng(SEED, &[0])).unwrap();
        let mut trace = passes(&net, device, |net, device, rows, noise| {
            net.logits(normal([rows, 4, 60], 2, device), normal([rows, 4, 44], 3, device), noise) // [rows, 1]
        });
        // In the statistics of a batch the output's bias vanishes, not in those of a batch of one.
        trace.extend("task: ", of_task(&task, &[ALL, &[6]], device));
        trace
    });
}

#[test]
fn xpresso() {
    let config = XpressoConfig {
        length: 50,
        upstream: 30,
        features: 3,
        filters: [12, 12],
        kernels: [6, 9],
        pools: [5, 2],
        hidden: [16, 12],
        dropout: [0.1, 0.2],
    };
    let start = |row: usize| {
        let strand = if row.is_multiple_of(2) { Strand::Forward } else { Strand::Reverse };
        locus(60 * row as i64 + 30, 1).on(strand)
    };
    let mut table = GeneTable {
        names: names("gene", ROWS),
        starts: (0..ROWS).map(start).collect(),
        features: names("feature", 3),
        values: values(ROWS * 3, 5),
        tasks: names("level", 1),
        levels: values(ROWS, 6),
        families: None,
    };
    table.levels[4] = f32::NAN;
    let genome = genome(60 * (ROWS + 1));
    let task = XpressoTask::new(&table, &genome, config.clone()).unwrap();
    agree(PLAIN, 2 * (5 * 2), |device| {
        let net = config.init(device, &mut rng(SEED, &[0])).unwrap();
        let mut trace = passes(&net, device, |net, device, rows, noise| {
            net.forward(normal([rows, 4, 50], 2, device), Some(normal([rows, 3], 3, device)), noise) // [rows, 1]
        });
        trace.extend("task: ", of_task(&task, &[ALL], device));
        trace
    });
}

#[test]
fn expecto() {
    let config = ExpectoConfig {
        body: small_beluga(),
        spatial: SpatialConfig { step: 20, reach: 60, decays: vec![0.1, 0.5], shift: 20 },
        tissues: 2,
        ..ExpectoConfig::default()
    };
    let (sums, genome) = (config.sums(), genome(400));
    let genes = [locus(150, 1), locus(250, 1).on(Strand::Reverse)];
    // the linear step; the body is not trained with it
    agree(PLAIN, 2, |device| {
        let body = config.body.init(device, &mut rng(SEED, &[0])).unwrap();
        let net = config.init(body, &values((sums + 1) * config.tissues, 7), device).unwrap();
        let mut trace = Trace::new();
        trace.forward_backward(&net, vec![("levels", net.predict(values(ROWS * sums, 2)).flatten(0, 1))]);
        let found = Expecto::features(&net.body().valid(), &config.spatial, &genome, &genes).unwrap();
        record(&mut trace, "sums of marks", found, device);
        trace
    });
}

#[test]
fn gene2vec() {
    let config = Gene2vecConfig {
        length: 21,
        filters: [12, 12],
        kernels: [4, 3],
        hidden: 16,
        dropout: 0.2,
        embedding: 4,
        skip_gram: SkipGramConfig { dimension: 7, epochs: 1, ..Gene2vecConfig::default().skip_gram },
        ..Gene2vecConfig::default()
    };
    let set = sequence_set(config.length, 1);
    let windows: Vec<&[u8]> = set.sequences.iter().map(Vec::as_slice).collect();
    let (vectors, mut all) = (values(WORDS * config.skip_gram.dimension, 3), 0);
    for encoding in Encoding::ALL {
        // two convolutions and two dense layers; of the vectors of words those that are learnt with them
        let parameters = 4 * 2 + usize::from(encoding == Encoding::Words);
        all += parameters;
        agree(PLAIN, parameters, |device| {
            let net = config.init(encoding, Some(&vectors), device, &mut rng(SEED, &[0])).unwrap();
            passes(&net, device, |net, device, rows, noise| net.logits(&windows[..rows], device, noise))
        });
    }
    let task = Gene2vecTask::new(&set, config).unwrap();
    agree(PLAIN, 2 * all, |device| {
        let fitted = task.fit(ALL, SEED).unwrap();
        let net = task.init(&fitted, device, &mut rng(SEED, &[0])).unwrap();
        let each = net.each(&windows, device, Some(&mut rng(SEED, &[1]))).flatten(0, 1);
        let mut trace = Trace::new();
        trace.forward_backward(&net, vec![("each", each), ("vote", net.vote(&windows, device).flatten(0, 1))]);
        trace.extend("task: ", of_task(&task, &[ALL], device));
        trace
    });
}
