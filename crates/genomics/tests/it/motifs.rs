//! Motif files, comparison and scanning against the databases and against memelite; planted motifs are found again.
//!
//! `motifs.json` was made by `tests/golden/motifs.py`.

use genomics::explain::{Inputs, Mutagenesis, Target};
use genomics::io::meme::{MotifFile, read_meme, write_meme};
use genomics::locus::Strand;
use genomics::motif::{
    ClusterConfig, Column, CompareConfig, FilterBank, FilterConfig, Motif, MotifDatabase, Pssm, ScanConfig,
    SeqletConfig, UNIFORM,
};
use genomics::sequence::{ALPHABET, Unknown, reverse_complement};
use nn_core::burn::tensor::activation::relu;
use nn_core::burn::tensor::module::conv1d;
use nn_core::burn::tensor::ops::ConvOptions;
use nn_core::burn::tensor::{Device, Tensor, TensorData};
use nn_core::data::rng;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::data;

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/motifs.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn motifs(value: &Value) -> Vec<Motif> {
    let column = |column: &Value| Column::try_from(numbers(column)).unwrap();
    let motif = |(number, columns): (usize, &Value)| {
        Motif::new(number.to_string(), columns.as_array().unwrap().iter().map(column).collect()).unwrap()
    };
    value.as_array().unwrap().iter().enumerate().map(motif).collect()
}

#[test]
fn comparison_is_that_of_memelite() {
    let golden = golden();
    let config = CompareConfig { bins: 1000, ..CompareConfig::default() };
    let database = MotifDatabase::new(motifs(&golden["database"]), config).unwrap();
    for (query, expected) in motifs(&golden["queries"]).iter().zip(golden["compared"].as_array().unwrap()) {
        let found = database.search(query);
        assert!(found.windows(2).all(|pair| pair[0].p_value <= pair[1].p_value));
        for found in found {
            let at = |name: &str| expected[name][found.target].as_f64().unwrap();
            // both round the scores of a column to a thousandth of their range; a twin in numpy is as far from
            // memelite: 0.0102 at most
            let (p_value, given) = (found.p_value.log10(), at("p").log10());
            assert!((p_value - given).abs() < 0.02, "{}: 10^{p_value}, not 10^{given}", query.name);
            assert_eq!((found.offset as f64, found.overlap as f64), (at("offset"), at("overlap")));
            assert_eq!(found.strand == Strand::Reverse, at("reverse") == 1.0);
        }
    }
}

#[test]
fn hits_are_those_of_memelite() {
    let golden = golden();
    let motifs = motifs(&golden["scanned"]);
    let sequences: Vec<&[u8]> =
        golden["sequences"].as_array().unwrap().iter().map(|sequence| sequence.as_str().unwrap().as_bytes()).collect();
    let config = ScanConfig { p_value: 1e-3, step: 0.001, ..ScanConfig::default() };
    let mut hits = config.scan(&motifs, &sequences, &UNIFORM).unwrap();
    hits.sort_by_key(|hit| (hit.motif, hit.sequence, hit.start, hit.strand));
    let expected = golden["hits"].as_array().unwrap();
    assert_eq!(hits.len(), expected.len());
    for (hit, expected) in hits.iter().zip(expected) {
        let place = |at: usize| expected[at].as_u64().unwrap() as usize;
        assert_eq!((hit.motif, hit.sequence, hit.start), (place(0), place(1), place(2)));
        assert_eq!(hit.strand.sign().to_string(), expected[3].as_str().unwrap());
        // each position is rounded to a thousandth of a bit
        assert!((hit.score - expected[4].as_f64().unwrap()).abs() < 0.005);
        let given = expected[5].as_f64().unwrap();
        // it gives 0 for the best window of all, which it does not find in its table
        if given > 0.0 {
            // rounding may move a window or two to the other side
            let window = 0.25_f64.powi(motifs[hit.motif].width() as i32);
            assert!((hit.p_value - given).abs() < 2.5 * window, "{} {given}", hit.p_value);
        }
    }
}

