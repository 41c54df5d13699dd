"""`python -m gan_core`, which is also what torchrun starts."""

import sys

from gan_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
