//! Motifs in MEME's text format, version 4 and later (<https://meme-suite.org/meme/doc/meme-format.html>): what MEME,
//! JASPAR, CIS-BP and HOCOMOCO give out, and what TOMTOM and FIMO read.
//!
//! Of a file are read the alphabet, the strands, the background, and of each motif its names, the letter-probability
//! matrix with the numbers of its head line, and the address; everything else is passed over, as the format asks for.
//! Each motif must be whole, the last one too: where a file was cut off inside a matrix it is refused.

mod parser;

use std::io::BufRead;
use std::path::Path;

use self::parser::Parser;
use super::IoError;
use super::text::{self, Lines};
use crate::motif::{Column, Motif, UNIFORM};

/// Digits behind the point in what is written.
const DIGITS: usize = 6;

/// A file of motifs.
#[derive(Debug, Clone, PartialEq)]
pub struct MotifFile {
    /// The motifs, in file order. Names need not differ.
    pub motifs: Vec<Motif>,
    /// Frequencies of A, C, G and T where the motifs do not occur; uniform, if the file has none.
    pub background: Column,
    /// Whether the motifs occur on both strands.
    pub both_strands: bool,
}

impl MotifFile {
    /// Motifs of both strands over a uniform background.
    pub fn new(motifs: Vec<Motif>) -> Self {
        Self { motifs, background: UNIFORM, both_strands: true }
    }
}

/// Reads a file of motifs.
///
/// # Errors
/// [`IoError`] if the file cannot be read, has no motif, or has one that is not whole, is no motif of DNA or RNA, or
/// has rows that are no probabilities; with the line.
pub fn read_meme(path: &Path) -> Result<MotifFile, IoError> {
    read(Lines::open(path)?)
}

fn read<R: BufRead>(mut lines: Lines<R>) -> Result<MotifFile, IoError> {
    let mut parser = Parser::default();
    while let Some(line) = lines.text()? {
        let taken = parser.line(line);
        taken.map_err(|problem| lines.problem(problem))?;
    }
    let file = parser.finish().map_err(|problem| lines.problem(problem))?;
    if file.motifs.is_empty() {
        return Err(IoError::Empty { path: lines.path().to_path_buf(), what: "motifs" });
    }
    Ok(file)
}

/// Writes a file of motifs in version 4. Rows sum to exactly 1 as they are printed; blanks in names become underscores,
/// and 20 stands for the number of sites where that is not known, as readers of the format assume.
///
/// # Errors
/// [`IoError::Atomic`]; what was there before is untouched then.
pub fn write_meme(path: &Path, file: &MotifFile) -> Result<(), IoError> {
    text::write(path, |out| {
        let MotifFile { motifs, background, both_strands } = file;
        let strands = if *both_strands { "+ -" } else { "+" };
        let [a, c, g, t] = rounded(background);
        write!(out, "MEME version 4\n\nALPHABET= ACGT\n\nstrands: {strands}\n\n")?;
        write!(out, "Background letter frequencies\nA {a} C {c} G {g} T {t}\n")?;
        for motif in motifs {
            write!(out, "\nMOTIF {}", word(&motif.name))?;
            if let Some(alias) = &motif.alias {
                write!(out, " {}", word(alias))?;
            }
            let (width, sites) = (motif.width(), motif.sites.unwrap_or(20.0));
            write!(out, "\nletter-probability matrix: alength= 4 w= {width} nsites= {sites}")?;
            match motif.e_value {
                Some(value) if value > 0.0 => writeln!(out, " E= {value:e}")?,
                _ => writeln!(out, " E= 0")?,
            }
            for column in motif.columns() {
                writeln!(out, "{}", rounded(column).join(" "))?;
            }
            if let Some(url) = &motif.url {
                writeln!(out, "URL {}", word(url))?;
            }
        }
        Ok(())
    })
}

/// A name as one word.
fn word(name: &str) -> String {
    let word: String = name.trim().chars().map(|c| if c.is_whitespace() || c.is_control() { '_' } else { c }).collect();
    if word.is_empty() { "motif".to_owned() } else { word }
}

/// Probabilities with [`DIGITS`] digits whose printed values sum to 1: all are cut off, and the units that are missing
/// then go to those that lost most.
fn rounded(column: &Column) -> [String; 4] {
    let unit = 10_u64.pow(DIGITS as u32);
    let sum: f64 = column.iter().sum();
    let exact = column.map(|value| value / sum * unit as f64);
    let mut whole = exact.map(|value| value.floor() as u64);
    let mut order = [0, 1, 2, 3];
    let lost = |base: &usize| exact[*base].fract();
    order.sort_by(|a, b| lost(b).total_cmp(&lost(a)));
    let missing = unit.saturating_sub(whole.iter().sum::<u64>());
    for &base in order.iter().cycle().take(missing.min(4) as usize) {
        whole[base] += 1;
    }
    whole.map(|value| format!("{}.{:0DIGITS$}", value / unit, value % unit))
}

#[cfg(test)]
mod tests;
