//! Strings to numbers: the tokenisers of the sequence models.
//!
//! Two are the character tables of `DeepDTA` (Öztürk et al. 2018, `source/datahelper.py`), which published models
//! depend on: they read `Cl` as two characters and know neither `p` nor `*`. The third knows chemistry: an atom, a
//! bracket or a two-digit ring number is one token, and its vocabulary is fitted on training strings. Nothing is lost
//! silently: what was cut off and what has no label is part of every [`Encoded`], and a [`TokenReport`] sums it up.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Label of padding in every tokeniser.
pub const PAD: u8 = 0;

/// Most labels of a fitted vocabulary: labels are bytes, 0 pads and 1 stands for what is unknown.
pub const MAX_TOKENS: usize = 254;

/// `CHARISOSMISET`, 64 labels; the label of a character is its position, counted from 1. `DeepDTA` reads
/// `ligands_can.txt` but encodes with this table; the smaller `CHARCANSMISET` is not used there.
const SMILES_LABELS: &str = "(.02468@BDFHLNPRTVZ\\bdfhlnrt#%)+-/13579=ACEGIKMOSUWY[]acegimosuy";

/// `CHARPROTSET`, 25 labels: the letters without J.
const PROTEIN_LABELS: &str = "ACBEDGFIHKMLONQPSRUTWVYXZ";

static SMILES: [u8; 128] = table(SMILES_LABELS);
static PROTEIN: [u8; 128] = table(PROTEIN_LABELS);

const fn table(labels: &str) -> [u8; 128] {
    let labels = labels.as_bytes();
    let mut table = [PAD; 128];
    let mut position = 0;
    while position < labels.len() {
        table[labels[position] as usize] = position as u8 + 1;
        position += 1;
    }
    table
}

/// Label of an unknown token in a fitted vocabulary; its known tokens follow.
const UNKNOWN: u8 = 1;

/// A vocabulary that cannot be built or read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// No token is frequent enough.
    #[error("no token occurs at least {min_count} times in the training strings; give more strings or a lower minimum")]
    Empty {
        /// The minimum asked for.
        min_count: usize,
    },
    /// A stored vocabulary with more tokens than there are labels.
    #[error("the vocabulary has {found} tokens; at most {MAX_TOKENS} fit")]
    TooMany {
        /// Number of tokens found.
        found: usize,
    },
    /// A stored vocabulary that names a token twice, or one that no string is cut into.
    #[error("the vocabulary is damaged: {token:?} is listed twice or is not one token")]
    Damaged {
        /// The token.
        token: String,
    },
}

/// A fitted or fixed way of turning strings into labels. Serialises; a trained model stores the one it was trained
/// with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Tokenizer {
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    DeepDtaSmiles,
    DeepDtaProtein,
    Chemistry { tokens: Vec<String>, labels: HashMap<String, u8> },
}

/// What stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Stored {
    DeepdtaSmiles,
    DeepdtaProtein,
    Chemistry { tokens: Vec<String> },
}

impl From<Tokenizer> for Stored {
    fn from(tokenizer: Tokenizer) -> Self {
        match tokenizer.kind {
            Kind::DeepDtaSmiles => Self::DeepdtaSmiles,
            Kind::DeepDtaProtein => Self::DeepdtaProtein,
            Kind::Chemistry { tokens, .. } => Self::Chemistry { tokens },
        }
    }
}

impl TryFrom<Stored> for Tokenizer {
    type Error = TokenError;

    fn try_from(stored: Stored) -> Result<Self, TokenError> {
        match stored {
            Stored::DeepdtaSmiles => Ok(Self::deepdta_smiles()),
            Stored::DeepdtaProtein => Ok(Self::deepdta_protein()),
            Stored::Chemistry { tokens } => Self::with_vocabulary(tokens),
        }
    }
}

/// A string as a model reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Labels of the first tokens, not padded.
    pub ids: Vec<u8>,
    /// Number of tokens before truncation.
    pub length: usize,
    /// Byte offset and first character of each token without a label, among those that were kept.
    pub unknown: Vec<(usize, char)>,
}

impl Encoded {
    /// Whether tokens were cut off.
    pub fn truncated(&self) -> bool {
        self.length > self.ids.len()
    }
}

