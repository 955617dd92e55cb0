ezpc_core::secure! {
    def void g(int32_al[3][3] x) { }
    def int32_al one(int32_al x) { return x; }
    def int32_al f(int32_al[3] a, int32_al b, int32_al[2][3] c) {
        int32_al d = a + 1;
        int32_al e = b[0];
        int32_al[3] h = a + c;
        int32_al i = c[0][1][2];
        int32_al j = one(b)[0];
        int32_al k = {1, 2};
        int32_al[3] l = {{1}, 2, 3};
        int32_pl m = reveal(ALL, a);
        c[b][0] = a;
        g(a);
        return a;
    }
}

fn main() {}
