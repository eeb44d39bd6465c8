//! Line by line through a file of motifs.

use super::MotifFile;
use crate::motif::{Column, Motif, UNIFORM};

/// Rows that are taken from a matrix whose head line does not say how many there are.
const MOST_ROWS: usize = 10_000;

/// What was read so far.
#[derive(Default)]
pub(super) struct Parser {
    versioned: bool,
    motifs: Vec<Motif>,
    background: Vec<f64>,
    one_strand: bool,
    current: Option<Pending>,
    state: State,
}

/// What the next lines are.
#[derive(Default, Clone, Copy)]
enum State {
    /// Anything.
    #[default]
    Open,
    /// Letters of an alphabet, to its end.
    Alphabet,
    /// Frequencies of the background.
    Background,
    /// Rows of the matrix of the current motif.
    Rows,
    /// Rows of another matrix.
    Skipped,
}

/// A motif whose matrix is not complete.
struct Pending {
    name: String,
    alias: Option<String>,
    width: Option<usize>,
    sites: Option<f64>,
    e_value: Option<f64>,
    rows: Vec<Column>,
    /// Whether there was a matrix.
    started: bool,
}

impl Parser {
    /// Takes a line, or says what is wrong with it.
    pub(super) fn line(&mut self, line: &str) -> Result<(), String> {
        let line = line.trim();
        let first = line.split_whitespace().next().unwrap_or_default();
        if !self.versioned {
            return self.version(line);
        }
        // a copy, because the guards below need all of the parser
        let state = self.state;
        match state {
            State::Alphabet => {
                if line.starts_with("END ALPHABET") {
                    self.state = State::Open;
                }
                return Ok(());
            }
            State::Background if self.frequencies(line)? => return Ok(()),
            State::Rows if self.row(line)? => return Ok(()),
            State::Skipped if line.is_empty() || first.parse::<f64>().is_ok() => return Ok(()),
            _ => self.state = State::Open,
        }
        match first {
            "MOTIF" => self.motif(line)?,
            "letter-probability" => self.matrix(line)?,
            "log-odds" => self.state = State::Skipped,
            "URL" => {
                if let Some(motif) = self.motifs.last_mut().filter(|_| self.current.is_none()) {
                    motif.url = line.split_whitespace().nth(1).map(str::to_owned);
                }
            }
            "strands:" => self.one_strand = !line.split_whitespace().any(|word| word == "-"),
            "Background" => {
                self.background.clear();
                self.state = State::Background;
            }
            _ if first.starts_with("ALPHABET") => self.alphabet(line)?,
            _ => {}
        }
        Ok(())
    }

    /// What is in the file, once it has ended.
    pub(super) fn finish(mut self) -> Result<MotifFile, String> {
        if self.current.is_some() {
            self.complete("the file ends")?;
        }
        let background = match self.background.as_slice() {
            [] => UNIFORM,
            &[a, c, g, t] => [a, c, g, t],
            found => return Err(format!("the file ends after {} of 4 background frequencies", found.len())),
        };
        Ok(MotifFile { motifs: self.motifs, background, both_strands: !self.one_strand })
    }

    fn version(&mut self, line: &str) -> Result<(), String> {
        // the results of MEME itself begin with a frame of stars
        if line.chars().all(|c| c == '*') || line.starts_with("MEME - ") {
            return Ok(());
        }
        let number = line.strip_prefix("MEME version").ok_or("no file of motifs; it must begin with MEME version 4")?;
        let major = number.trim().split(['.', ' ']).next().unwrap_or_default();
        if major.parse::<u32>().is_ok_and(|major| major >= 4) {
            self.versioned = true;
            return Ok(());
        }
        Err(format!("MEME version {:?} is not read; convert the file to version 4", number.trim()))
    }

    fn alphabet(&mut self, line: &str) -> Result<(), String> {
        let refused = || format!("{line:?} is no alphabet of DNA or RNA; only motifs over ACGT are read");
        if let Some(letters) = line.strip_prefix("ALPHABET=") {
            return match letters.trim() {
                "ACGT" | "ACGU" | "ACGTN" => Ok(()),
                _ => Err(refused()),
            };
        }
        // ALPHABET "DNA" DNA-LIKE, with a line for each letter up to END ALPHABET
        if !(line.contains("DNA") || line.contains("RNA")) {
            return Err(refused());
        }
        self.state = State::Alphabet;
        Ok(())
    }

