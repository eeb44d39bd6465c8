"""Golden values of crates/ehr/src/io/meds: the schemas of the Python package `meds` 0.4.1, and a file that is off them.

    python meds_set.py                 writes meds_set.json and meds_set.parquet beside this script
    python meds_set.py check FOLDER    validates a data set with the package's own checks (what the tests do with sets that
                                   Galen wrote, where `meds` is installed); labels are those of FOLDER/labels

Made with meds 0.4.1 and pyarrow 26.0.1.
"""

import datetime
import json
import pathlib
import sys

import meds
import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent
SCHEMAS = {
    "data": meds.DataSchema,
    "codes": meds.CodeMetadataSchema,
    "splits": meds.SubjectSplitSchema,
    "labels": meds.LabelSchema,
}


def check(folder):
    """Raises unless the folder is a data set as the package and its prose have it."""
    seen, codes, rows = {}, set(), 0
    for path in sorted((folder / meds.data_subdirectory).rglob("*.parquet")):
        table = pq.ParquetFile(path).read()
        meds.DataSchema.validate(table)
        rows += table.num_rows
        codes |= set(table["code"].to_pylist())
        last = None
        for subject, time in zip(table["subject_id"].to_pylist(), table["time"].to_pylist()):
            key = datetime.datetime.min if time is None else time
            if last is None or subject != last[0]:
                assert subject not in seen, f"{subject} is in {seen[subject]} and in {path}, or not contiguous"
                seen[subject] = path
            else:
                assert key >= last[1], f"{subject} is not sorted by time in {path}"
            last = (subject, key)
    listed = pq.ParquetFile(folder / meds.code_metadata_filepath).read()
    meds.CodeMetadataSchema.validate(listed)
    assert codes <= set(listed["code"].to_pylist()), "codes of the data are not listed"
    splits = folder / meds.subject_splits_filepath
    if splits.exists():
        meds.SubjectSplitSchema.validate(pq.ParquetFile(splits).read())
    metadata = json.loads((folder / meds.dataset_metadata_filepath).read_text())
    meds.DatasetMetadataSchema.validate(metadata)
    for path in sorted((folder / "labels").glob("*.parquet")):
        meds.LabelSchema.validate(pq.ParquetFile(path).read())
    print(json.dumps({"subjects": len(seen), "rows": rows, "codes": len(codes), "version": metadata["meds_version"]}))


def off():
    """Everything in which a file may be off and can still be understood."""
    time = lambda *parts: datetime.datetime(2130, 4, *parts)
    rows = [
        # subject, time, code, value, text, extension
        (2, time(3, 8), "LAB//A", 1.5, None, "x"),
        (2, time(1, 8, 30), "LAB//B", None, "trace", "x"),  # earlier than the row before
        (1, None, "GENDER//F", None, None, "y"),
        (2, None, "GENDER//M", None, None, "y"),  # subject 2 again
        (1, time(2), "LAB//A", 0.1, None, "z"),  # 0.1 is no float32
        (None, time(2), "LAB//A", 1.0, None, "z"),  # nobody
        (1, time(2), None, 1.0, None, "z"),  # nothing
        (1, time(2), "LAB//A", float("nan"), None, "z"),  # NaN as pandas has it
        (1, time(2), "LAB//A", 1e300, None, "z"),  # more than float32 can hold
    ]
    columns = list(zip(*rows))
    table = pa.table(
        {
            "extension": pa.array(columns[5]),
            "code": pa.array(columns[2]).dictionary_encode(),
            "time": pa.array(columns[1], pa.timestamp("ns", tz="UTC")),
            "subject_id": pa.array(columns[0], pa.int32()),
            "numeric_value": pa.array(columns[3], pa.float64()),
            "text_value": pa.array(columns[4], pa.string()),
        }
    )
    pq.write_table(table, HERE / "meds_set.parquet", compression="snappy")
    expected = []
    epoch = datetime.datetime(1970, 1, 1)
    micros = lambda time: None if time is None else (time - epoch) // datetime.timedelta(microseconds=1)
    kept = [row for row in rows if row[0] is not None and row[2] is not None]
    # Python's sort is stable, and None stands first.
    for subject, at, code, value, text, _ in sorted(kept, key=lambda row: (row[0], micros(row[1]) or -1)):
        number = None if value is None else float(pa.array([value], pa.float64()).cast(pa.float32(), safe=False)[0].as_py())
        finite = number is not None and number == number and abs(number) != float("inf")
        expected.append([subject, micros(at), code, number if finite else None, text])
    return expected


def main():
    if sys.argv[1:2] == ["check"]:
        check(pathlib.Path(sys.argv[2]))
        return
    schemas = {name: [[c.name, str(c.dtype)] for c in schema._columns()] for name, schema in SCHEMAS.items()}
    golden = {
        "version": meds.__version__,
        "schemas": schemas,
        "metadata": list(meds.DatasetMetadataSchema.schema()["properties"]),
        "constants": [meds.birth_code, meds.death_code, meds.train_split, meds.tuning_split, meds.held_out_split],
        "off": off(),
    }
    (HERE / "meds_set.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
