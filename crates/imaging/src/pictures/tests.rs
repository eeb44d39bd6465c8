//! Sets of pictures and how they are read.

use std::io::Write as _;

use super::*;
use crate::io::picture::write_png;

fn set() -> PictureSet {
    PictureSet {
        ids: vec!["a".into(), "b".into(), "c".into()],
        subjects: vec!["x".into(), "x".into(), "y".into()],
        pixels: (0..24).map(|value| value as f32).collect(),
        channels: 2,
        height: 2,
        width: 2,
        classes: vec!["no".into(), "yes".into()],
        labels: vec![0, 1, 1],
        part: Some(vec![Part::Train, Part::Test, Part::Train]),
    }
}

#[test]
fn pictures_are_taken_by_row() {
    let set = set();
    set.check().unwrap();
    assert_eq!(set.picture(1), [8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0]);
    let chosen = set.select(&[2, 0, 2]);
    chosen.check().unwrap();
    assert_eq!((chosen.ids.join(""), chosen.labels.clone()), ("cac".to_owned(), vec![1, 0, 1]));
    assert_eq!(chosen.picture(1), set.picture(0));
    assert_eq!(set.upstream().unwrap(), Split::new(vec![0, 2], vec![], vec![1]));
    assert_eq!(set.class_counts(&[0, 1, 2, 2]), [1, 3]);
}

