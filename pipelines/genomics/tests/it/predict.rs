//! `predict` returns every row of the input, in order, scored or with the reason why not; tiles are written along the
//! genome.

use crate::command::{demo_run, folder_with, galen_genomics_in, start};
use crate::data::Draw;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// The fields of a line of CSV; those with commas stand in quotes.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    for letter in line.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => fields.last_mut().unwrap().push(other),
        }
    }
    fields
}

/// Rows of a CSV text by the names of its head.
fn rows(csv: &str) -> Vec<HashMap<String, String>> {
    let mut lines = csv.lines();
    let head = fields(lines.next().expect("a head"));
    lines.map(|line| head.iter().cloned().zip(fields(line)).collect()).collect()
}

fn predict(folder: &Path, options: &[&str]) -> crate::command::Finished {
    let model = demo_run().to_string_lossy().into_owned();
    let arguments: Vec<&str> = ["predict", "--model", &model].into_iter().chain(options.iter().copied()).collect();
    galen_genomics_in(folder, &arguments)
}

/// A sequence of the model's 200 bases, a short and a long one, a mistake, one of unknown bases only, the first again.
fn sequences() -> String {
    let mut draw = Draw::new(3);
    let (whole, short) = (draw.bases(200), draw.bases(80));
    let long = draw.bases(50) + &whole + &draw.bases(50);
    format!(
        ">whole\n{whole}\n>short\n{short}\n>wrong\nACG*T\n>long\n{long}\n>unknown\n{}\n>again with a description\r\n{}\r\n",
        "N".repeat(200),
        whole.to_lowercase()
    )
}

#[test]
fn rows_keep_their_order_and_say_what_happened() {
    let folder = folder_with(&[("a.fa", &sequences())]);
    let told = predict(folder.path(), &["--fasta", "a.fa", "--out", "out.csv"]).ends_with(0);
    told.says("rows: 2 ok, 2 scored with remarks, 2 invalid");
    let csv = fs::read_to_string(folder.path().join("out.csv")).unwrap();
    let rows = rows(&csv);
    let names: Vec<&str> = rows.iter().map(|row| row["name"].as_str()).collect();
    assert_eq!(names, ["whole", "short", "3", "long", "unknown", "again"], "{csv}");
    for (at, row) in rows.iter().enumerate() {
        assert_eq!(row["row"], (at + 1).to_string(), "{csv}");
        let refused = row["status"].starts_with("invalid: ");
        assert_eq!(refused, [2, 4].contains(&at), "{row:?}");
        let number = row["bound"].parse::<f64>();
        assert_eq!(number.is_ok_and(|p| (0.0..=1.0).contains(&p)), !refused, "{row:?}");
    }
    let said = [0, 1, 3].map(|at: usize| rows[at]["status"].as_str());
    assert_eq!(said, ["ok", "padded 80/200", "cropped 200/300"]);
    assert!(rows[2]["status"].contains("'*'"), "{:?}", rows[2]);
    // The same bases get the same number, whatever the case of the letters or what stands around them.
    assert_eq!(rows[0]["bound"], rows[5]["bound"]);
    assert_eq!(rows[0]["bound"], rows[3]["bound"]);
}

#[test]
fn standard_output_tables_and_parquet_hold_the_same_rows() {
    let folder = folder_with(&[("a.fa", &sequences())]);
    let printed = predict(folder.path(), &["--fasta", "a.fa"]).ends_with(0).stdout;
    predict(folder.path(), &["--fasta", "a.fa", "--out", "out.csv"]).ends_with(0);
    assert_eq!(printed, fs::read_to_string(folder.path().join("out.csv")).unwrap());
    predict(folder.path(), &["--fasta", "a.fa", "--out", "out.tsv"]).ends_with(0);
    let tabs = fs::read_to_string(folder.path().join("out.tsv")).unwrap();
    assert_eq!(tabs.lines().count(), printed.lines().count());
    assert_eq!(tabs.lines().nth(1), printed.lines().nth(1).map(|line| line.replace(',', "\t")).as_deref());
    predict(folder.path(), &["--fasta", "a.fa", "--out", "out.parquet"]).ends_with(0);
    let parquet = fs::read(folder.path().join("out.parquet")).unwrap();
    // "PAR1" opens and closes every Parquet file (format specification, section File Format).
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
    predict(folder.path(), &["--fasta", "a.fa", "--out", "out.bw"]).ends_with(2).says("--tile");
}