    /// Takes letters with their frequencies; false if the line has none and all are there.
    fn frequencies(&mut self, line: &str) -> Result<bool, String> {
        if self.background.len() == 4 {
            return Ok(false);
        }
        let mut words = line.split_whitespace();
        while let Some(letter) = words.next() {
            let due = ["A", "C", "G", "T"].get(self.background.len()).copied().unwrap_or("no letter");
            if letter != due && !(due == "T" && letter == "U") {
                return Err(format!("{letter:?} stands where the background frequency of {due} is due"));
            }
            let frequency = words.next().and_then(|word| word.parse::<f64>().ok());
            let Some(frequency) = frequency.filter(|value| (0.0..=1.0).contains(value)) else {
                return Err(format!("the background frequency of {letter} is no number from 0 to 1"));
            };
            self.background.push(frequency);
        }
        if self.background.len() == 4 && (self.background.iter().sum::<f64>() - 1.0).abs() > 0.02 {
            return Err(format!("the background frequencies sum to {}, not to 1", self.background.iter().sum::<f64>()));
        }
        Ok(true)
    }

    fn motif(&mut self, line: &str) -> Result<(), String> {
        if self.current.is_some() {
            self.complete("the next motif begins")?;
        }
        let mut words = line.split_whitespace().skip(1);
        let name = words.next().ok_or("MOTIF without a name")?.to_owned();
        // MEME's own results go on with "width =  8  sites =  18 …"
        let alias = words.next().filter(|word| *word != "width").map(str::to_owned);
        let (rows, started) = (Vec::new(), false);
        self.current = Some(Pending { name, alias, width: None, sites: None, e_value: None, rows, started });
        Ok(())
    }

    /// Takes the head line of a matrix.
    fn matrix(&mut self, line: &str) -> Result<(), String> {
        let Some(current) = &mut self.current else { return Err("a matrix without a MOTIF line before it".into()) };
        let head = line.split_once(':').map_or("", |(_, head)| head).replace('=', " ");
        let mut words = head.split_whitespace();
        while let Some(key) = words.next() {
            let text = words.next().unwrap_or_default();
            let number = text.parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
            let number = number.ok_or_else(|| format!("{key}= {text:?} is no number that fits there"))?;
            match key {
                "alength" if number == 4.0 => {}
                "alength" => return Err(format!("a matrix of {number} letters; only motifs over ACGT are read")),
                "w" if number.fract() == 0.0 && (1.0..=MOST_ROWS as f64).contains(&number) => {
                    current.width = Some(number as usize);
                }
                "w" => return Err(format!("w= {number} is no number of positions from 1 to {MOST_ROWS}")),
                "nsites" => current.sites = Some(number),
                "E" => current.e_value = Some(number),
                _ => {}
            }
        }
        current.rows.clear();
        current.started = true;
        self.state = State::Rows;
        Ok(())
    }

    /// Takes a row of the matrix; false if the matrix was complete before it.
    fn row(&mut self, line: &str) -> Result<bool, String> {
        let Some(current) = &mut self.current else { return Ok(false) };
        let due = |current: &Pending| match current.width {
            Some(width) => format!("motif {}: row {} of {width} is due", current.name, current.rows.len() + 1),
            None => format!("motif {}: row {} is due", current.name, current.rows.len() + 1),
        };
        if line.is_empty() {
            // a blank line ends a matrix of unknown width
            if current.width.is_none() && !current.rows.is_empty() {
                self.complete("a blank line follows")?;
            }
            return Ok(true);
        }
        let numbers: Vec<&str> = line.split_whitespace().collect();
        if current.width.is_none() && !current.rows.is_empty() && numbers[0].parse::<f64>().is_err() {
            self.complete("other text follows")?;
            return Ok(false);
        }
        let parsed: Option<Vec<f64>> = numbers.iter().map(|text| text.parse::<f64>().ok()).collect();
        match parsed.as_deref() {
            Some(&[a, c, g, t]) => current.rows.push([a, c, g, t]),
            Some(found) => return Err(format!("{}, of 4 numbers, not {}", due(current), found.len())),
            None => return Err(format!("{}, not {line:?}", due(current))),
        }
        if current.rows.len() > MOST_ROWS {
            return Err(format!("motif {} has more than {MOST_ROWS} rows", current.name));
        }
        if current.width == Some(current.rows.len()) {
            self.complete("")?;
        }
        Ok(true)
    }

    /// Makes a motif of the current one; `cause` is why no more of it comes.
    fn complete(&mut self, cause: &str) -> Result<(), String> {
        let Some(Pending { name, alias, width, sites, e_value, rows, started }) = self.current.take() else {
            return Ok(());
        };
        if !started {
            return Err(format!("{cause}, but motif {name} has no letter-probability matrix"));
        }
        if let Some(width) = width.filter(|width| *width != rows.len()) {
            return Err(format!("{cause} after {} of the {width} rows of motif {name}", rows.len()));
        }
        let mut motif = Motif::new(name, rows).map_err(|error| error.to_string())?;
        (motif.alias, motif.sites, motif.e_value) = (alias, sites, e_value);
        self.motifs.push(motif);
        self.state = State::Open;
        Ok(())
    }
}
