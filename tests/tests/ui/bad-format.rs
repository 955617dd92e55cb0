ezpc_core::secure! {
    def void f(fix<65, 3> a, fix<8, 8> b, fix<1, 0> c) { fix<32u, 4> d = 0.5; }
}

fn main() {}
