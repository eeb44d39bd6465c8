//! `bench genomics`, `bench imaging` and `bench ehr`: parts of a pipeline beside what its users have in Python today.
//!
//! Our side is the hidden verb `bench` of the domain's program, theirs a script with the same parts. `PART_speedup` is the peer's time
//! divided by ours, `PART_memory` our largest memory divided by the peer's.

use std::{collections::BTreeMap, path::Path, time::Instant};

use anyhow::{Context, Result, bail};

use super::{
    measure::{Measure, Rounds, each, named},
    outcome::{Outcome, at_least},
    session::{Peer, Session},
};
use crate::{manifest::digests, results::Metric};

/// Rounds where the user asks for no number.
const ROUNDS: u32 = 5;

/// What is measured of a domain.
pub(super) struct Domain {
    name: &'static str,
    peer: Peer,
    /// Arguments with which the script writes what both sides read.
    prepare: &'static [&'static str],
    parts: &'static [Part],
}

/// One thing that both sides do. `{data}` stands for the folder of the data sets, `{scratch}` for that of `prepare`.
struct Part {
    name: &'static str,
    own: &'static [&'static str],
    peer: &'static [&'static str],
    /// The least speed-up that is meant to be reached, and why that.
    target: (f64, &'static str),
}

const AT_LEAST_AS_FAST: (f64, &str) = (1.0, "at least as fast as the peer");

pub(super) const GENOMICS: Domain = Domain {
    name: "genomics",
    peer: Peer {
        script: "genomics.py",
        modules: "numpy, pysam, pyfaidx, kipoiseq",
        install: "pip install numpy pysam pyfaidx kipoiseq six, and samtools on the path",
    },
    prepare: &["prepare", "{data}/genomics/yeast_sacCer3/sacCer3.fa", "{scratch}"],
    parts: &[
        Part {
            name: "coverage",
            own: &["coverage", "--bam", "{scratch}/reads.bam"],
            peer: &["coverage-samtools", "{scratch}/reads.bam"],
            target: (1.0, "samtools depth is the fastest program for it that is in wide use"),
        },
        Part {
            name: "coverage_pysam",
            own: &["coverage", "--bam", "{scratch}/reads.bam"],
            peer: &["coverage-pysam", "{scratch}/reads.bam"],
            target: AT_LEAST_AS_FAST,
        },
        Part {
            name: "windows",
            own: &["windows", "--genome", "{scratch}/genome.fa"],
            peer: &["windows", "{scratch}/genome.fa"],
            target: (10.0, "no interpreter for each window, and bases of two bits"),
        },
        Part {
            name: "variants",
            own: &["variants", "--genome", "{scratch}/genome.fa", "--vcf", "{scratch}/variants.vcf"],
            peer: &["variants", "{scratch}/genome.fa", "{scratch}/variants.vcf"],
            target: AT_LEAST_AS_FAST,
        },
    ],
};

pub(super) const IMAGING: Domain = Domain {
    name: "imaging",
    peer: Peer {
        script: "imaging.py",
        modules: "numpy, pydicom, SimpleITK, nibabel, monai, torch",
        install: "pip install numpy pydicom SimpleITK nibabel monai torch",
    },
    prepare: &["prepare", "{scratch}"],
    parts: &[
        Part {
            name: "series_pydicom",
            own: &["series", "--input", "{scratch}/series", "--items", "3"],
            peer: &["series-pydicom", "{scratch}/series", "--items", "3"],
            target: AT_LEAST_AS_FAST,
        },
        Part {
            name: "series_simpleitk",
            own: &["series", "--input", "{scratch}/series", "--items", "3"],
            peer: &["series-simpleitk", "{scratch}/series", "--items", "3"],
            target: AT_LEAST_AS_FAST,
        },
        Part {
            name: "nifti",
            own: &["nifti", "--input", "{scratch}/volume.nii.gz", "--items", "3"],
            peer: &["nifti", "{scratch}/volume.nii.gz", "--items", "3"],
            target: AT_LEAST_AS_FAST,
        },
        Part {
            name: "augment",
            own: &["augment", "--size", "128", "--patch", "96", "--items", "40"],
            peer: &["augment", "--size", "128", "--patch", "96", "--items", "40"],
            target: AT_LEAST_AS_FAST,
        },
        Part {
            name: "window",
            own: &["window", "--size", "128", "--patch", "64"],
            peer: &["window", "--size", "128", "--patch", "64"],
            target: AT_LEAST_AS_FAST,
        },
    ],
};

