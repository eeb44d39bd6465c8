//! Segmentations: against dciodvfy and highdicom, on files of highdicom and dcmqi.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use imaging::geometry::Geometry;
use imaging::io::dicom::seg::{
    OutputOptions, SegmentMeta, Segmentation, SegmentationKind, read_seg, segmentation, write_fractional_seg, write_seg,
};
use imaging::io::dicom::series::{SeriesOptions, SeriesTags, scan, write_series};
use imaging::io::dicom::{DicomError, from_bytes, open};
use imaging::volume::{LabelMap, Modality, Source, Volume};
use ruzstd::decoding::StreamingDecoder;
use serde_json::{Value, json};

use crate::data;

const GOLDEN: &str = include_str!("../golden/seg.json");
const BINARY: &[u8] = include_bytes!("../golden/seg_binary.dcm");
const FRACTIONAL: &[u8] = include_bytes!("../golden/seg_fractional.dcm");
const LABELMAP: &[u8] = include_bytes!("../golden/seg_labelmap.dcm");

/// Round trips keep the affine to this; decimals of 16 characters keep 1e-9 of these coordinates.
pub(crate) const AFFINE: f64 = 1e-5;

/// Reads our file with highdicom, by the instances that it refers to.
const HIGHDICOM: &str = "
import json, sys
import highdicom, numpy
want = json.load(open(sys.argv[2]))
seg = highdicom.seg.segread(sys.argv[1])
got = seg.get_pixels_by_source_instance(
    source_sop_instance_uids=want['instances'], combine_segments=True, assert_missing_frames_are_empty=True)
assert (got.ravel() == numpy.array(want['labels'])).all()
labels = [seg.get_segment_description(n).segment_label for n in seg.segment_numbers]
assert labels == want['names'], labels
print('same')
";

pub(crate) fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    let output = Command::new(program).args(arguments).output().ok();
    if output.is_none() {
        let _ = writeln!(std::io::stderr(), "ignored: needs {program} on the PATH");
    }
    output
}

/// Whether dciodvfy finds no error in an object that it takes for a `class`; also where there is no dciodvfy.
pub(crate) fn check(path: &Path, class: &str) {
    let Some(output) = run("dciodvfy", &[path.to_str().unwrap()]) else { return };
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(class) && !text.contains("Error"), "{class}: {text}");
}

fn oblique(size: [usize; 3]) -> Geometry {
    let (sin, cos) = 0.35_f64.sin_cos();
    let direction = [[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]];
    Geometry::new(size, [0.7, 0.9, 2.5], [-61.37, 17.251, -104.4], direction).unwrap()
}

/// A series on disk, read again, and labels on its grid: two balls, one of which touches the edge.
pub(crate) fn example(folder: &Path, size: [usize; 3]) -> (Volume, LabelMap) {
    let geometry = oblique(size);
    let mut volume = Volume::new((0..geometry.len()).map(|at| (at % 201) as f32).collect(), geometry).unwrap();
    volume.modality = Modality::Ct;
    write_series(&folder.join("series"), &volume, &SeriesTags::new("P7", "phantom", "seg")).unwrap();
    let series = scan(&folder.join("series")).unwrap();
    assert_eq!(series.len(), 1);
    let (mut volumes, _) = series[0].read(&SeriesOptions::default()).unwrap();
    let volume = volumes.pop().unwrap();
    assert_eq!(volume.source.slices.len(), size[2]);
    let mut labels = vec![0; volume.geometry.len()];
    for (label, centre, radius) in [(1_u8, [1.0, 2.0, 2.0], 2.3), (2, [4.0, 3.0, 4.0], 1.8)] {
        for k in 0..size[2] {
            for j in 0..size[1] {
                for i in 0..size[0] {
                    let from = [i as f64 - centre[0], j as f64 - centre[1], k as f64 - centre[2]];
                    if from.iter().map(|x| x * x).sum::<f64>() <= radius * radius {
                        labels[volume.geometry.offset(i, j, k)] = label;
                    }
                }
            }
        }
    }
    let names = ["background", "left hippocampus", "lesion"].map(str::to_owned).to_vec();
    let map = LabelMap::new(labels, volume.geometry.clone(), names).unwrap();
    (volume, map)
}

pub(crate) fn options() -> OutputOptions {
    OutputOptions { created: Some("20260102030405".to_owned()), ..OutputOptions::default() }
}

