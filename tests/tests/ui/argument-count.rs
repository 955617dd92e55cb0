ezpc_core::secure! {
    def int32_al f(int32_al a, int32_al b) { return a + b; }
    def int32_al g(int32_al a) { return f(a); }
}

fn main() {}
