ezpc_core::secure! {
    def void f(int32_al n) {
        int32_al[n] a;
        for i = [0:n] { };
        int32_al b = 1 << n;
        int32_al c = n ^^ 2;
    }
}

fn main() {}
