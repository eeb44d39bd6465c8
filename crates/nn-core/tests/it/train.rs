//! The training engine from outside: exact resumption, damaged and missing files, full disks, numbers that are not
//! finite.

mod best;
mod crash;
mod engine;
mod faults;
mod scripted;
mod toy;
