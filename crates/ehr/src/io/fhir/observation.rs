//! Observations: laboratory values, vital signs, answers.

use std::fmt::Write as _;

use serde_json::Value;

use super::Reader;
use super::element::{coded, list, text};
use crate::io::etl::Sink;
use crate::io::rows::Reason;
use crate::io::terms::{UNKNOWN, finite, reading};
use crate::time::Time;

/// Forms of values that are not read.
const UNREAD: [&str; 5] = ["valueRange", "valueRatio", "valueSampledData", "valueAttachment", "valuePeriod"];

impl Reader {
    pub(super) fn observation(&mut self, subject: i64, observed: &Value, sink: &mut dyn Sink) -> Result<(), Reason> {
        let mut categories = list(&observed["category"]).iter().flat_map(|category| list(&category["coding"]));
        let laboratory = categories.any(|coding| coding["code"] == "laboratory");
        let effective = self.over(observed, "effective")?;
        // A result is there when the laboratory issues it, not when the blood was drawn.
        let issued = if laboratory || effective.is_none() { self.time(&observed["issued"])? } else { None };
        let when = effective.max(issued).ok_or("it has no time")?;
        let kind = if laboratory { "LAB" } else { "OBSERVATION" };
        let parts = list(&observed["component"]);
        let own = has_value(observed);
        if !own && !parts.is_empty() {
            // A panel is what its parts say.
            let mut made = Err(Reason::from("no component of it can be used"));
            for part in parts {
                if self.observed(subject, kind, part, when, sink).is_ok() {
                    made = Ok(());
                }
            }
            return made;
        }
        self.observed(subject, kind, observed, when, sink)?;
        for part in parts {
            if self.observed(subject, kind, part, when, sink).is_err() {
                self.counts.change("a component of an observation cannot be used");
            }
        }
        Ok(())
    }

    /// The event of an observation or of a component of one.
    fn observed(
        &mut self,
        subject: i64,
        kind: &str,
        observed: &Value,
        when: Time,
        sink: &mut dyn Sink,
    ) -> Result<(), Reason> {
        let own = coded(&observed["code"]).ok_or("it has no code")?;
        if !has_value(observed) && !observed["dataAbsentReason"].is_null() {
            return Err("its value is absent".into());
        }
        let quantity = &observed["valueQuantity"];
        let number = quantity["value"].as_f64();
        let kind = if number.is_some() && kind == "OBSERVATION" { "MEASUREMENT" } else { kind };
        let mut code = format!("{kind}//{}", own.code);
        let (mut value, mut words) = (None, None);
        // Writing to a `String` does not fail.
        if let Some(number) = number {
            let unit = text(&quantity["code"]).or_else(|| text(&quantity["unit"]));
            let (vocabulary, measured) = own.code.split_once("//").unwrap_or_default();
            if self.config.normalise_units {
                let found = reading(vocabulary, measured, number, unit, &mut self.counts);
                let _ = write!(code, "//{}", found.unit);
                (value, words) = (found.value, found.text);
            } else {
                let _ = write!(code, "//{}", unit.unwrap_or(UNKNOWN));
                value = finite(number);
            }
            if let Some(comparator) = text(&quantity["comparator"]) {
                words = Some(format!("{comparator}{number}"));
                self.counts.change("a value is a bound, which is kept as value and in words");
            }
        } else if let Some(answer) = coded(&observed["valueCodeableConcept"]) {
            let _ = write!(code, "//{}", answer.code);
            words = answer.display;
        } else if let Some(yes) = observed["valueBoolean"].as_bool() {
            code.push_str(if yes { "//TRUE" } else { "//FALSE" });
        } else if let Some(number) = observed["valueInteger"].as_f64() {
            let _ = write!(code, "//{UNKNOWN}");
            value = finite(number);
        } else {
            let texts = ["valueString", "valueDateTime", "valueTime"];
            words = texts.iter().find_map(|name| text(&observed[*name])).map(str::to_owned);
            if UNREAD.iter().any(|name| !observed[*name].is_null()) || !quantity.is_null() {
                self.counts.change("a value has a form that is not read");
            }
        }
        self.describe(&code, kind, &own);
        sink.event(subject, Some(when), &code, value, words.as_deref());
        Ok(())
    }
}

/// Whether an observation has a value of any form.
fn has_value(observed: &Value) -> bool {
    observed.as_object().is_some_and(|members| members.keys().any(|name| name.starts_with("value")))
}
