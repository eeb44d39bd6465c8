//! How subjects are divided, as a configuration says it.

use nn_core::config::{ConfigError, in_range};
use nn_core::data::Fractions;
use serde::{Deserialize, Serialize};

use super::SplitKind;
use crate::time::Time;

/// How subjects are divided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SplitConfig {
    /// What is held out.
    pub kind: SplitKind,
    /// Share of the subjects for tuning, 0 for none.
    pub tuning_fraction: f64,
    /// Share of the subjects that are held out, 0 for none.
    pub held_out_fraction: f64,
    /// In a subject split, whether each part gets its share of the subjects with a positive label.
    pub stratify: bool,
    /// First day of the tuning part of a calendar split, such as `2015-01-01`; without it there is none.
    pub tuning_from: Option<String>,
    /// First day of the held-out part of a calendar split.
    pub held_out_from: Option<String>,
    /// What the codes that name a subject's site begin with.
    pub site_prefix: String,
    /// Sites of the tuning part; drawn if none is named and `tuning_fraction` is above 0.
    pub tuning_sites: Vec<String>,
    /// Sites that are held out; drawn if none is named and `held_out_fraction` is above 0.
    pub held_out_sites: Vec<String>,
    /// Seed.
    pub seed: u64,
}

impl Default for SplitConfig {
    fn default() -> Self {
        Self {
            kind: SplitKind::default(),
            tuning_fraction: 0.1,
            held_out_fraction: 0.2,
            stratify: true,
            tuning_from: None,
            held_out_from: None,
            site_prefix: "SITE//".to_owned(),
            tuning_sites: Vec::new(),
            held_out_sites: Vec::new(),
            seed: 1,
        }
    }
}

impl SplitConfig {
    /// Checks the ranges, and that what belongs to one kind of split is not asked of another.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("tuning_fraction", self.tuning_fraction, 0.0..=0.9)?;
        in_range("held_out_fraction", self.held_out_fraction, 0.0..=0.9)?;
        in_range("tuning_fraction + held_out_fraction", self.tuning_fraction + self.held_out_fraction, 0.0..=0.95)?;
        let calendar = self.kind == SplitKind::Calendar;
        if calendar != self.held_out_from.is_some() || (!calendar && self.tuning_from.is_some()) {
            let problem = "tuning_from and held_out_from are for a calendar split, which needs held_out_from";
            return Err(ConfigError::Conflict(problem.to_owned()));
        }
        if self.kind != SplitKind::Site && !(self.tuning_sites.is_empty() && self.held_out_sites.is_empty()) {
            let problem =
                "tuning_sites and held_out_sites are for a site split; leave them out, or use kind = \"site\"";
            return Err(ConfigError::Conflict(problem.to_owned()));
        }
        if let Some(site) = self.tuning_sites.iter().find(|site| self.held_out_sites.contains(site)) {
            return Err(ConfigError::Conflict(format!("site {site:?} is both in tuning_sites and in held_out_sites")));
        }
        self.dates().map(|_| ())
    }

    /// The shares as nn-core names them.
    pub(super) fn fractions(&self) -> Fractions {
        Fractions { validation: self.tuning_fraction, test: self.held_out_fraction }
    }

    /// First times of the tuning and of the held-out part.
    pub(super) fn dates(&self) -> Result<[Option<Time>; 2], ConfigError> {
        let date = |field: &'static str, text: Option<&str>| -> Result<Option<Time>, ConfigError> {
            let Some(text) = text else { return Ok(None) };
            let time = Time::parse(text).ok_or_else(|| ConfigError::OutOfRange {
                field,
                value: text.to_owned(),
                allowed: "a day such as 2015-01-01".to_owned(),
            })?;
            Ok(Some(time))
        };
        let dates =
            [date("tuning_from", self.tuning_from.as_deref())?, date("held_out_from", self.held_out_from.as_deref())?];
        if let [Some(tuning), Some(held_out)] = dates
            && tuning >= held_out
        {
            let problem = format!("tuning_from = {tuning} is not before held_out_from = {held_out}");
            return Err(ConfigError::Conflict(problem));
        }
        Ok(dates)
    }
}
