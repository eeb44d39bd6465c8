//! What trained networks have learnt is the motif that decides, by all ways of asking them.

use std::sync::atomic::AtomicBool;

use genomics::dataset::{Labels, SequenceSet};
use genomics::explain::{
    Inputs, Mutagenesis, Reference, Rescale, Target, deep_lift, gradient_x_input, temporal_outputs,
};
use genomics::io::meme::read_meme;
use genomics::io::sets::deepbind;
use genomics::model::{Preprocessing, StrandPolicy};
use genomics::motif::{
    ClusterConfig, Column, CompareConfig, FilterConfig, Match, Motif, MotifDatabase, Pattern, SeqletConfig,
};
use genomics::negatives::shuffled;
use genomics::sequence::{ALPHABET, Unknown};
use genomics::shuffle::Shuffle;
use genomics::study::SequenceObjective;
use genomics::synthetic;
use genomics::systems::deep_bind::DeepBindConfig;
use genomics::systems::deep_motif::{Architecture, DeepMotifConfig};
use genomics::systems::{Net, NetConfig, SequenceNet};
use nn_core::burn::tensor::{Device, Tensor};
use nn_core::data::{Shuffled, rng};
use nn_core::metrics::auroc;
use nn_core::optim::OptimizerConfig;
use nn_core::train::{FitConfig, Monitor, Supervised, fit};
use rand::RngExt;

use crate::data;

/// One layer of filters, their maxima, and dense layers: small enough to be trained in a test.
fn small(length: usize, kernel: usize, filters: usize, hidden: usize) -> DeepBindConfig {
    DeepBindConfig {
        length,
        kernel,
        filters,
        hidden,
        norm: false,
        second_filters: 0,
        average: false,
        both_strands: false,
        map_dropout: 0.0,
        dropout: 0.0,
        ..DeepBindConfig::default()
    }
}

/// Trains on all rows but every tenth, which are scored after each epoch, and returns the network for use.
fn trained(set: &SequenceSet, config: DeepBindConfig, epochs: usize, (rate, batch): (f64, usize)) -> Net {
    let device = Device::flex().autodiff();
    let preprocessing = Preprocessing::new(config.length, StrandPolicy::Given, Unknown::Zeros);
    let network = NetConfig::DeepBind(config).init(&device, &mut rng(1, &[0])).unwrap();
    let (rows, monitored): (Vec<usize>, Vec<usize>) = (0..set.len()).partition(|row| row % 10 != 0);
    let objective = SequenceObjective { set, preprocessing: &preprocessing, monitored: &monitored, device };
    let mut learner = Supervised::new(objective, network, OptimizerConfig::adam().init(), "deepbind");
    let fitting = FitConfig::new(epochs, rate, Monitor::lower("loss"));
    let stop = AtomicBool::new(false);
    fit(&mut learner, &Shuffled::new(rows, batch), &fitting, None, false, &mut (), &stop).unwrap();
    learner.into_model().unwrap()
}

fn views(sequences: &[Vec<u8>]) -> Vec<&[u8]> {
    sequences.iter().map(Vec::as_slice).collect()
}

/// The most significant hit of any filter, with the number of the filter.
fn best_filter(net: &Net, width: usize, sequences: &[&[u8]], database: &MotifDatabase) -> (usize, Match) {
    let maps = |x: Tensor<3>| net.first_maps(x).unwrap();
    let filters = FilterConfig::default().motifs_of(&maps, width, sequences, &Device::flex()).unwrap();
    let hits = filters.iter().filter_map(|filter| {
        let motif = filter.motif.as_ref()?;
        assert_eq!(motif.sites, Some(filter.sites as f64));
        Some((filter.filter, database.search(motif).swap_remove(0)))
    });
    hits.min_by(|a, b| a.1.p_value.total_cmp(&b.1.p_value)).unwrap()
}

