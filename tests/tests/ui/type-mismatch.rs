ezpc_core::secure! {
    def int32_al f(int32_al a, uint32_al b, bool_bl c) {
        int32_al d = c;
        bool_bl e = a;
        if (a) { d = a; }
        return a + b;
    }
}

fn main() {}
