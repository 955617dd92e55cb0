ezpc_core::secure! {
    uint32 n = 3;
    uint32 n = 4;
    def void g() { }
    def void g() { }
    def int32_al f(int32_al a, int32_al a) {
        int32_al b = 1;
        int32_al b = 2;
        return a + b;
    }
}

fn main() {}
