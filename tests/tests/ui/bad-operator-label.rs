ezpc_core::secure! {
    def int32_al f(int32_al a, int32_al b) {
        int32_al c = a *_bl b;
        bool_bl d = !_al (a > b);
        c = <bl |> al> a;
        return a +_pl b;
    }
}

fn main() {}
