//! `variants`: what each variant of a VCF file does to the predictions, one output record for each input record.

use crate::cli::{Variants, counted};
use crate::config::{DeviceConfig, without_run_folder};
use crate::inputs;
use genomics::dataset::Labels;
use genomics::evaluate::softmax;
use genomics::genome::Genome;
use genomics::io::vcf::VcfReader;
use genomics::model::{Ensemble, StrandPolicy, files};
use genomics::systems::expecto::{Expecto, ExpectoScorer};
use genomics::task::{TaskCard, TaskNetConfig};
use genomics::variant::{Outputs, Prediction, Scale, Score, ScoreConfig, Summary, VariantScorer, annotate};
use nn_core::burn::tensor::Device;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use workbench::args::Common;
use workbench::exit::{Stopped, Usage};
use workbench::observe::say;
use workbench::table::Table;

/// Sequences that the networks are given at once.
const AT_ONCE: usize = 512;

pub(crate) fn run(common: &Common, args: &Variants, stop: &AtomicBool) -> anyhow::Result<()> {
    without_run_folder(common, "variants")?;
    match DeviceConfig::new(common)? {
        Some(settings) => {
            let summary = variants(common, &settings.device, args, stop)?;
            let mut out = std::io::stdout().lock();
            if common.json {
                writeln!(out, "{}", serde_json::to_string(&summary)?)?;
            } else {
                table(&summary).write(&mut out, false)?;
            }
            Ok(())
        }
        None => Ok(()),
    }
}

/// What a network makes of sequences, as numbers of which differences have a meaning: logits, of classes the logits of
/// their probabilities, or values.
fn scores(ensemble: &Ensemble, sequences: &[&[u8]]) -> Prediction {
    let logits = ensemble.logits(sequences)?;
    let odds = |p: f64| {
        // Kept finite where the probability is 0 or 1.
        let p = p.clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON);
        (p / (1.0 - p)).ln() as f32
    };
    Ok(match &ensemble.card().predicts.labels {
        Labels::Binary | Labels::Values => logits.into_iter().map(|logit| logit as f32).collect(),
        Labels::Classes(classes) => logits.chunks(classes.len().max(1)).flat_map(softmax).map(odds).collect(),
    })
}

/// Scores the file on `device` and writes what was asked for.
pub(crate) fn variants(common: &Common, device: &str, args: &Variants, stop: &AtomicBool) -> anyhow::Result<Summary> {
    let is_table = |path: &Path| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("tsv"));
    if is_table(&args.out) && args.table.is_some() {
        return Err(Usage("--out is a table already; leave out --table, or name the VCF file with --out".into()).into());
    }
    let device = nn_core::compute::device(device)?;
    let outputs = if is_table(&args.out) {
        Outputs { vcf: None, table: Some(&args.out) }
    } else {
        Outputs { vcf: Some(&args.out), table: args.table.as_deref() }
    };
    let models = files(&args.model)?;
    if TaskCard::is_in(&models[0])? {
        return expression(common, &device, args, &models, (outputs, stop));
    }
    if args.genes.is_some() {
        let text = "--genes is for expecto, and the model reads windows around variants; leave it out";
        return Err(Usage(text.into()).into());
    }
    let ensemble = Ensemble::load(&args.model, &device)?;
    let genome = inputs::genome(&args.genome, args.alias.as_deref())?;
    let reader = VcfReader::open(&args.vcf)?;
    let card = ensemble.card();
    let scale = if card.predicts.labels == Labels::Values { Scale::Values } else { Scale::Logits };
    let config = ScoreConfig {
        width: ensemble.window(),
        // A model that averages gives one number for both strands by itself.
        average_strands: card.preprocessing.strands == StrandPolicy::Augment,
        scale,
        batch: AT_ONCE,
        ..ScoreConfig::default()
    };
    let tasks = card.predicts.outputs().to_vec();
    let text = format!(
        "{}, windows of {} bases; effects on {}",
        counted(ensemble.models().len(), "model"),
        ensemble.window(),
        card.predicts.describe()
    );
    say(common, &text);
    let predict = |sequences: &[&[u8]]| -> Prediction {
        if stop.load(Ordering::Relaxed) {
            return Err("stopped".into());
        }
        scores(&ensemble, sequences)
    };
    let mut scorer = VariantScorer::new(&genome, config, tasks, predict)?;
    scored(common, (reader, &genome), &mut scorer, args, (outputs, stop))
}

