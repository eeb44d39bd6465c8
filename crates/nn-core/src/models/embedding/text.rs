//! The text format of word2vec: a line with the numbers of rows and columns, then for each row its name and values.

use std::collections::HashSet;
use std::io::{BufRead, Write};

use super::{EmbeddingError, Vectors};

impl Vectors {
    /// Writes the vectors with a name for each, as word2vec.c and gensim do; reading gives the same bits.
    /// The writer is used for many small pieces: buffer it.
    ///
    /// # Errors
    /// - [`EmbeddingError::Length`] if there is not one name for each vector;
    /// - [`EmbeddingError::Name`] for a name that is empty, has white space in it or comes twice;
    /// - [`EmbeddingError::Io`] if writing fails.
    pub fn write_text<S: AsRef<str>>(&self, names: &[S], mut writer: impl Write) -> Result<(), EmbeddingError> {
        if names.len() != self.rows() {
            return Err(EmbeddingError::Length { what: "names", found: names.len(), expected: self.rows() });
        }
        let mut seen = HashSet::new();
        for (row, name) in names.iter().enumerate() {
            let name: &str = name.as_ref();
            let problem = if name.is_empty() {
                "empty"
            } else if name.contains(char::is_whitespace) {
                "not one word"
            } else if !seen.insert(name) {
                "there twice"
            } else {
                continue;
            };
            return Err(EmbeddingError::Name { row, name: name.to_owned(), problem });
        }
        writeln!(writer, "{} {}", self.rows(), self.width())?;
        for (name, row) in names.iter().zip(self.values().chunks_exact(self.width())) {
            write!(writer, "{}", name.as_ref())?;
            for value in row {
                // the shortest decimal that names this float and no other
                write!(writer, " {value}")?;
            }
            writeln!(writer)?;
        }
        Ok(writer.flush()?)
    }

    /// Reads names and vectors.
    ///
    /// # Errors
    /// - [`EmbeddingError::Text`] with the line, for a text that is not in the format, ends before the
    ///   promised number of rows or goes on behind it, or has a name twice;
    /// - [`EmbeddingError::Io`] if reading fails or the text is not UTF-8.
    pub fn read_text(reader: impl BufRead) -> Result<(Vec<String>, Self), EmbeddingError> {
        let mut lines = reader.lines().zip(1..);
        let header = lines.next().map_or_else(|| Ok(String::new()), |(text, _)| text)?;
        let (rows, width) = counts(&header).ok_or_else(|| {
            wrong(
                1,
                format!("{header:?} is not two positive whole numbers, rows and columns, and a space between them"),
            )
        })?;
        // a header is no reason to ask for more memory than a table of modest size
        let mut values = Vec::with_capacity(rows.saturating_mul(width).min(1 << 20));
        let (mut names, mut seen) = (Vec::new(), HashSet::new());
        for (text, line) in lines {
            let text = text?;
            // word2vec.c writes a space behind the last value
            let text = text.trim_end_matches([' ', '\r']);
            if text.is_empty() {
                continue;
            }
            if names.len() == rows {
                return Err(wrong(line, format!("a row more than the {rows} that the first line promises")));
            }
            let mut fields = text.split(' ');
            let name = fields.next().unwrap_or_default().to_owned();
            if name.is_empty() {
                return Err(wrong(line, "the row begins with a space where its name should be".to_owned()));
            }
            let before = values.len();
            for field in fields {
                let value = field.parse::<f32>().ok().filter(|value| value.is_finite());
                values.push(value.ok_or_else(|| wrong(line, format!("{field:?} of {name:?} is not a finite number")))?);
            }
            let found = values.len() - before;
            if found != width {
                return Err(wrong(line, format!("{name:?} has {found} values where there must be {width}")));
            }
            if !seen.insert(name.clone()) {
                return Err(wrong(line, format!("{name:?} has a row already")));
            }
            names.push(name);
        }
        if names.len() < rows {
            let found = names.len();
            let problem = format!("the text ends after {found} of the {rows} rows that the first line promises");
            return Err(wrong(found + 2, problem));
        }
        Ok((names, Self::new(values, width)?))
    }
}

