//! Skip-gram vectors of codes, with windows that know what a visit is.
//!
//! Choi, Schuetz, Stewart and Sun 2016, *Medical concept representation learning from electronic health records and its
//! application on heart failure prediction*, arXiv:1602.03686: skip-gram over the codes of a patient's visits, a
//! patient as the sum of the vectors of all codes ([`CodeEmbedding::patient`]). Choi, Chiu and Sontag 2016, *Learning
//! low-dimensional representations of medical concepts*, AMIA CRI: codes of a stretch of time, each once and in random
//! order, hierarchical softmax, 300 numbers; and how to judge such vectors, in [`measures`].
//!
//! The order of codes within a visit comes from a billing system and means nothing: a window that counts places would
//! take neighbours at random and far ones for none. So codes of a group (a visit, or a stretch of days) are either all
//! context of each other ([`Reach::Group`]), or stand in random order within it while the window goes on into the
//! groups beside it ([`Reach::Sequence`]). Vectors that were fitted on patients who are judged later have seen them:
//! give the [`View`](crate::view::View)s of the training part alone.
//!
//! The engine is `nn_core`'s [`SkipGramConfig`](nn_core::models::embedding::SkipGramConfig).

pub mod measures;
mod sequences;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io::{BufRead, Write};

use nn_core::models::embedding::{EmbeddingError, Vectors};

pub use self::sequences::{CodeCorpus, CodeEmbeddingConfig, Grouping, Reach};
use crate::codebook::{CodeId, Codebook};

/// A vector for each code.
#[derive(Debug, Clone, PartialEq)]
pub struct CodeEmbedding {
    names: Vec<String>,
    rows: HashMap<String, u32>,
    vectors: Vectors,
}

impl CodeEmbedding {
    /// Vectors with the codes of their rows.
    ///
    /// # Errors
    /// [`EmbeddingError::Length`] if there is not one code for each vector.
    pub fn new(names: Vec<String>, vectors: Vectors) -> Result<Self, EmbeddingError> {
        if names.len() != vectors.rows() {
            return Err(EmbeddingError::Length { what: "codes", found: names.len(), expected: vectors.rows() });
        }
        let rows = names.iter().cloned().zip(0..).collect();
        Ok(Self { names, rows, vectors })
    }

    /// The code of each row.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The vectors.
    pub fn vectors(&self) -> &Vectors {
        &self.vectors
    }

    /// The row of a code.
    pub fn row(&self, code: &str) -> Option<u32> {
        self.rows.get(code).copied()
    }

    /// The vector of a code.
    pub fn get(&self, code: &str) -> Option<&[f32]> {
        self.vectors.get(self.row(code)?).ok()
    }

    /// The `k` codes nearest to a code, with the cosine of the angle between; none if it has no vector.
    pub fn neighbours(&self, code: &str, k: usize) -> Option<Vec<(&str, f32)>> {
        let near = self.vectors.neighbours(self.row(code)?, k).ok()?;
        Some(near.iter().map(|other| (self.names[other.code as usize].as_str(), other.cosine)).collect())
    }

    /// The row of each code of a book; none for those without a vector.
    pub fn rows_in(&self, book: &Codebook) -> Vec<Option<u32>> {
        book.iter().map(|(_, name)| self.row(name)).collect()
    }

    /// A record as the sum of the vectors of its groups' codes, as many times as they occur; zeros for one without any.
    /// `rows` is what [`rows_in`](Self::rows_in) gives for the view's book.
    pub fn patient(&self, groups: &[Vec<CodeId>], rows: &[Option<u32>]) -> Vec<f32> {
        let mut sum = vec![0.0_f32; self.vectors.width()];
        for code in groups.iter().flatten() {
            let row = rows.get(code.index()).copied().flatten();
            let Some(vector) = row.and_then(|row| self.vectors.get(row).ok()) else { continue };
            sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += value);
        }
        sum
    }

    /// Writes the text format of word2vec, in which a blank of a code is written as `%20` and `%` as `%25`.
    ///
    /// # Errors
    /// As [`Vectors::write_text`].
    pub fn write(&self, writer: impl Write) -> Result<(), EmbeddingError> {
        let names: Vec<String> = self.names.iter().map(|name| escaped(name)).collect();
        self.vectors.write_text(&names, writer)
    }

    /// Reads what [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// As [`Vectors::read_text`].
    pub fn read(reader: impl BufRead) -> Result<Self, EmbeddingError> {
        let (names, vectors) = Vectors::read_text(reader)?;
        Self::new(names.iter().map(|name| unescaped(name)).collect(), vectors)
    }
}

/// White space has no place in a name of the format.
fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for letter in name.chars() {
        if letter.is_whitespace() || letter == '%' {
            let mut bytes = [0; 4];
            for byte in letter.encode_utf8(&mut bytes).bytes() {
                text.extend(['%', hexadecimal(byte >> 4), hexadecimal(byte & 15)]);
            }
        } else {
            text.push(letter);
        }
    }
    text
}

/// One digit.
fn hexadecimal(digit: u8) -> char {
    char::from_digit(u32::from(digit), 16).unwrap_or('0').to_ascii_uppercase()
}

/// The name that [`escaped`] was given; what is no escape stays as it is.
fn unescaped(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}
