//! What cuts the lungs out of pictures, for networks that see them by themselves.

use crate::inputs;
use crate::run::whole;
use anyhow::Context;
use imaging::model::{self, ClassifyCard};
use imaging::pictures::{AUTO, CropConfig, Cropper};
use nn_core::burn::tensor::Device;
use std::path::{Path, PathBuf};
use workbench::args::Common;
use workbench::exit::Usage;
use workbench::record::Input;

/// Makes the path of masks or of a model whole; the rule has none.
pub(crate) fn settled(from: &Path, common: &Common) -> anyhow::Result<PathBuf> {
    if from.as_os_str() == AUTO { Ok(from.to_path_buf()) } else { Ok(whole(from, common)?) }
}

/// What cuts as the settings say; none where they say nothing.
pub(crate) fn cropper(config: Option<&CropConfig>, device: &Device) -> anyhow::Result<Option<Cropper>> {
    if let Some(config) = config {
        config.validate()?;
    }
    Ok(config.map(|config| Cropper::new(config, device)).transpose()?)
}

/// What cuts pictures for a model: as it learnt, or by the masks or the model that are given instead.
pub(crate) fn of_model(
    card: &ClassifyCard,
    given: Option<&Path>,
    common: &Common,
    device: &Device,
) -> anyhow::Result<Option<Cropper>> {
    let Some(learnt) = &card.crop else {
        return match given {
            Some(_) => Err(Usage("the model sees no part of pictures by itself; leave out crop".into()).into()),
            None => Ok(None),
        };
    };
    let config = match given {
        Some(from) => CropConfig { from: settled(from, common)?, margin: learnt.margin },
        None => learnt.clone(),
    };
    let found = cropper(Some(&config), device);
    if given.is_some() {
        return found;
    }
    found.with_context(|| {
        format!(
            "the model learnt where the lungs are from {}; name other masks or another model by --set crop=PATH (of evaluate: \
             source.crop)",
            config.from.display()
        )
    })
}

/// Notes the masks, or the model, among what went in.
pub(crate) fn hash(config: &CropConfig, inputs: &mut Vec<Input>) -> anyhow::Result<()> {
    if config.from.as_os_str() == AUTO {
        return Ok(());
    }
    let files = model::files(&config.from).unwrap_or_else(|_| vec![config.from.clone()]);
    files.iter().try_for_each(|path| inputs::hash(path, inputs))
}
