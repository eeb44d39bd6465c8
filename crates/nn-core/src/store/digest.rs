//! The digest of what a weights file holds.
//!
//! It is the SHA-256 of the metadata, less the digest itself, and of the tensors, both sorted by the bytes of their names:
//!
//! ```text
//! number of entries of the metadata; for each: name, text
//! number of tensors;                 for each: name, element type, number of axes, length of each axis, data
//! ```
//!
//! A number is 8 bytes, the lowest first. In front of a name, a text, an element type and the data stands their length
//! in bytes, which is a number too. Nothing depends on how the header is written or in what order the tensors stand, so
//! that the digest holds still where another program has written the same content again.

use sha2::{Digest, Sha256};

use super::Metadata;

/// Metadata name of the digest: 64 hexadecimal digits in lower case.
pub(super) const NAME: &str = "galen_sha256";

/// Digits of the digest.
pub(super) const DIGITS: usize = 64;

/// A digest that is being computed.
pub(super) struct ContentHash(Sha256);

impl ContentHash {
    /// Begins with the metadata, in which there must be no digest; `tensors` tensors are to follow.
    pub(super) fn new(metadata: &Metadata, tensors: usize) -> Self {
        let mut hash = Self(Sha256::new());
        hash.number(metadata.len());
        for (name, text) in metadata {
            hash.field(name.as_bytes());
            hash.field(text.as_bytes());
        }
        hash.number(tensors);
        hash
    }

    /// Takes in the tensor with the next name.
    pub(super) fn tensor(&mut self, name: &str, element: &str, shape: &[usize], data: &[u8]) {
        self.field(name.as_bytes());
        self.field(element.as_bytes());
        self.number(shape.len());
        for &length in shape {
            self.number(length);
        }
        self.field(data);
    }

    /// The digest.
    pub(super) fn finish(self) -> String {
        format!("{:x}", self.0.finalize())
    }

    fn number(&mut self, number: usize) {
        self.0.update((number as u64).to_le_bytes());
    }

    fn field(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.0.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_where_matters() {
        let of = |entries: &[(&str, &str)]| {
            let metadata = entries.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect();
            ContentHash::new(&metadata, 0).finish()
        };
        // hashlib.sha256(bytes(16)).hexdigest(): no entry and no tensor
        assert_eq!(of(&[]), "374708fff7719dd5979ec875d56cd2286f6d3cf7ec317a3b25632aab28ec37bb");
        assert_eq!(of(&[]).len(), DIGITS);
        assert_ne!(of(&[("a", "bc")]), of(&[("ab", "c")]));
        assert_ne!(of(&[("a", "")]), of(&[("", "a")]));
    }
}
