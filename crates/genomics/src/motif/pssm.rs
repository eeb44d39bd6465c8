//! Log-odds scores of a motif, and how probable each is by chance.

use nn_core::config::in_range;

use super::{Column, Motif, MotifError, check_background};

/// Sites that a motif is taken to stand on if it does not say, as MEME does.
const USUAL_SITES: f64 = 20.0;
/// Widest motif that is scored; none that was ever published comes near.
const MOST_POSITIONS: usize = 1000;

/// A position-specific scoring matrix: for each base of a window how much more probable it is under the motif than
/// under the background, in bits.
///
/// Scores are whole multiples of a step, so that the distribution of the score of a random window can be computed
/// exactly by adding one position after the other (Staden 1989, CABIOS 5:89), and every p-value is that of the score it
/// stands with.
///
/// ```
/// use genomics::motif::{Motif, Pssm, UNIFORM};
/// let motif = Motif::from_counts("m", &[[8.0, 0.0, 0.0, 0.0], [0.0, 0.0, 4.0, 4.0]], 0.0)?;
/// let pssm = Pssm::new(&motif, &UNIFORM, 0.1, 0.01)?;
/// // AG and AT are two of sixteen windows
/// assert!((pssm.p_value(pssm.highest()) - 2.0 / 16.0).abs() < 1e-12);
/// assert_eq!(pssm.threshold(0.01), None);
/// # Ok::<(), genomics::motif::MotifError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Pssm {
    /// Scores in steps.
    forward: Vec<[i32; 4]>,
    /// The same for windows whose other strand has the motif.
    reverse: Vec<[i32; 4]>,
    step: f64,
    lowest: i64,
    /// Probability of a score of at least `lowest + i` steps.
    tail: Vec<f64>,
}

impl Pssm {
    /// Scores of a motif. Its probabilities p, which stand on n sites (20 if it does not say), become
    /// (n p + `pseudocount` b) / (n + `pseudocount`) with the frequencies b of the `background`, as FIMO does (Grant,
    /// Bailey and Noble 2011). `step` is in bits.
    ///
    /// # Errors
    /// [`MotifError::Background`]; [`MotifError::Config`] for a pseudocount outside 1e-6..=1e3, a step outside
    /// 0.001..=1, or more than 1000 positions.
    pub fn new(motif: &Motif, background: &Column, pseudocount: f64, step: f64) -> Result<Self, MotifError> {
        check_background(background)?;
        in_range("pseudocount", pseudocount, 1e-6..=1e3)?;
        in_range("step", step, 0.001..=1.0)?;
        in_range("width", motif.width(), 1..=MOST_POSITIONS)?;
        let sites = motif.sites.filter(|sites| sites.is_finite() && *sites > 0.0).unwrap_or(USUAL_SITES);
        let steps = |p: f64, b: f64| {
            let smoothed = (sites * p + pseudocount * b) / (sites + pseudocount);
            ((smoothed / b).log2() / step).round() as i32
        };
        let weights = |column: &Column| std::array::from_fn(|base| steps(column[base], background[base]));
        let forward: Vec<[i32; 4]> = motif.columns().iter().map(weights).collect();
        let reverse = forward.iter().rev().map(|&[a, c, g, t]| [t, g, c, a]).collect();
        let (lowest, tail) = tail(&forward, background);
        Ok(Self { forward, reverse, step, lowest, tail })
    }

    /// Number of positions.
    pub fn width(&self) -> usize {
        self.forward.len()
    }

    /// The score of the best window, in bits.
    pub fn highest(&self) -> f64 {
        self.bits(self.lowest + self.tail.len() as i64 - 1)
    }

    /// Probability that a random window of the background scores at least this many bits.
    pub fn p_value(&self, bits: f64) -> f64 {
        // the score is a whole number of steps but for the rounding of its product with the step
        self.chance((bits / self.step - 1e-6).ceil() as i64)
    }

    /// The smallest score in bits whose p-value is at most `p_value`; `None` if the best window has a larger one.
    pub fn threshold(&self, p_value: f64) -> Option<f64> {
        self.threshold_steps(p_value).map(|steps| self.bits(steps))
    }

    pub(super) fn threshold_steps(&self, p_value: f64) -> Option<i64> {
        let first = self.tail.partition_point(|&chance| chance > p_value);
        (first < self.tail.len()).then(|| self.lowest + first as i64)
    }

    pub(super) fn bits(&self, steps: i64) -> f64 {
        steps as f64 * self.step
    }

    /// Probability of at least this many steps.
    pub(super) fn chance(&self, steps: i64) -> f64 {
        let above = steps - self.lowest;
        if above <= 0 { 1.0 } else { self.tail.get(above as usize).copied().unwrap_or(0.0) }
    }

    /// Scores in steps of all windows of a run of known bases, on the forward and on the reverse strand.
    pub(super) fn windows(&self, run: &[u8]) -> impl Iterator<Item = [i64; 2]> {
        let sum = |weights: &[[i32; 4]], window: &[u8]| -> i64 {
            weights.iter().zip(window).map(|(weights, &base)| i64::from(weights[usize::from(base)])).sum()
        };
        run.windows(self.width()).map(move |window| [sum(&self.forward, window), sum(&self.reverse, window)])
    }
}

/// The lowest score, and the probability of at least each score from it on.
fn tail(weights: &[[i32; 4]], background: &Column) -> (i64, Vec<f64>) {
    let total: f64 = background.iter().sum();
    let (mut lowest, mut chances) = (0, vec![1.0]);
    for column in weights {
        let low = column.iter().copied().min().unwrap_or(0);
        let high = column.iter().copied().max().unwrap_or(0);
        let mut next = vec![0.0; chances.len() + (high - low) as usize];
        for (&weight, frequency) in column.iter().zip(background) {
            let behind = &mut next[(weight - low) as usize..];
            behind.iter_mut().zip(&chances).for_each(|(sum, chance)| *sum += chance * frequency / total);
        }
        chances = next;
        lowest += i64::from(low);
    }
    for place in (0..chances.len() - 1).rev() {
        chances[place] += chances[place + 1];
    }
    (lowest, chances.into_iter().map(|chance| chance.min(1.0)).collect())
}
