//! Checks of what a model sees: nothing from the future, nothing that says the label, nothing written at the end.

use std::collections::{BTreeMap, BTreeSet};

use nn_core::metrics::auroc;

use super::{AuditConfig, Finding, Leak, Task, truth};
use crate::codebook::{CodeId, Codebook};
use crate::cohort::{code_matches, matching};
use crate::events::Event;
use crate::time::Time;

/// Which codes of the codebook are what.
struct Kinds {
    outcome: Vec<bool>,
    terminal: Vec<bool>,
    limiting: Vec<bool>,
    coded: Vec<bool>,
    admission: Vec<bool>,
    discharge: Vec<bool>,
}

/// Labels with something wrong, and the codes that are.
#[derive(Default)]
struct Wrong {
    labels: usize,
    codes: BTreeSet<CodeId>,
    last: Option<usize>,
}

impl Wrong {
    fn add(&mut self, row: usize, code: CodeId) {
        self.codes.insert(code);
        if self.last != Some(row) {
            self.last = Some(row);
            self.labels += 1;
        }
    }

    fn names<'a>(&'a self, book: &'a Codebook) -> impl Iterator<Item = String> + 'a {
        self.codes.iter().map(move |code| book.name(*code).to_owned())
    }
}

/// How often a code is seen with either label, and its last values.
#[derive(Default)]
struct Proxy {
    seen: [usize; 2],
    values: Vec<(bool, f64)>,
}

/// In whatever case of letters.
fn matching_any_case(patterns: &[String], book: &Codebook) -> Vec<bool> {
    let patterns: Vec<String> = patterns.iter().map(|pattern| pattern.to_uppercase()).collect();
    let means = |name: &str| {
        let name = name.to_uppercase();
        patterns.iter().any(|pattern| code_matches(pattern, &name))
    };
    book.iter().map(|(_, name)| means(name)).collect()
}

pub(super) fn check(task: &Task<'_, '_>, config: &AuditConfig, findings: &mut Vec<Finding>) {
    let book = &task.events.codebook;
    let kinds = Kinds {
        outcome: matching(task.outcome_codes, book),
        terminal: matching_any_case(&config.terminal_codes, book),
        limiting: matching_any_case(&config.limiting_codes, book),
        coded: matching_any_case(&config.discharge_coded, book),
        admission: matching(&config.admission_codes, book),
        discharge: matching(&config.discharge_codes, book),
    };
    let [mut future, mut outcome, mut terminal, mut limiting, mut coded, mut over]: [Wrong; 6] = Default::default();
    let mut proxies: BTreeMap<CodeId, Proxy> = BTreeMap::new();
    let mut classes = [0_usize; 2];
    for row in (0..task.labels.len()).filter(|&row| task.parts[row].is_some()) {
        let asked = task.labels[row].prediction_time;
        let open = open_stay(task, row, &kinds);
        let inputs = (task.inputs)(row);
        for event in &inputs {
            let code = event.code.index();
            if event.time.is_some_and(|time| time > asked) {
                future.add(row, event.code);
            }
            if kinds.outcome[code] && !task.recurrent {
                outcome.add(row, event.code);
            }
            if kinds.terminal[code] {
                terminal.add(row, event.code);
            }
            if kinds.limiting[code] {
                limiting.add(row, event.code);
            }
            if kinds.coded[code] && open.is_some_and(|open| event.time.is_some_and(|time| time >= open)) {
                coded.add(row, event.code);
            }
        }
        if let Some(ended) = ended(task, row, &kinds) {
            over.add(row, ended);
        }
        if let Some(label) = truth(task, row) {
            classes[usize::from(label)] += 1;
            gather(&inputs, label, &mut proxies);
        }
    }
    let mut tell = |leak, wrong: &Wrong, message: &str| {
        if wrong.labels > 0 {
            let message = format!("{} of {} labels {message}", wrong.labels, task.labels.len());
            findings.push(Finding::error(leak, wrong.labels, message).with(wrong.names(book)));
        }
    };
    tell(Leak::FutureEvent, &future, "have inputs from behind their prediction time; build inputs from views");
    tell(
        Leak::LabelCode,
        &outcome,
        "have codes of the outcome among their inputs; exclude them, or say that it recurs",
    );
    tell(Leak::Discharge, &terminal, "have inputs that mean death, a hospice or the result of the stay");
    tell(
        Leak::Discharge,
        &coded,
        "have inputs that are coded at discharge, although the stay is not over; move them to the discharge",
    );
    tell(
        Leak::Discharge,
        &over,
        "are of subjects who are dead or in a hospice by then, whose answer is known; exclude them from the cohort",
    );
    if limiting.labels > 0 {
        let message = format!("{} labels have inputs that mean that treatment is being limited", limiting.labels);
        let names = limiting.names(book);
        findings.push(Finding::warning(Leak::Discharge, limiting.labels, message).with(names));
    }
    vocabulary(task, outcome.labels, findings);
    proxy(&proxies, classes, book, config, findings);
}

