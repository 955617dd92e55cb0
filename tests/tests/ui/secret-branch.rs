ezpc_core::secure! {
    def void g() { }
    def int32_al f(int32_al a) {
        if (a > 0) {
            g();
            return a;
        }
        return 0;
    }
}

fn main() {}
