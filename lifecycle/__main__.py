"""`python -m lifecycle`: the same as `steady`."""

import sys

from lifecycle.cli.entry import main

sys.exit(main())
