"""How a dataset's folders are read: which condition a take shows, which angle a view has."""

from __future__ import annotations

import re
from dataclasses import field

from gaitcrafter_ext.errors import DataError, suggest
from gaitcrafter_ext.records import record
from gaitcrafter_ext.vocabulary import view_deg

__all__ = ["UNKNOWN_VIEW", "DatasetConfig"]

#: The one name of all views whose angle is unknown.
UNKNOWN_VIEW = "any"


@record
class DatasetConfig:
    """How a dataset's folder names are read.

    Attributes:
        name: What the dataset is called; goes into the weights' ``trained_on``.
        takes_pattern: Regular expression that a take's name matches in full; its group ``condition`` is the walking
            condition. Without that group every take is of condition ``nm``.
        conditions: The dataset's word for a condition -> the word used for it here; an unlisted word stays as it is.
        views: View name -> degrees, or ``None`` where the dataset does not know the angle; the name ``*`` stands for
            all that are not listed. Empty = each name is its angle.
    """

    name: str = "custom"
    takes_pattern: str = r"(?P<condition>[^-]+)(-.*)?"
    conditions: dict[str, str] = field(default_factory=dict)
    views: dict[str, float | None] = field(default_factory=dict)

    def condition_of(self, take: str) -> str:
        """Walking condition of a take.

        Raises:
            DataError: The name does not match ``takes_pattern``.
        """
        match = re.fullmatch(self.takes_pattern, take)
        if match is None:
            raise DataError(
                f"take '{take}' does not match dataset.takes_pattern '{self.takes_pattern}'; correct the pattern"
            )
        word = match.groupdict().get("condition") or "nm"
        return self.conditions.get(word, word)

    def view_deg(self, view: str) -> float | None:
        """Angle of a view in degrees, or ``None`` where it is unknown.

        Raises:
            DataError: The view is in no list, and its name is no angle.
        """
        if not self.views:
            return view_deg(view)
        if view not in self.views and "*" in self.views:
            return self.views["*"]
        if view not in self.views and "*" not in self.views:
            raise DataError(f"view '{view}' is not in dataset.views; {suggest(view, list(self.views))}")
        return self.views.get(view, self.views.get("*"))

    def view_name(self, view: str) -> str:
        """What the generator calls a view: its name, or :data:`UNKNOWN_VIEW` for all views without an angle."""
        return UNKNOWN_VIEW if self.view_deg(view) is None else view
