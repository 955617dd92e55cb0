ezpc_core::secure! {
    def int32_al f(int32_al counter) { return couner + total; }
}

fn main() {}
