"""Security of the RLWE sets of `he` by the lattice-estimator, and by a short estimate of our own beside it.

    python3 lattice.py [path of a lattice-estimator checkout] > lattice.txt

Without a checkout only our own estimate is printed. The lattice-estimator is github.com/malb/lattice-estimator; the
committed output is of its commit 27a581bb. It needs SageMath; the parts of it that are on PyPI suffice:
`pip install passagemath-symbolics`.
"""

import math
import sys
import types

P26 = 67104769, 67084289, 67043329, 66994177, 66961409
SMALL = P26[0] * P26[1]
LARGE = P26[1] * P26[2] * P26[3] * P26[4]

# The deviations of u and e1, and of e0.
RERANDOMISER, WIDE = math.sqrt(21), 18470.0


def hint(n):
    """What Hint-RLWE leaves of u and e1 when e_pk u + e1 s + e0 is known: RLWE with deviation sigma where
    1/sigma^2 = 2 (1/s1^2 + B/s0^2), B a bound of |e_pk(zeta)|^2 + |s(zeta)|^2 at the roots. A value at a root is a sum of
    N terms, its square about exponential; one of the N/2 pairs of roots exceeds B for one key in a hundred."""
    mean = (10.5 + 2 / 3) * n
    bound = mean * math.log(n / 2 / 0.01)
    return math.floor(100 * math.sqrt(1 / (2 * (1 / RERANDOMISER**2 + bound / WIDE**2)))) / 100


# Name, N, Q, deviation of the error, distribution of the secret: None for ternary, or a deviation. The last two of
# each set are what the reduction of circuit privacy leaves: a secret and an error of one deviation.
SETS = [
    ("Small", 2048, SMALL, math.sqrt(10.5), None),
    ("Small, privacy", 2048, SMALL, hint(2048), hint(2048)),
    ("Large", 4096, LARGE, math.sqrt(10.5), None),
    ("Large, privacy", 4096, LARGE, hint(4096), hint(4096)),
    ("N=2048, Q=2^53", 2048, 2**53, 3.2, None),
    ("N=2048, Q=2^54", 2048, 2**54, 3.2, None),
    ("N=2048, Q=2^60", 2048, 2**60, 3.2, None),
]


def root_hermite(beta):
    """The root Hermite factor of BKZ with this block size, asymptotically."""
    return (beta / (2 * math.pi * math.e) * (math.pi * beta) ** (1 / beta)) ** (1 / (2 * (beta - 1)))


def primal(n, q, error, secret):
    """The least block size with which BKZ finds the unique short vector of the rescaled Kannan embedding: the projection
    of the secret vector has length error * sqrt(beta), the Gram-Schmidt norm there is delta^(2 beta - d - 1) vol^(1/d)."""
    secret = secret or math.sqrt(2 / 3)
    log_q, log_scale = math.log2(q), math.log2(error / secret)

    def finds(beta):
        delta = math.log2(root_hermite(beta))
        needed = math.log2(error) + 0.5 * math.log2(beta)
        dims = ((m, n + m + 1) for m in range(n // 4, 3 * n, 32))
        return any(needed <= (2 * beta - d - 1) * delta + (m * log_q + n * log_scale) / d for m, d in dims)

    low, high = 60, 4096
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if finds(middle) else (middle + 1, high)
    return low


def dual(n, q, error, secret):
    """The least block size with which short vectors of the scaled dual lattice tell LWE from uniform: a vector of length l
    gives a bias of exp(-2 pi^2 (l error / q)^2), and a sieve gives (4/3)^(beta/2) vectors, (4/3)^0.5 longer."""
    secret = secret or math.sqrt(2 / 3)
    log_q, log_scale = math.log2(q), math.log2(error / secret)

    def tells(beta):
        delta = math.log2(root_hermite(beta))

        def log_length(m):
            d = n + m
            # Volume q^n, with the coordinates of the secret divided by error / secret.
            return d * delta + n * (log_q - log_scale) / d + 0.5 * math.log2(4 / 3)

        log_length = min(log_length(m) for m in range(n // 4, 3 * n, 32))
        loss = 2 * math.pi**2 * 2 ** (2 * (log_length + math.log2(error) - log_q))
        # The square of the bias of one vector, in bits, against the number of vectors.
        return 2 * loss * math.log2(math.e) <= 0.5 * beta * math.log2(4 / 3)

    low, high = 60, 4096
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if tells(middle) else (middle + 1, high)
    return low


def own():
    print("Small: N = 2048, Q =", " x ".join(map(str, P26[:2])))
    print("Large: N = 4096, Q =", " x ".join(map(str, P26[1:])))
    print(f"Hint-RLWE leaves deviations of {hint(2048)} and {hint(4096)}\n")
    print("Own estimate: block size, core-SVP 0.292 beta, and 0.292 beta + 16.4 + log2(8 d) with d = 2 N (BDGL16)")
    print(f"{'set':<18}{'primal':>8}{'core':>8}{'BDGL16':>8}{'dual':>8}{'core':>8}{'BDGL16':>8}")
    for name, n, q, error, secret in SETS:
        cells = []
        for beta in primal(n, q, error, secret), dual(n, q, error, secret):
            cells += [f"{beta:>8}", f"{0.292 * beta:>8.1f}", f"{0.292 * beta + 16.4 + math.log2(16 * n):>8.1f}"]
        print(f"{name:<18}" + "".join(cells), flush=True)


def sage():
    """`sage.all`, put together from the distributions of PyPI where it is not installed as a whole."""
    try:
        import sage.all  # noqa: F401
    except ImportError:
        import sage
        import sage.all__sagemath_symbolics as parts

        module = types.ModuleType("sage.all")
        module.__dict__.update({k: v for k, v in vars(parts).items() if not k.startswith("__")})
        # Only for plots.
        module.line = None
        sys.modules["sage.all"] = sage.all = module


def published(checkout):
    sage()
    sys.path.insert(0, checkout)
    from estimator import LWE, ND, RC
    from sage.all import oo

    attacks = {
        "usvp": LWE.primal_usvp,
        "bdd": LWE.primal_bdd,
        "dual hybrid": LWE.dual_hybrid,
    }
    models = {"MATZOV": RC.MATZOV, "ADPS16": RC.ADPS16, "BDGL16": RC.BDGL16, "ChaLoy21": RC.ChaLoy21}
    print("\nlattice-estimator, unlimited samples: log2 of operations; ChaLoy21 is a quantum model")
    print(f"{'set':<18}{'model':<10}" + "".join(f"{a:>14}" for a in attacks))
    for name, n, q, error, secret in SETS:
        secret = ND.DiscreteGaussian(secret) if secret else ND.Uniform(-1, 1)
        parameters = LWE.Parameters(n=n, q=q, Xs=secret, Xe=ND.DiscreteGaussian(error), m=oo, tag=name)
        for model, cost in models.items():
            cells = []
            for attack, run in attacks.items():
                if attack == "dual hybrid" and model == "BDGL16":
                    cells.append(f"{'-':>14}")
                    continue
                found = run(parameters, red_cost_model=cost)
                cells.append(f"{float(math.log2(float(found['rop']))):>8.1f} b={int(found['beta']):<4}")
            print(f"{name:<18}{model:<10}" + "".join(cells), flush=True)


if __name__ == "__main__":
    own()
    if len(sys.argv) > 1:
        published(sys.argv[1])
