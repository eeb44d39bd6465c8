//! What the pages of all studies have.

use std::collections::BTreeMap;
use std::fs;

use nn_core::data::Split;
use serde::Serialize;
use workbench::exit::{USAGE, code};
use workbench::figure::{Axes, Series};
use workbench::page::{self, Figures};
use workbench::record::{DataRecord, DataSummary, Environment, Input, RunMetrics, Summary};
use workbench::report::{Page, Section};
use workbench::run::{REPORT, RunFolder};
use workbench::training::Trained;

#[derive(Serialize)]
struct Settings {
    epochs: usize,
}

fn metrics(models: usize) -> RunMetrics {
    RunMetrics {
        task: "binary".into(),
        dataset: "toy".into(),
        protocol: "clean".into(),
        split: "subject".into(),
        models,
        seeds: (1..=models as u64).collect(),
        epochs: vec![2; models],
        metrics: BTreeMap::new(),
        baselines: BTreeMap::new(),
        data: DataSummary::default(),
        device: "cpu".into(),
        wall_seconds: 12.4,
        peak_mb: None,
        version: "9.8.7".into(),
        commit: None,
    }
}

fn environment() -> Environment {
    Environment::collect(Some("abc123"), &[("galen-toy", "9.8.7")], "cpu", 1)
}

fn html(section: Section) -> String {
    Page::new("Toy", "").section(section).render().unwrap()
}

#[test]
fn the_head_names_split_models_and_facts_in_their_order() {
    for (models, subtitle, seeds) in [(1, "subject split, 1 model", "1"), (3, "subject split, 3 models", "1, 2, 3")] {
        let facts = [("Question".to_owned(), "does it rain".to_owned())];
        let html = page::head("Net on toy", &metrics(models), &environment(), facts).render().unwrap();
        let places = [subtitle, "does it rain", "Device", "cpu", "Seeds", seeds, "Version", "9.8.7"].map(|text| {
            let (_, body) = html.split_once("<body").unwrap();
            body.find(&format!(">{text}<")).unwrap_or_else(|| panic!("{text} is missing in:\n{body}"))
        });
        assert!(places.is_sorted(), "{places:?}");
    }
}

#[test]
fn curves_are_drawn_of_the_models_that_have_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::open(folder.path(), false).unwrap();
    let log = "{\"event\":\"epoch\",\"epoch\":0,\"train_loss\":0.5}\n\
               {\"event\":\"validated\",\"epoch\":0,\"metrics\":{\"loss\":0.6,\"auroc\":0.7}}\n\
               {\"event\":\"epoch\",\"epoch\":1,\"train_loss\":0.4}\n\
               {\"event\":\"validated\",\"epoch\":1,\"metrics\":{\"loss\":0.5,\"auroc\":0.8}}\n";
    run.write("logs/seed-0/metrics.jsonl", log).unwrap();
    let figures = Figures { folder: &run };
    assert_eq!(figures.curves("logs/seed-0").unwrap().len(), 3);
    assert!(figures.curves("logs/seed-1").unwrap().is_empty());

    let models = [0, 1].map(|i| Trained { model: (), epochs: 2, best_epoch: Some(1), log: format!("logs/seed-{i}") });
    let html = html(page::learning(figures, &models, "The last ones are kept.").unwrap());
    for what in ["loss", "scores"] {
        assert!(html.contains(&format!("Model 0, {what}: 2 epochs. The last ones are kept.")), "{html}");
        let drawn = fs::read_to_string(folder.path().join(format!("figures/learning-0-{what}.svg"))).unwrap();
        assert!(drawn.contains("best"), "the best epoch has no mark");
    }
    assert!(!html.contains("Model 1"), "{html}");
    assert_eq!(fs::read_dir(folder.path().join("figures")).unwrap().count(), 2);
    assert_eq!((page::best(Some(1)), page::best(None)), (Some((2.0, "best")), None));
}

#[test]
fn a_figure_without_points_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::open(folder.path(), false).unwrap();
    let figures = Figures { folder: &run };
    let axes = Axes { title: "Rain", x: "day", y: "mm" };
    let series = [Series { name: "Kew", points: &[] }];
    let section = figures.lines(Section::new("Rain"), ("rain", "By day."), &axes, &series, None).unwrap();
    assert!(!html(section).contains("By day."));
    assert!(!folder.path().join("figures").exists());
    assert_eq!(figures.keep("rain", "<svg></svg>".to_owned()).unwrap(), "<svg></svg>");
    assert_eq!(fs::read_to_string(folder.path().join("figures/rain.svg")).unwrap(), "<svg></svg>");
}

