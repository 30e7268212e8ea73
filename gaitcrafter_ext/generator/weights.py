"""Where weights lie: a folder of the user's, or those that come with the package. Torch-free."""

from __future__ import annotations

from pathlib import Path

from gaitcrafter_ext.errors import MissingError
from gaitcrafter_ext.generator.card import CARD_NAME

__all__ = ["BUNDLED", "locate"]

#: The name under which the packaged weights are asked for.
BUNDLED = "bundled"

_PACKAGED = Path(__file__).parent / "bundled"


def locate(name: str | Path) -> Path:
    """Folder of the weights called ``name``: ``"bundled"``, or a folder's path.

    Raises:
        MissingError: No weights are there.
    """
    folder = _PACKAGED if str(name) == BUNDLED else Path(name)
    if not (folder / CARD_NAME).is_file():
        raise MissingError(f"no weights at '{name}'; allowed: '{BUNDLED}' or a folder written by 'train --out'")
    return folder
