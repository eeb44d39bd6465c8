"""A random volume on other grids by SimpleITK, along its axes and turned against them. Writes resample.json."""

import json

import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from scipy.spatial.transform import Rotation

rng = np.random.default_rng(7)
size = [7, 6, 5]
voxels = ndimage.gaussian_filter(rng.normal(0, 100, size[::-1]), 0.7).astype(np.float32)
labels = rng.integers(0, 4, size[::-1]).astype(np.uint8)


def image(array, spacing, origin, matrix):
    """`matrix` has the direction of each index as a column, as ITK has it; points are LPS."""
    made = sitk.GetImageFromArray(array)
    made.SetSpacing(spacing)
    made.SetOrigin(origin)
    made.SetDirection(np.asarray(matrix).ravel().tolist())
    return made


spacing, origin = [0.9, 1.1, 2.5], [-12.5, 30.25, 4.0]
matrix = Rotation.from_euler("xyz", [0.2, -0.1, 0.35]).as_matrix()
source, source_labels = (image(array, spacing, origin, matrix) for array in (voxels, labels))
middle = np.array(source.TransformContinuousIndexToPhysicalPoint([3.0, 2.5, 2.0]))
turn = Rotation.from_euler("xyz", [-0.15, 0.3, 0.1]).as_matrix()
# Shifts are odd so that no place is half way between two voxels, where the nearest is a matter of rounding.
grids = {
    "finer": ([11, 9, 12], [0.57, 0.73, 0.97], matrix),
    "coarser": ([4, 3, 4], [1.71, 2.03, 2.9], matrix),
    "turned": ([9, 8, 7], [0.83, 0.91, 1.37], turn),
    "beyond": ([6, 6, 6], [2.3, 2.1, 3.7], turn),
}
cases = []
for name, (count, steps, axes) in grids.items():
    half = axes @ (np.array(steps) * (np.array(count) - 1) / 2 + [0.013, -0.021, 0.017])
    first = (middle - half).tolist()
    grid = image(np.zeros(count[::-1], np.float32), steps, first, axes)
    low = float(voxels.min())

    def on_grid(what, order, default):
        return sitk.GetArrayFromImage(sitk.Resample(what, grid, sitk.Transform(), order, default)).ravel().tolist()

    # ITK's spline follows the mirrored values, as ours; beyond the outermost voxels scipy's and ITK's differ in nothing.
    cases.append({
        "name": name, "size": count, "spacing": steps, "origin": first, "direction": np.asarray(axes).T.tolist(),
        "linear": on_grid(source, sitk.sitkLinear, low),
        "cubic": on_grid(source, sitk.sitkBSpline, low),
        "labels": on_grid(source_labels, sitk.sitkNearestNeighbor, 0),
    })
json.dump({
    "size": size, "spacing": spacing, "origin": origin, "direction": matrix.T.tolist(),
    "voxels": voxels.ravel().tolist(), "labels": labels.ravel().tolist(), "cases": cases,
}, open("resample.json", "w"))
