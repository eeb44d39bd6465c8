//! Parametric maps and captures: against dciodvfy, and read back.

use imaging::io::dicom::capture::{Capture, write_capture};
use imaging::io::dicom::parametric::{MapMeta, write_parametric};
use imaging::io::dicom::{PixelOptions, open};
use imaging::volume::{Source, Volume};

use crate::seg::{AFFINE, check, example, options};

#[test]
fn a_parametric_map_holds_the_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let (volume, _) = example(folder.path(), [7, 5, 8]);
    let voxels = (0..volume.geometry.len()).map(|at| at as f32 / 300.0 - 0.125).collect();
    let map = Volume::new(voxels, volume.geometry.clone()).unwrap();
    for source in [&volume.source, &Source::default()] {
        let path = folder.path().join("out.dcm");
        write_parametric(&path, &map, source, &MapMeta::default(), &options()).unwrap();
        check(&path, "ParametricMap");
        let file = open(&path).unwrap();
        assert_eq!(file.header().frames, 8);
        for k in 0..8 {
            let frame = file.frame(k, &PixelOptions::default()).unwrap();
            assert_eq!(frame.pixels, map.slice(k));
            let position = file.header().frame(k).position.unwrap();
            for (a, b) in position.into_iter().zip(map.geometry.point([0.0, 0.0, k as f64])) {
                assert!((a - b).abs() <= AFFINE, "{a} {b}");
            }
        }
    }
    let mut broken = map.clone();
    broken.voxels[17] = f32::NAN;
    let path = folder.path().join("broken.dcm");
    assert!(write_parametric(&path, &broken, &Source::default(), &MapMeta::default(), &options()).is_err());
}

#[test]
fn captures_hold_their_colours() {
    let folder = tempfile::tempdir().unwrap();
    let (volume, map) = example(folder.path(), [7, 5, 8]);
    let colours = [[230, 60, 50], [60, 160, 230]];
    let pictures: Vec<Capture> =
        (0..8).map(|k| Capture::overlay(&volume, &map, k, [0.0, 200.0], &colours, 0.4)).collect();
    let path = folder.path().join("out.dcm");
    for (pictures, class) in [(&pictures[2..3], "SCImage"), (&pictures[..], "MultiframeTrueColorSCImage")] {
        write_capture(&path, pictures, &volume.source, &options()).unwrap();
        check(&path, class);
        let file = open(&path).unwrap();
        assert_eq!(file.header().frames, pictures.len());
        for (index, picture) in pictures.iter().enumerate() {
            let stored = file.stored(index).unwrap().map(|value| value as u8);
            assert_eq!(stored, picture.rgb);
        }
    }
    write_capture(&path, &pictures[..1], &Source::default(), &options()).unwrap();
    check(&path, "SCImage");
    let mut other = pictures.clone();
    other[3].columns = 6;
    assert!(write_capture(&path, &other, &volume.source, &options()).is_err());
    assert!(write_capture(&path, &[], &volume.source, &options()).is_err());
}
