//! `prepare`: files to one checked table, with its audit and its split.

use crate::cli::Prepare;
use crate::config::{SplitConfig, not_resumed};
use crate::inputs;
use drug::chem::Molecule;
use drug::study::Study;
use std::fmt::Write as _;
use std::io::Write as _;
use workbench::args::Common;
use workbench::observe::say;
use workbench::record::DataRecord;
use workbench::run::RunFolder;

pub(crate) fn run(common: &Common, args: &Prepare) -> anyhow::Result<()> {
    not_resumed(common, "prepare")?;
    let Some(settings) = SplitConfig::new(common, &args.source, args.split.as_deref())? else { return Ok(()) };
    let loaded = inputs::load(&settings.source, common)?;
    let config = inputs::study_config(&settings, &loaded)?;
    let plan = inputs::plan(&loaded, &config)?;
    let folder = RunFolder::open(&common.run_dir_or("prepared"), false)?;
    plan.write(&folder.splits()?)?;
    folder.write("pairs.csv", drug::io::affinity::to_csv(&loaded.table)?)?;
    let mut drugs = String::from("id\tsmiles\tcanonical\tproblem\n");
    for drug in &loaded.table.drugs {
        let (canonical, problem) = match Molecule::parse(&drug.smiles) {
            Ok(molecule) => (molecule.canonical(), String::new()),
            Err(error) => (String::new(), error.to_string()),
        };
        writeln!(drugs, "{}\t{}\t{canonical}\t{problem}", drug.id, drug.smiles)?;
    }
    folder.write("drugs.tsv", drugs)?;
    let mut refused = String::from("line\tproblem\n");
    for (line, problem) in &loaded.refused {
        writeln!(refused, "{line}\t{problem}")?;
    }
    folder.write("refused.tsv", refused)?;
    let whole = plan.whole();
    let record = DataRecord {
        inputs: loaded.inputs.clone(),
        kept: loaded.table.pairs.len(),
        dropped: loaded.dropped.clone(),
        split: Some(config.split.name().to_owned()),
        parts: [("train".to_owned(), whole.train.len()), ("test".to_owned(), whole.test.len())].into(),
    };
    folder.write_json("data.json", &record)?;
    let audit = inputs::audit(&Study::new(&loaded.table, plan, config)?);
    folder.write_json("audit.json", &audit)?;
    say(common, &format!("{} rows kept, {} refused", record.kept, loaded.refused.len()));
    let mut out = std::io::stdout().lock();
    if common.json {
        writeln!(out, "{}", serde_json::to_string(&audit)?)?;
    } else {
        writeln!(out, "{}\nprepared: {}", audit.to_text(), folder.path().display())?;
    }
    Ok(())
}