fn assert_near(ours: &Geometry, theirs: &Geometry) {
    for (a, b) in ours.affine().iter().flatten().zip(theirs.affine().iter().flatten()) {
        assert!((a - b).abs() <= AFFINE, "{ours:?} {theirs:?}");
    }
}

#[test]
fn a_label_map_comes_back_on_the_right_slices() {
    let folder = tempfile::tempdir().unwrap();
    // 35 pixels a frame: the second begins within a byte
    let (volume, map) = example(folder.path(), [7, 5, 8]);
    let path = folder.path().join("out.dcm");
    let written = write_seg(&path, &map, &volume.source, &[], &options()).unwrap();
    let seg = read_seg(&path).unwrap();
    assert_eq!((seg.kind, seg.frames.len()), (SegmentationKind::Binary, written.frames));
    assert_eq!(seg.segments[0].name, "left hippocampus");
    assert_eq!(seg.segments[0].kind.as_ref().unwrap().value, "5366008");
    assert_eq!(seg.segments[1].category.as_ref().unwrap().meaning, "Morphologically Abnormal Structure");
    assert_eq!(seg.segments[0].colour, SegmentMeta::named("left hippocampus", 1).colour);
    assert_eq!(seg.frame_of_reference, volume.source.frame_of_reference);
    // the empty slices at the top are left out, and known again on the grid of the images
    assert!(seg.geometry.size[2] < 8);
    let seg = seg.on_grid(&map.geometry).unwrap();
    for frame in &seg.frames {
        let (instance, number) = frame.source.clone().unwrap();
        assert_eq!((instance, number), (volume.source.slices[frame.slice].instance.clone(), None));
    }
    let (back, shared) = seg.label_map().unwrap();
    assert_eq!((back, shared), (map.clone(), 0));
    let header = open(&path).unwrap();
    let header = header.header();
    assert_eq!((header.patient.as_deref(), header.study.clone()), (Some("P7"), volume.source.study.clone()));
    check(&path, "Segmentation");
    // the same content gives the same bytes, another moment another object
    let again = folder.path().join("again.dcm");
    write_seg(&again, &map, &volume.source, &[], &options()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), fs::read(&again).unwrap());
    let later = OutputOptions { created: Some("20260102030406".to_owned()), ..options() };
    assert_ne!(write_seg(&again, &map, &volume.source, &[], &later).unwrap().instance, written.instance);
}

#[test]
fn the_grid_survives_to_its_last_digits() {
    let folder = tempfile::tempdir().unwrap();
    let (volume, mut map) = example(folder.path(), [7, 5, 8]);
    map.labels.fill(1);
    let path = folder.path().join("out.dcm");
    write_seg(&path, &map, &Source::default(), &[], &options()).unwrap();
    assert_near(&read_seg(&path).unwrap().geometry, &volume.geometry);
    check(&path, "Segmentation");
}

#[test]
fn highdicom_reads_the_labels_by_their_source_images() {
    let folder = tempfile::tempdir().unwrap();
    let (volume, map) = example(folder.path(), [7, 5, 8]);
    let path = folder.path().join("out.dcm");
    write_seg(&path, &map, &volume.source, &[], &options()).unwrap();
    let instances: Vec<&str> = volume.source.slices.iter().map(|slice| slice.instance.as_str()).collect();
    let want = folder.path().join("want.json");
    let expected = json!({ "instances": instances, "labels": map.labels, "names": map.names[1..] });
    fs::write(&want, expected.to_string()).unwrap();
    let known = run("python3", &["-c", "import highdicom"]).is_some_and(|output| output.status.success());
    if !known {
        let _ = writeln!(std::io::stderr(), "ignored: needs highdicom for the python3 on the PATH");
        return;
    }
    let arguments = ["-c", HIGHDICOM, path.to_str().unwrap(), want.to_str().unwrap()];
    let output = run("python3", &arguments).unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("same"), "{text}");
}

fn golden(bytes: &[u8]) -> (Segmentation, Geometry, Value) {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let part = |name: &str| golden[name].clone();
    let grid = Geometry::new(
        serde_json::from_value(part("size")).unwrap(),
        serde_json::from_value(part("spacing")).unwrap(),
        serde_json::from_value(part("origin")).unwrap(),
        serde_json::from_value(part("direction")).unwrap(),
    );
    let file = from_bytes(Path::new("golden"), bytes.to_vec()).unwrap();
    (segmentation(&file).unwrap(), grid.unwrap(), golden)
}

