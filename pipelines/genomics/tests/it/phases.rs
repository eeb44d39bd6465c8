//! Systems that are trained in the phases of their authors.

use crate::command::{Finished, folder_with, galen_genomics_in};
use crate::data::Draw;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const SPEID: [&str; 7] = [
    "network.enhancer=60",
    "network.promoter=40",
    "network.filters=4",
    "network.kernel=5",
    "network.pool=4",
    "network.recurrent=2",
    "network.hidden=4",
];
const DEEPCPG: [&str; 8] = [
    "network.window=31",
    "network.filters=[4,4]",
    "network.kernels=[5,3]",
    "network.hidden=4",
    "network.neighbours=3",
    "network.per_cell=4",
    "network.recurrent=2",
    "network.joint=[4]",
];

fn train(folder: &Path, run: &str, system: &str, words: &[&str], settings: &[&str]) -> Finished {
    let mut all = vec!["train", "--system", system, "--run-dir", run, "--models", "1", "--epochs", "2"];
    all.extend_from_slice(words);
    let usual = ["recipe.batch_size=16", "recipe.learning_rate=0.005", "phases=true"];
    all.extend(usual.into_iter().chain(settings.iter().copied()).flat_map(|setting| ["--set", setting]));
    galen_genomics_in(folder, &all)
}

#[test]
fn every_phase_is_told_of_and_the_run_is_whole() {
    let mut draw = Draw::new(5);
    let genome = (1..=3).fold(String::new(), |text, contig| format!("{text}>chr{contig}\n{}\n", draw.bases(2400)));
    // a site every 70 bases, called in either cell
    let sites = (0..90).fold("contig\tposition\ta\tb\n".to_owned(), |mut text, site| {
        let (contig, position, state) =
            (site / 30 + 1, site % 30 * 70 + 100, usize::from(draw.bases(1).as_str() < "G"));
        writeln!(text, "chr{contig}\t{position}\t{state}\t{}", 1 - state).unwrap();
        text
    });
    let head = "enhancer_chrom\tenhancer_start\tenhancer_end\tpromoter_chrom\tpromoter_start\tpromoter_end\tlabel\n";
    // one of three pairs interacts
    let pairs = (0..60).fold(head.to_owned(), |mut text, pair| {
        let (contig, start, label) = (pair / 20 + 1, pair % 20 * 110, u8::from(pair % 3 == 0));
        let ends = format!("{}\tchr{contig}\t{}\t{}", start + 60, start + 60, start + 100);
        writeln!(text, "chr{contig}\t{start}\t{ends}\t{label}").unwrap();
        text
    });
    let folder = folder_with(&[("genome.fa", &genome), ("sites.tsv", &sites), ("pairs.tsv", &pairs)]);
    let path = folder.path();
    for (system, data, settings, phases) in
        [("deepcpg", "sites.tsv", &DEEPCPG[..], &["dna", "cpg"][..]), ("speid", "pairs.tsv", &SPEID, &["balanced"])]
    {
        let words = ["--data", data, "--genome", "genome.fa"];
        let told = train(path, system, system, &words, settings).ends_with(0);
        // two epochs of each phase
        let epochs = told.stderr.lines().filter(|line| line.contains("epoch 2/2")).count();
        assert_eq!(epochs, phases.len() + 1, "{}", told.stderr);
        for phase in phases {
            assert!(path.join(format!("{system}/checkpoint/seed-0/{phase}/last")).is_dir(), "{system}: {phase}");
        }
        let metrics = fs::read_to_string(path.join(format!("{system}/metrics.json"))).unwrap();
        let metrics: Value = serde_json::from_str(&metrics).unwrap();
        assert!(metrics["epochs"][0] == 2 && metrics["metrics"]["auroc"]["mean"].is_number(), "{metrics}");
        let report = fs::read_to_string(path.join(format!("{system}/report.html"))).unwrap();
        assert!(report.contains("The curves are those of the last phase") && report.contains("Calibration"));
        assert!(path.join(format!("{system}/figures/reliability.svg")).is_file());
        assert!(path.join(format!("{system}/audit.json")).is_file());
        let again = ["train", "--run-dir", system, "--resume"];
        galen_genomics_in(path, &again).ends_with(0).says("trained before");
        let longer = [&again[..], &["--epochs", "4"]].concat();
        galen_genomics_in(path, &longer).ends_with(1).says("recipe.epochs was 2, is 4");
    }
    let words = ["--data", "sites.tsv", "--genome", "genome.fa"];
    let alone = [&DEEPCPG[..], &["network.modules=cpg"]].concat();
    train(path, "alone", "deepcpg", &["--data", "sites.tsv"], &alone).ends_with(2).says("is trained in one go");
    train(path, "plain", "deepcpg", &words, &["phases=maybe"]).ends_with(2);
}
