//! A rule prepared for one codebook: which codes each of its arms looks at, so that millions of events pass quickly.

use super::mention::{self, Mention};
use super::rule::{Arm, CodeArm, LaboratoryArm, begins, rest};
use super::{Finding, Phenotype, PhenotypeError};
use crate::codebook::{CodeId, Codebook};
use crate::codes::{Coded, System};
use crate::events::Event;
use crate::units::{self, Analyte, Normal};
use crate::view::View;

/// What became of the events that an arm looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) looked_at: u64,
    pub(super) no_value: u64,
    pub(super) implausible: u64,
    pub(super) unit_assumed: u64,
    pub(super) unit_unknown: u64,
    pub(super) negated: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        self.looked_at += other.looked_at;
        self.no_value += other.no_value;
        self.implausible += other.implausible;
        self.unit_assumed += other.unit_assumed;
        self.unit_unknown += other.unit_unknown;
        self.negated += other.negated;
    }
}

/// An arm that looks at a code.
#[derive(Debug, Clone)]
struct Watch {
    arm: usize,
    /// The unit that the code names.
    unit: Option<String>,
}

/// How an arm decides about an event of a code that it looks at.
#[derive(Debug)]
enum Test<'r> {
    Value(&'r LaboratoryArm, Option<&'static Analyte>),
    Always,
    Words(mention::Finder),
}

/// A rule prepared for one codebook.
#[derive(Debug)]
pub struct Compiled<'r> {
    pub(super) rule: &'r Phenotype,
    /// Of the arms, then of the exclusions.
    tests: Vec<Test<'r>>,
    /// By code.
    watches: Vec<Vec<Watch>>,
}

impl<'r> Compiled<'r> {
    pub(super) fn new(rule: &'r Phenotype, book: &Codebook) -> Result<Self, PhenotypeError> {
        rule.validate()?;
        let mut watches: Vec<Vec<Watch>> = vec![Vec::new(); book.len()];
        let mut tests = Vec::new();
        for (at, arm) in rule.all_arms().enumerate() {
            for (id, name) in book.iter() {
                let unit = match arm {
                    Arm::Laboratory(arm) => unit(book, id, name, &arm.codes),
                    Arm::Code(arm) => has_code(book, id, name, arm).then_some(None),
                    Arm::Text(arm) if arm.codes.is_empty() => Some(None),
                    Arm::Text(arm) => unit(book, id, name, &arm.codes),
                };
                if let Some(unit) = unit {
                    watches[id.index()].push(Watch { arm: at, unit });
                }
            }
            tests.push(match arm {
                Arm::Laboratory(arm) => Test::Value(arm, arm.loinc.as_deref().and_then(units::by_loinc)),
                Arm::Code(_) => Test::Always,
                Arm::Text(arm) => Test::Words(mention::Finder::new(&arm.phrases).map_err(|problem| {
                    PhenotypeError::Rule { rule: rule.name.clone(), arm: arm.name.clone(), problem }
                })?),
            });
        }
        Ok(Self { rule, tests, watches })
    }

    /// The codes that laboratory and code arms look at: where the rule makes the label, they are what a model must not
    /// see.
    pub fn codes(&self) -> Vec<CodeId> {
        let decides = |watch: &Watch| !matches!(self.tests[watch.arm], Test::Words(_));
        let looked_at = self.watches.iter().enumerate().filter(|(_, watches)| watches.iter().any(decides));
        looked_at.map(|(code, _)| CodeId(code as u32)).collect()
    }

    /// Whether the rule holds for what is known of a subject at a moment.
    pub fn holds(&self, view: &View<'_>) -> bool {
        let mut tallies = self.tallies();
        let mut findings = Vec::new();
        self.scan(view.subject_id(), view.events(), &mut findings, &mut tallies);
        self.verdict(&findings).0
    }

    pub(super) fn tallies(&self) -> Vec<Tally> {
        vec![Tally::default(); self.tests.len()]
    }

    /// Whether one subject's findings satisfy the rule, and whether it was excluded in spite of an arm that holds.
    pub(super) fn verdict(&self, findings: &[Finding]) -> (bool, bool) {
        let arms = self.rule.arm.len();
        let holding = self.holding(findings);
        let (included, excluded) = holding.split_at(arms);
        let (found, barred) = (included.iter().any(|holds| *holds), excluded.iter().any(|holds| *holds));
        (found && !barred, found && barred)
    }

    /// Which arms, then which exclusions, hold by one subject's findings.
    pub(super) fn holding(&self, findings: &[Finding]) -> Vec<bool> {
        let count = |at: usize| findings.iter().filter(|finding| finding.arm == at).count();
        self.rule.all_arms().enumerate().map(|(at, arm)| count(at) >= arm.events()).collect()
    }

