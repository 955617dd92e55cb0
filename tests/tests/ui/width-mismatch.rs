ezpc_core::secure! {
    def int32_al f(int32_al a, int64_al b) {
        int64_al c = a + b;
        return b;
    }
}

fn main() {}
