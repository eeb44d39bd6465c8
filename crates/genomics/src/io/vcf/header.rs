//! Headers, as lines.

use std::collections::HashSet;

use super::VcfNote;
use crate::io::text::Lines;
use crate::io::{Input, IoError, RowError};

/// Bytes of the longest header that is read.
pub(super) const MAX_HEADER: usize = 1 << 28;

/// The header of a file. Nothing in it has to be as the specification wants it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VcfHeader {
    lines: Vec<String>,
    columns: Option<String>,
    contigs: Vec<(String, Option<u64>)>,
    samples: Vec<String>,
}

impl VcfHeader {
    /// Takes a line that begins with `#`.
    pub(super) fn push(&mut self, line: String) {
        if line.starts_with("##") {
            if let Some(fields) = line.strip_prefix("##contig=<") {
                let fields = fields.trim_end().trim_end_matches('>');
                if let Some(name) = attribute(fields, "ID") {
                    let length = attribute(fields, "length").and_then(|length| length.parse().ok());
                    self.contigs.push((name.to_owned(), length));
                }
            }
            self.lines.push(line);
        } else {
            self.samples = line.split('\t').skip(9).map(str::to_owned).collect();
            self.columns = Some(line);
        }
    }

    /// The lines that begin with `##`, as the file has them.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// The line that names the columns.
    pub(super) fn columns(&self) -> Option<&str> {
        self.columns.as_deref()
    }

    /// Names and lengths of the contigs that the header lists.
    pub fn contigs(&self) -> &[(String, Option<u64>)] {
        &self.contigs
    }

    /// Names of the samples.
    pub fn samples(&self) -> &[String] {
        &self.samples
    }

    /// Sample names that come twice or more.
    pub(super) fn duplicate_samples(&self) -> Vec<String> {
        let (mut seen, mut twice) = (HashSet::new(), Vec::new());
        for name in &self.samples {
            if !seen.insert(name) && !twice.contains(name) {
                twice.push(name.clone());
            }
        }
        twice
    }
}

/// The value of `key` among `ID=chr1,length=5,species="Homo sapiens, male"`.
fn attribute<'a>(fields: &'a str, key: &str) -> Option<&'a str> {
    let mut quoted = false;
    let comma = |letter: char| {
        quoted ^= letter == '"';
        letter == ',' && !quoted
    };
    let value = fields.split(comma).find_map(|field| field.strip_prefix(key)?.strip_prefix('='))?;
    Some(value.trim_matches('"'))
}

/// A line behind the header, or what is wrong with it.
type FirstLine = Option<Result<String, RowError>>;

/// Reads lines up to the first that does not begin with `#`, which comes back.
pub(super) fn read(lines: &mut Lines<Input>, notes: &mut Vec<VcfNote>) -> Result<(VcfHeader, FirstLine), IoError> {
    let (mut header, mut bytes) = (VcfHeader::default(), 0);
    let mut skipped = 0;
    let first = loop {
        // Behind the line that names the columns everything is a row.
        let complete = header.columns.is_some();
        match lines.advance()? {
            None => break None,
            Some(Ok(line)) if line.starts_with('#') && !complete => {
                bytes += line.len();
                header.push(line.to_owned());
            }
            Some(Ok(line)) if line.is_empty() && !complete => {}
            Some(Err(row)) if !complete && !header.lines.is_empty() => {
                skipped += 1;
                notes.push(VcfNote::HeaderLine(row));
            }
            Some(line) => break Some(line.map(str::to_owned)),
        }
        if bytes > MAX_HEADER || skipped > 100 {
            return Err(lines.problem("the header does not end; is this a VCF file?"));
        }
    };
    match (header.columns.is_some(), header.lines.is_empty()) {
        (true, _) => {}
        (false, true) => notes.push(VcfNote::NoHeader),
        (false, false) => notes.push(VcfNote::NoColumns),
    }
    Ok((header, first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_of_contigs() {
        let mut header = VcfHeader::default();
        for line in [
            "##fileformat=VCFv4.2",
            "##contig=<ID=chr1,length=248956422>",
            r#"##contig=<species="Homo sapiens, ID=no",length=x,ID=HLA-A*01:01:01:01>"#,
            "##contig=<length=5>",
            "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\ta\ta",
        ] {
            header.push(line.to_owned());
        }
        let expected = [("chr1".to_owned(), Some(248_956_422)), ("HLA-A*01:01:01:01".to_owned(), None)];
        assert_eq!(header.contigs(), expected);
        assert_eq!(header.samples(), ["a", "b", "a", "a"]);
        assert_eq!(header.duplicate_samples(), ["a"]);
        assert_eq!(header.lines().len(), 4);
    }
}
