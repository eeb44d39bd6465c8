//! The columns and INFO fields of annotated variants.

use std::collections::HashSet;

use crate::io::vcf::{InfoField, PREFIX, VcfRecord};
use crate::variant::{Checked, Effect, Scale, Score, Status, Variant, shown};

/// Status of a row that was not used.
pub(super) const QUARANTINED: &str = "quarantined";

/// The columns of the table before those of the tasks.
pub(super) const COLUMNS: &str = "line\tcontig\tposition\tid\treference\talternate\tallele\tstatus\treason\tnormalised";

/// Names of the INFO fields and columns of one task.
pub(super) struct Names {
    reference: String,
    alternate: String,
    difference: String,
    log_odds: Option<String>,
}

impl Names {
    fn new(suffix: &str, scale: Scale) -> Self {
        let name = |what: &str| format!("{PREFIX}{what}{suffix}");
        let log_odds = (scale == Scale::Logits).then(|| name("LOGODDS"));
        Self { reference: name("REF"), alternate: name("ALT"), difference: name("DELTA"), log_odds }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        [&self.reference, &self.alternate, &self.difference].into_iter().chain(&self.log_odds).map(String::as_str)
    }
}

/// Names that are allowed in INFO (VCF 4.3 §1.6.1.8), all different.
pub(super) fn names(score: &dyn Score) -> Vec<Names> {
    let tasks = score.tasks();
    if tasks.len() == 1 {
        return vec![Names::new("", score.scale())];
    }
    let mut seen = HashSet::new();
    let suffix = |task: &String| {
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '.';
        let plain: String = task.chars().map(|letter| if allowed(letter) { letter } else { '_' }).collect();
        let mut suffix = format!("_{plain}");
        let mut count = 1;
        while !seen.insert(suffix.clone()) {
            count += 1;
            suffix = format!("_{plain}.{count}");
        }
        suffix
    };
    tasks.iter().map(suffix).map(|suffix| Names::new(&suffix, score.scale())).collect()
}

/// The INFO field of a label.
fn field_of(label: &str) -> String {
    format!("{PREFIX}{}", label.to_uppercase())
}

/// The definitions of the INFO fields.
pub(super) fn fields(names: &[Names], tasks: &[String], labels: &[&str]) -> Vec<InfoField> {
    let field = |id: &str, kind: &'static str, description: String| InfoField {
        id: id.to_owned(),
        number: "A",
        kind,
        description: description.replace(['"', '\\', '\n', '\r'], "'"),
    };
    let known = Status::ALL.map(Status::name).join(", ");
    let status = format!("How the allele stands to the genome: {known}, {QUARANTINED}");
    let mut fields = vec![field(&format!("{PREFIX}STATUS"), "String", status)];
    let label = |label: &&str| field(&field_of(label), "String", format!("The {label} that the effect is of"));
    fields.extend(labels.iter().map(label));
    for (names, task) in names.iter().zip(tasks) {
        let what = if names.log_odds.is_some() { "probabilities" } else { "values" };
        let kind = if names.log_odds.is_some() { "logit" } else { "value" };
        fields.push(field(&names.reference, "Float", format!("{task}: {kind} with REF")));
        fields.push(field(&names.alternate, "Float", format!("{task}: {kind} with ALT")));
        fields.push(field(&names.difference, "Float", format!("{task}: difference of {what}, ALT - REF")));
        if let Some(id) = &names.log_odds {
            fields.push(field(id, "Float", format!("{task}: logarithm of the odds ratio, ALT to REF")));
        }
    }
    fields
}

/// A number of an effect as it is written, without the noise of the last digits of a double.
fn number(value: f64, missing: &str) -> String {
    if value.is_finite() { (value as f32).to_string() } else { missing.to_owned() }
}

/// The numbers of one task, in the order of [`Names::iter`].
fn numbers(effect: &Effect, task: usize) -> impl Iterator<Item = f64> + '_ {
    let first = [&effect.reference, &effect.alternate, &effect.difference];
    first.into_iter().chain(&effect.log_odds).map(move |values| values[task])
}

/// What is added to INFO.
pub(super) fn info(
    record: &VcfRecord,
    alleles: &[Checked],
    effects: &[Result<Effect, String>],
    (names, labels): (&[Names], &[&str]),
) -> String {
    let none = record.alternates().next().is_none();
    let statuses: Vec<&str> = alleles.iter().map(|allele| if none { "." } else { allele.status.name() }).collect();
    let mut added = vec![format!("{PREFIX}STATUS={}", statuses.join(","))];
    for (place, label) in labels.iter().enumerate() {
        // VCF 4.3 §1.6.1.8: what separates values and fields cannot stand in one.
        let of = |effect: &Result<Effect, String>| match effect {
            Ok(effect) => effect.labels[place].replace([',', ';', '=', '%', ' ', '\t'], "_"),
            Err(_) => ".".to_owned(),
        };
        added.push(format!("{}={}", field_of(label), effects.iter().map(of).collect::<Vec<_>>().join(",")));
    }
    for (task, names) in names.iter().enumerate() {
        let values: Vec<Vec<f64>> =
            effects.iter().map(|effect| effect.iter().flat_map(|effect| numbers(effect, task)).collect()).collect();
        for (place, name) in names.iter().enumerate() {
            let of = |values: &Vec<f64>| values.get(place).map_or_else(|| ".".to_owned(), |&value| number(value, "."));
            let column: Vec<String> = values.iter().map(of).collect();
            added.push(format!("{name}={}", column.join(",")));
        }
    }
    added.join(";")
}

/// A row of the table.
pub(super) fn line(
    record: &VcfRecord,
    allele: &Checked,
    effect: Option<&Result<Effect, String>>,
    (names, labels): (&[Names], &[&str]),
) -> String {
    let Variant { contig, position, reference, alternate, id, allele: number_of, .. } = &allele.variant;
    let id = id.as_deref().unwrap_or_default();
    // What the comparison with the genome could not know: that the window does not fit, that a score is no number.
    let later = effect.and_then(|effect| match effect {
        Ok(effect) => (0..names.len())
            .any(|task| numbers(effect, task).any(|value| !value.is_finite()))
            .then_some("a score is not a number"),
        Err(reason) => Some(reason.as_str()),
    });
    let reason = allele.reason.as_deref().or(later).unwrap_or_default();
    let normalised = allele.normalised.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut line = format!(
        "{}\t{contig}\t{}\t{id}\t{}\t{}\t{number_of}\t{}\t{reason}\t{normalised}",
        record.line(),
        position + 1,
        shown(reference),
        shown(alternate),
        allele.status,
    );
    let effect = effect.and_then(|effect| effect.as_ref().ok());
    for place in 0..labels.len() {
        line.push('\t');
        line.push_str(&effect.map(|effect| effect.labels[place].replace(['\t', '\n', '\r'], " ")).unwrap_or_default());
    }
    for (task, names) in names.iter().enumerate() {
        let mut values = effect.into_iter().flat_map(|effect| numbers(effect, task));
        for _ in names.iter() {
            line.push('\t');
            line.push_str(&values.next().map(|value| number(value, "")).unwrap_or_default());
        }
    }
    line
}
