//! Tables and the rules that normalise them.

#![no_main]

use ezpc_ml::csv::{Normalisation, Table};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let at = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (table, rules) = data.split_at(at);
    let rules = Normalisation::parse(rules);
    if let Ok(mut table) = Table::parse(table) {
        if let Ok(rules) = rules {
            let _ = table.normalise(&rules);
        }
        let _ = table.into_array();
    }
});
