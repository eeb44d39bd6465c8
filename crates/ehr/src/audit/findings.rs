//! Findings of an audit, and the audit as text.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Audit;

/// Examples that a finding names at most.
const LISTED: usize = 5;

/// A way in which a score can be better than the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leak {
    /// A subject, or two with the same record, in two parts.
    SharedSubject,
    /// An input from behind the prediction time.
    FutureEvent,
    /// A code of the outcome among the inputs.
    LabelCode,
    /// How much of the record is used tells the label.
    WindowLength,
    /// Something was fitted on more than the training part.
    FittedOutside,
    /// All labels of a part are equal.
    OneClass,
    /// What is known only when the stay is over.
    Discharge,
    /// One code alone tells the label.
    Proxy,
    /// Two labels of one subject at one time.
    Conflict,
}

impl Leak {
    /// All leaks.
    pub const ALL: [Self; 9] = [
        Self::SharedSubject,
        Self::FutureEvent,
        Self::LabelCode,
        Self::WindowLength,
        Self::FittedOutside,
        Self::OneClass,
        Self::Discharge,
        Self::Proxy,
        Self::Conflict,
    ];

    /// Name, as records spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::SharedSubject => "shared-subject",
            Self::FutureEvent => "future-event",
            Self::LabelCode => "label-code",
            Self::WindowLength => "window-length",
            Self::FittedOutside => "fitted-outside",
            Self::OneClass => "one-class",
            Self::Discharge => "discharge",
            Self::Proxy => "proxy",
            Self::Conflict => "conflict",
        }
    }
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a finding means for the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It must not go on.
    Error,
    /// It may go on, and somebody should look.
    Warning,
}

/// Something found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of leak.
    pub leak: Leak,
    /// What it means for the run.
    pub severity: Severity,
    /// How many labels, subjects or codes are concerned.
    pub count: usize,
    /// What was found and what to do, without a full stop.
    pub message: String,
    /// The first few of those concerned.
    pub examples: Vec<String>,
}

impl Finding {
    /// A finding that forbids to go on.
    pub(super) fn error(leak: Leak, count: usize, message: String) -> Self {
        Self { leak, severity: Severity::Error, count, message, examples: Vec::new() }
    }

    /// A finding to look at.
    pub(super) fn warning(leak: Leak, count: usize, message: String) -> Self {
        Self { leak, severity: Severity::Warning, count, message, examples: Vec::new() }
    }

    /// With the first few of those concerned.
    pub(super) fn with(mut self, examples: impl IntoIterator<Item = String>) -> Self {
        self.examples = examples.into_iter().take(LISTED).collect();
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Error => "LEAK",
            Severity::Warning => "look",
        };
        write!(f, "{word} {}: {}", self.leak, self.message)?;
        if !self.examples.is_empty() {
            let more = if self.count > self.examples.len() { ", …" } else { "" };
            write!(f, " [{}{more}]", self.examples.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} labels, {} of them in no part", self.labels, self.unused)?;
        for part in &self.parts {
            write!(f, "  {:<9} {:>9} labels {:>9} subjects", part.part.name(), part.labels, part.subjects)?;
            if let Some(positives) = part.positives {
                write!(f, " {positives:>9} positive ({:.1} %)", 100.0 * positives as f64 / part.labels.max(1) as f64)?;
            }
            writeln!(f)?;
        }
        self.findings.iter().try_for_each(|finding| writeln!(f, "{finding}"))?;
        match self.errors().count() {
            0 => writeln!(f, "passed: none of the known leaks was found"),
            count => writeln!(f, "failed: {count} findings must be mended before any score is believed"),
        }
    }
}
