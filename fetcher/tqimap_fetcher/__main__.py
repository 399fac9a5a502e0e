"""Run the driver as `python -m tqimap_fetcher`."""

import sys

from tqimap_fetcher.cli import main


sys.exit(main())
