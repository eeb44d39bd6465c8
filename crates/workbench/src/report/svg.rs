//! Makes an SVG document fit to stand inside an HTML page next to others.

use std::fmt::Write as _;

/// Elements that run code, load something, or change the page around them or other elements.
const REFUSED: [&str; 12] = [
    "script",
    "style",
    "foreignobject",
    "iframe",
    "object",
    "embed",
    "image",
    "audio",
    "video",
    "link",
    "animate",
    "set",
];

/// Text of our own figures is 14 units high; it stays at 11 pixels or more when the figure is shown at 11/14 of its
/// width. A figure of 560 then fits into a window of 480 pixels, whose page leaves 448.
const READABLE: f64 = 11.0 / 14.0;

/// A figure ready for the page.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prepared {
    /// The `svg` element.
    pub(super) markup: String,
    /// Width in pixels below which the page scrolls it instead of shrinking it further; 0 where the text size is not
    /// known.
    pub(super) narrowest: u32,
    /// Width in pixels above which it is not enlarged.
    pub(super) widest: u32,
}

/// Cuts the document down to its root element, gives that a class, a role and a label where it has none, puts `prefix`
/// before each identifier, and refuses what does not belong into a self-contained page.
pub(super) fn prepare(document: &str, prefix: &str, label: &str) -> Result<Prepared, String> {
    let start = document.find("<svg").ok_or("it is no SVG document: there is no <svg> element")?;
    let end = document.rfind("</svg>").ok_or("it is cut short: there is no </svg>")? + "</svg>".len();
    let mut rest = document.get(start..end).ok_or("it is no SVG document: </svg> stands before <svg>")?;

    let mut markup = String::with_capacity(rest.len() + 200);
    let mut size = None;
    let mut ours = false;
    while let Some(open) = rest.find('<') {
        markup.push_str(&rest[..open]);
        rest = &rest[open..];
        if rest.starts_with("<!--") {
            let close = rest.find("-->").ok_or("a comment is not closed")?;
            rest = &rest[close + 3..];
            continue;
        }
        if rest.starts_with("<!") || rest.starts_with("<?") {
            return Err("declarations and CDATA inside the <svg> element are not supported".to_owned());
        }
        let close = tag_end(rest).ok_or("a tag is not closed")?;
        let tag = Tag::parse(&rest[1..close])?;
        rest = &rest[close + 1..];
        if size.is_none() {
            ours = tag.get("class").is_some_and(|class| class.split_whitespace().any(|name| name == "figure"));
            size = Some(width(&tag));
            tag.labelled(label).write(prefix, &mut markup)?;
        } else {
            tag.write(prefix, &mut markup)?;
        }
    }
    markup.push_str(rest);
    let size = size.ok_or("it is no SVG document: there is no <svg> element")?;
    let widest = size.unwrap_or(560.0).clamp(40.0, 2000.0);
    let narrowest = if ours { (widest * READABLE).ceil() as u32 } else { 0 };
    Ok(Prepared { markup, narrowest, widest: widest.round() as u32 })
}

