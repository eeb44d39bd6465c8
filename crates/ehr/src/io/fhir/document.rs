//! Bundles entry by entry, NDJSON line by line, and which resource is what.

use std::fmt;
use std::io::{BufRead, Read};
use std::path::Path;

use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::element::{period, text};
use super::{Lookup, READ, Reader, Stay};
use crate::io::etl::Sink;
use crate::io::known::DayRule;
use crate::io::rows::Reason;
use crate::io::{Counts, IoError};

/// Classes of encounters on which a patient is admitted (HL7 v3 `ActCode`).
const INPATIENT: [&str; 4] = ["IMP", "ACUTE", "NONAC", "inpatient"];

/// What an entry refers to others by; the rest of it is passed over.
#[derive(Deserialize)]
struct Light {
    #[serde(default, rename = "fullUrl")]
    address: Value,
    #[serde(default)]
    resource: Option<Outline>,
}

/// The members of a resource from which something is learnt.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Outline {
    resource_type: Value,
    id: Value,
    period: Value,
    actual_period: Value,
    class: Value,
    code: Value,
}

impl Outline {
    fn into_resource(self) -> Value {
        let members = [
            ("resourceType", self.resource_type),
            ("id", self.id),
            ("period", self.period),
            ("actualPeriod", self.actual_period),
            ("class", self.class),
            ("code", self.code),
        ];
        Value::Object(members.into_iter().map(|(name, member)| (name.to_owned(), member)).collect())
    }
}

impl Reader {
    /// Reads a document: a bundle, or one resource.
    pub(super) fn document(
        &mut self,
        path: &Path,
        input: &mut dyn BufRead,
        sink: &mut dyn Sink,
    ) -> Result<(), IoError> {
        let limit = self.config.max_document;
        let mut bytes = Vec::new();
        input.take(limit + 1).read_to_end(&mut bytes).map_err(IoError::read(path))?;
        if bytes.len() as u64 > limit {
            let problem = format!("it has more than {limit} bytes; raise max_document, or write it as NDJSON");
            return self.refuse(path, &problem, "the document is longer than max_document allows");
        }
        let bytes = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(&bytes);
        self.bytes(path, bytes, sink)
    }

    fn bytes(&mut self, path: &Path, bytes: &[u8], sink: &mut dyn Sink) -> Result<(), IoError> {
        let Ok(whole) = std::str::from_utf8(bytes) else {
            return self.refuse(path, "it is no UTF-8; convert it", "the document is no UTF-8");
        };
        self.local = Lookup::default();
        let (dates, mut local) = (self.config.dates, Lookup::default());
        // Encounters may stand behind what refers to them, so what they say is learnt first.
        let kind = each_entry(whole, &mut |entry: Light| {
            if let Some(outline) = entry.resource {
                local.learn(&outline.into_resource(), entry.address.as_str(), dates);
            }
        });
        match kind {
            Err(error) => self.refuse(path, &format!("it is no JSON: {error}"), "the document is no JSON"),
            Ok(kind) if kind == "Bundle" => {
                self.local = local;
                let mut number = 0;
                let read = each_entry(whole, &mut |entry: Value| {
                    number += 1;
                    // The answer to a search may hold an entry without a resource.
                    let done = match &entry["resource"] {
                        Value::Null => Err(Reason::from("the entry has no resource")),
                        resource => self.resource(resource, entry["fullUrl"].as_str(), sink),
                    };
                    self.count(done, path, number);
                });
                self.local = Lookup::default();
                match read {
                    Ok(_) => Ok(()),
                    Err(error) => self.refuse(path, &format!("it breaks off: {error}"), "the document breaks off"),
                }
            }
            Ok(kind) if !kind.is_empty() => match serde_json::from_str::<Value>(whole) {
                Ok(resource) => {
                    let done = self.resource(&resource, None, sink);
                    self.count(done, path, 1);
                    Ok(())
                }
                Err(error) => self.refuse(path, &format!("it is no JSON: {error}"), "the document is no JSON"),
            },
            Ok(_) => {
                let problem = "it is no FHIR: there is no resourceType in it";
                self.refuse(path, problem, "the document is no FHIR")
            }
        }
    }

    /// Reads a line of NDJSON: a resource, or a whole bundle.
    pub(super) fn line(&mut self, path: &Path, number: u64, line: &[u8], sink: &mut dyn Sink) -> Result<(), IoError> {
        match serde_json::from_slice::<Value>(line) {
            Ok(resource) if resource["resourceType"] == "Bundle" => {
                let alone = std::mem::replace(&mut self.alone, false);
                let done = self.bytes(path, line, sink);
                self.alone = alone;
                done
            }
            Ok(resource) => {
                let done = self.resource(&resource, None, sink);
                self.count(done, path, number);
                Ok(())
            }
            Err(_) => {
                self.counts.drop_row("the line is no JSON", path, number);
                Ok(())
            }
        }
    }

    /// A document that cannot be read is an error if it is the only one; of many it is counted.
    fn refuse(&mut self, path: &Path, problem: &str, reason: &str) -> Result<(), IoError> {
        if self.alone {
            return Err(IoError::format(path, problem));
        }
        self.counts.drop_row(reason, path, 1);
        Ok(())
    }

    fn count(&mut self, done: Result<(), Reason>, path: &Path, number: u64) {
        match done {
            Ok(()) => self.counts.keep(),
            Err(reason) => self.counts.drop_row(&reason, path, number),
        }
    }

