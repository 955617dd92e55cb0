//! Packing a convolution into products of polynomials, without rotations.
//!
//! A ciphertext holds `c_n` input channels of one tile, each in `area` coefficients, and its answer `m_w` output
//! channels: with X the sum of `x[c][i] X^(c·area + i)` and W the sum of
//! `w[m][c][tap] X^(m·c_n·area + (c_n - 1 - c)·area - tap)`, output i of channel m is coefficient
//! `(m·c_n + c_n - 1)·area + i` of XW, whenever `c_n · m_w · area <= N`. The other coefficients mix channels and
//! must not leave the party that computes them. HLHD22 with m_w = 1; brute-forced below.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

#[cfg(test)]
pub(crate) mod plain;
mod plan;

use crate::spec::ConvSpec;

pub(crate) use plan::{Prices, Transforms, WeightPrices, choose};

/// A tile of the map in all its channels: which element is which coefficient within a channel.
pub(crate) struct Tile {
    /// For each phase the pairs of coefficient and input index, the latter for channel 0.
    pub(crate) inputs: Vec<Vec<[u32; 2]>>,
    /// The pairs of coefficient and output index, the latter for channel 0.
    pub(crate) outputs: Vec<[u32; 2]>,
}

/// How the map is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// A kernel of one element: positions of all images in a row, so many a tile.
    Flat {
        /// Positions in a tile.
        len: usize,
    },
    /// Whole maps, so many images a tile, with zero padding shared between neighbours.
    Maps {
        /// Images in a tile.
        images: usize,
    },
    /// Rectangles of one image's outputs, with the inputs they reach.
    Rectangles {
        /// Output rows.
        rows: usize,
        /// Output columns.
        cols: usize,
    },
}

/// A convolution as products of polynomials.
pub(crate) struct Geometry {
    pub(crate) conv: ConvSpec,
    /// N.
    pub(crate) degree: usize,
    /// Coefficients of one channel.
    pub(crate) area: usize,
    /// Channels (and phases) in a ciphertext.
    pub(crate) c_n: usize,
    /// Output channels in an answer.
    pub(crate) m_w: usize,
    /// The convolution's groups that are treated as one dense group.
    pub(crate) fused: usize,
    /// Non-zero phases of the strided kernel, as pairs of a tap's coefficient and its index in the kernel.
    pub(crate) phases: Vec<Vec<[u32; 2]>>,
    /// Where tiles lie.
    pub(crate) tiles: Vec<Tile>,
}

impl Geometry {
    /// The geometry of a cut.
    pub(crate) fn new(conv: ConvSpec, degree: usize, cut: Cut, fused: usize, c_n: usize, m_w: usize) -> Self {
        let grid = Grid::new(&conv, cut);
        let (phases, sources) = grid.phases(&conv);
        let tiles = grid.tiles(&conv, cut, &sources);
        let (area, _) = spacious(grid.area, degree, c_n * m_w);
        assert!(c_n * m_w * area <= degree, "a tile fits its ciphertext");
        Self { conv, degree, area, c_n, m_w, fused, phases, tiles }
    }

    /// Independent dense groups.
    pub(crate) const fn groups(&self) -> usize {
        self.conv.groups / self.fused
    }

    /// Channels, with their phases, of a dense group.
    pub(crate) fn group_channels(&self) -> usize {
        self.conv.in_channels / self.groups() * self.phases.len()
    }

    /// Output channels of a dense group.
    pub(crate) const fn group_outs(&self) -> usize {
        self.conv.out_channels / self.groups()
    }

    /// Ciphertexts of one tile and dense group.
    pub(crate) fn ins(&self) -> usize {
        self.group_channels().div_ceil(self.c_n)
    }

    /// Answers of one tile and dense group.
    pub(crate) const fn outs(&self) -> usize {
        self.group_outs().div_ceil(self.m_w)
    }

    /// Weight polynomials are sums of `X^-tap` times polynomials in X^run, over the [`taps`](Self::taps): the transforms of
    /// the latter are constant on runs of this length.
    pub(crate) fn run(&self) -> usize {
        spacious(self.area, self.degree, self.c_n * self.m_w).1
    }

