mod program {
    ezpc_core::secure! {
        def void main() {
            input(SERVER, a, int32_pl);
            input(ALL, b, int32_al);
        }
    }
}

fn main() {}
