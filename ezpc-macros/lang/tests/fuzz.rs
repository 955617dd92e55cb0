//! Random token streams never panic the front end, and what it generates is always Rust.

use proc_macro2::TokenStream;
use proptest::prelude::*;

const WORDS: [&str; 80] = [
    "def",
    "void",
    "main",
    "int32_al",
    "uint64_bl",
    "bool_bl",
    "int32_pl",
    "int32",
    "uint8_al",
    "bool_al",
    "float",
    "x",
    "y",
    "f",
    "a",
    "b",
    "n",
    "input",
    "output",
    "SERVER",
    "CLIENT",
    "ALL",
    "for",
    "while",
    "if",
    "else",
    "return",
    "reveal",
    "fix",
    "fix<32, 12>",
    "extern",
    "const",
    "unroll",
    "partition",
    "true",
    "false",
    "_al",
    "_bl",
    "_pl",
    "al",
    "bl",
    "=",
    "==",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^^",
    "^",
    "&",
    "&&",
    "|",
    "||",
    "@",
    "<",
    ">",
    ">>>",
    "<<",
    "?",
    ":",
    ";",
    ",",
    "!",
    "~",
    "1",
    "2u",
    "3uL",
    "99999999999999999999",
    "0x1F",
    "1.5",
    "i",
    "type",
    "crate",
    "mod",
    "r#loop",
    "bool",
    "float_fl",
    "void",
    "|>",
];

/// A tree of words: groups nest, and statements and definitions turn up more often than by chance.
fn text() -> impl Strategy<Value = String> {
    let word = prop::sample::select(WORDS.to_vec()).prop_map(str::to_owned);
    let snippet = prop::sample::select(vec![
        "int32_al a = 1;".to_owned(),
        "a = a + b;".to_owned(),
        "output(ALL, a);".to_owned(),
        "input(SERVER, x, uint32_al[3]);".to_owned(),
        "x[1] = 3;".to_owned(),
        "if (a > 1) { a = 2; } else { a = 3; }".to_owned(),
        "for i = [0:3] { a = a * a; };".to_owned(),
        "return a;".to_owned(),
        "int32_pl[2][3] t = {{1, 2, 3}, {4, 5, 6}};".to_owned(),
        "int32_al[3] x = x * 2 + a;".to_owned(),
        "x[a] += x[a];".to_owned(),
        "for i = [0:2] { if (x[i] > a) { a = x[i]; b = i; } }".to_owned(),
        "fix<32, 12> q = fix<32, 12>(a) * 0.5;".to_owned(),
        "b = f(a, x);".to_owned(),
        "while (reveal(ALL, a > 1)) { a = a - 1; }".to_owned(),
    ]);
    let leaf = prop_oneof![3 => word, 1 => snippet];
    leaf.prop_recursive(4, 64, 8, |inner| {
        let many = prop::collection::vec(inner, 0..8).prop_map(|w| w.join(" "));
        prop_oneof![
            many.clone().prop_map(|t| format!("({t})")),
            many.clone().prop_map(|t| format!("[{t}]")),
            many.clone().prop_map(|t| format!("{{{t}}}")),
            many.clone().prop_map(|t| format!("def void main() {{ {t} }}")),
            many.clone()
                .prop_map(|t| format!("def int32_al f(int32_al a, int32_al[2] x) {{ {t} return a; }}")),
            many,
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_panics(text in prop::collection::vec(text(), 0..4)) {
        let text = text.join(" ");
        if let Ok(tokens) = text.parse::<TokenStream>() {
            let compilation = ezpc_lang::compile(tokens);
            let tree = compilation.tree.to_string();
            let _ = (compilation.program.to_string(), compilation.diagnostics.print());
            // The printed tree is the program.
            if let (true, Ok(again)) = (compilation.diagnostics.is_empty(), tree.parse::<TokenStream>()) {
                let again = ezpc_lang::compile(again);
                prop_assert_eq!(again.diagnostics.print(), "", "{}", tree);
                prop_assert_eq!(again.tree.to_string(), tree);
            }
            let generated = ezpc_lang::generate(compilation);
            prop_assert!(syn::parse2::<syn::File>(generated.clone()).is_ok(), "{} gives {}", text, generated);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Files may hold any text.
    #[test]
    fn files_never_panic(text in prop_oneof!["\\PC*", "[a-z0-9_ (){}\\[\\]*;:=<>|+/.'\"\n]{0,80}"]) {
        let text = format!("def void main() {{ {text} }}");
        let compilation = ezpc_lang::compile_file(&text, proc_macro2::Span::call_site());
        let _ = (compilation.tree.to_string(), compilation.diagnostics.print());
    }
}
