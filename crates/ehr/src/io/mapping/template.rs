//! Codes with places for what stands in columns.

use super::super::etl::Row;
use super::super::terms::UNKNOWN;

/// A code with places for columns.
pub(super) struct Template {
    parts: Vec<Part>,
}

enum Part {
    Text(String),
    /// A column; whether something must stand there.
    Column(usize, bool),
}

impl Template {
    /// Reads a code such as `LAB//{test}//{unit?}`; `place` says where a column is, and is told whether the table must have
    /// it.
    pub(super) fn parse(code: &str, place: &mut dyn FnMut(&str, bool) -> usize) -> Result<Self, String> {
        let (mut parts, mut rest) = (Vec::new(), code);
        while let Some(open) = rest.find('{') {
            let close = rest[open..].find('}').map(|close| open + close);
            let close = close.ok_or_else(|| format!("the code {code:?} has a brace without its end"))?;
            let inside = &rest[open + 1..close];
            let must = !inside.ends_with('?');
            let name = inside.trim_end_matches('?').trim();
            if name.is_empty() || name.contains('{') {
                return Err(format!("the code {code:?} has braces without the name of a column between them"));
            }
            if open > 0 {
                parts.push(Part::Text(rest[..open].to_owned()));
            }
            parts.push(Part::Column(place(name, must), must));
            rest = &rest[close + 1..];
        }
        if rest.contains('}') {
            return Err(format!("the code {code:?} has a brace without its beginning"));
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        if parts.is_empty() {
            return Err("a code is empty; write for example LAB//{test}".to_owned());
        }
        Ok(Self { parts })
    }

    /// Adds the code of a row to a text; the column that is empty and must not be is the error.
    pub(super) fn write(&self, row: Row<'_>, code: &mut String) -> Result<(), usize> {
        for part in &self.parts {
            match part {
                Part::Text(text) => code.push_str(text),
                Part::Column(column, must) => {
                    if !row.cell(*column).write(code) {
                        if *must {
                            return Err(*column);
                        }
                        code.push_str(UNKNOWN);
                    }
                }
            }
        }
        Ok(())
    }
}
