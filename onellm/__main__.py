"""`python -m onellm` is `onellm`."""

import sys

from onellm.cli import main

if __name__ == "__main__":
    sys.exit(main())