    /// Adds what is found in one subject's events.
    pub(super) fn scan<'a>(
        &self,
        subject: i64,
        events: impl Iterator<Item = Event<'a>>,
        findings: &mut Vec<Finding>,
        tallies: &mut [Tally],
    ) {
        for event in events {
            let Some(watches) = self.watches.get(event.code.index()) else { continue };
            for watch in watches {
                let tally = &mut tallies[watch.arm];
                let found = match &self.tests[watch.arm] {
                    Test::Always => {
                        tally.looked_at += 1;
                        Some((event.value.map(f64::from), None))
                    }
                    Test::Value(arm, analyte) => {
                        tally.looked_at += 1;
                        measured(arm, *analyte, watch.unit.as_deref(), &event, tally).map(|value| (Some(value), None))
                    }
                    Test::Words(finder) => event.text.and_then(|text| {
                        tally.looked_at += 1;
                        match finder.find(text) {
                            Mention::Affirmed(words) => Some((None, Some(words))),
                            Mention::Negated => {
                                tally.negated += 1;
                                None
                            }
                            Mention::Absent => None,
                        }
                    }),
                };
                if let Some((value, words)) = found {
                    let (arm, row, time, code) = (watch.arm, event.row, event.time, event.code);
                    findings.push(Finding { subject, arm, row, time, code, value, words });
                }
            }
        }
    }
}

/// The unit of a code that begins as one of the patterns says, or stands below one; none for another code.
#[allow(clippy::option_option)] // a code that is looked at may name no unit
fn unit(book: &Codebook, id: CodeId, name: &str, patterns: &[String]) -> Option<Option<String>> {
    let own = patterns.iter().find_map(|pattern| rest(name, pattern).map(|mut rest| rest.next().map(str::to_owned)));
    own.or_else(|| {
        let parents = book.parents(id);
        let below = parents.iter().any(|parent| patterns.iter().any(|pattern| rest(parent, pattern).is_some()));
        // KIND//ITEM//UNIT or KIND//VOCABULARY//CODE//UNIT, as the readers write measurements
        below.then(|| name.split("//").skip(2).last().map(str::to_owned))
    })
    .map(|unit| unit.filter(|unit| !matches!(unit.as_str(), "" | "UNK" | "None" | "nan")))
}

/// Whether a code, or one that the book says it is mapped to, is one of the arm's.
fn has_code(book: &Codebook, id: CodeId, name: &str, arm: &CodeArm) -> bool {
    let counts = |coded: Coded<'_>| {
        // where codes have no levels, one that is longer is another one
        let whole = matches!(arm.system, System::RxNorm | System::Loinc | System::Snomed);
        let fits = |pattern: &String| begins(&coded.code, pattern) && !(whole && coded.code.len() != pattern.len());
        let any = |patterns: &[String]| patterns.iter().any(fits);
        coded.system == arm.system && any(&arm.patterns) && !any(&arm.except)
    };
    match Coded::parse(name) {
        // its ancestors say less than the code itself, and may pass where it is an exception
        Some(own) if own.system == arm.system => counts(own),
        _ => book.parents(id).iter().filter_map(|parent| Coded::parse(parent)).any(counts),
    }
}

/// The value of an event in the analyte's unit, or in the arm's where there is no analyte, if it passes every
/// threshold.
fn measured(
    arm: &LaboratoryArm,
    analyte: Option<&Analyte>,
    unit: Option<&str>,
    event: &Event<'_>,
    tally: &mut Tally,
) -> Option<f64> {
    let (bound, value) = match (event.value, event.text) {
        (Some(value), _) => (None, f64::from(value)),
        (None, Some(text)) => {
            if let Some((bound, value)) = bounded(text) {
                (bound, value)
            } else {
                tally.no_value += 1;
                return None;
            }
        }
        (None, None) => {
            tally.no_value += 1;
            return None;
        }
    };
    let due = arm.unit.as_deref();
    if unit.is_none() && due.is_some() {
        tally.unit_assumed += 1;
    }
    let unit = unit.or(due);
    let normal = match analyte {
        Some(analyte) => analyte.normalise(value, unit.or(Some(analyte.unit))),
        None if due.is_none() || unit == due => Normal::Value { value, converted: false },
        None => Normal::UnknownUnit,
    };
    let value = match normal {
        Normal::Value { value, .. } => value,
        Normal::Outlier => {
            tally.implausible += 1;
            return None;
        }
        Normal::UnknownUnit => {
            tally.unit_unknown += 1;
            return None;
        }
    };
    // thresholds go the way of the values; events hold single precision, in which 6.9 is more than 6.9
    let threshold = |given: Option<f64>| {
        given.map(|given| match analyte.map(|analyte| analyte.normalise(given, due.or(Some(analyte.unit)))) {
            Some(Normal::Value { value, .. }) => value as f32,
            _ => given as f32,
        })
    };
    let own = value as f32;
    // "> 14" may be any larger number, and is certain to pass only what 14 passes from above
    let (more, less) = (bound != Some('<'), bound != Some('>'));
    let beyond = bound.is_some();
    let passes = threshold(arm.above).is_none_or(|limit| more && (own > limit || (beyond && own >= limit)))
        && threshold(arm.at_least).is_none_or(|limit| more && own >= limit)
        && threshold(arm.below).is_none_or(|limit| less && (own < limit || (beyond && own <= limit)))
        && threshold(arm.at_most).is_none_or(|limit| less && own <= limit);
    passes.then_some(value)
}

/// A number in a text, with the sign that may stand before it: `> 14.0`, `<0.1`, `7.2`.
fn bounded(text: &str) -> Option<(Option<char>, f64)> {
    let text = text.trim();
    let bound = text.chars().next().filter(|sign| matches!(sign, '<' | '>'));
    let number = text.trim_start_matches(['<', '>', '=', ' ']);
    let value: f64 = number.trim_end_matches(['%', ' ']).parse().ok()?;
    value.is_finite().then_some((bound, value))
}
