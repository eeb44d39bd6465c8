//! What each table of MIMIC-III means.

use crate::io::etl::Code::{Is, Must, Of, Unit};
use crate::io::etl::Value::{Measured, Needed, Note, Number, Text};
use crate::io::etl::{Keep, Rule, TableRules, When, Who};

const SUBJECT: Who = Who::Column("subject_id");
const ADMITTED: When = When::First(&["admittime"]);
const CHARTED: When = When::First(&["charttime"]);
const START: When = When::First(&["starttime"]);
const END: When = When::First(&["endtime"]);
const DISCHARGED: When = When::VisitEnd("hadm_id");

const REWRITTEN: Keep = Keep::Unless("statusdescription", &["Rewritten"], "the order was rewritten");
const IN_ERROR: Keep = Keep::Unless("error", &["1", "1.0"], "marked as an error");
const NO_ERROR: Keep = Keep::Unless("iserror", &["1", "1.0"], "marked as an error");

/// Of tables whose rows belong to an admission.
const OF_VISIT: TableRules =
    TableRules { table: "", who: SUBJECT, visit: Some("hadm_id"), unique: None, keep: &[], rules: &[] };

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
            Rule::event(ADMITTED, &[Is("RELIGION"), Must("religion")]),
            Rule::event(ADMITTED, &[Is("MARITAL_STATUS"), Must("marital_status")]),
            Rule::event(ADMITTED, &[Is("ETHNICITY"), Must("ethnicity")]),
            Rule::with(ADMITTED, &[Is("ADMISSION_DIAGNOSIS")], Text("diagnosis")),
            Rule::event(DISCHARGED, &[Is("HOSPITAL_DISCHARGE"), Of("discharge_location")]),
        ],
        ..OF_VISIT
    },
    TableRules {
        table: "icustays",
        unique: Some("icustay_id"),
        rules: &[
            Rule::event(When::First(&["intime"]), &[Is("ICU_ADMISSION"), Of("first_careunit")]),
            Rule::event(When::First(&["outtime"]), &[Is("ICU_DISCHARGE"), Of("last_careunit")]),
        ],
        ..OF_VISIT
    },
    TableRules {
        table: "transfers",
        rules: &[Rule::event(When::First(&["intime"]), &[Is("TRANSFER_TO"), Of("eventtype"), Of("curr_careunit")])],
        ..OF_VISIT
    },
    TableRules {
        table: "services",
        rules: &[Rule::event(When::First(&["transfertime"]), &[Is("SERVICE"), Must("curr_service")])],
        ..OF_VISIT
    },
    TableRules {
        table: "labevents",
        rules: &[Rule::measured(
            CHARTED,
            &[Is("LAB"), Must("itemid"), Unit],
            Measured("valuenum", "value"),
            "valueuom",
            "itemid",
        )],
        ..OF_VISIT
    },
    TableRules {
        table: "chartevents",
        keep: &[IN_ERROR],
        rules: &[Rule::measured(
            CHARTED,
            &[Is("CHART"), Must("itemid"), Unit],
            Measured("valuenum", "value"),
            "valueuom",
            "itemid",
        )],
        ..OF_VISIT
    },
    TableRules {
        table: "datetimeevents",
        keep: &[IN_ERROR],
        rules: &[Rule::event(CHARTED, &[Is("DATE"), Must("itemid")])],
        ..OF_VISIT
    },
    TableRules {
        table: "outputevents",
        keep: &[NO_ERROR],
        rules: &[Rule::of_unit(
            CHARTED,
            &[Is("SUBJECT_FLUID_OUTPUT"), Must("itemid"), Unit],
            Number("value"),
            "valueuom",
        )],
        ..OF_VISIT
    },
    TableRules {
        table: "inputevents_mv",
        keep: &[REWRITTEN],
        rules: &[
            Rule::of_unit(START, &[Is("INFUSION_START"), Must("itemid"), Unit], Number("rate"), "rateuom"),
            Rule::of_unit(END, &[Is("INFUSION_END"), Must("itemid"), Unit], Number("amount"), "amountuom"),
        ],
        ..OF_VISIT
    },
    // CareVue charts the rate and the amount of the time up to then.
    TableRules {
        table: "inputevents_cv",
        rules: &[
            Rule::of_unit(CHARTED, &[Is("INFUSION_RATE"), Must("itemid"), Unit], Needed("rate"), "rateuom"),
            Rule::of_unit(CHARTED, &[Is("INFUSION_AMOUNT"), Must("itemid"), Unit], Needed("amount"), "amountuom"),
            Rule::event(CHARTED, &[Is("INFUSION_STOP"), Must("itemid"), Must("stopped")]),
        ],
        ..OF_VISIT
    },
    TableRules {
        table: "procedureevents_mv",
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
                When::DayEnd(&["startdate"]),
                &[Is("MEDICATION"), Is("NDC"), Must("ndc"), Is("START")],
                Measured("dose_val_rx", "drug"),
            )
            .of(Keep::Unless("ndc", &["", "0"], "it has no NDC")),
            Rule::with(
                When::DayEnd(&["startdate"]),
                &[Is("MEDICATION"), Is("NAME"), Must("drug"), Is("START")],
                Number("dose_val_rx"),
            )
            .of(Keep::Only("ndc", &["", "0"], "it has an NDC")),
        ],
        ..OF_VISIT
    },
    TableRules {
        table: "microbiologyevents",
        rules: &[
            Rule::event(
                When::DayEnd(&["charttime", "chartdate"]),
                &[Is("MICROBIOLOGY_SPECIMEN"), Must("spec_type_desc")],
            ),
            Rule::event(DISCHARGED, &[Is("MICROBIOLOGY"), Must("org_name"), Of("ab_name"), Of("interpretation")]),
        ],
        ..OF_VISIT
    },
    TableRules {
        table: "diagnoses_icd",
        rules: &[Rule::event(DISCHARGED, &[Is("DIAGNOSIS"), Is("ICD"), Is("9"), Must("icd9_code")])],
        ..OF_VISIT
    },
    TableRules {
        table: "procedures_icd",
        rules: &[Rule::event(DISCHARGED, &[Is("PROCEDURE"), Is("ICD"), Is("9"), Must("icd9_code")])],
        ..OF_VISIT
    },
    TableRules {
        table: "drgcodes",
        rules: &[Rule::with(DISCHARGED, &[Is("DRG"), Of("drg_type"), Must("drg_code")], Note("description"))],
        ..OF_VISIT
    },
    TableRules {
        table: "cptevents",
        rules: &[Rule::event(DISCHARGED, &[Is("PROCEDURE"), Is("CPT"), Must("cpt_cd")])],
        ..OF_VISIT
    },
    TableRules {
        table: "noteevents",
        keep: &[NO_ERROR],
        rules: &[Rule::with(When::DayEnd(&["charttime", "chartdate"]), &[Is("NOTE"), Must("category")], Text("text"))],
        ..OF_VISIT
    },
];
