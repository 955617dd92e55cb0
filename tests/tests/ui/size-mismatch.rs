ezpc_core::secure! {
    def void f(int32_pl n, int32_al[3] a, int32_al[4] b) {
        int32_al[3] c = a + b;
        int32_al[3] d = {1, 2};
        int32_al[n] e = {1, 2, 3};
    }
}

fn main() {}
