//! What a prediction rests on.
//!
//! Of RETAIN, what each code adds to the logit can be read off, and the parts sum to it (Choi et al. 2016, equation 5).
//! Of any other network, a code or a variable is left out, and what the logit loses is said to be its share (occlusion,
//! Zeiler and Fergus 2014); these do not sum to anything. Of GRU-D, beside it stands how much of each last value is
//! left.

use serde::{Deserialize, Serialize};

use crate::features::Series;
use crate::model::{ModelError, RiskModel};
use crate::study::{Inputs, Network};
use crate::systems::gru_d::{GruD, intervals};
use crate::systems::{Net, VisitBatch, VisitSequence};
use crate::time::Time;
use crate::view::View;

/// Codes that are left out one by one at most; earlier ones are not looked at.
const MOST: usize = 1000;

/// What one code of a visit, one variable or one static adds to the logit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// When: the start of the visit, or the last measurement; none for statics.
    pub time: Option<Time>,
    /// The code, the variable or the static.
    pub what: String,
    /// In words, where the data set describes the code.
    pub description: Option<String>,
    /// What it adds to the logit; above 0 it makes the event likelier.
    pub value: f64,
    /// Of a variable: the last value, how often it was measured, and how much of it is left.
    pub note: Option<String>,
}

/// What a prediction rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The logit before recalibration.
    pub logit: f64,
    /// The probability after it.
    pub probability: f64,
    /// What every patient starts from, where the shares sum to the logit with it; none for occlusion.
    pub bias: Option<f64>,
    /// The shares, the largest by amount first.
    pub shares: Vec<Share>,
    /// Weight of each visit, where the network has one: start and weight, summing to 1.
    pub visits: Vec<(Time, f64)>,
    /// Codes too far back to be looked at.
    pub left_out: usize,
}

/// Explains the prediction of a model for a view.
///
/// # Errors
/// [`ModelError`] when the inputs cannot be made or the network does not compute.
pub fn explain(model: &RiskModel, view: &View<'_>) -> Result<Explanation, ModelError> {
    let inputs = model.card.preprocessing.apply(std::slice::from_ref(view))?;
    let mut found = match (&model.network, &inputs) {
        (Network::Visits(Net::Retain(net)), Inputs::Visits(rows)) => {
            let parts = net.explain(&VisitBatch::new(rows), 0)?;
            retain(model, view, parts.into_iter().next())?
        }
        (_, Inputs::Visits(rows)) => match rows.first() {
            Some(row) => visits(model, view, row)?,
            None => nothing(),
        },
        (Network::Series(net), Inputs::Series(rows)) => match rows.first() {
            Some(row) => series(model, net, view, row)?,
            None => nothing(),
        },
        (Network::Visits(_), Inputs::Series(_)) => nothing(),
    };
    found.probability = model.probability(found.logit);
    found.shares.sort_by(|a, b| b.value.abs().total_cmp(&a.value.abs()));
    Ok(found)
}

fn nothing() -> Explanation {
    let (shares, visits) = (Vec::new(), Vec::new());
    Explanation { logit: 0.0, probability: 0.5, bias: None, shares, visits, left_out: 0 }
}

/// The share of a code, by its id.
fn code_share(model: &RiskModel, view: &View<'_>, time: Option<Time>, id: u32, value: f64) -> Share {
    let name = model.card.preprocessing.vocabulary().and_then(|vocabulary| vocabulary.name(id));
    let book = view.codebook();
    let code = name.and_then(|name| book.get(name));
    let description = code.and_then(|code| book.description(code)).map(str::to_owned);
    Share {
        time,
        what: name.unwrap_or("a code that the model does not know").to_owned(),
        description,
        value,
        note: None,
    }
}

fn static_share(what: &str, value: f64) -> Share {
    Share { time: None, what: what.to_owned(), description: None, value, note: None }
}

fn retain(
    model: &RiskModel,
    view: &View<'_>,
    parts: Option<crate::systems::retain::Explanation>,
) -> Result<Explanation, ModelError> {
    let Some(parts) = parts else { return Ok(nothing()) };
    let preprocessing = &model.card.preprocessing;
    let read = preprocessing.visits(view)?;
    let start = |visit: usize| read.get(visit).map(|visit| visit.start);
    let codes = parts.codes.iter().map(|share| code_share(model, view, start(share.visit), share.code, share.value));
    let names = preprocessing.statics();
    let statics = names.iter().zip(&parts.statics).map(|(name, &value)| static_share(name, value));
    let shares = codes.chain(statics).collect();
    let visits = parts.alpha.iter().enumerate().filter_map(|(at, &weight)| Some((start(at)?, weight))).collect();
    Ok(Explanation { logit: parts.logit, probability: 0.5, bias: Some(parts.bias), shares, visits, left_out: 0 })
}

