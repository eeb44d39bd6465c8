//! Numbers for inputs that tests make up: the same in every run.

/// Numbers that are always the same: the linear congruential generator with Knuth's constants of MMIX, of which the upper
/// half is used.
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    /// The numbers that belong to `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, from 0 to one less than `below`, which is at least 1.
    pub fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // By the same recurrence on Python's integers, which do not wrap, modulo 2^64.
    #[test]
    fn the_numbers_are_those_of_the_recurrence() {
        let mut draw = Draw::new(1);
        assert_eq!([1000; 4].map(|below| draw.next(below)), [774, 153, 196, 870]);
    }
}