fn wrong(line: usize, problem: String) -> EmbeddingError {
    EmbeddingError::Text { line, problem }
}

fn counts(header: &str) -> Option<(usize, usize)> {
    let (rows, width) = header.trim_end().split_once(' ')?;
    let (rows, width) = (rows.parse().ok()?, width.parse().ok()?);
    (rows > 0 && width > 0).then_some((rows, width))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::sink;

    #[test]
    fn what_is_written_is_read_bit_for_bit() {
        let values = vec![0.1, -1.0 / 3.0, 1e-38, f32::MIN_POSITIVE / 4.0, 3.4e38, -0.0];
        let vectors = Vectors::new(values.clone(), 3).unwrap();
        let mut text = Vec::new();
        vectors.write_text(&["é", "b:1"], &mut text).unwrap();
        assert!(text.starts_with("2 3\né 0.1 -0.33333334 0.0000".as_bytes()), "{}", String::from_utf8_lossy(&text));
        let (names, read) = Vectors::read_text(&text[..]).unwrap();
        assert_eq!(names, ["é", "b:1"]);
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(read.values()), bits(&values));
    }

    #[test]
    fn files_of_other_programs_are_read() {
        // gensim writes as here; word2vec.c writes a space behind the last value
        for text in ["2 2\na 1.5 -2e-3\nb 0 4\n", "2 2 \na 1.5 -2e-3 \nb 0 4 \n\n", "2 2\r\na 1.5 -2e-3\r\nb 0 4"] {
            let (names, vectors) = Vectors::read_text(text.as_bytes()).unwrap();
            assert_eq!(names, ["a", "b"]);
            assert_eq!(vectors.values(), [1.5, -0.002, 0.0, 4.0]);
        }
    }

    #[test]
    fn every_mistake_is_named_with_its_line() {
        for (text, message) in [
            ("", "line 1: \"\" is not two positive whole numbers, rows and columns, and a space between them"),
            ("2\na 1\n", "line 1: \"2\" is not two positive"),
            ("0 3\n", "line 1: \"0 3\" is not two positive"),
            ("a 1 2\n", "line 1: \"a 1 2\" is not two positive"),
            ("3 1\na 1\nb 2\n", "line 4: the text ends after 2 of the 3 rows that the first line promises"),
            ("2 2\na 1 2\nb 3\n", "line 3: \"b\" has 1 values where there must be 2"),
            ("1 2\na 1 2 3\n", "line 2: \"a\" has 3 values where there must be 2"),
            ("1 1\na 1\nb 2\n", "line 3: a row more than the 1 that the first line promises"),
            ("1 1\na x\n", "line 2: \"x\" of \"a\" is not a finite number"),
            ("1 1\na inf\n", "line 2: \"inf\" of \"a\" is not a finite number"),
            ("1 1\n 1\n", "line 2: the row begins with a space where its name should be"),
            ("2 1\na 1\na 2\n", "line 3: \"a\" has a row already"),
            ("99999999999 99999999999\na 1\n", "line 2: \"a\" has 1 values where there must be 99999999999"),
        ] {
            let error = Vectors::read_text(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
        // cut anywhere before its last number, a text is refused
        let whole = "2 2\nab 1.5 -2\ncd 0.25 1024\n";
        for end in 0..whole.len() - 4 {
            assert!(Vectors::read_text(&whole.as_bytes()[..end]).is_err(), "{:?}", &whole[..end]);
        }
        assert!(matches!(Vectors::read_text(&b"1 1\n\xff 1\n"[..]), Err(EmbeddingError::Io(_))));
    }

    #[test]
    fn names_that_do_not_fit_the_format_are_refused() {
        let vectors = Vectors::new(vec![1.0, 2.0], 1).unwrap();
        for names in [["a", ""], ["a", "b c"], ["a", "b\n"], ["a", "a"]] {
            assert!(matches!(vectors.write_text(&names, sink()), Err(EmbeddingError::Name { row: 1, .. })));
        }
        let error = vectors.write_text(&["a"], sink()).unwrap_err().to_string();
        assert_eq!(error, "1 names were given where there must be 2");
    }
}
