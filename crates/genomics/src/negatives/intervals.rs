//! Which places are taken: intervals as sorted arrays, searched by bisection.

use std::collections::HashMap;
use std::sync::Arc;

use crate::locus::Locus;

/// The union of intervals, on whichever strand. Contigs are told apart by their names as written; resolve them before.
///
/// ```
/// use genomics::locus::Locus;
/// use genomics::negatives::Intervals;
/// let peaks = [Locus::new("chr1", 100, 200)?, Locus::new("chr1", 150, 300)?];
/// let taken = Intervals::new(&peaks, 10);
/// assert!(taken.overlap(&Locus::new("chr1", 305, 400)?) && !taken.overlap(&Locus::new("chr1", 310, 400)?));
/// assert_eq!(taken.bases(), 220);
/// # Ok::<(), genomics::locus::LocusError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Intervals {
    /// For each contig, disjoint intervals by start; between two of them is at least one base.
    contigs: HashMap<Arc<str>, Vec<(i64, i64)>>,
}

impl Intervals {
    /// The union of `loci`, each with `margin` bases before and behind it. Empty loci do not count.
    pub fn new<'a>(loci: impl IntoIterator<Item = &'a Locus>, margin: usize) -> Self {
        let mut contigs: HashMap<Arc<str>, Vec<(i64, i64)>> = HashMap::new();
        for locus in loci {
            if !locus.is_empty() {
                let wide = locus.extended(margin, margin);
                contigs.entry(wide.contig).or_default().push((wide.start, wide.end));
            }
        }
        for intervals in contigs.values_mut() {
            intervals.sort_unstable();
            let mut merged: Vec<(i64, i64)> = Vec::with_capacity(intervals.len());
            for &(start, end) in intervals.iter() {
                match merged.last_mut() {
                    Some(last) if start <= last.1 => last.1 = last.1.max(end),
                    _ => merged.push((start, end)),
                }
            }
            *intervals = merged;
        }
        Self { contigs }
    }

    /// Whether `locus` has a base in common with one of them.
    pub fn overlap(&self, locus: &Locus) -> bool {
        !locus.is_empty() && self.contigs.get(&locus.contig).is_some_and(|taken| overlap(taken, locus.start, locus.end))
    }

    /// Bases that they cover.
    pub fn bases(&self) -> u64 {
        self.contigs.values().flatten().map(|(start, end)| (end - start) as u64).sum()
    }
}

/// Whether an interval of `taken`, disjoint and by start, has a base in common with `start..end`.
fn overlap(taken: &[(i64, i64)], start: i64, end: i64) -> bool {
    let first = taken.partition_point(|interval| interval.1 <= start);
    taken.get(first).is_some_and(|interval| interval.0 < end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(contig: &str, start: i64, length: i64) -> Locus {
        Locus::new(contig, start, start + length).unwrap()
    }

    #[test]
    fn ends_are_not_included() {
        let taken = Intervals::new(&[at("1", 10, 10), at("1", 20, 5), at("2", 0, 3), at("1", 50, 0)], 0);
        for (start, length, expected) in
            [(0, 10, false), (0, 11, true), (24, 1, true), (25, 10, false), (12, 0, false), (50, 1, false)]
        {
            assert_eq!(taken.overlap(&at("1", start, length)), expected, "{start} {length}");
        }
        assert!(taken.overlap(&at("2", 2, 1)) && !taken.overlap(&at("3", 2, 1)));
        assert_eq!(taken.bases(), 18);
        assert!(!Intervals::default().overlap(&at("1", 0, 100)));
    }

    proptest! {
        /// Against comparing with every single one.
        #[test]
        fn bisection_finds_what_a_scan_finds(
            loci in proptest::collection::vec((0_i64..3, 0_i64..200, 0_i64..30), 0..30),
            asked in (0_i64..3, -10_i64..220, 0_i64..40),
            margin in 0_usize..5,
        ) {
            let loci: Vec<Locus> = loci.iter().map(|(contig, start, n)| at(&contig.to_string(), *start, *n)).collect();
            let asked = at(&asked.0.to_string(), asked.1, asked.2);
            let touches = |locus: &Locus| !locus.is_empty() && locus.extended(margin, margin).overlaps(&asked);
            let expected = loci.iter().any(touches);
            prop_assert_eq!(Intervals::new(&loci, margin).overlap(&asked), expected);
        }
    }
}
