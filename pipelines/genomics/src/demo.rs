//! `demo`: the whole way on a genome generated on the spot, in less than a minute on two cores: train, recover the motif,
//! score variants, intervals and reads.

use crate::cli::{Demo, Predict, Variants, What};
use crate::config::{DemoConfig, MotifConfig, RunConfig, print};
use crate::inputs::Loaded;
use crate::{predict, train, variants};
use anyhow::Context;
use genomics::coverage::{Bins, CoverageConfig, Scale, Signal};
use genomics::io::bam::{AlignmentOptions, Alignments};
use genomics::io::bed::{BedLayout, write_bed};
use genomics::io::fasta::write_genome;
use genomics::split::SplitKind;
use genomics::study::{OptimizerKind, ScheduleKind, StudyConfig};
use genomics::synthetic::{
    GenomeConfig, ReadConfig, SyntheticGenome, SyntheticVariant, VariantConfig, VariantEffect, sam, vcf,
};
use genomics::systems::NetConfig;
use genomics::systems::deep_bind::DeepBindConfig;
use nn_core::metrics::auroc;
use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use workbench::args::Common;
use workbench::config::{Flags, earlier};
use workbench::exit::Usage;
use workbench::observe::say;
use workbench::table::Table;
use workbench::training::quoted;

/// The motif that was planted.
const PLANTED: &str = "KITE";
/// Bases from one predicted tile to the next.
const STEP: usize = 50;

/// The settings of a demo, whole or quick.
fn defaults(quick: bool) -> RunConfig {
    let mut demo = DemoConfig { quick, genome: GenomeConfig::default() };
    let network =
        DeepBindConfig { filters: 32, kernel: 15, second_filters: 64, hidden: 32, ..DeepBindConfig::default() };
    let mut study = StudyConfig {
        split: Some(SplitKind::Chromosome),
        models: 1,
        epochs: 15,
        patience: 8,
        batch_size: 32,
        learning_rate: 2e-3,
        schedule: ScheduleKind::Constant,
        optimizer: OptimizerKind::Adam,
        weight_decay: 0.0,
        network: NetConfig::DeepBind(network),
        ..StudyConfig::default()
    };
    if quick {
        (demo.genome.contigs, demo.genome.windows, study.epochs) = (3, 60, 2);
    }
    let motifs = MotifConfig { database: None, expect: Some(PLANTED.to_owned()) };
    RunConfig { dataset: "synthetic".into(), study, motifs, demo: Some(demo), ..RunConfig::default() }
}

pub(crate) fn run(common: &Common, args: &Demo, stop: &AtomicBool) -> anyhow::Result<()> {
    let run_dir = common.run_dir_or("runs/demo-genomics");
    let defaults = earlier(common, &run_dir)?.unwrap_or_else(|| defaults(args.quick));
    let not_ours = || Usage(format!("the run in {} is none of demo's; continue it with train", run_dir.display()));
    if defaults.demo.is_none() {
        return Err(not_ours().into());
    }
    let flags = Flags::new().set("demo.quick", args.quick.then_some(true));
    let mut config = RunConfig::resolved(&defaults, common, flags)?;
    let seed = config.study.seed;
    let generated = &mut config.demo.as_mut().ok_or_else(not_ours)?.genome;
    generated.seed = seed;
    let made = SyntheticGenome::new(generated)?;
    if common.print_config {
        return Ok(print(&config)?);
    }
    let loaded = Loaded::generated(made.dataset()?, "half of them with the motif at one wrong base");
    config.study = config.study.clone().resolved(&loaded.set, false)?;
    let resume = format!("galen-genomics demo --run-dir {} --resume", quoted(&run_dir));
    train::study(common, &config, &loaded, &run_dir, &resume, stop)?;
    use_model(common, &config, &made, &run_dir, stop)
}