pub(super) const EHR: Domain = Domain {
    name: "ehr",
    peer: Peer {
        script: "ehr.py",
        modules: "numpy, polars, pandas, pyarrow, torch, MEDS_extract",
        install: "pip install numpy polars pandas pyarrow torch MEDS_extract",
    },
    prepare: &["prepare", "{scratch}"],
    parts: &[
        Part {
            name: "convert",
            own: &["convert", "--input", "{scratch}/mimic", "--format", "mimic3", "--out", "{scratch}/own"],
            peer: &["convert", "{scratch}/mimic", "{scratch}/peer"],
            target: (1.0, "polars holds every table in memory, our conversion none of them"),
        },
        Part {
            name: "convert_meds_extract",
            own: &["convert", "--input", "{scratch}/mimic", "--format", "mimic3", "--out", "{scratch}/own"],
            peer: &["convert-meds-extract", "{scratch}/mimic", "{scratch}/extract"],
            target: (5.0, "one program, where MEDS-Extract starts one for each of eight stages"),
        },
        Part {
            name: "table",
            own: &["table", "--input", "{scratch}/meds", "--items", "3"],
            peer: &["table", "{scratch}/meds", "--items", "3"],
            target: AT_LEAST_AS_FAST,
        },
        Part {
            name: "table_pandas",
            own: &["table", "--input", "{scratch}/meds", "--items", "3"],
            peer: &["table-pandas", "{scratch}/meds", "--items", "3"],
            target: AT_LEAST_AS_FAST,
        },
        Part {
            name: "series",
            own: &["series", "--input", "{scratch}/meds", "--items", "3"],
            peer: &["series", "{scratch}/meds", "--items", "3"],
            target: AT_LEAST_AS_FAST,
        },
        Part {
            name: "gru_d",
            own: &["gru-d", "--rows", "2880", "--steps", "48", "--batch", "64", "--items", "2"],
            peer: &["gru-d", "--rows", "2880", "--steps", "48", "--batch", "64", "--items", "2"],
            target: AT_LEAST_AS_FAST,
        },
    ],
};

/// Runs the bench of a domain.
///
/// # Errors
/// A side fails, or the two sides come to different results.
pub(super) fn measure(session: &Session, domain: &Domain) -> Result<Outcome> {
    let began = Instant::now();
    let workspace = session.workspace;
    let Some(peer) = session.usable(domain.name, domain.peer)? else {
        bail!("the peer's script writes what both sides read");
    };
    let program = workspace.binary(&workspace.pipeline(domain.name)?)?;
    let scratch = std::path::absolute(workspace.scratch("bench"))?.join(domain.name);
    let fill = |words: &[&str]| filled(words, workspace.any_data_root(), &scratch);
    let data = digests(workspace.any_data_root(), from_data_sets(domain.prepare))?;
    // Its answer is a line like any other side's.
    session.peer(&peer, &fill(domain.prepare)).context("the inputs of the bench")?;
    let count = session.rounds(ROUNDS);
    let (mut metrics, mut bounds) = (BTreeMap::new(), BTreeMap::new());
    let mut all = Rounds { ours: Vec::new(), theirs: Vec::new() };
    for part in domain.parts {
        let own_args = [vec!["bench".to_owned()], fill(part.own)].concat();
        let peer_args = fill(part.peer);
        let theirs = || session.peer(&peer, &peer_args);
        let own = || session.own(&format!("{}, {}", domain.name, part.name), &program, &own_args);
        let rounds = Rounds::take(count, own, Some(&theirs))?;
        metrics.extend(compare(part.name, &rounds).with_context(|| part.name)?);
        let (least, why) = part.target;
        bounds.extend([at_least(&format!("{}_speedup", part.name), least, why)]);
        all.ours.extend(rounds.ours);
        all.theirs.extend(rounds.theirs);
    }
    Ok(Outcome {
        domain: domain.name,
        data,
        metrics,
        bounds,
        protocol: "the peer's time divided by ours, and our largest memory divided by the peer's".to_owned(),
        rounds: count,
        device: all.device(),
        peer: all.peer(),
        peak_mb: all.peak_mb(),
        seconds: began.elapsed().as_secs_f64(),
        complete: true,
    })
}

/// The paths under the data root among `words`.
fn from_data_sets<'a>(words: &[&'a str]) -> Vec<&'a str> {
    words.iter().filter_map(|word| word.strip_prefix("{data}/")).collect()
}

fn filled(words: &[&str], data: &Path, scratch: &Path) -> Vec<String> {
    let fill = |word: &&str| {
        word.replace("{data}", &data.display().to_string()).replace("{scratch}", &scratch.display().to_string())
    };
    words.iter().map(fill).collect()
}

fn compare(name: &str, rounds: &Rounds) -> Result<BTreeMap<String, Metric>> {
    rounds.check()?;
    let peak = |side: &Measure| side.peak_mb.filter(|&peak| peak > 0.0);
    Ok(named([
        (format!("{name}_speedup"), rounds.paired(|own, peer| Some(peer.seconds / own.seconds))),
        (format!("{name}_memory"), rounds.paired(|own, peer| Some(peak(own)? / peak(peer)?))),
        (format!("{name}_seconds"), each(&rounds.ours, |side| Some(side.seconds))),
        (format!("{name}_peer_seconds"), each(&rounds.theirs, |side| Some(side.seconds))),
        (format!("{name}_peer_peak_mb"), each(&rounds.theirs, peak)),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_up_is_the_peers_time_over_ours() {
        let side = |seconds: f64, peak: f64| Measure { seconds, items: 3.0, peak_mb: Some(peak), ..Measure::default() };
        let rounds = Rounds { ours: vec![side(0.5, 10.0)], theirs: vec![side(2.0, 40.0)] };
        let metrics = compare("windows", &rounds).unwrap();
        assert_eq!((metrics["windows_speedup"].mean, metrics["windows_memory"].mean), (4.0, 0.25));
    }

    #[test]
    fn places_are_filled_in() {
        let words = filled(&["coverage", "{scratch}/reads.bam", "{data}/x"], Path::new("/d"), Path::new("/s"));
        assert_eq!(words, ["coverage", "/s/reads.bam", "/d/x"]);
        assert_eq!(from_data_sets(&["prepare", "{data}/genomics/x.fa", "{scratch}"]), ["genomics/x.fa"]);
    }
}