#[test]
fn databases_are_read_whole() {
    let Some(folder) = data::path("genomics/motif_db") else { return };
    // numbers of a reader in Python: motifs, positions, sum of all probabilities of A, sites
    for (name, count, positions, adenine, sites, last) in [
        ("Jaspar.meme", 734, 8725, 2_448.218_801_7, 734.0, "M6559_1.02"),
        ("HOCOMOCO_H13CORE.meme", 1611, 24_628, 6_308.372_851_3, 5_682_196.0, "ZXDC.H13CORE.0.PI.A"),
    ] {
        let file = read_meme(&folder.join(name)).unwrap();
        assert_eq!((file.motifs.len(), file.background, file.both_strands), (count, UNIFORM, true));
        assert_eq!(file.motifs.iter().map(Motif::width).sum::<usize>(), positions);
        let sum: f64 = file.motifs.iter().flat_map(Motif::columns).map(|column| column[0]).sum();
        assert!((sum - adenine).abs() < 1e-6, "{sum}");
        assert_eq!(file.motifs.iter().filter_map(|motif| motif.sites).sum::<f64>(), sites);
        assert_eq!(file.motifs[count - 1].name, last);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("again.meme");
        write_meme(&path, &file).unwrap();
        let again = read_meme(&path).unwrap();
        for (a, b) in file.motifs.iter().zip(&again.motifs) {
            assert_eq!((&a.name, &a.alias, a.sites, &a.url), (&b.name, &b.alias, b.sites, &b.url));
            let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-6;
            assert!(a.columns().as_flattened().iter().zip(b.columns().as_flattened()).all(close), "{}", a.name);
        }
    }
}

#[test]
fn motifs_of_one_database_are_found_in_the_other() {
    let Some(folder) = data::path("genomics/motif_db") else { return };
    let known = read_meme(&folder.join("Jaspar.meme")).unwrap().motifs;
    let database = MotifDatabase::new(known, CompareConfig::default()).unwrap();
    let queries = read_meme(&folder.join("HOCOMOCO_H13CORE.meme")).unwrap().motifs;
    // the first hit and the order of its p-value, as a twin in numpy has them
    for (name, alias, p_value, offset, overlap) in [
        ("USF2.H13CORE.0.PSM.A", "USF2", 5.1e-12, -5, 13),
        ("SRF.H13CORE.0.PSM.A", "SRF", 7.5e-23, 0, 17),
        ("TYY1.H13CORE.0.PSM.A", "YY1", 6.2e-12, 0, 12),
        ("CTCF.H13CORE.0.P.B", "CTCF", 5.1e-29, 1, 20),
    ] {
        let query = queries.iter().find(|motif| motif.name == name).unwrap();
        let best = &database.search(query)[0];
        assert_eq!(database.motifs()[best.target].alias.as_deref(), Some(alias), "{name}");
        assert!((best.p_value / p_value).log10().abs() < 0.02, "{name}: {}", best.p_value);
        assert_eq!((best.offset, best.overlap), (offset, overlap), "{name}");
        assert!(best.q_value < 1e-8);
    }
}

/// The motif that is planted, TGACGCAATAGC, and one that is not.
fn planted() -> [Motif; 2] {
    ["TGACGCAATAGC", "CCTTAGGAAC"].map(|letters| {
        let columns =
            letters.bytes().map(|letter| ALPHABET.map(|base| if base == letter { 0.85 } else { 0.05 })).collect();
        Motif::new(letters, columns).unwrap()
    })
}

/// A site of a motif, drawn from its probabilities.
fn site(motif: &Motif, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let drawn = |column: &Column| {
        let mut left = rng.random::<f64>();
        let base = column.iter().position(|share| {
            left -= share;
            left < 0.0
        });
        ALPHABET[base.unwrap_or(3)]
    };
    motif.columns().iter().map(drawn).collect()
}

/// Sequences of 60 random bases with a site on either strand.
fn bound(count: usize, motif: &Motif, rng: &mut ChaCha8Rng) -> Vec<Vec<u8>> {
    let sequence = |_| {
        let mut bases: Vec<u8> = (0..60).map(|_| ALPHABET[rng.random_range(0..4)]).collect();
        let start = rng.random_range(0..60 - motif.width());
        let found = site(motif, rng);
        let found = if rng.random_bool(0.5) { found } else { reverse_complement(&found) };
        bases[start..start + motif.width()].copy_from_slice(&found);
        bases
    };
    (0..count).map(sequence).collect()
}

