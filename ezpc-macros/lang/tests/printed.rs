//! The stages as text.

use ezpc_lang::compile;
use proc_macro2::TokenStream;

fn tree(expression: &str) -> String {
    let text = format!("def void main() {{ x = {expression}; }}");
    let tokens: TokenStream = text.parse().expect("Rust lexes the text");
    let printed = compile(tokens).tree.to_string();
    let line = printed.lines().nth(1).unwrap_or_default().trim();
    line.trim_start_matches("x = ").trim_end_matches(';').to_owned()
}

/// C's order, everything left-associative except `?:`.
#[test]
fn precedence() {
    let cases = [
        ("a + b * c", "(a + (b * c))"),
        ("a * b ^^ c", "(a * (b ^^ c))"),
        ("a - b - c", "((a - b) - c)"),
        ("a ^^ b ^^ c", "((a ^^ b) ^^ c)"),
        ("a << b + c", "(a << (b + c))"),
        ("a < b << c", "(a < (b << c))"),
        ("a == b < c", "(a == (b < c))"),
        ("a & b == c", "(a & (b == c))"),
        ("a ^ b & c", "(a ^ (b & c))"),
        ("a | b ^ c", "(a | (b ^ c))"),
        ("a && b | c", "(a && (b | c))"),
        ("a @ b && c", "(a @ (b && c))"),
        ("a || b @ c", "(a || (b @ c))"),
        ("a ? b : c ? d : e", "(a ? b : (c ? d : e))"),
        ("a || b ? c : d", "((a || b) ? c : d)"),
        ("-a[1] * !b", "((- a[1]) * (! b))"),
        ("~_bl a +_al b ?_bl c : d", "(((~_bl a) +_al b) ?_bl c : d)"),
        ("<al |> bl> a + b", "((<al |> bl> a) + b)"),
        ("a >>> b >> c", "((a >>> b) >> c)"),
        ("f(a, b + 1)[2][3]", "f(a, (b + 1))[2][3]"),
        ("a<-1", "(a < (- 1))"),
        ("(* a *) a (* b (* c *) *) + b", "(a + b)"),
    ];
    for (text, expected) in cases {
        assert_eq!(tree(text), expected, "{text}");
    }
}

const DOT_PRODUCT: &str = "
    uint32 dim = 2u;
    def void main() {
        input(SERVER, w, int32_al[dim]);
        input(SERVER, b, int32_bl);
        input(CLIENT, x, int32_al[dim]);
        int32_al acc = 0;
        for i = [0 : dim] { acc = acc + (w[i] * x[i]); };
        output(CLIENT, ((acc > b) ? 1 : 0));
    }";

#[test]
fn syntax_tree() {
    let tokens: TokenStream = DOT_PRODUCT.parse().expect("Rust lexes the text");
    let expected = "\
uint32 dim = 2u;
def void main() {
  input(SERVER, w, int32_al[dim]);
  input(SERVER, b, int32_bl);
  input(CLIENT, x, int32_al[dim]);
  int32_al acc = 0;
  for i = [0 : dim] {
    acc = (acc + (w[i] * x[i]));
  }
  output(CLIENT, ((acc > b) ? 1 : 0));
}
";
    assert_eq!(compile(tokens).tree.to_string(), expected);
}

