//! The grammar of SMILES, read once without building anything.
//!
//! The scan finds the bytes of each atom's token and names the mistakes that people make, with the place where they
//! made them: a ring is reported where it was opened, not at the end of the string. The grammar is OpenSMILES 1.0
//! (<http://opensmiles.org/opensmiles-spec.html>) with two extensions that RDKit also reads: `%(nnn)` for ring numbers
//! from 100 and the dative bonds `->` and `<-`.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use chematic::core::Element;

use super::SmilesError;

/// Deepest nesting of parentheses; beyond, the readers behind would run out of stack.
const MAX_DEPTH: usize = 400;

/// Aromatic symbols inside brackets, longest first.
const AROMATIC: [&str; 10] = ["se", "as", "te", "si", "b", "c", "n", "o", "p", "s"];

/// Byte ranges of the atoms of `smiles`, in the order in which they stand.
///
/// # Errors
/// [`SmilesError`] at the first violation of the grammar.
pub(super) fn scan(smiles: &str) -> Result<Vec<Range<usize>>, SmilesError> {
    let mut scanner = Scanner::new(smiles);
    while let Some(&byte) = scanner.bytes.get(scanner.at) {
        match byte {
            b'(' => scanner.open_branch()?,
            b')' => scanner.close_branch()?,
            b'.' => scanner.dot()?,
            b'0'..=b'9' | b'%' => scanner.ring()?,
            b'-' | b'=' | b'#' | b'$' | b':' | b'/' | b'\\' | b'<' => scanner.bond()?,
            b'[' => scanner.bracket()?,
            _ => scanner.bare_atom()?,
        }
    }
    scanner.finish()
}

/// A bond symbol that waits for the atom or ring number after it.
#[derive(Clone, Copy)]
struct Bond {
    byte: usize,
    symbol: &'static str,
}

impl Bond {
    /// Whether the symbol reads the same from both ends.
    fn symmetric(self) -> bool {
        matches!(self.symbol, "-" | "=" | "#" | "$" | ":")
    }
}

struct Ring {
    byte: usize,
    atom: usize,
    bond: Option<Bond>,
}

struct Branch {
    byte: usize,
    parent: usize,
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    atoms: Vec<Range<usize>>,
    /// The atom that the next one is bonded to; none at the start and after a dot.
    current: Option<usize>,
    /// Whether nothing has been read since the last `(`.
    fresh: bool,
    bond: Option<Bond>,
    branches: Vec<Branch>,
    rings: HashMap<u32, Ring>,
    bonded: HashSet<(usize, usize)>,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            atoms: Vec::new(),
            current: None,
            fresh: false,
            bond: None,
            branches: Vec::new(),
            rings: HashMap::new(),
            bonded: HashSet::new(),
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// Number of digits from `at` on.
    fn digits(&self, at: usize) -> usize {
        self.bytes.iter().skip(at).take_while(|byte| byte.is_ascii_digit()).count()
    }

    /// The bond symbol before the token at hand must have had something to bind.
    fn no_bond_left(&self) -> Result<(), SmilesError> {
        match self.bond {
            Some(bond) => Err(SmilesError::new(bond.byte, format!("bond {} leads to no atom", bond.symbol))),
            None => Ok(()),
        }
    }

    fn open_branch(&mut self) -> Result<(), SmilesError> {
        if let Some(bond) = self.bond {
            let reason = format!("bond {} before '('; write it inside the parenthesis", bond.symbol);
            return Err(SmilesError::new(bond.byte, reason));
        }
        let parent = match self.current {
            Some(parent) if !self.fresh => parent,
            _ => return Err(SmilesError::new(self.at, "'(' without an atom before it")),
        };
        if self.branches.len() == MAX_DEPTH {
            return Err(SmilesError::new(self.at, format!("more than {MAX_DEPTH} parentheses inside each other")));
        }
        self.branches.push(Branch { byte: self.at, parent });
        self.fresh = true;
        self.at += 1;
        Ok(())
    }

    fn close_branch(&mut self) -> Result<(), SmilesError> {
        self.no_bond_left()?;
        let Some(branch) = self.branches.pop() else {
            return Err(SmilesError::new(self.at, "')' without '('"));
        };
        if self.fresh {
            return Err(SmilesError::new(branch.byte, "nothing between '(' and ')'"));
        }
        self.current = Some(branch.parent);
        self.at += 1;
        Ok(())
    }

