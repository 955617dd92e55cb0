ezpc_core::secure! {
    def int32_al f(int32_al a) {
        int32_al x = a;
        while (x > 0) { x = x - 1; }
        return x;
    }
}

fn main() {}
