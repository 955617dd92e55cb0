//! What both parties derive from the shape of a layer.

use super::noise::{NoiseReport, allowed_failure};
use crate::arch::mac::ROWS;
use crate::error::{Error, Result};
use crate::he::answer::Precision;
use crate::he::codec::residues_len;
use crate::he::encrypt::public_len;
use crate::he::ring::RingSet;
use crate::he::tile::{Geometry, Prices, Tile, WeightPrices, choose};
use crate::spec::{ConvSpec, LinearKind, LinearSpec};
use crate::transport::Link;
use core::ops::Range;

/// How a layer is computed: parameters, tiles, messages. The same at both parties.
pub struct LinearPlan {
    spec: LinearSpec,
    link: Link,
    precision: Precision,
    geometry: Geometry,
    /// Tiles in a piece of a message.
    piece: usize,
    /// Memory at the owner for weights that are transformed while the peer encrypts.
    ahead: usize,
}

/// Answers that are computed together.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    /// Which chunk of the layer it is.
    pub(super) place: usize,
    /// Their group.
    pub(super) group: usize,
    /// Their numbers in the group.
    pub(super) rows: Range<usize>,
}

/// Bits of a share below the result's ring when the layer truncates.
const SLACK: u32 = 4;
/// Bits kept of c1 beyond those of c0.
const MORE: u32 = 6;
/// The widest result that set A serves.
const SMALL_OUTPUT: u32 = 29;
/// The widest exact result: beyond it a wrong last bit is more likely than 2^-40 for any weights.
const EXACT_OUTPUT: u32 = 44;
/// Bits kept of c0 and c1 when the result is exact.
const EXACT: [u32; 2] = [84, 88];
/// Polynomials of answers that are computed together.
const CACHE_BYTES: usize = 1 << 20;
/// Into how many chunks answers are cut, where there are enough: so many threads have work.
const CHUNKS: usize = 8;
/// Memory for the transformed weights of a layer, where there is a way to cut it that keeps to it.
const WEIGHT_BYTES: usize = 288 << 20;
/// Memory for the polynomials of a piece, which each chunk of answers reads anew: little more than a second-level cache.
const PIECE_BYTES: usize = 8 << 20;
/// Bytes of the last answers that are worth a message: the peer decrypts them while the next ones are computed.
const PART_BYTES: usize = 64 << 10;
/// Memory for transformed weights that wait for the peer's ciphertexts.
const AHEAD_BYTES: usize = 8 << 20;

impl LinearPlan {
    /// The plan of a layer, with tiles chosen for a link; both parties must give the same.
    pub fn new(spec: &LinearSpec, link: Link) -> Result<Self> {
        spec.check()?;
        let precision = precision(spec)?;
        let conv = match spec.kind {
            LinearKind::Conv(conv) => conv,
            // A product is a convolution with one tap over a map with one row.
            LinearKind::MatMul(m) => ConvSpec {
                batch: 1,
                in_channels: m.inner,
                input: [1, m.cols],
                out_channels: m.rows,
                kernel: [1; 2],
                stride: [1; 2],
                padding: [0; 4],
                dilation: [1; 2],
                groups: 1,
            },
        };
        if spec.input_len().max(spec.output_len()) > u32::MAX as usize {
            return Err(Error::usage("a linear layer of more than 2^32 elements"));
        }
        let geometry = choose(&conv, precision.set.degree(), &prices(&precision, link))?;
        // Of one dense group at a time: transforms of ciphertexts and of answers, two polynomials each.
        let poly = precision.set.limbs() * precision.set.degree() * size_of::<u32>();
        let tile = 2 * poly * (geometry.ins() + geometry.outs());
        let piece = (PIECE_BYTES / tile).clamp(1, geometry.tiles.len().max(1));
        Ok(Self { spec: *spec, link, precision, geometry, piece, ahead: AHEAD_BYTES })
    }

    /// The plan with messages of so many tiles.
    #[cfg(test)]
    pub(super) fn with_piece(mut self, tiles: usize) -> Self {
        self.piece = tiles;
        self
    }

    /// The plan with so much memory for weights that are transformed while the peer encrypts.
    #[cfg(test)]
    pub(super) fn with_ahead(mut self, bytes: usize) -> Self {
        self.ahead = bytes;
        self
    }

    /// Memory for weights that are transformed while the peer encrypts.
    pub(super) const fn ahead(&self) -> usize {
        self.ahead
    }

    /// The layer.
    #[must_use]
    pub const fn spec(&self) -> &LinearSpec {
        &self.spec
    }

    /// log2 of a bound of the chance that some output is further off than the layer's contract says. By the norms of the
    /// weights where their report is given; without it by what [`CheckedWeights`](super::CheckedWeights)
    /// lets pass.
    #[must_use]
    pub fn failure(&self, report: Option<&NoiseReport>) -> f64 {
        let one = report.map_or_else(|| allowed_failure(&self.spec), |r| r.failure);
        one + (self.spec.output_len().max(1) as f64).log2()
    }

    /// What the plan is for, which decides all of it.
    pub(super) const fn of(&self) -> (LinearSpec, Link) {
        (self.spec, self.link)
    }

    pub(super) const fn precision(&self) -> &Precision {
        &self.precision
    }

    pub(super) const fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Ciphertexts of the whole layer.
    pub(super) fn ins(&self) -> usize {
        self.geometry.tiles.len() * self.geometry.groups() * self.geometry.ins()
    }

