//! Each system learns a rule that was planted in generated data, and that its simple predictors cannot see.

use std::fmt::Debug;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use nn_core::data::rng;
use nn_core::optim::OptimizerConfig;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::dataset::{ExpressionSet, Labels, MarkSet, SequenceSet};
use crate::genes::GeneTable;
use crate::genome::Genome;
use crate::interactions::{InteractionTable, Pair};
use crate::locus::Locus;
use crate::methylation::MethylationTable;
use crate::split::SplitKind;
use crate::systems::d_gex::DGexConfig;
use crate::systems::deep_chrome::DeepChromeConfig;
use crate::systems::deep_cpg::{DeepCpgConfig, DeepCpgTask};
use crate::systems::gedfn::GedfnConfig;
use crate::systems::gene2vec::{Gene2vecConfig, Gene2vecTask};
use crate::systems::marks::MarkTask;
use crate::systems::mostavi::MostaviConfig;
use crate::systems::recipe::Recipe;
use crate::systems::speid::{SpeidConfig, SpeidTask};
use crate::systems::table::TableTask;
use crate::systems::xpresso::{XpressoConfig, XpressoTask};
use crate::task::{Task, TaskConfig, TaskNetConfig, TaskStudy};

/// One model, trained quickly.
pub(super) fn quick(network: TaskNetConfig, batch_size: usize, epochs: usize) -> TaskConfig {
    let recipe = Recipe::new(OptimizerConfig::adam(), 5e-3, batch_size, epochs);
    TaskConfig { models: 1, test_fraction: 0.25, recipe, ..TaskConfig::of(network) }
}

/// A score of one model on the test part, and that of each baseline.
fn scores<T: Task + Debug>(task: &T, config: TaskConfig, name: &str) -> (f64, Vec<(String, f64)>) {
    let study = TaskStudy::new(task, "planted", None, config).unwrap();
    let device = Device::flex();
    let (model, _) = study.train(0, &device, (None, false), &mut (), &AtomicBool::new(false)).unwrap();
    let test = &study.plan().split(0).test;
    assert!(test.len() >= 30, "{} rows to be tested on", test.len());
    // a constant has no correlation
    let of = |predicted| task.rows().judge(test, predicted).unwrap().score(name).unwrap_or(f64::NEG_INFINITY);
    let baselines = study.baselines(0).unwrap().into_iter().map(|found| (found.name, of(found.predicted))).collect();
    (of(model.predict(task, test).unwrap()), baselines)
}

/// Fails unless the network has at least `least`, and all of the baselines `margin` less than it.
fn beats((found, baselines): (f64, Vec<(String, f64)>), least: f64, margin: f64) {
    assert!(found >= least, "{found} beside {baselines:?}");
    for (name, score) in &baselines {
        assert!(found >= score + margin, "{found} beside {score} of {name}");
    }
}

/// Bases without A.
fn bases(rng: &mut ChaCha8Rng, count: usize) -> Vec<u8> {
    (0..count).map(|_| b"CGT"[rng.random_range(0..3_usize)]).collect()
}

/// Puts ten times A into a sequence.
fn run_of_a(sequence: &mut [u8], at: usize) {
    sequence[at..at + 10].fill(b'A');
}

/// A run of A lies in the left or in the right half of every enhancer: the words are the same.
pub(super) fn pairs(count: usize) -> (Genome, InteractionTable) {
    let mut rng = rng(1, &[]);
    let mut sequence = Vec::new();
    let mut table = InteractionTable::default();
    for pair in 0..count {
        let (mut enhancer, interacts) = (bases(&mut rng, 60), pair % 2 == 0);
        run_of_a(&mut enhancer, if interacts { 10 } else { 40 });
        let start = sequence.len() as i64;
        table.enhancers.push(Locus::new("chr1", start, start + 60).unwrap());
        table.promoters.push(Locus::new("chr1", start + 60, start + 104).unwrap());
        table.pairs.push(Pair { enhancer: pair as u32, promoter: pair as u32, interacts });
        sequence.extend(enhancer);
        sequence.extend(bases(&mut rng, 44));
    }
    (Genome::from_contigs([("chr1".to_owned(), sequence)]).unwrap(), table)
}

#[test]
fn speid_sees_where_in_an_enhancer_a_word_lies() {
    let (genome, table) = pairs(320);
    let config = SpeidConfig {
        enhancer: 60,
        promoter: 44,
        filters: 8,
        kernel: 7,
        pool: 4,
        recurrent: 4,
        hidden: 16,
        dropout: [0.0; 3],
        ..SpeidConfig::default()
    };
    let task = SpeidTask::new(&table, &genome, config).unwrap();
    beats(scores(&task, quick(task.network(), 24, 40), "auroc"), 0.9, 0.15);
}

