//! What the language accepts and what it refuses, and with which error.

use ezpc_lang::compile;
use proc_macro2::TokenStream;

/// The names of the errors in a program.
fn errors(text: &str) -> Vec<&'static str> {
    let tokens: TokenStream = text.parse().expect("Rust lexes the text");
    compile(tokens).diagnostics.all().iter().map(|d| d.code.name()).collect()
}

/// The errors in the body of a function.
fn body(text: &str) -> Vec<&'static str> {
    errors(&format!("def void main() {{ {text} }}"))
}

#[test]
fn what_ezpc_accepts() {
    let accepted = [
        "uint32_al a = 5u; uint32_bl b = 3u; uint32_al c = a +_bl b;",
        "uint32_pl a = 5u; uint64_pl b = a + 7uL; int64_pl c = 5;",
        "if (1 < 2) { int32_al x = 1; } else if (2 < 3) { int32_al y = 2; } else { };",
        "int32_pl a = 1; if (a == 1) a = 2; else a = 3;",
        "int32_al x = 1; for i = [0:3] { int32_bl x = 2; x = x + 1; };",
        "int32_al a = 1; int32_al b = 2; int32_al c = (a > b) ?_al a : b;",
        "int32_al a = 1; int32_bl b = <al |> bl> a;",
        "partition for i = [0:3] { }; unroll for j = [0:2] { int32_al q = j; };",
        "int32_pl n = 4; int32_al[n][n + 1] a; a[1][2] = 3;",
        "",
        "int32_al a = 1; output(ALL, a + 1);",
        "bool_bl a = true; bool_bl b = a && false || a @ true;",
        "uint32_al c = 2^^10;",
        "int32_al x = -2147483648; int64_pl y = -1L; uint32_pl z = -1u;",
        "uint32_al[10] a; int32_al i = 3; uint32_al b = a[i]; a[i] = b;",
        "int32_al a = 1; int32_al b = 2; if (a > b) { a = b; } else { b = a; }",
        "int32_al a = 0x1F; a += 1_000; a -= 1; bool_bl c = a != 3;",
        "uint8_al a = 200; uint16_al b = uint16(a); bool_bl c = bool(a);",
        "int32_al a = 1; int32_pl b = reveal(ALL, a); while (b < 3) { b = b + 1; }",
        "int32_al[3] a; int32_bl[3] b; a = b; int32_al[3] c = a;",
        "int32_al[2][3] a = {{1, 2, 3}, {4, 5, 6}}; a[0] = a[1] * 2 + a[0]; bool_bl[2][3] b = a < 7;",
        "int32_al[2][2] a; int32_al i = 1; int32_al b = a[i][0]; a[i][i] = b; a[i] = a[0];",
        "int32_pl n = 3; int32_al[n] a; int32_al[n] b = -a + a; if (a[0] > 1) { a = b; }",
        "float_pl p = 3.5; float a = p * -2.0; bool_bl c = a < 1.5 / a; float_fl d = c ? a : p; output(ALL, d);",
        "fix<32, 12> a = 1.5; fix<32, 12>_pl p = 1.0 / 3.0; fix<32, 12>_fl[2] b = {0.5, p}; a = b[0] * -2.0 / a;",
        "int32_al fix = 1; bool_bl c = fix < 32; int64_al d = int64(fix<64, 24>(fix)); bool_pl e = fix<8, 4>(0.5) == fix<8, 4>(1);",
        "int32_al a = 1; int32_al b = reveal(CLIENT, a * a); bool_bl c = reveal(SERVER, b > a);",
    ];
    for text in accepted {
        assert_eq!(body(text), Vec::<&str>::new(), "{text}");
    }
    let programs = [
        "def int32_pl fact(int32_pl n) { if (n < 2) { return 1; } else { return n * fact(n - 1); } }",
        "def void f(int32_al[3] row) { row[0] = 1; } def void main() { int32_al[2][3] a; f(a[1]); }",
        "def void f() { input(SERVER, x, int32_al); output(ALL, x); } def void main() { f(); }",
        "int32 n = 2 + 3; uint64 m = 1uL << 40; def void main() { int32_al[n] a; }",
        "def void main() { int32_al a = later(1); } def int32_al later(int32_al x) { return x; }",
        "extern int32_al kernel(int32_al[4] x); def void main() { int32_al[4] a; int32_al b = kernel(a); }",
        "(* a comment (* nested *) with f(x) *) def void main() { }",
        "def void f(const int32_al[3] x) { } def void main() { int32_al[3] x; f(x); }",
    ];
    for text in programs {
        assert_eq!(errors(text), Vec::<&str>::new(), "{text}");
    }
}

