//! What a program costs, line by line, before two parties run it.

use ezpc_core::protocol::{Cleartext, Tally};
use ezpc_core::secure;
use ezpc_core::transport::stats::Phase;

secure! {
    def int32_al square(int32_al x) { return x * x; }
    def bool_bl near(int32_al x, int32_al y) {
        return square(x) < y;
    }
    def void main() {
        input(SERVER, x, int32_al[10]);
        input(CLIENT, y, int32_al[10]);
        int32_al count = 0;
        for i = [0:10] { if (near(x[i], y[i])) { count = count + 1; } }
        for i = [0:5] {
            x[i] = x[i] * y[i]; count = count + (x[i] & 7);
        }
        output(ALL, count);
    }
}

#[test]
fn cost_by_line_and_function() {
    let inputs = Inputs { x: Some((0..10).collect()), y: Some(vec![20; 10]) };
    let mut tally = Tally::new(Cleartext::new());
    let outputs = main(&mut tally, &inputs).expect("runs");
    // Five comparisons hold; the masks leave 4 of 20 and 4 of 60.
    assert_eq!(outputs.count, 5 + 4 + 4);
    let lines = tally.lines();
    let online = tally.phase(Phase::Online);
    // Squares and comparisons are counted where they are written, not where they are called.
    let functions: Vec<&str> = lines.functions().map(|f| f.0).collect();
    assert_eq!(functions, ["main", "near", "square"]);
    let squares = lines.functions().find(|f| f.0 == "square").expect("squares").1;
    let at: Vec<u32> = lines.lines().filter(|l| l.0.function == "main").map(|l| l.0.line).collect();
    let first = at[0];
    let expected = [first, first + 2, first + 4];
    assert_eq!(at, expected, "one line of `main` selects, one multiplies and masks, one puts out");
    let opening = lines.lines().find(|l| l.0.line == first + 4).expect("the line").1;
    assert_eq!((opening.bytes, opening.ots(), opening.half_rounds), ([4, 4], 0, 1));
    // Fifteen products run together: ten of them are squares.
    let second = lines.lines().find(|l| l.0.line == first + 2 && l.0.function == "main").expect("the line").1;
    assert!(squares.cots.iter().sum::<u64>() > 0 && second.half_rounds > squares.half_rounds);
    // Bytes and OTs add up, with those of the opening.
    let sum = |get: fn(&ezpc_core::protocol::tally::Totals) -> u64| -> u64 {
        lines.lines().map(|l| get(&l.1)).sum()
    };
    assert_eq!(sum(|t| t.cots[0] + t.cots[1]), online.cots[0] + online.cots[1]);
    assert_eq!(sum(|t| t.quads[0] + t.quads[1]), online.quads[0] + online.quads[1]);
    assert_eq!(sum(|t| t.bytes[0] + t.bytes[1]), online.bytes[0] + online.bytes[1]);
    let table = lines.to_string();
    assert!(table.contains("square") && table.contains(&format!("{:>6}", first + 2)), "{table}");
}
