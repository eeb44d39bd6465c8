//! `cargo xtask ci`: everything that must pass before a change is merged, cheapest first.

use std::{process::Command, time::Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::{
    demo::{self, DemoArgs},
    report::{self, ReportArgs},
    text,
    workspace::{Workspace, cargo},
};

/// Arguments of `ci`.
#[derive(Debug, Args)]
pub(crate) struct CiArgs {
    /// Also type-check every optional device, and compare ndarray with the CPU (a build of its own); CUDA needs a download to link,
    /// not to check
    #[arg(long)]
    gpu_features: bool,
    /// Only these steps
    #[arg(long, value_enum, value_name = "STEP")]
    only: Vec<Step>,
}

/// One step; a run goes through them in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// Formatting
    Fmt,
    /// The README's table is what the results say
    Report,
    /// Lints of every target, examples and tests too; warnings are errors
    Clippy,
    /// Documentation, warnings are errors
    Doc,
    /// All tests
    Test,
    /// The demo of every domain
    Demo,
    /// Type-check with the optional devices: CUDA, Vulkan, ndarray
    GpuFeatures,
    /// Every layer and network on ndarray and on the devices of --features against the CPU
    Parity,
}

/// Runs the verb; stops at the first step that fails.
///
/// # Errors
/// A step fails.
pub(crate) fn run(workspace: &Workspace, args: &CiArgs) -> Result<()> {
    let mut rows = Vec::new();
    for &step in Step::value_variants() {
        let of_devices = matches!(step, Step::GpuFeatures | Step::Parity);
        let wanted = if args.only.is_empty() { !of_devices } else { args.only.contains(&step) };
        if !(wanted || of_devices && args.gpu_features) {
            continue;
        }
        let name = step.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        eprintln!("== {name}");
        let began = Instant::now();
        step.run(workspace).with_context(|| format!("step {name} failed"))?;
        rows.push(vec![name, format!("{:.0} s", began.elapsed().as_secs_f64())]);
    }
    text::print(&format!("\n{}", text::table(&["step", "passed in"], &rows)))
}

impl Step {
    fn run(self, workspace: &Workspace) -> Result<()> {
        // One profile for lints, tests and the demo: what is compiled once is used by all.
        match self {
            Self::Fmt => checked(cargo(&workspace.root).args(["fmt", "--all", "--check"])),
            Self::Report => report::run(workspace, &ReportArgs::check_only()),
            Self::Clippy => checked(cargo(&workspace.root).args([
                "clippy",
                "--release",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ])),
            Self::Doc => checked(
                cargo(&workspace.root)
                    .args(["doc", "--release", "--workspace", "--no-deps"])
                    .env("RUSTDOCFLAGS", "-D warnings"),
            ),
            Self::Test => checked(cargo(&workspace.root).args(["test", "--release", "--workspace"])),
            Self::Demo => demo::run(workspace, &DemoArgs::default()),
            // With DOCS_RS burn's CUDA build script leaves out its download; the types are the same.
            Self::GpuFeatures => checked(
                cargo(&workspace.root)
                    .args(["check", "--release", "--package", "galen-drug", "--features", "cuda,vulkan,ndarray"])
                    .env("DOCS_RS", "1"),
            ),
            Self::Parity => parity(workspace),
        }
    }
}

/// The integration tests called `parity`. Of the whole workspace: with fewer packages, features of what they depend on
/// would be others, and all of that compiled anew.
fn parity(workspace: &Workspace) -> Result<()> {
    let mut command = cargo(&workspace.root);
    command.args(["test", "--release", "--workspace"]);
    checked(command.args(workspace.features(&["ndarray"])).args(["--test", "it", "parity"]))
}

fn checked(command: &mut Command) -> Result<()> {
    let status = command.status().context("cannot start cargo")?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
