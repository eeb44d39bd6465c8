//! Splits of published sets: what they promise, checked against brute force and by the audit.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use genomics::audit::Audit;
use genomics::dataset::SequenceSet;
use genomics::io::sets;
use genomics::sequence::reverse_complement;
use genomics::split::{ClusterConfig, SplitConfig, SplitKind, clusters, split};
use nn_core::data::Part;

use crate::data;

fn qki() -> Option<SequenceSet> {
    let folder = data::path("genomics/rbp31")?;
    Some(sets::class_fasta(&folder.join("24_PARCLIP_QKI_hg19/training.fa.gz")).unwrap())
}

#[test]
fn chromosomes_are_held_out_whole() {
    let Some(set) = qki() else { return };
    for seed in 0..5 {
        let parts = split(&set, &SplitConfig { seed, ..SplitConfig::default() }).unwrap();
        parts.check(set.len()).unwrap();
        let audit = Audit::without_baselines(&set, &parts).unwrap();
        assert_eq!((audit.unused, audit.parts.len()), (0, 3));
        for overlap in &audit.overlaps {
            assert_eq!((overlap.same_contig, overlap.overlapping), (Some(0), Some(0)), "{}", overlap.part);
        }
        // Whole chromosomes are coarse: shares of 20 and 10 % are met to a few percent of the rows.
        for (part, share) in [(Part::Test, 0.2), (Part::Validation, 0.1)] {
            let found = parts.part(part).len() as f64 / set.len() as f64;
            assert!((found - share).abs() < 0.05, "{part}: {found}");
        }
    }
    let named = SplitConfig {
        test_contigs: vec!["8".to_owned(), "chr9".to_owned()],
        validation_contigs: vec!["chr7".to_owned()],
        ..SplitConfig::default()
    };
    let parts = split(&set, &named).unwrap();
    let contigs = |part: Part| -> BTreeSet<&str> {
        parts.part(part).iter().map(|&row| set.loci[row].as_ref().unwrap().contig.as_ref()).collect()
    };
    assert_eq!(contigs(Part::Test), BTreeSet::from(["chr8", "chr9"]));
    assert_eq!(contigs(Part::Validation), BTreeSet::from(["chr7"]));
}

/// Words of a sequence as text, each with its other strand.
fn words(sequence: &[u8], k: usize) -> HashSet<Vec<u8>> {
    let known = sequence.windows(k).filter(|word| word.iter().all(|base| b"ACGT".contains(base)));
    known.map(|word| reverse_complement(word).min(word.to_vec())).collect()
}

#[test]
fn no_test_sequence_resembles_one_of_training() {
    let Some(set) = qki() else { return };
    let config = SplitConfig { kind: SplitKind::Cluster, ..SplitConfig::default() };
    let parts = split(&set, &config).unwrap();
    let ClusterConfig { k, threshold, .. } = config.cluster;
    let learnt: Vec<HashSet<Vec<u8>>> =
        parts.train.iter().step_by(13).map(|&row| words(&set.sequences[row], k)).collect();
    for &row in parts.test.iter().step_by(60) {
        let mine = words(&set.sequences[row], k);
        for its in &learnt {
            let shared = mine.intersection(its).count();
            let all = mine.len() + its.len() - shared;
            assert!(all == 0 || (shared as f64) < threshold * all as f64, "row {row} shares {shared} of {all} words");
        }
    }
    // Windows of this set overlap, and many are of one family of repeats. All pairs compared with SciPy (a product of
    // sparse matrices, then connected components) make 26,133 clusters, the largest of 1,492 rows; here the sixteen
    // sequences of N alone are copies of each other, and one cluster.
    let sequences: Vec<&[u8]> = set.sequences.iter().map(Vec::as_slice).collect();
    let mut sizes: BTreeMap<u64, usize> = BTreeMap::new();
    for cluster in clusters(&sequences, &config.cluster) {
        *sizes.entry(cluster).or_default() += 1;
    }
    assert_eq!((sizes.len(), sizes.values().max()), (26_118, Some(&1_492)));
    let audit = Audit::without_baselines(&set, &parts).unwrap();
    for overlap in &audit.overlaps {
        assert_eq!((overlap.same_sequence, overlap.reverse_complement), (0, 0), "{}", overlap.part);
    }
}

#[test]
fn copies_of_splice_junctions_stay_together() {
    let Some(folder) = data::path("genomics/uci_splice") else { return };
    let set = sets::uci_splice(&folder.join("spliceData.txt")).unwrap();
    for kind in [SplitKind::Random, SplitKind::Cluster] {
        let parts = split(&set, &SplitConfig { kind, ..SplitConfig::default() }).unwrap();
        let audit = Audit::without_baselines(&set, &parts).unwrap();
        for overlap in &audit.overlaps {
            assert_eq!((overlap.same_sequence, overlap.reverse_complement), (0, 0), "{kind}, {}", overlap.part);
        }
        let share = parts.test.len() as f64 / set.len() as f64;
        assert!((share - 0.2).abs() < 0.03, "{kind}: {share}");
    }
}
