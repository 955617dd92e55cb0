//! Programs in the language, run in the clear.

use ezpc_core::protocol::cleartext::Cleartext;

mod dot_product {
    ezpc_core::secure! {
        (* A linear classifier: does <w; x> exceed b? *)
        uint32 dim = 2u;

        def void main() {
            input(SERVER, w, int32_al[dim]);
            input(SERVER, b, int32_bl);
            input(CLIENT, x, int32_al[dim]);
            int32_al acc = 0;
            uint32_pl lower = 0u;
            uint32_pl upper = dim;
            for i = [lower - lower : upper] { acc = acc + (w[i] * x[i]); };
            output(CLIENT, ((acc > b) ? 1 : 0));
        }
    }
}

#[test]
fn dot_product() {
    let run = |w: [i32; 2], b: i32, x: [i32; 2]| {
        let inputs = dot_product::Inputs { w: Some(w.to_vec()), b: Some(b), x: Some(x.to_vec()) };
        dot_product::main(&mut Cleartext::new(), &inputs).expect("runs").output
    };
    assert_eq!(run([1, 2], 3, [5, 6]), Some(1));
    assert_eq!(run([1, 2], 17, [5, 6]), Some(0));
    assert_eq!(run([-1, 2], -8, [5, -1]), Some(1));
}
