"""Parts of an imaging pipeline as its users have them in Python today.

    python3 imaging.py prepare FOLDER                  writes series/ (DICOM, 384 slices) and volume.nii.gz, the same each time
    python3 imaging.py series-pydicom FOLDER/series --items N
    python3 imaging.py series-simpleitk FOLDER/series --items N
    python3 imaging.py nifti FOLDER/volume.nii.gz --items N
    python3 imaging.py augment --size S --patch P --items N
    python3 imaging.py window --size S --patch P

Needs numpy, pydicom, SimpleITK, nibabel, monai, torch.
"""

import argparse
import json
import os
import resource
import time

import numpy as np

SLICES, EDGE = 384, 320


def prepare(folder):
    import nibabel
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

    series = os.path.join(folder, "series")
    done = os.path.join(folder, "volume.nii.gz")
    if os.path.exists(done):
        return {"seconds": 0.0, "items": 0}
    os.makedirs(series, exist_ok=True)
    draw = np.random.default_rng(1)
    volume = draw.integers(0, 2000, (SLICES, EDGE, EDGE), dtype=np.int16)
    # smooth along the rows, so that it compresses as scans do
    volume = ((volume + np.roll(volume, 1, 2) + np.roll(volume, 2, 2) + np.roll(volume, 3, 2)) // 4).astype(np.int16)
    order = draw.permutation(SLICES)
    for name, place in enumerate(order):
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = MRImageStorage
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = f"2.25.1{place + 1:04}"
        data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = "2.25.2", "2.25.3", "2.25.4"
        data.PatientID, data.PatientName, data.Modality = "bench", "bench", "MR"
        data.ImageType = ["ORIGINAL", "PRIMARY", "M"]
        data.Rows = data.Columns = EDGE
        data.PixelSpacing, data.SliceThickness = [0.75, 0.75], 0.5
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.ImagePositionPatient = [0, 0, float(place) * 0.5]
        data.InstanceNumber = int(place) + 1
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation = 15, 1
        data.PixelData = volume[place].tobytes()
        data.save_as(os.path.join(series, f"{name:04}.dcm"), enforce_file_format=True)
    nibabel.save(nibabel.Nifti1Image(volume.T, np.diag([0.75, 0.75, 0.5, 1.0])), done)
    return {"seconds": 0.0, "items": SLICES}


def series_pydicom(folder, rounds):
    import pydicom

    total = 0.0
    began = time.perf_counter()
    for _ in range(rounds):
        files = [pydicom.dcmread(entry.path) for entry in os.scandir(folder)]
        across = np.cross(*np.reshape(np.asarray(files[0].ImageOrientationPatient, float), (2, 3)))
        files.sort(key=lambda file: float(np.dot(np.asarray(file.ImagePositionPatient, float), across)))
        volume = np.stack([file.pixel_array for file in files]).astype(np.float32)
        total += float(volume.sum(dtype=np.float64))
    return {"seconds": time.perf_counter() - began, "items": rounds, "value": total / rounds, "version": f"pydicom {pydicom.__version__}"}


def series_simpleitk(folder, rounds):
    import SimpleITK

    total = 0.0
    began = time.perf_counter()
    for _ in range(rounds):
        reader = SimpleITK.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(folder))
        volume = SimpleITK.GetArrayFromImage(SimpleITK.Cast(reader.Execute(), SimpleITK.sitkFloat32))
        total += float(volume.sum(dtype=np.float64))
    version = SimpleITK.Version.VersionString()
    return {"seconds": time.perf_counter() - began, "items": rounds, "value": total / rounds, "version": f"SimpleITK {version}"}


def nifti(path, rounds):
    import nibabel

    total = 0.0
    began = time.perf_counter()
    for _ in range(rounds):
        total += float(nibabel.load(path).get_fdata(dtype=np.float32).sum(dtype=np.float64))
    return {"seconds": time.perf_counter() - began, "items": rounds, "value": total / rounds, "version": f"nibabel {nibabel.__version__}"}


def ball(size):
    draw = np.random.default_rng(1)
    at = np.indices((size,) * 3) - size / 2
    image = draw.random((1, size, size, size), dtype=np.float32)
    return image, (np.sum(at * at, 0) < (size / 4) ** 2).astype(np.uint8)[None]


def augment(size, patch, items):
    import monai
    import torch
    from monai import transforms as t

    monai.utils.set_determinism(1)
    image, label = (torch.from_numpy(array) for array in ball(size))
    both = {"keys": ["image", "label"]}
    # the steps of nnU-Net with their probabilities, which our default has too
    steps = t.Compose([
        t.RandCropByPosNegLabeld(**both, label_key="label", spatial_size=(patch,) * 3, pos=1, neg=2, num_samples=1),
        t.RandAffined(**both, prob=0.36, rotate_range=(0.52,) * 3, scale_range=(0.3,) * 3, mode=("bilinear", "nearest"), padding_mode="zeros"),
        t.RandGaussianNoised(keys="image", prob=0.1, std=0.1),
        t.RandGaussianSmoothd(keys="image", prob=0.2),
        t.RandScaleIntensityd(keys="image", prob=0.15, factors=0.25),
        t.RandAdjustContrastd(keys="image", prob=0.3, gamma=(0.7, 1.5)),
        *[t.RandFlipd(**both, prob=0.5, spatial_axis=axis) for axis in range(3)],
    ])
    total = 0.0
    began = time.perf_counter()
    for _ in range(items):
        total += float(steps({"image": image, "label": label})[0]["image"].sum())
    return {"seconds": time.perf_counter() - began, "items": items, "version": f"monai {monai.__version__}, torch {torch.__version__}"}


def window(size, patch):
    import monai
    import torch
    from monai.inferers import sliding_window_inference
    from monai.networks.nets import DynUNet

    torch.manual_seed(1)
    image = torch.from_numpy(ball(size)[0])[None]
    # the network of our side: two convolutions of width 3 with instance norm at each of four levels from 16 channels on
    network = DynUNet(3, 1, 3, [3] * 4, [1, 2, 2, 2], [2] * 3, filters=[16, 32, 64, 128], norm_name="instance").eval()
    began = time.perf_counter()
    with torch.no_grad():
        found = sliding_window_inference(image, (patch,) * 3, 1, network, overlap=0.5, mode="gaussian").argmax(1)
    seconds = time.perf_counter() - began
    assert found.shape[-1] == size
    steps = (size - patch + patch // 2 - 1) // (patch // 2) + 1
    return {"seconds": seconds, "items": steps**3, "version": f"monai {monai.__version__}, torch {torch.__version__}"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part")
    parser.add_argument("paths", nargs="*")
    parser.add_argument("--items", type=int, default=1)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--patch", type=int, default=64)
    args = parser.parse_args()
    found = {
        "prepare": lambda: prepare(*args.paths),
        "series-pydicom": lambda: series_pydicom(*args.paths, args.items),
        "series-simpleitk": lambda: series_simpleitk(*args.paths, args.items),
        "nifti": lambda: nifti(*args.paths, args.items),
        "augment": lambda: augment(args.size, args.patch, args.items),
        "window": lambda: window(args.size, args.patch),
    }[args.part]()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"name": args.part, "peak_mb": peak, "device": "cpu", **found}))


if __name__ == "__main__":
    main()