impl Tokenizer {
    /// `DeepDTA`'s table for SMILES: 64 labels, one for a character.
    ///
    /// ```
    /// use drug::tokens::Tokenizer;
    /// let encoded = Tokenizer::deepdta_smiles().encode("C(Cl)p", 100);
    /// assert_eq!(encoded.ids, [42, 1, 42, 25, 31, 0]);
    /// assert_eq!(encoded.unknown, [(5, 'p')]);
    /// ```
    pub fn deepdta_smiles() -> Self {
        Self { kind: Kind::DeepDtaSmiles }
    }

    /// `DeepDTA`'s table for protein sequences: 25 labels, one for a residue.
    pub fn deepdta_protein() -> Self {
        Self { kind: Kind::DeepDtaProtein }
    }

    /// A chemistry-aware tokeniser whose vocabulary is the tokens that occur at least `min_count` times in `smiles`, at
    /// most the [`MAX_TOKENS`] most frequent. The order of the strings does not matter.
    ///
    /// # Errors
    /// [`TokenError::Empty`] if that leaves no token.
    pub fn fit_chemistry<'a>(smiles: impl IntoIterator<Item = &'a str>, min_count: usize) -> Result<Self, TokenError> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for text in smiles {
            let mut start = 0;
            while start < text.len() {
                let end = chemistry_end(text, start);
                *counts.entry(&text[start..end]).or_default() += 1;
                start = end;
            }
        }
        let mut frequent: Vec<(&str, usize)> = counts.into_iter().filter(|(_, count)| *count >= min_count).collect();
        if frequent.is_empty() {
            return Err(TokenError::Empty { min_count });
        }
        frequent.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        frequent.truncate(MAX_TOKENS);
        let mut tokens: Vec<String> = frequent.into_iter().map(|(token, _)| token.to_owned()).collect();
        tokens.sort_unstable();
        Self::with_vocabulary(tokens)
    }

    fn with_vocabulary(tokens: Vec<String>) -> Result<Self, TokenError> {
        if tokens.len() > MAX_TOKENS {
            return Err(TokenError::TooMany { found: tokens.len() });
        }
        let mut labels = HashMap::with_capacity(tokens.len());
        for (position, token) in tokens.iter().enumerate() {
            let whole = !token.is_empty() && chemistry_end(token, 0) == token.len();
            if !whole || labels.insert(token.clone(), position as u8 + UNKNOWN + 1).is_some() {
                return Err(TokenError::Damaged { token: token.clone() });
            }
        }
        Ok(Self { kind: Kind::Chemistry { tokens, labels } })
    }

    /// Name for tables and metadata.
    pub fn name(&self) -> &'static str {
        match self.kind {
            Kind::DeepDtaSmiles => "DeepDTA SMILES characters",
            Kind::DeepDtaProtein => "DeepDTA residues",
            Kind::Chemistry { .. } => "chemistry-aware SMILES tokens",
        }
    }

    /// What one label stands for, as a message names it: `character`, `residue` or `token`.
    pub fn unit(&self) -> &'static str {
        match self.kind {
            Kind::DeepDtaSmiles => "character",
            Kind::DeepDtaProtein => "residue",
            Kind::Chemistry { .. } => "token",
        }
    }

    /// Number of labels without padding: labels run from 1 to this. An embedding needs one row more.
    pub fn size(&self) -> usize {
        match &self.kind {
            Kind::DeepDtaSmiles => SMILES_LABELS.len(),
            Kind::DeepDtaProtein => PROTEIN_LABELS.len(),
            Kind::Chemistry { tokens, .. } => tokens.len() + usize::from(UNKNOWN),
        }
    }

    /// Labels of the first `max_len` tokens of `text`. A token without a label becomes [`PAD`] with the two `DeepDTA`
    /// tables (which end in an error there) and label 1 with a fitted vocabulary; either way it is reported.
    pub fn encode(&self, text: &str, max_len: usize) -> Encoded {
        let mut encoded = Encoded { ids: Vec::with_capacity(max_len.min(text.len())), length: 0, unknown: Vec::new() };
        let mut start = 0;
        while start < text.len() {
            let end = self.token_end(text, start);
            if encoded.length < max_len {
                let token = &text[start..end];
                let label = self.label(token);
                if label.is_none() {
                    encoded.unknown.extend(token.chars().next().map(|first| (start, first)));
                }
                encoded.ids.push(label.unwrap_or_else(|| self.unknown_label()));
            }
            encoded.length += 1;
            start = end;
        }
        encoded
    }

    /// The bytes of each token of `text`, all of them, in order and without gaps.
    pub fn spans(&self, text: &str) -> Vec<Range<usize>> {
        let mut spans = Vec::with_capacity(text.len());
        let mut start = 0;
        while start < text.len() {
            let end = self.token_end(text, start);
            spans.push(start..end);
            start = end;
        }
        spans
    }

    fn token_end(&self, text: &str, start: usize) -> usize {
        match self.kind {
            Kind::DeepDtaSmiles | Kind::DeepDtaProtein => character_end(text, start),
            Kind::Chemistry { .. } => chemistry_end(text, start),
        }
    }

    fn label(&self, token: &str) -> Option<u8> {
        let table = match &self.kind {
            Kind::DeepDtaSmiles => &SMILES,
            Kind::DeepDtaProtein => &PROTEIN,
            Kind::Chemistry { labels, .. } => return labels.get(token).copied(),
        };
        let label = table.get(usize::from(*token.as_bytes().first()?)).copied().unwrap_or(PAD);
        (label != PAD).then_some(label)
    }

    fn unknown_label(&self) -> u8 {
        match self.kind {
            Kind::DeepDtaSmiles | Kind::DeepDtaProtein => PAD,
            Kind::Chemistry { .. } => UNKNOWN,
        }
    }
}

