//! Plain loops, compiled for the widest vectors that the CPU has.

/// A computation made of plain loops over slices.
///
/// `run` and what it calls must be `#[inline(always)]`: inlining is what gives the loops the instruction set.
pub(crate) trait Kernel {
    /// What it computes.
    type Output;
    /// Computes it.
    fn run(self) -> Self::Output;
}

/// Runs a kernel. The result does not depend on the CPU.
#[inline]
pub(crate) fn vectorize<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        x86_64::vectorize(kernel)
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        kernel.run()
    }
}

/// A way to run a kernel, for tests that compare them all.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Portable,
    Widest,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

#[cfg(test)]
impl Way {
    pub(crate) const ALL: &[Self] = &[
        Self::Portable,
        Self::Widest,
        #[cfg(target_arch = "x86_64")]
        Self::Avx2,
    ];

    /// Runs a kernel this way, or as plain loops where the CPU cannot.
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            Self::Portable => kernel.run(),
            Self::Widest => vectorize(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => x86_64::with_avx2(kernel),
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    #![expect(unsafe_code, reason = "calls behind a run-time check of the CPU")]

    use super::Kernel;

    pub(super) fn vectorize<K: Kernel>(kernel: K) -> K::Output {
        if detected!("avx512f") && detected!("avx512bw") && detected!("avx512dq") && detected!("avx512vl") {
            // SAFETY: the CPU has the instructions, checked above.
            unsafe { avx512(kernel) }
        } else {
            with_avx2(kernel)
        }
    }

    pub(super) fn with_avx2<K: Kernel>(kernel: K) -> K::Output {
        if detected!("avx2") {
            // SAFETY: the CPU has the instructions, checked above.
            unsafe { avx2(kernel) }
        } else {
            kernel.run()
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn avx512<K: Kernel>(kernel: K) -> K::Output {
        kernel.run()
    }

    #[target_feature(enable = "avx2")]
    fn avx2<K: Kernel>(kernel: K) -> K::Output {
        kernel.run()
    }
}
