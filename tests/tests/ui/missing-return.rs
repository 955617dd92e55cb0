ezpc_core::secure! {
    def int32_al f(int32_al a, bool_pl b) {
        if (b) { return a; }
    }
}

fn main() {}
