//! Where the real data is, and how files are damaged.

use std::io::Write as _;
use std::path::PathBuf;

pub(crate) use tests::bytes::{damaged, flipped, gzip};

/// A file or folder of real data, such as `genomics/rbp31`, under `data/raw` of the repository or under `GALEN_DATA`;
/// `None` where it is in neither, with a line on the true stderr, which the test harness does not swallow.
pub(crate) fn path(relative: &str) -> Option<PathBuf> {
    let downloaded = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../data/raw");
    let roots = [Some(downloaded), std::env::var_os("GALEN_DATA").map(PathBuf::from)];
    let found = roots.into_iter().flatten().map(|root| root.join(relative)).find(|path| path.exists());
    if found.is_none() {
        let _ = writeln!(std::io::stderr(), "ignored: needs {relative} (cargo xtask data get, or set GALEN_DATA)");
    }
    found
}
