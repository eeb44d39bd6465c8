//! `variants`: what each variant of a VCF file does to the predictions, one output record for each input record.

use crate::cli::{Variants, counted};
use crate::config::{DeviceConfig, without_run_folder};
use crate::inputs;
use genomics::dataset::Labels;
use genomics::evaluate::softmax;
use genomics::io::vcf::VcfReader;
use genomics::model::{Ensemble, StrandPolicy};
use genomics::variant::{Outputs, Prediction, Scale, ScoreConfig, Summary, VariantScorer, annotate};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
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
    let outputs = if is_table(&args.out) {
        Outputs { vcf: None, table: Some(&args.out) }
    } else {
        Outputs { vcf: Some(&args.out), table: args.table.as_deref() }
    };
    let found = annotate(reader, &genome, Some(&mut scorer), outputs);
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
