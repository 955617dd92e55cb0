"""Where the time of a program goes, by the code that it is spent in: a table from a profile of Linux perf.

    perf record -o ezpc.data target/release/examples/perf --only squeezenet
    python3 examples/perf/where.py ezpc.data

Both parties are in it, as the second process is a child of the first. Samples are counted where they were taken, inlined
code under the function that it went into.
"""

import re
import subprocess
import sys

# The first that fits.
KINDS = [
    ("HE: transforms and products", r"arch::(ntt|mac|residues)|::he::|ops::linear"),
    ("OTs: trees and LPN", r"::ot::(ferret|softspoken|lpn)|arch::lpn|fixed_key.*(children|expand)|base_ot|curve25519"),
    ("hash: pads of OTs", r"fixed_key|crypto::hash|::ot::(pads|digits)"),
    ("garble: chains, selection", r"ezpc_core::ops::"),
    ("pack: bits and words", r"pack|arch::(vector|transpose)|ring::|BitVec|BitPlanes|sharing"),
    ("wire: channel and sockets", r"transport::|tcp|skb|sock|inet|copyout|copyin|copy_(to|from)_user|_iter\b|loopback|ip_|net_"),
    ("memory: pages, copies, allocation", r"malloc|_int_free|free|memmove|memset|memcpy|page|clear_|folio|memcg|mm_|vma|rmap|lru"),
    ("model: compiling, gathering", r"ezpc_ml|spec::apply|FlatMap|SpecFromIter|Map<"),
]


def main(path):
    command = ["perf", "report", "-i", path, "--stdio", "--no-children", "-F", "overhead,dso,symbol", "-g", "none"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    sums = {}
    for line in text.splitlines():
        found = re.match(r"\s*([\d.]+)%\s+(\S+)\s+\[(.)\]\s+(.*)", line)
        if not found:
            continue
        share, _, where, symbol = found.groups()
        kind = next((kind for kind, pattern in KINDS if re.search(pattern, symbol)), None)
        sums_key = kind or ("kernel: the rest" if where == "k" else "the rest")
        sums[sums_key] = sums.get(sums_key, 0) + float(share)
    for kind, share in sorted(sums.items(), key=lambda item: -item[1]):
        print(f"{kind:<36} {share:5.1f} %")


if __name__ == "__main__":
    main(sys.argv[1])
