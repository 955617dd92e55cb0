mod program {
    ezpc_core::secure! {
        def int32_al main(int32_al a) { return a; }
    }
}

mod no_main {
    ezpc_core::secure! {
        def void f() { output(ALL, 1); }
    }
}

fn main() {}