#[test]
fn what_ezpc_rejects() {
    let rejected = [
        ("int32_al a = 1; while (a < 3) { }", "secret-guard"),
        ("int32_al a = 1; int32_al b = a *_bl a;", "bad-operator-label"),
        ("bool_al a = true;", "bad-label"),
        ("int32_al a = 1; int32_pl b = a;", "secret-to-public"),
        ("input(CLIENT, x, int32_pl);", "bad-input"),
        ("input(ALL, x, int32_al);", "bad-input"),
        ("for i = [0:3] { i = 2; };", "immutable"),
        ("int32_al a = 1; int32_al a = 2;", "redeclared"),
        ("int32_pl a = 2147483648;", "literal-overflow"),
        ("uint32_pl a = 4294967296u;", "literal-overflow"),
        ("int32_al a = 1; int32_al b = a ^^ 2;", "secret-size"),
        ("int32_al a = 1; int32_al b = 4 << a;", "secret-size"),
        ("int32_pl a = 1 @ 2;", "bad-operand"),
        ("bool_pl a = true & false;", "bad-operand"),
        ("bool_pl a = true < false;", "bad-operand"),
        ("int32_al[3] a; int32_al b = a + 1;", "rank-mismatch"),
        ("int32_al a = b;", "unknown-name"),
        ("g(1);", "unknown-function"),
        ("int32_al n = 3; int32_al[n] a;", "secret-size"),
        ("int32_al n = 3; for i = [0:n] { };", "secret-size"),
        ("int32_al a = 1; int64_al b = 2L; int64_al c = a + b;", "width-mismatch"),
        ("int32_al a = 1; int32_pl p = 0; if (a > 1) { p = 2; }", "secret-to-public"),
        ("int32_al a = 1; if (a > 1) { output(ALL, a); }", "secret-branch"),
        ("int32_al a = 1; bool_bl c = !a;", "bad-operand"),
        ("int32_pl a = 1; a << 3;", "syntax"),
        ("1 = 2;", "syntax"),
        ("int32_pl a = 1 << 32;", "type-mismatch"),
        ("int32_al a = 1; int32_pl b = reveal(CLIENT, a);", "secret-to-public"),
        ("float a = 1.0; int32_al b = 2; float c = a * b;", "bad-operand"),
        ("float a = 1.0; float b = a % a;", "bad-operand"),
        ("float_al a = 1.0;", "bad-label"),
        ("float a = 1;", "type-mismatch"),
        ("int32_al a = 1 int32_al b = 2;", "syntax"),
        ("return 1;", "bad-return"),
        ("main(1);", "argument-count"),
        ("int32_al[3] a; int32_al[2] b; int32_al[3] c = a + b;", "size-mismatch"),
        ("int32_al[3] a = {1, 2};", "size-mismatch"),
        ("int32_pl n = 3; int32_al[n] a = {1, 2, 3};", "size-mismatch"),
        ("int32_al[3] a; int32_al[3][1] b; int32_al[3] c = a + b;", "rank-mismatch"),
        ("int32_al a = {1};", "rank-mismatch"),
        ("int32_al[2] a = {{1}, 2};", "rank-mismatch"),
        ("int32_pl[3] a; int32_al b = 1; if (b > 0) { a = a + 1; }", "secret-to-public"),
        ("int32_al[3] a; int32_al[3] b; while (reveal(ALL, (a + b)[0] > 1)) { }", "unsupported"),
        ("int32_al[2][2] a; int32_al i = 0; while (reveal(ALL, a[i][0] > 1)) { }", "unsupported"),
    ];
    for (text, name) in rejected {
        assert!(body(text).contains(&name), "{text}: {:?}", body(text));
    }
    let programs = [
        ("def void f(const int32_al[3] x) { x[0] = 1; }", "immutable"),
        ("int32 n = 3; def void main() { n = 4; }", "immutable"),
        ("int32 n = f(); def int32_pl f() { return 1; }", "bad-constant"),
        (
            "def int32_al f(int32_al[2] x) { x[0] = 1; return x[1]; } def void main() { int32_al[2] a; int32_al b = f(a); }",
            "impure-call",
        ),
        ("def int32_pl f(int32_pl a) { if (a == 1) { return 1; } }", "missing-return"),
        ("def int32_pl f() { return; }", "bad-return"),
        ("def void f() { } def void main() { int32_al a = f(); }", "void-call"),
        ("def int32_pl f() { return 1; } def void main() { f(); }", "void-call"),
        ("def void f() { } def void f() { }", "redeclared"),
        ("def void f() { input(SERVER, x, int32_al); }", "bad-main"),
        ("def void main(int32_al x) { }", "bad-main"),
        ("def void f(int32_al[2][2] a) { } def void main() { int32_al[2] a; f(a); }", "rank-mismatch"),
        ("def void f(int32_al[2] a) { } def void main() { int32_pl[2] a; f(a); }", "type-mismatch"),
        ("def void main() { int32_pl[2] a; int32_al i = 1; a[i] = 3; }", "secret-index"),
    ];
    for (text, name) in programs {
        assert!(errors(text).contains(&name), "{text}: {:?}", errors(text));
    }
}

