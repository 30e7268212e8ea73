"""``python -m gaitcrafter_ext COMMAND`` is ``gaitcrafter COMMAND``."""

import sys

from gaitcrafter_ext.cli.main import main

sys.exit(main())
