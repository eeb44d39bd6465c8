//! scikit-learn's `train_test_split`, so that figures stand beside those that were measured with it on the same rows.

/// State size of the generator.
const SIZE: usize = 624;

/// `numpy.random.RandomState`: the Mersenne twister MT19937 (Matsumoto and Nishimura 1998) seeded with one integer.
pub(crate) struct RandomState {
    state: [u32; SIZE],
    next: usize,
}

impl RandomState {
    pub(crate) fn new(seed: u32) -> Self {
        let mut state = [0; SIZE];
        let mut value = seed;
        for (word, number) in state.iter_mut().zip(1_u32..) {
            *word = value;
            value = 1_812_433_253_u32.wrapping_mul(value ^ (value >> 30)).wrapping_add(number);
        }
        Self { state, next: SIZE }
    }

    fn word(&mut self) -> u32 {
        if self.next == SIZE {
            for i in 0..SIZE {
                let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % SIZE] & 0x7fff_ffff);
                let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + 397) % SIZE] ^ (y >> 1) ^ odd;
            }
            self.next = 0;
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// 0 to `most`, by rejection of what lies above in the smallest 2ⁿ − 1.
    fn up_to(&mut self, most: usize) -> usize {
        let mask = usize::MAX >> most.max(1).leading_zeros();
        loop {
            let value = self.word() as usize & mask;
            if value <= most {
                return value;
            }
        }
    }

    /// `permutation(n)`.
    pub(crate) fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut numbers: Vec<usize> = (0..n).collect();
        for last in (1..n).rev() {
            numbers.swap(last, self.up_to(last));
        }
        numbers
    }
}

/// Rows of the training and of the test part of `train_test_split(range(rows), test_size=0.2, random_state=seed)`.
pub(crate) fn split(rows: usize, seed: u32) -> (Vec<usize>, Vec<usize>) {
    let mut order = RandomState::new(seed).permutation(rows);
    let train = order.split_off(fifth(rows));
    (train, order)
}

/// The same with `stratify=labels`.
pub(crate) fn stratified_split(labels: &[usize], classes: usize, seed: u32) -> (Vec<usize>, Vec<usize>) {
    let mut random = RandomState::new(seed);
    let of_class = |class: usize| -> Vec<usize> {
        labels.iter().enumerate().filter(|(_, label)| **label == class).map(|(row, _)| row).collect()
    };
    let counts: Vec<usize> = (0..classes).map(|class| of_class(class).len()).collect();
    let tests = fifth(labels.len());
    let in_train = shares(&counts, labels.len() - tests, &mut random);
    let left: Vec<usize> = counts.iter().zip(&in_train).map(|(count, train)| count - train).collect();
    let in_test = shares(&left, tests, &mut random);
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for class in 0..classes {
        let rows = of_class(class);
        let order: Vec<usize> = random.permutation(rows.len()).into_iter().map(|place| rows[place]).collect();
        train.extend_from_slice(&order[..in_train[class]]);
        test.extend_from_slice(&order[in_train[class]..in_train[class] + in_test[class]]);
    }
    let mut mixed =
        |of: Vec<usize>| -> Vec<usize> { random.permutation(of.len()).into_iter().map(|place| of[place]).collect() };
    (mixed(train), mixed(test))
}

/// A fifth of the rows, rounded up.
fn fifth(rows: usize) -> usize {
    rows.div_ceil(5)
}

/// `draws` dealt to the classes by their counts, what rounding leaves to the largest remainders (scikit-learn's
/// `_approximate_mode`).
fn shares(counts: &[usize], draws: usize, random: &mut RandomState) -> Vec<usize> {
    let total: usize = counts.iter().sum();
    let exact: Vec<f64> = counts.iter().map(|&count| count as f64 / total as f64 * draws as f64).collect();
    let mut dealt: Vec<usize> = exact.iter().map(|share| share.floor() as usize).collect();
    let mut left = draws.saturating_sub(dealt.iter().sum());
    let remainders: Vec<f64> = exact.iter().map(|share| share - share.floor()).collect();
    let mut values = remainders.clone();
    values.sort_by(|a, b| b.total_cmp(a));
    values.dedup();
    for value in values {
        if left == 0 {
            break;
        }
        let classes: Vec<usize> = (0..counts.len()).filter(|&class| remainders[class] == value).collect();
        let order = random.permutation(classes.len());
        for place in order.into_iter().take(left) {
            dealt[classes[place]] += 1;
            left -= 1;
        }
    }
    dealt
}
