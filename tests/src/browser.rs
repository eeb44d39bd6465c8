//! A page as headless Chromium shows it.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Names that Chromium has on the systems this runs on.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
/// Widths of the window in pixels: a screen and a telephone.
const WIDTHS: [u32; 2] = [1280, 420];
/// What a page has that is loaded from elsewhere.
const FOREIGN: [&str; 5] = ["src=\"http", "href=\"http://fonts", "@import", "<link rel=\"stylesheet\"", "<image"];
/// The elements that a figure is drawn with.
const SHAPES: [&str; 6] = ["<path", "<circle", "<rect", "<polyline", "<polygon", "<line"];
/// A figure has more of them than this: frame and axes alone are fewer.
const FRAME: usize = 5;

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
pub fn dump_dom(page: &Path, width: u32) -> Option<(String, Vec<String>)> {
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

/// Fails if a page loads anything from elsewhere, if the console says anything when it is opened in a wide or in a
/// narrow window, if it has less than `least` figures, or if one of them is empty or has a coordinate that is no
/// number. Where there is no Chromium, only the first is looked at.
pub fn is_drawn(page: &Path, least: usize) {
    let name = page.display();
    let source = fs::read_to_string(page).unwrap_or_else(|error| panic!("{name}: {error}"));
    for foreign in FOREIGN {
        assert!(!source.contains(foreign), "{name} is not self-contained: {foreign}");
    }
    for width in WIDTHS {
        let Some((dom, console)) = dump_dom(page, width) else { return };
        assert!(console.is_empty(), "{name} at {width} px, the console says: {console:#?}");
        let figures: Vec<&str> =
            dom.split("<svg").skip(1).filter_map(|rest| Some(rest.split_once("</svg>")?.0)).collect();
        assert!(figures.len() >= least, "{name} has only {} figures", figures.len());
        for figure in figures {
            let drawn: usize = SHAPES.iter().map(|shape| figure.matches(shape).count()).sum();
            let tag = figure.split('>').next().unwrap_or_default();
            assert!(drawn > FRAME, "{name} at {width} px, only {drawn} shapes in: {tag}");
            assert!(!figure.contains("NaN"), "{name}, a coordinate is not a number in: {tag}");
        }
    }
}
