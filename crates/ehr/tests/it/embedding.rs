//! Vectors of codes on real records: near codes are of one category of CCS.

use std::collections::HashMap;
use std::fs::File;

use ehr::codes::CodeTables;
use ehr::events::{Events, EventsBuilder};
use ehr::systems::embedding::CodeEmbeddingConfig;
use ehr::systems::embedding::measures::{ccs_kinds, most_frequent, ndcg, nearest};
use ehr::time::{Span, Time};
use ehr::view::View;
use flate2::read::MultiGzDecoder;
use nn_core::models::embedding::{Cooccurrence, Decay, SkipGramConfig, Window};

use crate::data;

/// The three diagnoses of each stay, one day for each stay of a patient: the set has an order of stays and no dates.
fn diagnoses() -> Option<Events> {
    let path = data::path("diabetes130/diabetic_data.csv.gz")?;
    let mut reader = csv::Reader::from_reader(MultiGzDecoder::new(File::open(path).unwrap()));
    let headers = reader.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|own| own == name).unwrap();
    let columns = ["patient_nbr", "encounter_id", "diag_1", "diag_2", "diag_3"].map(column);
    let mut stays: Vec<(i64, i64, [String; 3])> = reader
        .records()
        .map(|row| {
            let row = row.unwrap();
            let [patient, stay, first, second, third] = columns.map(|at| row[at].to_owned());
            (patient.parse().unwrap(), stay.parse().unwrap(), [first, second, third])
        })
        .collect();
    stays.sort_by_key(|(patient, stay, _)| (*patient, *stay));
    let start = Time::from_civil(2000, 1, 1, 0, 0, 0).unwrap();
    let (mut builder, mut days) = (EventsBuilder::new(), HashMap::new());
    for (patient, _, codes) in stays {
        let day = days.entry(patient).and_modify(|day| *day += 1).or_insert(0);
        for code in codes.iter().filter(|code| *code != "?") {
            // the set has lost leading zeros: 38 is 038
            let category = if code.starts_with(['V', 'E']) { code.clone() } else { format!("{code:0>3}") };
            let name = match code.split_once('.') {
                Some((before, behind)) if before.len() < 3 => format!("{before:0>3}.{behind}"),
                Some(_) => code.clone(),
                None => category,
            };
            builder.push(
                patient,
                Some(start.plus(Span::days(*day))),
                &format!("DIAGNOSIS//ICD9CM//{name}"),
                None,
                None,
            );
        }
    }
    Some(builder.finish().unwrap())
}

#[test]
fn neighbours_share_a_category_more_often_than_companions_do() {
    let (Some(events), Some(maps)) = (diagnoses(), data::path("icd_maps")) else { return };
    let tables = CodeTables::load(&maps).unwrap();
    let views: Vec<View<'_>> =
        events.iter().filter_map(|subject| subject.last_time().map(|last| subject.as_of(last))).collect();
    let config = CodeEmbeddingConfig {
        skip_gram: SkipGramConfig {
            dimension: 32,
            window: Window::WholeSequence,
            epochs: 10,
            ..SkipGramConfig::default()
        },
        ..CodeEmbeddingConfig::default()
    };
    let corpus = config.corpus(&views).unwrap();
    let kinds = ccs_kinds(&corpus.names, &tables);
    let embedding = config.fit_corpus(&corpus).unwrap();
    let learnt = ndcg(&nearest(embedding.vectors(), &kinds, 10).unwrap(), &kinds, 10).unwrap();
    let counts = Cooccurrence::count(&corpus.corpus, corpus.names.len(), config.window(), Decay::None).unwrap();
    let counted = ndcg(&most_frequent(&counts, &kinds, 10).unwrap(), &kinds, 10).unwrap();
    // gensim's skip-gram has 0.22 on the same records after 20 passes with 50 numbers, companions 0.07
    assert_eq!(learnt.codes, counted.codes);
    assert!(learnt.codes > 500 && learnt.ndcg > 2.0 * counted.ndcg, "{learnt:?} and {counted:?}");
    assert!((0.05..0.09).contains(&counted.ndcg), "{counted:?}");
}
