//! Where the time of a layer goes, printed. Not checked.

use super::tests::{keys, prg, whole_answer};
use super::transform::{Matrices, Positions};
use super::*;
use crate::ring::Width;
use crate::secret::Values;
use crate::spec::{ConvSpec, LinearKind, LinearSpec, MatMulSpec};
use crate::transport::Link;
use std::hint::black_box;
use std::time::Instant;

#[expect(clippy::print_stdout, reason = "the output is the purpose")]
fn time<T>(what: &str, mut f: impl FnMut() -> T) -> T {
    let mut best = f64::INFINITY;
    let mut output = None;
    for _ in 0..9 {
        let start = Instant::now();
        output = Some(black_box(f()));
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("  {what:28} {:8.3} ms", 1e3 * best);
    output.expect("it ran")
}

fn conv([side, from, to, k]: [usize; 4], stride: usize) -> LinearKind {
    LinearKind::Conv(ConvSpec {
        batch: 1,
        in_channels: from,
        input: [side; 2],
        out_channels: to,
        kernel: [k; 2],
        stride: [stride; 2],
        padding: [k / 2; 4],
        dilation: [1; 2],
        groups: 1,
    })
}

#[test]
#[ignore = "measures; run it in release with --nocapture"]
#[expect(clippy::print_stdout, reason = "the output is the purpose")]
fn stages() {
    let keys = keys();
    let layers = [
        ("conv_56_64_64_3", conv([56, 64, 64, 3], 1)),
        ("conv_56_64_256_1", conv([56, 64, 256, 1], 1)),
        ("conv_28_128_512_1", conv([28, 128, 512, 1], 1)),
        ("conv_14_256_256_3", conv([14, 256, 256, 3], 1)),
        ("conv_7_512_512_3", conv([7, 512, 512, 3], 1)),
        ("conv_14_256_1024_1", conv([14, 256, 1024, 1], 1)),
        ("conv_14_1024_256_1", conv([14, 1024, 256, 1], 1)),
        ("conv_7_2048_512_1", conv([7, 2048, 512, 1], 1)),
        ("conv_56_128_128_3s2", conv([56, 128, 128, 3], 2)),
        ("conv_28_256_256_3s2", conv([28, 256, 256, 3], 2)),
        ("conv_14_512_512_3s2", conv([14, 512, 512, 3], 2)),
        ("conv_224_3_64_7s2", conv([224, 3, 64, 7], 2)),
        ("dense_2048_1001", LinearKind::MatMul(MatMulSpec { rows: 1001, inner: 2048, cols: 1 })),
        ("matmul_128_768_768", LinearKind::MatMul(MatMulSpec { rows: 768, inner: 768, cols: 128 })),
    ];
    for (name, kind) in layers {
        let spec = LinearSpec { kind, input: Width::new(37), shift: 12, weight_bits: 10 };
        let weights: Values = (0..spec.weights_len()).map(|i| (i as i64 * 7919) % 601 - 300).collect();
        let plan = LinearPlan::new(&spec, Link::default()).expect("a plan");
        let geometry = plan.geometry();
        println!(
            "{name}: {} tiles of {} coefficients a channel, {} x {} channels, {} in, {} out, runs of {}",
            geometry.tiles.len(),
            geometry.area,
            geometry.c_n,
            geometry.m_w,
            geometry.ins(),
            geometry.outs(),
            geometry.run()
        );
        let weights = time("check", || CheckedWeights::new(&plan, &weights, None, 1).expect("fits"));
        let prepared = time("prepare", || PreparedWeights::new(&plan, &weights, 1));
        println!("  weights {} KiB", prepared.bytes() >> 10);
        let prepared = Source::Whole(&prepared);
        let x = prg(3).lanes(spec.input, spec.input_len());
        let job = |party: Party| Job {
            keys: &keys[party.index()],
            plan: &plan,
            first: 0,
            x: &x,
            threads: 1,
            privacy: Privacy::Fresh,
        };
        let set = plan.precision().set;
        let (secret, public) = (keys[1].secret(set), keys[0].peer(set));
        let mut y = vec![0; spec.output_len()];
        let uploads: Vec<_> = time("encrypt", || {
            (0..plan.pieces()).map(|p| job(Party::Client).upload(p, secret, &mut prg(1))).collect()
        });
        let answers: Vec<_> = time("answer", || {
            let mut answer =
                |p: usize| whole_answer(&job(Party::Server), p, public, &prepared, &uploads[p], &mut y);
            (0..plan.pieces()).map(&mut answer).collect()
        });
        time("answer, with transforms", || {
            let source = Source::new(&plan, OwnWeights::Plain(&weights), 1);
            let mut answer =
                |p: usize| whole_answer(&job(Party::Server), p, public, &source, &uploads[p], &mut y);
            (0..plan.pieces()).map(|p| answer(p).len()).sum::<usize>()
        });
        let mut columns = Vec::new();
        time("of which columns", || {
            columns.clear();
            for (p, upload) in uploads.iter().enumerate() {
                let group_len = upload.len() / geometry.groups();
                for (group, ciphertexts) in upload.chunks_exact(group_len).enumerate() {
                    columns.push(job(Party::Server).columns(p, group, ciphertexts).expect("columns"));
                }
            }
        });
        let (mut buffer, mut pair) = (Matrices::default(), Default::default());
        time("of which products", || {
            for (i, columns) in columns.iter().enumerate() {
                let (piece, group) = (i / geometry.groups(), i % geometry.groups());
                let width = 2 * plan.tiles(piece).0.len();
                for chunk in plan.chunks().iter().filter(|chunk| chunk.group == group) {
                    let matrices = prepared.matrices(chunk, &mut buffer);
                    let matrices = Positions::new(&plan, prepared.taps(), matrices, &mut pair);
                    black_box(job(Party::Server).multiply(matrices, columns, width, chunk.rows.len()));
                }
            }
        });
        let chunks = plan.chunks();
        time("decrypt", || {
            for (p, answer) in answers.iter().enumerate() {
                job(Party::Client).decrypt(p, &chunks, secret, answer, &mut y);
            }
        });
    }
}
