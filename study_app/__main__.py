"""`python -m study_app`."""

import sys

from study_app.cli import main

if __name__ == "__main__":
    sys.exit(main())
