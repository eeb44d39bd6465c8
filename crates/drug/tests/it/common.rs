//! What the test files share.

use std::io::Write as _;
use std::path::PathBuf;

pub(crate) use tests::bytes::damaged;

/// A folder of real data, under `data/raw` of the repository or under `GALEN_DATA`; `None` where it is in neither, with a
/// line on the true stderr, which the test harness does not swallow.
pub(crate) fn data(name: &str) -> Option<PathBuf> {
    let downloaded = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../data/raw");
    let roots = [Some(downloaded), std::env::var_os("GALEN_DATA").map(PathBuf::from)];
    let found = roots.into_iter().flatten().map(|root| root.join(name)).find(|folder| folder.exists());
    if found.is_none() {
        let _ = writeln!(std::io::stderr(), "ignored: needs {name} (cargo xtask data get, or set GALEN_DATA)");
    }
    found
}
