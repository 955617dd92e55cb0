//! Which tiles: the cheapest by an estimate from public shapes.

use super::{Cut, Geometry, Grid, reach};
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
    /// Reading one word of transformed weights, times the number of primes.
    pub(crate) word: f64,
    /// Words of transformed weights for one prime beyond which fewer of them go before a lower price: their memory.
    pub(crate) most_words: usize,
}

/// The counts that a choice of tiles leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    /// Ciphertexts sent.
    pub(crate) ins: usize,
    /// Ciphertexts answered.
    pub(crate) outs: usize,
    /// Products of polynomials.
    pub(crate) products: usize,
    /// Values of transformed weights, for one prime.
    pub(crate) words: usize,
}

impl Load {
    fn price(&self, prices: &Prices) -> f64 {
        self.ins as f64 * (prices.upload * prices.bit + prices.input)
            + self.outs as f64 * (prices.download * prices.bit + prices.output)
            + self.products as f64 * prices.product
            + self.words as f64 * prices.word
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
        let phases = grid.phases(conv).0.len();
        let tiles = count_tiles(conv, cut);
        for [fused, c_n, m_w] in splits(conv, phases, degree / grid.area) {
            let groups = conv.groups / fused;
            let ins = (conv.in_channels / groups * phases).div_ceil(c_n);
            let outs = (conv.out_channels / groups).div_ceil(m_w);
            if ins > MOST_INPUTS {
                continue;
            }
            let run = match cut {
                Cut::Flat { .. } if c_n * m_w == 1 => degree,
                Cut::Flat { len } => 1 << len.trailing_zeros(),
                _ => 1,
            };
            let pairs = groups * ins * outs;
            let load = Load {
                ins: tiles * groups * ins,
                outs: tiles * groups * outs,
                products: tiles * pairs,
                words: pairs * (degree / run),
            };
            let (excess, price) = (load.words.saturating_sub(prices.most_words), load.price(prices));
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

/// Cuts worth a look.
fn cuts(conv: &ConvSpec, degree: usize) -> Vec<Cut> {
    let [out_h, out_w] = conv.output();
    if conv.kernel == [1, 1] {
        let all = conv.batch * out_h * out_w;
        let fewest = all.div_ceil(degree);
        let mut lens: Vec<usize> = (fewest..fewest + 16)
            .map(|tiles| all.div_ceil(tiles))
            .flat_map(|len| {
                [len, len.next_multiple_of(16), len.next_multiple_of(64), len.next_power_of_two()]
            })
            .filter(|&len| len <= degree)
            .collect();
        lens.sort_unstable();
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

/// Triples of fused groups, channels in a ciphertext and channels in an answer with product at most `slots`.
fn splits(conv: &ConvSpec, phases: usize, slots: usize) -> Vec<[usize; 3]> {
    let channels = conv.in_channels / conv.groups * phases;
    let outs = conv.out_channels / conv.groups;
    let mut splits = Vec::new();
    let mut last = 0;
    for parts in 1..=channels {
        let c_n = channels.div_ceil(parts);
        if c_n == last || c_n > slots {
            continue;
        }
        last = c_n;
        // As few answers as fit, filled evenly.
        let answers = outs.div_ceil((slots / c_n).min(outs));
        splits.push([1, c_n, outs.div_ceil(answers)]);
    }
    // Several groups in one ciphertext: weights between different groups are zero.
    for fused in (2..=conv.groups).filter(|f| conv.groups.is_multiple_of(*f)) {
        if fused * channels * fused * outs <= slots {
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
        Prices { bit: 1.0, upload, download, input: 1.0, output: 1.0, product, word, most_words: usize::MAX }
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
                        g.weights(group, to, from, |at, index, negative| {
                            assert_eq!(at % g.run(), 0);
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

    /// A batch that would fill each ciphertext with few channels of many images makes the most transforms of weights.
    #[test]
    fn transformed_weights_stay_within_their_memory() {
        let conv = ConvSpec {
            batch: 8,
            in_channels: 512,
            input: [7; 2],
            out_channels: 512,
            kernel: [3; 2],
            stride: [1; 2],
            padding: [1; 4],
            dilation: [1; 2],
            groups: 1,
        };
        let words = |most_words| {
            let free = Prices { word: 0.0, most_words, ..prices(1) };
            let g = choose(&conv, 2048, &free).expect("fits");
            g.ins() * g.outs() * g.degree
        };
        assert!(words(usize::MAX) > 1 << 26);
        assert!(words(1 << 26) <= 1 << 26);
        // Where nothing fits, the fewest.
        assert_eq!(words(0), words(1));
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
