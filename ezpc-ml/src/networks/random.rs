//! Seeded pseudorandom numbers for weights and images; nothing secret comes from here.

/// SplitMix64.
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform between the two.
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        let unit = (self.next() >> 40) as f32 / (1_u64 << 24) as f32;
        low + (high - low) * unit
    }

    /// `n` numbers around 0 with this standard deviation, close to normally distributed.
    pub(super) fn normal(&mut self, n: usize, deviation: f32) -> Vec<f32> {
        // The sum of twelve uniform numbers has variance 1, and no tail that would need a bit of its own.
        let half = 1.0 / f32::from(1_u16 << 10);
        let one = |word: u64| (0..6).map(|i| ((word >> (10 * i)) & 0x3ff) as f32 * half).sum::<f32>();
        (0..n)
            .map(|_| (one(self.next()) + one(self.next()) - 12.0 * (0.5 - half / 2.0)) * deviation)
            .collect()
    }

    /// An image of `[channels, height, width]` between -2 and 2: large patches, smaller ones on them, some noise.
    pub(super) fn image(&mut self, [channels, height, width]: [usize; 3]) -> Vec<f32> {
        let mut image = vec![0.0; channels * height * width];
        for (cells, weight) in [(4, 0.9), (13, 0.5), (41, 0.3), (height, 0.1)] {
            let common = self.normal((cells + 1) * (cells + 1), 0.8);
            for c in 0..channels {
                let own = self.normal((cells + 1) * (cells + 1), 0.6);
                for y in 0..height {
                    for x in 0..width {
                        let (fy, fx) =
                            ((y * cells) as f32 / height as f32, (x * cells) as f32 / width as f32);
                        let at = |dy: usize, dx: usize| {
                            let k = (y * cells / height + dy) * (cells + 1) + x * cells / width + dx;
                            common[k] + own[k]
                        };
                        let (ty, tx) = (fy.fract(), fx.fract());
                        let top = at(0, 0) * (1.0 - tx) + at(0, 1) * tx;
                        let low = at(1, 0) * (1.0 - tx) + at(1, 1) * tx;
                        image[(c * height + y) * width + x] += weight * (top * (1.0 - ty) + low * ty);
                    }
                }
            }
        }
        for v in &mut image {
            *v = v.clamp(-2.0, 2.0);
        }
        image
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_mean_0_and_the_deviation_asked_for() {
        let values = Random::new(3).normal(40_000, 2.0);
        let mean = values.iter().sum::<f32>() / 40_000.0;
        let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / 40_000.0;
        assert!(mean.abs() < 0.04 && (variance - 4.0).abs() < 0.1, "{mean} {variance}");
    }
}
