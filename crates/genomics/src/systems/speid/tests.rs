//! Parameter count of the authors' model, PyTorch's outputs, known motifs, and pairs learnt by heart.

use std::sync::atomic::AtomicBool;

use burn::tensor::TensorData;
use nn_core::data::rng;
use nn_core::store;
use nn_core::train::{Checkpoints, Objective, StepContext, Supervised};

use super::*;
use crate::genome::Genome;
use crate::interactions::{InteractionTable, Pair};
use crate::locus::Locus;
use crate::split::SplitKind;
use crate::systems::golden::{filled, input};
use crate::systems::parts::tests::{assert_golden, losses};
use crate::task::{Fitted, Task, TaskConfig, TaskObjective, TaskStudy};

fn small() -> SpeidConfig {
    SpeidConfig {
        enhancer: 60,
        promoter: 44,
        filters: 5,
        kernel: 7,
        pool: 4,
        recurrent: 3,
        hidden: 6,
        dropout: [0.0; 3],
        ..SpeidConfig::default()
    }
}

#[test]
fn the_parameter_count_is_that_of_the_authors_model() {
    // 3000 → 2961 → 148 and 2000 → 1961 → 98 steps; a normalisation has two parameters and two buffers a channel, a
    // gate of the recurrent layer two biases where Keras has one
    let filters = 2 * (200 * 4 * 40 + 200);
    let recurrent = 2 * 4 * (50 * 200 + 50 * 50 + 2 * 50);
    let dense = ((148 + 98) * 100 * 800 + 800) + (800 + 1);
    let norms = 4 * (200 + 100 + 800 + 1);
    let model = SpeidConfig::default().init(&Device::flex(), &mut rng(1, &[])).unwrap();
    assert_eq!(model.num_params(), filters + recurrent + dense + norms);
    assert_eq!(model.num_params(), 19_851_205);
}

#[test]
fn outputs_are_those_of_pytorch() {
    let model = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
    assert_golden(model.logits(input("enhancers", [3, 4, 60]), input("promoters", [3, 4, 44]), None), "speid");
}

#[test]
fn known_motifs_stand_in_the_first_filters_of_both_branches() {
    let motif = vec![[1.0, 0.0, 0.0, 0.0], [0.0, 0.5, 0.5, 0.0]];
    let device = Device::flex();
    let fresh = small().init(&device, &mut rng(2, &[])).unwrap();
    let model = fresh.clone().with_motifs(&[motif.clone(), motif.clone()], &mut rng(3, &[])).unwrap();
    let values = |conv: &Conv1d| conv.weight.val().try_into_vec_as::<f32>().unwrap();
    for (conv, fresh) in [(&model.enhancer, &fresh.enhancer), (&model.promoter, &fresh.promoter)] {
        let (found, before) = (values(conv), values(fresh));
        for filter in found[..2 * 28].chunks_exact(28) {
            let at = |place: usize| [0, 1, 2, 3].map(|base| filter[base * 7 + place]);
            let start = (0..6).find(|&place| at(place) == [0.75, -0.25, -0.25, -0.25]).unwrap();
            assert_eq!(at(start + 1), [-0.25, 0.25, 0.25, -0.25]);
        }
        // two places of two filters changed, the rest did not
        assert_eq!(found.iter().zip(&before).filter(|(a, b)| a != b).count(), 2 * 2 * 4);
        let biases = conv.bias.as_ref().unwrap().val().try_into_vec_as::<f32>().unwrap();
        assert!(biases[..2].iter().all(|bias| (-1.0..=0.0).contains(bias)) && biases[2..] == [0.0; 3], "{biases:?}");
    }
    let error = fresh.clone().with_motifs(&vec![motif; 6], &mut rng(3, &[])).unwrap_err().to_string();
    assert_eq!(error, "motifs = 6 is out of range; allowed: 0 to 5");
    let error = fresh.with_motifs(&[vec![[0.25; 4]; 8]], &mut rng(3, &[])).unwrap_err().to_string();
    assert_eq!(error, "motif length = 8 is out of range; allowed: 0 to 7");
}

fn data() -> (Genome, InteractionTable) {
    let mut rng = rng(5, &[]);
    let sequence: Vec<u8> = (0..4000).map(|_| b"ACGT"[rng.random_range(0..4_usize)]).collect();
    let loci = |first: i64| (0..6).map(move |at| Locus::new("chr1", first + 100 * at, first + 100 * at + 30).unwrap());
    let pairs = (0..12).map(|at| Pair { enhancer: at % 6, promoter: (at * 5 + at / 6) % 6, interacts: at % 3 == 0 });
    let table =
        InteractionTable { enhancers: loci(200).collect(), promoters: loci(2000).collect(), pairs: pairs.collect() };
    (Genome::from_contigs([("chr1".to_owned(), sequence)]).unwrap(), table)
}

#[test]
fn pairs_are_learnt_by_heart() {
    let (genome, table) = data();
    let config = SpeidConfig { filters: 16, hidden: 32, l2_filters: 0.0, l2_hidden: 0.0, ..small() };
    let device = Device::flex().autodiff();
    let rows: Vec<usize> = (0..12).collect();
    let task = SpeidTask::new(&table, &genome, config.clone()).unwrap();
    let objective = TaskObjective::new(&task, Fitted::default(), rows.clone(), &device);
    let model = config.init(&device, &mut rng(2, &[])).unwrap();
    let [first, last] = losses(objective, model, &rows, 250, 2e-2);
    assert!(last < 0.1 && last < 0.2 * first, "{first} {last}");
}