/// What a user would do next: score variants, peaks and a contig, and count reads.
fn use_model(
    common: &Common,
    config: &RunConfig,
    made: &SyntheticGenome,
    run_dir: &Path,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let folder = run_dir.join("demo");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let file = |name: &str| -> PathBuf { folder.join(name) };
    let seed = config.study.seed;
    let truth = made.variants(&VariantConfig { seed, ..VariantConfig::default() })?;
    write_genome(&file("genome.fa"), &made.genome()?)?;
    nn_core::atomic::write(&file("variants.vcf"), vcf(made, &truth).as_bytes())?;
    let reads = made.reads(&ReadConfig { seed, ..ReadConfig::default() })?;
    nn_core::atomic::write(&file("reads.sam"), sam(made, &reads).as_bytes())?;
    let mut peaks = made.peaks();
    peaks.truncate(20);
    if let Some(last) = peaks.last_mut() {
        // A row with a mistake in it: far behind the end of its contig.
        last.locus.start += 1_000_000_000;
        last.locus.end += 1_000_000_000;
        last.peak = None;
    }
    write_bed(&file("peaks.bed"), &peaks, BedLayout::Bed(6))?;

    let device = &config.device;
    let asked = Variants {
        model: run_dir.to_path_buf(),
        vcf: file("variants.vcf"),
        genome: file("genome.fa"),
        alias: None,
        out: file("effects.vcf"),
        table: Some(file("effects.tsv")),
        genes: None,
    };
    variants::variants(common, device, &asked, stop)?;
    let ask = |what: What, out: &str, contig: Vec<String>| Predict {
        model: run_dir.to_path_buf(),
        what,
        genome: Some(file("genome.fa")),
        alias: None,
        bam: Vec::new(),
        contig,
        task: None,
        out: file(out),
    };
    let bed = What { fasta: None, bed: Some(file("peaks.bed")), tile: None, data: None };
    predict::predict(common, device, &ask(bed, "peaks.csv", Vec::new()), stop)?;
    let tiles = What { fasta: None, bed: None, tile: Some(STEP), data: None };
    predict::predict(common, device, &ask(tiles, "chr1.bw", vec!["chr1".to_owned()]), stop)?;
    let mut alignments = Alignments::open(&file("reads.sam"), &AlignmentOptions::default())?;
    let counted = CoverageConfig { signal: Signal::Extended { size: 180 }, ..CoverageConfig::default() };
    let bins = Bins::count(&mut alignments, &counted, 50)?;
    bins.write(&file("coverage.bw"), Scale::Cpm)?;
    say(common, &format!("reads: {}", bins.report));

    let effects = log_odds(&file("effects.tsv"))?;
    let (table, ranking) = ranking(&truth, &effects);
    nn_core::atomic::write(&file("ranking.json"), format!("{ranking}\n").as_bytes())?;
    if !common.json {
        let mut out = std::io::stdout().lock();
        writeln!(out)?;
        table.write(&mut out, false)?;
        writeln!(out, "\nvariants, predictions, tracks: {}", folder.display())?;
        writeln!(out, "report: {}", run_dir.join("report.html").display())?;
    }
    Ok(())
}

/// Logarithm of the odds ratio of each variant, by its identifier, from a table of effects.
fn log_odds(path: &Path) -> anyhow::Result<HashMap<String, f64>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    let column = |name: &str| {
        head.iter().position(|column| *column == name).with_context(|| format!("{} has no {name}", path.display()))
    };
    let (id, effect) = (column("id")?, column("LOGODDS")?);
    Ok(lines
        .filter_map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            Some(((*fields.get(id)?).to_owned(), fields.get(effect)?.parse().ok()?))
        })
        .collect())
}

/// How well the effects tell the kinds of variants apart, as a table and as JSON.
fn ranking(truth: &[SyntheticVariant], effects: &HashMap<String, f64>) -> (Table, serde_json::Value) {
    let known: Vec<(VariantEffect, f64)> =
        truth.iter().filter_map(|made| Some((made.effect, *effects.get(made.variant.id.as_deref()?)?))).collect();
    let mut table = Table::new("Variants by what they do to the planted motif")
        .text("effect")
        .number("variants")
        .number("mean log odds ratio")
        .number("AUROC against neutral ones")
        .number("among the first ranks");
    let mut found = serde_json::Map::new();
    for (effect, sign) in [(VariantEffect::Disrupts, -1.0), (VariantEffect::Creates, 1.0)] {
        let of = |wanted: VariantEffect| known.iter().filter(move |(effect, _)| *effect == wanted);
        let n = of(effect).count();
        let mean = of(effect).map(|(_, value)| value).sum::<f64>() / n.max(1) as f64;
        let pairs = of(effect).chain(of(VariantEffect::Neutral));
        let (labels, scores): (Vec<bool>, Vec<f64>) =
            pairs.map(|(found, value)| (*found == effect, sign * value)).unzip();
        let score = auroc(&labels, &scores).ok();
        // Of all variants, those that change the prediction most in the direction of this kind.
        let mut order: Vec<&(VariantEffect, f64)> = known.iter().collect();
        order.sort_by(|a, b| (sign * b.1).total_cmp(&(sign * a.1)));
        let first = order.iter().take(n).filter(|(found, _)| *found == effect).count();
        table.push([
            effect.name().to_owned(),
            n.to_string(),
            format!("{mean:+.2}"),
            score.map_or_else(|| "–".to_owned(), |score| format!("{score:.3}")),
            format!("{first} of {n}"),
        ]);
        found.insert(
            effect.name().to_owned(),
            serde_json::json!({ "variants": n, "mean": mean, "auroc": score, "first": first }),
        );
    }
    (table, serde_json::Value::Object(found))
}
