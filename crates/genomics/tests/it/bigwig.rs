//! Signals: bigWig files against bigtools and pyBigWig, bedGraph, and damaged files of both.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use bigtools::BigWigRead;
use flate2::Crc;
use genomics::io::IoError;
use genomics::io::bigwig::{BigWig, ContigSignal, SignalSpan, SignalWriter, read_signal};
use nn_core::data::rng;
use rand::RngExt;
use serde_json::Value;
use tempfile::TempDir;

use crate::data::{self, damaged};

const GOLDEN: &str = include_str!("../golden/bigwig.json");
const STEPS: &[u8] = include_bytes!("../golden/steps.bw");

fn file(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn message<T>(result: Result<T, IoError>) -> String {
    result.err().map(|error| error.to_string()).unwrap_or_default()
}

/// Writes a signal whose contigs are in the order of the list.
fn write(path: &Path, signal: &[ContigSignal]) -> Result<(), IoError> {
    let mut writer = SignalWriter::create(path, signal.iter().map(|contig| (contig.name.to_string(), contig.length)))?;
    for (place, contig) in signal.iter().enumerate() {
        for span in &contig.spans {
            writer.add(place, span.start, span.end, span.value)?;
        }
    }
    writer.finish()
}

/// Spans with and without gaps, no two neighbours of equal value.
fn random_signal(seed: u64, contigs: &[(&str, u64)]) -> Vec<ContigSignal> {
    let mut rng = rng(seed, &[3]);
    let one = |&(name, length): &(&str, u64)| {
        let (mut spans, mut start) = (Vec::new(), rng.random_range(0..20));
        let mut last = 0.0;
        while start < length {
            let end = (start + rng.random_range(1..60)).min(length);
            let mut value: f32 = rng.random_range(-5.0..50.0);
            if value == last {
                value += 1.0;
            }
            last = value;
            spans.push(SignalSpan { start, end, value });
            start = end + if rng.random_range(0..3) == 0 { rng.random_range(0..500) } else { 0 };
        }
        ContigSignal { name: name.into(), length, spans }
    };
    contigs.iter().map(one).collect()
}

/// The same values come back through our reader and through bigtools', whole and in parts.
#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let contigs = [("chr2", 400_000), ("chr10", 3_000), ("scaffold with blanks", 70)];
    let signal = random_signal(1, &contigs);
    let path = folder.path().join("a.bw");
    write(&path, &signal).unwrap();
    assert_eq!(read_signal(&path).unwrap(), signal);
    let names: Vec<String> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names, ["a.bw"]);

    let mut peer = BigWigRead::open_file(&path).unwrap();
    for contig in &signal {
        let found: Vec<SignalSpan> = peer
            .get_interval(&contig.name, 0, contig.length as u32)
            .unwrap()
            .map(|value| {
                let value = value.unwrap();
                SignalSpan { start: value.start.into(), end: value.end.into(), value: value.value }
            })
            .collect();
        assert_eq!(found, contig.spans);
    }
    let summary = peer.get_summary().unwrap();
    let covered: u64 = signal.iter().flat_map(|contig| &contig.spans).map(|span| span.end - span.start).sum();
    assert_eq!(summary.bases_covered, covered);
    let sum: f64 = signal.iter().map(ContigSignal::sum).sum();
    assert!((summary.sum - sum).abs() < 1e-6 * sum.abs());

    let mut ours = BigWig::open(&path).unwrap();
    let mut rng = rng(1, &[4]);
    for _ in 0..200 {
        let start = rng.random_range(0..400_000_u64);
        let end = start + rng.random_range(0..3_000);
        let values = ours.values("2", start, end).unwrap();
        let mut due = vec![f32::NAN; (end - start) as usize];
        for span in &signal[0].spans {
            for base in span.start.max(start)..span.end.min(end) {
                due[(base - start) as usize] = span.value;
            }
        }
        assert!(values.iter().zip(&due).all(|(one, other)| one.to_bits() == other.to_bits()), "{start} {end}");
        assert_eq!(values.len(), due.len());
    }
    assert!(message(ours.values("chr3", 0, 10)).contains("chr2"));
    assert!(ours.spans("chr10", 50, 50).unwrap().is_empty());
}

