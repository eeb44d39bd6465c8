//! `cargo xtask demo`: each pipeline present trains, evaluates and predicts on data that it generates.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{
    process, report,
    reproduce::{RunMetrics, read_metrics},
    results::badness,
    text,
    workspace::Workspace,
};

/// Arguments of `demo`.
#[derive(Debug, Default, Args)]
pub(crate) struct DemoArgs {
    /// Only these domains
    #[arg(long, value_name = "DOMAIN")]
    domain: Vec<String>,
    /// Folder for the run folders (default: demo in cargo's target folder; emptied first)
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Arguments passed on to each pipeline's demo
    #[arg(last = true, value_name = "ARGS")]
    extra: Vec<String>,
}

/// Runs the verb. A domain that fails does not keep the others from running.
///
/// # Errors
/// A pipeline cannot be built, its demo fails, or leaves no metrics or no report.
pub(crate) fn run(workspace: &Workspace, args: &DemoArgs) -> Result<()> {
    let pipelines = if args.domain.is_empty() {
        workspace.pipelines()?
    } else {
        args.domain.iter().map(|domain| workspace.pipeline(domain)).collect::<Result<_>>()?
    };
    let mut binaries = Vec::new();
    for pipeline in &pipelines {
        eprintln!("building {}", pipeline.binary);
        binaries.push(workspace.binary(pipeline)?);
    }

    let mut rows = Vec::new();
    let mut reports = Vec::new();
    let mut failures = Vec::new();
    for (pipeline, binary) in pipelines.iter().zip(&binaries) {
        let run_dir = run_dir(workspace, args, &pipeline.domain)?;
        let mut command = vec!["demo".to_owned(), "--run-dir".to_owned(), run_dir.display().to_string()];
        command.extend(args.extra.iter().cloned());
        eprintln!("{}: {}", pipeline.domain, process::line(binary, &command));
        let outcome = process::run(binary, &command, &workspace.root).and_then(|time| {
            let report = run_dir.join("report.html");
            if !report.is_file() {
                bail!("the demo left no {}", report.display());
            }
            Ok((time, read_metrics(&run_dir)?, report))
        });
        match outcome {
            Ok((time, metrics, report)) => {
                push_rows(&mut rows, &pipeline.domain, time.as_secs_f64(), &metrics);
                reports.push(format!("{}: {}", pipeline.domain, report.display()));
            }
            Err(error) => {
                eprintln!("{}: {error:#}", pipeline.domain);
                failures.push(pipeline.domain.clone());
            }
        }
    }
    let head = ["domain", "seconds", "metric", "model", "best baseline"];
    text::print(&format!("\n{}\n{}\n", text::table(&head, &rows), reports.join("\n")))?;
    if !failures.is_empty() {
        bail!("the demo failed for {}", failures.join(", "));
    }
    Ok(())
}

/// The run folder of `domain`, which does not exist yet; its parent does.
fn run_dir(workspace: &Workspace, args: &DemoArgs, domain: &str) -> Result<PathBuf> {
    let folder = if let Some(folder) = &args.run_dir {
        let folder =
            std::path::absolute(folder).with_context(|| format!("cannot use {}", folder.display()))?.join(domain);
        if folder.exists() {
            bail!("{} is there already; name another folder with --run-dir", folder.display());
        }
        folder
    } else {
        let folder = workspace.scratch("demo").join(domain);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        folder
    };
    let parent = folder.parent().unwrap_or(&folder);
    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    Ok(folder)
}

fn push_rows(rows: &mut Vec<Vec<String>>, domain: &str, seconds: f64, run: &RunMetrics) {
    let baselines = run.baseline_values();
    for (index, (name, metric)) in run.metrics.iter().enumerate() {
        let first = index == 0;
        rows.push(vec![
            if first { domain.to_owned() } else { String::new() },
            if first { format!("{seconds:.0}") } else { String::new() },
            name.clone(),
            report::spread(metric),
            best(&baselines, name),
        ]);
    }
}

fn best(baselines: &BTreeMap<String, BTreeMap<String, f64>>, metric: &str) -> String {
    let of_metric = baselines.iter().filter_map(|(name, values)| values.get(metric).map(|&value| (name, value)));
    let best = of_metric.min_by(|a, b| badness(metric, a.1).total_cmp(&badness(metric, b.1)));
    best.map_or_else(|| "–".to_owned(), |(name, value)| format!("{} ({name})", text::number(value)))
}