/// The patterns of what each base adds, by mutagenesis.
fn patterns(net: &Net, sequences: &[&[u8]], length: usize) -> Vec<Pattern> {
    let inputs = Inputs::new(sequences, length, Unknown::Zeros, &Device::flex()).unwrap();
    let model = |x: Tensor<3>| net.logits(x, None);
    let scores = Mutagenesis::default().run(&model, &inputs, &Target::All(0)).unwrap().per_base();
    let seqlets = SeqletConfig::default().find(&scores).unwrap();
    ClusterConfig::default().patterns(sequences, &scores, &seqlets).unwrap()
}

/// 400 sequences of 60 bases with a site of KITE, and where it begins, and 400 without.
fn generated() -> (SequenceSet, Vec<usize>) {
    let (rng, kite) = (&mut rng(51, &[]), &synthetic::motifs().unwrap()[0]);
    let mut sequences: Vec<Vec<u8>> =
        (0..800).map(|_| (0..60).map(|_| ALPHABET[rng.random_range(0..4)]).collect()).collect();
    let mut starts = Vec::new();
    for sequence in &mut sequences[..400] {
        let start = rng.random_range(0..=60 - kite.width());
        for (at, column) in kite.columns().iter().enumerate() {
            let mut left = rng.random::<f64>();
            let base = column.iter().position(|share| {
                left -= share;
                left < 0.0
            });
            sequence[start + at] = ALPHABET[base.unwrap_or(3)];
        }
        starts.push(start);
    }
    let set = SequenceSet {
        names: (0..800).map(|row| row.to_string()).collect(),
        sequences,
        loci: vec![None; 800],
        tasks: vec!["bound".to_owned()],
        labels: Labels::Binary,
        targets: (0..800).map(|row| f32::from(u8::from(row < 400))).collect(),
        groups: None,
    };
    set.check().unwrap();
    (set, starts)
}

/// The planted motifs among 28 random ones.
fn decoys() -> MotifDatabase {
    let rng = &mut rng(52, &[]);
    let mut motifs = synthetic::motifs().unwrap();
    for number in 0..28 {
        let column = |_| {
            let raw: Column = std::array::from_fn(|_| rng.random::<f64>().powi(4) + 0.01);
            let sum: f64 = raw.iter().sum();
            raw.map(|value| value / sum)
        };
        motifs.push(Motif::new(format!("decoy{number}"), (0..6 + number % 7).map(column).collect()).unwrap());
    }
    MotifDatabase::new(motifs, CompareConfig::default()).unwrap()
}

/// A twin in PyTorch recovers the motif by both ways for each of 5 seeds, with p-values of 1e-15 and less.
#[test]
fn a_trained_network_gives_the_planted_motif_back() {
    let (set, starts) = generated();
    let net = trained(&set, small(60, 12, 8, 0), 8, (0.01, 32));
    let database = decoys();
    let positives = views(&set.sequences[..400]);
    let (filter, hit) = best_filter(&net, 12, &positives, &database);
    assert_eq!((hit.target, hit.strand.sign()), (0, '+'), "filter {filter}");
    assert!(hit.q_value < 1e-8, "{hit:?}");
    let found = patterns(&net, &positives[..150], 60);
    let best = &database.search(&found[0].motif)[0];
    assert_eq!(best.target, 0, "{}", found[0].motif.consensus());
    assert!(found[0].positive && found[0].members.len() >= 60 && best.q_value < 1e-8, "{best:?}");

    // the planted places are those that count, whoever is asked
    let inputs = Inputs::new(&positives[..150], 60, Unknown::Zeros, &Device::flex()).unwrap();
    let (model, target) = (|x: Tensor<3>| net.logits(x, None), Target::All(0));
    let rescaled = |x: Tensor<3>, rule: &Rescale| net.rescaled(x, rule).unwrap();
    let lifted = deep_lift(&rescaled, &inputs, &target, &Reference::Shuffled { count: 5, seed: 1 }).unwrap();
    // single precision on logits of some units
    assert!(lifted.largest_gap().unwrap() < 1e-3, "{:?}", lifted.largest_gap());
    let planted: Vec<bool> =
        starts[..150].iter().flat_map(|start| (0..60).map(move |at| (*start..*start + 12).contains(&at))).collect();
    for (name, values) in [
        ("mutagenesis", Mutagenesis::default().run(&model, &inputs, &target).unwrap().per_base()),
        ("DeepLIFT", lifted.per_base()),
        ("gradient x input", gradient_x_input(&model, &inputs, &target).unwrap().per_base()),
    ] {
        // 0.78 to 0.89 in the twin; 0.5 would be blind, with a standard error of 0.007
        let found = auroc(&planted, &values.concat()).unwrap();
        assert!(found > 0.7, "{name}: {found}");
    }
}