    fn dot(&mut self) -> Result<(), SmilesError> {
        self.no_bond_left()?;
        if let Some(branch) = self.branches.last() {
            let reason =
                format!("'.' inside the parenthesis of byte {}; write the parts one after another", branch.byte + 1);
            return Err(SmilesError::new(self.at, reason));
        }
        if self.current.is_none() {
            return Err(SmilesError::new(self.at, "'.' without an atom before it"));
        }
        self.current = None;
        self.at += 1;
        Ok(())
    }

    fn bond(&mut self) -> Result<(), SmilesError> {
        let symbol = match (self.bytes[self.at], self.byte(self.at + 1)) {
            (b'-', Some(b'>')) => "->",
            (b'<', Some(b'-')) => "<-",
            (b'-', _) => "-",
            (b'=', _) => "=",
            (b'#', _) => "#",
            (b'$', _) => "$",
            (b':', _) => ":",
            (b'/', _) => "/",
            (b'\\', _) => "\\",
            _ => return Err(self.unexpected(self.at)),
        };
        if let Some(bond) = self.bond {
            let reason = format!("bond {symbol} directly after bond {}", bond.symbol);
            return Err(SmilesError::new(self.at, reason));
        }
        if self.current.is_none() {
            return Err(SmilesError::new(self.at, format!("bond {symbol} without an atom before it")));
        }
        self.bond = Some(Bond { byte: self.at, symbol });
        self.at += symbol.len();
        Ok(())
    }

    fn ring(&mut self) -> Result<(), SmilesError> {
        let start = self.at;
        let atom = match self.current {
            Some(atom) if !self.fresh => atom,
            _ => return Err(SmilesError::new(start, "ring number without an atom before it")),
        };
        let number = self.ring_number()?;
        let bond = self.bond.take();
        let Some(open) = self.rings.remove(&number) else {
            self.rings.insert(number, Ring { byte: start, atom, bond });
            return Ok(());
        };
        if open.atom == atom {
            return Err(SmilesError::new(start, format!("ring {number} closes on the atom that opened it")));
        }
        if let (Some(first), Some(second)) = (open.bond, bond)
            && first.symmetric()
            && second.symmetric()
            && first.symbol != second.symbol
        {
            let reason = format!(
                "ring {number} is closed with bond {} but was opened with bond {} at byte {}",
                second.symbol,
                first.symbol,
                first.byte + 1
            );
            return Err(SmilesError::new(start, reason));
        }
        if !self.bonded.insert((open.atom, atom)) {
            let reason = format!("ring {number} joins two atoms that are already bonded");
            return Err(SmilesError::new(start, reason));
        }
        Ok(())
    }

    /// Reads `3`, `%12` or `%(123)`.
    fn ring_number(&mut self) -> Result<u32, SmilesError> {
        let start = self.at;
        let (digits, end) = match (self.bytes[start], self.byte(start + 1)) {
            (b'%', Some(b'(')) => {
                let count = self.digits(start + 2);
                if !(3..=5).contains(&count) || self.byte(start + 2 + count) != Some(b')') {
                    return Err(SmilesError::new(start, "'%(' needs 3 to 5 digits and ')' after it"));
                }
                (start + 2..start + 2 + count, start + 3 + count)
            }
            (b'%', _) => {
                if self.digits(start + 1) < 2 {
                    return Err(SmilesError::new(start, "'%' needs two digits after it"));
                }
                (start + 1..start + 3, start + 3)
            }
            _ => (start..start + 1, start + 1),
        };
        let number = self.bytes[digits].iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
        if end - start > 3 && number < 100 {
            return Err(SmilesError::new(start, "ring numbers below 100 are written with one digit or as %nn"));
        }
        self.at = end;
        Ok(number)
    }

    fn bare_atom(&mut self) -> Result<(), SmilesError> {
        let rest = &self.bytes[self.at..];
        let length = match rest {
            [b'C', b'l', ..] | [b'B', b'r', ..] => 2,
            [
                b'B' | b'C' | b'N' | b'O' | b'P' | b'S' | b'F' | b'I' | b'b' | b'c' | b'n' | b'o' | b'p' | b's' | b'*',
                ..,
            ] => 1,
            _ => return Err(self.unexpected(self.at)),
        };
        self.push_atom(self.at + length);
        Ok(())
    }