#[test]
fn a_batch_of_one_pair_has_a_loss_and_frozen_parts_stay() {
    let (genome, table) = data();
    let device = Device::flex().autodiff();
    let task = SpeidTask::new(&table, &genome, small()).unwrap();
    let objective = TaskObjective::new(&task, Fitted::default(), vec![0, 1, 2], &device);
    let model = small().init(&device, &mut rng(4, &[])).unwrap();
    let context = StepContext { seed: 1, epoch: 0, step: 0, learning_rate: 1e-2 };
    assert!(objective.loss(&model, &[3], &context).unwrap().into_scalar::<f32>().is_finite());
    let names: Vec<String> = objective.validate(&model.valid()).unwrap().into_iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"average_precision".to_owned()), "{names:?}");

    let optimizer = SpeidConfig::frozen_recipe().optimizer().unwrap();
    let mut learner = Supervised::new(objective, model.clone(), optimizer, "speid");
    nn_core::train::Learner::step(&mut learner, &[0, 1, 2, 3], &context).unwrap();
    let (before, after) = (model, learner.model().unwrap());
    let data = |conv: &Conv1d| -> TensorData { conv.weight.val().into_data() };
    assert_eq!(data(&before.enhancer), data(&after.enhancer));
    assert_eq!(data(&before.promoter), data(&after.promoter));
    assert_ne!(before.hidden.weight.val().into_data(), after.hidden.weight.val().into_data());
}

#[test]
fn filters_of_balanced_pairs_stay_as_they_are_for_all_pairs() {
    // pairs that share no element, so that they can be divided
    let loci = |first: i64| (0..12).map(move |at| Locus::new("chr1", first + 100 * at, first + 100 * at + 30).unwrap());
    let pairs = (0..12).map(|at| Pair { enhancer: at, promoter: at, interacts: at % 3 == 0 }).collect();
    let table = InteractionTable { enhancers: loci(200).collect(), promoters: loci(2000).collect(), pairs };
    let (genome, _) = data();
    let task = SpeidTask::new(&table, &genome, small()).unwrap();
    let recipe = Recipe::new(OptimizerConfig::adam(), 1e-2, 4, 2);
    let settings =
        TaskConfig { phases: true, models: 1, validation_fraction: 0.3, recipe, ..TaskConfig::of(task.network()) };
    let study = TaskStudy::new(&task, "pairs", None, settings).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (checkpoints, stop) = (Checkpoints::new(folder.path()), AtomicBool::new(false));
    let (model, _) = study.train(0, &Device::flex(), (Some(&checkpoints), false), &mut (), &stop).unwrap();
    let (_, weights) = Checkpoints::new(folder.path().join("balanced")).best_weights().unwrap().unwrap();
    let fresh = small().init(&Device::flex(), &mut rng(1, &[])).unwrap();
    let (balanced, _) = store::from_safetensors(fresh, &weights).unwrap();
    let data = |conv: &Conv1d| -> TensorData { conv.weight.val().into_data() };
    assert_eq!(data(&model.network.enhancer), data(&balanced.enhancer));
    assert_eq!(data(&model.network.promoter), data(&balanced.promoter));
    assert_ne!(model.network.hidden.weight.val().into_data(), balanced.hidden.weight.val().into_data());
}

#[test]
fn settings_that_do_not_fit_are_named() {
    let error = SpeidConfig { promoter: 50, ..SpeidConfig::default() }.validate().unwrap_err().to_string();
    assert_eq!(error, "promoter = 50 is out of range; allowed: 59 to 10000000");
    SpeidConfig::recipe().validate().unwrap();
    let (genome, table) = data();
    let none = InteractionTable { pairs: vec![], ..table };
    let error = SpeidTask::new(&none, &genome, small()).unwrap_err().to_string();
    assert_eq!(error, "there are no pairs; give at least one");
}

#[test]
fn contigs_that_a_pair_links_are_one_group() {
    let locus = |contig: &str, at: i64| Locus::new(contig, at, at + 10).unwrap();
    let (genome, table) = (
        Genome::from_contigs(["a", "b", "c", "d"].map(|name| (name.to_owned(), b"ACGT".repeat(25)))).unwrap(),
        InteractionTable {
            enhancers: vec![locus("a", 0), locus("b", 0), locus("d", 0)],
            promoters: vec![locus("b", 50), locus("c", 50), locus("d", 50)],
            pairs: [0, 1, 2].map(|at| Pair { enhancer: at, promoter: at, interacts: at == 0 }).to_vec(),
        },
    );
    let task = SpeidTask::new(&table, &genome, small()).unwrap();
    // b is on the right of the first pair and on the left of the second
    assert_eq!(task.groups(SplitKind::Chromosome).unwrap(), [0, 0, 1]);
    assert_eq!(task.groups(SplitKind::Group).unwrap(), [0, 1, 2]);
    assert_eq!(task.rows().names[2], "d:1-10(+) d:51-60(+)");
    let error = SpeidTask::new(&table, &Genome::default(), small()).unwrap_err().to_string();
    assert!(error.contains('a') && error.contains('d'), "{error}");
}
