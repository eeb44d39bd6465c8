//! Skip-gram vectors of codes (Choi E. et al. 2016, Choi Y. et al. 2016): whether the nearest codes are of the same
//! category of CCS, beside the codes that most often stand in the same visit. Nothing but the visits is learnt from.

use super::histories::histories;
use super::{Bench, Found};
use anyhow::Context;
use ehr::split::Part;
use ehr::systems::embedding::measures::{Similarity, ccs_kinds, most_frequent, ndcg, nearest};
use ehr::systems::embedding::{CodeEmbedding, CodeEmbeddingConfig, Grouping};
use ehr::view::View;
use nn_core::models::embedding::{Cooccurrence, Decay, SkipGramConfig};
use std::collections::BTreeMap;
use workbench::observe::say;
use workbench::table::Table;

/// Passes over the visits.
pub(super) const EPOCHS: usize = 20;
/// Nearest codes that are looked at, as in the authors' code.
const NEAREST: usize = 40;
/// Visits that a code must be in.
const LEAST: u64 = 5;
/// Codes that the report shows with their neighbours.
const SHOWN: usize = 12;

pub(super) fn run(bench: &Bench<'_>) -> anyhow::Result<Found> {
    let made = histories(bench, bench.config.seed)?;
    let views: Vec<View<'_>> = made.last_views(Part::Train);
    let base = CodeEmbeddingConfig::default();
    let skip_gram = SkipGramConfig { epochs: bench.config.epochs, ..base.skip_gram.clone() };
    let config = CodeEmbeddingConfig {
        grouping: Grouping::Visits(made.sequence.visits.clone()),
        min_count: LEAST,
        skip_gram,
        ..base
    };
    let corpus = config.corpus(&views)?;
    let kinds = ccs_kinds(&corpus.names, &made.tables);
    let judged = kinds.iter().flatten().count();
    let mut found = Found {
        task: "category of the nearest codes",
        text: format!(
            "Visits of {} training patients, {} codes that are in {LEAST} visits or more, {judged} of them with a category \
             of CCS. `ndcg` is the discounted gain of the {NEAREST} nearest codes divided by the best possible, `first` the \
             share of codes whose nearest one is of their category.",
            views.len(),
            corpus.names.len()
        ),
        metrics: BTreeMap::new(),
        baselines: BTreeMap::new(),
        epochs: Vec::new(),
        record: made.record(),
        tables: Vec::new(),
    };
    let lone = "every code is the only one of its category, so that nothing can be judged";
    let counts = Cooccurrence::count(&corpus.corpus, corpus.names.len(), config.window(), Decay::None)?;
    let before = ndcg(&most_frequent(&counts, &kinds, NEAREST)?, &kinds, NEAREST).context(lone)?;
    found.baselines.insert("most often in the same visit", scores(before));
    for model in 0..bench.config.models as u64 {
        let seed = bench.config.seed + model;
        let skip_gram = SkipGramConfig { seed, ..config.skip_gram.clone() };
        let learnt = CodeEmbeddingConfig { skip_gram, ..config.clone() }.fit_corpus(&corpus)?;
        let similarity = ndcg(&nearest(learnt.vectors(), &kinds, NEAREST)?, &kinds, NEAREST).context(lone)?;
        say(bench.common, &format!("model {model}: ndcg {:.3}, before {:.3}", similarity.ndcg, before.ndcg));
        for (name, value) in scores(similarity) {
            found.metrics.entry(name).or_default().push(value);
        }
        if model == 0 {
            found.tables.push(neighbours(&learnt, &kinds));
            let mut text = Vec::new();
            learnt.write(&mut text)?;
            bench.folder.write("vectors.txt", text)?;
        }
        found.epochs.push(bench.config.epochs);
    }
    Ok(found)
}

fn scores(similarity: Similarity) -> BTreeMap<String, f64> {
    let scores = [("ndcg", similarity.ndcg), ("first", similarity.first), ("codes", similarity.codes as f64)];
    scores.map(|(name, value)| (name.to_owned(), value)).into()
}

/// The most frequent codes with a category, each with its three nearest.
fn neighbours(learnt: &CodeEmbedding, kinds: &[Option<u32>]) -> Table {
    let mut table = Table::new("Frequent codes and those nearest to them").text("code").text("nearest");
    let judged = learnt.names().iter().zip(kinds).filter(|(_, kind)| kind.is_some()).map(|(name, _)| name);
    for name in judged.take(SHOWN) {
        let near = learnt.neighbours(name, 3).unwrap_or_default();
        let near: Vec<String> = near.into_iter().map(|(name, cosine)| format!("{name} ({cosine:.2})")).collect();
        table.push([name.clone(), near.join(", ")]);
    }
    table
}
