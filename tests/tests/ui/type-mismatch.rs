ezpc_core::secure! {
    def void g(int32_al[2] x) { }
    def int32_al f(int32_al a, uint32_al b, bool_bl c, int32_pl[2] p) {
        int32_al d = c;
        bool_bl e = a;
        if (a) { d = a; }
        d = a << 32;
        d = a ? 1 : 2;
        float h = c ? 1.0 : 2;
        d = int32(1.5);
        fix<32, 12> k = h;
        fix<32, 12> l = a;
        k = k + h;
        d = p[c];
        g(p);
        int32_al[-1] i;
        int32_al[true] j;
        return a + b;
    }
}

fn main() {}
