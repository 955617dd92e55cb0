mod program {
    ezpc_core::secure! {
        def void main() {
            int32_al a = 1 +;
            for i = [0 3] { };
            output(EVERYBODY, a);
            int32_al b = 12q;
        }
        int32_al missing
    }
}

// What uses the program does not fail as well.
fn main() {
    let _ = program::main::<ezpc_core::protocol::Cleartext>;
}