#[test]
fn highdicom_s_own_files_hold_what_it_wrote() {
    for (bytes, kind) in [(BINARY, SegmentationKind::Binary), (LABELMAP, SegmentationKind::LabelMap)] {
        let (seg, grid, golden) = golden(bytes);
        assert_eq!(seg.kind, kind);
        let seg = seg.on_grid(&grid).unwrap();
        let (map, shared) = seg.label_map().unwrap();
        assert_eq!(map.names, ["background", "liver", "spleen"]);
        assert_eq!(shared, 0);
        let expected: Vec<u8> = serde_json::from_value(golden["labels"].clone()).unwrap();
        assert_eq!(map.labels, expected);
        for frame in &seg.frames {
            let (instance, _) = frame.source.as_ref().unwrap();
            assert_eq!(golden["instances"][frame.slice], instance.as_str());
        }
        let colours: Vec<[u8; 3]> = seg.segments.iter().filter_map(|segment| segment.colour).collect();
        for (found, expected) in colours.iter().flatten().zip([230_u8, 60, 50, 60, 160, 230]) {
            assert!(found.abs_diff(expected) <= 1, "{colours:?}");
        }
    }
    let (seg, grid, golden) = golden(FRACTIONAL);
    assert_eq!((seg.kind, seg.maximum), (SegmentationKind::Probability, 255));
    let seg = seg.on_grid(&grid).unwrap();
    for number in [1_u16, 2] {
        let expected: Vec<f32> = serde_json::from_value(golden["fractions"][usize::from(number) - 1].clone()).unwrap();
        let found = seg.fraction(number);
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found * 255.0 - expected).abs() < 1e-3, "{found} {expected}");
        }
    }
}

fn unpacked(relative: &str, folder: &Path) -> Option<PathBuf> {
    let packed = fs::read(data::path(relative)?).unwrap();
    let mut bytes = Vec::new();
    StreamingDecoder::new(packed.as_slice()).unwrap().read_to_end(&mut bytes).unwrap();
    let path = folder.join("unpacked.dcm");
    fs::write(&path, bytes).unwrap();
    Some(path)
}

#[test]
fn dcmqi_s_files_have_their_voxels() {
    let folder = tempfile::tempdir().unwrap();
    // pydicom: sums of pixel_array, frame by frame
    let known: [(&str, &[usize]); 4] = [
        ("23x38x3/seg/label.seg.zst", &[4, 314, 4]),
        ("24x38x3/seg/label.seg.zst", &[0, 315, 0]),
        ("liver.dcm.zst", &[36_233, 35_645, 35_220]),
        ("partial_overlaps.dcm.zst", &[9602, 11_888, 117, 117, 10_509, 6693, 4713]),
    ];
    for (name, sums) in known {
        let relative = format!("dicom_conformance/data/dcmqi/segmentations/{name}");
        let Some(path) = unpacked(&relative, folder.path()) else { return };
        let seg = read_seg(&path).unwrap();
        let found: Vec<usize> =
            seg.frames.iter().map(|frame| frame.values.iter().map(|&value| usize::from(value)).sum()).collect();
        assert_eq!(found, sums, "{name}");
        assert_eq!(seg.geometry.size[2], 3, "{name}");
        let (map, shared) = seg.label_map().unwrap();
        assert_eq!(shared > 0, name.starts_with("partial"), "{name}");
        let claimed: usize = sums.iter().sum();
        assert!(map.labels.iter().filter(|&&label| label > 0).count() <= claimed);
    }
}

#[test]
fn frames_of_one_multi_frame_image_are_referred_to_by_number() {
    let folder = tempfile::tempdir().unwrap();
    let relative = "dicom_conformance/data/dcmqi/segmentations/23x38x3/multiframe/mf.dcm.zst";
    let Some(path) = unpacked(relative, folder.path()) else { return };
    let series = scan(&path).unwrap();
    let (volumes, _) = series[0].read(&SeriesOptions::default()).unwrap();
    let volume = &volumes[0];
    let labels = vec![1; volume.geometry.len()];
    let map = LabelMap::with_default_names(labels, volume.geometry.clone()).unwrap();
    let out = folder.path().join("out.dcm");
    write_seg(&out, &map, &volume.source, &[], &options()).unwrap();
    let seg = read_seg(&out).unwrap().on_grid(&map.geometry).unwrap();
    for frame in &seg.frames {
        let slice = &volume.source.slices[frame.slice];
        assert_eq!(frame.source, Some((slice.instance.clone(), Some(slice.frame + 1))));
    }
    check(&out, "Segmentation");
}

