ezpc_core::secure! {
    def int32_pl f(int32_al a, int32_pl[2] p) {
        int32_pl b = a;
        if (a > 0) {
            b = 1;
            p = p + 1;
        }
        return a;
    }
}

fn main() {}
