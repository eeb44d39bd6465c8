//! `features`: a table of what was known at each prediction time, for whoever goes on with it in R, Python or a
//! spreadsheet.
//!
//! A row is made of a view that ends at its prediction time, so that nothing later can reach it. Which codes become
//! columns is decided on the training part alone; the part of each row stands beside it.

use crate::cli::{Features as Arguments, counted};
use crate::config::{SourceConfig, named, settings, source, without_run_folder};
use crate::inputs;
use anyhow::Context;
use ehr::features::{Recipe, Statistic};
use ehr::labels;
use ehr::split::{self, Part, SplitConfig, SplitKind};
use ehr::view::View;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::Write as _;
use workbench::args::Common;
use workbench::config::Flags;
use workbench::exit::Usage;
use workbench::observe::say;

/// Settings of `features`; they name their fields as those of `train` are named.
#[derive(Debug, Serialize, Deserialize)]
struct FeaturesConfig {
    /// Seed of the split.
    seed: u64,
    /// How subjects are divided.
    division: SplitConfig,
    /// The columns.
    table: Recipe,
    /// The data.
    source: SourceConfig,
}

impl Default for FeaturesConfig {
    fn default() -> Self {
        let statistics =
            vec![Statistic::Last, Statistic::Mean, Statistic::Min, Statistic::Max, Statistic::Count, Statistic::Slope];
        Self {
            seed: 1,
            division: SplitConfig::default(),
            table: Recipe { statistics, ..Recipe::default() },
            source: SourceConfig::default(),
        }
    }
}

pub(crate) fn run(common: &Common, args: &Arguments) -> anyhow::Result<()> {
    without_run_folder(common, "features")?;
    let listed = |names: &Vec<String>| (!names.is_empty()).then(|| names.clone());
    let flags = source(Flags::new(), &args.source)
        .set("division.kind", args.split.as_deref())
        .set("table.statistics", listed(&args.statistics))
        .set("table.windows", listed(&args.windows));
    let Some(mut config) = settings(&FeaturesConfig::default(), common, flags)? else { return Ok(()) };
    config.division.seed = config.seed;
    config.division.validate()?;
    config.table.validate()?;
    named(&config.source)?;
    // Said before everything is read.
    let is = |ending: &str| args.out.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending));
    if !is("csv") && !is("parquet") {
        return Err(Usage(format!("--out {} must end in .parquet or .csv", args.out.display())).into());
    }
    let loaded = inputs::load(common, &config.source)?;
    let asked = inputs::asked(common, &config.source, &loaded)?;
    for pattern in asked.excluded() {
        if !config.table.exclude.contains(pattern) {
            config.table.exclude.push(pattern.clone());
        }
    }
    labels::check(&asked.labels)?;
    let views = labels::views(&loaded.events, &asked.labels)?;
    let parts = parts(&loaded, &asked.labels, &config.division)?;
    let training: Vec<View<'_>> = views
        .iter()
        .zip(&parts)
        .filter(|(_, part)| **part == Some(Part::Train))
        .map(|(view, _)| view.clone())
        .collect();
    let fitted = config.table.fit(&training)?;
    let table = fitted.table(&views);
    if let Some(parent) = args.out.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    }
    ehr::io::features::write(&args.out, &asked.labels, &parts, &table)?;
    let subjects = fitted.provenance().subjects();
    let text = format!(
        "{} of {} features, chosen on {} of the training part; {:.1} % of the values were not observed",
        counted(table.rows(), "row"),
        table.columns(),
        counted(subjects, "subject"),
        100.0 * table.missing()
    );
    say(common, &text);
    let mut out = std::io::stdout().lock();
    if common.json {
        let count = |wanted: Part| parts.iter().filter(|part| **part == Some(wanted)).count();
        let rows: serde_json::Map<String, Value> =
            Part::ALL.into_iter().map(|part| (part.name().to_owned(), json!(count(part)))).collect();
        let told = json!({
            "task": asked.predicts.task,
            "rows": table.rows(),
            "features": table.columns(),
            "missing": table.missing(),
            "parts": rows,
            "chosen_on": { "subjects": subjects, "digest": fitted.provenance().digest() },
        });
        writeln!(out, "{told}")?;
    } else {
        writeln!(out, "features: {}", args.out.display())?;
    }
    Ok(())
}

/// The part of each label; none of one that no part may use.
fn parts(
    loaded: &inputs::Loaded,
    labels: &[labels::Label],
    division: &SplitConfig,
) -> anyhow::Result<Vec<Option<Part>>> {
    if division.kind == SplitKind::Upstream {
        let given = loaded.split.as_ref().ok_or(split::SplitError::NoUpstream)?;
        return Ok(given.assign(labels));
    }
    let divided = split::split(&loaded.events, labels, division)?;
    let mut parts = divided.split.assign(labels);
    for row in divided.unused {
        parts[row] = None;
    }
    Ok(parts)
}
