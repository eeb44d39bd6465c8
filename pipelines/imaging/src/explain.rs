//! `explain`: overlays that show what a classifier's decision rests on.

use crate::cli::{Explain, Method, counted};
use crate::config::{ExplainConfig, without_run_folder};
use crate::crops;
use crate::predict::{unlabelled, write_file};
use crate::segment::plain;
use anyhow::Context;
use imaging::evaluate::classes::highest;
use imaging::explain::{Panel, attention_maps, class_maps, covered_maps};
use imaging::model::{CLASSIFIER, ClassifyEnsemble, ClassifyModel, architecture};
use nn_core::burn::tensor::Tensor;
use nn_core::explain::Target;
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
    let crop = crops::of_model(ensemble.card(), settings.crop.as_deref(), common, &device)?;
    let set = unlabelled(&args.input, ensemble.card(), crop.as_ref())?.told(common)?;
    let rows: Vec<usize> = (0..set.len().min(settings.shown)).collect();
    let shares = ensemble.probabilities(&set, &rows)?;
    let chosen: Vec<usize> =
        shares.chunks(names.len().max(1)).map(|shares| asked.unwrap_or_else(|| highest(shares))).collect();
    // A map is of one network: that of the first member.
    let model = &ensemble.models()[0];
    let x = model.card.scale.batch(&set, &rows, &device);
    let drawn = maps(model, &x, &Target::Each(chosen.clone()), &settings)?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot create {}", args.out.display()))?;
    let mut table =
        Table::new("What decisions rest on").text("picture").text("class").number("probability").text("file");
    let mut text = String::from("picture,class,probability,file\n");
    for ((place, &row), &class) in rows.iter().enumerate().zip(&chosen) {
        let share = format!("{:.4}", shares[row * names.len() + class]);
        for (method, maps) in &drawn {
            for panel in &maps[place] {
                // The name of the file says what is not the same for all.
                let method = if drawn.len() > 1 { format!("-{method}") } else { String::new() };
                let part = if maps[place].len() > 1 { format!("-{}", plain(panel.name)) } else { String::new() };
                let file = format!("{:03}-{}{part}{method}.png", row + 1, plain(&names[class]));
                let pixels = panel.pixels(set.picture(row));
                panel.map.write_overlay(&args.out.join(&file), pixels, panel.channels.len(), OPACITY)?;
                let cells = [set.ids[row].clone(), names[class].clone(), share.clone(), file];
                text.push_str(
                    &cells.iter().map(|cell| cell.replace([',', '"', '\n'], " ")).collect::<Vec<_>>().join(","),
                );
                text.push('\n');
                table.push(cells);
            }
        }
    }
    write_file(&Path::new(&args.out).join("explained.csv"), &text)?;
    table.write(&mut std::io::stdout().lock(), common.json)?;
    let count = text.lines().count() - 1;
    say(common, &format!("{} in {}", counted(count, "overlay"), args.out.display()));
    Ok(())
}

/// The maps of one method: its name, and for each picture the panels.
type Maps = (&'static str, Vec<Vec<Panel>>);

/// The maps of each method that is asked for.
fn maps(model: &ClassifyModel, x: &Tensor<4>, target: &Target, settings: &ExplainConfig) -> anyhow::Result<Vec<Maps>> {
    let by_class = || anyhow::Ok(("grad-cam", class_maps(&model.network, x, target)?));
    let by_loss = || {
        let square = settings.square.min(model.card.scale.height).min(model.card.scale.width);
        // The mean of the training part, which is 0 once a picture is scaled, says nothing.
        let step = (square / 2).max(1);
        anyhow::Ok(("occlusion", covered_maps(&model.network, x, target, [square, step], 0.0)?))
    };
    Ok(match settings.method {
        Method::GradCam => vec![by_class()?],
        Method::Occlusion => vec![by_loss()?],
        Method::Both => vec![by_class()?, by_loss()?],
        Method::Attention => {
            let found = attention_maps(&model.network, x)?;
            let text = format!("the model is a {}, which has no soft attention", model.card.network.name());
            vec![("attention", found.ok_or_else(|| Usage(format!("{text}; use --method grad-cam")))?)]
        }
    })
}
