//! `prepare`, or `extract`: files to one table of windows, with its audit and its split; with reads, to their counts.

use crate::cli::Prepare;
use crate::config::{SplitConfig, not_resumed};
use crate::coverage::named;
use crate::inputs::{self, Loaded};
use crate::train::{kmers, record};
use anyhow::Context;
use genomics::audit::Audit;
use genomics::coverage::{CoverageConfig, WindowLayout, windows};
use genomics::dataset::{Labels, SequenceSet};
use genomics::io::bam::{AlignmentOptions, Alignments};
use genomics::locus::{Locus, Strand};
use genomics::study::Plan;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use workbench::args::Common;
use workbench::exit::Usage;
use workbench::observe::say;
use workbench::record::Input;
use workbench::run::{DATA, RunFolder};

pub(crate) fn run(common: &Common, args: &Prepare) -> anyhow::Result<()> {
    not_resumed(common, "prepare")?;
    let Some(settings) = SplitConfig::new(common, &args.source, args.split.as_deref())? else { return Ok(()) };
    let files = settings.source.bam.iter().map(|text| named(text)).collect::<Result<Vec<_>, _>>()?;
    if files.is_empty() && args.bins.is_some() {
        return Err(Usage("--bins counts reads in parts of each window; give reads with --bam NAME=FILE".into()).into());
    }
    let mut loaded = if files.is_empty() {
        inputs::load(&settings.source, common, settings.window, settings.seed)?
    } else {
        inputs::load_windows(&settings.source, common, settings.window)?
    };
    let genome = settings.source.genome.as_ref().map(|path| inputs::locate(path, common)).transpose()?;
    let tables = if files.is_empty() {
        Vec::new()
    } else {
        count(common, &mut loaded, genome.as_deref(), &files, args.bins, &settings.reads.config()?)?
    };
    let config = inputs::study_config(&settings, &loaded)?;
    let plan = inputs::plan(&loaded, &config)?;
    let folder = RunFolder::open(&common.run_dir_or("prepared"), false)?;
    plan.write(&folder.splits()?)?;
    let table = folder.write("sequences.tsv", sequences(&loaded.set, &plan)?)?;
    for (name, text) in tables {
        folder.write(name, text)?;
    }
    let mut refused = String::from("name\tproblem\n");
    for (name, problem) in &loaded.refused {
        writeln!(refused, "{}\t{problem}", plain(name))?;
    }
    folder.write("refused.tsv", refused)?;
    folder.write_json(DATA, &record(&loaded, &plan))?;
    let audit = Audit::new(&loaded.set, plan.split(0), &kmers(config.strands))?;
    folder.write_json("audit.json", &audit)?;
    say(common, &format!("{} rows kept, {} refused", loaded.set.len(), loaded.refused.len()));
    let mut out = std::io::stdout().lock();
    if common.json {
        writeln!(out, "{}", serde_json::to_string(&audit)?)?;
    } else {
        let group = if loaded.set.groups.is_some() { " --column group=group" } else { "" };
        let labels: String =
            loaded.set.tasks.iter().fold(String::new(), |text, task| format!("{text} --column label={}", plain(task)));
        writeln!(out, "{}\nprepared: {}", audit.to_text(), folder.path().display())?;
        writeln!(out, "train on it with: galen-genomics train --data {}{labels}{group}", table.display())?;
    }
    Ok(())
}

/// Makes the labels the reads of each window that count by `reads`, as the logarithm to base 2 of one more than their
/// number. Returns further files: the counts, and with `bins` those in the parts of each window.
fn count(
    common: &Common,
    loaded: &mut Loaded,
    genome: Option<&Path>,
    files: &[(String, &Path)],
    bins: Option<usize>,
    reads: &CoverageConfig,
) -> anyhow::Result<Vec<(&'static str, String)>> {
    let loci: Vec<Locus> = loaded.set.loci.iter().flatten().cloned().collect();
    let width = loaded.set.longest();
    // a CRAM file is read against the genome that the windows are of
    let options = AlignmentOptions { reference: genome.map(Path::to_path_buf), ..AlignmentOptions::default() };
    let mut whole = Vec::new();
    let mut parts = Vec::new();
    for (name, path) in files {
        loaded.inputs.push(Input::of(name, path).with_context(|| format!("cannot hash {}", path.display()))?);
        let mut alignments = Alignments::open(path, &options)?;
        if let Some(genome) = &loaded.genome {
            alignments.check_places(genome, &loci)?;
        }
        whole.push(counts(common, &mut alignments, &loci, (1, width), (name.as_str(), reads))?);
        if let Some(bins) = bins {
            if bins == 0 || !width.is_multiple_of(bins) {
                let text =
                    format!("windows of {width} bases have no {bins} equal bins; choose a divisor of the window");
                return Err(Usage(text).into());
            }
            parts.push(counts(common, &mut alignments, &loci, (bins, width / bins), (name.as_str(), reads))?);
        }
    }
    let names: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
    let set = &mut loaded.set;
    let each = |row: usize| whole.iter().map(move |counts: &Vec<u32>| (f64::from(counts[row]) + 1.0).log2() as f32);
    set.targets = (0..loci.len()).flat_map(each).collect();
    set.tasks.clone_from(&names);
    set.labels = Labels::Values;
    let mut tables = vec![("counts.tsv", table(set, &names, &whole, 1)?)];
    if let Some(bins) = bins {
        tables.push(("bins.tsv", table(set, &names, &parts, bins)?));
    }
    Ok(tables)
}

