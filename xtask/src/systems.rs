//! `cargo xtask systems`: every system of the review, what was published, and our figure.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;

use crate::{
    experiment, report,
    results::{self, Entry},
    text,
    workspace::Workspace,
};

/// Arguments of `systems`.
#[derive(Debug, Args)]
pub(crate) struct SystemsArgs {
    /// Only this domain
    #[arg(long)]
    domain: Option<String>,
    /// Only those that are done
    #[arg(long)]
    done: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Systems {
    #[serde(rename = "system")]
    systems: Vec<System>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct System {
    name: String,
    citation: String,
    domain: String,
    task: String,
    status: Status,
    experiment: Option<String>,
    #[serde(default)]
    metrics: Vec<String>,
    published: Option<String>,
    source: Option<String>,
    /// Trainable parameters, where the publication fixes them.
    parameters: Option<String>,
    /// What proves the implementation, where that is not an experiment alone.
    check: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Done,
    Planned,
}

/// Runs the verb.
///
/// # Errors
/// `data/systems.toml` cannot be read or breaks a rule, or no system is of the domain asked for.
pub(crate) fn run(workspace: &Workspace, args: &SystemsArgs) -> Result<()> {
    let path = workspace.root.join("data").join("systems.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let known: Vec<String> = experiment::files(workspace)?.into_iter().map(|(name, _)| name).collect();
    let systems = parse(&text, &known).with_context(|| format!("{} breaks a rule", path.display()))?;
    let newest = results::newest(results::all(workspace)?);

    let mut rows = Vec::new();
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for system in &systems {
        if args.domain.as_ref().is_some_and(|domain| *domain != system.domain) {
            continue;
        }
        let (done, total) = counts.entry(&system.domain).or_default();
        *total += 1;
        *done += usize::from(system.status == Status::Done);
        if args.done && system.status != Status::Done {
            continue;
        }
        let published = match (&system.published, &system.source) {
            (Some(published), Some(source)) => format!("{published} [{source}]"),
            _ => "–".to_owned(),
        };
        let or_dash = |text: Option<&str>| text.unwrap_or("–").to_owned();
        rows.push(vec![
            system.domain.clone(),
            system.name.clone(),
            if system.status == Status::Done { "done" } else { "planned" }.to_owned(),
            or_dash(system.experiment.as_deref()),
            ours(system, &newest),
            published,
            or_dash(system.parameters.as_deref()),
            system.task.clone(),
            or_dash(system.check.as_deref()),
            system.citation.clone(),
        ]);
    }
    if let Some(domain) = &args.domain
        && counts.is_empty()
    {
        bail!("no system is of the domain {domain:?}");
    }
    let head =
        ["domain", "system", "status", "experiment", "ours", "published", "parameters", "task", "check", "citation"];
    let mut out = text::table(&head, &rows);
    out.push('\n');
    for (domain, (done, total)) in counts {
        let _ = writeln!(out, "{domain}: {done} of {total} done");
    }
    text::print(&out)
}

fn parse(text: &str, experiments: &[String]) -> Result<Vec<System>> {
    let Systems { systems } = toml::from_str(text)?;
    for (index, system) in systems.iter().enumerate() {
        if systems[..index].iter().any(|other| other.name == system.name && other.domain == system.domain) {
            bail!("two systems of {} are called {:?}", system.domain, system.name);
        }
        if system.published.is_some() != system.source.is_some() {
            bail!("{:?} must have both published and source, or neither", system.name);
        }
        match &system.experiment {
            Some(name) if !experiments.contains(name) => {
                bail!("{:?} names the experiment {name:?}, which has no file", system.name)
            }
            None if system.status == Status::Done && system.check.is_none() => {
                bail!("{:?} is done but names no experiment and no check", system.name)
            }
            Some(_) | None => {}
        }
    }
    Ok(systems)
}

fn ours(system: &System, newest: &BTreeMap<String, Entry>) -> String {
    let Some(entry) = system.experiment.as_ref().and_then(|name| newest.get(name)) else {
        return "–".to_owned();
    };
    let shown: Vec<String> = system
        .metrics
        .iter()
        .filter_map(|name| entry.metrics.get(name).map(|metric| format!("{name} {}", report::spread(metric))))
        .collect();
    if shown.is_empty() { "–".to_owned() } else { shown.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_done_system_has_an_experiment_and_a_figure_its_source() {
        let system = |rest: &str| format!("[[system]]\nname='a'\ncitation='c'\ndomain='drug'\ntask='t'\n{rest}\n");
        let experiments = ["e".to_owned()];
        assert_eq!(parse(&system("status='done'\nexperiment='e'"), &experiments).unwrap().len(), 1);
        assert_eq!(parse(&system("status='done'\ncheck='c'\nparameters='1'"), &experiments).unwrap().len(), 1);
        let cases = [
            ("status='done'", "names no experiment"),
            ("status='done'\nexperiment='f'", "has no file"),
            ("status='planned'\npublished='AUC 1'", "both published and source"),
            ("status='ready'", "unknown variant"),
        ];
        for (rest, expected) in cases {
            let error = format!("{:#}", parse(&system(rest), &experiments).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn the_modules_that_checks_name_are_there() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let text = fs::read_to_string(root.join("data/systems.toml")).unwrap();
        let Systems { systems } = toml::from_str(&text).unwrap();
        let mut seen = 0;
        for check in systems.iter().filter_map(|system| system.check.as_deref()) {
            let (module, _) = check.split_once(": ").unwrap();
            let (head, rest) = module.split_once("::").unwrap();
            let of_domain = root.join("crates").join(head).is_dir();
            let (member, module) = if of_domain { (head, rest) } else { ("nn-core", module) };
            let file = root.join(format!("crates/{member}/src/{}.rs", module.replace("::", "/")));
            assert!(file.is_file(), "{check}");
            seen += 1;
        }
        assert!(seen > 20, "only {seen} checks were looked at");
    }
}
