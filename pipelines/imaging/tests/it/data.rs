//! Small inputs that the tests make: volumes with a bright box, their labels, and pictures.

use std::fs;
use std::path::{Path, PathBuf};

use imaging::geometry::Geometry;
use imaging::io;
use imaging::volume::{LabelMap, Volume};
use tests::draw::Draw;

/// Voxels along each axis.
pub(crate) const SIZE: [usize; 3] = [16, 16, 8];

/// A bright box in noise, and where it is.
pub(crate) fn boxed(seed: u64) -> (Volume, LabelMap) {
    let mut draw = Draw::new(seed);
    let grid = Geometry::axial(SIZE, [1.0, 1.0, 2.0]);
    let start = SIZE.map(|edge| 1 + draw.next(edge / 2 - 2));
    let labels: Vec<u8> = (0..grid.len())
        .map(|place| {
            let at = [place % SIZE[0], place / SIZE[0] % SIZE[1], place / (SIZE[0] * SIZE[1])];
            u8::from((0..3).all(|axis| (start[axis]..start[axis] + SIZE[axis] / 2).contains(&at[axis])))
        })
        .collect();
    let voxels = labels.iter().map(|&label| 300.0 * f32::from(label) + draw.next(100) as f32).collect();
    let names = ["background", "box"].map(String::from).to_vec();
    (Volume::new(voxels, grid.clone()).unwrap(), LabelMap::new(labels, grid, names).unwrap())
}

/// A set of `count` volumes in `images/` and `labels/`.
pub(crate) fn set(count: u64, seed: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_set(folder.path(), count, seed);
    folder
}

/// The same, in `folder/boxes`.
pub(crate) fn write_set(folder: &Path, count: u64, seed: u64) -> PathBuf {
    let root = folder.join("boxes");
    for name in ["images", "labels"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    for case in 0..count {
        let (volume, map) = boxed(1000 * seed + case);
        io::write_volume(&root.join(format!("images/case_{case:02}.nii.gz")), &volume).unwrap();
        io::write_labels(&root.join(format!("labels/case_{case:02}.nii.gz")), &map).unwrap();
    }
    root
}

/// A folder of pictures for each class: a bright left half, or a bright right one.
pub(crate) fn write_pictures(folder: &Path, count: usize) -> PathBuf {
    let root = folder.join("pictures");
    let mut draw = Draw::new(5);
    for (class, name) in ["left", "right"].into_iter().enumerate() {
        fs::create_dir_all(root.join(name)).unwrap();
        for picture in 0..count {
            let pixels: Vec<u8> = (0..32 * 32)
                .map(|place| {
                    let bright = (place % 32 >= 16) == (class == 1);
                    (draw.next(80) + if bright { 120 } else { 0 }) as u8
                })
                .collect();
            io::picture::write_png(&root.join(name).join(format!("{name}{picture:02}.png")), 32, 32, 1, &pixels)
                .unwrap();
        }
    }
    root
}

/// Options that make `train` on boxes quick: a network of a few features.
pub(crate) fn quick(command: &[&str]) -> Vec<String> {
    let settings = [
        "sized_by_plan=false",
        "network.dims=3",
        "network.base=4",
        "network.levels=2",
        "patch=[16, 16, 8]",
        "patches=8",
        "learning.batch_size=2",
        "learning.rate=0.01",
        "augment.flip=[0]",
    ];
    let mut words: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
    for setting in settings {
        words.extend(["--set".to_owned(), setting.to_owned()]);
    }
    words
}

/// The folder of real data below `$GALEN_DATA/imaging`; without it the test says so and does nothing.
pub(crate) fn real(relative: &str) -> Option<PathBuf> {
    let found = std::env::var_os("GALEN_DATA").map(|root| PathBuf::from(root).join("imaging").join(relative));
    let found = found.filter(|path| path.exists());
    if found.is_none() {
        eprintln!("ignored: needs {relative} below $GALEN_DATA/imaging");
    }
    found
}