/// The planted motifs among 40 random ones.
fn database(planted: &[Motif], rng: &mut ChaCha8Rng) -> MotifDatabase {
    let mut motifs = planted.to_vec();
    for number in 0..40 {
        let column = |_| {
            let raw: Column = std::array::from_fn(|_| rng.random::<f64>().powi(4) + 0.01);
            let sum: f64 = raw.iter().sum();
            raw.map(|value| value / sum)
        };
        motifs.push(Motif::new(format!("random{number}"), (0..6 + number % 7).map(column).collect()).unwrap());
    }
    MotifDatabase::new(motifs, CompareConfig::default()).unwrap()
}

/// A network that is known: one filter has the log-odds of the planted motif, one those of its reverse complement,
/// others are random; the output is the sum of the first two filters' maxima.
#[test]
fn a_planted_motif_is_recovered_from_filters_and_from_seqlets() {
    let rng = &mut rng(41, &[]);
    let planted = planted();
    let database = database(&planted, rng);
    let sequences = bound(200, &planted[0], rng);
    let sequences: Vec<&[u8]> = sequences.iter().map(Vec::as_slice).collect();
    let device = Device::flex();
    let width = planted[0].width();
    let odds = |motif: &Motif| -> Vec<f32> {
        let odds = |base: usize| motif.columns().iter().map(move |column| (4.0 * column[base]).log2() as f32);
        (0..4).flat_map(odds).collect()
    };
    let mut weights = [odds(&planted[0]), odds(&planted[0].reverse_complement())].concat();
    weights.extend((0..2 * 4 * width).map(|_| rng.random_range(-1.0_f32..1.0)));
    let filters = Tensor::<3>::from_data(TensorData::new(weights, [4, 4, width]), &device);
    // nothing is left of windows that are not close to a site
    let bias = Tensor::<1>::from_floats([-6.0, -6.0, -2.0, -2.0], &device);

    let bank = FilterBank::new(&filters, Some(&bias)).unwrap();
    let found = FilterConfig::default().motifs(&bank, &sequences).unwrap();
    for (filter, strand) in [(0, Strand::Forward), (1, Strand::Reverse)] {
        let motif = found[filter].motif.as_ref().unwrap();
        let best = &database.search(motif)[0];
        assert_eq!((best.target, best.strand), (0, strand), "filter {filter}");
        assert!(best.q_value < 1e-6, "{best:?}");
        assert_eq!(motif.sites, Some(found[filter].sites as f64));
    }

    let output = Tensor::<2>::from_floats([[1.0], [1.0], [0.0], [0.0]], &device);
    let model = |x: Tensor<3>| {
        let maps = relu(conv1d(x, filters.clone(), Some(bias.clone()), ConvOptions::new([1], [0], [1], 1)));
        maps.max_dim(2).squeeze_dim::<2>(2).matmul(output.clone())
    };
    let inputs = Inputs::new(&sequences, 60, Unknown::Zeros, &device).unwrap();
    let scores = Mutagenesis::default().run(&model, &inputs, &Target::All(0)).unwrap().per_base();
    let seqlets = SeqletConfig::default().find(&scores).unwrap();
    let patterns = ClusterConfig::default().patterns(&sequences, &scores, &seqlets).unwrap();
    let best = &database.search(&patterns[0].motif)[0];
    assert_eq!(best.target, 0, "{}", patterns[0].motif.consensus());
    assert!(patterns[0].positive && best.q_value < 1e-6, "{best:?}");
    assert!(patterns[0].members.len() > 120, "{}", patterns[0].members.len());

    // what was found is a file that is read again, and finds the sites
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("found.meme");
    write_meme(&path, &MotifFile::new(patterns.iter().map(|pattern| pattern.motif.clone()).collect())).unwrap();
    let again = read_meme(&path).unwrap().motifs;
    assert_eq!(again[0].sites, Some(patterns[0].members.len() as f64));
    let hits = ScanConfig { p_value: 1e-5, ..ScanConfig::default() }.scan(&again[..1], &sequences, &UNIFORM).unwrap();
    let rows: std::collections::BTreeSet<usize> = hits.iter().map(|hit| hit.sequence).collect();
    let threshold = Pssm::new(&again[0], &UNIFORM, 0.1, 0.01).unwrap().threshold(1e-5).unwrap();
    assert!(rows.len() > 90 && hits.iter().all(|hit| hit.score >= threshold - 1e-9), "{}", rows.len());
}