/// The same visits, of which one code of one visit is left out, and one static is at its mean.
fn without(row: &VisitSequence, code: Option<(usize, u32)>, fixed: Option<usize>) -> VisitSequence {
    let mut statics = row.statics().to_vec();
    if let Some(value) = fixed.and_then(|at| statics.get_mut(at)) {
        *value = 0.0;
    }
    let mut other = VisitSequence::new(statics);
    for visit in 0..row.len() {
        let kept = row.codes(visit).iter().copied().filter(|&id| code != Some((visit, id)));
        other.push(row.gaps()[visit], row.planned()[visit], kept);
    }
    other
}

fn visits(model: &RiskModel, view: &View<'_>, row: &VisitSequence) -> Result<Explanation, ModelError> {
    let read = model.card.preprocessing.visits(view)?;
    let mut codes: Vec<(usize, u32)> =
        (0..row.len()).flat_map(|visit| row.codes(visit).iter().map(move |&id| (visit, id))).collect();
    let left_out = codes.len().saturating_sub(MOST);
    codes.drain(..left_out);
    let names = model.card.preprocessing.statics();
    let mut variants = vec![row.clone()];
    variants.extend(codes.iter().map(|&code| without(row, Some(code), None)));
    variants.extend((0..names.len()).map(|at| without(row, None, Some(at))));
    let logits = model.logits(&Inputs::Visits(variants))?;
    let (logit, rest) = logits.split_first().map_or((0.0, &[][..]), |(&logit, rest)| (logit, rest));
    let (of_codes, of_statics) = rest.split_at(codes.len().min(rest.len()));
    let start = |visit: usize| read.get(visit).map(|visit| visit.start);
    let codes = codes.iter().zip(of_codes);
    let codes = codes.map(|(&(visit, id), other)| code_share(model, view, start(visit), id, logit - other));
    let statics = names.iter().zip(of_statics).map(|(name, other)| static_share(name, logit - other));
    let shares = codes.chain(statics).collect();
    Ok(Explanation { logit, probability: 0.5, bias: None, shares, visits: Vec::new(), left_out })
}

fn series(model: &RiskModel, net: &GruD, view: &View<'_>, row: &Series) -> Result<Explanation, ModelError> {
    let preprocessing = &model.card.preprocessing;
    let Some(fitted) = preprocessing.series() else { return Ok(nothing()) };
    let (width, names) = (row.variables, preprocessing.statics());
    let measured: Vec<usize> =
        (0..width).filter(|&variable| row.mask.iter().skip(variable).step_by(width).any(|&mask| mask > 0.0)).collect();
    let mut variants = vec![row.clone()];
    for &variable in &measured {
        let mut other = row.clone();
        other.mask.iter_mut().skip(variable).step_by(width).for_each(|mask| *mask = 0.0);
        other.delta = intervals(&other.hours, &other.mask, width);
        variants.push(other);
    }
    for at in 0..names.len() {
        let mut other = row.clone();
        if let Some(value) = other.statics.get_mut(at) {
            *value = 0.0;
        }
        variants.push(other);
    }
    let logits = model.logits(&Inputs::Series(variants))?;
    let (logit, rest) = logits.split_first().map_or((0.0, &[][..]), |(&logit, rest)| (logit, rest));
    let (of_variables, of_statics) = rest.split_at(measured.len().min(rest.len()));
    let book = view.codebook();
    let mut shares = Vec::new();
    for (&variable, other) in measured.iter().zip(of_variables) {
        let Some(what) = fitted.variables().get(variable) else { continue };
        let code = book.get(what);
        let last = code.and_then(|code| view.timed().rev().find(|event| event.code == code && event.value.is_some()));
        let time = last.and_then(|event| event.time);
        let count = row.mask.iter().skip(variable).step_by(width).filter(|&&mask| mask > 0.0).count();
        let waited = row.delta.get(row.steps.saturating_sub(1) * width + variable).copied().unwrap_or(0.0);
        let note = last.and_then(|event| event.value).map(|value| {
            let left = net.decay_curve(variable, &[f64::from(waited)]);
            let left = left.and_then(|left| left.first().copied());
            let kept = left.map_or_else(String::new, |left| format!(", {:.0} % of it left", 100.0 * left));
            format!("last {value}, in {count} of {} steps{kept}", row.steps)
        });
        let description = code.and_then(|code| book.description(code)).map(str::to_owned);
        shares.push(Share { time, what: what.clone(), description, value: logit - other, note });
    }
    shares.extend(names.iter().zip(of_statics).map(|(name, other)| static_share(name, logit - other)));
    Ok(Explanation { logit, probability: 0.5, bias: None, shares, visits: Vec::new(), left_out: 0 })
}
