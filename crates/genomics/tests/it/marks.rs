//! From genes and BAM files to `DeepChrome`: reads are counted in bins around the starts, on the strand of each gene, and
//! the network reads the counts.

use burn::tensor::Device;
use genomics::coverage::{CoverageConfig, Scale, WindowLayout, marks};
use genomics::dataset::MarkSet;
use genomics::io::bam::AlignmentOptions;
use genomics::io::read_gff;
use genomics::locus::{Locus, Strand};
use genomics::systems::deep_chrome::DeepChromeConfig;
use genomics::systems::marks::MarkTask;
use genomics::systems::recipe::Recipe;
use genomics::task::{Fitted, Task, TaskObjective};
use nn_core::data::rng;
use nn_core::optim::OptimizerConfig;
use nn_core::train::Monitor;

use crate::bam::{Raw, bam, file};

const GENES: usize = 80;
const LAYOUT: WindowLayout = WindowLayout { bins: 20, bin: 50 };

/// Whether a gene is expressed: half of them, on either strand.
fn high(gene: usize) -> bool {
    gene % 4 < 2
}

/// A read of 20 bases in the middle of a bin of the window around `start`, in the direction of the gene.
fn read(start: i64, strand: Strand, bin: i64) -> Raw {
    let away = 50 * (bin - 10) + 15;
    let first = if strand == Strand::Forward { start + away } else { start - away - 19 };
    Raw {
        name: "r".to_owned(),
        place: (0, first as i32),
        quality: 60,
        cigar: vec![('M', 20)],
        mate: (-1, -1),
        ..Raw::default()
    }
}

#[test]
fn marks_of_bam_files_are_learnt_on_both_strands() {
    let folder = tempfile::tempdir().unwrap();
    let lines = (0..GENES).map(|gene| {
        let (first, sign) = (2000 * gene + 1001, if gene % 2 == 0 { '+' } else { '-' });
        format!("chr1\t.\tgene\t{first}\t{}\t.\t{sign}\t.\tgene_id \"g{gene}\"; gene_name \"g{gene}\";\n", first + 399)
    });
    let annotation = read_gff(&file(&folder, "a.gtf", lines.collect::<String>().as_bytes())).unwrap();
    let places: Vec<Locus> = annotation.genes.iter().map(|gene| gene.locus.clone()).collect();
    assert_eq!(places.len(), GENES);

    // An active mark before the start of expressed genes, another one behind that of the others.
    let (mut active, mut repressive) = (Vec::new(), Vec::new());
    for (gene, place) in places.iter().enumerate() {
        if high(gene) {
            active.extend(vec![read(place.five_prime(), place.strand, 8); 3]);
        } else {
            repressive.extend(vec![read(place.five_prime(), place.strand, 12); 2]);
        }
    }
    let contigs = [("chr1", 2000 * GENES as u32 + 4000)];
    let files = [("active.bam", active), ("repressive.bam", repressive)].map(|(name, mut reads)| {
        reads.sort_by_key(|read| read.place);
        file(&folder, name, &bam(&contigs, "coordinate", &reads))
    });
    let (options, config) = (AlignmentOptions::default(), CoverageConfig::default());
    let matrix = marks(&files, &options, &places, LAYOUT, &config, Scale::None).unwrap();
    let mut expected = vec![0.0_f32; GENES * 2 * LAYOUT.bins];
    for (gene, values) in expected.chunks_mut(2 * LAYOUT.bins).enumerate() {
        if high(gene) {
            values[8] = 3.0;
        } else {
            values[LAYOUT.bins + 12] = 2.0;
        }
    }
    assert_eq!(matrix.values, expected);

    let names = |prefix: &str, count: usize| -> Vec<String> { (0..count).map(|i| format!("{prefix}{i}")).collect() };
    let labels: Vec<f32> = (0..GENES).map(|gene| f32::from(u8::from(high(gene)))).collect();
    let short = MarkSet::from_reads(matrix.clone(), names("g", GENES), names("m", 1), labels.clone());
    assert!(short.unwrap_err().to_string().starts_with("1 marks, but 2 are due"));
    let set = MarkSet::from_reads(matrix, names("g", GENES), names("m", 2), labels).unwrap();

    let device = Device::flex().autodiff();
    let sizes = DeepChromeConfig {
        marks: 2,
        bins: LAYOUT.bins,
        filters: 8,
        kernel: 5,
        pool: 4,
        hidden: vec![16],
        ..DeepChromeConfig::default()
    };
    let task = MarkTask::new(&set, sizes).unwrap();
    let network = task.init(&Fitted::default(), &device, &mut rng(1, &[])).unwrap();
    let (learnt, monitored): (Vec<usize>, Vec<usize>) = (0..GENES).partition(|gene| gene % 10 < 7);
    let objective = TaskObjective::new(&task, Fitted::default(), monitored, &device);
    let recipe = Recipe::new(OptimizerConfig::adam(), 0.01, 8, 10);
    let (_, outcome) = recipe.train("deepchrome", objective, network, &learnt, Monitor::lower("loss"), 1).unwrap();
    let auroc = outcome.best_metrics.iter().find(|(name, _)| name == "auroc").unwrap().1;
    assert!(auroc > 0.95, "AUROC {auroc}");
}
