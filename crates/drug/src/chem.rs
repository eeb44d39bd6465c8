//! Molecules: SMILES in; canonical forms, fingerprint, scaffold and depiction out.
//!
//! The chemistry is that of RDKit as the crate `chematic` ports it, and this module is the only one that names that
//! crate. A string passes three gates: a scan of the OpenSMILES grammar that knows where each atom stands, the building
//! of the graph, and RDKit's sanitisation (valences, Kekulé form, aromaticity). A refusal says at which byte of the
//! input and why. Rows of a screening list therefore come back with `byte 13: ring 3 not closed`, never as a panic.
//!
//! Two deviations from RDKit are known. A ring whose two ends name different bonds (`C-1CCCCC=1`) passes there with one
//! of the two bonds; here it is refused. A dot inside a branch (`C(C.C)C`) and a doubled backslash are refused too.

mod fingerprint;
mod scan;
mod valence;

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use chematic::core::AtomIdx;
use chematic::depict::{RenderOptions, compute_layout, render_svg_opts};
use chematic::smiles::{
    RdkitSmilesError, RdkitSmilesParams, rdkit_canonical_smiles, rdkit_detect_chemistry_problems,
    rdkit_murcko_scaffold, rdkit_smiles,
};

pub use self::fingerprint::Fingerprint;

/// Longest SMILES that is read, in bytes. The longest of KIBA has 590; canonical ranking is quadratic in the number of
/// atoms, so that one string of 100 kB would hold up a whole screening run.
pub const MAX_BYTES: usize = 10_000;

/// A string that is not the SMILES of a molecule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {}: {reason}", .byte + 1)]
pub struct SmilesError {
    /// Where, as a byte offset into the input; at most its length. Messages count from 1, as they count characters and
    /// residues.
    pub byte: usize,
    /// What is wrong there.
    pub reason: String,
}

impl SmilesError {
    fn new(byte: usize, reason: impl Into<String>) -> Self {
        Self { byte, reason: reason.into() }
    }
}

/// A sanitised molecule. Everything that can fail has been computed by [`Molecule::parse`].
#[derive(Clone)]
pub struct Molecule {
    graph: chematic::core::Molecule,
    atoms: Vec<Range<usize>>,
    canonical: String,
    flat: String,
    fingerprint: Fingerprint,
}

impl Molecule {
    /// Reads a SMILES string of at most [`MAX_BYTES`] bytes. Whitespace is refused, also at the ends: the byte
    /// positions of [`Molecule::atom_spans`] are those of the string as given.
    ///
    /// ```
    /// use drug::chem::Molecule;
    /// assert_eq!(Molecule::parse("OCC")?.canonical(), "CCO");
    /// assert_eq!(Molecule::parse("C1CC").unwrap_err().to_string(), "byte 2: ring 1 not closed");
    /// # Ok::<(), drug::chem::SmilesError>(())
    /// ```
    ///
    /// # Errors
    /// [`SmilesError`] with the byte and the reason: grammar, unknown element, over-valent atom, aromatic system
    /// without a Kekulé form, length.
    pub fn parse(smiles: &str) -> Result<Self, SmilesError> {
        if smiles.is_empty() {
            return Err(SmilesError::new(0, "the SMILES is empty"));
        }
        if smiles.len() > MAX_BYTES {
            let reason = format!("the SMILES has {} bytes; at most {MAX_BYTES} are read", smiles.len());
            return Err(SmilesError::new(MAX_BYTES, reason));
        }
        let atoms = scan::scan(smiles)?;
        let graph = chematic::smiles::parse(smiles).map_err(|error| graph_error(&error, &atoms))?;
        if graph.atom_count() != atoms.len() {
            let reason = format!("{} atoms are written but {} were read", atoms.len(), graph.atom_count());
            return Err(SmilesError::new(0, reason));
        }
        let refuse = |error: RdkitSmilesError| chemistry_error(&graph, &atoms, error);
        let canonical = rdkit_canonical_smiles(&graph).map_err(refuse)?;
        let flat = if has_stereo_or_isotope(&canonical) {
            let params = RdkitSmilesParams { isomeric: false, ..RdkitSmilesParams::default() };
            rdkit_smiles(&graph, &params).map_err(refuse)?
        } else {
            canonical.clone()
        };
        let fingerprint = Fingerprint::ecfp4(&graph)?;
        Ok(Self { graph, atoms, canonical, flat, fingerprint })
    }

