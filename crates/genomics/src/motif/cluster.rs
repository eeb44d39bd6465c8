//! Seqlets that are alike, laid over each other, as motifs.
//!
//! What TF-MoDISco (Shrikumar et al. 2018, arXiv:1811.00416) does, in a small form: seqlets are compared by the cosine
//! of their attributions at every offset and on both strands, gathered greedily from the strongest on, and divided anew
//! among the patterns so found until few are left over; patterns that are alike become one.

mod profile;

use nn_core::config::{ConfigError, in_range};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::profile::{Fit, Patch, Profile};
use super::{Column, Motif, MotifError, Seqlet, UNIFORM, codes};
use crate::locus::Strand;

/// How seqlets become motifs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterConfig {
    /// Least cosine of a seqlet and the pattern it belongs to.
    pub similarity: f64,
    /// Times that all seqlets are divided anew among the patterns.
    pub rounds: usize,
    /// Patterns of fewer seqlets are dropped.
    pub least_seqlets: usize,
    /// Of each sign no more than these are clustered, the strongest.
    pub most_seqlets: usize,
    /// Counts that are added to each position, divided among its bases.
    pub pseudocount: f64,
    /// Positions at the ends with less information than this, in bits, are cut off.
    pub trim_bits: f64,
}

impl Default for ClusterConfig {
    /// Patterns of at least 20 seqlets, as TF-MoDISco; ends of 0.3 bits are cut.
    fn default() -> Self {
        Self { similarity: 0.6, rounds: 2, least_seqlets: 20, most_seqlets: 5000, pseudocount: 1.0, trim_bits: 0.3 }
    }
}

/// A seqlet in a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its place among the seqlets that were given.
    pub seqlet: usize,
    /// Which sequence.
    pub sequence: usize,
    /// The leftmost base of the motif's occurrence in the sequence, from 0; below 0 if it begins before the sequence.
    pub start: isize,
    /// The strand on which the motif reads forward.
    pub strand: Strand,
}

/// What seqlets have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    /// Frequencies of the bases where the seqlets lie; its number of sites is that of the seqlets.
    pub motif: Motif,
    /// Mean attribution of each base at each position of the motif: a base that is rare weighs little.
    pub contributions: Vec<Column>,
    /// Whether the seqlets speak for the output; otherwise against it.
    pub positive: bool,
    /// The seqlets, the strongest first.
    pub members: Vec<Member>,
}

/// Sequences with the attribution of each of their bases.
struct Track<'a> {
    codes: Vec<Vec<u8>>,
    scores: &'a [Vec<f64>],
}

