//! `cargo xtask report`: the README's results table, from `data/results.jsonl` and nothing else.

use std::{collections::BTreeMap, fmt::Write as _, fs, io::Write as _, path::Path};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;

use crate::{
    results::{self, Entry, Metric, badness},
    text,
    workspace::Workspace,
};

const BEGIN: &str = "<!-- results:begin -->";
const END: &str = "<!-- results:end -->";

/// Arguments of `report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Print the newest result of each experiment (or of NAME) as JSON, one a line, and change nothing
    #[arg(long, value_name = "NAME", conflicts_with = "check")]
    #[allow(clippy::option_option, reason = "clap's way to say: absent, alone, or with a value")]
    json: Option<Option<String>>,
    /// Fail if the README's table is not what the results say; change nothing
    #[arg(long)]
    check: bool,
}

impl ReportArgs {
    /// `report --check`.
    pub(crate) fn check_only() -> Self {
        Self { json: None, check: true }
    }
}

/// Runs the verb.
///
/// # Errors
/// The results or the README cannot be read, the README has no place for the table, or `--check` finds a difference.
pub(crate) fn run(workspace: &Workspace, args: &ReportArgs) -> Result<()> {
    let newest = results::newest(results::all(workspace)?);
    if let Some(name) = &args.json {
        return print_json(&newest, name.as_deref());
    }
    let path = workspace.root.join("README.md");
    let old = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let new = with_table(&old, &table(&newest)).with_context(|| format!("cannot update {}", path.display()))?;
    if args.check {
        if new != old {
            bail!("the table in {} is not what data/results.jsonl says; run `cargo xtask report`", path.display());
        }
        return text::print("the README's table is what data/results.jsonl says\n");
    }
    if new == old {
        return text::print("the README is up to date\n");
    }
    replace(&path, &new)?;
    text::print(&format!("{} updated with {} results\n", path.display(), newest.len()))
}

fn print_json(newest: &BTreeMap<String, Entry>, name: Option<&str>) -> Result<()> {
    let mut out = String::new();
    for (experiment, entry) in newest {
        if name.is_none_or(|name| name == experiment) {
            let _ = writeln!(out, "{}", serde_json::to_string(entry).context("cannot write the result as JSON")?);
        }
    }
    if let Some(name) = name
        && out.is_empty()
    {
        let known = newest.keys().cloned().collect::<Vec<_>>().join(", ");
        bail!("no result is recorded for {name:?}; recorded: {known}");
    }
    text::print(&out)
}

/// Writes beside the file and renames, so that a reader sees the old or the new text.
fn replace(path: &Path, content: &str) -> Result<()> {
    let temporary = path.with_extension("md.tmp");
    let written = fs::File::create(&temporary).and_then(|mut file| {
        file.write_all(content.as_bytes())?;
        file.sync_all()
    });
    written.with_context(|| format!("cannot write {}", temporary.display()))?;
    fs::rename(&temporary, path).with_context(|| format!("cannot replace {}", path.display()))
}

/// `readme` with what is between the two marks replaced by `table`.
fn with_table(readme: &str, table: &str) -> Result<String> {
    let begin = readme.find(BEGIN).ok_or_else(|| anyhow!("there is no line {BEGIN}"))? + BEGIN.len();
    let end = begin + readme[begin..].find(END).ok_or_else(|| anyhow!("there is no line {END} after {BEGIN}"))?;
    Ok(format!("{}\n{table}{}", &readme[..begin], &readme[end..]))
}

fn table(newest: &BTreeMap<String, Entry>) -> String {
    if newest.is_empty() {
        return "No result has been recorded yet.\n".to_owned();
    }
    let mut out = String::from(
        "| experiment | metric | published | ours | best baseline | models | within bounds | device | date | commit |\n",
    );
    out.push_str("|---|---|---|---|---|---|---|---|---|---|\n");
    let mut second_hand = false;
    let mut notes = String::new();
    for entry in newest.values() {
        for name in shown(entry) {
            let Some(metric) = entry.metrics.get(name) else { continue };
            let published = entry.published.get(name).map_or_else(
                || "–".to_owned(),
                |value| {
                    second_hand |= !value.seen;
                    format!("{:.3}{}", value.value, if value.seen { "" } else { "\\*" })
                },
            );
            // Steps of one experiment may have more or fewer models; a bench has none.
            let models = match (entry.models, metric.values.len()) {
                (0, _) => "–".to_owned(),
                (least, 0) => least.to_string(),
                (_, found) => found.to_string(),
            };
            let cells = [
                entry.experiment.clone(),
                name.to_owned(),
                published,
                spread(metric),
                best_baseline(entry, name),
                models,
                verdict(entry, name),
                entry.device.clone(),
                entry.date.chars().take(10).collect(),
                commits(entry),
            ];
            let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
            let _ = writeln!(out, "| {} |", cells.join(" | "));
        }
        let departed = if entry.arguments.is_empty() {
            String::new()
        } else {
            format!(" Run with `{}`.", entry.arguments.join(" "))
        };
        let note = entry.note.as_deref().map_or_else(String::new, |note| format!(" {note}"));
        if !departed.is_empty() || !note.is_empty() {
            let _ = writeln!(notes, "- {}:{departed}{note}", entry.experiment);
        }
    }
    if second_hand {
        out.push_str("\n\\* as later papers quote it; the original table was not seen.\n");
    }
    if !notes.is_empty() {
        out.push('\n');
        out.push_str(&notes);
    }
    out
}

