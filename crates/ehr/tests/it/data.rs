//! Where the real data is, and how files are damaged.

use std::io::Write as _;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;

/// A file or folder of real data, such as `meds_sample`, in `ehr` under `data/raw` of the repository or under
/// `GALEN_DATA`; `None` where it is in neither, with a line on the true stderr, which the test harness does not swallow.
pub(crate) fn path(relative: &str) -> Option<PathBuf> {
    let downloaded = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../data/raw");
    let roots = [Some(downloaded), std::env::var_os("GALEN_DATA").map(PathBuf::from)];
    let relative = PathBuf::from("ehr").join(relative.strip_prefix("ehr/").unwrap_or(relative));
    let found = roots.into_iter().flatten().map(|root| root.join(&relative)).find(|path| path.exists());
    if found.is_none() {
        let _ = writeln!(
            std::io::stderr(),
            "ignored: needs {} (cargo xtask data get, or set GALEN_DATA)",
            relative.display()
        );
    }
    found
}

/// Every beginning of `bytes`, and `bytes` with each of its bits flipped.
pub(crate) fn damaged(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..bytes.len()).map(|length| bytes[..length].to_vec()).chain(flipped(bytes))
}

/// `bytes` with each of its bits flipped.
pub(crate) fn flipped(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..bytes.len() * 8).map(|bit| {
        let mut copy = bytes.to_vec();
        copy[bit / 8] ^= 1 << (bit % 8);
        copy
    })
}

/// `bytes` as gzip writes them.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
