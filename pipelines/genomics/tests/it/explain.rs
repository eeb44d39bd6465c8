//! `explain` draws what a prediction rests on, and says how far it adds up.

use crate::command::{demo_run, folder_with, galen_genomics_in};
use crate::data::Draw;
use std::fs;

#[test]
fn every_method_explains_every_base() {
    let mut draw = Draw::new(2);
    let text = (0..6).fold(String::new(), |text, row| format!("{text}>s{row}\n{}\n", draw.bases(200)));
    let folder = folder_with(&[("a.fa", &text)]);
    let model = demo_run().to_string_lossy().into_owned();
    for method in ["mutagenesis", "gradients", "deeplift"] {
        let arguments = [
            "explain",
            "--model",
            &model,
            "--fasta",
            "a.fa",
            "--method",
            method,
            "--shown",
            "2",
            "--set",
            "shuffles=2",
            "--run-dir",
            method,
        ];
        let told = galen_genomics_in(folder.path(), &arguments).ends_with(0);
        assert!(told.stdout.contains("report: ") && told.stdout.contains("s0"), "{}", told.stdout);
        let read = |name: &str| fs::read_to_string(folder.path().join(method).join(name)).unwrap();
        let rows: Vec<String> = read("attributions.tsv").lines().skip(1).map(str::to_owned).collect();
        assert_eq!(rows.len(), 6 * 200);
        let value = |row: &String| row.split('\t').next_back().unwrap().parse::<f64>().unwrap();
        assert!(
            rows.iter().map(value).all(f64::is_finite) && rows.iter().map(value).any(|value| value != 0.0),
            "{method}"
        );
        let report = read("report.html");
        assert!(report.matches("<svg").count() >= 2, "{method}");
        assert!(folder.path().join(method).join("figures/sequence-1.svg").exists());
        assert_eq!(folder.path().join(method).join("figures/mutations-0.svg").exists(), method == "mutagenesis");
    }
}

#[test]
fn a_task_that_is_not_there_is_refused() {
    let folder = folder_with(&[("a.fa", &format!(">s\n{}\n", Draw::new(1).bases(200)))]);
    let model = demo_run().to_string_lossy().into_owned();
    let arguments = ["explain", "--model", &model, "--fasta", "a.fa", "--task", "open", "--run-dir", "out"];
    galen_genomics_in(folder.path(), &arguments).ends_with(2).says("the model predicts bound");
    assert!(!folder.path().join("out").exists());
}
