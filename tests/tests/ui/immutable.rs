ezpc_core::secure! {
    uint32 n = 3;
    def void write(int32_al[3] a) { a[0] = 1; }
    def void f(const int32_al[3] a) {
        n = 4;
        a[0] = 1;
        write(a);
        for i = [0:3] { i = 2; }
    }
}

fn main() {}