    /// How the weight polynomials are transformed.
    pub(crate) fn transforms(&self) -> Transforms {
        Transforms::of(self.degree, self.run(), self.taps().len())
    }

    /// How far the taps of the kernel reach, as coefficients, in ascending order.
    pub(crate) fn taps(&self) -> Vec<u32> {
        taps(&self.phases)
    }

    /// The input elements of ciphertext `index` of `group` in a tile, as pairs of coefficient and input index.
    pub(crate) fn inputs<'a>(
        &'a self,
        tile: &'a Tile,
        group: usize,
        index: usize,
    ) -> impl Iterator<Item = (usize, usize)> + 'a {
        let plane = self.conv.input[0] * self.conv.input[1];
        let phases = self.phases.len();
        let start = index * self.c_n;
        let end = (start + self.c_n).min(self.group_channels());
        (start..end).flat_map(move |channel| {
            let real = group * (self.conv.in_channels / self.groups()) + channel / phases;
            let (shift, offset) = ((channel - start) * self.area, real * plane);
            tile.inputs[channel % phases]
                .iter()
                .map(move |&[at, from]| (shift + at as usize, offset + from as usize))
        })
    }

    /// The channels of answer `index` of `group`, each with the coefficient of its first place in a tile.
    pub(crate) fn channels(
        &self,
        group: usize,
        index: usize,
    ) -> impl Iterator<Item = (usize, usize)> + use<> {
        let start = index * self.m_w;
        let end = (start + self.m_w).min(self.group_outs());
        let (first, c_n, area) = (group * self.group_outs(), self.c_n, self.area);
        (start..end).map(move |channel| (((channel - start) * c_n + c_n - 1) * area, first + channel))
    }

    /// The outputs of answer `index` of `group` in a tile, one by one: as triples of coefficient, output index and channel.
    #[cfg(test)]
    pub(crate) fn outputs<'a>(
        &'a self,
        tile: &'a Tile,
        group: usize,
        index: usize,
    ) -> impl Iterator<Item = (usize, usize, usize)> + 'a {
        let [h, w] = self.conv.output();
        self.channels(group, index).flat_map(move |(shift, channel)| {
            let place =
                move |&[at, to]: &[u32; 2]| (shift + at as usize, channel * h * w + to as usize, channel);
            tile.outputs.iter().map(place)
        })
    }

    /// Puts values of the outputs of answer `index` of `group` in a tile, in their order, where they belong.
    pub(crate) fn place(&self, tile: &Tile, group: usize, index: usize, values: &[u64], out: &mut [u64]) {
        let plane: usize = self.conv.output().iter().product();
        let places = tile.outputs.len();
        for ((_, channel), values) in self.channels(group, index).zip(values.chunks_exact(places)) {
            let out = &mut out[channel * plane..];
            for (&[_, to], &v) in tile.outputs.iter().zip(values) {
                out[to as usize] = v;
            }
        }
    }

    /// The number of outputs of answer `index` in a tile.
    pub(crate) fn outputs_len(&self, tile: &Tile, index: usize) -> usize {
        let channels = self.m_w.min(self.group_outs() - index * self.m_w);
        channels * tile.outputs.len()
    }

    /// The non-zero coefficients, with their index in the weights and a sign, of the weight polynomial from
    /// ciphertext `from` to answer `to` of `group`.
    pub(crate) fn weights(
        &self,
        group: usize,
        to: usize,
        from: usize,
        mut term: impl FnMut(usize, usize, bool),
    ) {
        self.kernels(group, to, from, |base, tap, index| {
            // X^-1 = -X^(N-1).
            let negative = tap > base;
            term(if negative { base + self.degree - tap } else { base - tap }, index, negative);
        });
    }

    /// The same coefficients as triples of a multiple of the area, the distance back from there, which is one of the
    /// [`taps`](Self::taps), and the index in the weights.
    pub(crate) fn kernels(
        &self,
        group: usize,
        to: usize,
        from: usize,
        mut term: impl FnMut(usize, usize, usize),
    ) {
        let phases = self.phases.len();
        let kernel = self.conv.kernel[0] * self.conv.kernel[1];
        let per_group = [self.conv.in_channels, self.conv.out_channels].map(|c| c / self.conv.groups);
        for m in to * self.m_w..((to + 1) * self.m_w).min(self.group_outs()) {
            for c in from * self.c_n..((from + 1) * self.c_n).min(self.group_channels()) {
                if c / phases / per_group[0] != m / per_group[1] {
                    continue;
                }
                let (mi, ci) = (m - to * self.m_w, c - from * self.c_n);
                let base = (mi * self.c_n + self.c_n - 1 - ci) * self.area;
                let row = (group * self.group_outs() + m) * per_group[0] + c / phases % per_group[0];
                for &[tap, place] in &self.phases[c % phases] {
                    term(base, tap as usize, row * kernel + place as usize);
                }
            }
        }
    }
}

