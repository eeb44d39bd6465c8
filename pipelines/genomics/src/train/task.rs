//! `train` of a system whose rows are more than one window: models, baselines, scores, files and the report of one
//! study.

mod config;
mod data;
mod page;
mod results;
mod visit;

pub(crate) use self::data::{Asked, is_of_tasks, load};
pub(crate) use self::visit::{Visit, with_task};

use self::config::TaskRunConfig;
use self::data::TaskData;
use super::results::{summaries, table_of};
use super::{Baseline, environment, recorded};
use crate::cli::Train;
use genomics::audit::RowsAudit;
use genomics::task::{Task, TaskError, TaskModel, TaskNetConfig, TaskStudy};
use nn_core::burn::tensor::Device;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use workbench::args::Common;
use workbench::observe::say;
use workbench::record::{DataRecord, DataSummary, RunMetrics, peak_memory_mb};
use workbench::run::{METRICS, REPORT};
use workbench::training::{Opening, Trained, TrainingRun, quoted};

/// A model with what training it came to.
type Model<T> = Trained<TaskModel<<T as Task>::Net>>;

pub(super) fn run(common: &Common, args: &Train, network: TaskNetConfig, stop: &AtomicBool) -> anyhow::Result<()> {
    let (mut config, run_dir) = TaskRunConfig::for_train(common, args, network)?;
    if common.print_config {
        return Ok(crate::config::print(&config)?);
    }
    config.source.located(common)?;
    let device = nn_core::compute::device(&config.device)?;
    let data = load(Asked {
        source: &config.source,
        common,
        network: &config.study.network,
        prepare: &config.study.prepare,
        counting: config.counting()?,
        card: None,
        model: None,
        device: &device,
        stop,
        window: config.window,
        seed: config.study.seed,
        unlabelled: false,
    })?;
    let (network, window) = (config.study.network.clone(), config.window);
    let study = Study { common, config, data: &data, device: &device, run_dir, stop };
    with_task(&network, &data, None, window, study)
}

/// One study, whichever the task.
struct Study<'a> {
    common: &'a Common,
    config: TaskRunConfig,
    data: &'a TaskData,
    device: &'a Device,
    run_dir: PathBuf,
    stop: &'a AtomicBool,
}

impl Visit for Study<'_> {
    type Output = ();

    fn visit<T: Task>(self, task: &T) -> anyhow::Result<()> {
        let Study { common, mut config, data, device, run_dir, stop } = self;
        let known = task.rows().targets.iter().any(|target| !target.is_nan());
        anyhow::ensure!(known, "no row has a label or value, so there is nothing to learn; see `train --help`");
        let study = TaskStudy::new(task, &config.dataset, data.upstream.as_deref(), config.study.clone());
        // A setting that the data do not go with is a mistake of the command line like any other.
        let study = study.map_err(|error| match error {
            TaskError::Config(setting) => anyhow::Error::from(setting),
            other => other.into(),
        })?;
        config.study = study.config().clone();
        let record = DataRecord { dropped: data.dropped.clone(), ..recorded(&data.inputs, study.plan()) };
        let resume = format!("galen-genomics train --run-dir {} --resume", quoted(&run_dir));
        let opening = Opening {
            common,
            folder: &run_dir,
            config: &config,
            data: &record,
            environment: environment(&config.device, config.study.seed),
            models: config.study.models,
            resume: &resume,
        };
        // A run that goes on may train more models, and train them longer, but not where a phase begins with what
        // another one came to.
        let longer = !config.study.phases;
        let run =
            TrainingRun::open(opening, |key| (longer && key == "recipe.epochs") || matches!(key, "models" | "device"))?;
        study.plan().write(&run.folder.splits()?)?;
        let audit = RowsAudit::new(task.rows(), study.plan().split(0));
        say(common, &audit.to_text());

        say(common, "baselines");
        let baselines = results::baselines(&study)?;
        run.folder.write_json("baselines.json", &baselines)?;
        let mut models: Vec<Model<T>> = Vec::new();
        for i in 0..config.study.models {
            say(common, &format!("model {i}: {} rows to learn from", study.plan().split(i).train.len()));
            models.push(run.model(
                i,
                config.study.recipe.epochs,
                |file| anyhow::Ok(TaskModel::load(task, file, device)?),
                |checkpoints, resumed, reporter| {
                    Ok(study.train(i, device, (Some(checkpoints), resumed), reporter, stop)?)
                },
                |model, file| Ok(model.save(file)?),
            )?);
        }
        let tested = results::test(&study, &models)?;
        results::write_predictions(&run.folder, &study, &tested)?;
        let audit = baselines.iter().fold(audit, |audit, baseline| match baseline.scores.first() {
            Some(scores) => audit.with_scores(&baseline.name, true, scores.clone()),
            None => audit,
        });
        let audit = match tested.scores.first() {
            Some(scores) => audit.with_scores(config.study.network.system(), false, scores.clone()),
            None => audit,
        };
        run.folder.write_json("audit.json", &audit)?;
        let predicts = &task.rows().predicts;
        let metrics = RunMetrics {
            task: super::task(&predicts.labels).to_owned(),
            dataset: config.dataset.clone(),
            protocol: "clean".to_owned(),
            split: study.plan().kind().name().to_owned(),
            models: models.len(),
            seeds: (0..models.len()).map(|i| study.seed(i)).collect(),
            epochs: models.iter().map(|model| model.epochs).collect(),
            metrics: summaries(&tested.scores, &tested.intervals),
            baselines: baselines.iter().map(|baseline| (baseline.name.clone(), baseline.mean())).collect(),
            data: DataSummary {
                rows: task.rows().len(),
                sha256: data.inputs.iter().map(|input| (input.name.clone(), input.sha256.clone())).collect(),
            },
            device: config.device.clone(),
            wall_seconds: run.seconds(),
            peak_mb: peak_memory_mb(),
            version: env!("CARGO_PKG_VERSION").into(),
            commit: run.environment.commit.clone(),
        };
        let (system, folds) = (config.study.network.system(), config.study.folds);
        let table = table_of(system, folds, &predicts.labels, &metrics, &baselines);
        page::write(&page::Found {
            run: &run,
            config: &config,
            study: &study,
            models: &models,
            tested: &tested,
            audit: &audit,
            metrics: &metrics,
            record: &record,
            table: &table,
        })?;
        run.folder.write_json(METRICS, &metrics)?;
        let mut out = std::io::stdout().lock();
        if common.json {
            writeln!(out, "{}", serde_json::to_string(&metrics)?)?;
        } else {
            table.write(&mut out, false)?;
            writeln!(out, "\nreport: {}", run.folder.file(REPORT)?.display())?;
        }
        Ok(())
    }
}
