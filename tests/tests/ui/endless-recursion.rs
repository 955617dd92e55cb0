ezpc_core::secure! {
    def int32_al f(int32_pl n, int32_al x) {
        int32_al y = x > 0 ? f(n - 1, x) : x;
        if (n == 0) { return x; }
        return y;
    }
    def int32_pl even(int32_pl n) { return n == 0 ? odd(n) : odd(n - 1); }
    def int32_pl odd(int32_pl n) { int32_pl m = even(n - 1); return m; }
    def int32_pl fine(int32_pl n) { if (n == 0) { return 1; } return fine(n - 1); }
}

fn main() {}
