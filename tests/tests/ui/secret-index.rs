ezpc_core::secure! {
    def int32_al f(int32_pl[3] a, int32_al i) {
        a[i] = 0;
        return a[i];
    }
}

fn main() {}
