//! bedGraph: contig, start, end and value in each line.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::{ContigSignal, SignalSpan};
use crate::io::text::{Lines, number};
use crate::io::{Input, IoError};
use crate::locus::MAX_POSITION;

/// Reads a file; contigs in the order in which they come.
pub(super) fn read(path: &Path) -> Result<Vec<ContigSignal>, IoError> {
    let mut lines: Lines<Input> = Lines::open(path)?;
    let mut contigs: Vec<ContigSignal> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    while let Some(line) = lines.text()? {
        let heading = matches!(line.split_whitespace().next(), Some("track" | "browser"));
        if line.trim().is_empty() || line.starts_with('#') || (heading && row(line).is_err()) {
            continue;
        }
        let added = row(line).and_then(|(name, span)| {
            let place = *places.entry(name.to_owned()).or_insert(contigs.len());
            if place == contigs.len() {
                contigs.push(ContigSignal { name: Arc::from(name), length: 0, spans: Vec::new() });
            }
            let contig = &mut contigs[place];
            if span.start < contig.length {
                let (start, end) = (span.start, contig.length);
                return Err(format!("it begins at {start}, before the end {end} of the last value; sort the file"));
            }
            contig.length = span.end;
            contig.spans.push(span);
            Ok(())
        });
        if let Err(problem) = added {
            return Err(lines.problem(problem));
        }
    }
    if contigs.is_empty() {
        return Err(IoError::Empty { path: path.to_path_buf(), what: "values" });
    }
    Ok(contigs)
}

fn row(line: &str) -> Result<(&str, SignalSpan), String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let &[contig, start, end, value] = fields.as_slice() else {
        return Err(format!("{} columns where 4 are due (contig, start, end, value)", fields.len()));
    };
    let (start, end): (u64, u64) = (number(start, "start")?, number(end, "end")?);
    if start >= end || end > MAX_POSITION as u64 {
        return Err(format!("{start} to {end} is no interval"));
    }
    let value: f32 = number(value, "value")?;
    if !value.is_finite() {
        return Err(format!("value {value} is not finite"));
    }
    Ok((contig, SignalSpan { start, end, value }))
}
