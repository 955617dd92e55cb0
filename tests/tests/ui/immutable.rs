ezpc_core::secure! {
    uint32 n = 3;
    def void f(const int32_al[3] a) {
        n = 4;
        a[0] = 1;
        for i = [0:3] { i = 2; }
    }
}

fn main() {}