#[test]
fn the_parts_are_counted() {
    let splits = [Split::new(vec![0, 1, 2], vec![3], vec![4, 5]), Split::new(vec![4, 5], vec![], vec![0])];
    let table = page::parts("Rows", ["train", "validation", "test"], &splits);
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["model", "train", "validation", "test"]);
    assert_eq!(table.rows, [["0", "3", "1", "2"], ["1", "2", "0", "1"]]);

    let crossed = "Cross-validation with 5 folds: each model is tested on a fold of its own";
    assert!(html(page::division("By subject.", 5)).contains(crossed));
    let html = html(page::division("By subject.", 0));
    assert!(html.contains("By subject.") && !html.contains("Cross-validation"), "{html}");
}

#[test]
fn models_stand_below_the_baselines() {
    let mut found = metrics(3);
    // The deviation of 0.7, 0.8 and 0.9 is 0.1; a score that was measured once has none.
    found.metrics = BTreeMap::from([
        ("auroc".to_owned(), Summary::of(vec![0.7, 0.8, 0.9]).unwrap()),
        ("recall".to_owned(), Summary::of(vec![0.4]).unwrap()),
    ]);
    found.baselines = BTreeMap::from([("majority".to_owned(), BTreeMap::from([("auroc".to_owned(), 0.5)]))]);
    let table = page::results("toy, test part", &found);
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!((table.caption.as_str(), names), ("toy, test part", vec!["model", "auroc", "recall"]));
    assert_eq!(table.rows, [["majority", "0.500", "–"], ["3 models", "0.800 ± 0.100", "0.400"]]);
}

#[test]
fn intervals_are_those_that_there_are() {
    let summary = |value: f64| Summary::of(vec![value]).unwrap();
    let scores =
        BTreeMap::from([("auroc".to_owned(), summary(0.7).interval(0.61249, 0.8)), ("loss".to_owned(), summary(0.5))]);
    let table = page::intervals("95 % intervals", &scores);
    assert_eq!(table.rows, [["auroc", "0.612", "0.800"]]);
}

#[test]
fn rows_that_are_not_used_are_told_by_reason() {
    let mut record = DataRecord::default();
    assert_eq!(page::dropped(&record), "none");
    record.dropped = BTreeMap::from([("no label".to_owned(), 3), ("too short".to_owned(), 1)]);
    assert_eq!(page::dropped(&record), "3 (no label), 1 (too short)");
}

#[test]
fn the_surroundings_list_inputs_that_fit_on_a_page() {
    let input = |i: usize| Input { name: format!("part-{i}"), bytes: 7, sha256: format!("digest-{i}") };
    for (count, listed) in [(24, true), (25, false)] {
        let record = DataRecord { inputs: (0..count).map(input).collect(), ..DataRecord::default() };
        let section = page::surroundings(&environment(), &metrics(1), &record, &Settings { epochs: 3 }).unwrap();
        let html = html(section);
        for text in ["abc123", "12 s", "unknown", "galen-toy", "epochs = 3"] {
            assert!(html.contains(text), "{text} is missing in:\n{html}");
        }
        assert_eq!(html.contains("digest-23"), listed);
        assert_eq!(html.contains("25 input files; data.json has their SHA-256."), !listed);
    }
}

#[test]
fn settings_that_cannot_be_shown_are_a_matter_of_configuration() {
    #[derive(Serialize)]
    struct Odd {
        nothing: (),
    }
    let record = DataRecord::default();
    let error = page::surroundings(&environment(), &metrics(1), &record, &Odd { nothing: () }).unwrap_err();
    assert_eq!(code(&anyhow::Error::from(error)), USAGE);
}

#[test]
fn the_page_is_written_to_the_run_folder() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::open(folder.path(), false).unwrap();
    page::write(&run, &Page::new("Toy", "")).unwrap();
    assert!(fs::read_to_string(folder.path().join(REPORT)).unwrap().contains("<h1>Toy</h1>"));
}