/// End of the character that starts at `start`, which must be below the length of `text`.
fn character_end(text: &str, start: usize) -> usize {
    start + text[start..].chars().next().map_or(1, char::len_utf8)
}

/// End of the SMILES token that starts at `start`: brackets, `Cl`, `Br`, `%nn` and `%(nnn)` are one token each,
/// everything else is one character (the expression of Schwaller et al. 2019, ACS Cent. Sci. 5, 1572). Never fails: a
/// bracket that is not closed is one character.
fn chemistry_end(text: &str, start: usize) -> usize {
    let rest = &text.as_bytes()[start..];
    match rest {
        [b'[', ..] => text[start..].find(']').map_or(start + 1, |close| start + close + 1),
        [b'C', b'l', ..] | [b'B', b'r', ..] => start + 2,
        [b'%', b'0'..=b'9', b'0'..=b'9', ..] => start + 3,
        [b'%', b'(', digits @ ..] => {
            let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if count > 0 && digits.get(count) == Some(&b')') { start + 3 + count } else { start + 1 }
        }
        _ => character_end(text, start),
    }
}

/// What encoding a data set lost, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenReport {
    /// Strings encoded.
    pub texts: usize,
    /// Strings of which tokens were cut off.
    pub truncated: usize,
    /// Tokens of the longest string.
    pub longest: usize,
    /// Tokens of all strings.
    pub tokens: usize,
    /// Tokens that were cut off.
    pub dropped: usize,
    /// Tokens without a label, counted by their first character.
    pub unknown: BTreeMap<char, usize>,
}

impl TokenReport {
    /// Counts one more string.
    pub fn add(&mut self, encoded: &Encoded) {
        self.texts += 1;
        self.truncated += usize::from(encoded.truncated());
        self.longest = self.longest.max(encoded.length);
        self.tokens += encoded.length;
        self.dropped += encoded.length - encoded.ids.len();
        for (_, character) in &encoded.unknown {
            *self.unknown.entry(*character).or_default() += 1;
        }
    }
}

impl fmt::Display for TokenReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { texts, truncated, longest, tokens, dropped, unknown } = self;
        write!(
            formatter,
            "{truncated} of {texts} strings truncated ({dropped} of {tokens} tokens dropped, longest {longest})"
        )?;
        let mut separator = "; unknown: ";
        for (character, count) in unknown {
            write!(formatter, "{separator}{character:?} {count}")?;
            separator = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
