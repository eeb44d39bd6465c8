//! `bench`: how fast the parts are. Prints `{"seconds", "items", …}`; `cargo xtask bench` compares it with peers.

use crate::cli::{Bench, Measure};
use crate::config::{DeviceConfig, without_run_folder};
use crate::inputs;
use anyhow::Context;
use genomics::coverage::{CoverageConfig, depth};
use genomics::genome::{Edge, Genome};
use genomics::io::bam::{AlignmentOptions, Alignments};
use genomics::io::vcf::{VcfReader, VcfRow};
use genomics::locus::Locus;
use genomics::model::{Ensemble, ModelCard, Origin, Predicts, Preprocessing, SequenceModel, StrandPolicy};
use genomics::predict::Tiles;
use genomics::sequence::Unknown;
use genomics::systems::NetConfig;
use genomics::variant::{Contigs, Variant, check, windows};
use nn_core::data::rng;
use rand::RngExt;
use rayon::prelude::*;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use workbench::args::Common;
use workbench::exit::Usage;
use workbench::record::peak_memory_mb;

/// Windows of a batch, as a loader of training data would ask for them.
const BATCH: usize = 256;

pub(crate) fn run(common: &Common, args: &Bench) -> anyhow::Result<()> {
    without_run_folder(common, "bench")?;
    let Some(settings) = DeviceConfig::new(common)? else { return Ok(()) };
    let mut found = match args.what {
        Measure::Coverage => coverage(needed(args.bam.as_ref(), "--bam")?)?,
        Measure::Windows => one_hot(&opened(args)?, args)?,
        Measure::Variants => variants(&opened(args)?, needed(args.vcf.as_ref(), "--vcf")?, args.window)?,
        Measure::Tiles => tiles(&opened(args)?, args, &settings.device)?,
    };
    if let Value::Object(fields) = &mut found {
        fields.insert("peak_mb".into(), json!(peak_memory_mb()));
        fields.insert("device".into(), json!(settings.device));
        fields.insert(
            "version".into(),
            json!(format!("galen-genomics {}, {} threads", env!("CARGO_PKG_VERSION"), rayon::current_num_threads())),
        );
    }
    writeln!(std::io::stdout().lock(), "{found}")?;
    Ok(())
}

fn needed<'a>(path: Option<&'a PathBuf>, option: &str) -> Result<&'a Path, Usage> {
    path.map(PathBuf::as_path).ok_or_else(|| Usage(format!("this needs {option} FILE")))
}

fn opened(args: &Bench) -> anyhow::Result<Genome> {
    inputs::genome(needed(args.genome.as_ref(), "--genome")?, None)
}

/// Depth of every base of a file, reads and bases summed so that nothing is left out.
fn coverage(path: &Path) -> anyhow::Result<Value> {
    let began = Instant::now();
    let mut alignments = Alignments::open(path, &AlignmentOptions::default())?;
    let mut bases = 0_u64;
    let report = depth(&mut alignments, &CoverageConfig::default(), |_, depths| {
        bases += depths.iter().map(|&depth| u64::from(depth)).sum::<u64>();
        Ok(())
    })?;
    Ok(json!({ "seconds": began.elapsed().as_secs_f64(), "items": report.seen, "value": bases as f64 }))
}

/// One-hot channels of windows at random places, batch by batch; the sum is the number of known bases.
fn one_hot(genome: &Genome, args: &Bench) -> anyhow::Result<Value> {
    let contigs: Vec<(Arc<str>, i64, i64)> = genome
        .contigs()
        .filter_map(|(name, _)| genome.range(name).map(|range| (Arc::from(name), range.start, range.end)))
        .filter(|(_, start, end)| end - start > args.window as i64)
        .collect();
    anyhow::ensure!(!contigs.is_empty(), "no contig is longer than {} bases; give a smaller --window", args.window);
    let mut draw = rng(1, &[]);
    let loci: Vec<Locus> = (0..args.items)
        .map(|_| {
            let (name, start, end) = &contigs[draw.random_range(0..contigs.len())];
            let first = draw.random_range(*start..end - args.window as i64);
            Locus::new(Arc::clone(name), first, first + args.window as i64)
        })
        .collect::<Result<_, _>>()?;
    let began = Instant::now();
    let mut known = 0.0;
    for batch in loci.chunks(BATCH) {
        let values = genome.one_hot(batch, Edge::Refuse, Unknown::Zeros)?;
        known += f64::from(values[values.len() / 2]);
        std::hint::black_box(&values);
    }
    anyhow::ensure!(known >= 0.0, "a channel is negative");
    Ok(json!({ "seconds": began.elapsed().as_secs_f64(), "items": loci.len(), "bytes": genome.bytes() }))
}

/// Windows of both alleles of every variant that the genome has.
fn variants(genome: &Genome, path: &Path, width: usize) -> anyhow::Result<Value> {
    let began = Instant::now();
    let mut contigs = Contigs::new(genome);
    let mut checked = Vec::new();
    for row in VcfReader::open(path)? {
        if let VcfRow::Record(record) = row? {
            checked.extend(Variant::of(&record).map(|variant| check(variant, &mut contigs)));
        }
    }
    let built: usize = checked
        .par_iter()
        .filter_map(|checked| {
            let normal = checked.normalised.as_ref()?;
            let built = windows(normal, false, genome, width, Edge::Pad).ok()?;
            std::hint::black_box(&built);
            Some(1)
        })
        .sum();
    anyhow::ensure!(built > 0, "no variant of {} lies on the genome", path.display());
    Ok(json!({ "seconds": began.elapsed().as_secs_f64(), "items": built, "alleles": checked.len() }))
}

/// Tiles of the first contig, scored by a fresh network: time does not depend on the weights.
fn tiles(genome: &Genome, args: &Bench, device: &str) -> anyhow::Result<Value> {
    let device = nn_core::compute::device(device)?;
    let network = NetConfig::default().with_shape(args.window, 1);
    let card = ModelCard {
        preprocessing: Preprocessing::new(args.window, StrandPolicy::Network, Unknown::Zeros),
        predicts: Predicts { tasks: vec!["fresh".to_owned()], labels: genomics::dataset::Labels::Binary },
        origin: Origin::default(),
        network: network.clone(),
    };
    let model = SequenceModel { network: network.init(&device, &mut rng(1, &[]))?, card };
    let ensemble = Ensemble::new(vec![model])?;
    let contig = genome.contigs().next().map(|(name, _)| name.to_owned()).context("the genome has no contig")?;
    let began = Instant::now();
    let mut tiles = 0;
    for tile in Tiles::new(&ensemble, genome, &[contig], args.window)?.take(args.items) {
        std::hint::black_box(tile?);
        tiles += 1;
    }
    Ok(json!({ "seconds": began.elapsed().as_secs_f64(), "items": tiles, "bases": tiles * args.window }))
}
