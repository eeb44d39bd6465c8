//! Conditions, procedures, drugs, vaccines, allergies, reports and notes.

use serde_json::Value;

use super::Reader;
use super::attachment::{of_contents, plain_text};
use super::element::{coded, identifier, list, text};
use crate::io::etl::Sink;
use crate::io::rows::Reason;
use crate::time::Time;

const NO_CODE: &str = "it has no code";
const NO_TIME: &str = "it has no time";

impl Reader {
    pub(super) fn condition(&mut self, subject: i64, condition: &Value, sink: &mut dyn Sink) -> Result<(), Reason> {
        let kind = match verified(condition)? {
            // Whoever counts diagnoses does not count what is only considered.
            Some("provisional" | "differential" | "unconfirmed") => "DIAGNOSIS_POSSIBLE",
            _ => "DIAGNOSIS",
        };
        let mut when = self.time(&condition["recordedDate"])?;
        if when.is_none() {
            when = self.over(condition, "onset")?;
        }
        let mut codings = list(&condition["category"]).iter().flat_map(|category| list(&category["coding"]));
        let billed = codings.any(|coding| coding["code"] == "encounter-diagnosis");
        let stay = self.stay(condition);
        if billed && stay.is_none() && condition["encounter"]["reference"].is_string() {
            self.counts
                .change("the encounter of a diagnosis is not there: it counts as known from when it was recorded");
        }
        if let Some(stay) = stay.filter(|stay| stay.inpatient && (billed || when.is_none())) {
            // It was coded when the patient had left.
            let end = stay.end.ok_or("the end of its inpatient encounter is missing")?;
            if when.is_none_or(|when| when < end) {
                when = Some(end);
                self.counts.change("a condition counts as known from the end of its inpatient encounter");
            }
        } else if when.is_none() {
            when = stay.and_then(|stay| stay.end.or(stay.start));
        }
        self.plain(subject, kind, &condition["code"], when, None, sink)
    }

    pub(super) fn procedure(&mut self, subject: i64, procedure: &Value, sink: &mut dyn Sink) -> Result<(), Reason> {
        let mut when = self.over(procedure, "performed")?;
        if when.is_none() {
            when = self.over(procedure, "occurrence")?;
        }
        self.plain(subject, "PROCEDURE", &procedure["code"], when, None, sink)
    }

    pub(super) fn immunization(&mut self, subject: i64, vaccine: &Value, sink: &mut dyn Sink) -> Result<(), Reason> {
        let when = self.over(vaccine, "occurrence")?;
        self.plain(subject, "IMMUNIZATION", &vaccine["vaccineCode"], when, None, sink)
    }

    pub(super) fn allergy(&mut self, subject: i64, allergy: &Value, sink: &mut dyn Sink) -> Result<(), Reason> {
        verified(allergy)?;
        let mut when = self.time(&allergy["recordedDate"])?;
        if when.is_none() {
            when = self.over(allergy, "onset")?;
        }
        self.plain(subject, "ALLERGY", &allergy["code"], when, None, sink)
    }

    pub(super) fn medication(
        &mut self,
        subject: i64,
        resource_type: &str,
        drug: &Value,
        sink: &mut dyn Sink,
    ) -> Result<(), Reason> {
        if matches!(text(&drug["intent"]), Some("proposal" | "plan" | "option")) || drug["doNotPerform"] == true {
            return Err("it is a plan, or says that nothing is to be given".into());
        }
        let (kind, when) = match resource_type {
            "MedicationAdministration" => {
                let given = self.over(drug, "effective")?;
                // R5 spells it so.
                ("MEDICATION_ADMINISTERED", if given.is_some() { given } else { self.over(drug, "occurence")? })
            }
            "MedicationDispense" => {
                let handed = self.time(&drug["whenHandedOver"])?;
                ("MEDICATION_DISPENSED", if handed.is_some() { handed } else { self.time(&drug["whenPrepared"])? })
            }
            "MedicationStatement" => {
                let stated = self.time(&drug["dateAsserted"])?;
                ("MEDICATION_STATED", if stated.is_some() { stated } else { self.over(drug, "effective")? })
            }
            _ => ("MEDICATION", self.time(&drug["authoredOn"])?),
        };
        let concept = self.drug(drug).ok_or("its medication is named by a reference that leads nowhere")?;
        self.plain(subject, kind, &concept, when, None, sink)
    }

    /// The concept of a drug: in the resource, within it, or in another one.
    fn drug(&self, drug: &Value) -> Option<Value> {
        let places = [&drug["medicationCodeableConcept"], &drug["medication"]["concept"]];
        if let Some(concept) = places.into_iter().find(|concept| !concept.is_null()) {
            return Some(concept.clone());
        }
        let places = [&drug["medicationReference"], &drug["medication"]["reference"]];
        let reference = places.into_iter().find_map(|place| text(&place["reference"]))?;
        if let Some(within) = reference.strip_prefix('#') {
            let contained = list(&drug["contained"]).iter().find(|resource| resource["id"] == within)?;
            return Some(contained["code"].clone());
        }
        let found =
            |address: &str| self.local.medications.get(address).or_else(|| self.shared.medications.get(address));
        found(reference).or_else(|| found(identifier(reference, "Medication")?)).cloned()
    }

    pub(super) fn report(&mut self, subject: i64, report: &Value, sink: &mut dyn Sink) -> Result<(), Reason> {
        // Its conclusion is known when it is issued.
        let mut when = self.time(&report["issued"])?;
        if when.is_none() {
            when = self.over(report, "effective")?;
        }
        let packed = plain_text(list(&report["presentedForm"]).iter());
        let words = text(&report["conclusion"]).map(str::to_owned).or(packed);
        self.plain(subject, "REPORT", &report["code"], when, words.as_deref(), sink)
    }

    pub(super) fn note_text(&mut self, subject: i64, document: &Value, sink: &mut dyn Sink) -> Result<(), Reason> {
        let when = self.time(&document["date"])?;
        let words = plain_text(of_contents(document)).ok_or("it holds no plain text")?;
        self.plain(subject, "NOTE", &document["type"], when, Some(&words), sink)
    }

    /// An event with a code and no value.
    fn plain(
        &mut self,
        subject: i64,
        kind: &str,
        concept: &Value,
        when: Option<Time>,
        words: Option<&str>,
        sink: &mut dyn Sink,
    ) -> Result<(), Reason> {
        let coded = coded(concept).ok_or(NO_CODE)?;
        // Without a time it would count as known at all times, before the first visit too.
        let when = when.ok_or(NO_TIME)?;
        let code = format!("{kind}//{}", coded.code);
        self.describe(&code, kind, &coded);
        sink.event(subject, Some(when), &code, None, words);
        Ok(())
    }
}

/// How sure it is, if that is said; an error for what is not so.
fn verified(resource: &Value) -> Result<Option<&str>, Reason> {
    let status = list(&resource["verificationStatus"]["coding"]).iter().find_map(|coding| text(&coding["code"]));
    match status {
        Some("refuted") => Err("it is refuted".into()),
        Some("entered-in-error") => Err("its status is entered-in-error".into()),
        status => Ok(status),
    }
}
