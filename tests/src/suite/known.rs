//! What EzPC's own programs print.

use super::program::Case;

/// The cases of the program in the file `name`: what it is given, and what it puts out.
pub(super) fn cases(name: &str, watched: bool) -> Vec<Case> {
    let find = |table: &[Row]| {
        let own = table.iter().filter(|row| name.ends_with(row.0));
        own.map(|row| Case::new(row.1, row.2)).collect::<Vec<_>>()
    };
    find(if watched { WATCHED } else { PRINTED })
}

/// The end of the path, inputs, outputs.
type Row = (&'static str, &'static [(&'static str, &'static str)], &'static [(&'static str, &'static str)]);

const PRINTED: &[Row] = &[
    (
        "test_suite/dot_product.ezpc",
        &[("w", "vec![1, 2]"), ("b", "3"), ("x", "vec![5, 6]")],
        &[("output", "1")],
    ),
    (
        "test_suite/dot_product.ezpc",
        &[("w", "vec![1, 2]"), ("b", "17"), ("x", "vec![5, 6]")],
        &[("output", "0")],
    ),
    (
        "test_suite/dot_product.ezpc",
        &[("w", "vec![-1, 2]"), ("b", "-8"), ("x", "vec![5, -1]")],
        &[("output", "1")],
    ),
    ("test_suite/for.ezpc", &[], &[("summ", "4950")]),
    ("test_suite/func.ezpc", &[], &[("c", "15")]),
    ("test_suite/if.ezpc", &[], &[("a", "20")]),
    ("test_suite/while.ezpc", &[], &[("yy", "9")]),
    ("test_suite/random_forest.ezpc", &[], &[("finalResult", "33860")]),
    ("test_suite/random_forest_polish.ezpc", &[], &[("finalResult", "11995")]),
    ("docker_test/docker_arith_example.ezpc", &[], &[("c", "15"), ("c_2", "5")]),
    (
        "docker_test/docker_bin_example.ezpc",
        &[
            ("dataLocLat", "vec![10]"),
            ("dataLocLong", "vec![20]"),
            ("dataTime", "vec![100]"),
            ("queryLocLat", "11"),
            ("queryLocLong", "21"),
            ("queryTime", "98"),
        ],
        &[("e", "true")],
    ),
    (
        "test_suite_float/dot_product_float.ezpc",
        &[("w", "vec![1.0, 2.0, 3.0, 4.0, 5.0]"), ("b", "100.0"), ("x", "vec![1.0, 2.0, 3.0, 4.0, 5.0]")],
        &[("output", "false")],
    ),
    ("test_suite_float/for.ezpc", &[], &[("summ", "4950.0")]),
    ("test_suite_float/func.ezpc", &[], &[("c", "11.0")]),
    ("test_suite_float/if.ezpc", &[], &[("a", "20")]),
    (
        "test_suite_float/while.ezpc",
        &[],
        &[("yy", "[1.0, 1.5, 1.75, 1.875, 1.9375, 1.96875, 1.984375, 1.9921875, 1.99609375, 1.998046875]")],
    ),
];

/// With an output after every assignment of `main`.
const WATCHED: &[Row] = &[
    (
        "test_suite/binop.ezpc",
        &[],
        &[
            ("c", "15"),
            ("c_2", "4294967291"),
            ("c_3", "50"),
            ("c_4", "2"),
            ("d", "2"),
            ("c_5", "2"),
            ("c_6", "40"),
            ("c_7", "15"),
            ("c_8", "0"),
            ("c_9", "15"),
            ("c_10", "1024"),
            ("c_11", "2"),
            ("e", "false"),
            ("e_2", "false"),
            ("e_3", "true"),
            ("e_4", "false"),
            ("e_5", "false"),
            ("e_6", "false"),
            ("e_7", "true"),
            ("e_8", "true"),
        ],
    ),
    (
        "test_suite/decl.ezpc",
        &[],
        &[("x1", "1"), ("x2", "2"), ("x3", "1"), ("x4", "2"), ("x5", "2"), ("x6", "2"), ("x7", "false")],
    ),
    (
        "test_suite_float/binop_float.ezpc",
        &[],
        &[
            ("e", "false"),
            ("c", "0.2"),
            ("c_2", "-5.0"),
            ("c_3", "50.0"),
            ("c_4", "2.5"),
            ("e_2", "false"),
            ("e_3", "false"),
            ("e_4", "true"),
            ("e_5", "false"),
            ("e_6", "false"),
            ("e_7", "true"),
            ("e_8", "true"),
        ],
    ),
    (
        "test_suite_float/decl.ezpc",
        &[],
        &[("x1", "1"), ("x5", "2"), ("x7", "false"), ("pi", "3.14"), ("e", "2.71")],
    ),
];