    /// Canonical isomeric SMILES, letter for letter that of RDKit's `MolToSmiles`. Identity of a compound.
    pub fn canonical(&self) -> String {
        self.canonical.clone()
    }

    /// Canonical SMILES without stereochemistry and isotopes (`MolToSmiles(isomericSmiles=False)`). Groups
    /// stereoisomers.
    pub fn canonical_flat(&self) -> String {
        self.flat.clone()
    }

    /// Extended-connectivity fingerprint of radius 2 in 2,048 bits (Rogers and Hahn 2010), bit for bit RDKit's Morgan
    /// generator with its default invariants and without chirality.
    pub fn ecfp4(&self) -> Fingerprint {
        self.fingerprint.clone()
    }

    /// Bemis–Murcko scaffold as flat canonical SMILES (RDKit's `MurckoScaffoldSmiles`); `None` for acyclic molecules.
    /// Where no scaffold can be cut out, the molecule is its own.
    pub fn murcko_scaffold(&self) -> Option<String> {
        let scaffold = chematic::smiles::parse(&self.flat).ok().and_then(|graph| rdkit_murcko_scaffold(&graph).ok());
        match scaffold {
            Some(scaffold) if scaffold.is_empty() => None,
            Some(scaffold) => Some(scaffold),
            None => Some(self.flat.clone()),
        }
    }

    /// Number of atoms other than hydrogen and `*`.
    pub fn heavy_atoms(&self) -> usize {
        self.graph.atoms().filter(|(_, atom)| !atom.wildcard && atom.element.atomic_number() > 1).count()
    }

    /// For each atom, in the order of the string, the bytes of its token: `Cl`, `c`, `[nH]`.
    pub fn atom_spans(&self) -> Vec<Range<usize>> {
        self.atoms.clone()
    }

    /// A drawing as a self-contained SVG. `colours` holds a red, green and blue value for each atom that is to have a
    /// disc behind it, in the order of [`Molecule::atom_spans`]; missing ones count as `None`.
    pub fn depict(&self, colours: &[Option<[u8; 3]>]) -> String {
        let mut discs = HashMap::new();
        for (atom, colour) in colours.iter().enumerate().take(self.atoms.len()) {
            if let Some([red, green, blue]) = colour {
                discs.insert(AtomIdx(atom as u32), format!("#{red:02x}{green:02x}{blue:02x}"));
            }
        }
        let options = RenderOptions { atom_color_map: discs, kekulize: true, ..RenderOptions::default() };
        render_svg_opts(&self.graph, &compute_layout(&self.graph), &options)
    }
}

impl fmt::Debug for Molecule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Molecule").field(&self.canonical).finish()
    }
}

/// Whether leaving out stereochemistry and isotopes can change a canonical SMILES.
fn has_stereo_or_isotope(canonical: &str) -> bool {
    let bytes = canonical.as_bytes();
    bytes.iter().any(|byte| matches!(byte, b'@' | b'/' | b'\\'))
        || bytes.windows(2).any(|pair| pair[0] == b'[' && pair[1].is_ascii_digit())
}

fn start(atoms: &[Range<usize>], atom: usize) -> usize {
    atoms.get(atom).map_or(0, |span| span.start)
}

/// What the graph builder refuses although the grammar allows it.
fn graph_error(error: &chematic::smiles::SmilesError, atoms: &[Range<usize>]) -> SmilesError {
    use chematic::smiles::SmilesError as Graph;
    match error {
        Graph::InvalidValence { element, atom, valence, max } => {
            SmilesError::new(start(atoms, *atom), format!("{element} has valence {valence}; allowed: {max}"))
        }
        Graph::ConflictingRingBond { ring_num, pos } => SmilesError::new(
            pos.saturating_sub(1),
            format!("ring {ring_num} is opened with one kind of bond and closed with another"),
        ),
        Graph::UnexpectedEnd { pos }
        | Graph::UnknownElement { pos, .. }
        | Graph::UnmatchedRingClosure { pos, .. }
        | Graph::MismatchedParentheses { pos }
        | Graph::InvalidBracketAtom { pos, .. }
        | Graph::NestingTooDeep { pos }
        | Graph::UnexpectedCharacter { pos }
        | Graph::UnsupportedChiralityClass { pos, .. } => SmilesError::new(*pos, error.to_string()),
        _ => SmilesError::new(0, error.to_string()),
    }
}

