//! Which tiles: the cheapest by an estimate from public shapes.

use super::{Cut, Geometry, Grid, reach, spacious, taps};
use crate::arch::mac::LANES;
use crate::error::{Error, Result};
use crate::spec::ConvSpec;

/// What work and traffic cost, in picoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prices {
    /// A bit on the link.
    pub(crate) bit: f64,
    /// Bits of an uploaded ciphertext, of a downloaded one, and of an output.
    pub(crate) upload: f64,
    /// Bits of the part of an answer that is always there.
    pub(crate) download: f64,
    /// Both parties' work on a ciphertext, on an answer.
    pub(crate) input: f64,
    /// Both parties' work on an answer.
    pub(crate) output: f64,
    /// A product of two polynomials whose transform is at hand.
    pub(crate) product: f64,
    /// What the transform of weights costs.
    pub(crate) weights: WeightPrices,
    /// Words of transformed weights for one prime beyond which fewer of them go before a lower price: their memory.
    pub(crate) most_words: usize,
}

/// Work on weight polynomials for all primes, in picoseconds: it is done in every run of a layer, as weights that were
/// transformed ahead are as many words as there is memory for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WeightPrices {
    /// A whole transform of a polynomial.
    pub(crate) whole: f64,
    /// A value of a short one, and reading it.
    pub(crate) word: f64,
    /// A polynomial of the values of short ones, and what each tap adds to that.
    pub(crate) combined: f64,
    pub(crate) tap: f64,
}

/// How weight polynomials are transformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transforms {
    /// Each with all stages.
    Whole,
    /// Those in X^run of each tap, which are short.
    Short {
        /// Values of a short transform.
        bins: usize,
        /// Taps.
        taps: usize,
    },
}

impl Transforms {
    /// The cheaper way for polynomials of `degree` in so many taps and in X^run.
    pub(crate) fn of(degree: usize, run: usize, taps: usize) -> Self {
        // Neighbouring pairs of vectors of positions have the same short transforms, or with one tap vectors.
        let least = if taps == 1 { LANES } else { 2 * LANES };
        if run < least || taps > MOST_TAPS { Self::Whole } else { Self::Short { bins: degree / run, taps } }
    }

    /// Values that are stored of each polynomial and prime.
    pub(crate) const fn words(self, degree: usize) -> usize {
        match self {
            Self::Whole => degree,
            Self::Short { bins, taps } => bins * taps,
        }
    }

    fn price(self, prices: &WeightPrices) -> f64 {
        match self {
            Self::Whole => prices.whole,
            Self::Short { bins, taps: 1 } => bins as f64 * prices.word,
            Self::Short { bins, taps } => {
                (bins * taps) as f64 * prices.word + taps as f64 * prices.tap + prices.combined
            }
        }
    }
}

/// Taps for which short transforms are combined: beyond it a whole transform is as cheap.
const MOST_TAPS: usize = 64;

/// The counts that a choice of tiles leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Ciphertexts sent.
    pub(crate) ins: usize,
    /// Ciphertexts answered.
    pub(crate) outs: usize,
    /// Products of polynomials.
    pub(crate) products: usize,
    /// Weight polynomials.
    pub(crate) polys: usize,
    pub(crate) transforms: Transforms,
}

impl Load {
    fn price(&self, prices: &Prices) -> f64 {
        self.ins as f64 * (prices.upload * prices.bit + prices.input)
            + self.outs as f64 * (prices.download * prices.bit + prices.output)
            + self.products as f64 * prices.product
            + self.polys as f64 * self.transforms.price(&prices.weights)
    }
}

/// Products accumulate without reduction in 64 bits: 2^12 of 52 bits.
const MOST_INPUTS: usize = 1 << 12;