    /// Reads `[isotope symbol chirality hydrogens charge :map]`.
    fn bracket(&mut self) -> Result<(), SmilesError> {
        let start = self.at;
        let mut at = start + 1;
        let isotope = self.digits(at);
        if isotope > 3 {
            return Err(SmilesError::new(at, "an isotope number has at most 3 digits"));
        }
        at += isotope;
        at += self.symbol(start, at)?;
        at += self.chirality(at);
        if self.byte(at) == Some(b'H') {
            at += 1 + self.digits(at + 1).min(2);
        }
        if let Some(sign @ (b'+' | b'-')) = self.byte(at) {
            at += if self.byte(at + 1) == Some(sign) { 2 } else { 1 + self.digits(at + 1).min(2) };
        }
        if self.byte(at) == Some(b':') {
            let map = self.digits(at + 1);
            if !(1..=4).contains(&map) {
                return Err(SmilesError::new(at, "':' inside brackets needs an atom number of 1 to 4 digits"));
            }
            at += 1 + map;
        }
        match self.byte(at) {
            Some(b']') => {
                self.push_atom(at + 1);
                Ok(())
            }
            Some(_) if self.bytes[at..].contains(&b']') => {
                let found = self.character(at);
                Err(SmilesError::new(at, format!("{found:?} is out of place inside brackets")))
            }
            _ => Err(SmilesError::new(start, "'[' not closed")),
        }
    }

    /// Length of the element symbol at `at`.
    fn symbol(&self, start: usize, at: usize) -> Result<usize, SmilesError> {
        let Some(first) = self.byte(at) else {
            return Err(SmilesError::new(start, "'[' not closed"));
        };
        let rest = &self.text[at..];
        match first {
            b'*' => Ok(1),
            b'A'..=b'Z' => {
                let length = if self.byte(at + 1).is_some_and(|next| next.is_ascii_lowercase()) { 2 } else { 1 };
                let symbol = &rest[..length];
                if Element::from_symbol(symbol).is_none() {
                    return Err(SmilesError::new(at, format!("'{symbol}' is not an element")));
                }
                Ok(length)
            }
            b'a'..=b'z' => match AROMATIC.iter().find(|symbol| rest.starts_with(**symbol)) {
                Some(symbol) => Ok(symbol.len()),
                None => Err(SmilesError::new(at, format!("{:?} is not an aromatic element", self.character(at)))),
            },
            _ => Err(SmilesError::new(at, "no element after '['")),
        }
    }

    /// Length of the chirality mark at `at`, 0 if there is none.
    fn chirality(&self, at: usize) -> usize {
        match &self.bytes[at.min(self.bytes.len())..] {
            [b'@', b'@', ..] => 2,
            [b'@', b'T' | b'O', b'H', ..]
            | [b'@', b'A', b'L', ..]
            | [b'@', b'S', b'P', ..]
            | [b'@', b'T', b'B', ..] => 3 + self.digits(at + 3).min(2),
            [b'@', ..] => 1,
            _ => 0,
        }
    }

    /// Takes the bytes up to `end` as an atom and bonds it to the current one.
    fn push_atom(&mut self, end: usize) {
        let atom = self.atoms.len();
        self.atoms.push(self.at..end);
        if let Some(previous) = self.current {
            self.bonded.insert((previous, atom));
        }
        self.bond = None;
        self.current = Some(atom);
        self.fresh = false;
        self.at = end;
    }

    fn finish(self) -> Result<Vec<Range<usize>>, SmilesError> {
        self.no_bond_left()?;
        if let Some(branch) = self.branches.last() {
            return Err(SmilesError::new(branch.byte, "'(' not closed"));
        }
        if let Some((number, ring)) = self.rings.iter().min_by_key(|(_, ring)| ring.byte) {
            return Err(SmilesError::new(ring.byte, format!("ring {number} not closed")));
        }
        if self.current.is_none() {
            return Err(SmilesError::new(self.text.len().saturating_sub(1), "'.' without an atom after it"));
        }
        Ok(self.atoms)
    }

    /// The character that starts at byte `at`; tokens are ASCII, so that the scan only stops between characters.
    fn character(&self, at: usize) -> char {
        self.text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    fn unexpected(&self, at: usize) -> SmilesError {
        let found = self.character(at);
        let reason = match found {
            '@' => "'@' outside brackets".to_owned(),
            '~' => "'~' is a bond of search patterns (SMARTS), not of molecules".to_owned(),
            ']' => "']' without '['".to_owned(),
            '>' => "'>' belongs to reactions; give one molecule".to_owned(),
            _ if found.is_whitespace() => "whitespace inside the SMILES".to_owned(),
            _ if found.is_ascii_alphabetic() => format!("{found:?} is not an element that may stand without brackets"),
            _ => format!("unexpected character {found:?}"),
        };
        SmilesError::new(at, reason)
    }
}

#[cfg(test)]
mod tests;
