"""Writes PyTorch checkpoints whose pickle calls os.system, to prove that the importer refuses them and runs nothing.

    python3 evil_pickle.py [--prove]

Needs only the standard library. With --prove it also unpickles each one in a scratch folder and checks that the command
did run there, so that the files are known to be live (the command only creates an empty file).

evil_entry.pt         a valid tensor, and beside it an entry whose value is os.system(...)
evil_popped.pt        the call is made and its result dropped: nothing of it is left in the unpickled value
evil_stack_global.pt  the same, with the name of the function put together on the stack (protocol 4)
evil_plain.pt         a bare pickle, no archive
"""
import io
import os
import pickle
import struct
import sys
import tempfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
MARKER = "galen-pickle-was-run"
COMMAND = "touch " + MARKER
DATE = (2020, 1, 1, 0, 0, 0)


def text(value):
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def tensor():
    """fc.weight, 2 x 3 float32, from storage 0."""
    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + b"K\x06tQ"
    return (b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00K\x02K\x03\x86K\x03K\x01\x86\x89"
            + b"ccollections\nOrderedDict\n)RtR")


CALL = b"cos\nsystem\n" + text(COMMAND) + b"\x85R"
STACK_CALL = b"\x8c\x02os\x8c\x06system\x93" + text(COMMAND) + b"\x85R"

ENTRY = b"\x80\x02}(" + text("fc.weight") + tensor() + text("epoch") + CALL + b"u."
POPPED = b"\x80\x02" + CALL + b"0}(" + text("fc.weight") + tensor() + b"u."
STACK = b"\x80\x04" + STACK_CALL + b"0}(" + text("fc.weight") + tensor() + b"u."
PLAIN = b"\x80\x02}(" + text("epoch") + CALL + b"u."


def archive(name, data):
    with zipfile.ZipFile(os.path.join(HERE, name + ".pt"), "w", zipfile.ZIP_STORED) as out:
        for entry, content in [("data.pkl", data), ("byteorder", b"little"), ("data/0", struct.pack("<6f", *range(6))),
                               ("version", b"3\n")]:
            out.writestr(zipfile.ZipInfo(name + "/" + entry, DATE), content)


class Unpickler(pickle.Unpickler):
    """Stands in for PyTorch: storages and tensors become empty objects, everything else is looked up for real."""

    def persistent_load(self, _):
        return None

    def find_class(self, module, name):
        if module.startswith("torch"):
            return lambda *_: None
        return super().find_class(module, name)


def prove(data):
    with tempfile.TemporaryDirectory() as folder:
        before = os.getcwd()
        os.chdir(folder)
        try:
            Unpickler(io.BytesIO(data)).load()
            assert os.path.exists(MARKER), "the pickle did not run its command"
        finally:
            os.chdir(before)


archive("evil_entry", ENTRY)
archive("evil_popped", POPPED)
archive("evil_stack_global", STACK)
with open(os.path.join(HERE, "evil_plain.pt"), "wb") as out:
    out.write(PLAIN)
if "--prove" in sys.argv:
    for pickled in (ENTRY, POPPED, STACK, PLAIN):
        prove(pickled)
    print("all four run their command when unpickled")