#[test]
fn bed_graph_there_and_back() {
    let folder = tempfile::tempdir().unwrap();
    for (seed, name) in [(2, "a.bedgraph"), (3, "a.bdg.gz")] {
        let mut signal = random_signal(seed, &[("chr2", 900), ("chr10", 300)]);
        let path = folder.path().join(name);
        write(&path, &signal).unwrap();
        for contig in &mut signal {
            contig.length = contig.spans.last().unwrap().end;
        }
        assert_eq!(read_signal(&path).unwrap(), signal);
    }
    let text = "track type=bedGraph\n#c\nchr1 0 5 1.5\r\nchr1\t5\t7\t-2e1\n\nchr2\t3\t4\t0\n";
    let signal = read_signal(&file(&folder, "b.bg", text.as_bytes())).unwrap();
    assert_eq!(signal.iter().map(ContigSignal::sum).collect::<Vec<_>>(), [7.5 - 40.0, 0.0]);
    for (text, part) in [
        ("chr1\t5\t5\t1\n", "line 1: 5 to 5 is no interval"),
        ("chr1\t0\t5\t1\nchr1\t4\t6\t1\n", "line 2: it begins at 4, before the end 5"),
        ("chr1\t0\t5\n", "line 1: 3 columns where 4 are due"),
        ("chr1\t0\t5\tnan\n", "is not finite"),
        ("chr1\t-1\t5\t1\n", "start \"-1\""),
        ("\n", "has no values"),
    ] {
        let said = message(read_signal(&file(&folder, "c.bg", text.as_bytes())));
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn what_cannot_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.bw", "a.bedgraph"] {
        let path = folder.path().join(name);
        let create = |contigs: &[(&str, u64)]| {
            SignalWriter::create(&path, contigs.iter().map(|&(name, length)| (name.to_owned(), length)))
        };
        for (value, part) in [
            ((0, 5, 5, 1.0), "5 to 5 is no interval of it"),
            ((0, 5, 101, 1.0), "chr1 has 100 bases"),
            ((0, 5, 6, f32::NAN), "is NaN"),
            ((0, 1, 2, 1.0), "come too late"),
            ((2, 1, 2, 1.0), "there is no contig 2 of 2"),
        ] {
            let mut writer = create(&[("chr1", 100), ("chr2", 100)]).unwrap();
            writer.add(0, 2, 4, 1.0).unwrap();
            let said = message(writer.add(value.0, value.1, value.2, value.3));
            assert!(said.contains(part), "{said}");
        }
        let mut writer = create(&[("chr1", 100), ("chr2", 100)]).unwrap();
        writer.add(1, 0, 1, 1.0).unwrap();
        assert!(message(writer.add(0, 50, 51, 1.0)).contains("come too late"));
        assert!(matches!(create(&[("chr1", 100)]).unwrap().finish(), Err(IoError::Empty { .. })));
        assert!(message(create(&[("chr1", 100), ("chr1", 100)])).contains("twice"));
        assert!(message(create(&[("chr1", 1 << 32)])).contains("4294967296 bases"));
        assert!(!path.exists());
    }
    assert!(message(SignalWriter::create(Path::new("/nowhere/at/all.bw"), [("a".to_owned(), 1)])).contains("/nowhere"));
    // Nothing is left of writers that were given up. Encoding threads may still be closing their files.
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// What `bigwig.py` keeps.
fn summary(signal: &[ContigSignal]) -> Vec<Value> {
    let one = |contig: &ContigSignal| {
        let mut crc = Crc::new();
        for span in &contig.spans {
            crc.update(&(span.start as u32).to_le_bytes());
            crc.update(&(span.end as u32).to_le_bytes());
            crc.update(&span.value.to_le_bytes());
        }
        let first: Vec<_> =
            contig.spans.iter().take(3).map(|span| (span.start, span.end, f64::from(span.value))).collect();
        serde_json::json!({
            "contig": &*contig.name,
            "length": contig.length,
            "spans": contig.spans.len(),
            "crc32": crc.sum(),
            "first": first,
        })
    };
    signal.iter().map(one).collect()
}

/// Fixed and variable steps, as pyBigWig writes them.
#[test]
fn blocks_of_every_kind() {
    let folder = tempfile::tempdir().unwrap();
    let golden: HashMap<String, Vec<Value>> = serde_json::from_str(GOLDEN).unwrap();
    let signal = read_signal(&file(&folder, "steps.bw", STEPS)).unwrap();
    assert_eq!(summary(&signal), golden["steps.bw"]);
    let fixed = &signal[0].spans[..20];
    for (place, span) in fixed.iter().enumerate() {
        let start = 100 + 30 * place as u64;
        assert_eq!(*span, SignalSpan { start, end: start + 20, value: 0.5 * place as f32 });
    }
}

#[test]
fn files_of_the_research_data_equal_pybigwig() {
    let Some(folder) = data::path("genomics/deeptools") else { return };
    let golden: HashMap<String, Vec<Value>> = serde_json::from_str(GOLDEN).unwrap();
    for (name, due) in golden.iter().filter(|(name, _)| *name != "steps.bw") {
        assert_eq!(&summary(&read_signal(&folder.join(name)).unwrap()), due, "{name}");
    }
}

/// Every beginning and every flipped bit of two small files: an error, or some other signal, but no panic, no endless
/// loop and no memory for what is not there.
#[test]
fn damage_does_not_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whole.bw");
    write(&path, &random_signal(9, &[("chr1", 300), ("chr2", 80)])).unwrap();
    let whole = fs::read(&path).unwrap();
    let mut refused = 0;
    for bytes in damaged(STEPS).chain(damaged(&whole)) {
        refused += usize::from(read_signal(&file(&folder, "a.bw", &bytes)).is_err());
    }
    assert!(refused > STEPS.len() + whole.len(), "{refused}");
    // A tree that comes back to itself.
    let tree = u64::from_le_bytes(STEPS[8..16].try_into().unwrap()) as usize + 32;
    let mut turned = STEPS.to_vec();
    turned[tree..tree + 4].copy_from_slice(&[0, 0, 1, 0]);
    let key = u32::from_le_bytes(turned[tree - 24..tree - 20].try_into().unwrap()) as usize;
    turned[tree + 4 + key..tree + 12 + key].copy_from_slice(&(tree as u64).to_le_bytes());
    assert!(message(read_signal(&file(&folder, "b.bw", &turned))).contains("comes back to byte"));
    assert!(message(BigWig::open(&file(&folder, "c.bw", &[0; 100]))).contains("it is no bigWig file"));
}
