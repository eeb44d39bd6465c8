//! `data/experiments/<domain>/<name>.toml`: what to run, what was published, what is accepted.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::workspace::Workspace;

/// One experiment.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Experiment {
    /// One line for people.
    pub(crate) title: String,
    /// Domain; the folder that the file is in.
    pub(crate) domain: String,
    /// Authors and title of the paper.
    pub(crate) paper: String,
    /// Where it appeared.
    pub(crate) citation: String,
    /// Data set, as the manifest calls it; none where the steps read nothing that the repository does not have.
    pub(crate) dataset: Option<String>,
    /// What runs the steps, where that is not the pipeline of the domain.
    pub(crate) program: Option<Program>,
    /// How the figure is obtained, in words.
    pub(crate) protocol: String,
    /// What a run costs, in words.
    pub(crate) cost: String,
    /// Options that replace the steps' own for a smoke run.
    #[serde(default)]
    pub(crate) smoke: Vec<String>,
    /// Runs of the program, in order.
    #[serde(rename = "step")]
    pub(crate) steps: Vec<Step>,
    /// Published values by metric.
    #[serde(default)]
    pub(crate) published: BTreeMap<String, Published>,
    /// Baselines computed elsewhere, by name and metric; the run writes its own beside them.
    #[serde(default)]
    pub(crate) reference: BTreeMap<String, BTreeMap<String, f64>>,
    /// What a metric must satisfy.
    #[serde(default)]
    pub(crate) bounds: BTreeMap<String, Bound>,
}

/// An example of one of the workspace's packages.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Program {
    package: String,
    example: String,
}

/// One run of the program.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// Name; with several steps it stands before the metric, as in `cold-drug.mse`.
    pub(crate) name: String,
    /// Arguments; `{data}` is the data root, `{root}` the workspace, `{run}` the run folder.
    pub(crate) args: Vec<String>,
}

/// A published value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Published {
    /// The number.
    pub(crate) value: f64,
    /// Where it was read.
    pub(crate) source: String,
    /// Whether that is the original publication.
    pub(crate) seen: bool,
}

/// What a metric must satisfy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bound {
    /// At most this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max: Option<f64>,
    /// At least this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) min: Option<f64>,
    /// Below the same metric of this baseline of the same run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) below: Option<String>,
    /// Above the same metric of this baseline of the same run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) above: Option<String>,
    /// Where the bound comes from.
    pub(crate) why: String,
}

impl Experiment {
    /// Reads and checks the experiment `name` of the workspace.
    ///
    /// # Errors
    /// There is none of that name (the message lists those there are), or its file breaks a rule.
    pub(crate) fn load(workspace: &Workspace, name: &str) -> Result<Self> {
        let files = files(workspace)?;
        let Some((_, path)) = files.iter().find(|(known, _)| known == name) else {
            let known = files.iter().map(|(known, _)| known.as_str()).collect::<Vec<_>>().join(", ");
            bail!("no experiment is called {name:?}; known: {known}");
        };
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let experiment = Self::parse(&text).with_context(|| format!("{} is not an experiment", path.display()))?;
        let folder = path.parent().and_then(Path::file_name).map(|folder| folder.to_string_lossy().into_owned());
        if folder.as_deref() != Some(experiment.domain.as_str()) {
            bail!("{} says domain {:?}; it must be in the folder of that name", path.display(), experiment.domain);
        }
        Ok(experiment)
    }

    fn parse(text: &str) -> Result<Self> {
        let experiment: Self = toml::from_str(text)?;
        if experiment.steps.is_empty() {
            bail!("there is no [[step]]");
        }
        for (index, step) in experiment.steps.iter().enumerate() {
            if experiment.steps[..index].iter().any(|other| other.name == step.name) {
                bail!("two steps are called {:?}", step.name);
            }
            if !step.args.iter().any(|arg| arg.contains("{run}")) {
                bail!("step {:?} has no {{run}} among its arguments, so its metrics could not be found", step.name);
            }
            if experiment.dataset.is_none() && step.args.iter().any(|arg| arg.contains("{data}")) {
                bail!("step {:?} has {{data}} among its arguments, but the experiment names no dataset", step.name);
            }
        }
        for (metric, bound) in &experiment.bounds {
            if bound.max.is_none() && bound.min.is_none() && bound.below.is_none() && bound.above.is_none() {
                bail!("the bound on {metric:?} has none of max, min, below, above");
            }
        }
        Ok(experiment)
    }

