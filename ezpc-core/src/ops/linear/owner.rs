//! The party that knows the weights.

use super::Job;
use super::holder::Encoder;
use super::plan::Chunk;
use super::prepare::Source;
use super::spread::{spread, spread_over, spread_with};
use super::transform::{Matrices, Positions};
use crate::arch::mac::{LANES, Target, multiply};
use crate::arch::residues::add_assign;
use crate::crypto::{Block, Prg};
use crate::error::{Error, Result};
use crate::he::answer::Needed;
use crate::he::codec::read_residues;
use crate::he::encrypt::{PublicKey, Scratch};
use crate::secret::Wiped;
use crate::transport::machine::Io;
use std::collections::VecDeque;

/// The answers to the ciphertexts of a piece in the making, chunk by chunk.
pub(super) struct Answers<'a> {
    job: &'a Job<'a>,
    piece: usize,
    key: &'a PublicKey,
    weights: &'a Source<'a>,
    ciphertexts: &'a [u8],
    /// The chunks that are not computed yet.
    chunks: VecDeque<Chunk>,
    /// The transforms of a group's ciphertexts, of the group whose chunks come next.
    columns: Option<(usize, Wiped<[u32; LANES]>)>,
    /// What each thread works with.
    workers: Vec<Worker>,
    /// The bytes of chunks that are computed and not sent.
    ready: VecDeque<Vec<u8>>,
}

/// What a thread works with, chunk after chunk.
struct Worker {
    scratch: Scratch,
    buffer: Matrices,
    pair: Wiped<[u32; LANES]>,
}

impl<'a> Answers<'a> {
    pub(super) fn new(
        job: &'a Job<'a>,
        piece: usize,
        key: &'a PublicKey,
        weights: &'a Source<'a>,
        ciphertexts: &'a [u8],
    ) -> Self {
        let set = job.plan.precision().set;
        let worker =
            || Worker { scratch: Scratch::new(set), buffer: Matrices::default(), pair: Wiped::default() };
        let chunks = VecDeque::from(job.plan.chunks());
        let workers = (0..job.threads.min(chunks.len())).map(|_| worker()).collect();
        Self { job, piece, key, weights, ciphertexts, chunks, columns: None, workers, ready: VecDeque::new() }
    }

    /// The bytes of the next `count` chunks; puts this party's shares of their outputs into `y`.
    pub(super) fn next(&mut self, count: usize, rng: &mut Prg, y: &mut [u64]) -> Result<Vec<u8>> {
        while self.ready.len() < count && !self.chunks.is_empty() {
            self.compute(rng, y)?;
        }
        if self.chunks.is_empty() {
            // Nothing is left but to send: neither of these waits for the peer.
            self.columns = None;
            self.workers.clear();
        }
        let mut message = self.ready.pop_front().unwrap_or_default();
        for bytes in self.ready.drain(..self.ready.len().min(count - 1)) {
            message.extend_from_slice(&bytes);
        }
        Ok(message)
    }

    /// Computes a chunk for each thread, of one group.
    fn compute(&mut self, rng: &mut Prg, y: &mut [u64]) -> Result<()> {
        let (job, piece, key, weights) = (self.job, self.piece, self.key, self.weights);
        let (plan, tiles) = (job.plan, job.plan.tiles(piece).0);
        let geometry = plan.geometry();
        let Some(&Chunk { group, .. }) = self.chunks.front() else { return Ok(()) };
        if self.columns.as_ref().is_none_or(|(of, _)| *of != group) {
            let len = self.ciphertexts.len() / geometry.groups();
            self.columns = Some((group, job.columns(piece, group, &self.ciphertexts[group * len..][..len])?));
        }
        let (_, columns) = self.columns.as_ref().expect("made above");
        let same =
            self.chunks.iter().take(self.workers.len()).take_while(|chunk| chunk.group == group).count();
        // In the order of the answers, whatever the number of threads.
        let mut with_seeds = |chunk: Chunk| {
            let seeds = (0..chunk.rows.len() * tiles.len()).map(|_| rng.fork_seed("he answer")).collect();
            (chunk, seeds)
        };
        let items = self.chunks.drain(..same).map(&mut with_seeds).collect();
        let poly = 2 * plan.precision().set.limbs() * plan.precision().set.degree();
        let done = spread_over(&mut self.workers, items, |worker, (chunk, seeds): (Chunk, Wiped<Block>)| {
            let Worker { scratch, buffer, pair } = worker;
            let matrices = weights.matrices(&chunk, buffer);
            let matrices = Positions::new(plan, weights.taps(), matrices, pair);
            let rows = chunk.rows;
            let mut products = job.multiply(matrices, columns, 2 * tiles.len(), rows.len());
            let mut bytes = vec![0; plan.rows_len(piece, rows.clone())];
            let mut rest = bytes.as_mut_slice();
            let places = rows.flat_map(|to| tiles.iter().map(move |tile| (to, tile)));
            let answers = products.chunks_exact_mut(poly).zip(places).zip(&*seeds);
            let shares = answers.map(|((halves, (to, tile)), &seed)| {
                let (c0, c1) = halves.split_at_mut(poly / 2);
                let out = rest.split_off_mut(..plan.answer_len(tile, to)).expect("room for every answer");
                let channels = geometry.channels(group, to);
                let channels: Vec<_> = channels.map(|(first, c)| (first, weights.bias().of(c))).collect();
                let needed = Needed { places: &tile.outputs, channels: &channels };
                let mut shares = Wiped::zeros(needed.len());
                plan.precision().answer(
                    key,
                    job.privacy,
                    [c0, c1],
                    needed,
                    &mut Prg::from_seed(seed),
                    scratch,
                    out,
                    &mut shares,
                );
                (to, tile, shares)
            });
            let shares: Vec<_> = shares.collect();
            (bytes, shares)
        });
        for (bytes, shares) in done {
            self.ready.push_back(bytes);
            for (to, tile, shares) in shares {
                geometry.place(tile, group, to, &shares, y);
            }
        }
        Ok(())
    }
}

