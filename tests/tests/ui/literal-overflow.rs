ezpc_core::secure! {
    def void f() {
        int32_pl a = 2147483648;
        uint8_al b = 256;
        uint64_pl c = 18446744073709551616uL;
        uint64_pl d = 999999999999999999999999999999999999999999uL;
        float_fl e = 1e15;
        fix<16, 8> f = -128.5;
    }
}

fn main() {}