/// Codes of the outcome that the inputs could have, although no row here has one.
fn vocabulary(task: &Task<'_, '_>, told: usize, findings: &mut Vec<Finding>) {
    if task.recurrent || told > 0 {
        return;
    }
    let is_outcome = |code: &&String| task.outcome_codes.iter().any(|pattern| code_matches(pattern, code));
    let codes: Vec<String> = task.codes.iter().filter(is_outcome).cloned().collect();
    if !codes.is_empty() {
        let message = format!("the input vocabulary has {} codes of the outcome; leave them out", codes.len());
        findings.push(Finding::error(Leak::LabelCode, codes.len(), message).with(codes));
    }
}

/// When the stay began in which the question is asked; `None` if it is over, or there is none.
fn open_stay(task: &Task<'_, '_>, row: usize, kinds: &Kinds) -> Option<Time> {
    let label = &task.labels[row];
    let mut open = None;
    for event in task.events.find(label.subject)?.as_of(label.prediction_time).timed() {
        if kinds.admission[event.code.index()] {
            open = event.time;
        } else if kinds.discharge[event.code.index()] {
            open = None;
        }
    }
    open
}

/// A code up to the prediction time after which there is nothing left to ask.
fn ended(task: &Task<'_, '_>, row: usize, kinds: &Kinds) -> Option<CodeId> {
    let label = &task.labels[row];
    let mut known = task.events.find(label.subject)?.as_of(label.prediction_time).timed();
    known.find(|event| kinds.terminal[event.code.index()]).map(|event| event.code)
}

fn gather(inputs: &[Event<'_>], label: bool, proxies: &mut BTreeMap<CodeId, Proxy>) {
    let mut last: BTreeMap<CodeId, Option<f32>> = BTreeMap::new();
    for event in inputs {
        let entry = last.entry(event.code).or_default();
        *entry = event.value.or(*entry);
    }
    for (code, value) in last {
        let proxy = proxies.entry(code).or_default();
        proxy.seen[usize::from(label)] += 1;
        proxy.values.extend(value.map(|value| (label, f64::from(value))));
    }
}

/// Codes that tell the label alone, by being there or by their last value.
fn proxy(
    proxies: &BTreeMap<CodeId, Proxy>,
    classes: [usize; 2],
    book: &Codebook,
    config: &AuditConfig,
    findings: &mut Vec<Finding>,
) {
    if classes[0].min(classes[1]) < config.min_class {
        return;
    }
    let mut found: Vec<(f64, String)> = Vec::new();
    for (code, proxy) in proxies {
        let [without, with] = [0_usize, 1].map(|class| proxy.seen[class] as f64 / classes[class] as f64);
        // The area of a yes-or-no score.
        let presence = 0.5 + (with - without).abs() / 2.0;
        let (labels, values): (Vec<bool>, Vec<f64>) = proxy.values.iter().copied().unzip();
        let positives = labels.iter().filter(|label| **label).count();
        let enough = positives.min(labels.len() - positives) >= config.min_class;
        let value = if enough { auroc(&labels, &values).map_or(0.5, |area| area.max(1.0 - area)) } else { 0.5 };
        let (area, how) = if presence >= value { (presence, "seen or not") } else { (value, "by its last value") };
        if area >= config.proxy_auroc {
            found.push((area, format!("{}, {how}, {area:.3}", book.name(*code))));
        }
    }
    if !found.is_empty() {
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let message = format!(
            "{} codes tell the label alone, with an AUROC of {:.2} or more; they are written because of the outcome",
            found.len(),
            config.proxy_auroc
        );
        findings.push(Finding::error(Leak::Proxy, found.len(), message).with(found.into_iter().map(|(_, text)| text)));
    }
}