#[test]
fn digests_are_those_of_the_standard() {
    // hashlib.sha256(b"abc")
    assert_eq!(hex(&Sha256::digest(b"abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let set = set();
    let mut copy = set.clone();
    copy.pixels.copy_within(0..8, 8);
    assert_eq!(copy.digest(0), copy.digest(1));
    assert_ne!(set.digest(0), set.digest(1));
    // Zero has one sign, and the shape counts.
    assert_eq!(digest([1, 1, 2], &[0.0, 1.0]), digest([1, 1, 2], &[-0.0, 1.0]));
    assert_ne!(digest([1, 1, 2], &[0.0, 1.0]), digest([1, 2, 1], &[0.0, 1.0]));
}

#[test]
fn sets_that_do_not_fit_together_are_refused() {
    let refused = |change: fn(&mut PictureSet)| {
        let mut set = set();
        change(&mut set);
        set.check().unwrap_err().to_string()
    };
    assert!(refused(|set| drop(set.subjects.pop())).starts_with("subjects: 2 values for 3 pictures"));
    assert!(refused(|set| set.pixels.truncate(23)).starts_with("pixels: 23 values for 3 pictures; each picture has 8"));
    assert!(refused(|set| set.part = Some(vec![])).starts_with("parts: 0 values"));
    assert_eq!(refused(|set| set.labels[2] = 2), "picture c has class 2, but there are 2, numbered from 0");
    assert!(refused(|set| set.pixels[9] = f32::NAN).starts_with("picture b has a pixel that is NaN"));
}

/// Writes an array as numpy does.
fn npy(shape: &str, values: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
    while !(header.len() + 11).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(values);
    bytes
}

fn npz(path: &std::path::Path, arrays: &[(&str, Vec<u8>)]) {
    let mut archive = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, bytes) in arrays {
        archive.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
}

#[test]
fn arrays_of_medmnist_are_read_by_part() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.npz");
    let colours: Vec<u8> = (0..24).collect();
    npz(
        &path,
        &[
            ("train_images", npy("(2, 2, 2, 3)", &colours)),
            ("train_labels", npy("(2, 1)", &[1, 0])),
            ("val_images", npy("(1, 2, 2, 3)", &colours[..12])),
            ("val_labels", npy("(1, 1)", &[2])),
        ],
    );
    let set = PictureSet::read(&path, &PictureOptions::default()).unwrap();
    assert_eq!((set.len(), set.channels, set.height, set.width), (3, 3, 2, 2));
    // Channels come one after the other.
    assert_eq!(set.picture(0), [0.0, 3.0, 6.0, 9.0, 1.0, 4.0, 7.0, 10.0, 2.0, 5.0, 8.0, 11.0]);
    assert_eq!(set.picture(2), set.picture(0));
    assert_eq!(set.ids, ["train 0", "train 1", "val 0"]);
    assert_eq!(set.classes, ["class 0", "class 1", "class 2"]);
    assert_eq!(set.upstream().unwrap(), Split::new(vec![0, 1], vec![2], vec![]));
    let grey = PictureOptions { channels: Some(1), size: Some([1, 1]), ..PictureOptions::default() };
    assert_eq!(PictureSet::read(&path, &grey).unwrap().pixels, [5.5, 17.5, 5.5]);

    let refused = |arrays: &[(&str, Vec<u8>)], options: &PictureOptions| {
        npz(&path, arrays);
        PictureSet::read(&path, options).unwrap_err().to_string()
    };
    let images = ("train_images", npy("(2, 2, 2, 3)", &colours));
    let plain = PictureOptions::default();
    assert!(refused(std::slice::from_ref(&images), &plain).ends_with("there are train_images but no train_labels"));
    let many = ("train_labels", npy("(2, 2)", &[0, 1, 1, 0]));
    assert!(refused(&[images.clone(), many], &plain).contains("train_labels has the shape [2, 2]"));
    assert!(refused(&[("images", npy("(2,)", &[1, 2]))], &plain).starts_with("no pictures in "));
    let labels = ("train_labels", npy("(2, 1)", &[0, 4]));
    let two = PictureOptions { classes: vec!["a".into(), "b".into()], ..PictureOptions::default() };
    assert_eq!(refused(&[images, labels], &two), "picture train 1 has class 4, but there are 2, numbered from 0");
}

#[test]
fn folders_are_classes_with_or_without_parts_above_them() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let grey = |path: &std::path::Path, value: u8| {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_png(path, 4, 2, 1, &[value; 8]).unwrap();
    };
    for (name, value) in [("train/no/10.png", 10), ("train/no/9.png", 9), ("train/yes/1.png", 1), ("val/yes/1.png", 7)]
    {
        grey(&root.join(name), value);
    }
    std::fs::write(root.join("train/no/notes.txt"), "not a picture").unwrap();
    let set = PictureSet::read(root, &PictureOptions::default()).unwrap();
    assert_eq!(set.ids, ["train/no/9.png", "train/no/10.png", "train/yes/1.png", "val/yes/1.png"]);
    assert_eq!((set.classes.clone(), set.labels.clone()), (vec!["no".to_owned(), "yes".to_owned()], vec![0, 0, 1, 1]));
    assert_eq!((set.height, set.width, set.picture(3)), (2, 4, &[7.0; 8][..]));
    assert_eq!(set.upstream().unwrap(), Split::new(vec![0, 1, 2], vec![3], vec![]));

    let below = PictureSet::read(&root.join("train"), &PictureOptions::default()).unwrap();
    assert_eq!((below.len(), &below.part), (3, &None));

    grey(&root.join("other/no/1.png"), 5);
    assert!(PictureSet::read(root, &PictureOptions::default()).unwrap_err().to_string().starts_with("no pictures in "));

    let table = root.join("set.csv");
    std::fs::write(&table, "subject,image,label,part\nann,train/no/9.png,healthy,train\nbob,val/yes/1.png,ill,test\n")
        .unwrap();
    let set = PictureSet::read(&table, &PictureOptions { channels: Some(3), ..PictureOptions::default() }).unwrap();
    assert_eq!((set.subjects.join(" "), set.classes.join(" ")), ("ann bob".to_owned(), "healthy ill".to_owned()));
    assert_eq!((set.channels, set.pixels.len(), set.part.clone()), (3, 48, Some(vec![Part::Train, Part::Test])));
    std::fs::write(&table, "image,label,part\ntrain/no/9.png,healthy,exam\n").unwrap();
    let error = PictureSet::read(&table, &PictureOptions::default()).unwrap_err().to_string();
    assert!(error.contains("line 2 has the part \"exam\""), "{error}");
    write_png(&root.join("odd.png"), 3, 3, 1, &[1; 9]).unwrap();
    std::fs::write(&table, "image,label\ntrain/no/9.png,a\nodd.png,b\n").unwrap();
    let error = PictureSet::read(&table, &PictureOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with("picture odd.png has 3 × 3 pixels in 1 channels, but the first has 2 × 4"), "{error}");
}

#[test]
fn resizing_keeps_means_and_straight_lines() {
    let ramp: Vec<f32> = (0..12 * 9).map(|place| (place % 12) as f32 + 2.0 * (place / 12) as f32).collect();
    let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
    for to in [[3, 4], [9, 5], [2, 12], [1, 1]] {
        let small = resized(&ramp, [9, 12], to);
        assert_eq!(small.len(), to[0] * to[1]);
        // Every pixel of the ramp is covered once; single precision of sums up to 30.
        assert!((mean(&small) - mean(&ramp)).abs() < 1e-4, "{to:?}");
    }
    // Between the outermost centres a ramp stays a ramp.
    let large = resized(&ramp, [9, 12], [18, 24]);
    let at = |row: usize, column: usize| {
        f32::midpoint(column as f32, 0.5) - 0.5 + 2.0 * (f32::midpoint(row as f32, 0.5) - 0.5)
    };
    for row in 1..17 {
        for column in 1..23 {
            assert!((large[row * 24 + column] - at(row, column)).abs() < 1e-5);
        }
    }
}
