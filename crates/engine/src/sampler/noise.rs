//! The noise that the sampler starts from: the same numbers as PyTorch's generator on the CPU.

/// A stream of standard normal numbers, as `torch.manual_seed(seed)` and `torch.randn` give them.
///
/// One generator serves all chunks of a request, in the order of the text; the state that one draw
/// leaves behind is that of PyTorch. Numbers may differ from PyTorch's in the last two bits, since
/// its vectorised logarithm, sine and cosine differ between processors.
#[derive(Clone, Debug)]
pub struct NoiseGenerator {
    bits: MersenneTwister,
    /// The second number of a pair that a draw of less than [`BLOCK`] numbers did not use up.
    spare: Option<f64>,
}

/// So many numbers are transformed together.
const BLOCK: usize = 16;

impl NoiseGenerator {
    /// A generator at its beginning. Like PyTorch's, it heeds only the lower 32 bits of `seed`.
    pub fn new(seed: u64) -> Self {
        let [a, b, c, d, ..] = seed.to_le_bytes();
        Self {
            bits: MersenneTwister::new(u32::from_le_bytes([a, b, c, d])),
            spare: None,
        }
    }

    /// Draws `count` numbers, as `torch.randn(count)` does.
    pub fn normal(&mut self, count: usize) -> Vec<f32> {
        if count < BLOCK {
            return (0..count).map(|_| self.single()).collect();
        }
        let mut numbers: Vec<f32> = (0..count).map(|_| self.uniform()).collect();
        for block in numbers.chunks_exact_mut(BLOCK) {
            box_muller(block);
        }
        if !count.is_multiple_of(BLOCK) {
            // The rest does not fill a block, so the last sixteen numbers are all drawn anew.
            let last = &mut numbers[count - BLOCK..];
            last.fill_with(|| self.uniform());
            box_muller(last);
        }
        numbers
    }

    /// From 0 to 1, without 1.
    #[expect(clippy::cast_precision_loss, reason = "24 bits fit")]
    fn uniform(&mut self) -> f32 {
        (self.bits.next_u32() & 0xFF_FFFF) as f32 / 16_777_216.0
    }

    /// From 0 to 1, without 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    fn uniform_f64(&mut self) -> f64 {
        let bits = u64::from(self.bits.next_u32()) << 32 | u64::from(self.bits.next_u32());
        (bits & ((1 << 53) - 1)) as f64 / 9_007_199_254_740_992.0
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounded to the type of the result"
    )]
    fn single(&mut self) -> f32 {
        if let Some(number) = self.spare.take() {
            return number as f32;
        }
        let angle = std::f64::consts::TAU * self.uniform_f64();
        let radius = (-2.0 * (-self.uniform_f64()).ln_1p()).sqrt();
        self.spare = Some(radius * angle.sin());
        (radius * angle.cos()) as f32
    }
}

/// Turns uniform numbers into normal ones: the first half of `block` gives radii, the second angles.
fn box_muller(block: &mut [f32]) {
    let (first, second) = block.split_at_mut(BLOCK / 2);
    for (first, second) in first.iter_mut().zip(second) {
        let radius = (-2.0 * (1.0 - *first).ln()).sqrt();
        let (sine, cosine) = (std::f32::consts::TAU * *second).sin_cos();
        *first = radius * cosine;
        *second = radius * sine;
    }
}

/// MT19937 of Matsumoto and Nishimura.
#[derive(Clone, Debug)]
struct MersenneTwister {
    state: [u32; Self::SIZE],
    next: usize,
}

impl MersenneTwister {
    const SIZE: usize = 624;
    const SHIFT: usize = 397;

    #[expect(clippy::cast_possible_truncation, reason = "624 fits")]
    fn new(seed: u32) -> Self {
        let mut state = [seed; Self::SIZE];
        for index in 1..Self::SIZE {
            let before = state[index - 1];
            state[index] = (before ^ before >> 30)
                .wrapping_mul(1_812_433_253)
                .wrapping_add(index as u32);
        }
        Self { state, next: Self::SIZE }
    }

    fn next_u32(&mut self) -> u32 {
        if self.next == Self::SIZE {
            self.twist();
        }
        let mut bits = self.state[self.next];
        self.next += 1;
        bits ^= bits >> 11;
        bits ^= bits << 7 & 0x9D2C_5680;
        bits ^= bits << 15 & 0xEFC6_0000;
        bits ^ bits >> 18
    }

    fn twist(&mut self) {
        for index in 0..Self::SIZE {
            let upper = self.state[index] & 0x8000_0000;
            let mixed = upper | self.state[(index + 1) % Self::SIZE] & 0x7FFF_FFFF;
            let odd = if mixed & 1 == 1 { 0x9908_B0DF } else { 0 };
            let shifted = self.state[(index + Self::SHIFT) % Self::SIZE];
            self.state[index] = shifted ^ mixed >> 1 ^ odd;
        }
        self.next = 0;
    }
}