/// The cheapest geometry.
pub(crate) fn choose(conv: &ConvSpec, degree: usize, prices: &Prices) -> Result<Geometry> {
    let mut best: Option<(usize, f64, Cut, [usize; 3])> = None;
    for cut in cuts(conv, degree) {
        let grid = Grid::new(conv, cut);
        if grid.area > degree {
            continue;
        }
        let phases = grid.phases(conv).0;
        let taps = taps(&phases).len();
        let tiles = count_tiles(conv, cut);
        for [fused, c_n, m_w] in splits(conv, phases.len(), &slots(degree, grid.area)) {
            let groups = conv.groups / fused;
            let ins = (conv.in_channels / groups * phases.len()).div_ceil(c_n);
            let outs = (conv.out_channels / groups).div_ceil(m_w);
            if ins > MOST_INPUTS {
                continue;
            }
            let (_, run) = spacious(grid.area, degree, c_n * m_w);
            let polys = groups * ins * outs;
            let transforms = Transforms::of(degree, run, taps);
            let load = Load {
                ins: tiles * groups * ins,
                outs: tiles * groups * outs,
                products: tiles * polys,
                polys,
                transforms,
            };
            let words = polys * transforms.words(degree);
            let (excess, price) = (words.saturating_sub(prices.most_words), load.price(prices));
            if best.is_none_or(|(less, least, ..)| excess < less || excess == less && price < least) {
                best = Some((excess, price, cut, [fused, c_n, m_w]));
            }
        }
    }
    let (_, _, cut, [fused, c_n, m_w]) = best.ok_or_else(|| {
        Error::usage(format!("one output of this convolution reaches more than {degree} inputs: {conv:?}"))
    })?;
    Ok(Geometry::new(*conv, degree, cut, fused, c_n, m_w))
}

/// How many channels share N coefficients: as many as there is room for, or fewer, so that each has the multiple of a
/// larger power of two.
fn slots(degree: usize, area: usize) -> Vec<usize> {
    let aligned = [1, LANES, 2 * LANES, area.next_power_of_two()].map(|run| area.next_multiple_of(run));
    let mut slots: Vec<usize> = aligned.iter().filter(|&&a| a <= degree).map(|&a| degree / a).collect();
    slots.dedup();
    slots
}

/// Cuts worth a look.
fn cuts(conv: &ConvSpec, degree: usize) -> Vec<Cut> {
    let [out_h, out_w] = conv.output();
    if conv.kernel == [1, 1] {
        let all = conv.batch * out_h * out_w;
        let fewest = all.div_ceil(degree);
        let mut lens: Vec<usize> = (fewest..fewest + 16).map(|tiles| all.div_ceil(tiles)).collect();
        lens.dedup();
        return lens.into_iter().map(|len| Cut::Flat { len }).collect();
    }
    let mut cuts: Vec<Cut> = (1..=conv.batch)
        .take_while(|&images| Grid::new(conv, Cut::Maps { images }).area <= degree)
        .map(|images| Cut::Maps { images })
        .collect();
    let [reach_h, reach_w] = reach(conv);
    for parts in (0..).map(|i| 1 << i).take_while(|&parts| parts < 2 * out_w) {
        let cols = out_w.div_ceil(parts);
        let most = (degree / (cols + reach_w - 1)).saturating_sub(reach_h - 1).min(out_h);
        // Rows in equal parts: the fewest that fit, and a few more for room for further channels.
        if most > 0 {
            let fewest = out_h.div_ceil(most);
            cuts.extend((fewest..fewest + 8).map(|n| Cut::Rectangles { rows: out_h.div_ceil(n), cols }));
            if parts >= 4 {
                break;
            }
        }
    }
    cuts
}

fn count_tiles(conv: &ConvSpec, cut: Cut) -> usize {
    let [out_h, out_w] = conv.output();
    match cut {
        Cut::Flat { len } => (conv.batch * out_h * out_w).div_ceil(len),
        Cut::Maps { images } => conv.batch.div_ceil(images),
        Cut::Rectangles { rows, cols } => conv.batch * out_h.div_ceil(rows) * out_w.div_ceil(cols),
    }
}