    /// The answers of all groups cut into what is computed together: whole blocks of rows whose polynomials stay in a cache,
    /// and enough of them for many threads. In the order of their bytes, and the same for any number of threads.
    pub(super) fn chunks(&self) -> Vec<Chunk> {
        let (outs, set) = (self.geometry.outs(), self.precision.set);
        let block = ROWS * self.piece * 2 * size_of::<u32>() * set.limbs() * set.degree();
        let blocks = (CACHE_BYTES / block).min(outs.div_ceil(ROWS * CHUNKS)).max(1);
        let rows = |first: usize| first..(first + blocks * ROWS).min(outs);
        let groups = (0..self.geometry.groups())
            .flat_map(|group| (0..outs).step_by(blocks * ROWS).map(move |first| (group, rows(first))));
        groups.enumerate().map(|(place, (group, rows))| Chunk { place, group, rows }).collect()
    }

    /// How many chunks of a piece's answers travel together: one if that is not too little, of the last piece; all of them
    /// before, as the next piece comes the other way.
    pub(super) fn part(&self, piece: usize) -> usize {
        let all = self.chunks().len();
        if piece + 1 < self.pieces() {
            return all;
        }
        all.div_ceil((self.answers_len(piece) / PART_BYTES).clamp(1, all))
    }

    /// The number of messages each way; the last answer goes in parts.
    pub(super) fn pieces(&self) -> usize {
        self.geometry.tiles.len().div_ceil(self.piece)
    }

    /// The tiles of a piece, and the number of the first of its ciphertexts; none past the last piece.
    pub(super) fn tiles(&self, piece: usize) -> (&[Tile], usize) {
        let all = &self.geometry.tiles;
        let start = (piece * self.piece).min(all.len());
        let end = (start + self.piece).min(all.len());
        (&all[start..end], start * self.geometry.groups() * self.geometry.ins())
    }

    /// Bytes of one ciphertext.
    pub(super) const fn ciphertext_len(&self) -> usize {
        residues_len(self.precision.set.limbs() * self.precision.set.degree())
    }

    /// Bytes of the ciphertexts of a piece.
    pub(super) fn upload_len(&self, piece: usize) -> usize {
        self.tiles(piece).0.len() * self.geometry.groups() * self.geometry.ins() * self.ciphertext_len()
    }

    /// Whether each run has a key of its own: results of more than 29 bits that round.
    pub(super) fn one_time_key(&self) -> bool {
        self.spec.shift > 0 && self.precision.set == RingSet::Large
    }

    /// Bytes in front of the ciphertexts of a piece: the public part of a run's own key, with the first piece.
    pub(super) fn key_len(&self, piece: usize) -> usize {
        if piece == 0 && self.one_time_key() { public_len(self.precision.set) } else { 0 }
    }

    /// Answer `to` of a tile, in bytes.
    pub(super) fn answer_len(&self, tile: &Tile, to: usize) -> usize {
        self.precision.answer_len(self.geometry.outputs_len(tile, to))
    }

    /// Bytes of some answers of a group to a piece.
    pub(super) fn rows_len(&self, piece: usize, rows: Range<usize>) -> usize {
        let tiles = self.tiles(piece).0;
        rows.map(|to| tiles.iter().map(|tile| self.answer_len(tile, to)).sum::<usize>()).sum()
    }

    /// Bytes of the answers of a piece.
    pub(super) fn answers_len(&self, piece: usize) -> usize {
        self.geometry.groups() * self.rows_len(piece, 0..self.geometry.outs())
    }
}

/// Parameters and kept bits from widths alone, as both parties must agree on them.
fn precision(spec: &LinearSpec) -> Result<Precision> {
    let out = spec.output().bits();
    if spec.shift == 0 {
        if out > EXACT_OUTPUT {
            return Err(Error::usage(format!(
                "an exact linear layer under encryption takes rings of at most {EXACT_OUTPUT} bits, not {out}"
            )));
        }
        let slack = EXACT[0] - out;
        return Ok(Precision { set: RingSet::Large, kept0: EXACT[0], kept1: EXACT[1], slack });
    }
    let set = if out <= SMALL_OUTPUT { RingSet::Small } else { RingSet::Large };
    Ok(Precision { set, kept0: out + SLACK, kept1: out + SLACK + MORE, slack: SLACK })
}

/// Estimates of work in picoseconds, fitted to what `measure` prints, for the choice of tiles; they decide nothing else.
fn prices(precision: &Precision, link: Link) -> Prices {
    let n = precision.set.degree() as f64;
    let limbs = precision.set.limbs() as f64;
    let transform = n * f64::from(precision.set.degree().ilog2()) * 120.0;
    let needed = f64::from(precision.kept1) * n;
    Prices {
        bit: 1e12 / link.bits_per_second.max(1) as f64,
        upload: n * limbs * 26.0,
        download: needed,
        input: limbs * (2.0 * transform + n * 10_000.0),
        output: limbs * (5.0 * transform + n * 10_500.0),
        product: n * limbs * 2.0 * 45.0,
        weights: WeightPrices {
            whole: limbs * (transform + n * 1_400.0),
            word: limbs * 500.0,
            combined: limbs * n * 130.0,
            tap: limbs * n * 20.0,
        },
        most_words: WEIGHT_BYTES / (precision.set.limbs() * size_of::<u32>()),
    }
}
