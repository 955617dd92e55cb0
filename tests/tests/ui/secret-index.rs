ezpc_core::secure! {
    def int32_al f(int32_al[3][4] a, int32_al i) { return a[i][0]; }
}

fn main() {}
