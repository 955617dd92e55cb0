#!/usr/bin/env python3
"""How few columns of a 10-local matrix contain as many rows, by a greedy choice: PEEL of lpn.py.

Drops a share of the columns at random, so that trials differ, and then always the column that is in the fewest rows left,
until as many rows as columns are left. Prints the share of columns left, and that divided by the share (k / n)^(1/9) that
a random choice needs. A minute; no dependency beyond the standard library.
"""

import random

LOCALITY = 10


def peel(k, n, dropped, seed):
    rng = random.Random(seed)
    rows = [{rng.randrange(k) for _ in range(LOCALITY)} for _ in range(n)]
    rows_of = [[] for _ in range(k)]
    for i, row in enumerate(rows):
        for column in row:
            rows_of[column].append(i)
    degree = [len(x) for x in rows_of]
    has_column, has_row = [True] * k, [True] * n
    columns, left = k, n

    def drop(column):
        """Drops a column with the rows it is in; yields the columns that these rows were in."""
        nonlocal columns, left
        has_column[column] = False
        columns -= 1
        for i in rows_of[column]:
            if has_row[i]:
                has_row[i] = False
                left -= 1
                for other in rows[i]:
                    if has_column[other]:
                        degree[other] -= 1
                        yield other

    for column in rng.sample(range(k), int(dropped * k)):
        for _ in drop(column):
            pass
    by_degree = [[] for _ in range(max(degree) + 1)]
    for column in range(k):
        if has_column[column]:
            by_degree[degree[column]].append(column)
    low = 0
    while left > columns:
        while not by_degree[low]:
            low += 1
        column = by_degree[low].pop()
        if has_column[column] and degree[column] == low:
            for other in drop(column):
                by_degree[degree[other]].append(other)
                low = min(low, degree[other])
    return columns / k


def main():
    print(f"{'k':>6} {'n / k':>6} {'at random':>10} {'share left':>11} {'factor':>7}")
    for k, ratio, dropped in [
        (4096, 8, 0.1),
        (4096, 8, 0),
        (3 << 14, 8, 0.1),
        (3 << 14, 8, 0),
        (3 << 14, 10, 0),
        (1 << 15, 10, 0),
    ]:
        share = peel(k, k * ratio, dropped, 1)
        print(f"{k:6} {ratio:6} {dropped:10} {share:11.4f} {share * ratio ** (1 / 9):7.3f}", flush=True)


if __name__ == "__main__":
    main()
