//! Patients and their encounters.

use serde_json::Value;

use super::Reader;
use super::document::{encounter_class, encounter_period, is_inpatient};
use super::element::{coded, identifier, list, period, text};
use crate::codebook::{BIRTH, DEATH};
use crate::io::etl::Sink;
use crate::io::rows::Reason;
use crate::io::terms::{UNKNOWN, part, subject_number};
use crate::time::{Precision, Time};

impl Reader {
    pub(super) fn patient(
        &mut self,
        patient: &Value,
        address: Option<&str>,
        sink: &mut dyn Sink,
    ) -> Result<(), Reason> {
        let id = text(&patient["id"]).or_else(|| address.and_then(|address| identifier(address, "Patient")));
        let subject = subject_number(id.ok_or("the patient has no id")?);
        if !self.seen.insert(subject) {
            return Err("the patient is there twice".into());
        }
        if let Some(born) = text(&patient["birthDate"]) {
            match Time::read(born).filter(|(time, _)| time.is_plausible()) {
                Some((time, form)) => {
                    if form.precision < Precision::Day {
                        self.counts.change("the birth has no month or day, so the first one is taken");
                    }
                    sink.event(subject, Some(time), BIRTH, None, None);
                }
                None => self.counts.change("the date of birth is no date, so no birth is known"),
            }
        }
        if let Some(gender) = text(&patient["gender"]) {
            let gender = match gender {
                "male" => "M",
                "female" => "F",
                "other" => "OTHER",
                _ => UNKNOWN,
            };
            sink.event(subject, None, &format!("GENDER//{gender}"), None, None);
        }
        for (kind, ending) in [("RACE", "us-core-race"), ("ETHNICITY", "us-core-ethnicity")] {
            for name in stated(patient, ending) {
                sink.event(subject, None, &format!("{kind}//{}", part(name)), None, None);
            }
        }
        match self.time(&patient["deceasedDateTime"]) {
            Ok(Some(died)) => sink.event(subject, Some(died), DEATH, None, None),
            Ok(None) if patient["deceasedBoolean"] == true => {
                self.counts.change("the patient died, but it is not said when, so no death is known");
            }
            Ok(None) => {}
            Err(_) => self.counts.change("the date of death is no date, so no death is known"),
        }
        Ok(())
    }

    pub(super) fn encounter(&mut self, subject: i64, encounter: &Value, sink: &mut dyn Sink) -> Result<(), Reason> {
        let [start, end] = period(encounter_period(encounter), self.config.dates, &mut self.counts);
        let start = start?.ok_or("it has no beginning")?;
        let class = encounter_class(encounter).unwrap_or(UNKNOWN);
        let [begins, ends] = match class {
            "EMER" | "emergency" => ["ED_REGISTRATION", "ED_OUT"],
            class if is_inpatient(class) => ["HOSPITAL_ADMISSION", "HOSPITAL_DISCHARGE"],
            _ => ["ENCOUNTER", "ENCOUNTER_END"],
        };
        sink.event(subject, Some(start), &format!("{begins}//{class}"), None, None);
        for kind in list(&encounter["type"]) {
            if let Some(kind) = coded(kind) {
                let code = format!("ENCOUNTER_TYPE//{}", kind.code);
                self.describe(&code, "ENCOUNTER_TYPE", &kind);
                sink.event(subject, Some(start), &code, None, None);
            }
        }
        // Still going on, or of no use: reasons and where to are known at the end.
        let Some(end) = end? else { return Ok(()) };
        if end < start {
            self.counts.change("the encounter ends before it begins, so no end of it is known");
            return Ok(());
        }
        for reason in list(&encounter["reasonCode"]) {
            if let Some(reason) = coded(reason) {
                let code = format!("ENCOUNTER_REASON//{}", reason.code);
                self.describe(&code, "ENCOUNTER_REASON", &reason);
                sink.event(subject, Some(end), &code, None, None);
            }
        }
        let disposition = [&encounter["hospitalization"], &encounter["admission"]];
        let disposition = disposition.into_iter().find_map(|stay| coded(&stay["dischargeDisposition"]));
        let code = match &disposition {
            Some(to) => format!("{ends}//{}", to.code),
            None => format!("{ends}//{UNKNOWN}"),
        };
        if let Some(to) = &disposition {
            self.describe(&code, ends, to);
        }
        sink.event(subject, Some(end), &code, None, None);
        Ok(())
    }
}

/// What an extension of US Core says: the categories, else the text.
fn stated<'a>(patient: &'a Value, ending: &str) -> Vec<&'a str> {
    let extensions = list(&patient["extension"]).iter();
    let mut own = extensions.filter(|extension| text(&extension["url"]).is_some_and(|url| url.ends_with(ending)));
    let Some(extension) = own.next() else { return Vec::new() };
    let parts = list(&extension["extension"]);
    let of = |name: &'static str| parts.iter().filter(move |part| part["url"] == name);
    let categories: Vec<&str> = of("ombCategory").filter_map(|part| text(&part["valueCoding"]["display"])).collect();
    if categories.is_empty() { of("text").filter_map(|part| text(&part["valueString"])).collect() } else { categories }
}
