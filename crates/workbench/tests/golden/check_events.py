"""Prints every scalar of a folder of event files as TensorBoard itself reads them.

Needs `pip install tensorboard`. Usage: python check_events.py RUN_FOLDER
"""

import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
events.Reload()
for tag in sorted(events.Tags()["scalars"]):
    for scalar in events.Scalars(tag):
        print(f"{tag}\t{scalar.step}\t{scalar.value:.9g}")
