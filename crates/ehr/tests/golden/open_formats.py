"""What the OMOP, FHIR, PhysioNet 2012 and survival files hold, counted with pandas, json and h5py.

Usage: python open_formats.py FOLDER_OF_THE_SETS > open_formats.json
"""

import collections
import io
import json
import sys
import tarfile
import zipfile

import h5py
import numpy as np
import pandas as pd

root = sys.argv[1]


def omop():
    archive = zipfile.ZipFile(f"{root}/synthea27nj_omop/Synthea27Nj_5.4.zip")

    def table(name):
        return pd.read_csv(io.BytesIO(archive.read(name + ".csv")), dtype=str, keep_default_na=False)

    concept = table("CONCEPT").set_index("concept_id")
    visits = table("VISIT_OCCURRENCE")
    inpatient = visits[visits.visit_concept_id == "9201"].set_index("visit_occurrence_id")
    conditions = table("CONDITION_OCCURRENCE")
    moved = 0
    for row in conditions.itertuples():
        if row.visit_occurrence_id in inpatient.index:
            end = pd.Timestamp(inpatient.loc[row.visit_occurrence_id].visit_end_datetime)
            moved += end > pd.Timestamp(row.condition_start_datetime)
    measured = table("MEASUREMENT")
    kinds = measured.measurement_concept_id.map(concept.concept_class_id)
    codes = measured.measurement_concept_id.map(concept.concept_code)
    number = pd.to_numeric(measured.value_as_number, errors="coerce")
    relation = table("CONCEPT_RELATIONSHIP")
    known = set(concept.index)
    up = relation[
        relation.relationship_id.isin(["Is a", "Maps to"])
        & (relation.concept_id_1 != relation.concept_id_2)
        & relation.concept_id_1.isin(known)
        & relation.concept_id_2.isin(known)
    ]
    diabetes = conditions.condition_concept_id.map(concept.concept_code)
    return {
        "persons": len(table("PERSON")),
        "visits": len(visits),
        "inpatient": len(inpatient),
        "emergency": int((visits.visit_concept_id == "9203").sum()),
        "conditions": len(conditions),
        "conditions_moved": int(moved),
        "procedures": len(table("PROCEDURE_OCCURRENCE")),
        "drugs": len(table("DRUG_EXPOSURE")),
        "devices": len(table("DEVICE_EXPOSURE")),
        "deaths": len(table("DEATH")),
        "observations": len(table("OBSERVATION")),
        "measurements": len(measured),
        "laboratory": int((kinds == "Lab Test").sum()),
        "relations": len(up[["concept_id_1", "concept_id_2"]].drop_duplicates()),
        "concepts": len(concept),
        "weights": {
            "rows": int((codes == "29463-7").sum()),
            "sum": float(number[codes == "29463-7"].sum()),
        },
        "most_diagnosed": diabetes.value_counts().sort_index().sort_values(ascending=False, kind="stable").index[0],
        "most_diagnosed_rows": int(diabetes.value_counts().max()),
    }


def fhir():
    kinds, classes = collections.Counter(), collections.Counter()
    values, quantities, labs, deaths, dispositions, reasons = 0, 0, 0, 0, 0, 0
    sums = collections.defaultdict(float)
    archive = tarfile.open(f"{root}/synthea_fhir_r4/r4_100_bundles.tar.gz")
    for member in archive:
        if not member.name.endswith(".json"):
            continue
        for entry in json.load(archive.extractfile(member))["entry"]:
            resource = entry["resource"]
            kind = resource["resourceType"]
            kinds[kind] += 1
            if kind == "Patient":
                deaths += "deceasedDateTime" in resource
            if kind == "Encounter":
                classes[resource["class"]["code"]] += 1
                dispositions += "hospitalization" in resource
                reasons += len(resource.get("reasonCode", []))
            if kind == "Observation":
                parts = resource.get("component", [resource])
                laboratory = any(c["code"] == "laboratory" for x in resource["category"] for c in x["coding"])
                for part in parts:
                    values += 1
                    labs += laboratory
                    if "valueQuantity" in part:
                        quantities += 1
                        sums[part["code"]["coding"][0]["code"]] += part["valueQuantity"]["value"]
    return {
        "kinds": dict(sorted(kinds.items())),
        "classes": dict(sorted(classes.items())),
        "observed": values,
        "quantities": quantities,
        "laboratory": labs,
        "deaths": deaths,
        "dispositions": dispositions,
        "reasons": reasons,
        "sums": {code: sums[code] for code in ["8302-2", "29463-7", "8480-6", "8462-4", "4548-4"]},
    }