    /// The executable that runs the steps, built if need be.
    ///
    /// # Errors
    /// There is none, or its build fails.
    pub(crate) fn program(&self, workspace: &Workspace) -> Result<PathBuf> {
        match &self.program {
            Some(program) => workspace.example(&program.package, &program.example),
            None => workspace.binary(&workspace.pipeline(&self.domain)?),
        }
    }

    /// Name under which results record `metric` of `step`.
    pub(crate) fn qualified(&self, step: &Step, metric: &str) -> String {
        if self.steps.len() == 1 { metric.to_owned() } else { format!("{}.{metric}", step.name) }
    }
}

/// Name and file of every experiment, by name.
///
/// # Errors
/// The folder cannot be listed.
pub(crate) fn files(workspace: &Workspace) -> Result<Vec<(String, PathBuf)>> {
    let folder = workspace.root.join("data").join("experiments");
    let mut found = Vec::new();
    for domain in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let domain = domain?.path();
        if !domain.is_dir() {
            continue;
        }
        for file in fs::read_dir(&domain).with_context(|| format!("cannot list {}", domain.display()))? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "toml")
                && let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
            {
                found.push((name.to_owned(), path.clone()));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The arguments `base` where options of `over` replace the ones of the same name, and what is new is added.
///
/// An option is `--name value`, `--name=value` or `--name` alone. `--set` may be given many times and is always added.
pub(crate) fn merge(base: &[String], over: &[String]) -> Vec<String> {
    let mut groups = options(base);
    for group in options(over) {
        let name = option_name(&group);
        match groups.iter().position(|known| name.is_some() && option_name(known) == name) {
            Some(place) if name.as_deref() != Some("--set") => groups[place] = group,
            _ => groups.push(group),
        }
    }
    groups.concat()
}

/// Splits arguments into options with their values and single words.
fn options(args: &[String]) -> Vec<Vec<String>> {
    let mut groups: Vec<Vec<String>> = Vec::new();
    let mut waits_for_value = false;
    for arg in args {
        if waits_for_value
            && !arg.starts_with("--")
            && let Some(last) = groups.last_mut()
        {
            last.push(arg.clone());
            waits_for_value = false;
        } else {
            waits_for_value = arg.starts_with("--") && !arg.contains('=');
            groups.push(vec![arg.clone()]);
        }
    }
    groups
}

fn option_name(group: &[String]) -> Option<String> {
    let first = group.first()?;
    first.starts_with("--").then(|| first.split('=').next().unwrap_or(first).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn later_options_replace_earlier_ones() {
        let cases = [
            ("train --models 5 --epochs 100", "--models 1", "train --models 1 --epochs 100"),
            ("train --models 5", "--models=1 --resume", "train --models=1 --resume"),
            ("train --set a=1 --seed 1", "--set b=2 --set a=3", "train --set a=1 --seed 1 --set b=2 --set a=3"),
            ("train --quiet --seed 1", "--seed -1", "train --quiet --seed -1"),
            ("train", "", "train"),
        ];
        for (base, over, expected) in cases {
            assert_eq!(merge(&words(base), &words(over)), words(expected), "{base} + {over}");
        }
    }

    #[test]
    fn experiments_that_break_a_rule_are_refused() {
        let head = "title='t'\ndomain='drug'\npaper='p'\ncitation='c'\ndataset='d'\nprotocol='x'\ncost='y'\n";
        let step = "[[step]]\nname='main'\nargs=['train','{run}']\n";
        assert!(Experiment::parse(&format!("{head}{step}")).is_ok());
        let no_data = head.replace("dataset='d'\n", "");
        let example = "program={package='p',example='e'}\n";
        assert!(Experiment::parse(&format!("{no_data}{example}{step}")).is_ok());
        let cases = [
            (format!("{no_data}[[step]]\nname='main'\nargs=['{{data}}','{{run}}']\n"), "names no dataset"),
            (format!("{head}program={{package='p'}}\n{step}"), "missing field `example`"),
            (format!("{head}{step}{step}"), "two steps"),
            (format!("{head}[[step]]\nname='main'\nargs=['train']\n"), "{run}"),
            (format!("{head}{step}[bounds.mse]\nwhy='w'\n"), "none of max"),
            (format!("{head}{step}[bounds.mse]\nmaximum=1\nwhy='w'\n"), "unknown field"),
        ];
        for (text, expected) in cases {
            let error = format!("{:#}", Experiment::parse(&text).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }
}
