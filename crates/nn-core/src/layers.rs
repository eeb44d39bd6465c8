//! What burn's layers lack: initialisers as the papers state them, and a reproducible dropout.

mod conv;
mod dropout;
pub mod init;
mod recurrent;

pub use self::conv::{Conv, Conv1d, Conv2d, Conv3d, ConvConfig, ConvTranspose, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d};
pub use self::dropout::dropout;
pub use self::recurrent::{Direction, Gru, Lstm, Recurrent, RecurrentConfig, RecurrentLayer, RecurrentOutput, Rnn};
