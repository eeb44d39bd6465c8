"""Writes scalars.tfevents, the bytes that workbench::tensorboard must produce.

Made with tensorboard 2.21.0 and protobuf 7.36.2 (`pip install tensorboard`).
Usage: python make_scalars.py scalars.tfevents
"""

import sys

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter


def scalars(step, wall_time, values):
    summary = summary_pb2.Summary(
        value=[summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in values]
    )
    return event_pb2.Event(wall_time=wall_time, step=step, summary=summary)


EVENTS = [
    event_pb2.Event(wall_time=1700000000.5, file_version="brain.Event:2"),
    event_pb2.Event(
        wall_time=1700000000.5,
        session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START),
    ),
    scalars(0, 1700000001.25, [("train/loss", 0.0)]),
    scalars(1, 1700000002.25, [("train/loss", 2.5), ("validation/mse", -0.125)]),
    scalars(300, 1700000003.75, [("train/loss", 1e-3)]),
    event_pb2.Event(
        wall_time=1700000004.0,
        step=129,
        session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START),
    ),
    scalars(1 << 40, 1700000005.0, [("métrique", 3.4e38)]),
]

with open(sys.argv[1], "wb") as out:
    writer = RecordWriter(out)
    for event in EVENTS:
        writer.write(event.SerializeToString())
    writer.flush()
