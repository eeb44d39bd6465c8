//! A page as headless Chromium shows it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Names that Chromium has on the systems this runs on.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The name of a Chromium that starts here.
fn chromium() -> Option<&'static str> {
    let starts = |name: &&str| {
        let mut command = Command::new(name);
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    NAMES.into_iter().find(starts)
}

/// The page's elements after its scripts have run, and the lines that the console printed, in a window of `width`
/// pixels; `None`, with the reason on stderr, where there is no Chromium.
pub(crate) fn dump_dom(page: &Path, width: u32) -> Option<(String, Vec<String>)> {
    let Some(name) = chromium() else {
        let _ = writeln!(std::io::stderr(), "ignored: needs Chromium (install the package chromium)");
        return None;
    };
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(name)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--disable-dev-shm-usage", "--enable-logging=stderr", "--virtual-time-budget=5000"])
        .arg(format!("--window-size={width},900"))
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg("--dump-dom")
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{name} ended with {}:\n{stderr}", output.status);
    let console = stderr.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
    Some((String::from_utf8_lossy(&output.stdout).into_owned(), console))
}

/// A page that is known to complain is heard, so that an empty console means something.
#[test]
fn a_complaint_on_the_console_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    std::fs::write(&page, "<!doctype html><p id=a></p><script>a.textContent='drawn';console.error('broken')</script>")
        .unwrap();
    if let Some((dom, console)) = dump_dom(&page, 800) {
        assert!(dom.contains("drawn"), "{dom}");
        assert!(console.iter().any(|line| line.contains("broken")), "{console:?}");
    }
}
