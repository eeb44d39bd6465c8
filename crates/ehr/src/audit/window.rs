//! Whether how much of a record is used, or when the question is asked, tells the label.

use nn_core::metrics::auroc;

use super::{AuditConfig, Finding, Leak, Task, truth};

/// Distance from one half, as a share of the limit's, that is worth a look.
const LOOK: f64 = 0.6;
/// From here on the length of a history is no longer a fact about the patient.
const HISTORY: f64 = 0.9;

/// Compares the length of the windows of positives and negatives.
///
/// A window may have any length, as long as it does not depend on what is to be predicted. The classical fault is to ask
/// about the dead shortly before their death and about the others at their discharge.
pub(super) fn check(task: &Task<'_, '_>, config: &AuditConfig, findings: &mut Vec<Finding>) {
    if let Some(starts) = task.starts {
        let hours = |row: usize| Some(task.labels[row].prediction_time.since(starts[row]).in_hours());
        if let Some(area) = area(task, config, &hours) {
            report("from its start to the prediction time", area, config.window_auroc, findings);
        }
    }
    let history = |row: usize| {
        let times = (task.inputs)(row).into_iter().filter_map(|event| {
            let birth = task.events.codebook.is_birth(event.code);
            event.time.filter(|_| !birth)
        });
        times.min().map(|first| task.labels[row].prediction_time.since(first).in_hours())
    };
    if let Some(area) = area(task, config, &history) {
        // The sicker have longer records: that much is no leak.
        let limit = config.window_auroc.max(HISTORY);
        report("of the inputs, from the first to the prediction time", area, limit, findings);
    }
    let idle = |row: usize| {
        let times = (task.inputs)(row).into_iter().filter_map(|event| event.time);
        times.max().map(|last| task.labels[row].prediction_time.since(last).in_hours())
    };
    if let Some(area) = area(task, config, &idle) {
        let limit = config.window_auroc.max(HISTORY);
        report("from the last input to the prediction time", area, limit, findings);
    }
}

/// Area under the ROC curve of a length, on whichever side of one half; `None` if one class is too small.
fn area(task: &Task<'_, '_>, config: &AuditConfig, length: &dyn Fn(usize) -> Option<f64>) -> Option<f64> {
    let (mut labels, mut lengths) = (Vec::new(), Vec::new());
    for row in 0..task.labels.len() {
        if let (Some(label), Some(length)) = (truth(task, row), length(row)) {
            labels.push(label);
            lengths.push(length);
        }
    }
    let positives = labels.iter().filter(|label| **label).count();
    if positives.min(labels.len() - positives) < config.min_class {
        return None;
    }
    auroc(&labels, &lengths).ok().map(|area| area.max(1.0 - area))
}

fn report(what: &str, area: f64, limit: f64, findings: &mut Vec<Finding>) {
    let message = format!(
        "the length of the window {what} tells the label with an AUROC of {area:.3}; use one rule for all, which does \
         not know the outcome"
    );
    if area >= limit {
        findings.push(Finding::error(Leak::WindowLength, 1, message));
    } else if area - 0.5 >= LOOK * (limit - 0.5) {
        findings.push(Finding::warning(Leak::WindowLength, 1, message));
    }
}