#[test]
fn probabilities_come_back_within_half_a_step() {
    let folder = tempfile::tempdir().unwrap();
    let (volume, _) = example(folder.path(), [7, 5, 8]);
    let map = |shift: usize| {
        let voxels = (0..volume.geometry.len()).map(|at| if at < 70 { 0.0 } else { ((at + shift) % 97) as f32 / 96.0 });
        Volume::new(voxels.collect(), volume.geometry.clone()).unwrap()
    };
    let maps = [map(0), map(31)];
    let segments = [SegmentMeta::named("liver", 1), SegmentMeta::named("spleen", 2)];
    let path = folder.path().join("out.dcm");
    let written = write_fractional_seg(&path, &maps, &volume.source, &segments, &options()).unwrap();
    // the first two slices are empty
    assert_eq!(written.frames, 12);
    let seg = read_seg(&path).unwrap().on_grid(&volume.geometry).unwrap();
    for (index, map) in maps.iter().enumerate() {
        for (found, expected) in seg.fraction(index as u16 + 1).iter().zip(&map.voxels) {
            assert!((found - expected).abs() <= 0.5 / 255.0 + 1e-6, "{found} {expected}");
        }
    }
    check(&path, "Segmentation");
    let wrong = Volume::new(vec![1.5; volume.geometry.len()], volume.geometry.clone()).unwrap();
    let error = write_fractional_seg(&path, &[wrong], &volume.source, &segments[..1], &options()).unwrap_err();
    assert!(error.to_string().contains("has the probability 1.5 on slice 1"), "{error}");
}

#[test]
fn nothing_found_is_an_object_too() {
    let folder = tempfile::tempdir().unwrap();
    let (volume, mut map) = example(folder.path(), [7, 5, 8]);
    map.labels.fill(0);
    let path = folder.path().join("out.dcm");
    assert_eq!(write_seg(&path, &map, &volume.source, &[], &options()).unwrap().frames, 1);
    let seg = read_seg(&path).unwrap().on_grid(&map.geometry).unwrap();
    assert_eq!(seg.label_map().unwrap().0, map);
    check(&path, "Segmentation");
}

#[test]
fn what_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (volume, map) = example(folder.path(), [7, 5, 8]);
    let path = folder.path().join("out.dcm");
    let refused = |map: &LabelMap, source: &Source, segments: &[SegmentMeta], options: &OutputOptions| {
        let error = write_seg(&path, map, source, segments, options).unwrap_err();
        assert!(!path.exists());
        error.to_string()
    };
    let mut source = volume.source.clone();
    source.slices.pop();
    let error = refused(&map, &source, &[], &options());
    assert!(error.contains("it has 8 slices, its source 7"), "{error}");
    let mut source = volume.source.clone();
    source.slices[3].instance = "1.2.3".to_owned();
    let error = refused(&map, &source, &[], &options());
    assert!(error.contains("but was 1.2.3 when the volume was read"), "{error}");
    let error = refused(&map, &volume.source, &[SegmentMeta::named("a", 1)], &options());
    assert!(error.contains("1 segments are described, but 2 labels have names"), "{error}");
    let never = OutputOptions { created: Some("yesterday".to_owned()), ..options() };
    assert!(refused(&map, &volume.source, &[], &never).contains("YYYYMMDDHHMMSS"));
    let image = read_seg(&volume.source.slices[0].path).unwrap_err();
    assert!(matches!(image, DicomError::Attribute { .. }) && image.to_string().contains("no segmentation"), "{image}");
    // the frames do not stand on this grid
    write_seg(&path, &map, &volume.source, &[], &options()).unwrap();
    let mut moved = map.geometry.clone();
    moved.origin[0] += 3.0;
    assert!(read_seg(&path).unwrap().on_grid(&moved).is_err());
}

#[test]
fn damaged_segmentations_are_refused_or_read_but_never_panic() {
    let mut read = 0;
    for bytes in data::damaged(BINARY).step_by(7) {
        let Ok(file) = from_bytes(Path::new("damaged"), bytes) else { continue };
        if let Ok(seg) = segmentation(&file) {
            let _ = seg.label_map();
            read += 1;
        }
    }
    // a bit of a name or a pixel does no harm
    assert!(read > 0);
}
