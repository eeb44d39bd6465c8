//! What burn's layers lack: initialisers as the papers state them, and a reproducible dropout.

mod dropout;
pub mod init;

pub use self::dropout::dropout;
