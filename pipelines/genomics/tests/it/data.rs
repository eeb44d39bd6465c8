//! Small inputs that the tests make: bases from a fixed generator, with or without a motif.

use std::fmt::Write as _;
use tests::draw;

/// Bases that are always the same.
pub(crate) struct Draw(draw::Draw);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(draw::Draw::new(seed))
    }

    /// Bases, all equally frequent.
    pub(crate) fn bases(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b"ACGT"[self.0.next(4)])).collect()
    }

    /// Bases with a motif somewhere.
    pub(crate) fn with_motif(&mut self, count: usize) -> String {
        let mut bases = self.bases(count);
        let at = self.0.next(count - MOTIF.len());
        bases.replace_range(at..at + MOTIF.len(), MOTIF);
        bases
    }
}

/// What tells the classes apart.
pub(crate) const MOTIF: &str = "TGACGTCAGG";
/// Bases of a sequence.
pub(crate) const LENGTH: usize = 60;

/// A FASTA file of `rows` sequences, with or without the motif.
pub(crate) fn fasta(rows: usize, motif: bool, seed: u64) -> String {
    let mut draw = Draw::new(seed);
    (0..rows).fold(String::new(), |mut text, row| {
        let bases = if motif { draw.with_motif(LENGTH) } else { draw.bases(LENGTH) };
        let kind = if motif { "bound" } else { "free" };
        writeln!(text, ">{kind}_{row} seed {seed}\n{bases}").unwrap();
        text
    })
}

/// A table of sequences with a label and a group for each.
pub(crate) fn table(rows: usize, seed: u64) -> String {
    let mut draw = Draw::new(seed);
    (0..rows).fold("id,sequence,label,family\n".to_owned(), |mut text, row| {
        let bases = if row % 2 == 0 { draw.with_motif(LENGTH) } else { draw.bases(LENGTH) };
        writeln!(text, "r{row},{bases},{},{}", (row + 1) % 2, row / 4).unwrap();
        text
    })
}

/// A genome of `contigs` contigs and its peaks: 40 places of each that hold the motif, 360 bases apart.
pub(crate) fn genome(contigs: usize) -> (String, String) {
    let mut draw = Draw::new(11);
    let (mut fasta, mut bed) = (String::new(), String::new());
    for contig in 1..=contigs {
        writeln!(fasta, ">chr{contig}").unwrap();
        for peak in 0..40 {
            let bases = draw.bases(150) + &draw.with_motif(LENGTH) + &draw.bases(150);
            writeln!(fasta, "{bases}").unwrap();
            let start = 360 * peak + 150;
            writeln!(bed, "chr{contig}\t{start}\t{}\tpeak_{contig}_{peak}", start + LENGTH).unwrap();
        }
    }
    (fasta, bed)
}

/// Options that make `train` quick: a network of a few filters.
pub(crate) fn quick(command: &[&str]) -> Vec<String> {
    let settings = [
        "network.filters=24",
        "network.kernel=10",
        "network.second_filters=0",
        "network.hidden=16",
        "batch_size=16",
        "learning_rate=0.005",
        "schedule=constant",
        "optimizer=adam",
        "weight_decay=0.0",
        "patience=1000",
    ];
    let mut words: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
    for setting in settings {
        words.extend(["--set".to_owned(), setting.to_owned()]);
    }
    words
}
