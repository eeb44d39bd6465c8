"""Parts of a pipeline of health records as its users have them in Python today.

    python3 ehr.py prepare FOLDER                      writes mimic/ (tables of MIMIC-III) and meds/, the same each time
    python3 ehr.py convert FOLDER/mimic FOLDER/peer    tables to a MEDS data set: polars, as the MEDS tools use it
    python3 ehr.py convert-meds-extract FOLDER/mimic FOLDER/peer    the same with MEDS-Extract, by ehr_messy.yaml
    python3 ehr.py table FOLDER/meds --items N         a row of each subject at its last event: polars
    python3 ehr.py table-pandas FOLDER/meds --items N  the same with pandas
    python3 ehr.py series FOLDER/meds --items N        hourly series with masks and intervals: polars and numpy
    python3 ehr.py gru-d --items N --rows R --steps T --batch B     epochs of GRU-D: PyTorch

Needs numpy, polars, pandas, pyarrow, torch, MEDS_extract.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time

import numpy as np

CHARTS, ADMISSIONS = 800_000, 600
DIAGNOSES = ["25000", "4019", "4280", "42731", "5849", "0389", "51881", "41401", "2724", "V5861", "E8788", "486"]
# item, name, unit, least and greatest value
ITEMS = [
    (220045, "Heart Rate", "bpm", 40, 160), (220210, "Respiratory Rate", "insp/min", 6, 45), (220277, "O2 saturation pulseoxymetry", "%", 80, 100),
    (220179, "Non Invasive Blood Pressure systolic", "mmHg", 70, 200), (220180, "Non Invasive Blood Pressure diastolic", "mmHg", 30, 110),
    (223761, "Temperature Fahrenheit", "?F", 95, 104), (220739, "GCS - Eye Opening", None, 1, 4), (223900, "GCS - Verbal Response", None, 1, 5),
]
LABORATORY = [
    (50912, "Creatinine", "mg/dL", 0.4, 6), (50931, "Glucose", "mg/dL", 50, 400), (50971, "Potassium", "mEq/L", 2.5, 6.5), (50983, "Sodium", "mEq/L", 120, 155),
    (51222, "Hemoglobin", "g/dL", 6, 17), (51265, "Platelet Count", "K/uL", 20, 600), (51301, "White Blood Cells", "K/uL", 1, 40), (50813, "Lactate", "mmol/L", 0.5, 12),
]
TIME = "%Y-%m-%d %H:%M:%S"
EVENT = ["subject_id", "time", "code", "numeric_value", "text_value"]


def prepare(folder):
    import gzip

    import polars as pl

    tables, done = os.path.join(folder, "mimic"), os.path.join(folder, "meds")
    if os.path.exists(os.path.join(done, "metadata", "dataset.json")):
        return {"seconds": 0.0, "items": 0}
    os.makedirs(tables, exist_ok=True)
    draw = np.random.default_rng(1)

    def write(name, frame):
        frame = frame.rename({column: column.upper() for column in frame.columns})
        with gzip.open(os.path.join(tables, name + ".csv.gz"), "wb", compresslevel=1) as out:
            out.write(frame.write_csv(datetime_format=TIME).encode())

    minute = np.timedelta64(60_000_000, "us")
    # two in three admissions are a patient's first
    subject = np.cumsum(draw.integers(0, 3, ADMISSIONS) > 0)
    start = np.datetime64("2100-01-01T00:00:00", "us") + np.cumsum(draw.integers(40_000, 200_000, ADMISSIONS)) * minute
    minutes = draw.integers(600, 30_000, ADMISSIONS)
    end, admission = start + minutes * minute, 100_000 + np.arange(ADMISSIONS)
    first = np.unique(subject, return_index=True)[1]
    born = (start[first] - draw.integers(18, 89, len(first)) * np.timedelta64(365, "D")).astype("datetime64[D]").astype("datetime64[us]")
    write("PATIENTS", pl.DataFrame({"row_id": np.arange(len(first)), "subject_id": subject[first], "gender": np.where(draw.random(len(first)) < 0.5, "F", "M"), "dob": born, "dod": [""] * len(first)}))
    write("ADMISSIONS", pl.DataFrame({"row_id": np.arange(ADMISSIONS), "subject_id": subject, "hadm_id": admission, "admittime": start, "dischtime": end}).with_columns(
        deathtime=pl.lit(""), admission_type=pl.lit("EMERGENCY"), admission_location=pl.lit("EMERGENCY ROOM ADMIT"), discharge_location=pl.lit("HOME"),
        insurance=pl.lit("Medicare"), ethnicity=pl.lit("WHITE"), diagnosis=pl.lit("SEPSIS, UNSPECIFIED")))
    write("ICUSTAYS", pl.DataFrame({"row_id": np.arange(ADMISSIONS), "subject_id": subject, "hadm_id": admission, "icustay_id": admission + 100_000_000, "intime": start, "outtime": end})
          .with_columns(first_careunit=pl.lit("MICU"), last_careunit=pl.lit("MICU")))
    rows = np.repeat(np.arange(ADMISSIONS), draw.integers(1, 8, ADMISSIONS))
    write("DIAGNOSES_ICD", pl.DataFrame({"row_id": np.arange(len(rows)), "subject_id": subject[rows], "hadm_id": admission[rows], "icd9_code": draw.choice(DIAGNOSES, len(rows))}))

    def moments(count):
        rows = draw.integers(0, ADMISSIONS, count)
        return rows, start[rows] + (draw.random(count) * minutes[rows]).astype(np.int64) * minute

    def measured(count, items):
        rows, when = moments(count)
        which = draw.integers(0, len(items), count)
        low, high = (np.array([item[place] for item in items], float)[which] for place in (3, 4))
        value = np.round(low + draw.random(count) * (high - low), 1)
        return rows, pl.DataFrame({
            "row_id": np.arange(count), "subject_id": subject[rows], "hadm_id": admission[rows], "itemid": np.array([item[0] for item in items])[which], "charttime": when,
            "value": value, "valuenum": value, "valueuom": pl.Series([item[2] for item in items])[which],
        }).with_columns(pl.col("value").cast(pl.String))

    rows, charts = measured(CHARTS, ITEMS)
    write("CHARTEVENTS", charts.with_columns(storetime=pl.col("charttime") + pl.duration(minutes=7), cgid=pl.lit(14000), error=pl.Series((draw.random(CHARTS) < 0.001).astype(int))))
    count = CHARTS // 8
    rows, laboratory = measured(count, LABORATORY)
    # one in five has no admission, one in fifty no number
    lost, wrong = pl.Series(draw.random(count) < 0.2), pl.Series(draw.random(count) < 0.02)
    write("LABEVENTS", laboratory.with_columns(hadm_id=pl.when(lost).then(None).otherwise(pl.col("hadm_id")), valuenum=pl.when(wrong).then(None).otherwise(pl.col("valuenum")),
                                               value=pl.when(wrong).then(pl.lit("ERROR")).otherwise(pl.col("value")), flag=pl.lit("")))
    count = CHARTS // 40
    rows, when = moments(count)
    length = draw.integers(1, 600, count)
    write("INPUTEVENTS_MV", pl.DataFrame({"row_id": np.arange(count), "subject_id": subject[rows], "hadm_id": admission[rows], "starttime": when, "endtime": when + length * minute,
                                          "itemid": 225_000 + draw.integers(0, 20, count), "amount": length}).with_columns(
        amountuom=pl.lit("ml"), rate=pl.lit(60), rateuom=pl.lit("mL/hour"), statusdescription=pl.lit("FinishedRunning")))
    rows, when = moments(count)
    write("OUTPUTEVENTS", pl.DataFrame({"row_id": np.arange(count), "subject_id": subject[rows], "hadm_id": admission[rows], "charttime": when, "value": draw.integers(10, 600, count)}).with_columns(
        itemid=pl.lit(226559), valueuom=pl.lit("ml"), iserror=pl.lit("")))
    write("D_ITEMS", pl.DataFrame({"itemid": [item[0] for item in ITEMS], "label": [item[1] for item in ITEMS]}))
    write("D_LABITEMS", pl.DataFrame({"itemid": [item[0] for item in LABORATORY], "label": [item[1] for item in LABORATORY], "fluid": ["Blood"] * len(LABORATORY)}))
    found = convert(tables, done)
    return {"seconds": found["seconds"], "items": found["items"]}


def convert(tables, out):
    """The events that `mimic3` makes of these tables, with values in the units in which they are written."""
    import polars as pl

    shutil.rmtree(out, ignore_errors=True)
    for name in ("data", "metadata"):
        os.makedirs(os.path.join(out, name))
    began = time.perf_counter()

    def scan(name):
        frame = pl.scan_csv(os.path.join(tables, name + ".csv.gz"), infer_schema=False)
        return frame.rename(str.lower)

    def at(column):
        return pl.col(column).str.to_datetime(TIME, time_unit="us", strict=False)

    def number(column):
        return pl.col(column).cast(pl.Float64, strict=False)

    def code(*parts):
        return pl.concat_str([part if isinstance(part, pl.Expr) else pl.lit(part) for part in parts], separator="//")

    def known(column):
        return pl.col(column).fill_null("UNK")

    def events(frame, when, of, value=None, text=None):
        made = frame.select(
            subject_id=pl.col("subject_id").cast(pl.Int64), time=when if when is not None else pl.lit(None, pl.Datetime("us")), code=of,
            numeric_value=(value if value is not None else pl.lit(None)).cast(pl.Float32), text_value=(text if text is not None else pl.lit(None)).cast(pl.String))
        # what needs a time or a part of its code and lacks it is no event
        made = made.filter(pl.col("code").is_not_null())
        return made if when is None else made.filter(pl.col("time").is_not_null())

    def measured(name, frame):
        # what was written is kept where it says more than the number
        parsed = number("value")
        same = (parsed - number("valuenum")).abs() <= 1e-6 * number("valuenum").abs()
        text = pl.when(same | (parsed.is_not_null() & number("valuenum").is_null())).then(None).otherwise(pl.col("value"))
        return events(frame, at("charttime"), code(name, pl.col("itemid"), known("valueuom")), number("valuenum").fill_null(parsed), text)

    patients, admissions, stays = scan("PATIENTS"), scan("ADMISSIONS"), scan("ICUSTAYS")
    charts, inputs, outputs = scan("CHARTEVENTS"), scan("INPUTEVENTS_MV"), scan("OUTPUTEVENTS")
    charts = charts.filter(pl.col("error").fill_null("0") != "1")
    inputs = inputs.filter(pl.col("statusdescription").fill_null("") != "Rewritten")
    outputs = outputs.filter(pl.col("iserror").fill_null("") != "1")
    # codes for billing are known at discharge
    coded = scan("DIAGNOSES_ICD").join(admissions.select("hadm_id", "dischtime"), on="hadm_id")
    deaths = admissions.group_by("subject_id").agg(at("deathtime").min().alias("deathtime"))
    died = patients.join(deaths, on="subject_id", how="left")
    admitted = at("admittime")
    parts = [
        events(patients, None, code("GENDER", pl.col("gender"))),
        events(patients, at("dob"), pl.lit("MEDS_BIRTH")),
        events(died, pl.col("deathtime").fill_null(at("dod")), pl.lit("MEDS_DEATH")),
        events(admissions, admitted, code("HOSPITAL_ADMISSION", known("admission_type"), known("admission_location"))),
        events(admissions, admitted, code("INSURANCE", pl.col("insurance"))),
        events(admissions, admitted, code("ETHNICITY", pl.col("ethnicity"))),
        events(admissions, admitted, pl.lit("ADMISSION_DIAGNOSIS"), text=pl.col("diagnosis")),
        events(admissions, at("dischtime"), code("HOSPITAL_DISCHARGE", known("discharge_location"))),
        events(stays, at("intime"), code("ICU_ADMISSION", known("first_careunit"))),
        events(stays, at("outtime"), code("ICU_DISCHARGE", known("last_careunit"))),
        measured("LAB", scan("LABEVENTS")),
        measured("CHART", charts),
        events(outputs, at("charttime"), code("SUBJECT_FLUID_OUTPUT", pl.col("itemid"), known("valueuom")), number("value")),
        events(inputs, at("starttime"), code("INFUSION_START", pl.col("itemid"), known("rateuom")), number("rate")),
        events(inputs, at("endtime"), code("INFUSION_END", pl.col("itemid"), known("amountuom")), number("amount")),
        events(coded, at("dischtime"), code("DIAGNOSIS", "ICD", "9", pl.col("icd9_code"))),
    ]
    made = pl.concat(parts).sort("subject_id", "time", nulls_last=False, maintain_order=True).collect()
    made.write_parquet(os.path.join(out, "data", "0.parquet"), compression="zstd")
    items = pl.concat([scan("D_ITEMS").select("itemid", "label"), scan("D_LABITEMS").select("itemid", "label")])
    codes = made.lazy().select(pl.col("code").unique()).with_columns(itemid=pl.col("code").str.split("//").list.get(1, null_on_oob=True))
    codes = codes.join(items.unique("itemid"), on="itemid", how="left").select("code", description=pl.col("label"), parent_codes=pl.lit(None, pl.List(pl.String))).collect()
    codes.write_parquet(os.path.join(out, "metadata", "codes.parquet"))
    with open(os.path.join(out, "metadata", "dataset.json"), "w") as file:
        json.dump({"dataset_name": "bench"}, file)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "items": made.height, "value": codes.height, "version": f"polars {pl.__version__}"}


def convert_meds_extract(tables, out):
    import MEDS_extract
    import polars as pl

    shutil.rmtree(out, ignore_errors=True)
    programs = os.path.dirname(sys.executable)
    words = [f"spec={os.path.join(os.path.dirname(os.path.abspath(__file__)), 'ehr_messy.yaml')}", f"output_dir={out}", "do_download=false", f"input_dir={tables}"]
    # it starts its stages by name
    found = {**os.environ, "PATH": programs + os.pathsep + os.environ.get("PATH", "")}
    began = time.perf_counter()
    done = subprocess.run([os.path.join(programs, "meds-extract-run"), *words], env=found, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode != 0:
        sys.exit(done.stderr[-2000:])
    codes = pl.scan_parquet(os.path.join(out, "data", "**", "*.parquet")).select(events=pl.len(), codes=pl.col("code").n_unique()).collect()
    return {"seconds": seconds, "items": codes["events"][0], "value": codes["codes"][0], "version": f"MEDS-Extract {MEDS_extract.__version__}"}


def loaded(folder):
    import polars as pl

    events = pl.read_parquet(os.path.join(folder, "data", "*.parquet"), columns=EVENT[:4])
    return events, events.filter(pl.col("time").is_not_null()).group_by("subject_id", maintain_order=True).agg(pl.col("time").max().alias("until"))


LEAST = 10


def table(folder, rounds):
    import polars as pl

    events, labels = loaded(folder)
    began = time.perf_counter()
    for _ in range(rounds):
        known = events.lazy().join(labels.lazy(), on="subject_id", how="inner", maintain_order="left").filter(pl.col("time").is_null() | (pl.col("time") <= pl.col("until")))
        known = known.with_columns(pl.col("code").cast(pl.Categorical)).collect()
        timed, valued = pl.col("time").is_not_null(), pl.col("numeric_value").is_not_null()
        seen = known.group_by("code").agg(
            any=pl.col("subject_id").n_unique(), timed=pl.col("subject_id").filter(timed & valued).n_unique(),
            value=pl.col("subject_id").filter(~timed & valued).n_unique(), flag=pl.col("subject_id").filter(~timed & ~valued).n_unique(),
        ).with_columns(pl.col("code").cast(pl.String)).filter(~pl.col("code").str.starts_with("MEDS_BIRTH") & ~pl.col("code").str.starts_with("MEDS_DEATH"))
        pick = lambda wanted: pl.Series(sorted(seen.filter(wanted)["code"].to_list()), dtype=pl.String)
        values, statics, flags = (pick(pl.col(name) >= LEAST) for name in ("timed", "value", "flag"))
        counts = pick((pl.col("any") >= LEAST) & (pl.col("timed") < LEAST) & (pl.col("value") + pl.col("flag") == 0))
        row = {subject: place for place, subject in enumerate(labels["subject_id"].to_list())}

        def spread(grouped, codes, names, fill):
            found = np.full((labels.height, len(codes), len(names)), fill, np.float32)
            place = {code: at for at, code in enumerate(codes.to_list())}
            rows = grouped["subject_id"].replace_strict(row, return_dtype=pl.Int64).to_numpy()
            columns = grouped["code"].cast(pl.String).replace_strict(place, return_dtype=pl.Int64).to_numpy() if len(codes) else rows
            found[rows, columns] = grouped.select(names).cast(pl.Float32).to_numpy()
            return found

        value = pl.col("numeric_value")
        of = lambda codes: pl.col("code").cast(pl.String).is_in(codes.implode())
        grouped = known.filter(timed & valued & of(values)).group_by("subject_id", "code").agg(
            last=value.last(), mean=value.cast(pl.Float64).mean(), min=value.min(), max=value.max(), count=pl.len())
        measured = spread(grouped, values, ["last", "mean", "min", "max", "count"], np.nan)
        measured[:, :, 4] = np.nan_to_num(measured[:, :, 4])
        grouped = known.filter(~timed & valued & of(statics)).group_by("subject_id", "code").agg(last=value.last())
        parts = [measured, spread(grouped, statics, ["last"], np.nan)]
        parts.append(spread(known.filter(~timed & ~valued & of(flags)).group_by("subject_id", "code").agg(one=pl.lit(1)), flags, ["one"], 0))
        parts.append(spread(known.filter(timed & of(counts)).group_by("subject_id", "code").agg(count=pl.len()), counts, ["count"], 0))
        births = events.filter(pl.col("code") == "MEDS_BIRTH").group_by("subject_id").agg(born=pl.col("time").first())
        age = labels.join(births, on="subject_id", how="left", maintain_order="left").select(((pl.col("until") - pl.col("born")).dt.total_microseconds() / (365.25 * 86_400e6)).clip(upper_bound=90)).to_series()
        parts.append(age.cast(pl.Float32).to_numpy().reshape(-1, 1, 1))
        found = np.concatenate([part.reshape(labels.height, -1) for part in parts], 1)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "items": rounds * events.height, "value": int(np.isfinite(found).sum()), "columns": found.shape[1], "version": f"polars {pl.__version__}"}


def table_pandas(folder, rounds):
    import pandas as pd

    events, labels = loaded(folder)
    height = events.height
    events, labels = events.to_pandas(), labels.to_pandas()
    events["code"] = events["code"].astype("category")
    until = labels.set_index("subject_id")["until"]
    began = time.perf_counter()
    for _ in range(rounds):
        known = events[events["time"].isna() | (events["time"] <= events["subject_id"].map(until))]
        timed, valued = known["time"].notna(), known["numeric_value"].notna()
        subjects = lambda rows: rows.groupby("code", observed=True)["subject_id"].nunique().rename(index=str)
        seen = pd.DataFrame({"any": subjects(known), "timed": subjects(known[timed & valued]), "value": subjects(known[~timed & valued]), "flag": subjects(known[~timed & ~valued])}).fillna(0)
        seen = seen[~seen.index.str.startswith(("MEDS_BIRTH", "MEDS_DEATH"))]
        pick = lambda wanted: sorted(seen.index[wanted])
        values, statics, flags = (pick(seen[name] >= LEAST) for name in ("timed", "value", "flag"))
        counts = pick((seen["any"] >= LEAST) & (seen["timed"] < LEAST) & (seen["value"] + seen["flag"] == 0))

        def spread(rows, codes, statistics):
            grouped = rows[rows["code"].isin(codes)].groupby(["subject_id", "code"], observed=True)["numeric_value"].agg(statistics)
            grouped.index = grouped.index.set_levels(grouped.index.levels[1].astype(str), level=1)
            return grouped.unstack("code").reindex(index=until.index, columns=pd.MultiIndex.from_product([statistics, codes]))

        measured = spread(known[timed & valued], values, ["last", "mean", "min", "max", "count"])
        measured["count"] = measured["count"].fillna(0)
        parts = [measured, spread(known[~timed & valued], statics, ["last"])]
        parts += [spread(known[~timed & ~valued], flags, ["size"]).fillna(0), spread(known[timed], counts, ["size"]).fillna(0)]
        born = events[events["code"] == "MEDS_BIRTH"].groupby("subject_id")["time"].first()
        age = ((until - born.reindex(until.index)).dt.total_seconds() / (365.25 * 86_400)).clip(upper=90)
        found = np.concatenate([*(part.to_numpy(np.float32) for part in parts), age.to_numpy(np.float32)[:, None]], 1)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "items": rounds * height, "value": int(np.isfinite(found).sum()), "columns": found.shape[1], "version": f"pandas {pd.__version__}"}


def series(folder, rounds):
    import polars as pl

    events, labels = loaded(folder)
    began = time.perf_counter()
    for _ in range(rounds):
        known = events.lazy().join(labels.lazy(), on="subject_id", how="inner", maintain_order="left").filter(
            pl.col("time").is_not_null() & pl.col("numeric_value").is_not_null() & (pl.col("time") <= pl.col("until")))
        known = known.filter(pl.col("subject_id").n_unique().over("code") >= LEAST).collect()
        codes = sorted(known["code"].unique().to_list())
        known = known.with_columns(variable=pl.col("code").replace_strict({code: at for at, code in enumerate(codes)}, return_dtype=pl.Int64), value=pl.col("numeric_value").cast(pl.Float64))
        ends = known.group_by("variable").agg(ordered=pl.col("value").sort(), end=(pl.len() * 0.001).floor().cast(pl.Int64)).select(
            "variable", low=pl.col("ordered").list.get(pl.col("end")), high=pl.col("ordered").list.get(-1 - pl.col("end")))
        known = known.join(ends, on="variable", maintain_order="left").with_columns(value=pl.col("value").clip(pl.col("low"), pl.col("high")))
        moments = known.group_by("variable").agg(mean=pl.col("value").mean(), deviation=pl.col("value").std(ddof=0))
        known = known.join(moments, on="variable", maintain_order="left").with_columns(
            value=(pl.col("value") - pl.col("mean")) / pl.when(pl.col("deviation") > 0).then(pl.col("deviation")).otherwise(1.0),
            hour=(pl.col("time") - pl.col("time").min().over("subject_id")).dt.total_microseconds() // 3_600_000_000)
        cells = known.group_by("subject_id", "hour", "variable").agg(pl.col("value").mean()).sort("subject_id", "hour")
        steps = cells.select("subject_id", "hour").unique(maintain_order=True)
        # the last 1000 hours with an observation
        steps = steps.filter(pl.len().over("subject_id") - pl.int_range(pl.len()).over("subject_id") <= 1000).with_row_index("row")
        cells = cells.join(steps, on=["subject_id", "hour"], maintain_order="left")
        at, variable = cells["row"].to_numpy(), cells["variable"].to_numpy()
        values, mask = np.zeros((steps.height, len(codes)), np.float32), np.zeros((steps.height, len(codes)), np.float32)
        values[at, variable], mask[at, variable] = cells["value"].to_numpy(), 1.0
        hours = steps["hour"].to_numpy().astype(np.float32)
        fresh = np.flatnonzero(np.diff(steps["subject_id"].to_numpy(), prepend=-1))
        begin = np.repeat(fresh, np.diff(fresh, append=steps.height))
        # the step in which a variable was last observed before, or the first step of the series
        place = np.where(mask > 0, np.arange(steps.height)[:, None], begin[:, None])
        before = np.maximum.accumulate(np.vstack([np.zeros((1, len(codes)), place.dtype), place[:-1]]), 0)
        delta = hours[:, None] - hours[np.maximum(before, begin[:, None])]
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "items": rounds * events.height, "value": steps.height, "delta": float(delta.mean()), "observed": float(mask.mean()), "version": f"polars {pl.__version__}, numpy {np.__version__}"}


# ehr's synthetic series: variables, share of them that is measured in an hour, units of the state
VARIABLES, MEASURED, HIDDEN = 33, 0.2, 64


def gru_d(epochs, rows, steps, batch):
    import torch
    from torch import nn

    torch.manual_seed(1)
    mask = (torch.rand(rows, steps, VARIABLES) < MEASURED).float()
    values = mask * (torch.rand_like(mask) * 4 - 2)
    delta = torch.zeros_like(mask)
    carried = torch.zeros_like(mask)
    for step in range(1, steps):
        delta[:, step] = 1 + (1 - mask[:, step - 1]) * delta[:, step - 1]
    for step in range(steps):
        before = carried[:, step - 1] if step else 0
        carried[:, step] = mask[:, step] * values[:, step] + (1 - mask[:, step]) * before
    targets = (torch.rand(rows, 1) < 0.15).float()

    class GruD(nn.Module):
        """Che et al. 2018, equations 10 to 16, step by step, with the dropouts of the authors' code."""

        def __init__(self):
            super().__init__()
            self.rate, self.rate_bias = nn.Parameter(torch.full((VARIABLES,), 0.1)), nn.Parameter(torch.zeros(VARIABLES))
            self.fade = nn.Linear(VARIABLES, HIDDEN)
            self.gates, self.candidate = nn.Linear(2 * VARIABLES, 2 * HIDDEN), nn.Linear(2 * VARIABLES, HIDDEN)
            self.state_gates, self.state_candidate = nn.Linear(HIDDEN, 2 * HIDDEN, bias=False), nn.Linear(HIDDEN, HIDDEN, bias=False)
            self.head = nn.Linear(HIDDEN, 1)

        def forward(self, carried, mask, delta):
            delta = delta / 24.0
            state = torch.zeros(len(mask), HIDDEN)
            keep_inputs = nn.functional.dropout(torch.ones(len(mask), 2 * VARIABLES), 0.3, self.training)
            keep_state = nn.functional.dropout(torch.ones(len(mask), HIDDEN), 0.3, self.training)
            for step in range(mask.shape[1]):
                seen, since = mask[:, step], delta[:, step]
                kept = torch.exp(-torch.relu(since * self.rate + self.rate_bias))
                value = seen * carried[:, step] + (1 - seen) * kept * carried[:, step]
                inputs = torch.cat([value, seen], 1) * keep_inputs
                state = state * torch.exp(-torch.relu(self.fade(since)))
                hidden = state * keep_state
                reset, update = torch.sigmoid(self.gates(inputs) + self.state_gates(hidden)).chunk(2, 1)
                candidate = torch.tanh(self.candidate(inputs) + self.state_candidate(reset * hidden))
                state = state + update * (candidate - state)
            return self.head(nn.functional.dropout(state, 0.3, self.training))

    network = GruD()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    began = time.perf_counter()
    for _ in range(epochs):
        for at in range(0, rows, batch):
            these = slice(at, at + batch)
            optimiser.zero_grad()
            loss = nn.functional.binary_cross_entropy_with_logits(network(carried[these], mask[these], delta[these]), targets[these])
            loss.backward()
            optimiser.step()
            assert torch.isfinite(loss)
    seconds = time.perf_counter() - began
    params = sum(parameter.numel() for parameter in network.parameters())
    return {"seconds": seconds, "items": epochs * rows, "params": params, "version": f"torch {torch.__version__}, {torch.get_num_threads()} threads"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part")
    parser.add_argument("paths", nargs="*")
    parser.add_argument("--items", type=int, default=1)
    parser.add_argument("--rows", type=int, default=2880)
    parser.add_argument("--steps", type=int, default=48)
    parser.add_argument("--batch", type=int, default=64)
    args = parser.parse_args()
    found = {
        "prepare": lambda: prepare(*args.paths),
        "convert": lambda: convert(*args.paths),
        "convert-meds-extract": lambda: convert_meds_extract(*args.paths),
        "table": lambda: table(*args.paths, args.items),
        "table-pandas": lambda: table_pandas(*args.paths, args.items),
        "series": lambda: series(*args.paths, args.items),
        "gru-d": lambda: gru_d(args.items, args.rows, args.steps, args.batch),
    }[args.part]()
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    print(json.dumps({"name": args.part, "peak_mb": peak, "device": "cpu", **found}))


if __name__ == "__main__":
    main()
