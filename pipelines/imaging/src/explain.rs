//! `explain`: overlays that show what a classifier's decision rests on.

use crate::cli::{Explain, Method, counted};
use crate::config::{ExplainConfig, without_run_folder};
use crate::predict::{unlabelled, write_file};
use crate::segment::plain;
use anyhow::Context;
use imaging::evaluate::classes::highest;
use imaging::explain::{grad_cam, occlusion};
use imaging::model::{CLASSIFIER, ClassifyEnsemble, architecture};
use imaging::systems::Classifier;
use nn_core::burn::tensor::Tensor;
use nn_core::explain::{Probe, Target};
use std::path::Path;
use workbench::args::Common;
use workbench::exit::Usage;
use workbench::observe::say;
use workbench::table::Table;

/// How much of an overlay is map where it says most.
const OPACITY: f64 = 0.6;

pub(crate) fn run(common: &Common, args: &Explain) -> anyhow::Result<()> {
    without_run_folder(common, "explain")?;
    let Some(settings) = ExplainConfig::new(common, args.method, args.shown)? else { return Ok(()) };
    let device = nn_core::compute::device(&settings.device)?;
    let kind = architecture(&args.model)?;
    if kind != CLASSIFIER {
        let text = format!("{} holds a {kind}; explain is for classifiers", args.model.display());
        return Err(Usage(text).into());
    }
    let ensemble = ClassifyEnsemble::load(&args.model, &device)?;
    let names = &ensemble.card().names;
    let asked = match &args.class {
        Some(name) => {
            let place = names.iter().position(|known| known == name);
            let known = names.join(", ");
            Some(place.ok_or_else(|| Usage(format!("--class {name}: the model tells {known} apart")))?)
        }
        None => None,
    };
    let set = unlabelled(&args.input, &ensemble.card().scale, names)?.told(common)?;
    let rows: Vec<usize> = (0..set.len().min(settings.shown)).collect();
    let shares = ensemble.probabilities(&set, &rows)?;
    let chosen: Vec<usize> =
        shares.chunks(names.len().max(1)).map(|shares| asked.unwrap_or_else(|| highest(shares))).collect();
    // A map is of one network: that of the first member.
    let model = &ensemble.models()[0];
    let x = model.card.scale.batch(&set, &rows, &device);
    let target = Target::Each(chosen.clone());
    let maps = match settings.method {
        Method::GradCam => grad_cam(&|x: Tensor<4>, probe: &Probe<4>| model.network.run(x, None, probe), &x, &target)?,
        Method::Occlusion => {
            let square = settings.square.min(set.height).min(set.width);
            // The mean of the training part, which is 0 once a picture is scaled, says nothing.
            let step = (square / 2).max(1);
            occlusion(&|x: Tensor<4>| model.network.logits(x, None), &x, &target, square, step, 0.0)?
        }
    };
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot create {}", args.out.display()))?;
    let mut table =
        Table::new("What decisions rest on").text("picture").text("class").number("probability").text("file");
    let mut text = String::from("picture,class,probability,file\n");
    for ((&row, map), &class) in rows.iter().zip(&maps).zip(&chosen) {
        let file = format!("{:03}-{}.png", row + 1, plain(&names[class]));
        map.write_overlay(&args.out.join(&file), set.picture(row), set.channels, OPACITY)?;
        let share = format!("{:.4}", shares[row * names.len() + class]);
        let cells = [set.ids[row].clone(), names[class].clone(), share, file];
        text.push_str(&cells.iter().map(|cell| cell.replace([',', '"', '\n'], " ")).collect::<Vec<_>>().join(","));
        text.push('\n');
        table.push(cells);
    }
    write_file(&Path::new(&args.out).join("explained.csv"), &text)?;
    table.write(&mut std::io::stdout().lock(), common.json)?;
    say(common, &format!("{} in {}", counted(rows.len(), "overlay"), args.out.display()));
    Ok(())
}
