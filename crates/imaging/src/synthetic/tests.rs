//! Generated images keep what they promise.

use super::*;

#[test]
fn volumes_are_those_of_the_radii() {
    // Fine voxels: the organ measures about eighteen of them from its centre to its edge, the nodule about ten.
    let config =
        PhantomConfig { size: [96, 96, 96], spacing: [0.625; 3], nodules: 1, vessels: 0, ..PhantomConfig::default() };
    let made = phantom(&config, 3).unwrap();
    let map = made.case.label.as_ref().unwrap();
    for label in [1_u8, 2] {
        let (found, expected) = (map.volume_mm3(label), made.volumes_mm3[usize::from(label)]);
        assert!((found / expected - 1.0).abs() < if label == 1 { 0.005 } else { 0.01 }, "{label}: {found} {expected}");
    }
    assert_eq!(made.volumes_mm3.len(), map.names.len());
    assert_eq!(made.volumes_mm3[0], 0.0);
}

#[test]
fn structures_are_where_the_truth_says_and_look_so() {
    let config = PhantomConfig { noise: 0.0, bias: 0.0, vessels: 1, ..PhantomConfig::default() };
    for index in 0..4 {
        let made = phantom(&config, index).unwrap();
        let (volume, map) = (&made.case.channels[0], made.case.label.as_ref().unwrap());
        assert!((2..=4).contains(&made.structures.len()), "an organ and one to three nodules");
        for structure in &made.structures {
            let centre = volume.geometry.voxel(structure.centre).map(|place| place.round() as usize);
            let offset = volume.geometry.offset(centre[0], centre[1], centre[2]);
            assert_eq!(map.labels[offset], structure.label);
            assert_eq!(f64::from(volume.voxels[offset]), GREY[1 + usize::from(structure.label)]);
        }
        // The vessel is as bright as a nodule and is not labelled.
        let bright =
            volume.voxels.iter().zip(&map.labels).filter(|(grey, label)| **grey > 170.0 && **label == 0).count();
        assert!(bright > 20, "{bright}");
    }
}

#[test]
fn each_number_is_another_phantom_and_the_same_every_time() {
    let config = PhantomConfig { size: [20, 20, 20], spacing: [2.0; 3], ..PhantomConfig::default() };
    let made = phantoms(&config, 3).unwrap();
    assert_eq!(made, phantoms(&config, 3).unwrap());
    assert!(made[0] != made[1] && made[1] != made[2]);
    let other = phantom(&PhantomConfig { seed: 2, ..config.clone() }, 0).unwrap();
    assert_ne!(other.structures, made[0].structures);
    // Noise has the standard deviation that was asked for: air is even but for the bias, here none.
    let noisy = phantom(&PhantomConfig { bias: 0.0, ..config.clone() }, 0).unwrap();
    let clean = phantom(&PhantomConfig { bias: 0.0, noise: 0.0, ..config }, 0).unwrap();
    let difference = |(a, b): (&f32, &f32)| f64::from(a - b).powi(2);
    let sum: f64 = noisy.case.channels[0].voxels.iter().zip(&clean.case.channels[0].voxels).map(difference).sum();
    // 8000 draws: the standard error of the deviation is 0.8 %.
    assert!(((sum / 8000.0).sqrt() / 12.0 - 1.0).abs() < 0.03, "{}", (sum / 8000.0).sqrt());
}

#[test]
fn discs_and_rings_are_equally_bright() {
    let set =
        pictures(&PicturesConfig { subjects: 400, per_subject: 2, noise: 0.0, ..PicturesConfig::default() }).unwrap();
    set.check().unwrap();
    assert_eq!(set.len(), 800);
    assert_eq!(set.subjects[0], set.subjects[1]);
    let means = [0, 1].map(|class| {
        let rows: Vec<usize> = (0..800).filter(|row| set.labels[*row] == class).collect();
        let pixels: f64 = rows.iter().flat_map(|row| set.picture(*row)).map(|value| f64::from(*value)).sum();
        pixels / (rows.len() * set.stride()) as f64
    });
    // The area varies by a fifth, that is by 2 grey values of the mean; over 400 pictures by 0.1.
    assert!((means[0] - means[1]).abs() < 0.5, "{means:?}");
    // The middle of a shape is dark in a ring and bright in a disc: the rule is there.
    let config = PicturesConfig { subjects: 2, per_subject: 1, noise: 0.0, ..PicturesConfig::default() };
    let two = pictures(&config).unwrap();
    let covered = |row: usize| {
        let places = (0..784).filter(|place| two.picture(row)[*place] > 110.0);
        let (x, y, n) = places.fold((0, 0, 0), |(x, y, n), place| (x + place % 28, y + place / 28, n + 1));
        two.picture(row)[(y / n) * 28 + x / n]
    };
    assert!(covered(0) > 150.0 && covered(1) < 70.0, "{} {}", covered(0), covered(1));
}

#[test]
fn settings_out_of_range_are_refused() {
    let small = PhantomConfig { size: [8, 48, 32], ..PhantomConfig::default() };
    assert!(matches!(phantom(&small, 0), Err(SyntheticError::Config(_))));
    let narrow = PhantomConfig { spacing: [0.1, 1.0, 2.0], ..PhantomConfig::default() };
    assert!(phantom(&narrow, 0).unwrap_err().to_string().starts_with("size × spacing = "));
    assert!(pictures(&PicturesConfig { subjects: 0, ..PicturesConfig::default() }).is_err());
}
