"""Writes small_y.pkl and small_y_fortran.pkl, matrices as DeepDTA pickles its `Y`: python2.7 make_y.py

Needs Python 2.7 and numpy (1.16.6 was used), because Python 3 pickles byte strings in another way. Under Python 3 it
checks instead that the files there hold the matrix: python3 make_y.py
"""
import os
import pickle
import sys

import numpy

HERE = os.path.dirname(os.path.abspath(__file__))
MATRIX = numpy.array([[11.5, numpy.nan, 12.0], [0.25, 13.0, numpy.nan]])

for name, order in [("small_y.pkl", "C"), ("small_y_fortran.pkl", "F")]:
    path = os.path.join(HERE, name)
    if sys.version_info[0] == 2:
        with open(path, "wb") as out:
            pickle.dump(numpy.array(MATRIX, order=order), out, protocol=2)
    else:
        with open(path, "rb") as written:
            found = pickle.load(written, encoding="latin1")
        assert found.flags["%s_CONTIGUOUS" % order], name
        numpy.testing.assert_array_equal(found, MATRIX)