#[test]
fn gene2vec_sees_where_in_a_window_a_word_lies() {
    let mut rng = rng(2, &[]);
    let rows = 240;
    let mut window = |row: usize| {
        let mut sequence: Vec<u8> = (0..21).map(|_| b"ACGT"[rng.random_range(0..4_usize)]).collect();
        let at = if row.is_multiple_of(2) { 8 } else { 1 };
        sequence[at..at + 5].copy_from_slice(b"GGACT");
        sequence
    };
    let set = SequenceSet {
        names: (0..rows).map(|row| row.to_string()).collect(),
        sequences: (0..rows).map(&mut window).collect(),
        loci: vec![None; rows],
        tasks: vec!["m6A".to_owned()],
        labels: Labels::Binary,
        targets: (0..rows).map(|row| f32::from(u8::from(row % 2 == 0))).collect(),
        groups: None,
    };
    let mut config = Gene2vecConfig {
        length: 21,
        filters: [8, 8],
        kernels: [5, 3],
        hidden: 8,
        embedding: 4,
        ..Gene2vecConfig::default()
    };
    (config.dropout, config.skip_gram.dimension, config.skip_gram.epochs) = (0.0, 8, 2);
    let task = Gene2vecTask::new(&set, config).unwrap();
    let settings = TaskConfig { split: Some(SplitKind::Random), ..quick(task.network(), 32, 20) };
    beats(scores(&task, settings, "auroc"), 0.95, 0.2);
}

/// Sites every 40 bases of five contigs, methylated where a run of A lies before them; neighbours say nothing.
pub(super) fn sites() -> (Genome, MethylationTable) {
    let mut rng = rng(3, &[]);
    let mut cells = [("a".to_owned(), Vec::new()), ("b".to_owned(), Vec::new())];
    let contigs: Vec<(String, Vec<u8>)> = (1..=5)
        .map(|contig| {
            let mut sequence = bases(&mut rng, 40 * 60);
            for site in 0..60 {
                let methylated = rng.random::<bool>();
                if methylated {
                    run_of_a(&mut sequence, 40 * site + 8);
                }
                for (_, calls) in &mut cells {
                    if rng.random_range(0..10) > 0 {
                        let at = 40 * site as i64 + 20;
                        let locus = Locus::new(format!("chr{contig}"), at, at + 1).unwrap();
                        calls.push((locus, f32::from(u8::from(methylated))));
                    }
                }
            }
            (format!("chr{contig}"), sequence)
        })
        .collect();
    (Genome::from_contigs(contigs).unwrap(), MethylationTable::from_cells(&cells).unwrap())
}

#[test]
fn deepcpg_sees_the_sequence_where_neighbours_say_nothing() {
    let (genome, table) = sites();
    let config = DeepCpgConfig {
        cells: 2,
        window: 31,
        filters: [8, 8],
        kernels: [5, 3],
        pools: [4, 2],
        hidden: 16,
        neighbours: 2,
        per_cell: 8,
        recurrent: 4,
        joint: vec![16],
        l1: 0.0,
        l2: 0.0,
        ..DeepCpgConfig::default()
    };
    let task = DeepCpgTask::new(&table, Some(&genome), config).unwrap();
    beats(scores(&task, quick(task.network(), 24, 25), "auroc"), 0.9, 0.2);
}

/// Genes of six contigs whose level follows a feature and a run of A upstream.
pub(super) fn genes() -> (Genome, GeneTable) {
    let mut rng = rng(4, &[]);
    let mut table = GeneTable {
        features: vec!["feature".to_owned(), "noise".to_owned()],
        tasks: vec!["expression".to_owned()],
        ..GeneTable::default()
    };
    let contigs: Vec<(String, Vec<u8>)> = (1..=6)
        .map(|contig| {
            let mut sequence = Vec::new();
            for gene in 0..50 {
                let (mut window, motif) = (bases(&mut rng, 60), rng.random::<bool>());
                if motif {
                    run_of_a(&mut window, 15);
                }
                sequence.extend(window);
                let at = 60 * i64::from(gene) + 40;
                table.names.push(format!("gene {contig}.{gene}"));
                table.starts.push(Locus::new(format!("chr{contig}"), at, at + 1).unwrap());
                let [feature, noise] = [rng.random::<f32>(), rng.random::<f32>()];
                table.values.extend([10.0 * feature, noise]);
                table.levels.push(5.0 + 2.0 * feature + 2.0 * f32::from(u8::from(motif)));
            }
            (format!("chr{contig}"), sequence)
        })
        .collect();
    (Genome::from_contigs(contigs).unwrap(), table)
}

pub(super) fn small_xpresso() -> XpressoConfig {
    XpressoConfig {
        length: 60,
        upstream: 40,
        features: 2,
        filters: [8, 8],
        kernels: [6, 3],
        pools: [10, 2],
        hidden: [16, 8],
        dropout: [0.05, 0.0],
    }
}

