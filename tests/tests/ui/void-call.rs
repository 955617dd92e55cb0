ezpc_core::secure! {
    def void f() { }
    def int32_al g(int32_al a) { return a; }
    def void h(int32_al a) {
        int32_al b = f();
        g(a);
    }
}

fn main() {}
