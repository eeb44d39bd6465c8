//! Deep learning for health records: from hospital tables to a prediction that cannot have seen the future.
//!
//! Whatever the source, a record is a list of events: who, when, which code, how much. Nothing is learnt from the list
//! itself. A model gets a [`View`](view::View), which ends at the moment of prediction, and what is fitted (vocabulary,
//! scaler, embedding) is fitted on views of the training part alone. The labels come from the rest of the list, by a
//! rule that is the same for everybody; the audit looks for what slipped through all the same.
//!
//! ```
//! use ehr::events::EventsBuilder;
//! use ehr::time::{Span, Time};
//! use ehr::view::VisitRule;
//! let mut rows = EventsBuilder::new();
//! let admission = Time::parse("2130-04-01 12:00:00").ok_or("no time")?;
//! rows.push(7, None, "GENDER//F", None, None);
//! rows.push(7, Some(admission), "HOSPITAL_ADMISSION", None, None);
//! rows.push(7, Some(admission.plus(Span::hours(6))), "LAB//LACTATE//mmol/L", Some(4.1), None);
//! rows.push(7, Some(admission.plus(Span::days(3))), "MEDS_DEATH", None, None);
//! let events = rows.finish()?;
//! let subject = events.find(7).ok_or("no subject")?;
//! let view = subject.as_of(admission.plus(Span::hours(24)));
//! assert_eq!((subject.len(), view.len()), (4, 3));
//! let visits = view.visits(&VisitRule::Codes { start_prefix: vec!["HOSPITAL_ADMISSION".to_owned()] });
//! assert_eq!((visits.len(), visits[0].codes.len()), (1, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`io`] | MEDS, MIMIC, eICU, OMOP, FHIR and the published sets, in and out, within a cap on memory |
//! | [`time`], [`codebook`], [`events`] | times without a zone, codes as numbers, the events of many subjects |
//! | [`view`] | what is known of a subject at one moment, alone or in visits |
//! | [`units`], [`text`] | units and ranges of measurements; phrases in notes, negated or not |
//! | [`codes`], [`phenotype`] | ICD, CCS and drug vocabularies with the maps between them; who has a disease |
//! | [`labels`], [`cohort`], [`survival`] | what is to be predicted, of whom and when; times to an event |
//! | [`split`], [`features`], [`audit`] | parts that share no subject, features fitted on one part, the search for leaks |
//! | [`systems`] | the published networks |
//! | [`cox`], [`baselines`] | the simple predictors that stand in every table |
//! | [`study`], [`evaluate`] | training and judging them |
//! | [`model`], [`predict`] | using them |
//! | [`synthetic`] | generated records: planted hazards, planted leaks, hospital tables of any size |
//!
//! Cargo features `ndarray`, `cuda` and `vulkan` add devices.

pub mod audit;
pub mod baselines;
pub mod codebook;
pub mod codes;
pub mod cohort;
pub mod cox;
pub mod evaluate;
pub mod events;
pub mod features;
pub mod io;
pub mod labels;
pub mod model;
pub mod phenotype;
pub mod predict;
pub mod split;
pub mod study;
pub mod survival;
pub mod synthetic;
pub mod systems;
pub mod text;
pub mod time;
pub mod units;
pub mod view;
