//! In how many subjects each code occurs, and how.

use super::FeatureError;
use crate::codebook::{CodeId, Codebook};
use crate::view::View;

/// Subjects in which a code occurs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// At all.
    pub(super) any: usize,
    /// With a time and a value.
    pub(super) timed_value: usize,
    /// Without a time and with a value.
    pub(super) static_value: usize,
    /// Without a time or a value.
    pub(super) static_flag: usize,
}

/// The codebook that all views share.
pub(super) fn codebook<'a>(views: &[View<'a>]) -> Result<&'a Codebook, FeatureError> {
    let book = views.first().ok_or(FeatureError::NoViews)?.codebook();
    if views.iter().all(|view| std::ptr::eq(view.codebook(), book)) { Ok(book) } else { Err(FeatureError::Codebooks) }
}

/// Places of the views, those of one subject one behind the other.
fn by_subject(views: &[View<'_>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..views.len()).collect();
    order.sort_by_key(|&place| views[place].subject_id());
    order
}

/// For each code of the views' codebook, the number of subjects that have it; several views of a subject count once.
pub(super) fn seen(views: &[View<'_>]) -> Result<Vec<Seen>, FeatureError> {
    let codes = codebook(views)?.len();
    let mut counts = vec![Seen::default(); codes];
    // What of each code has been counted for which subject: the subject's number in order, from 1.
    let mut marked = vec![[0_usize; 4]; codes];
    let (mut number, mut last) = (0, None);
    for place in by_subject(views) {
        let view = &views[place];
        if last != Some(view.subject_id()) {
            (number, last) = (number + 1, Some(view.subject_id()));
        }
        for event in view.events() {
            let code = event.code.index();
            let count = &mut counts[code];
            let kinds = [
                (true, &mut count.any),
                (event.time.is_some() && event.value.is_some(), &mut count.timed_value),
                (event.time.is_none() && event.value.is_some(), &mut count.static_value),
                (event.time.is_none() && event.value.is_none(), &mut count.static_flag),
            ];
            for ((applies, count), mark) in kinds.into_iter().zip(&mut marked[code]) {
                if applies && *mark != number {
                    *mark = number;
                    *count += 1;
                }
            }
        }
    }
    Ok(counts)
}

/// The codes that satisfy `wanted`, by name.
pub(super) fn chosen(book: &Codebook, counts: &[Seen], wanted: impl Fn(CodeId, &Seen) -> bool) -> Vec<String> {
    let mut names: Vec<String> = (0..counts.len())
        .map(|index| CodeId(index as u32))
        .filter(|&code| wanted(code, &counts[code.index()]))
        .map(|code| book.name(code).to_owned())
        .collect();
    names.sort_unstable();
    names
}