/// The metrics of a result that have a published value or a bound; all of them where none has.
fn shown(entry: &Entry) -> Vec<&str> {
    let chosen: Vec<&str> = entry
        .metrics
        .keys()
        .filter(|name| entry.published.contains_key(*name) || entry.bounds.contains_key(*name))
        .map(String::as_str)
        .collect();
    if chosen.is_empty() { entry.metrics.keys().map(String::as_str).collect() } else { chosen }
}

/// The commits of the code that the figures are from.
fn commits(entry: &Entry) -> String {
    let known =
        if entry.built_from.is_empty() { std::slice::from_ref(&entry.commit) } else { entry.built_from.as_slice() };
    let short = |commit: &String| format!("`{}`", commit.chars().take(12).collect::<String>());
    known.iter().map(short).collect::<Vec<_>>().join(", ")
}

fn verdict(entry: &Entry, metric: &str) -> String {
    if !entry.bounds.contains_key(metric) {
        return "–".to_owned();
    }
    let alone = BTreeMap::from([(metric.to_owned(), entry.bounds[metric].clone())]);
    let verdict = if results::broken(&alone, &entry.metrics, &entry.baselines).is_empty() { "yes" } else { "no" };
    verdict.to_owned()
}

/// `0.262 ± 0.004 [0.255, 0.270]`, as much of it as there is.
pub(crate) fn spread(metric: &Metric) -> String {
    let mut out = text::number(metric.mean);
    if let Some(sd) = metric.sd {
        let _ = write!(out, " ± {}", text::number(sd));
    }
    if let (Some(low), Some(high)) = (metric.low, metric.high) {
        let _ = write!(out, " [{}, {}]", text::number(low), text::number(high));
    }
    out
}

fn best_baseline(entry: &Entry, metric: &str) -> String {
    let mut best: Option<(&str, f64)> = None;
    for (name, values) in &entry.baselines {
        let Some(&value) = values.get(metric) else { continue };
        if best.is_none_or(|(_, known)| badness(metric, value) < badness(metric, known)) {
            best = Some((name.as_str(), value));
        }
    }
    best.map_or_else(|| "–".to_owned(), |(name, value)| format!("{} ({name})", text::number(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let readme = "# T\n<!-- results:begin -->\nold\n<!-- results:end -->\nend\n";
        let new = with_table(readme, "| new |\n").unwrap();
        assert_eq!(new, "# T\n<!-- results:begin -->\n| new |\n<!-- results:end -->\nend\n");
        assert_eq!(with_table(&new, "| new |\n").unwrap(), new);
        assert!(with_table("<!-- results:end --> <!-- results:begin -->", "").is_err());
    }

    #[test]
    fn the_better_baseline_depends_on_the_metric() {
        let values = |mse: f64, ci: f64| BTreeMap::from([("mse".to_owned(), mse), ("ci".to_owned(), ci)]);
        let baselines = BTreeMap::from([
            ("mean".to_owned(), values(0.8015, 0.5)),
            ("matrix factorisation".to_owned(), values(0.2745, 0.88)),
        ]);
        let line = r#"{"experiment":"e","domain":"drug","commit":"c","date":"d","device":"cpu","metrics":{},"passed":true,"wall_seconds":1.0}"#;
        let entry = Entry { baselines, ..serde_json::from_str(line).unwrap() };
        assert_eq!(best_baseline(&entry, "mse"), "0.275 (matrix factorisation)");
        assert_eq!(best_baseline(&entry, "ci"), "0.880 (matrix factorisation)");
        assert_eq!(best_baseline(&entry, "rm2"), "–");
    }
}
