//! What each table of eICU means.

use crate::io::etl::Code::{Is, Must, Of, Unit};
use crate::io::etl::Value::{Measured, Needed, Number, Text, Written};
use crate::io::etl::{Keep, Rule, TableRules, When, Who};

/// Of tables whose rows belong to a stay in a unit.
const OF_STAY: TableRules =
    TableRules { table: "", who: Who::Visit("patientunitstayid"), visit: None, unique: None, keep: &[], rules: &[] };

const OBSERVED: When = When::Offset(&["observationoffset"]);
const DISCHARGED: When = When::VisitEnd("patientunitstayid");

/// A vital sign in a column of its own.
const fn vital(code: &'static [crate::io::etl::Code], column: &'static str) -> Rule {
    Rule::with(OBSERVED, code, Needed(column))
}

/// Every table that becomes events, in the order in which equal times keep.
pub(super) const TABLES: &[TableRules] = &[
    TableRules {
        table: "admissiondx",
        rules: &[Rule::event(
            When::Offset(&["admitdxenteredoffset"]),
            &[Is("ADMISSION_DIAGNOSIS"), Must("admitdxpath")],
        )],
        ..OF_STAY
    },
    TableRules {
        table: "pasthistory",
        rules: &[Rule::event(
            When::Offset(&["pasthistoryoffset", "pasthistoryenteredoffset"]),
            &[Is("PAST_HISTORY"), Must("pasthistorypath")],
        )],
        ..OF_STAY
    },
    TableRules {
        table: "allergy",
        rules: &[Rule::event(
            When::Offset(&["allergyoffset", "allergyenteredoffset"]),
            &[Is("ALLERGY"), Must("allergyname")],
        )],
        ..OF_STAY
    },
    TableRules {
        table: "admissiondrug",
        rules: &[Rule::with(
            When::Offset(&["drugoffset", "drugenteredoffset"]),
            &[Is("MEDICATION"), Is("BEFORE_ADMISSION"), Must("drugname")],
            Number("drugdosage"),
        )],
        ..OF_STAY
    },
    TableRules {
        table: "lab",
        rules: &[Rule::measured(
            When::Offset(&["labresultoffset", "labresultrevisedoffset"]),
            &[Is("LAB"), Must("labname"), Unit],
            Measured("labresult", "labresulttext"),
            "labmeasurenamesystem",
            "labname",
        )],
        ..OF_STAY
    },
    TableRules {
        table: "customlab",
        rules: &[Rule::with(
            When::Offset(&["labotheroffset"]),
            &[Is("CUSTOM_LAB"), Must("labothername")],
            Written("labotherresult"),
        )],
        ..OF_STAY
    },
    TableRules {
        table: "microlab",
        rules: &[
            Rule::event(When::Offset(&["culturetakenoffset"]), &[Is("MICROBIOLOGY_SPECIMEN"), Must("culturesite")]),
            Rule::event(DISCHARGED, &[Is("MICROBIOLOGY"), Must("organism"), Of("antibiotic"), Of("sensitivitylevel")]),
        ],
        ..OF_STAY
    },
    TableRules {
        table: "vitalperiodic",
        rules: &[
            vital(&[Is("VITAL"), Is("temperature"), Is("°C")], "temperature"),
            vital(&[Is("VITAL"), Is("sao2"), Is("%")], "sao2"),
            vital(&[Is("VITAL"), Is("heartrate"), Is("bpm")], "heartrate"),
            vital(&[Is("VITAL"), Is("respiration"), Is("breaths/min")], "respiration"),
            vital(&[Is("VITAL"), Is("cvp"), Is("mmHg")], "cvp"),
            vital(&[Is("VITAL"), Is("etco2"), Is("mmHg")], "etco2"),
            vital(&[Is("VITAL"), Is("systemicsystolic"), Is("mmHg")], "systemicsystolic"),
            vital(&[Is("VITAL"), Is("systemicdiastolic"), Is("mmHg")], "systemicdiastolic"),
            vital(&[Is("VITAL"), Is("systemicmean"), Is("mmHg")], "systemicmean"),
            vital(&[Is("VITAL"), Is("pasystolic"), Is("mmHg")], "pasystolic"),
            vital(&[Is("VITAL"), Is("padiastolic"), Is("mmHg")], "padiastolic"),
            vital(&[Is("VITAL"), Is("pamean"), Is("mmHg")], "pamean"),
            vital(&[Is("VITAL"), Is("icp"), Is("mmHg")], "icp"),
        ],
        ..OF_STAY
    },
    TableRules {
        table: "vitalaperiodic",
        rules: &[
            vital(&[Is("VITAL"), Is("noninvasivesystolic"), Is("mmHg")], "noninvasivesystolic"),
            vital(&[Is("VITAL"), Is("noninvasivediastolic"), Is("mmHg")], "noninvasivediastolic"),
            vital(&[Is("VITAL"), Is("noninvasivemean"), Is("mmHg")], "noninvasivemean"),
            vital(&[Is("VITAL"), Is("paop"), Is("mmHg")], "paop"),
            vital(&[Is("VITAL"), Is("cardiacoutput"), Is("L/min")], "cardiacoutput"),
            vital(&[Is("VITAL"), Is("cardiacinput"), Is("L/min")], "cardiacinput"),
            vital(&[Is("VITAL"), Is("svr")], "svr"),
            vital(&[Is("VITAL"), Is("svri")], "svri"),
            vital(&[Is("VITAL"), Is("pvr")], "pvr"),
            vital(&[Is("VITAL"), Is("pvri")], "pvri"),
        ],
        ..OF_STAY
    },
    TableRules {
        table: "nursecharting",
        rules: &[Rule::with(
            When::Offset(&["nursingchartoffset", "nursingchartentryoffset"]),
            &[Is("NURSE_CHART"), Must("nursingchartcelltypevallabel"), Of("nursingchartcelltypevalname")],
            Written("nursingchartvalue"),
        )],
        ..OF_STAY
    },
    TableRules {
        table: "nurseassessment",
        rules: &[Rule::with(
            When::Offset(&["nurseassessoffset", "nurseassessentryoffset"]),
            &[Is("NURSE_ASSESSMENT"), Must("celllabel"), Of("cellattribute")],
            Written("cellattributevalue"),
        )],
        ..OF_STAY
    },
    TableRules {
        table: "nursecare",
        rules: &[Rule::with(
            When::Offset(&["nursecareoffset", "nursecareentryoffset"]),
            &[Is("NURSE_CARE"), Must("celllabel"), Of("cellattribute")],
            Written("cellattributevalue"),
        )],
        ..OF_STAY
    },
    TableRules {
        table: "physicalexam",
        rules: &[Rule::with(
            When::Offset(&["physicalexamoffset"]),
            &[Is("PHYSICAL_EXAM"), Must("physicalexampath")],
            Written("physicalexamtext"),
        )],
        ..OF_STAY
    },
    TableRules {
        table: "respiratorycharting",
        rules: &[Rule::with(
            When::Offset(&["respchartoffset", "respchartentryoffset"]),
            &[Is("RESPIRATORY"), Must("respchartvaluelabel")],
            Written("respchartvalue"),
        )],
        ..OF_STAY
    },
    TableRules {
        table: "respiratorycare",
        rules: &[Rule::event(When::Offset(&["respcarestatusoffset"]), &[Is("AIRWAY"), Must("airwaytype")])],
        ..OF_STAY
    },
    TableRules {
        table: "intakeoutput",
        rules: &[Rule::with(
            When::Offset(&["intakeoutputoffset", "intakeoutputentryoffset"]),
            &[Is("INTAKE_OUTPUT"), Must("celllabel")],
            Number("cellvaluenumeric"),
        )],
        ..OF_STAY
    },
    TableRules {
        table: "infusiondrug",
        rules: &[Rule::with(
            When::Offset(&["infusionoffset"]),
            &[Is("INFUSION_RATE"), Must("drugname")],
            Written("drugrate"),
        )],
        ..OF_STAY
    },
    TableRules {
        table: "medication",
        keep: &[Keep::Unless("drugordercancelled", &["Yes"], "the order was cancelled")],
        rules: &[
            Rule::event(
                When::Offset(&["drugorderoffset", "drugstartoffset"]),
                &[Is("MEDICATION"), Is("NAME"), Must("drugname"), Is("START")],
            ),
            Rule::event(
                When::Offset(&["drugorderoffset", "drugstartoffset"]),
                &[Is("MEDICATION"), Is("HICL"), Must("drughiclseqno"), Is("START")],
            )
            .of(Keep::Only("drugname", &[""], "it has a name")),
        ],
        ..OF_STAY
    },
    TableRules {
        table: "treatment",
        rules: &[Rule::event(When::Offset(&["treatmentoffset"]), &[Is("TREATMENT"), Must("treatmentstring")])],
        ..OF_STAY
    },
    TableRules {
        table: "careplangeneral",
        rules: &[Rule::event(
            When::Offset(&["cplitemoffset"]),
            &[Is("CARE_PLAN"), Must("cplgroup"), Of("cplitemvalue")],
        )],
        ..OF_STAY
    },
    TableRules {
        table: "careplangoal",
        rules: &[Rule::event(
            When::Offset(&["cplgoaloffset"]),
            &[Is("CARE_GOAL"), Must("cplgoalcategory"), Of("cplgoalvalue")],
        )],
        ..OF_STAY
    },
    TableRules {
        table: "careplaneol",
        rules: &[Rule::event(
            When::Offset(&["cpleolsaveoffset", "cpleoldiscussionoffset"]),
            &[Is("CARE_PLAN"), Is("END_OF_LIFE_DISCUSSED")],
        )],
        ..OF_STAY
    },
    TableRules {
        table: "careplaninfectiousdisease",
        rules: &[Rule::event(
            When::Offset(&["cplinfectdiseaseoffset"]),
            &[Is("INFECTION"), Must("infectdiseasesite"), Of("infectdiseaseassessment")],
        )],
        ..OF_STAY
    },
    TableRules {
        table: "note",
        rules: &[Rule::with(
            When::Offset(&["noteoffset", "noteenteredoffset"]),
            &[Is("NOTE"), Must("notepath")],
            Text("notetext"),
        )],
        ..OF_STAY
    },
];
