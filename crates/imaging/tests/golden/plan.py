"""Plans of nnU-Net 2.8.1 itself, with arrays in the order i, j, k: writes plan.json.

Needs nnunetv2, dynamic-network-architectures, batchgenerators, acvl-utils and torch."""

import json
import pathlib

import numpy as np
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
from nnunetv2.preprocessing.resampling.default_resampling import compute_new_shape

rng = np.random.default_rng(2)


def planned(name, sizes, spacings, labels, gigabytes=8.0, two=False):
    planner = object.__new__(ExperimentPlanner)
    planner.anisotropy_threshold = 3
    planner.UNet_base_num_features = 32
    from dynamic_network_architectures.architectures.unet import PlainConvUNet

    planner.UNet_class = PlainConvUNet
    planner.UNet_reference_val_3d, planner.UNet_reference_val_2d = 560000000, 85000000
    planner.UNet_reference_val_corresp_GB = 8
    planner.UNet_reference_val_corresp_bs_2d, planner.UNet_reference_val_corresp_bs_3d = 12, 2
    planner.UNet_featuremap_min_edge_length = 4
    planner.UNet_blocks_per_stage_encoder = (2,) * 14
    planner.UNet_blocks_per_stage_decoder = (2,) * 13
    planner.UNet_min_batch_size = 2
    planner.UNet_max_features_2d, planner.UNet_max_features_3d = 512, 320
    planner.max_dataset_covered = 0.05
    planner.UNet_vram_target_GB = gigabytes
    planner.overwrite_target_spacing = None
    planner.preprocessor_name = ""
    planner.dataset_json = {"channel_names": {"0": "MRI"}, "labels": {str(i): i for i in range(labels)}, "numTraining": len(sizes)}
    planner.dataset_fingerprint = {
        "spacings": spacings,
        "shapes_after_crop": sizes,
        "median_relative_size_after_cropping": 1.0,
    }
    spacing = planner.determine_fullres_target_spacing()
    median = np.median([compute_new_shape(size, mm, spacing) for size, mm in zip(sizes, spacings)], 0)
    voxels = float(np.prod(median)) * len(sizes)
    dims = 2 if two else 3
    plan = planner.get_plans_for_configuration(spacing[:dims], median[:dims], "", voxels, {})
    network = plan["architecture"]["arch_kwargs"]
    return {
        "name": name,
        "sizes": [list(map(int, size)) for size in sizes],
        "spacings": [list(map(float, mm)) for mm in spacings],
        "labels": labels,
        "memory_gb": gigabytes,
        "dims": dims,
        "spacing": [float(mm) for mm in spacing],
        "median_size": [float(edge) for edge in median],
        "patch": [int(edge) for edge in plan["patch_size"]],
        "batch": int(plan["batch_size"]),
        "features": [int(width) for width in network["features_per_stage"]],
        "strides": [list(map(int, stride)) for stride in network["strides"]],
        "kernels": [list(map(int, kernel)) for kernel in network["kernel_sizes"]],
    }


def sizes(low, high, count):
    return rng.integers(low, np.array(high) + 1, (count, 3)).tolist()


hippocampus = sizes([31, 40, 24], [43, 59, 47], 199)
thorax = sizes([480, 480, 90], [512, 512, 140], 12)
thorax_mm = [[0.7 + 0.02 * n, 0.7 + 0.02 * n, 2.5] for n in range(12)]
heart = sizes([200, 220, 8], [260, 280, 12], 15)
heart_mm = [[1.5, 1.5, float(rng.choice([5.0, 8.0, 10.0]))] for _ in heart]
golden = [
    planned("hippocampus", hippocampus, [[1.0, 1.0, 1.0]] * len(hippocampus), 3),
    planned("hippocampus, 1 GB", hippocampus, [[1.0, 1.0, 1.0]] * len(hippocampus), 3, 1.0),
    planned("hippocampus, slices", hippocampus, [[1.0, 1.0, 1.0]] * len(hippocampus), 3, 8.0, True),
    planned("thorax", thorax, thorax_mm, 4),
    planned("thorax, slices", thorax, thorax_mm, 4, 8.0, True),
    planned("heart", heart, heart_mm, 4),
    planned("heart, 2 GB", heart, heart_mm, 4, 2.0),
]
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(golden) + "\n")