/// Position of the `>` that ends the tag at the start of `text`, quoted ones passed over.
fn tag_end(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

/// Width from the view box, else from the width attribute.
fn width(root: &Tag) -> Option<f64> {
    let numbers = |text: &str| -> Vec<f64> {
        text.split([' ', ',']).filter_map(|part| part.trim().trim_end_matches("px").parse().ok()).collect()
    };
    let from_box = root.get("viewBox").and_then(|text| numbers(text).get(2).copied());
    from_box.or_else(|| root.get("width").and_then(|text| numbers(text).first().copied())).filter(|width| *width > 0.0)
}

/// A tag without its angle brackets, taken apart.
struct Tag {
    /// Name, with a leading slash for a closing tag.
    name: String,
    attributes: Vec<(String, String)>,
    self_closing: bool,
}

impl Tag {
    fn parse(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        let self_closing = trimmed.ends_with('/');
        let trimmed = if self_closing { trimmed[..trimmed.len() - 1].trim_end() } else { trimmed };
        let split = trimmed.find(char::is_whitespace).unwrap_or(trimmed.len());
        let name = trimmed[..split].to_owned();
        let bare = name.trim_start_matches('/').to_lowercase();
        let local = bare.rsplit(':').next().unwrap_or(&bare);
        if !is_name(&bare) {
            return Err(format!("<{name}> is no tag"));
        }
        if REFUSED.contains(&local) {
            return Err(format!("it contains a <{local}> element, and a self-contained page has none"));
        }
        let mut attributes = Vec::new();
        let mut rest = trimmed[split..].trim_start();
        while !rest.is_empty() {
            let equals = rest.find('=').ok_or_else(|| format!("an attribute of <{name}> has no value"))?;
            let key = rest[..equals].trim().to_owned();
            if !is_name(&key) {
                return Err(format!("{key:?} is no attribute of <{name}>"));
            }
            let after = rest[equals + 1..].trim_start();
            let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
            let quote = quote.ok_or_else(|| format!("attribute {key} of <{name}> is not quoted"))?;
            let length = after[1..].find(quote).ok_or_else(|| format!("attribute {key} of <{name}> is not closed"))?;
            attributes.push((key, after[1..=length].to_owned()));
            rest = after[length + 2..].trim_start();
        }
        Ok(Self { name, attributes, self_closing })
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The root element with class, role and label.
    fn labelled(mut self, label: &str) -> Self {
        if !self.get("class").is_some_and(|class| class.split_whitespace().any(|name| name == "figure")) {
            let class = self.get("class").map_or("figure".to_owned(), |class| format!("figure {class}"));
            self.attributes.retain(|(name, _)| name != "class");
            self.attributes.insert(0, ("class".to_owned(), class));
        }
        if self.get("role").is_none() {
            self.attributes.push(("role".to_owned(), "img".to_owned()));
        }
        if self.get("aria-label").is_none() && self.get("aria-labelledby").is_none() {
            let label = label.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
            self.attributes.push(("aria-label".to_owned(), label));
        }
        self
    }

    /// Writes the tag with `prefix` before each identifier that it has or refers to.
    fn write(&self, prefix: &str, markup: &mut String) -> Result<(), String> {
        markup.push('<');
        markup.push_str(&self.name);
        for (key, value) in &self.attributes {
            let lower = key.to_lowercase();
            if lower.starts_with("on") {
                return Err(format!("attribute {key} would run code"));
            }
            let local = lower.rsplit(':').next().unwrap_or(&lower);
            let value = match local {
                "id" => format!("{prefix}-{value}"),
                "href" => match value.trim().strip_prefix('#') {
                    Some(target) => format!("#{prefix}-{target}"),
                    None => return Err(format!("attribute {key} refers to {value:?}, outside the page")),
                },
                "src" => return Err(format!("attribute {key} refers to {value:?}, outside the page")),
                "aria-labelledby" | "aria-describedby" => {
                    let targets: Vec<String> =
                        value.split_whitespace().map(|target| format!("{prefix}-{target}")).collect();
                    targets.join(" ")
                }
                _ => references(value, prefix)?,
            };
            // The value is as escaped as it was; only the other kind of quote needs care.
            let _ = write!(markup, " {key}=\"{}\"", value.replace('"', "&quot;"));
        }
        markup.push_str(if self.self_closing { "/>" } else { ">" });
        Ok(())
    }
}

/// Whether `text` can name a tag or an attribute: anything else could be read as several of them.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.'))
}

/// Puts the prefix into each `url(#name)`, and refuses any other `url(…)`.
fn references(value: &str, prefix: &str) -> Result<String, String> {
    let lower = value.to_lowercase();
    let disguised = value.contains('(') && (value.contains("&#") || value.contains('\\'));
    let loads = lower.contains("image-set(") || lower.contains("src(");
    if disguised || loads || lower.matches("url(").count() != value.matches("url(").count() {
        return Err(format!("{value:?} may refer to something outside the page"));
    }
    let mut result = String::new();
    let mut rest = value;
    while let Some(at) = rest.find("url(") {
        let (before, after) = rest.split_at(at + "url(".len());
        let inner = after.trim_start_matches(['"', '\'', ' ']);
        let inner = inner.strip_prefix("&quot;").unwrap_or(inner);
        let target =
            inner.strip_prefix('#').ok_or_else(|| format!("{value:?} refers to something outside the page"))?;
        let end = target.find(')').ok_or_else(|| format!("{value:?} is not closed"))?;
        let name = target[..end].trim_end_matches("&quot;").trim_end_matches(['"', '\'', ' ']);
        let _ = write!(result, "{before}#{prefix}-{name})");
        rest = &target[end + 1..];
    }
    result.push_str(rest);
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markup(document: &str) -> String {
        prepare(document, "f2", "A \"label\" <1>").unwrap().markup
    }

    #[test]
    fn prolog_and_comments_go_and_the_root_gets_a_label() {
        let document = "<?xml version=\"1.0\"?>\n<!DOCTYPE svg>\n<svg width='90px'><!-- a > b --><g/>text</svg>\n";
        assert_eq!(
            markup(document),
            "<svg class=\"figure\" width=\"90px\" role=\"img\" aria-label=\"A &quot;label&quot; &lt;1>\"><g/>text</svg>"
        );
        assert_eq!(prepare(document, "f", "x").unwrap().widest, 90);
    }

    #[test]
    fn identifiers_and_references_move_together() {
        let document = "<svg class=\"figure\" role=\"img\" aria-label=\"x\"><defs><marker id=\"head\"/></defs>\
            <path marker-end=\"url(#head)\" style=\"fill: url('#head')\"/><use xlink:href=\"#head\"/></svg>";
        let expected = "<svg class=\"figure\" role=\"img\" aria-label=\"x\"><defs><marker id=\"f2-head\"/></defs>\
            <path marker-end=\"url(#f2-head)\" style=\"fill: url(#f2-head)\"/><use xlink:href=\"#f2-head\"/></svg>";
        assert_eq!(markup(document), expected);
    }

    #[test]
    fn what_reaches_outside_the_page_is_refused() {
        for (body, reason) in [
            ("<script>alert(1)</script>", "script"),
            ("<svg:SCRIPT/>", "script"),
            ("<style>@import url(x)</style>", "style"),
            ("<image href=\"https://example.org/x.png\"/>", "image"),
            ("<a href=\"https://example.org\">x</a>", "outside the page"),
            ("<a xlink:href='javascript:alert(1)'/>", "outside the page"),
            ("<rect fill=\"url(https://example.org/x#y)\"/>", "outside the page"),
            ("<rect onclick=\"alert(1)\"/>", "run code"),
            ("<rect OnLoad=\"alert(1)\"/>", "run code"),
            ("<rect/onclick=\"alert(1)\"/>", "no tag"),
            ("<rect a onclick=\"alert(1)\"/>", "no attribute"),
            ("<rect fill=\"URL(https://example.org)\"/>", "outside the page"),
            ("<rect x=1/>", "not quoted"),
            ("<![CDATA[x]]>", "not supported"),
        ] {
            let error = prepare(&format!("<svg>{body}</svg>"), "f", "x").unwrap_err();
            assert!(error.contains(reason), "{body}: {error}");
        }
        for document in ["", "plain text", "<svg", "</svg><svg>"] {
            assert!(prepare(document, "f", "x").is_err(), "{document}");
        }
    }

    #[test]
    fn our_own_figures_do_not_shrink_below_readable_text() {
        let ours = prepare("<svg class=\"figure\" viewBox=\"0 0 560 380\"></svg>", "f", "x").unwrap();
        assert_eq!((ours.narrowest, ours.widest), (440, 560));
        // The page has a margin of 16 pixels on either side.
        assert!(ours.narrowest <= 480 - 2 * 16);
        let other = prepare("<svg viewBox=\"0,0,300,200\"></svg>", "f", "x").unwrap();
        assert_eq!((other.narrowest, other.widest), (0, 300));
    }
}