impl ClusterConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`].
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("similarity", self.similarity, 0.05..=1.0)?;
        in_range("rounds", self.rounds, 0..=100)?;
        in_range("least_seqlets", self.least_seqlets, 1..=1 << 30)?;
        in_range("most_seqlets", self.most_seqlets, 1..=1 << 20)?;
        in_range("pseudocount", self.pseudocount, 0.0..=1e3)?;
        in_range("trim_bits", self.trim_bits, 0.0..=2.0)
    }

    /// The patterns of `seqlets`, which were found in the `scores` of the bases of `sequences`: those that speak for
    /// the output before those that speak against it, and the largest first.
    ///
    /// # Errors
    /// [`MotifError::Config`]; [`MotifError::Scores`] if there is not one score for each base.
    pub fn patterns(
        &self,
        sequences: &[&[u8]],
        scores: &[Vec<f64>],
        seqlets: &[Seqlet],
    ) -> Result<Vec<Pattern>, MotifError> {
        self.validate()?;
        check(sequences, scores, seqlets)?;
        let track = Track { codes: sequences.iter().map(|sequence| codes(sequence)).collect(), scores };
        let mut patterns = Vec::new();
        for positive in [true, false] {
            let mut chosen: Vec<usize> =
                (0..seqlets.len()).filter(|&at| (seqlets[at].score > 0.0) == positive).collect();
            chosen.sort_by(|&a, &b| seqlets[b].score.abs().total_cmp(&seqlets[a].score.abs()).then(a.cmp(&b)));
            chosen.truncate(self.most_seqlets);
            let patches = patches(&track, seqlets, &chosen);
            for (number, members) in self.gather(&patches).into_iter().enumerate() {
                let name = format!("{}{number}", if positive { "pattern" } else { "negative" });
                patterns.extend(self.pattern(name, positive, &members, &patches, &track)?);
            }
        }
        Ok(patterns)
    }

    /// Groups of patches that are alike, each patch with its place in the group's frame; the largest group first.
    fn gather(&self, patches: &[Patch]) -> Vec<Vec<(usize, Fit)>> {
        let mut profiles: Vec<Profile> = Vec::new();
        for patch in patches {
            match nearest(&profiles, patch, self.similarity) {
                Some((at, fit)) => profiles[at].add(patch, fit),
                None => profiles.push(Profile::of(patch)),
            }
        }
        let mut groups = Vec::new();
        for round in 0..=self.rounds {
            // small groups give their members away before they are dropped
            let least = (self.least_seqlets * (round + 1)).div_ceil(self.rounds + 2);
            profiles.retain(|profile| profile.members() >= least);
            profiles.sort_by_key(|profile| std::cmp::Reverse(profile.members()));
            merge(&mut profiles, self.similarity);
            let fits: Vec<Option<(usize, Fit)>> =
                patches.par_iter().map(|patch| nearest(&profiles, patch, self.similarity)).collect();
            groups = vec![Vec::new(); profiles.len()];
            let mut next: Vec<Option<Profile>> = vec![None; profiles.len()];
            for (at, (patch, fit)) in patches.iter().zip(fits).enumerate() {
                if let Some((group, fit)) = fit {
                    groups[group].push((at, fit));
                    next[group].get_or_insert_with(|| Profile::empty(patch)).add(patch, fit);
                }
            }
            profiles = next.into_iter().flatten().collect();
        }
        groups.retain(|group| group.len() >= self.least_seqlets);
        groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
        groups
    }

    /// The motif of a group; `None` if no position carries information.
    fn pattern(
        &self,
        name: String,
        positive: bool,
        group: &[(usize, Fit)],
        patches: &[Patch],
        track: &Track<'_>,
    ) -> Result<Option<Pattern>, MotifError> {
        let Some(frame) = group.first().map(|(at, _)| Profile::frame(&patches[*at])) else { return Ok(None) };
        let (mut counts, mut sums) = (vec![[0.0; 4]; frame], vec![[0.0; 4]; frame]);
        for (at, fit) in group {
            let patch = &patches[*at];
            for (column, (count, sum)) in counts.iter_mut().zip(&mut sums).enumerate() {
                let Some(place) = usize::try_from(patch.place(*fit, column)).ok() else { continue };
                let (codes, scores) = (&track.codes[patch.sequence], &track.scores[patch.sequence]);
                if let Some(base) = codes.get(place).copied().filter(|base| *base < 4) {
                    let base = usize::from(if fit.strand == Strand::Forward { base } else { 3 - base });
                    count[base] += 1.0;
                    sum[base] += scores[place];
                }
            }
        }
        // at the ends of the frame few sequences are long enough to say anything
        let covered = |counts: &Column| 2.0 * counts.iter().sum::<f64>() >= group.len() as f64;
        let (Some(first), Some(last)) = (counts.iter().position(covered), counts.iter().rposition(covered)) else {
            return Ok(None);
        };
        let whole = Motif::from_counts(name, &counts[first..=last], self.pseudocount)?;
        let core = whole.core(self.trim_bits, &UNIFORM);
        let mut motif = whole.trimmed(self.trim_bits, &UNIFORM);
        motif.sites = Some(group.len() as f64);
        let (first, last) = (first + core.start, first + core.end - 1);
        let mean = |sums: &Column| sums.map(|sum| sum / group.len() as f64);
        let members = group.iter().map(|(at, fit)| {
            let patch = &patches[*at];
            let start = patch.place(*fit, first).min(patch.place(*fit, last));
            Member { seqlet: patch.seqlet, sequence: patch.sequence, start, strand: fit.strand }
        });
        let members = members.collect();
        Ok(Some(Pattern { motif, contributions: sums[first..=last].iter().map(mean).collect(), positive, members }))
    }
}

/// The profile that a patch is most like, if it is like one.
fn nearest(profiles: &[Profile], patch: &Patch, similarity: f64) -> Option<(usize, Fit)> {
    let mut best: Option<(usize, Fit)> = None;
    for (at, profile) in profiles.iter().enumerate() {
        let fit = profile.fit(patch);
        if fit.similarity >= similarity && best.is_none_or(|(_, other)| fit.similarity > other.similarity) {
            best = Some((at, fit));
        }
    }
    best
}

/// Drops profiles that are like a larger one, which then gets their members.
fn merge(profiles: &mut Vec<Profile>, similarity: f64) {
    let mut kept: Vec<Profile> = Vec::new();
    for profile in profiles.drain(..) {
        if kept.iter().all(|larger| larger.similarity(&profile) < similarity) {
            kept.push(profile);
        }
    }
    *profiles = kept;
}

/// The chosen seqlets with their attribution, all of the same width; those without any are left out.
fn patches(track: &Track<'_>, seqlets: &[Seqlet], chosen: &[usize]) -> Vec<Patch> {
    let flank = |seqlet: &Seqlet| (seqlet.core.start - seqlet.span.start).max(seqlet.span.end - seqlet.core.end);
    let core = chosen.iter().map(|&at| seqlets[at].core.len()).max().unwrap_or(0);
    let flank = chosen.iter().map(|&at| flank(&seqlets[at])).max().unwrap_or(0);
    let patch = |&at: &usize| {
        let Seqlet { sequence, core: own, .. } = &seqlets[at];
        let start = own.start as isize - flank as isize;
        Patch::new(at, *sequence, start, core + 2 * flank, &track.codes[*sequence], &track.scores[*sequence])
    };
    chosen.iter().filter_map(patch).collect()
}

fn check(sequences: &[&[u8]], scores: &[Vec<f64>], seqlets: &[Seqlet]) -> Result<(), MotifError> {
    let wrong = |row: usize, problem: String| Err(MotifError::Scores { row, problem });
    if sequences.len() != scores.len() {
        let row = sequences.len().min(scores.len());
        return wrong(row, format!("there are {} sequences, but scores for {}", sequences.len(), scores.len()));
    }
    for (row, (sequence, scores)) in sequences.iter().zip(scores).enumerate() {
        if sequence.len() != scores.len() {
            return wrong(row, format!("it has {} bases, but {} scores", sequence.len(), scores.len()));
        }
    }
    for seqlet in seqlets {
        let length = sequences.get(seqlet.sequence).map_or(0, |sequence| sequence.len());
        if seqlet.span.start > seqlet.core.start || seqlet.core.end > seqlet.span.end || seqlet.span.end > length {
            return wrong(seqlet.sequence, format!("it has {length} bases, but a seqlet at {:?}", seqlet.span));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
