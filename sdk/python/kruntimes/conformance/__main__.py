"""`python -m kruntimes.conformance`: the same as the command kruntimes-conformance."""

import sys

from kruntimes.conformance.cli import main

if __name__ == "__main__":
    sys.exit(main())
