//! What the filters of the first layer answer to in the sequences, and what a database calls it.

use super::patterns::{Named, best, named, q_value};
use genomics::logo::motif_logo;
use genomics::model::{Ensemble, StrandPolicy};
use genomics::motif::{FilterConfig, Motif, MotifDatabase, UNIFORM};
use nn_core::burn::tensor::{Device, Tensor};
use workbench::table::Table;

/// Filters of the table, and those that are drawn.
const SHOWN: usize = 10;
const DRAWN: usize = 4;

/// The motifs of the filters, those that say most first.
pub(super) struct Filters {
    motifs: Vec<Motif>,
    names: Vec<Option<Named>>,
}

impl Filters {
    /// Those of the first model in what it reads of the sequences; none for a network whose first layer is no
    /// convolution over the bases.
    pub(super) fn find(
        ensemble: &Ensemble,
        windows: &[&[u8]],
        database: Option<&MotifDatabase>,
        device: &Device,
    ) -> anyhow::Result<Option<Self>> {
        let model = &ensemble.models()[0];
        let Some(filters) = model.network.first_layer() else { return Ok(None) };
        let [_, _, width] = filters.dims();
        let both_strands = model.card.preprocessing.strands != StrandPolicy::Given;
        let config = FilterConfig { both_strands, ..FilterConfig::default() };
        // Where there is a first layer there are its maps.
        let maps = |x: Tensor<3>| model.network.first_maps(x.clone()).unwrap_or(x);
        let found = config.motifs_of(&maps, width, windows, device)?;
        let mut motifs: Vec<Motif> = found.into_iter().filter_map(|filter| filter.motif).collect();
        let bits = |motif: &Motif| motif.information(&UNIFORM).iter().sum::<f64>();
        motifs.sort_by(|a, b| bits(b).total_cmp(&bits(a)));
        let names = match database {
            Some(database) => named(&motifs, database),
            None => motifs.iter().map(|_| None).collect(),
        };
        Ok(Some(Self { motifs, names }))
    }

    pub(super) fn motifs(&self) -> &[Motif] {
        &self.motifs
    }

    /// What was done, in two sentences.
    pub(super) fn describe(&self) -> String {
        format!(
            "Windows that activate a filter of the first model's first layer more than half as much as the best one, \
             aligned (Kelley et al. 2016): {} filters have at least 10 of them. The {SHOWN} that say most are in the \
             table, all of them in filters.meme.",
            self.motifs.len()
        )
    }

    pub(super) fn table(&self) -> Table {
        let mut table = Table::new("Filters of the first layer that say most")
            .text("filter")
            .text("consensus")
            .number("sites")
            .text("best match")
            .number("q-value");
        for (motif, name) in self.motifs.iter().zip(&self.names).take(SHOWN) {
            table.push([
                motif.name.clone(),
                motif.consensus(),
                motif.sites.map_or_else(|| "–".to_owned(), |sites| format!("{sites:.0}")),
                best(name.as_ref()),
                q_value(name.as_ref()),
            ]);
        }
        table
    }

    /// Caption and logo of the first ones.
    pub(super) fn drawn(&self) -> impl Iterator<Item = (String, String)> {
        self.motifs.iter().zip(&self.names).take(DRAWN).map(|(motif, name)| {
            let caption = format!("{}; best match: {}.", motif.name, best(name.as_ref()));
            (caption, motif_logo(motif, &UNIFORM, &motif.name))
        })
    }
}
