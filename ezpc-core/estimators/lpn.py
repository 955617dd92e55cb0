#!/usr/bin/env python3
"""Bit-security estimates for the LPN parameters of ot::ferret and of published relatives.

Regular noise over F_q: n = t * B samples in t blocks of B, one noisy sample a block, secret of k elements. Over F_2 the
attacker knows that the noise of a block sums to one, so everything below works on k - t unknowns; over F_4 it is one of
three elements, all k unknowns are left, lists have log2(3) bits more a noisy position, and matches on l elements filter 2 * l
bits. All costs are log2 of bit operations, also where elements of F_4 would take several; memory is free, which favours
the attacker. No dependency beyond the standard library.

  gauss      pooled Gaussian elimination: guess a noise-free information set          (Esser, Kuebler, May, 2017)
  sd         statistical decoding with parity checks from elimination                (ePrint 2022/712, section 3)
  sd-isd     Stern's information-set decoding on exact noise of weight t              (ePrint 2022/712)
  isd dense  Stern with the same number of positions from every block, so that regularity helps; elimination on the
             side of the secret, (k - t)^2.8                                           (after ePrint 2023/1568)
  isd sparse the same with the elimination charged as a sparse one (ten ones a row), 8 * 10 * (k - t)^2
  rounds     isd sparse against any one of 2^10 rounds that share their matrix: an elimination serves all of them, each
             further round costs a matrix-vector product and its lists
  hybrid     guess noise-free positions in some blocks, then a Macaulay matrix of degree 2 to 4
                                                                                     (Briaud, Oygarden, ePrint 2023/176);
             over F_4 as over F_2, where more is known

  columns    isd sparse on fewer columns: rows have ten ones, so a random set of beta * k columns contains the whole of
             n * beta^10 rows; where that is at least beta * k, they are an LPN instance of that dimension with the same
             noise, and another set of columns is another trial
  peeled     the same with the smaller sets that a greedy choice of columns finds: PEEL times the random beta, which
             peel.py measures on matrices of the full size
  exists     the same with the smallest sets that exist at all: below that size the expected number of sets of columns
             with enough rows is less than one. Nobody knows how to find such sets; no attack, but a floor for all that
             choose columns

Not modelled: BJMM-like nested lists. Rows with a column outside of the set can be added in pairs that cancel it, but a
pair has twice the noise, and dropping a column loses more rows than it saves unknowns: no gain.
"""

from math import lgamma, log, log1p, log2

ROUNDS = 10  # log2 of the rounds that share one matrix
LOCALITY = 10  # ones in a row of the matrix
PEEL = 0.858  # columns left by a greedy choice, to those of a random one: peel.txt


def choose(n, m):
    """log2 of a binomial coefficient, for real arguments."""
    if m < 0 or m > n:
        return float("-inf")
    return (lgamma(n + 1) - lgamma(m + 1) - lgamma(n - m + 1)) / log(2)


def add(*terms):
    """log2 of a sum of powers of two."""
    top = max(terms)
    return top + log2(sum(2.0 ** (x - top) for x in terms))


def gauss(n, k, t):
    return 2.8 * log2(min(n - k, k)) - (choose(n - k, t) - choose(n, t))


def sd(n, k, t):
    return log2(k + 1) + 2 + 2 * t * log2((n - t + 1) / (n - k - t))