/// The coefficients of a channel where `slots` channels share N: at least so many, the multiple of the largest power of
/// two that there is room for; and that power, which is N when there is but one channel.
fn spacious(area: usize, degree: usize, slots: usize) -> (usize, usize) {
    let room = degree / slots;
    let powers = (0..=degree.trailing_zeros()).rev().map(|log| 1 << log);
    let run = powers.into_iter().find(|&run| area.next_multiple_of(run) <= room).unwrap_or(1);
    (area.next_multiple_of(run), run)
}

/// The distinct taps of some phases.
fn taps(phases: &[Vec<[u32; 2]>]) -> Vec<u32> {
    let mut taps: Vec<u32> = phases.iter().flatten().map(|&[tap, _]| tap).collect();
    taps.sort_unstable();
    taps.dedup();
    taps
}

/// Coefficients of one channel of a tile.
struct Grid {
    area: usize,
    /// Coefficients from a row to the next.
    pitch: usize,
    /// Coefficients from an image to the next.
    image: usize,
    /// Zero rows and columns in front of a map whose padding is shared; nothing else is then stored.
    shared: bool,
}

/// Rows and columns that an output at the origin reaches in its phase.
fn reach(conv: &ConvSpec) -> [usize; 2] {
    core::array::from_fn(|d| conv.dilation[d] * (conv.kernel[d] - 1) / conv.stride[d] + 1)
}

impl Grid {
    fn new(conv: &ConvSpec, cut: Cut) -> Self {
        let [reach_h, reach_w] = reach(conv);
        let [top, left, bottom, right] = conv.padding;
        match cut {
            Cut::Flat { len } => Self { area: len, pitch: 1, image: 0, shared: false },
            Cut::Maps { images } => {
                let shared = conv.stride == [1, 1];
                let out = conv.output();
                let (rows, pitch) = if shared {
                    // Padding beyond what the kernel reaches gives outputs of its own.
                    let side = |d: usize, pad: usize| (conv.input[d] + pad).max(out[d]);
                    (side(0, top.max(bottom)), side(1, left.max(right)))
                } else {
                    (out[0] + reach_h - 1, out[1] + reach_w - 1)
                };
                Self { area: images * rows * pitch, pitch, image: rows * pitch, shared }
            }
            Cut::Rectangles { rows, cols } => {
                let pitch = cols + reach_w - 1;
                Self { area: (rows + reach_h - 1) * pitch, pitch, image: 0, shared: false }
            }
        }
    }

    /// The taps of the phases that have any, and which phases those are.
    fn phases(&self, conv: &ConvSpec) -> (Vec<Vec<[u32; 2]>>, Vec<[usize; 2]>) {
        let (mut phases, mut sources) = (Vec::new(), Vec::new());
        for a in 0..conv.stride[0] {
            for b in 0..conv.stride[1] {
                let mut taps = Vec::new();
                for i in 0..conv.kernel[0] {
                    for j in 0..conv.kernel[1] {
                        let (y, x) = (i * conv.dilation[0], j * conv.dilation[1]);
                        if y % conv.stride[0] == a && x % conv.stride[1] == b {
                            let at = y / conv.stride[0] * self.pitch + x / conv.stride[1];
                            taps.push([at as u32, (i * conv.kernel[1] + j) as u32]);
                        }
                    }
                }
                if !taps.is_empty() {
                    phases.push(taps);
                    sources.push([a, b]);
                }
            }
        }
        (phases, sources)
    }

