ezpc_core::secure! {
    uint32 n = f();
    uint32_al m = 3;
    def uint32_pl f() { return 1u; }
}

fn main() {}
