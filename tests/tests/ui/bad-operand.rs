ezpc_core::secure! {
    def bool_bl f(int32_al a, bool_bl b) {
        bool_bl c = !a;
        int32_al d = ~b;
        return (b & b) || a;
    }
}

fn main() {}
