ezpc_core::secure! {
    def void f(bool_al a, int32_fl b, uint32_xl c, fix<32, 12>_al d) { }
}

fn main() {}