/// Independent errors are reported together, one each.
#[test]
fn all_errors_at_once() {
    let text = "
        def void f() { int32_al a = nobody; }
        def void g() { bool_al b = true; }
        def int32_pl h() { }
        def void main() { int32_pl x = 1 +; int32_pl y = 99999999999; z = 3; }";
    assert_eq!(
        errors(text),
        ["syntax", "unknown-name", "bad-label", "missing-return", "literal-overflow", "unknown-name"]
    );
}

/// An error in one place does not become errors in others.
#[test]
fn no_cascades() {
    assert_eq!(body("int32_al a = nobody; int32_al b = a + 1; output(ALL, b);"), ["unknown-name"]);
    assert_eq!(body("bool_al x = true; output(ALL, x && true);"), ["bad-label"]);
    assert_eq!(body("for i = [0 3] { }; int32_al a = 1;"), ["syntax"]);
}

#[test]
fn the_nearest_name_is_offered() {
    let tokens: TokenStream =
        "def void main() { int32_al counter = 1; counter = couner; }".parse().expect("lexes");
    let diagnostics = compile(tokens).diagnostics;
    let [only] = diagnostics.all() else { panic!("one error, not {diagnostics:?}") };
    assert_eq!(only.message, "nothing is called `couner` here");
    assert_eq!(only.help, "a variable with a similar name exists: `counter`");
}

#[test]
fn nesting_is_bounded() {
    let deep = format!("int32_pl a = {}1{};", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(body(&deep), ["syntax"]);
    let blocks = format!("{}{}", "{".repeat(3000), "}".repeat(3000));
    assert!(body(&blocks).contains(&"syntax"));
    let long = format!("int32_pl a = 1{};", " + 1".repeat(10_000));
    assert_eq!(body(&long), ["syntax"]);
}
