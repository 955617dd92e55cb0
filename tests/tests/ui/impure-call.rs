ezpc_core::secure! {
    def int32_al f(int32_al[2] a) { a[0] = 1; return a[1]; }
    def int32_al g(int32_al[2] a) { return f(a) + 1; }
}

fn main() {}
