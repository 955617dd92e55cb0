ezpc_core::secure! {
    def void f(int32_al a) { return a; }
    def int32_al g(int32_al a) { return; }
}

fn main() {}