/// Triples of fused groups, channels in a ciphertext and channels in an answer with product at most one of `slots`.
fn splits(conv: &ConvSpec, phases: usize, slots: &[usize]) -> Vec<[usize; 3]> {
    let channels = conv.in_channels / conv.groups * phases;
    let outs = conv.out_channels / conv.groups;
    let mut splits = Vec::new();
    let mut last = 0;
    for parts in 1..=channels {
        let c_n = channels.div_ceil(parts);
        if c_n == last {
            continue;
        }
        last = c_n;
        for slots in slots.iter().filter(|&&slots| c_n <= slots) {
            // As few answers as fit, filled evenly.
            let answers = outs.div_ceil((slots / c_n).min(outs));
            splits.push([1, c_n, outs.div_ceil(answers)]);
        }
    }
    // Several groups in one ciphertext: weights between different groups are zero.
    for fused in (2..=conv.groups).filter(|f| conv.groups.is_multiple_of(*f)) {
        if fused * channels * fused * outs <= slots[0] {
            splits.push([fused, fused * channels, fused * outs]);
        }
    }
    splits
}

#[cfg(test)]
mod tests {
    use super::super::plain::plain;
    use super::*;
    use proptest::prelude::*;

    /// Prices that prefer one thing or another, so that every kind of tile is chosen.
    fn prices(kind: usize) -> Prices {
        let upload = [1.0, 50.0, 1.0, 1.0][kind];
        let download = [1.0, 1.0, 50.0, 1.0][kind];
        let (product, word) = ([0.1, 0.1, 0.1, 30.0][kind], [0.0, 0.0, 0.0, 0.1][kind]);
        let weights = WeightPrices { whole: 100.0 * word, word, combined: word, tap: word };
        Prices {
            bit: 1.0,
            upload,
            download,
            input: 1.0,
            output: 1.0,
            product,
            weights,
            most_words: usize::MAX,
        }
    }

    fn by_polynomials(g: &Geometry, w: &[i64], x: &[i64]) -> Vec<i64> {
        let n = g.degree;
        let [oh, ow] = g.conv.output();
        let mut y = vec![i64::MIN; g.conv.batch * g.conv.out_channels * oh * ow];
        for tile in &g.tiles {
            for group in 0..g.groups() {
                for to in 0..g.outs() {
                    let mut acc = vec![0; n];
                    for from in 0..g.ins() {
                        let mut poly = vec![0; n];
                        for (at, index) in g.inputs(tile, group, from) {
                            assert_eq!(poly[at], 0, "a coefficient is used once");
                            poly[at] = x[index];
                        }
                        let taps = g.taps();
                        g.kernels(group, to, from, |base, tap, _| {
                            assert_eq!(base % g.run(), 0);
                            assert!(taps.contains(&(tap as u32)));
                        });
                        g.weights(group, to, from, |at, index, negative| {
                            let v = if negative { -w[index] } else { w[index] };
                            for (i, &p) in poly.iter().enumerate() {
                                let sign = if at + i >= n { -1 } else { 1 };
                                acc[(at + i) % n] += sign * v * p;
                            }
                        });
                    }
                    assert_eq!(g.outputs(tile, group, to).count(), g.outputs_len(tile, to));
                    for (at, index, channel) in g.outputs(tile, group, to) {
                        assert_eq!(index / (oh * ow) % g.conv.out_channels, channel);
                        assert_eq!(y[index], i64::MIN, "an output is computed once");
                        y[index] = acc[at];
                    }
                }
            }
        }
        y
    }

