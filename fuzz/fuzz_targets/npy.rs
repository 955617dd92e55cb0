//! Arrays; what is read is written and read alike.

#![no_main]

use ezpc_ml::npy::Array;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(array) = Array::decode(data) {
        let again = Array::decode(&array.encode()).expect("what we write we read");
        assert_eq!(again.shape, array.shape);
        let _ = array.to_labels(10);
    }
});