def p12(part):
    rows = pd.read_parquet(f"{root}/physionet2012/set-{part}.parquet")
    outcomes = pd.read_csv(f"{root}/physionet2012/Outcomes-{part}.txt")
    missing = rows[(rows.value == -1) & (rows.parameter != "RecordID")]
    statics = ["RecordID", "Age", "Gender", "Height", "ICUType"]
    series = rows[~rows.parameter.isin(statics) & (rows.value != -1)]
    return {
        "rows": len(rows),
        "stays": int(rows.record_id.nunique()),
        "missing": len(missing),
        "series": len(series),
        "heart_rates": {"rows": int((series.parameter == "HR").sum()), "sum": float(series[series.parameter == "HR"].value.sum())},
        "old": int(((rows.parameter == "Age") & (rows.value >= 90)).sum()),
        "female": int(((rows.parameter == "Gender") & (rows.value == 0)).sum()),
        "low_pressures": int(((rows.parameter == "NISysABP") & (rows.value < 1)).sum()),
        "without_points": int(
            ((rows.parameter == "pH") & (rows.value.between(65, 80) | rows.value.between(650, 800))).sum()
        ),
        "died": int(outcomes["In-hospital_death"].sum()),
        "no_saps": int((outcomes["SAPS-I"] == -1).sum()),
    }


def deepsurv():
    sets = {}
    for name in ["gbsg_cancer", "metabric_IHC4_clinical", "support", "whas"]:
        file = h5py.File(f"{root}/deepsurv/{name}_train_test.h5", "r")
        sets[name] = {
            part: {
                "rows": file[part]["x"].shape[0],
                "columns": file[part]["x"].shape[1],
                "x": float(np.sum(file[part]["x"][()], dtype=np.float64)),
                "t": float(np.sum(file[part]["t"][()], dtype=np.float64)),
                "events": int(np.sum(file[part]["e"][()])),
            }
            for part in ["train", "test"]
        }
    return sets


def support2():
    rows = pd.read_csv(f"{root}/support2_framingham/support2.csv.gz")
    return {
        "rows": len(rows),
        "deaths": int(rows.death.sum()),
        "days": float(rows["d.time"].sum()),
        "albumin": float(rows.alb.sum()),
        "albumin_missing": int(rows.alb.isna().sum()),
        "male": int((rows.sex == "male").sum()),
        "income_missing": int(rows.income.isna().sum()),
    }


def metabric():
    features = pd.read_csv(f"{root}/deephit_sample/metabric_features.csv.gz")
    labels = pd.read_csv(f"{root}/deephit_sample/metabric_label.csv", skipinitialspace=True)
    return {
        "rows": len(features),
        "columns": features.shape[1],
        "sum": float(features.to_numpy().sum()),
        "time": float(labels.iloc[:, 0].sum()),
        "events": int(labels.iloc[:, 1].sum()),
    }


print(
    json.dumps(
        {
            "omop": omop(),
            "fhir": fhir(),
            "p12_a": p12("a"),
            "p12_b": p12("b"),
            "deepsurv": deepsurv(),
            "support2": support2(),
            "metabric": metabric(),
        },
        indent=1,
    )
)
