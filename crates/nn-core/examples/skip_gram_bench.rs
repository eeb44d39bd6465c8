//! Tokens per second of skip-gram with negative sampling, for comparison with `xtask/peers/gensim_skip_gram.py`.
//!
//! ```text
//! cargo run --release -p nn-core --example skip_gram_bench -- --corpus zipf.txt --threads 2
//! python3 xtask/peers/gensim_skip_gram.py zipf.txt --threads 2
//! ```
//!
//! Writes a corpus of words by Zipf's law, reads it back, and times one epoch with the settings that both sides share:
//! 100 dimensions, a window of 5, 5 negatives. Counting the words is not timed.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser;
use nn_core::data::rng;
use nn_core::models::embedding::{SkipGramConfig, Vocabulary};
use rand::RngExt;

#[derive(Debug, Parser)]
struct Args {
    /// Text file for the corpus; it is written anew
    #[arg(long)]
    corpus: PathBuf,
    /// Tokens of the corpus
    #[arg(long, default_value_t = 2_000_000)]
    tokens: usize,
    /// Words that the corpus is drawn from
    #[arg(long, default_value_t = 50_000)]
    words: usize,
    /// Threads that train
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    write_corpus(&args.corpus, args.tokens, args.words)?;
    let text = std::fs::read_to_string(&args.corpus)?;
    let sentences: Vec<Vec<&str>> = text.lines().map(|line| line.split(' ').collect()).collect();
    let vocabulary = Vocabulary::count(&sentences, 1);
    let corpus = vocabulary.corpus(&sentences);

    let threads = args.threads;
    let config = SkipGramConfig { epochs: 1, threads, deterministic: false, ..SkipGramConfig::default() };
    let began = Instant::now();
    let model = config.fit(&corpus, vocabulary.len())?;
    let seconds = began.elapsed().as_secs_f64();
    let result = serde_json::json!({
        "name": "skipgram",
        "seconds": seconds,
        "items": corpus.tokens(),
        "words": model.vectors().rows(),
        "peak_mb": peak_mb(),
        "device": "cpu",
        "version": format!("nn-core {}, {threads} threads", env!("CARGO_PKG_VERSION")),
    });
    writeln!(io::stdout(), "{result}")?;
    Ok(())
}

/// Sentences of 5 to 35 words, word r with probability proportional to 1/(r + 2.7) (Mandelbrot 1953).
fn write_corpus(path: &Path, tokens: usize, words: usize) -> io::Result<()> {
    let mut below = 0.0;
    let cumulative: Vec<f64> = (0..words)
        .map(|rank| {
            below += 1.0 / (rank as f64 + 2.7);
            below
        })
        .collect();
    let mut rng = rng(1, &[]);
    let mut file = BufWriter::new(File::create(path)?);
    let mut written = 0;
    while written < tokens {
        let length: usize = rng.random_range(5..=35);
        let length = length.min(tokens - written);
        for at in 0..length {
            let place = rng.random::<f64>() * below;
            let word = cumulative.partition_point(|&end| end <= place);
            write!(file, "{}w{word}", if at == 0 { "" } else { " " })?;
        }
        writeln!(file)?;
        written += length;
    }
    file.flush()
}

/// Most memory that the process has held, in MiB, where the system tells.
fn peak_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok().map(|kilobytes| kilobytes / 1024.0)
}
