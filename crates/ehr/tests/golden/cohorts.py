"""Cohorts and features of the MEDS sample of ACES (justin13601/ACES at d95e192), by pandas.

python cohorts.py FOLDER > cohorts.json, where FOLDER holds train, tuning and held_out.
"""

import glob
import json
import sys

import pandas as pd

DAY = pd.Timedelta(days=1)
files = sorted(glob.glob(sys.argv[1] + "/**/*.parquet", recursive=True))
events = pd.concat([pd.read_parquet(file) for file in files])
events["numeric_value"] = events["numeric_value"].astype("float32")

out = {"readmission": [], "stay": [], "features": []}
for subject, rows in events[events.time.notna()].groupby("subject_id"):
    rows = rows.sort_values("time", kind="stable")
    kind = rows.code.str.split("//").str[0]
    starts = sorted(set(rows.time[kind == "ADMISSION"]))
    ends = sorted(set(rows.time[kind == "DISCHARGE"]))
    for place, start in enumerate(starts):
        after = [end for end in ends if end >= start]
        end = after[0] if after else None
        if end is not None and place + 1 < len(starts) and end > starts[place + 1]:
            end = None
        if end is None:
            continue
        later = [other for other in starts if end < other <= end + 30 * DAY]
        out["readmission"].append([int(subject), end.value // 1000, bool(later)])
        if end <= start + DAY:
            continue
        out["stay"].append([int(subject), (start + DAY).value // 1000, bool(end - start > 4 * DAY)])
        if place == 0:
            asked = start + DAY
            window = rows[(rows.time > asked - DAY) & (rows.time <= asked)]
            row = [int(subject)]
            for code in ["HR", "LAB//creatinine"]:
                values = window.numeric_value[(window.code == code) & window.numeric_value.notna()].astype("float64")
                count = len(values)
                nothing = [None] * 4
                row += [values.iloc[-1], values.mean(), values.min(), values.max()] if count else nothing
                row.append(count)
            out["features"].append(row)
json.dump(out, sys.stdout)
