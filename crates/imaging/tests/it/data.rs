//! Where the real data is, and how files are damaged.

use std::io::Write as _;
use std::path::PathBuf;

pub(crate) use tests::bytes::{damaged, gzip};

/// A file or folder of real data, such as `isbi2012_em/data/membrane`, under `data/raw/imaging` of the repository or
/// `imaging` in `GALEN_DATA`; `None` where it is in neither, with a line on the true stderr, which the test harness
/// does not swallow.
pub(crate) fn path(relative: &str) -> Option<PathBuf> {
    let downloaded = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../data/raw");
    let roots = [Some(downloaded), std::env::var_os("GALEN_DATA").map(PathBuf::from)];
    let found = roots.into_iter().flatten().map(|root| root.join("imaging").join(relative)).find(|path| path.exists());
    if found.is_none() {
        let _ =
            writeln!(std::io::stderr(), "ignored: needs imaging/{relative} (cargo xtask data get, or set GALEN_DATA)");
    }
    found
}

/// The bytes of hexadecimal digits, as golden files keep them.
pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    let pairs = (0..digits.len()).step_by(2).map(|at| &digits[at..at + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}
