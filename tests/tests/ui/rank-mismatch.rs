ezpc_core::secure! {
    def int32_al f(int32_al[3] a, int32_al b) {
        int32_al c = a + 1;
        int32_al d = b[0];
        return a;
    }
}

fn main() {}
