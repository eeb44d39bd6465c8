//! The page: complete in itself, escaped, and with every link leading somewhere.

use std::collections::BTreeSet;

use workbench::report::{Page, ReportError, Section};
use workbench::table::Table;

fn page() -> String {
    let mut figures = Section::new("Figures");
    for (name, svg) in crate::figures::all() {
        figures = figures.figure(format!("The {name} figure"), svg);
    }
    let marker = "<svg viewBox=\"0 0 90 90\"><defs><g id=\"a\"/></defs><use href=\"#a\"/></svg>";
    figures = figures.figure("One molecule", marker).figure("Another molecule", marker);
    Page::new("Binding affinity", "Davis")
        .fact("seed", "7")
        .section(
            Section::new("Data")
                .paragraph("30056 pairs.")
                .heading("Rows left out")
                .list(["duplicates: 3"])
                .definitions([("drugs", "68"), ("targets", "442")])
                .note("The split is upstream's.")
                .warning("Targets overlap.")
                .code("galen-drug train --seed 7"),
        )
        .section(figures)
        .section(Section::new("Results").table(Table::new("Test part").text("model").number("MSE").row(["a", "0.2"])))
        .render()
        .unwrap()
}

/// The values of one attribute, in order.
fn attribute<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let key = format!(" {name}=\"");
    html.split(&key).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[test]
fn identifiers_are_unique_and_every_link_has_its_target() {
    let html = page();
    let ids = attribute(&html, "id");
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), unique.len(), "{ids:?}");
    let links: Vec<&str> = attribute(&html, "href").into_iter().filter(|link| link.starts_with('#')).collect();
    assert!(links.len() >= 6, "{links:?}");
    for link in links.iter().map(|link| &link[1..]).chain(attribute(&html, "aria-labelledby")) {
        assert!(unique.contains(link), "{link} leads nowhere");
    }
}

#[test]
fn nothing_is_loaded_from_anywhere() {
    let html = page();
    let addresses = html.matches("http").count();
    assert_eq!(addresses, html.matches("xmlns=\"http://www.w3.org/2000/svg\"").count());
    for forbidden in ["<script", "<iframe", "@import", " src=", "<link rel=\"stylesheet\""] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    // browsers ask for /favicon.ico unless told
    assert!(html.contains("<link rel=\"icon\" href=\"data:,\">"));
}

#[test]
fn it_can_be_read_by_ear_and_on_a_telephone() {
    let html = page();
    assert!(html.contains("<html lang=\"en\">"));
    assert!(html.contains("name=\"viewport\""));
    assert!(html.contains("<th scope=\"col\" class=\"number\">MSE</th>"));
    assert!(html.contains("<td class=\"number\">0.2</td>"));
    let figures = html.matches("<svg class=\"figure\"").count();
    assert_eq!(figures, 8);
    assert_eq!(html.matches("role=\"img\"").count(), figures);
    assert!(html.contains("aria-label=\"One molecule\""));
    assert!(html.contains("<strong>Figure 8.</strong> Another molecule"));
}

#[test]
fn opening_and_closing_tags_match() {
    let html = page();
    for tag in [
        "html", "head", "body", "header", "nav", "main", "section", "figure", "table", "tr", "td", "dl", "dt", "dd",
        "ul", "li", "p", "div", "svg",
    ] {
        let opened = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag}");
        assert!(opened > 0, "{tag}");
    }
}

#[test]
fn text_is_escaped_everywhere() {
    let bad = "<b onclick=\"x\">&'</b>";
    let html = Page::new(bad, bad)
        .fact(bad, bad)
        .section(
            Section::new(bad)
                .heading(bad)
                .paragraph(bad)
                .note(bad)
                .warning(bad)
                .list([bad])
                .definitions([(bad, bad)])
                .code(bad)
                .table(Table::new(bad).text(bad).row([bad]))
                .figure(bad, "<svg></svg>"),
        )
        .render()
        .unwrap();
    assert!(!html.contains("<b "), "{html}");
    assert!(!html.contains("onclick=\"x\""));
}

#[test]
fn what_cannot_be_shown_is_named() {
    let error = Page::new("t", "").section(Section::new("s").figure("Sales", "no svg")).render().unwrap_err();
    assert!(matches!(&error, ReportError::Figure { caption, .. } if caption == "Sales"), "{error}");
    let uneven = Table::new("Uneven").text("a").row(["1", "2"]);
    let error = Page::new("t", "").section(Section::new("s").table(uneven)).render().unwrap_err();
    assert!(error.to_string().contains("Uneven"), "{error}");
}

#[test]
fn a_page_without_content_is_a_page() {
    let html = Page::new("Empty", "").render().unwrap();
    assert!(html.contains("<h1>Empty</h1>"));
    assert!(!html.contains("<nav"));
}
