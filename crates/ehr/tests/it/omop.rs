//! OMOP tables of versions 5.3 and 5.4, as text and as Parquet with types of its own: the same records become the same
//! events, whatever the columns are called and however dates are written.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Float64Array, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use ehr::events::Event;
use ehr::io::etl;
use ehr::io::omop::{self, OmopConfig};
use ehr::time::Time;
use parquet::arrow::ArrowWriter;

/// What the cells of a column are.
#[derive(Clone, Copy)]
enum Kind {
    Int,
    Number,
    Text,
    Date,
    Moment,
}
use Kind::{Date, Int, Moment, Number, Text};

/// A table: its name, its columns, and its rows with cells between bars.
struct Table {
    name: &'static str,
    columns: Vec<(&'static str, Kind)>,
    rows: &'static [&'static str],
}

/// The records; versions differ in the names of what an admission comes from and a discharge leads to, and in columns
/// that 5.4 added.
fn tables(newer: bool) -> Vec<Table> {
    let [from, to] = if newer {
        ["admitted_from_source_value", "discharged_to_source_value"]
    } else {
        ["admitting_source_value", "discharge_to_source_value"]
    };
    let added: &[(&'static str, Kind)] =
        if newer { &[("measurement_event_id", Int), ("unit_source_concept_id", Int)] } else { &[] };
    let with = |columns: &[(&'static str, Kind)], more: &[(&'static str, Kind)]| [columns, more].concat();
    vec![
        Table {
            name: "person",
            columns: vec![
                ("person_id", Int),
                ("gender_concept_id", Int),
                ("year_of_birth", Int),
                ("month_of_birth", Int),
                ("day_of_birth", Int),
                ("birth_datetime", Moment),
                ("race_concept_id", Int),
                ("ethnicity_concept_id", Int),
            ],
            rows: &["1|8507|1950|4|9||8527|0", "2|8532|1960|||1960-07-01 06:30:00|0|38003564"],
        },
        Table {
            name: "visit_occurrence",
            columns: vec![
                ("visit_occurrence_id", Int),
                ("person_id", Int),
                ("visit_concept_id", Int),
                ("visit_start_date", Date),
                ("visit_start_datetime", Moment),
                ("visit_end_date", Date),
                ("visit_end_datetime", Moment),
                (from, Text),
                (to, Text),
            ],
            rows: &[
                "10|1|9201|2020-03-01|2020-03-01 08:00:00|2020-03-05|2020-03-05 12:00:00|street|home",
                "11|2|9202|2020-06-01||2020-06-01|||",
            ],
        },
        Table {
            name: "condition_occurrence",
            columns: vec![
                ("condition_occurrence_id", Int),
                ("person_id", Int),
                ("condition_concept_id", Int),
                ("condition_start_date", Date),
                ("condition_start_datetime", Moment),
                ("condition_source_value", Text),
                ("condition_source_concept_id", Int),
                ("visit_occurrence_id", Int),
            ],
            rows: &["1|1|201826|2020-03-01|2020-03-01 09:00:00|250.00|0|10", "2|2|201826|2020-06-01||250.00|0|11"],
        },
        Table {
            name: "drug_exposure",
            columns: vec![
                ("drug_exposure_id", Int),
                ("person_id", Int),
                ("drug_concept_id", Int),
                ("drug_exposure_start_date", Date),
                ("drug_exposure_start_datetime", Moment),
                ("drug_source_value", Text),
                ("drug_source_concept_id", Int),
            ],
            rows: &["1|1|1503297|2020-03-02|2020-03-02 10:15:00|metformin|0"],
        },
        Table {
            name: "measurement",
            columns: with(
                &[
                    ("measurement_id", Int),
                    ("person_id", Int),
                    ("measurement_concept_id", Int),
                    ("measurement_date", Date),
                    ("measurement_datetime", Moment),
                    ("value_as_number", Number),
                    ("value_as_concept_id", Int),
                    ("unit_concept_id", Int),
                    ("measurement_source_value", Text),
                    ("measurement_source_concept_id", Int),
                    ("unit_source_value", Text),
                    ("value_source_value", Text),
                ],
                added,
            ),
            rows: &[
                "1|1|3004410|2020-03-02|2020-03-02 07:00:00|53|0|0|4548-4|0|mmol/mol|53||",
                "2|1|3004410|2020-03-03||7.5|0|8554|4548-4|0||7.5||",
            ],
        },
        Table {
            name: "death",
            columns: vec![("person_id", Int), ("death_date", Date), ("death_datetime", Moment)],
            rows: &["2|2021-09-01|"],
        },
        Table {
            name: "concept",
            columns: vec![
                ("concept_id", Int),
                ("concept_name", Text),
                ("domain_id", Text),
                ("vocabulary_id", Text),
                ("concept_class_id", Text),
                ("concept_code", Text),
            ],
            rows: &[
                "201826|Type 2 diabetes mellitus|Condition|SNOMED|Clinical Finding|44054006",
                "3004410|Hemoglobin A1c|Measurement|LOINC|Lab Test|4548-4",
                "1503297|metformin|Drug|RxNorm|Ingredient|6809",
                "8554|percent|Unit|UCUM|Unit|%",
            ],
        },
    ]
}

/// The events that both versions and both formats must give.
const TOLD: [&str; 16] = [
    "1 - GENDER//M",
    "1 - RACE//WHITE",
    "1 1950-04-09 00:00:00 MEDS_BIRTH",
    "1 2020-03-01 08:00:00 HOSPITAL_ADMISSION//IP",
    // 0.09148 * 53 + 2.152
    "1 2020-03-02 07:00:00 LAB//LOINC//4548-4//% 7.00044",
    "1 2020-03-02 10:15:00 MEDICATION//RxNorm//6809",
    "1 2020-03-03 23:59:59 LAB//LOINC//4548-4//% 7.5",
    // coded for billing, known when the stay was over
    "1 2020-03-05 12:00:00 DIAGNOSIS//SNOMED//44054006",
    "1 2020-03-05 12:00:00 HOSPITAL_DISCHARGE//HOME",
    "2 - GENDER//F",
    "2 - ETHNICITY//NOT HISPANIC OR LATINO",
    "2 1960-07-01 06:30:00 MEDS_BIRTH",
    "2 2020-06-01 23:59:59 ENCOUNTER//OP",
    "2 2020-06-01 23:59:59 DIAGNOSIS//SNOMED//44054006",
    "2 2020-06-01 23:59:59 ENCOUNTER_END//UNK",
    "2 2021-09-01 23:59:59 MEDS_DEATH",
];

fn write_text(folder: &Path, table: &Table) {
    let mut text = table.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",");
    for row in table.rows {
        let cells: Vec<&str> = row.split('|').take(table.columns.len()).collect();
        let _ = write!(text, "\n{}", cells.join(","));
    }
    fs::write(folder.join(format!("{}.csv", table.name.to_uppercase())), text).unwrap();
}

fn column(cells: &[Option<&str>], kind: Kind) -> ArrayRef {
    let micros = |text: &str| Time::parse(text).unwrap().0;
    let cells = || cells.iter().copied();
    match kind {
        Int => Arc::new(cells().map(|cell| cell.map(|text| text.parse::<i32>().unwrap())).collect::<Int32Array>()),
        Number => Arc::new(cells().map(|cell| cell.map(|text| text.parse::<f64>().unwrap())).collect::<Float64Array>()),
        Text => Arc::new(cells().collect::<StringArray>()),
        Date => {
            let days = |text: &str| i32::try_from(micros(text).div_euclid(86_400_000_000)).unwrap();
            Arc::new(cells().map(|cell| cell.map(days)).collect::<Date32Array>())
        }
        Moment => Arc::new(cells().map(|cell| cell.map(micros)).collect::<TimestampMicrosecondArray>()),
    }
}

fn write_parquet(folder: &Path, table: &Table) {
    let rows: Vec<Vec<&str>> = table.rows.iter().map(|row| row.split('|').collect()).collect();
    let columns = table.columns.iter().enumerate().map(|(place, (name, kind))| {
        let cells: Vec<Option<&str>> =
            rows.iter().map(|row| Some(row[place]).filter(|cell| !cell.is_empty())).collect();
        (*name, column(&cells, *kind), true)
    });
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let file = File::create(folder.join(format!("{}.parquet", table.name))).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn both_versions_and_both_formats_give_the_same_events() {
    for newer in [false, true] {
        for (name, write) in [("text", write_text as fn(&Path, &Table)), ("parquet", write_parquet)] {
            let folder = tempfile::tempdir().unwrap();
            tables(newer).iter().for_each(|table| write(folder.path(), table));
            let mut source = omop::open(folder.path(), &OmopConfig::default()).unwrap();
            let (events, report) = etl::read(source.as_mut()).unwrap();
            let line = |subject: i64, event: Event<'_>| {
                let time = event.time.map_or("-".to_owned(), |time| time.to_string());
                let value = event.value.map_or(String::new(), |value| format!(" {value}"));
                format!("{subject} {time} {}{value}", events.codebook.name(event.code))
            };
            let told: Vec<String> = events
                .iter()
                .flat_map(|subject| subject.events().map(move |event| (subject.id(), event)))
                .map(|(subject, event)| line(subject, event))
                .collect();
            assert_eq!(told, TOLD, "{name}, newer: {newer}");
            let counts = report.counts();
            // The visit to the clinic has a beginning and an end of the same day: nothing is left out.
            assert_eq!((counts.read, counts.dropped_rows()), (counts.kept, 0), "{name}: {counts}");
        }
    }
}