/// The same for `ExPecto`: effects on the expression of the nearest gene.
fn expression(
    common: &Common,
    device: &Device,
    args: &Variants,
    models: &[PathBuf],
    outputs: (Outputs<'_>, &AtomicBool),
) -> anyhow::Result<Summary> {
    let card = TaskCard::load(&models[0])?;
    let TaskNetConfig::Expecto(config) = &card.network else {
        let text = format!("{} scores no variants; expecto and networks that read windows do", card.network.system());
        return Err(Usage(text).into());
    };
    let Some(genes) = &args.genes else {
        return Err(Usage("expecto scores variants by the nearest gene; give --genes FILE".into()).into());
    };
    let networks = models.iter().map(|file| Ok(Expecto::load(file, device)?.0)).collect::<anyhow::Result<Vec<_>>>()?;
    let genome = inputs::genome(&args.genome, args.alias.as_deref())?;
    let genes = inputs::starts(genes, &genome)?;
    let reader = VcfReader::open(&args.vcf)?;
    let text = format!(
        "{}; effects on {} of the nearest of {}, up to {} bases away",
        counted(networks.len(), "model"),
        card.predicts.describe(),
        counted(genes.len(), "gene"),
        config.spatial.reach
    );
    say(common, &text);
    let mut scorer = ExpectoScorer::new(&networks, card.predicts.tasks.clone(), &genome, &genes, outputs.1)?;
    scored(common, (reader, &genome), &mut scorer, args, outputs)
}

/// Scores all variants and writes what was asked for.
fn scored(
    common: &Common,
    (reader, genome): (VcfReader, &Genome),
    scorer: &mut dyn Score,
    args: &Variants,
    (outputs, stop): (Outputs<'_>, &AtomicBool),
) -> anyhow::Result<Summary> {
    let found = annotate(reader, genome, Some(scorer), outputs);
    if stop.load(Ordering::Relaxed) {
        return Err(Stopped(format!("{} was not written", args.out.display())).into());
    }
    let summary = found?;
    say(common, &remarks(&summary));
    Ok(summary)
}

/// What a user must know of the file.
fn remarks(summary: &Summary) -> String {
    let mut text = format!(
        "{}, {}, of which {} were scored",
        counted(summary.records as usize, "record"),
        counted(summary.alleles() as usize, "allele"),
        summary.scored
    );
    // Writing to a string does not fail.
    for (file, genome) in &summary.renamed {
        let _ = write!(text, "\n  contig {file} is {genome} of the genome");
    }
    for (contig, alleles) in &summary.unknown {
        let _ = write!(text, "\n  contig {contig} is not in the genome: {alleles} alleles");
    }
    for length in &summary.lengths {
        let _ = write!(
            text,
            "\n  warning: contig {} has {} bases in the file's header and {} in the genome; is it the same assembly?",
            length.contig, length.file, length.genome
        );
    }
    if summary.quarantined > 0 {
        let _ = write!(text, "\n  rows that cannot be used: {}", summary.quarantined);
    }
    for row in &summary.first_quarantined {
        let _ = write!(text, "\n    {row}");
    }
    for note in &summary.notes {
        let _ = write!(text, "\n  {note}");
    }
    text
}

/// Alleles by how they stand to the genome.
fn table(summary: &Summary) -> Table {
    let mut table = Table::new("Alleles by status").text("status").number("alleles");
    for (status, alleles) in &summary.statuses {
        table.push([(*status).to_owned(), alleles.to_string()]);
    }
    table.push(["scored".to_owned(), summary.scored.to_string()]);
    table
}