    /// Makes the events of one resource.
    fn resource(&mut self, resource: &Value, address: Option<&str>, sink: &mut dyn Sink) -> Result<(), Reason> {
        let kind = text(&resource["resourceType"]).ok_or("there is no resourceType in it")?;
        match kind {
            "Patient" => return self.patient(resource, address, sink),
            "Medication" => return Err("Medication is read where others refer to it".into()),
            kind if !READ.contains(&kind) => {
                // What a file says must not fill the memory with reasons.
                let fine = kind.len() <= 40 && kind.bytes().all(|byte| byte.is_ascii_alphabetic());
                let reason = if fine { format!("{kind} is not read").into() } else { "its type is unknown".into() };
                return Err(reason);
            }
            _ => {}
        }
        let status = text(&resource["status"]).unwrap_or_default();
        if refused(status) {
            return Err(format!("its status is {status}").into());
        }
        let subject = self.subject(resource)?;
        match kind {
            "Encounter" => self.encounter(subject, resource, sink),
            "Condition" => self.condition(subject, resource, sink),
            "Observation" => self.observation(subject, resource, sink),
            "Procedure" => self.procedure(subject, resource, sink),
            "Immunization" => self.immunization(subject, resource, sink),
            "AllergyIntolerance" => self.allergy(subject, resource, sink),
            "DiagnosticReport" => self.report(subject, resource, sink),
            "DocumentReference" => self.note_text(subject, resource, sink),
            medication => self.medication(subject, medication, resource, sink),
        }
    }
}

/// Whether a status says that something has not happened, or not yet.
fn refused(status: &str) -> bool {
    let not = [
        "entered-in-error",
        "cancelled",
        "not-done",
        "not-taken",
        "declined",
        "draft",
        "planned",
        "proposed",
        "preparation",
        "registered",
        "rejected",
    ];
    not.contains(&status)
}

impl Lookup {
    /// Keeps what others may refer to.
    pub(super) fn learn(&mut self, resource: &Value, address: Option<&str>, dates: DayRule) {
        let Some(id) = text(&resource["id"]).or(address) else { return };
        let addresses = [Some(id), address].into_iter().flatten();
        match resource["resourceType"].as_str() {
            Some("Patient") => {
                if let Some(address) = address {
                    self.patients.insert(address.to_owned(), id.to_owned());
                }
            }
            Some("Encounter") => {
                // Zones are counted when the events are made.
                let [start, end] = period(encounter_period(resource), dates, &mut Counts::default());
                let class = encounter_class(resource);
                let inpatient = class.is_some_and(is_inpatient);
                let stay = Stay { start: start.ok().flatten(), end: end.ok().flatten(), inpatient };
                addresses.for_each(|address| {
                    self.encounters.insert(address.to_owned(), stay);
                });
            }
            Some("Medication") => addresses.for_each(|address| {
                self.medications.insert(address.to_owned(), resource["code"].clone());
            }),
            _ => {}
        }
    }
}

/// The period of an encounter, under its names in R4 and R5.
pub(super) fn encounter_period(resource: &Value) -> &Value {
    if resource["period"].is_null() { &resource["actualPeriod"] } else { &resource["period"] }
}

/// The class of an encounter: a coding in R4, concepts in R5.
pub(super) fn encounter_class(resource: &Value) -> Option<&str> {
    let class = &resource["class"];
    text(&class["code"]).or_else(|| text(&class[0]["coding"][0]["code"]))
}

/// Whether a class is one on which a patient is admitted.
pub(super) fn is_inpatient(class: &str) -> bool {
    INPATIENT.contains(&class)
}

/// What becomes of a line.
type Line<'f> = dyn FnMut(u64, Option<&[u8]>) -> Result<(), IoError> + 'f;

/// Hands each line that is not blank to `each` with its number; `None` for one that is longer than `limit`.
pub(super) fn each_line(path: &Path, input: &mut dyn BufRead, limit: u64, each: &mut Line<'_>) -> Result<(), IoError> {
    let (mut line, mut number) = (Vec::new(), 0);
    loop {
        line.clear();
        let read = Read::take(&mut *input, limit + 1).read_until(b'\n', &mut line).map_err(IoError::read(path))?;
        if read == 0 {
            return Ok(());
        }
        number += 1;
        if read as u64 > limit && line.last() != Some(&b'\n') {
            input.skip_until(b'\n').map_err(IoError::read(path))?;
            each(number, None)?;
        } else if !line.trim_ascii().is_empty() {
            each(number, Some(line.trim_ascii()))?;
        }
    }
}

/// Hands each entry of a bundle to `each`, one at a time, and returns the resource type of the document, or nothing if it
/// has none.
fn each_entry<T: DeserializeOwned>(whole: &str, each: &mut dyn FnMut(T)) -> Result<String, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(whole);
    let kind = deserializer.deserialize_map(Document { each })?;
    deserializer.end()?;
    Ok(kind)
}

struct Document<'e, T> {
    each: &'e mut dyn FnMut(T),
}

impl<'de, T: DeserializeOwned> Visitor<'de> for Document<'_, T> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a FHIR bundle or resource")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<String, A::Error> {
        let mut kind = String::new();
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "resourceType" => {
                    if let Value::String(found) = map.next_value()? {
                        kind = found;
                    }
                }
                "entry" => map.next_value_seed(Entries { each: &mut *self.each })?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(kind)
    }
}

struct Entries<'e, T> {
    each: &'e mut dyn FnMut(T),
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Entries<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for Entries<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of entries")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(entry) = entries.next_element::<T>()? {
            (self.each)(entry);
        }
        Ok(())
    }
}
