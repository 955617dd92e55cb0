//! How long `secure!` takes over a program of 1,000 lines, or of as many as are asked for.
//!
//! ```sh
//! cargo run -p ezpc-lang --example compile_time            # as macros are built when nothing is said: not optimised
//! cargo run --release -p ezpc-lang --example compile_time -- 5000
//! ```

#![allow(clippy::print_stdout, reason = "a command that prints")]

use proc_macro2::TokenStream;
use std::fmt::Write as _;
use std::time::Instant;

/// A function of twenty-odd lines with loops, branches, arrays, muxes and calls.
fn function(out: &mut String, i: usize) {
    let callee = i.saturating_sub(1);
    let call = if i == 0 { "s".to_owned() } else { format!("f{callee}(n, x, y, s)") };
    let _ = write!(
        out,
        "/// Function {i}.
def int32_al f{i}(int32_pl n, int32_al[n] x, int32_al[2][n] y, int32_al z) {{
    int32_al s = z * {i} + 1;
    int32_al most = x[0];
    int32_al at = 0;
    bool_bl any = false;
    for i = [0:n] {{
        int32_al v = x[i] * y[0][i] - (y[1][i] >> 3);
        if (v > most) {{ most = v; at = i; }}
        s = s + (v < z ? v : x[i] & 255);
        any = any || (x[i] == z);
    }}
    uint64_al wide = uint64(uint32(s)) + 18446744073709551615uL;
    fix<32, 12> share = fix<32, 12>(int16(s)) * 0.25 + 1.5;
    int32_pl steps = 0;
    while (steps < 3) {{ steps += 1; s = s -_bl (x[steps] ^ steps); }}
    if (any) {{ s = s + int32(share); }} else {{ s = s - x[at]; }}
    int32_al[n] own = x;
    for j = [1:n] {{ own[j] = own[j - 1] + (any ? s : -s); }}
    int32_al next = {call};
    return next + own[1] + int32(uint32(wide >> 7)) % 100;
}}
"
    );
}

fn main() {
    let lines = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1000);
    let mut text = String::new();
    let mut count = 0;
    while text.lines().count() < lines {
        function(&mut text, count);
        count += 1;
    }
    let start = Instant::now();
    let tokens: TokenStream = match text.parse() {
        Ok(tokens) => tokens,
        Err(error) => return println!("not Rust tokens: {error}"),
    };
    let lexed = start.elapsed();
    let start = Instant::now();
    let compilation = ezpc_lang::compile(tokens);
    let errors = compilation.diagnostics.print();
    let checked = start.elapsed();
    let start = Instant::now();
    let rust = ezpc_lang::generate(compilation);
    let generated = start.elapsed();
    if !errors.is_empty() {
        return println!("{errors}");
    }
    println!("{} lines, {count} functions", text.lines().count());
    println!("lexing (Rust's compiler does it)  {:>8.3} s", lexed.as_secs_f64());
    println!("syntax, checks, passes            {:>8.3} s", checked.as_secs_f64());
    println!("code generation                   {:>8.3} s", generated.as_secs_f64());
    println!("{} bytes of Rust", rust.to_string().len());
}
