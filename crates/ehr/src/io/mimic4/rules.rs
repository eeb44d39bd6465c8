//! What each table of MIMIC-IV means.

use crate::io::etl::Code::{Is, Must, Of, Unit};
use crate::io::etl::Value::{Measured, Note, Number, Text, Written};
use crate::io::etl::{Keep, Rule, TableRules, When, Who};

const ADMITTED: When = When::First(&["admittime"]);
const CHARTED: When = When::First(&["charttime"]);
const STORED: When = When::Later("charttime", "storetime");
const START: When = When::First(&["starttime"]);
const END: When = When::First(&["endtime"]);
const DISCHARGED: When = When::VisitEnd("hadm_id");
const NO_NDC: &[&str] = &["", "0"];

const REWRITTEN: Keep = Keep::Unless("statusdescription", &["Rewritten"], "the order was rewritten");

/// Of tables whose rows belong to an admission.
const OF_VISIT: TableRules = TableRules {
    table: "",
    who: Who::Column("subject_id"),
    visit: Some("hadm_id"),
    unique: None,
    keep: &[],
    rules: &[],
};

/// Every table that becomes events, in the order in which equal times keep.
pub(super) const TABLES: &[TableRules] = &[
    TableRules {
        table: "admissions",
        visit: None,
        unique: Some("hadm_id"),
        rules: &[
            Rule::event(When::First(&["edregtime"]), &[Is("ED_REGISTRATION")]),
            Rule::event(When::First(&["edouttime"]), &[Is("ED_OUT")]),
            Rule::event(ADMITTED, &[Is("HOSPITAL_ADMISSION"), Of("admission_type"), Of("admission_location")]),
            Rule::event(ADMITTED, &[Is("INSURANCE"), Must("insurance")]),
            Rule::event(ADMITTED, &[Is("LANGUAGE"), Must("language")]),
            Rule::event(ADMITTED, &[Is("MARITAL_STATUS"), Must("marital_status")]),
            Rule::event(ADMITTED, &[Is("RACE"), Must("race")]),
            Rule::event(DISCHARGED, &[Is("HOSPITAL_DISCHARGE"), Of("discharge_location")]),
        ],
        ..OF_VISIT
    },
    TableRules {
        table: "icustays",
        unique: Some("stay_id"),
        rules: &[
            Rule::event(When::First(&["intime"]), &[Is("ICU_ADMISSION"), Of("first_careunit")]),
            Rule::event(When::First(&["outtime"]), &[Is("ICU_DISCHARGE"), Of("last_careunit")]),
        ],
        ..OF_VISIT
    },
    TableRules {
        table: "transfers",
        rules: &[Rule::event(When::First(&["intime"]), &[Is("TRANSFER_TO"), Of("eventtype"), Of("careunit")])],
        ..OF_VISIT
    },
    TableRules {
        table: "services",
        rules: &[Rule::event(When::First(&["transfertime"]), &[Is("SERVICE"), Must("curr_service")])],
        ..OF_VISIT
    },
    TableRules {
        table: "omr",
        visit: None,
        rules: &[Rule::with(When::DayEnd(&["chartdate"]), &[Is("OMR"), Must("result_name")], Written("result_value"))],
        ..OF_VISIT
    },
    TableRules {
        table: "labevents",
        rules: &[Rule::measured(
            STORED,
            &[Is("LAB"), Must("itemid"), Unit],
            Measured("valuenum", "value"),
            "valueuom",
            "itemid",
        )],
        ..OF_VISIT
    },
    TableRules {
        table: "chartevents",
        rules: &[Rule::measured(
            CHARTED,
            &[Is("CHART"), Must("itemid"), Unit],
            Measured("valuenum", "value"),
            "valueuom",
            "itemid",
        )],
        ..OF_VISIT
    },
    TableRules { table: "datetimeevents", rules: &[Rule::event(CHARTED, &[Is("DATE"), Must("itemid")])], ..OF_VISIT },
    TableRules {
        table: "outputevents",
        rules: &[Rule::of_unit(
            CHARTED,
            &[Is("SUBJECT_FLUID_OUTPUT"), Must("itemid"), Unit],
            Number("value"),
            "valueuom",
        )],
        ..OF_VISIT
    },
    TableRules {
        table: "inputevents",
        keep: &[REWRITTEN],
        rules: &[
            Rule::of_unit(START, &[Is("INFUSION_START"), Must("itemid"), Unit], Number("rate"), "rateuom"),
            Rule::of_unit(END, &[Is("INFUSION_END"), Must("itemid"), Unit], Number("amount"), "amountuom"),
        ],
        ..OF_VISIT
    },
    TableRules {
        table: "procedureevents",
        keep: &[REWRITTEN],
        rules: &[
            Rule::event(START, &[Is("PROCEDURE"), Is("START"), Must("itemid")]),
            Rule::event(END, &[Is("PROCEDURE"), Is("END"), Must("itemid")]),
        ],
        ..OF_VISIT
    },
    TableRules {
        table: "prescriptions",
        rules: &[
            Rule::with(
                When::DayEnd(&["starttime"]),
                &[Is("MEDICATION"), Is("NDC"), Must("ndc"), Is("START")],
                Measured("dose_val_rx", "drug"),
            )
            .of(Keep::Unless("ndc", NO_NDC, "it has no NDC")),
            Rule::with(
                When::DayEnd(&["starttime"]),
                &[Is("MEDICATION"), Is("NAME"), Must("drug"), Is("START")],
                Number("dose_val_rx"),
            )
            .of(Keep::Only("ndc", NO_NDC, "it has an NDC")),
        ],
        ..OF_VISIT
    },
    TableRules {
        table: "emar",
        rules: &[Rule::event(CHARTED, &[Is("MEDICATION"), Is("GIVEN"), Must("medication"), Of("event_txt")])],
        ..OF_VISIT
    },
    TableRules {
        table: "microbiologyevents",
        rules: &[
            Rule::event(
                When::DayEnd(&["charttime", "chartdate"]),
                &[Is("MICROBIOLOGY_SPECIMEN"), Must("spec_type_desc")],
            ),
            Rule::event(
                When::DayEnd(&["storetime", "storedate"]),
                &[Is("MICROBIOLOGY"), Must("org_name"), Of("ab_name"), Of("interpretation")],
            ),
        ],
        ..OF_VISIT
    },
    TableRules {
        table: "diagnoses_icd",
        rules: &[Rule::event(DISCHARGED, &[Is("DIAGNOSIS"), Is("ICD"), Must("icd_version"), Must("icd_code")])],
        ..OF_VISIT
    },
    TableRules {
        table: "procedures_icd",
        rules: &[Rule::event(DISCHARGED, &[Is("PROCEDURE"), Is("ICD"), Must("icd_version"), Must("icd_code")])],
        ..OF_VISIT
    },
    TableRules {
        table: "drgcodes",
        rules: &[Rule::with(DISCHARGED, &[Is("DRG"), Of("drg_type"), Must("drg_code")], Note("description"))],
        ..OF_VISIT
    },
    TableRules {
        table: "hcpcsevents",
        rules: &[Rule::with(DISCHARGED, &[Is("HCPCS"), Must("hcpcs_cd")], Note("short_description"))],
        ..OF_VISIT
    },
    TableRules {
        table: "discharge",
        rules: &[Rule::with(STORED, &[Is("NOTE"), Must("note_type")], Text("text"))],
        ..OF_VISIT
    },
    TableRules {
        table: "radiology",
        rules: &[Rule::with(STORED, &[Is("NOTE"), Must("note_type")], Text("text"))],
        ..OF_VISIT
    },
];