    fn tiles(&self, conv: &ConvSpec, cut: Cut, sources: &[[usize; 2]]) -> Vec<Tile> {
        let [out_h, out_w] = conv.output();
        match cut {
            Cut::Flat { len } => (0..(conv.batch * out_h * out_w).div_ceil(len))
                .map(|t| {
                    let positions = t * len..((t + 1) * len).min(conv.batch * out_h * out_w);
                    let at = |q: usize| [q / (out_h * out_w), q / out_w % out_h, q % out_w];
                    let input = positions.clone().enumerate().filter_map(|(o, q)| {
                        let [n, y, x] = at(q);
                        let from = source(conv, n, y * conv.stride[0], x * conv.stride[1])?;
                        Some([o as u32, from])
                    });
                    let outputs = positions.clone().enumerate().map(|(o, q)| {
                        let [n, y, x] = at(q);
                        [o as u32, target(conv, n, y, x)]
                    });
                    Tile { inputs: vec![input.collect()], outputs: outputs.collect() }
                })
                .collect(),
            Cut::Maps { images } => (0..conv.batch.div_ceil(images))
                .map(|t| {
                    let images = t * images..((t + 1) * images).min(conv.batch);
                    self.tile(conv, images, [0..out_h, 0..out_w], sources)
                })
                .collect(),
            Cut::Rectangles { rows, cols } => {
                let mut tiles = Vec::new();
                for n in 0..conv.batch {
                    for y in (0..out_h).step_by(rows) {
                        for x in (0..out_w).step_by(cols) {
                            let part = [y..(y + rows).min(out_h), x..(x + cols).min(out_w)];
                            tiles.push(self.tile(conv, n..n + 1, part, sources));
                        }
                    }
                }
                tiles
            }
        }
    }

    /// The outputs `part` of some images, and all inputs that they reach.
    fn tile(
        &self,
        conv: &ConvSpec,
        images: core::ops::Range<usize>,
        part: [core::ops::Range<usize>; 2],
        sources: &[[usize; 2]],
    ) -> Tile {
        let [reach_h, reach_w] = reach(conv);
        let mut inputs = vec![Vec::new(); sources.len()];
        let mut outputs = Vec::new();
        for (slot, n) in images.enumerate() {
            let at = |y: usize, x: usize| (slot * self.image + y * self.pitch + x) as u32;
            for (list, &[a, b]) in inputs.iter_mut().zip(sources) {
                if self.shared {
                    // Zeros in front of a row are those behind the one before.
                    for y in 0..conv.input[0] {
                        for x in 0..conv.input[1] {
                            let [top, left, ..] = conv.padding;
                            list.extend(
                                source(conv, n, y + top, x + left).map(|v| [at(y + top, x + left), v]),
                            );
                        }
                    }
                    continue;
                }
                for y in 0..part[0].len() + reach_h - 1 {
                    for x in 0..part[1].len() + reach_w - 1 {
                        let row = (part[0].start + y) * conv.stride[0] + a;
                        let col = (part[1].start + x) * conv.stride[1] + b;
                        list.extend(source(conv, n, row, col).map(|v| [at(y, x), v]));
                    }
                }
            }
            for y in part[0].clone() {
                for x in part[1].clone() {
                    outputs.push([at(y - part[0].start, x - part[1].start), target(conv, n, y, x)]);
                }
            }
        }
        Tile { inputs, outputs }
    }
}

/// The input index in channel 0 of a position of the padded map, unless it is padding.
fn source(conv: &ConvSpec, image: usize, row: usize, col: usize) -> Option<u32> {
    let y = row.checked_sub(conv.padding[0]).filter(|&y| y < conv.input[0])?;
    let x = col.checked_sub(conv.padding[1]).filter(|&x| x < conv.input[1])?;
    Some(((image * conv.in_channels * conv.input[0] + y) * conv.input[1] + x) as u32)
}

/// The output index in channel 0.
fn target(conv: &ConvSpec, image: usize, row: usize, col: usize) -> u32 {
    let [h, w] = conv.output();
    ((image * conv.out_channels * h + row) * w + col) as u32
}