def sd_isd(n, k, t, q):
    best = gauss(n, k, t)
    for p in range(0, 24, 2):
        for l in range(0, 160, 2):
            half = choose((k + l) // 2 + 1, p // 2) + (p // 2) * log2(q - 1)
            pairs = 2 * half - l * log2(q)
            if max(half, pairs) > 256:
                continue
            elimination = 2 * log2(n - k) - log2(log2(n - k - l))
            cost = add(elimination, half + 1, pairs + 1)
            success = choose(n - k - l, t - p) - choose(n, t) + l * log2(q) + pairs - p * log2(q - 1)
            if success < 0:
                best = min(best, cost + log2(n) - success)
    return best


def regular_isd(k, t, block, q, elimination, rounds=0):
    """Stern on (k - t + l) / t positions of every block, p of which are noisy, half of them in each half of the blocks."""
    unknowns = k - t if q == 2 else k
    best = float("inf")
    for p in range(0, 28, 2):
        for l in range(0, 161):
            per_block = (unknowns + l) / t
            if per_block >= block:
                continue
            combinations = choose(t / 2, p / 2) + (p / 2) * log2(per_block * (q - 1))
            success = (
                2 * choose(t / 2, p / 2)
                + p * log2(per_block / block)
                + (t - p) * log2(1 - per_block / block)
            )
            pairs = 2 * combinations - l * log2(q)
            lists = add(combinations + 1 + log2(max(l, 64)), pairs + log2(2 * 64))
            each = lists if rounds == 0 else add(lists, 2 * log2(unknowns))
            best = min(best, add(elimination(unknowns), rounds + each) - rounds - success)
    return best


def dense(unknowns):
    return 2.8 * log2(unknowns)


def sparse(unknowns):
    return log2(8 * 10) + 2 * log2(unknowns)


def random_share(n, k):
    """The share of the columns that a random set needs to contain as many rows."""
    return (k / n) ** (1 / (LOCALITY - 1))


def least_share(n, k):
    """The share below which no set of columns is expected to contain as many rows: the first-moment bound."""
    low, high = 0.1, random_share(n, k)
    for _ in range(60):
        beta = (low + high) / 2
        sets = -beta * log(beta) - (1 - beta) * log1p(-beta)  # nats a column
        inside, wanted = beta**LOCALITY, beta * k / n
        rare = wanted * log(wanted / inside) + (1 - wanted) * log((1 - wanted) / (1 - inside))  # nats a row
        low, high = (low, beta) if sets * k > rare * n else (beta, high)
    return high


def restricted(n, k, t, block, q, beta):
    """Stern on the rows that are supported inside a set of beta * k columns, as many rows as columns."""
    return regular_isd(beta * k + (t if q == 2 else 0), t, block, q, sparse)


def hybrid(n, k, t):
    """The smallest degree whose Hilbert series turns non-positive decides the size of the Macaulay matrix."""
    block = n // t
    signed = [
        1,
        -(n - k - 1),
        (n - k) * (n - k - 1) // 2,
        -(n - k + 1) * (n - k) * (n - k - 1) // 6,
        (n - k + 2) * (n - k + 1) * (n - k) * (n - k - 1) // 24,
    ]

    def monomials(size, blocks):
        out, count = [1], 1
        for d in range(1, 5):
            count = count * (blocks - d + 1) // d
            out.append(count * size**d)
        return out

    def product(x, y):
        return [sum(x[i] * y[d - i] for i in range(d + 1)) for d in range(5)]

    best = float("inf")
    guesses = sorted({0, *(block * x // 40 for x in range(1, 40)), *range(1, min(block - 1, 60))})
    guessed_blocks = sorted({*(t * x // 60 for x in range(60)), *range(max(0, t - 10), t)})
    for f in guessed_blocks:
        for mu in guesses:
            if mu >= block - 1 or f * mu >= k + 1:
                continue
            columns = product(monomials(block - mu - 1, f), monomials(block - 1, t - f))
            series = product(columns, signed)
            for degree in (2, 3, 4):
                if series[degree] <= 0:
                    size = sum(columns[1 : degree + 1])
                    cost = 2 * log2(size) + log2(3 * (k + 1 - f * mu)) - f * log2(1 - mu / block)
                    best = min(best, cost)
                    break
    return best


SETS = [
    ("in use", 3 << 14, 1152, 384),
    ("in use over F_4", 3 << 14, 1152, 384, 4),
    ("more trees", 3 << 14, 1280, 384),
    ("fewer trees", 3 << 14, 1024, 384),
    ("fewer leaves", 1 << 15, 1280, 256),
    ("more columns", 1 << 16, 1280, 512),
    ("fewer columns", 1 << 15, 1280, 384),
    ("first proposal", 1 << 15, 1024, 448),
    ("powers of two", 36864, 1280, 512),
    ("too aggressive", 1 << 15, 2000, 512),
    ("emp-ot b10", 1 << 16, 850, 1024),
    ("emp-ot b11", 1 << 17, 1170, 2048),
    ("emp-ot b13", 1 << 19, 1900, 8192),
    ("Ferret 2020", 452000, 1280, 8192),
]


def main():
    heads = ["gauss", "sd", "sd-isd", "isd dense", "isd sparse", "rounds", "hybrid", "columns", "peeled", "exists"]
    print("log2 of bit operations; see lpn.py for the attacks and README.md for how to read this")
    print(f"{'set':15} {'k':>7} {'t':>5} {'B':>5} {'n':>9}", *(f"{h:>10}" for h in heads), f"{'least':>7}")
    for name, k, t, block, *field in SETS:
        n = t * block
        (q,) = field or (2,)
        known = t if q == 2 else 0  # sums of blocks
        row = [
            gauss(n - known, k - known, t),
            sd(n - known, k - known, t),
            sd_isd(n - known, k - known, t, q),
            regular_isd(k, t, block, q, dense),
            regular_isd(k, t, block, q, sparse),
            regular_isd(k, t, block, q, sparse, ROUNDS),
            hybrid(n, k, t),
            restricted(n, k, t, block, q, random_share(n, k)),
            restricted(n, k, t, block, q, PEEL * random_share(n, k)),
            restricted(n, k, t, block, q, least_share(n, k)),
        ]
        # A single round decides; the column for many rounds is to be compared with a target of its own, and "exists" is
        # no attack, but counts all the same.
        least = min(value for head, value in zip(heads, row) if head != "rounds")
        print(f"{name:15} {k:7} {t:5} {block:5} {n:9}", *(f"{v:10.1f}" for v in row), f"{least:7.1f}", flush=True)


if __name__ == "__main__":
    main()
