//! Pages are looked at as they are shown.

use std::fs;
use std::path::PathBuf;
use tests::browser::{dump_dom, is_drawn};

/// A page in a folder that lives as long as the first value.
fn page(body: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.html");
    fs::write(&path, format!("<!doctype html><link rel=\"icon\" href=\"data:,\">{body}")).unwrap();
    (folder, path)
}

/// A page that is known to complain is heard, so that an empty console means something.
#[test]
fn a_complaint_on_the_console_is_heard() {
    let (_folder, path) = page("<p id=a></p><script>a.textContent='drawn';console.error('broken')</script>");
    if let Some((dom, console)) = dump_dom(&path, 800) {
        assert!(dom.contains("drawn"), "{dom}");
        assert!(console.iter().any(|line| line.contains("broken")), "{console:?}");
    }
}

#[test]
fn a_page_with_a_whole_figure_passes() {
    let (_folder, path) =
        page(&format!("<svg viewBox=\"0 0 9 9\">{}</svg>", "<circle cx=\"1\" cy=\"1\" r=\"1\"/>".repeat(6)));
    is_drawn(&path, 1);
}

#[test]
#[should_panic(expected = "is not self-contained: @import")]
fn what_is_loaded_from_elsewhere_is_seen() {
    let (_folder, path) = page("<style>@import url(https://example.org/a.css)</style>");
    is_drawn(&path, 0);
}