/// Reads in each of `bins` parts of `size` bases of each window: `[windows, bins]`.
fn counts(
    common: &Common,
    alignments: &mut Alignments,
    loci: &[Locus],
    (bins, size): (usize, usize),
    (name, reads): (&str, &CoverageConfig),
) -> anyhow::Result<Vec<u32>> {
    let layout = WindowLayout { bins, bin: u32::try_from(size).context("a window is too long")? };
    let places: Vec<Locus> = loci.iter().map(|locus| middle(locus, layout)).collect();
    let (counts, report) = windows(alignments, &places, layout, reads, false)?;
    say(common, &format!("{name}: {report}"));
    Ok(counts)
}

/// The place whose bins of `layout` are those of the window `locus`.
fn middle(locus: &Locus, layout: WindowLayout) -> Locus {
    let before = (layout.bins / 2) as i64 * i64::from(layout.bin);
    let at = match locus.strand {
        Strand::Forward => locus.start + before,
        Strand::Reverse => locus.end - 1 - before,
    };
    Locus { start: at, end: at + 1, ..locus.clone() }
}

/// Counts by window and bin, a column for each file.
fn table(set: &SequenceSet, names: &[String], counts: &[Vec<u32>], bins: usize) -> Result<String, std::fmt::Error> {
    let mut text = String::from("name");
    if bins > 1 {
        text.push_str("\tbin");
    }
    for name in names {
        write!(text, "\t{}", plain(name))?;
    }
    text.push('\n');
    for row in 0..set.len() {
        for bin in 0..bins {
            text.push_str(&plain(&name(set, row)));
            if bins > 1 {
                write!(text, "\t{}", bin + 1)?;
            }
            for of_file in counts {
                write!(text, "\t{}", of_file[row * bins + bin])?;
            }
            text.push('\n');
        }
    }
    Ok(text)
}

/// The place of a row, or its name where it has none.
fn name(set: &SequenceSet, row: usize) -> String {
    set.loci[row].as_ref().map_or_else(|| set.names[row].clone(), Locus::to_string)
}

/// One row for each sequence: its place or name, its name in the data, part, group, labels and bases.
fn sequences(set: &SequenceSet, plan: &Plan) -> Result<String, std::fmt::Error> {
    let mut part = vec!["unused"; set.len()];
    let split = plan.split(0);
    for (rows, called) in [(&split.train, "train"), (&split.validation, "validation"), (&split.test, "test")] {
        rows.iter().for_each(|&row| part[row] = called);
    }
    let mut text = String::from("name\tsource\tpart\tgroup");
    for task in &set.tasks {
        write!(text, "\t{}", plain(task))?;
    }
    text.push_str("\tsequence\n");
    for row in 0..set.len() {
        let group = set.groups.as_ref().map_or(row as u64, |groups| groups[row]);
        write!(text, "{}\t{}\t{}\t{group}", plain(&name(set, row)), plain(&set.names[row]), part[row])?;
        for task in 0..set.tasks.len() {
            match (set.target(row, task), &set.labels) {
                (None, _) => text.push_str("\tNA"),
                (Some(class), Labels::Classes(classes)) => write!(text, "\t{}", plain(&classes[class as usize]))?,
                (Some(value), _) => write!(text, "\t{value}")?,
            }
        }
        writeln!(text, "\t{}", String::from_utf8_lossy(&set.sequences[row]))?;
    }
    Ok(text)
}

/// Text without what separates columns and rows.
fn plain(text: &str) -> String {
    text.replace(['\t', '\n', '\r', '"'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_those_of_the_window_on_both_strands() {
        // windows() puts the place at the first base of bin bins / 2 in the direction of its strand.
        let window = Locus::new("chr1", 100, 140).unwrap();
        let layout = WindowLayout { bins: 4, bin: 10 };
        assert_eq!(middle(&window, layout).start, 120);
        assert_eq!(middle(&window.clone().on(Strand::Reverse), layout).start, 119);
        let layout = WindowLayout { bins: 1, bin: 40 };
        assert_eq!(middle(&window, layout).start, 100);
        assert_eq!(middle(&window.on(Strand::Reverse), layout).start, 139);
    }
}
