//! Random reads, and their depth counted base by base.

use std::collections::HashMap;

use genomics::coverage::Mates;
use genomics::io::bam::flag;
use nn_core::data::rng;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::CONTIGS;
use crate::bam::Raw;

fn random_cigar(rng: &mut ChaCha8Rng) -> Vec<(char, u32)> {
    let mut cigar = vec![('S', rng.random_range(0..4)), ('M', rng.random_range(1..20))];
    for _ in 0..rng.random_range(0..3) {
        let letter = ['I', 'D', 'N', 'P'][rng.random_range(0..4_usize)];
        cigar.push((letter, rng.random_range(1..8)));
        cigar.push((['M', '=', 'X'][rng.random_range(0..3_usize)], rng.random_range(1..15)));
    }
    cigar
}

fn spanned(cigar: &[(char, u32)]) -> i32 {
    cigar.iter().filter(|(letter, _)| "MDN=X".contains(*letter)).map(|&(_, bases)| bases as i32).sum()
}

/// Pairs that may overlap, some of whose mates do not count, and single reads; sorted.
pub(super) fn random_reads(seed: u64) -> Vec<Raw> {
    let mut rng = rng(seed, &[7]);
    let mut reads = Vec::new();
    for pair in 0..120 {
        let contig = rng.random_range(0..3);
        let bases = CONTIGS[contig as usize].1 as i32;
        let cigars = [random_cigar(&mut rng), random_cigar(&mut rng)];
        let left = rng.random_range(0..bases - 10);
        let right = left + rng.random_range(0..30);
        let length = (right + spanned(&cigars[1])).max(left + spanned(&cigars[0])) - left;
        let single = rng.random_range(0..5) == 0;
        for (mate, cigar) in cigars.into_iter().enumerate() {
            let second = mate == 1;
            let proper = flag::PAIRED | flag::PROPER_PAIR;
            let flags = match (single, second) {
                (true, _) => u16::from(rng.random_range(0..2_u16) == 0) * flag::REVERSE,
                (false, false) => proper | flag::FIRST | flag::MATE_REVERSE,
                (false, true) => proper | flag::LAST | flag::REVERSE,
            };
            let other = [0, 0, 0, 0, 0, 0, flag::DUPLICATE, flag::SECONDARY][rng.random_range(0..8_usize)];
            let (start, mate_start) = if second { (right, left) } else { (left, right) };
            reads.push(Raw {
                name: if single { format!("s{pair}.{mate}") } else { format!("p{pair}") },
                flags: flags | other,
                place: (contig, start),
                quality: rng.random_range(0..60),
                cigar,
                mate: if single { (-1, -1) } else { (contig, mate_start) },
                length: match (single, second) {
                    (true, _) => 0,
                    (false, false) => length,
                    (false, true) => -length,
                },
            });
        }
    }
    reads.sort_by_key(|read| read.place);
    reads
}

/// The bases of a read, one by one.
pub(super) fn bases(read: &Raw, deletions: bool) -> Vec<i32> {
    let mut position = read.place.1;
    let mut found = Vec::new();
    for &(letter, count) in &read.cigar {
        for _ in 0..count {
            if "M=X".contains(letter) || (letter == 'D' && deletions) {
                found.push(position);
            }
            position += i32::from("MDN=X".contains(letter));
        }
    }
    found
}

pub(super) fn counts(read: &Raw) -> bool {
    read.flags & 0xF04 == 0 && read.quality >= 10
}

/// Counted base by base: reads that count, each pair once.
pub(super) fn depth_by_counting(reads: &[Raw], deletions: bool, mates: Mates) -> HashMap<String, Vec<u32>> {
    let mut depths: HashMap<String, Vec<u32>> = HashMap::new();
    let mut pairs: HashMap<&str, Vec<i32>> = HashMap::new();
    for read in reads.iter().filter(|read| counts(read)) {
        let (name, length) = CONTIGS[read.place.0 as usize];
        let mut bases: Vec<i32> = bases(read, deletions).into_iter().filter(|&base| base < length as i32).collect();
        if bases.is_empty() {
            continue;
        }
        let depth = depths.entry(name.to_owned()).or_insert_with(|| vec![0; length as usize]);
        if mates == Mates::Once && read.flags & flag::PROPER_PAIR != 0 {
            let before = pairs.entry(&read.name).or_default();
            bases.retain(|base| !before.contains(base));
            before.extend(&bases);
        }
        bases.iter().for_each(|&base| depth[base as usize] += 1);
    }
    depths
}
