ezpc_core::secure! {
    mod program;
    def void g() { }
    def int32_al f(int32_al a) {
        if (a > 0) {
            g();
            return a;
        }
        return 0;
    }
    def void main() {
        input(SERVER, a, int32_al);
        if (a > 0) {
            input(CLIENT, b, int32_al);
            output(ALL, b);
            a = reveal(ALL, b);
        }
    }
}

fn main() {}