/// Tiles cover each contig from end to end; a table and a track have the same values.
#[test]
fn a_genome_is_tiled() {
    let mut draw = Draw::new(5);
    let text = format!(">one\n{}\n{}\n>two\n{}\n", draw.bases(500), "N".repeat(700), draw.bases(230));
    let folder = folder_with(&[("genome.fa", &text)]);
    let tile =
        |out: &str| predict(folder.path(), &["--genome", "genome.fa", "--tile", "100", "--out", out]).ends_with(0);
    tile("out.csv");
    let csv = fs::read_to_string(folder.path().join("out.csv")).unwrap();
    let rows = rows(&csv);
    assert_eq!(rows.len(), 12 + 3, "{csv}");
    let unscored = rows.iter().filter(|row| row["bound"].is_empty()).count();
    // Tiles whose window of 200 bases lies in the 700 unknown ones: windows from 600 to 1200.
    assert_eq!(unscored, 6, "{csv}");
    assert_eq!(["contig", "start", "end"].map(|name| rows[14][name].as_str()), ["two", "200", "230"]);
    tile("out.bedgraph").says("tiles: 15, of which 6");
    let graph = fs::read_to_string(folder.path().join("out.bedgraph")).unwrap();
    let mut values = HashMap::new();
    for line in graph.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [contig, start, end, value] = fields.as_slice() else { panic!("{line}") };
        // Neighbours of one value may be one line.
        for at in (start.parse::<usize>().unwrap()..end.parse().unwrap()).step_by(100) {
            values.insert(((*contig).to_owned(), at), value.parse::<f64>().unwrap());
        }
    }
    for row in rows.iter().filter(|row| !row["bound"].is_empty()) {
        let at = (row["contig"].clone(), row["start"].parse().unwrap());
        // 1e-6: tracks are in single precision
        assert!((values[&at] - row["bound"].parse::<f64>().unwrap()).abs() < 1e-6, "{row:?}");
    }
    let chosen = ["--genome", "genome.fa", "--tile", "100", "--contig", "two", "--out", "two.bw"];
    predict(folder.path(), &chosen).ends_with(0).says("tiles: 3, of which 0");
    // Little-endian magic of bigWig (UCSC, bbiFile.h).
    assert!(fs::read(folder.path().join("two.bw")).unwrap().starts_with(&0x888F_FC26_u32.to_le_bytes()));
}

#[test]
fn intervals_of_another_genome_are_told_row_by_row() {
    let mut draw = Draw::new(6);
    let folder = folder_with(&[
        ("genome.fa", &format!(">chr1\n{}\n", draw.bases(1000))),
        ("a.bed", "1\t400\t500\tinside\nchr7\t5\t9\telsewhere\nchr1\t0\t10\tedge\nchr1\t9\t5\tbackwards\n"),
    ]);
    let told = predict(folder.path(), &["--bed", "a.bed", "--genome", "genome.fa"]).ends_with(0);
    let rows = rows(&told.stdout);
    assert_eq!(rows.len(), 4, "{}", told.stdout);
    assert_eq!(rows[0]["status"], "ok");
    assert!(rows[1]["status"].contains("chr7"), "{:?}", rows[1]);
    assert!(rows[2]["status"].starts_with("padded "), "{:?}", rows[2]);
    assert!(rows[3]["status"].starts_with("invalid: "), "{:?}", rows[3]);
}

#[test]
fn an_empty_file_fails_and_leaves_nothing() {
    let folder = folder_with(&[("a.fa", "")]);
    predict(folder.path(), &["--fasta", "a.fa", "--out", "out.csv"]).ends_with(1).says("a.fa");
    assert!(!folder.path().join("out.csv").exists());
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_no_file() {
    let mut draw = Draw::new(9);
    let folder = folder_with(&[("genome.fa", &format!(">chr1\n{}\n", draw.bases(2_000_000)))]);
    let model = demo_run().to_string_lossy().into_owned();
    let arguments = ["predict", "--model", &model, "--genome", "genome.fa", "--tile", "5", "--out", "out.csv"];
    let mut run = start(folder.path(), &arguments);
    let names = || {
        let entries = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        entries.map(|name| name.to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    run.wait_for(|| names().iter().any(|name| name.ends_with(".tmp")));
    run.interrupt();
    run.finish().ends_with(130).says("tiles were scored, but out.csv was not written");
    assert!(!names().iter().any(|name| name.contains("out.csv")), "{:?}", names());
}

/// Scoring a whole chromosome takes the memory of a batch and two bits a base: neither its letters are held nor its
/// channels, nor what was scored.
#[cfg(target_os = "linux")]
#[test]
fn a_chromosome_takes_the_memory_of_its_bits() {
    const BASES: usize = 100_000_000;
    let line = Draw::new(8).bases(10_000) + "\n";
    let folder = folder_with(&[
        ("short.fa", &format!(">chr1\n{}", line.repeat(BASES / 1_000_000))),
        ("long.fa", &format!(">chr1\n{}", line.repeat(BASES / 10_000))),
    ]);
    let model = demo_run().to_string_lossy().into_owned();
    let peak = |genome: &str, step: &str| {
        let arguments = ["predict", "--model", &model, "--genome", genome, "--tile", step, "--out", "out.bedgraph"];
        let (told, peak) = start(folder.path(), &arguments).finish_with_peak();
        told.ends_with(0).says("tiles: 2000, of which 0");
        peak
    };
    let (short, long) = (peak("short.fa", "500"), peak("long.fa", "50000"));
    // 40 MB are what an allocator may keep; the letters alone would take 100 MB, one-hot channels 1600 MB.
    let most = short + BASES as u64 / 4 + 40_000_000;
    assert!(short > 0 && long < most, "{long} bytes for 100 million bases, {short} for one million");
}
