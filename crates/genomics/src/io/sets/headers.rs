//! Places that FASTA headers of published sets name.

use std::sync::Arc;

use crate::locus::{Locus, Strand};

/// Where a sequence of `length` bases lies, if its header says so in one of the usual ways:
///
/// | header | counted |
/// |---|---|
/// | `chr1,+,69396,69496; class:0` (`iDeepS`) | from 0, last base included |
/// | `CHR13_99137199_99137399` (iEnhancer-2L) | from 0, half-open |
/// | `x range=chr1:11874-12073 5'pad=0 strand=-` (UCSC) | from 1, last base included |
/// | `name::chr1:99-200(+)` (bedtools), `chr1:100-200` (samtools) | as the length says |
///
/// A place whose length is not that of the sequence is no place.
pub fn locus_of(header: &str, length: usize) -> Option<Locus> {
    let word = header.split([' ', '\t', ';']).find(|word| !word.is_empty())?;
    listed(word, length).or_else(|| joined(word, length)).or_else(|| region(header, word, length))
}

fn strand(sign: &str) -> Option<Strand> {
    match sign {
        "+" => Some(Strand::Forward),
        "-" => Some(Strand::Reverse),
        _ => None,
    }
}

/// `chr13` for `CHR13` and `Chr13`.
fn contig(name: &str) -> Arc<str> {
    match name.get(..3) {
        Some(prefix) if prefix.eq_ignore_ascii_case("chr") => Arc::from(format!("chr{}", &name[3..])),
        _ => Arc::from(name),
    }
}

/// The interval if it is half-open, or if it includes its last base.
fn fitting(name: &str, start: i64, end: i64, length: usize) -> Option<Locus> {
    let length = i64::try_from(length).ok()?;
    let end = match end.checked_sub(start)? {
        bases if bases == length => end,
        bases if bases.checked_add(1)? == length => end.checked_add(1)?,
        _ => return None,
    };
    Locus::new(contig(name), start, end).ok().filter(|locus| locus.start >= 0)
}

fn listed(word: &str, length: usize) -> Option<Locus> {
    let fields: Vec<&str> = word.split(',').collect();
    let [name, sign, start, end] = fields[..] else { return None };
    let locus = fitting(name, start.parse().ok()?, end.parse().ok()?, length)?;
    Some(locus.on(strand(sign)?))
}

fn joined(word: &str, length: usize) -> Option<Locus> {
    let mut parts = word.rsplitn(3, '_');
    let (end, start) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    fitting(parts.next()?, start, end, length)
}

fn region(header: &str, word: &str, length: usize) -> Option<Locus> {
    let value = |key: &str| header.split_whitespace().find_map(|word| word.strip_prefix(key));
    let place = value("range=").unwrap_or_else(|| word.rsplit_once("::").map_or(word, |(_, place)| place));
    let (place, sign) = match place.strip_suffix(')').and_then(|place| place.rsplit_once('(')) {
        Some((place, sign)) => (place, strand(sign)?),
        None => (place, value("strand=").map_or(Some(Strand::Forward), strand)?),
    };
    let (name, range) = place.rsplit_once(':')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (i64, i64) = (first.parse().ok()?, last.parse().ok()?);
    // One base more than their difference: both count from 1.
    let from_one = last.checked_sub(first)?.checked_add(1)? == i64::try_from(length).ok()?;
    let start = if from_one { first.checked_sub(1)? } else { first };
    Some(fitting(name, start, last, length)?.on(sign))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn places_in_headers() {
        let shown = |header: &str, length: usize| locus_of(header, length).map(|locus| locus.to_string());
        for (header, length, expected) in [
            ("chr1,+,69396,69496; class:0", 101, Some("chr1:69397-69497(+)")),
            ("chr20,-,9,18; class:1", 10, Some("chr20:10-19(-)")),
            ("CHR13_99137199_99137399", 200, Some("chr13:99137200-99137399(+)")),
            ("Chr11_5_9", 4, Some("chr11:6-9(+)")),
            (
                "hg19_ct_UserTrack_3545_17 range=chr1:11874-12073 5'pad=0 strand=- repeatMasking=none",
                200,
                Some("chr1:11874-12073(-)"),
            ),
            ("peak::chr1:99-200(+)", 101, Some("chr1:100-200(+)")),
            ("chr1:99-200(-)", 101, Some("chr1:100-200(-)")),
            ("chr1:100-200", 101, Some("chr1:100-200(+)")),
            ("chr1:100-200", 50, None),
            ("FP000001 AT1G01020_1 :+U EU:NC; range -200 to 50.", 251, None),
            ("6400", 81, None),
            ("ECK120010467__accAp__forward__208411", 81, None),
            ("chr1,*,1,2", 1, None),
            ("chr1:-5--1(+)", 4, None),
            ("", 0, None),
        ] {
            assert_eq!(shown(header, length).as_deref(), expected, "{header}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_answered(header in "[a-z0-9:,_()+;=é -]{0,40}", length in 0_usize..300) {
            if let Some(locus) = locus_of(&header, length) {
                prop_assert_eq!(locus.len(), length);
            }
        }
    }
}