#[test]
fn xpresso_adds_the_sequence_to_the_features() {
    let (genome, table) = genes();
    let task = XpressoTask::new(&table, &genome, small_xpresso()).unwrap();
    beats(scores(&task, quick(task.network(), 24, 40), "pearson"), 0.9, 0.1);
}

#[test]
fn deepchrome_sees_a_hill_where_the_sum_is_the_same() {
    let (genes, bins) = (240, 24);
    let mut rng = rng(5, &[]);
    let mut set = MarkSet {
        genes: (0..genes).map(|gene| gene.to_string()).collect(),
        marks: vec!["H3K4me3".to_owned()],
        bins,
        labels: (0..genes).map(|gene| f32::from(u8::from(gene % 2 == 0))).collect(),
        ..MarkSet::default()
    };
    for gene in 0..genes {
        let mut values: Vec<f32> = (0..bins).map(|_| rng.random::<f32>()).collect();
        // four bins side by side, or each fifth bin
        let (start, step) = if gene % 2 == 0 { (rng.random_range(0..20), 1) } else { (rng.random_range(0..8), 5) };
        (0..4).for_each(|place| values[start + step * place] += 4.0);
        set.values.extend(values);
    }
    let config = DeepChromeConfig {
        filters: 8,
        kernel: 4,
        pool: 3,
        hidden: vec![16],
        dropout: 0.0,
        ..DeepChromeConfig::default()
    };
    let task = MarkTask::new(&set, config).unwrap();
    beats(scores(&task, quick(task.network(), 24, 25), "auroc"), 0.95, 0.15);
}

/// Samples of two classes by whether two groups of genes are high or low together: each gene alone says nothing.
pub(super) fn samples(count: usize) -> ExpressionSet {
    let mut rng = rng(6, &[]);
    let genes = 24;
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let (one, other) = (rng.random::<bool>(), rng.random::<bool>());
        let level = |high: bool| if high { 2.0 } else { -2.0 };
        values.extend((0..genes).map(|gene| {
            let noise = rng.random::<f32>() - 0.5;
            match gene {
                0..4 => level(one) + noise,
                8..12 => level(other) + noise,
                _ => noise,
            }
        }));
        labels.push(usize::from(one == other));
    }
    ExpressionSet {
        samples: (0..count).map(|sample| format!("sample {sample}")).collect(),
        genes: (0..genes).map(|gene| format!("gene {gene}")).collect(),
        values,
        classes: vec!["apart".to_owned(), "together".to_owned()],
        labels,
    }
}

#[test]
fn mostavi_and_gedfn_see_genes_together() {
    let set = samples(320);
    let task = TableTask::classes(&set, None, vec![], MostaviConfig::default()).unwrap();
    // four genes to a line, of which the first, third and fifth are read: those of both groups
    let TaskNetConfig::Mostavi(MostaviConfig { lines, columns, .. }) = task.network() else { panic!() };
    assert_eq!((lines, columns), (6, 4));
    beats(scores(&task, quick(task.network(), 32, 25), "accuracy"), 0.9, 0.2);

    let of_group =
        |first: u32| (first..first + 4).flat_map(move |one| (first..first + 4).map(move |other| [one, other]));
    let edges = of_group(0).chain(of_group(8)).chain((0..24).map(|gene| [gene, gene])).collect();
    let config = GedfnConfig { dropout: 0.0, deviation: 0.3, hidden: [32, 16], ..GedfnConfig::default() };
    let task = TableTask::classes(&set, None, edges, config).unwrap();
    beats(scores(&task, quick(task.network(), 32, 40), "accuracy"), 0.9, 0.2);
}

#[test]
fn d_gex_infers_what_is_no_sum_of_the_landmarks() {
    let mut rng = rng(7, &[]);
    let names = ["l1", "l2", "t1", "t2"].map(str::to_owned);
    let row = |_| {
        let [a, b] = [2.0 * rng.random::<f32>() - 1.0, 2.0 * rng.random::<f32>() - 1.0];
        [a, b, a.abs(), 3.0 + 10.0 * b.abs()]
    };
    let values: Vec<f32> = (0..320).flat_map(row).collect();
    let set = ExpressionSet {
        samples: (0..320).map(|sample| sample.to_string()).collect(),
        genes: names.to_vec(),
        values,
        ..ExpressionSet::default()
    };
    let config = DGexConfig { hidden: vec![32, 32], dropout: 0.0, ..DGexConfig::default() };
    let task = TableTask::levels(&set, &names[..2], &names[2..], None, config).unwrap();
    let found = scores(&task, quick(task.network(), 32, 40), "pearson");
    assert_eq!(
        found.1.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["mean", "linear regression, gene by gene"]
    );
    beats(found, 0.9, 0.4);
}
