//! How the rows of a task are divided among the models of a study.

use std::collections::BTreeSet;

use nn_core::data::{Fractions, folds, grouped, stratified, stratified_folds};

use super::{Rows, Task, TaskConfig};
use crate::dataset::Labels;
use crate::split::{self, SplitConfig, SplitError, SplitKind};
use crate::study::{Plan, PlanError, picked};

/// Divides the rows of a task. `upstream` are the rows of the test part that the data came with.
///
/// # Errors
/// [`PlanError`].
pub(super) fn plan<T: Task>(task: &T, upstream: Option<&[usize]>, config: &TaskConfig) -> Result<Plan, PlanError> {
    let rows = task.rows();
    let fallback = if upstream.is_some() { SplitKind::Upstream } else { task.split() };
    let kind = config.split.unwrap_or(fallback);
    let groups = task.groups(kind)?;
    let failed = |cause| PlanError::Data { kind, cause };
    let strata = strata(rows, kind, &groups);
    let tests: Vec<Vec<usize>> = match (kind, upstream, &strata) {
        (SplitKind::Upstream, Some(test), _) => vec![test.to_vec()],
        (SplitKind::Upstream, None, _) => return Err(SplitError::NoUpstream.into()),
        (_, _, Some(classes)) if config.folds > 0 => {
            stratified_folds(classes, config.folds, config.seed).map_err(failed)?
        }
        (_, _, None) if config.folds > 0 => folds(&groups, config.folds, config.seed).map_err(failed)?,
        (_, _, Some(classes)) => {
            let fractions = Fractions { validation: 0.0, test: config.test_fraction };
            vec![stratified(classes, fractions, config.seed).map_err(failed)?.test]
        }
        (_, _, None) => {
            let part = SplitConfig {
                kind,
                test_contigs: config.test_contigs.clone(),
                validation_fraction: 0.0,
                test_fraction: config.test_fraction,
                seed: config.seed,
                ..SplitConfig::default()
            };
            vec![split::divide(&groups, &rows.loci, &part)?.test]
        }
    };
    let fractions = Fractions { validation: config.validation_fraction, test: 0.0 };
    Plan::assembled(kind, &groups, &tests, config.models, |rest, model| {
        let seed = config.seed + model;
        if let Some(classes) = &strata {
            return stratified(&picked(classes, rest), fractions, seed).map_err(failed);
        }
        let divided = |groups: &[u64]| grouped(&picked(groups, rest), fractions, seed);
        let parts = match divided(&groups) {
            // With two or three contigs left, none is as small as a tenth of them.
            Err(_) if kind == SplitKind::Chromosome => divided(&task.groups(SplitKind::Random)?),
            parts => parts,
        };
        parts.map_err(failed)
    })
}

/// The class of each row, where rows stand alone: then each part can have its share of every class.
fn strata(rows: &Rows, kind: SplitKind, groups: &[u64]) -> Option<Vec<u64>> {
    let alone = groups.iter().collect::<BTreeSet<_>>().len() == groups.len();
    let classes = matches!(rows.predicts.labels, Labels::Classes(_));
    let class = |&target: &f32| if target.is_nan() { u64::MAX } else { target as u64 };
    (kind == SplitKind::Random && alone && classes).then(|| rows.targets.iter().map(class).collect())
}
