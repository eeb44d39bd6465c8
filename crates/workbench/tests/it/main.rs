//! The workbench as a binary uses it.

mod config;
mod figures;
mod observe;
mod report;
mod run;