impl Job<'_> {
    /// The owner's side of a layer: puts this party's shares of the outputs into `y`.
    pub(super) async fn own(
        &self,
        io: &Io,
        weights: &Source<'_>,
        rng: &mut Prg,
        y: &mut [u64],
    ) -> Result<()> {
        let (plan, set) = (self.plan, self.plan.precision().set);
        let up = |piece| plan.key_len(piece) + plan.upload_len(piece);
        let chunks = plan.chunks().len();
        let mut one_time = None;
        let mut received = io.exchange(&[], up(0)).await;
        for piece in 0..plan.pieces() {
            let (key, ciphertexts) = received.split_at(plan.key_len(piece));
            if !key.is_empty() {
                one_time = Some(self.keys.peers_one_time(set, self.first, key)?);
            }
            let key = one_time.as_ref().unwrap_or(self.keys.peer(set));
            let mut answers = Answers::new(self, piece, key, weights, ciphertexts);
            let part = plan.part(piece);
            let next = io.exchange(&answers.next(part, rng, y)?, up(piece + 1)).await;
            for _ in 1..chunks.div_ceil(part) {
                io.more(&answers.next(part, rng, y)?, 0).await;
            }
            received = next;
        }
        Ok(())
    }

    /// The transforms of a group's ciphertexts with this party's share added: for each prime, each vector of
    /// positions and each channel block, both halves of all tiles.
    pub(super) fn columns(&self, piece: usize, group: usize, bytes: &[u8]) -> Result<Wiped<[u32; LANES]>> {
        let plan = self.plan;
        let (geometry, set) = (plan.geometry(), plan.precision().set);
        let (ring, n, limbs) = (set.ring(), set.degree(), set.limbs());
        let (tiles, offset) = plan.tiles(piece);
        let first = self.first + (offset + group * geometry.ins() * tiles.len()) as u64;
        let items = bytes.chunks_exact(plan.ciphertext_len()).enumerate().collect();
        let polys = spread_with(
            self.threads,
            items,
            || Encoder::new(self),
            |encoder, (i, bytes): (usize, &[u8])| {
                let mut b = vec![0; limbs * n];
                let reduced = read_residues(bytes, set.primes(), n, &mut b);
                let mut b = Wiped::new(b);
                let [share, _] = encoder.encode(&tiles[i % tiles.len()], group, i / tiles.len());
                ring.combine(&mut b, share, add_assign);
                ring.forward(&mut b);
                let mut a = vec![0; limbs * n];
                self.keys.public_poly(self.keys.party().peer(), set, first + i as u64, &mut a);
                reduced.then_some((b, a))
            },
        );
        if polys.iter().any(Option::is_none) {
            return Err(Error::peer("a ciphertext whose residues are not reduced"));
        }
        let row = geometry.ins() * 2 * tiles.len();
        let mut columns = Wiped::zeros(limbs * (n / LANES) * row);
        // Many positions in a row for each polynomial that is read.
        let items = columns.chunks_mut(STRIP * row).enumerate().collect();
        spread(self.threads, items, |(strip, columns): (usize, &mut [[u32; LANES]])| {
            for (i, halves) in polys.iter().flatten().enumerate() {
                let (k, tile) = (i / tiles.len(), i % tiles.len());
                let [b, a] =
                    [&halves.0[..], &halves.1[..]].map(|half| &half.as_chunks::<LANES>().0[strip * STRIP..]);
                for ((row, b), a) in columns.chunks_exact_mut(row).zip(b).zip(a) {
                    let at = (k * tiles.len() + tile) * 2;
                    row[at] = *b;
                    row[at + 1] = *a;
                }
            }
        });
        Ok(columns)
    }

    /// The products of a group with some rows of matrices: for each answer and tile, both halves as transforms.
    pub(super) fn multiply(
        &self,
        mut matrices: Positions<'_>,
        columns: &[[u32; LANES]],
        width: usize,
        rows: usize,
    ) -> Wiped<u32> {
        let set = self.plan.precision().set;
        let n = set.degree();
        let column = set.limbs() * n;
        let row = width * column;
        let mut products = Wiped::zeros(rows * row);
        for (j, x) in columns.chunks_exact(self.plan.geometry().ins() * width).enumerate() {
            let m = set.ring().ntts()[j / (n / LANES)].modulus().prime();
            let target = Target { out: &mut products, rows, row, column, at: j * LANES };
            multiply(m, x, width, matrices.at(j), target);
        }
        products
    }
}

/// Positions that are put in order at a time.
const STRIP: usize = 16;
