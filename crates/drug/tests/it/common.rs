//! What the test files share.

use std::path::PathBuf;

/// A folder of real data under `GALEN_DATA`; `None`, with a line on stderr, where it is not there.
pub(crate) fn data(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("GALEN_DATA").map(|root| PathBuf::from(root).join(name));
    match folder {
        Some(folder) if folder.exists() => Some(folder),
        _ => {
            eprintln!("ignored: needs {name} (set GALEN_DATA)");
            None
        }
    }
}

/// Every beginning of `bytes`, and `bytes` with each of its bits flipped.
pub(crate) fn damaged(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let cut = (0..bytes.len()).map(|length| bytes[..length].to_vec());
    let flipped = (0..bytes.len() * 8).map(|bit| {
        let mut copy = bytes.to_vec();
        copy[bit / 8] ^= 1 << (bit % 8);
        copy
    });
    cut.chain(flipped)
}