/// Labels are inferred and conversions inserted; then constants are folded, then loops become vectors.
#[test]
fn every_stage_prints() {
    let stages = ezpc_lang::stages(DOT_PRODUCT);
    let names: Vec<&str> = stages.iter().map(|s| s.name).collect();
    assert_eq!(names, ["syntax", "typed", "fold", "lanes", "rust"]);
    let head = "\
def void main() {
  input(SERVER, w, int32[2]);
  input(SERVER, b, int32);
  input(CLIENT, x, int32[2]);
  int32_al acc = <pl |> al>0;
";
    let tail = "  output(CLIENT, ((<al |> bl>acc >_bl b) ?_bl <pl |> bl>1 : <pl |> bl>0));
}
input SERVER w: int32_al[]
input SERVER b: int32_bl
input CLIENT x: int32_al[]
output CLIENT output: int32_bl
";
    let scalar = "  for i = [0 : 2] {\n    acc = (acc +_al (w[i] *_al x[i]));\n  }\n";
    let vector = "  lanes i = [0 : 2] {\n    acc +_al= (w[i] *_al x[i]);\n  }\n";
    assert_eq!(stages[2].text, format!("{head}{scalar}{tail}"));
    assert_eq!(stages[3].text, format!("{head}{vector}{tail}"));
    let broken = ezpc_lang::stages("def void main() { x = 1; }");
    assert_eq!(broken.last().map(|s| s.name), Some("errors"));
}

/// Which loops run as vectors.
#[test]
fn loops_as_vectors() {
    let cases = [
        ("z[i] = x[i] * y[i] + i;", true),
        ("int32_pl k = 2 * i; z[k / 2] = x[k];", false),
        ("z[i] = x[(i * i) % n];", true),
        ("z[i % 3] = x[i];", false),
        ("z[i] = z[i - 1] + x[i];", false),
        ("z[2 * i] = z[2 * i + 1];", true),
        ("z[2 * i] = z[3 * i];", false),
        ("s = s + x[i];", true),
        ("s = x[i] - s;", false),
        ("s = s * 2 + x[i];", false),
        ("s = s + x[i]; z[i] = s;", false),
        ("if (x[i] > y[i]) { s = s - 3; }", true),
        ("if (x[i] > y[i]) { z[i] = 0; } else { z[i] = y[i]; }", true),
        ("if (i > 3) { z[i] = x[i]; }", false),
        ("if (n > 3) { z[i] = x[i]; }", true),
        ("z[i] = reveal(ALL, x[i]);", false),
        ("z[0] = z[0] ^ x[i];", true),
        ("z[0] = z[0] ^ x[i]; s = s + z[1];", true),
        ("z[0] = z[0] ^ x[i]; s = s + z[i];", false),
        ("int32_al t = x[i]; t = t * t; z[i] = t;", true),
        ("z[i] = double(x[i]);", true),
        ("z[i] = looped(x[i]);", false),
        ("f = f * g;", false),
        ("z[c] = x[c] + c; c = c + 1;", true),
        ("c = c + 2; z[i] = x[c];", true),
        ("z[i] = x[c]; c = c + c;", false),
        ("z[i] = x[i]; if (c > i) { c = c + 1; }", false),
        ("f = f + g;", true),
    ];
    for (body, vector) in cases {
        let text = format!(
            "def int32_al double(int32_al a) {{ return a + a; }}
             def int32_al looped(int32_al a) {{ for i = [0:3] {{ a = a * a; }} return a; }}
             def void test(int32_pl n, int32_pl c, int32_al s, float_fl f, float_fl g, int32_al[n] x, int32_al[n] y, int32_al[n] z) {{
                 for i = [0:n] {{ {body} }}
             }}"
        );
        let stages = ezpc_lang::stages(&text);
        let typed = stages.iter().find(|s| s.name == "lanes").unwrap_or_else(|| panic!("{body}: {stages:?}"));
        assert_eq!(typed.text.contains("lanes i = [0 : n]"), vector, "{body}:\n{}", typed.text);
    }
}

/// A branch on a secret condition assigns choices.
#[test]
fn secret_branch() {
    let text = "def void f(int32_al a, int32_al b) { if (a > b) { a = b; } else b = 1; }";
    let tokens: TokenStream = text.parse().expect("Rust lexes the text");
    let expected = "\
def void f(int32_al a, int32_al b) {
  bool_bl __condition_2 = (<al |> bl>a >_bl <al |> bl>b);
  {
    a = <bl |> al>(__condition_2 ?_bl <al |> bl>b : <al |> bl>a);
  }
  {
    bool_bl __condition_3 = (!_bl __condition_2);
    b = <bl |> al>(__condition_3 ?_bl <pl |> bl>1 : <al |> bl>b);
  }
}
";
    assert_eq!(compile(tokens).program.to_string(), expected);
}