    fn convs() -> impl Strategy<Value = ConvSpec> {
        let two = |max: usize| [1..=max, 1..=max];
        (
            1_usize..=3,
            1_usize..=3,
            1_usize..=3,
            1_usize..=4,
            two(4),
            two(3),
            two(3),
            [0_usize..=3, 0..=3, 0..=3, 0..=3],
            two(7),
        )
            .prop_map(|(batch, groups, cg, mg, kernel, stride, dilation, padding, extra)| {
                let input = core::array::from_fn(|d| dilation[d] * (kernel[d] - 1) + extra[d]);
                let channels = [groups * cg, groups * mg];
                ConvSpec {
                    batch,
                    in_channels: channels[0],
                    input,
                    out_channels: channels[1],
                    kernel,
                    stride,
                    padding,
                    dilation,
                    groups,
                }
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn polynomials_compute_the_convolution(conv in convs(), kind in 0_usize..4, size in 6_u32..=9, seed: u64) {
            let mut state = seed;
            let mut small = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as i64 % 9 + 1
            };
            let kernel = conv.kernel[0] * conv.kernel[1];
            let w: Vec<i64> = (0..conv.out_channels * conv.in_channels / conv.groups * kernel).map(|_| small()).collect();
            let len = conv.batch * conv.in_channels * conv.input[0] * conv.input[1];
            let x: Vec<i64> = (0..len).map(|_| small()).collect();
            if let Ok(geometry) = choose(&conv, 1 << size, &prices(kind)) {
                prop_assert_eq!(by_polynomials(&geometry, &w, &x), plain(&conv, &w, &x));
            } else {
                prop_assert!(reach(&conv).iter().product::<usize>() > 1 << size);
            }
        }
    }

    /// A dense layer whose inputs come in several columns could fill each ciphertext with few channels of many columns, which
    /// makes the most transforms of weights.
    #[test]
    fn transformed_weights_stay_within_their_memory() {
        let conv = ConvSpec {
            batch: 8,
            in_channels: 4096,
            input: [1; 2],
            out_channels: 4096,
            kernel: [1; 2],
            stride: [1; 2],
            padding: [0; 4],
            dilation: [1; 2],
            groups: 1,
        };
        let words = |most_words| {
            let g = choose(&conv, 2048, &Prices { most_words, ..prices(1) }).expect("fits");
            g.ins() * g.outs() * g.transforms().words(g.degree)
        };
        assert!(words(usize::MAX) > 1 << 26);
        assert!(words(1 << 26) <= 1 << 26);
        // Where nothing fits, the fewest.
        assert_eq!(words(0), words(1));
    }

    /// Weights of a convolution share their transforms, and those of a dense layer do not.
    #[test]
    fn transforms_are_short_where_channels_have_room() {
        let layer = |channels: [usize; 2], side: usize, kernel: usize| ConvSpec {
            batch: 1,
            in_channels: channels[0],
            input: [side; 2],
            out_channels: channels[1],
            kernel: [kernel; 2],
            stride: [1; 2],
            padding: [kernel / 2; 4],
            dilation: [1; 2],
            groups: 1,
        };
        let weights = WeightPrices { whole: 10.0, word: 0.01, combined: 1.0, tap: 0.1 };
        let of = |conv: &ConvSpec| {
            choose(conv, 2048, &Prices { weights, ..prices(0) }).expect("fits").transforms()
        };
        // 14 rows of 15, in 256 coefficients rather than 225.
        assert!(matches!(of(&layer([256, 256], 14, 3)), Transforms::Short { taps: 9, .. }));
        assert!(matches!(of(&layer([256, 1024], 14, 1)), Transforms::Short { taps: 1, .. }));
        assert_eq!(of(&layer([2048, 1000], 1, 1)), Transforms::Whole);
    }

    #[test]
    fn shapes_of_real_layers_fit() {
        let conv =
            |channels: [usize; 2], side: usize, kernel: usize, stride: usize, padding: usize| ConvSpec {
                batch: 1,
                in_channels: channels[0],
                input: [side; 2],
                out_channels: channels[1],
                kernel: [kernel; 2],
                stride: [stride; 2],
                padding: [padding; 4],
                dilation: [1; 2],
                groups: 1,
            };
        for c in [conv([64, 64], 56, 3, 1, 1), conv([3, 64], 224, 7, 2, 3), conv([512, 512], 7, 3, 1, 1)] {
            choose(&c, 2048, &prices(0)).expect("fits");
        }
        let wide = ConvSpec { input: [3000, 3000], ..conv([1, 1], 0, 3, 1, 1) };
        choose(&wide, 2048, &prices(0)).expect("cut in columns");
    }
}