/// What RDKit's sanitisation refuses, with the atom that it names.
fn chemistry_error(graph: &chematic::core::Molecule, atoms: &[Range<usize>], error: RdkitSmilesError) -> SmilesError {
    let message = match error {
        RdkitSmilesError::Unsupported(what) => return SmilesError::new(0, format!("not supported: {what}")),
        RdkitSmilesError::Sanitization(message) => message,
    };
    let problems = rdkit_detect_chemistry_problems(graph).unwrap_or_default();
    // The list is made before metal bonds are cleaned up, so that its first entry need not be the one that was fatal.
    let Some(problem) = problems.iter().find(|one| one.message == message).or(problems.first()) else {
        return SmilesError::new(0, message);
    };
    let atom = problem.atoms.first().copied().unwrap_or(0);
    let reason = match problem.kind.as_str() {
        "AtomValenceException" => valence::reason(graph, atom, &problem.message),
        "KekulizeException" => "the aromatic atoms from here on have no arrangement of single and double bonds; \
                                a hydrogen may be missing, as in [nH]"
            .to_owned(),
        "AtomKekulizeException" if problem.message.starts_with("non-ring") => {
            "an aromatic (lower-case) atom that is in no ring".to_owned()
        }
        _ => problem.message.clone(),
    };
    SmilesError::new(start(atoms, atom), reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(smiles: &str) -> String {
        Molecule::parse(smiles).unwrap_err().to_string()
    }

    #[test]
    fn chemistry_is_checked_and_named() {
        // RDKit 2026.9.1 refuses all of these.
        assert_eq!(refused("CC(=O)O[AlH3](O)OC(C)=O"), "byte 8: Al has valence 6; allowed: 3");
        assert_eq!(refused("CC(C)(C)(C)C"), "byte 2: C has valence 5; allowed: 4");
        assert_eq!(refused("C[N+](C)(C)(C)C"), "byte 2: N+ has valence 5; allowed: 4");
        assert_eq!(refused("CO(C)C"), "byte 2: O has valence 3; allowed: 2");
        assert_eq!(refused("c1ccccc1c"), "byte 9: an aromatic (lower-case) atom that is in no ring");
        assert!(refused("n1cccc1").starts_with("byte 1: the aromatic atoms from here on"));
    }

    #[test]
    fn length_is_limited() {
        assert_eq!(refused(""), "byte 1: the SMILES is empty");
        let rings = "C1CC1".repeat(5_000);
        assert_eq!(refused(&rings), "byte 10001: the SMILES has 25000 bytes; at most 10000 are read");
        let chain = "C".repeat(2_000);
        assert_eq!(Molecule::parse(&chain).unwrap().heavy_atoms(), 2_000);
    }

    #[test]
    fn forms_of_one_compound() {
        let molecule = Molecule::parse("OC(=O)[C@@H]1CCCN1").unwrap();
        assert_eq!(molecule.canonical(), "O=C(O)[C@@H]1CCCN1");
        assert_eq!(molecule.canonical_flat(), "O=C(O)C1CCCN1");
        assert_eq!(molecule.murcko_scaffold().as_deref(), Some("C1CCNC1"));
        assert_eq!(molecule.heavy_atoms(), 8);
        assert_eq!(Molecule::parse("[2H]CCO").unwrap().canonical_flat(), "[H]CCO");
        assert_eq!(Molecule::parse("CCO").unwrap().murcko_scaffold(), None);
    }

    #[test]
    fn spans_point_at_the_atoms() {
        let smiles = "[Na+].Clc1c[nH]cc1Br";
        let spans = Molecule::parse(smiles).unwrap().atom_spans();
        let tokens: Vec<&str> = spans.iter().map(|span| &smiles[span.clone()]).collect();
        assert_eq!(tokens, ["[Na+]", "Cl", "c", "c", "[nH]", "c", "c", "Br"]);
    }

    #[test]
    fn a_drawing_has_the_discs_that_were_asked_for() {
        let molecule = Molecule::parse("CCO").unwrap();
        let plain = molecule.depict(&[]);
        assert!(plain.starts_with("<svg") && plain.ends_with("</svg>"), "{plain}");
        assert_eq!(plain.matches("<circle").count(), 0);
        let svg = molecule.depict(&[None, Some([255, 0, 16]), None, Some([1, 2, 3])]);
        assert_eq!(svg.matches("<circle").count(), 1);
        assert!(svg.contains("#ff0010"), "{svg}");
    }
}
