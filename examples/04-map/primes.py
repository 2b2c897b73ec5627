"""Counts primes in the pool of the Runtime python, a range of numbers in each Run."""

import argparse
import math

import kruntimes

MOST = 4_000_000


@kruntimes.task(runtime="python", timeout=60, retries=1)
def count_primes(numbers: tuple[int, int]) -> int:
    """Count the primes from the first number up to, and without, the second."""
    first, last = numbers
    sieve = bytearray([1]) * (last - first)
    for divisor in range(2, math.isqrt(last) + 1):
        multiple = max(divisor * divisor, -(-first // divisor) * divisor)
        sieve[multiple - first :: divisor] = bytes(len(range(multiple, last, divisor)))
    return sum(sieve)


def main() -> None:
    """Count them against the cluster that the kubeconfig names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranges", type=int, default=200)
    step = MOST // parser.parse_args().ranges
    ranges = [(first, min(first + step, MOST)) for first in range(2, MOST, step)]
    print(sum(count_primes.map(ranges, progress=True)), "primes below", MOST)


if __name__ == "__main__":
    main()
