//! What the mean prediction of several models rests on: parts of the two strings are hidden from all of them.

use super::Ensemble;
use crate::affinity::{Entities, predict};
use crate::explain::{ExplainError, occlude, occlude_residues};
use crate::table::Pair;
use crate::tokens::{PAD, TokenReport, Tokenizer};
use nn_core::train::StepError;
use std::ops::Range;

/// What hiding parts of a drug and of a protein does to the mean prediction of an ensemble. An effect is what the
/// prediction falls by when the part is hidden, in the units of the quantity.
#[derive(Debug, Clone, PartialEq)]
pub struct Occlusion {
    /// The mean prediction with nothing hidden.
    pub prediction: f64,
    /// The effect of each part of the SMILES string; `None` where no model reads that far.
    pub atoms: Vec<Option<f64>>,
    /// The effect of each residue; `None` where no model reads that far.
    pub residues: Vec<Option<f64>>,
}

/// Places of the SMILES string and of the sequence in arrays of both.
const DRUG: usize = 0;
const PROTEIN: usize = 1;

/// Marks a byte that is not hidden; [`PAD`] marks one that is.
const SHOWN: u8 = 1;

/// A string as one model reads it.
struct Labels {
    ids: Vec<u8>,
    /// The bytes that each label stands for.
    spans: Vec<Range<usize>>,
}

impl Labels {
    fn new(tokenizer: &Tokenizer, text: &str, length: usize) -> Self {
        let ids = tokenizer.encode(text, length).ids;
        let mut spans = tokenizer.spans(text);
        spans.truncate(ids.len());
        Self { ids, spans }
    }

    /// Bytes that are read.
    fn bytes(&self) -> usize {
        self.spans.last().map_or(0, |span| span.end)
    }

    /// The labels where each byte is [`SHOWN`] or not; a token of which a byte is hidden is read as padding.
    fn of(&self, shown: &[u8]) -> Vec<u8> {
        let whole = |span: &Range<usize>| shown[span.clone()].iter().all(|&byte| byte == SHOWN);
        self.ids.iter().zip(&self.spans).map(|(&id, span)| if whole(span) { id } else { PAD }).collect()
    }
}

impl Ensemble {
    /// The effects of `atoms`, which are byte ranges of `smiles` such as [`crate::chem::Molecule::atom_spans`] gives, and of
    /// each residue of `sequence`, whose windows of `window` residues are hidden in turn; see [`occlude_residues`]. Letters of
    /// the sequence have one byte. Each model reads the strings with its own tokenisers, and what is hidden as padding.
    ///
    /// # Errors
    /// [`ExplainError::Score`] when the device does not give the numbers back.
    pub fn occlude(
        &self,
        smiles: &str,
        atoms: &[Range<usize>],
        sequence: &str,
        window: usize,
    ) -> Result<Occlusion, ExplainError<StepError>> {
        let labels: Vec<[Labels; 2]> = self
            .models
            .iter()
            .map(|model| {
                let (tokenizers, config) = (&model.card.tokenizers, &model.card.config);
                [
                    Labels::new(&tokenizers.drug, smiles, config.smiles_length),
                    Labels::new(&tokenizers.protein, sequence, config.protein_length),
                ]
            })
            .collect();
        // One mark for each byte that any model reads.
        let [drug, protein] = [DRUG, PROTEIN]
            .map(|side| vec![SHOWN; labels.iter().map(|labels| labels[side].bytes()).max().unwrap_or_default()]);
        let score = |side: usize, shown: &[Vec<u8>]| self.score_shown(&labels, side, shown);

        let whole = score(DRUG, std::slice::from_ref(&drug)).map_err(ExplainError::Score)?;
        let none = ExplainError::<StepError>::Count { inputs: 1, scores: 0 };
        let prediction = whole.first().copied().ok_or(none)?;
        let of_atoms = occlude(&drug, atoms, PAD, |shown| score(DRUG, shown))?;
        let of_residues = occlude_residues(&protein, window, PAD, |shown| score(PROTEIN, shown))?;
        Ok(Occlusion {
            prediction,
            atoms: atoms
                .iter()
                .zip(of_atoms)
                .map(|(atom, effect)| (atom.start < drug.len()).then_some(effect))
                .collect(),
            residues: (0..sequence.len()).map(|place| of_residues.get(place).copied()).collect(),
        })
    }

    /// The mean prediction for each of `shown`, which says byte by byte what of the string on `side` is not hidden; the
    /// other string is read whole.
    fn score_shown(&self, labels: &[[Labels; 2]], side: usize, shown: &[Vec<u8>]) -> Result<Vec<f64>, StepError> {
        let pair = |i: u32| if side == DRUG { (i, 0) } else { (0, i) };
        let pairs: Vec<Pair> =
            (0..shown.len() as u32).map(pair).map(|(drug, target)| Pair { drug, target, value: 0.0 }).collect();
        self.mean(|m, model| {
            let mut strings = labels[m].each_ref().map(|whole| vec![whole.ids.clone()]);
            strings[side] = shown.iter().map(|bytes| labels[m][side].of(bytes)).collect();
            let [drugs, targets] = strings;
            let (drug_report, target_report) = (TokenReport::default(), TokenReport::default());
            predict(&model.network, &Entities { drugs, targets, drug_report, target_report }, &pairs)
        })
    }
}
