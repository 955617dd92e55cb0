//! Requests to valgrind, which are instructions that do nothing outside.

#![expect(unsafe_code, reason = "instructions that only valgrind knows")]

/// Makes the content of a place undefined.
pub const MAKE_UNDEFINED: usize = 0x4d43_0001;
/// Makes it defined.
pub const MAKE_DEFINED: usize = 0x4d43_0002;
/// Asks for the number of errors so far.
pub const COUNT_ERRORS: usize = 0x1201;
/// Asks whether valgrind is there.
pub const RUNNING_ON_VALGRIND: usize = 0x1001;

/// A request about `len` bytes, and its answer; 0 outside of valgrind.
pub fn request(code: usize, place: *const u8, len: usize) -> usize {
    let arguments: [usize; 6] = [code, place.expose_provenance(), len, 0, 0, 0];
    let mut result = 0_usize;
    // SAFETY: the rotations add up to 128 bits and leave rdi as it was, and rbx is exchanged with itself; valgrind reads
    // the six words behind rax and answers in rdx.
    unsafe {
        core::arch::asm!(
            "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51", "xchg rbx, rbx",
            in("rax") arguments.as_ptr(),
            inout("rdx") result,
            inout("rdi") 0_usize => _,
        );
    }
    result
}
