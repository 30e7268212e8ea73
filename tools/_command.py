"""What every tool beside this one does: run the command of its name, from the checkout whether installed or not."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gaitcrafter_ext.cli.main import main


def run(tool: str) -> None:
    sys.exit(main([Path(tool).stem, *sys.argv[1:]]))