/// The generated text is Rust, names only what `private` exports, and has no `unsafe` and no statics.
#[test]
fn generated_text() {
    let tokens: TokenStream = DOT_PRODUCT.parse().expect("Rust lexes the text");
    let generated = ezpc_lang::expand(tokens);
    let file = syn::parse2(generated).expect("the generated text is Rust");
    let text = prettyplease::unparse(&file);
    for fragment in [
        "pub struct Inputs",
        "pub w: ::core::option::Option<::std::vec::Vec<::core::primitive::i32>>",
        "pub struct Outputs",
        "pub fn main<__P: ::ezpc_core::private::Protocol>",
        ".mul(",
        "::ezpc_core::private::Label::PreferArith",
    ] {
        assert!(text.contains(fragment), "{fragment} is not in\n{text}");
    }
    assert!(!text.contains("unsafe") && !text.contains("static "), "{text}");
}

#[test]
fn the_path_of_the_crate_and_a_module() {
    let text = "crate = my::path; pub mod program; def int32_al id(int32_al x) { return x; }";
    let tokens: TokenStream = text.parse().expect("Rust lexes the text");
    let file = syn::parse2(ezpc_lang::expand(tokens)).expect("the generated text is Rust");
    let text = prettyplease::unparse(&file);
    assert!(text.contains("pub mod program {") && text.contains("my::path::private::Protocol"), "{text}");
    assert!(!text.contains("ezpc_core"), "{text}");
}

/// Programs from files have the same tree, and errors with the place in the file.
#[test]
fn files() {
    let text = format!("(* It's a file. *)\n{DOT_PRODUCT}");
    let span = proc_macro2::Span::call_site();
    let from_file = ezpc_lang::compile_file(&text, span);
    let tokens: TokenStream = DOT_PRODUCT.parse().expect("Rust lexes the text");
    assert_eq!(from_file.tree.to_string(), compile(tokens).tree.to_string());
    assert_eq!(from_file.diagnostics.print(), "");
    let broken = ezpc_lang::compile_file("def void main() {\n  int32_al a = 1.5 + 2uL;\n  b = 3 }", span);
    let expected = "\
2:20: bad-operand: `+` on `float` and `uint64`
  help: both sides are numbers of one type; `float` and `fix` have `+ - * /` and comparisons
3:3: unknown-name: nothing is called `b` here
  help: declare it before its use
";
    assert_eq!(broken.diagnostics.print(), expected);
}

/// What only a program in a file can have wrong.
#[test]
fn errors_of_files() {
    let span = proc_macro2::Span::call_site();
    let told = |text: &str| ezpc_lang::compile_file(text, span).diagnostics.print();
    assert!(told("def void f() { (* and so on").contains("1:16: syntax: the comment `(*` does not end"));
    assert!(told("def void f() { /* and so on").contains("1:16: syntax: the comment `/*` does not end"));
    assert!(told("def void f() { if (true) {").contains("expected `}`, found the end of the program"));

    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let expanded = |text: &str| {
        let tokens: TokenStream = text.parse().expect("Rust lexes the text");
        ezpc_lang::expand_file(tokens, &root).to_string()
    };
    assert!(expanded("mod program; name").contains("expected the name of a file in quotes"));
    assert!(expanded("mod program; not \"fuzz.rs\"").contains("expected the name of a file, found `not`"));
    let missing = expanded("\"none.ezpc\"");
    assert!(missing.contains("cannot read ") && missing.contains("relative to the package's directory"));
    // The place in the file stands in the message.
    assert!(expanded("\"fuzz.rs\"").contains("line 3, column 1: expected `def` or a constant"));
}