/// A twin in PyTorch has USF2 as the first hit of the seqlets for each of 3 seeds, and of its best filter.
#[test]
fn a_network_trained_on_usf2_peaks_gives_the_motif_of_usf2_back() {
    let (Some(peaks), Some(known)) = (
        data::path("genomics/tf_chipseq_encode/USF2_H1-hESC_USF2_Stanford_AC.seq.gz"),
        data::path("genomics/motif_db/Jaspar.meme"),
    ) else {
        return;
    };
    let whole = deepbind(&peaks).unwrap();
    let positives: Vec<usize> =
        (0..whole.len()).filter(|&row| !whole.sequences[row].contains(&b'N')).take(4000).collect();
    let set = shuffled(&whole.select(&positives), Shuffle::Dinucleotide, 1, 3).unwrap();
    let net = trained(&set, small(101, 16, 16, 32), 4, (0.003, 64));
    let database = MotifDatabase::new(read_meme(&known).unwrap().motifs, CompareConfig::default()).unwrap();
    let names = |hit: &Match| database.motifs()[hit.target].alias.clone().unwrap_or_default();

    let bound = views(&set.sequences[..2000]);
    let (filter, hit) = best_filter(&net, 16, &bound, &database);
    assert!(["USF1", "USF2"].contains(&names(&hit).as_str()), "filter {filter}: {} {hit:?}", names(&hit));
    assert!(hit.q_value < 1e-5, "{hit:?}");
    let found = patterns(&net, &bound[..300], 101);
    let hit = &database.search(&found[0].motif)[0];
    assert!(["USF1", "USF2"].contains(&names(hit).as_str()), "{} {hit:?}", names(hit));
    assert!(found[0].positive && hit.q_value < 1e-5, "{hit:?}");
}

/// The network reads the whole sequence at its last step and at its first.
#[test]
fn a_memory_says_what_it_has_read_so_far() {
    let device = Device::flex();
    for (architecture, places) in [(Architecture::Rnn, 20), (Architecture::CnnRnn, 20)] {
        let config = DeepMotifConfig { length: 20, filters: 6, hidden: 4, ..DeepMotifConfig::of(architecture) };
        let net = config.init(&device, &mut rng(7, &[])).unwrap();
        let inputs =
            Inputs::new(&[b"ACGTTGCAAGACGTTGCAAG", b"TTTTTTTTTTCACGTGTTTT"], 20, Unknown::Zeros, &device).unwrap();
        let maps = net.maps(inputs.tensor().clone());
        let model = |maps: Tensor<3>| net.read(maps, None);
        let found = temporal_outputs(&model, &maps, &Target::All(0)).unwrap();
        let whole = net.forward(inputs.tensor().clone(), None).try_into_vec_as::<f64>().unwrap();
        for (row, whole) in whole.iter().enumerate() {
            assert_eq!((found.forward[row].len(), found.backward[row].len()), (places, places));
            assert!((found.forward[row][places - 1] - whole).abs() < 1e-5);
            assert!((found.backward[row][0] - whole).abs() < 1e-5);
        }
        // one step is one base, whichever end it is read from
        assert!((found.forward[0][0] - found.forward[1][0]).abs() > 1e-6);
    }
}
