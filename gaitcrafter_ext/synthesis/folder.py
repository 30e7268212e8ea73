"""The output folder of a run: what in it is ours, who may write to it, and what must not be touched.

Inside ``DIR``: ``identities.json`` where a filter chose people; ``plan.json``; ``pkl/``; what stands beside it
(:data:`OUTPUTS`) once the plan is complete; ``.gaitcrafter/`` with one lock, one manifest part and one folder for
temporary files a shard. A clip is named in a manifest part before it appears, so that a file which no manifest names is
never taken for ours: not overwritten, not deleted.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gaitcrafter_ext.errors import ConflictError, DataError, MissingError, UsageError, listed
from gaitcrafter_ext.hardware import this_process
from gaitcrafter_ext.silhouettes import manifest
from gaitcrafter_ext.silhouettes.files import STAGED_PREFIX, FileLock, atomic_write_text, storage_error
from gaitcrafter_ext.silhouettes.manifest import ManifestRecord
from gaitcrafter_ext.synthesis.plan import Plan
from gaitcrafter_ext.synthesis.selection import FilterRequest, SelectedIdentities, read_selected
from gaitcrafter_ext.vocabulary import DEFAULT_FILE, ClipKey, file_name

PLAN, SELECTED = "plan.json", "identities.json"
MANIFEST, PARTITION = "manifest.jsonl", "partition.json"
ENTRY, SHEET, PAGE = "opengait_entry.yaml", "contact_sheet.png", "index.html"

#: What stands in the folder beside ``pkl/``, once everything is made.
OUTPUTS = (PARTITION, ENTRY, SHEET, PAGE, MANIFEST)

_STATE, _CLIPS = ".gaitcrafter", "pkl"
_PATIENCE_S = 600.0


@dataclass(frozen=True)
class Shard:
    """One of ``count`` runs that share a plan, counted from 1: every ``count``-th clip is its own."""

    index: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``"2/4"``; raises ``UsageError`` if it is not I/N with I = 1..N."""
        index, _, count = text.partition("/")
        if index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count):
            return cls(int(index), int(count))
        raise UsageError(f"--shard: '{text}' is not I/N with I = 1..N; write e.g. 1/4, 2/4, 3/4 and 4/4")

    @classmethod
    def of_process(cls) -> Shard:
        """The shard of this process under a launcher such as ``torchrun``; everything without one."""
        process = this_process()
        return cls(process.rank + 1, process.count)

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @property
    def name(self) -> str:
        """The shard in a file name: ``shard-2-of-4``."""
        return f"shard-{self.index}-of-{self.count}"


class OutputFolder:
    """The folder of one run, shared by its shards; it need not be there yet."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)
        self.clips, self.state = self.root / _CLIPS, self.root / _STATE
        self.trials = self.state / "trials"
        self._read: tuple[str, Plan | None] = ("", None)
        there = self.plan()
        self.file = DEFAULT_FILE if there is None else there.file

    def path(self, key: ClipKey) -> Path:
        """Where a clip goes."""
        return Path(f"{self.root}/{_clip(key, self.file)}")

    def part(self, shard: Shard) -> Path:
        """Manifest part of a shard."""
        return self.state / f"{shard.name}.jsonl"

    def staging(self, shard: Shard) -> Path:
        """Folder of a shard's temporary files."""
        return self.state / shard.name

    def manifests(self) -> list[Path]:
        """Every manifest there is: the parts, then the merged one."""
        found = [*sorted(self.state.glob("shard-*.jsonl")), self.root / MANIFEST]
        return [path for path in found if path.is_file()]

    def records(self) -> list[ManifestRecord]:
        """Every record of every manifest; one that names no clip of an OpenGait tree is refused."""
        records = [record for path in self.manifests() for record in manifest.read(path)]
        for record in records:
            parts = (record.identity, record.take, record.view)
            if any(part in ("", ".", "..") or os.path.basename(part) != part for part in parts):
                raise DataError(f"{self.root}: a manifest names '{record.key}', which is no clip; restore the manifest")
        return records

    def plan(self) -> Plan | None:
        """The plan that the folder was made by; None where there is none of ours, a conflict where it is of no use."""
        try:
            text = (self.root / PLAN).read_text(encoding="utf-8")
            if text != self._read[0]:  # a large plan takes seconds to parse
                self._read = (text, Plan.from_json(text))
            return self._read[1]
        except ConflictError as error:
            raise ConflictError(f"{self.root} was made by {error}") from None
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, UnicodeDecodeError, DataError):
            return None
        except OSError as error:
            raise storage_error(self.root / PLAN, error, "read") from error

    def selected(self) -> SelectedIdentities | None:
        """The identities that a filter chose here; None where there is no such file of ours."""
        try:
            return read_selected(self.root / SELECTED)
        except (MissingError, DataError):
            return None

    def precision(self) -> str:
        """In which arithmetic the clips that are there, or the selected identities, were made; empty where unknown."""
        if (found := self.plan()) is not None:
            return found.sampling.precision
        selected = self.selected()
        return "" if selected is None else selected.request.sampling.precision

    def check(self, plan: Plan, force: bool = False) -> None:
        """Raise ``ConflictError`` where another plan's clips, or files that are not ours, are in the way."""
        if self.root.exists() and not self.root.is_dir():
            raise ConflictError(f"{self.root} is a file; choose a folder for --out")
        found = set(_files(self.root))  # before what names them is read: another shard may be writing
        earlier = self.plan()
        foreign = sorted(found - self._ours(earlier))
        # Such a file would be overwritten, or be read by OpenGait as a part of one of our clips.
        names, folders = (PLAN, SELECTED, *OUTPUTS), {f"{_CLIPS}/{clip}" for clip in plan.clips}
        if blocking := [path for path in foreign if path in names or path.rpartition("/")[0] in folders]:
            raise ConflictError(
                f"{self.root}: {listed(blocking)} not ours and in the way; move it or choose another --out"
            )
        if force:
            return
        if foreign:
            raise ConflictError(
                f"{self.root} holds what is not ours: {listed(foreign)}; choose another --out, or --force to go on "
                "beside it"
            )
        if earlier is not None and earlier != plan:
            raise ConflictError(
                f"{self.root} belongs to another plan (other {', '.join(earlier.differences(plan))}); choose another "
                "--out, or --force to delete the clips that its manifest lists"
            )

    def _ours(self, plan: Plan | None) -> set[str]:
        """Files that the plan and the manifests account for, as :func:`_files` names them."""
        ours = set() if self.selected() is None else {SELECTED}
        if plan is not None:
            ours |= {PLAN, *OUTPUTS, *(_clip(record.key, plan.file) for record in self.records())}
        return ours

    @contextlib.contextmanager
    def claim(self, plan: Plan, shard: Shard, force: bool = False) -> Iterator[None]:
        """Hold the folder for one shard of ``plan``; the plan's file is there from then on.

        Raises as :meth:`check`, and where the shard, or with ``force`` any shard, is being worked on.
        """
        self.check(plan, force)  # before anything of ours is written, and without the lock: it looks at every file
        with contextlib.ExitStack() as held:
            with self.waiting_lock("plan"):
                if self.plan() != plan:
                    self.check(plan, force)  # another run may have come
                    self._clear(plan)
                    atomic_write_text(self.root / PLAN, plan.to_json())
                self.file = plan.file
                held.enter_context(self._lock(shard.name, f"shard {shard} of {self.root}"))
                self._tidy(shard)
            yield

    def waiting_lock(self, name: str) -> FileLock:
        """A lock that is waited for; it is held while files are listed or written, not while clips are made."""
        return self._lock(name, str(self.root), _PATIENCE_S)

    def _lock(self, name: str, what: str, patience_s: float = 0.0) -> FileLock:
        return FileLock(self.state / f"{name}.lock", what, patience_s)

    def select(
        self, plan: Plan, request: FilterRequest, choose: Callable[[], SelectedIdentities], force: bool = False
    ) -> SelectedIdentities:
        """The identities that ``request`` names: those in the folder, or else chosen now and kept in it.

        ``plan`` is what the run would be without a filter, to see at once what is in the way; raises as :meth:`check`.
        """
        if (found := self._selected_before(plan, request, force)) is not None:
            return found
        chosen = choose()
        with self.waiting_lock("filter"):
            found = self._selected_before(plan, request, force)  # by another shard
            if found is None:
                self._refuse_while_shards_work()
                atomic_write_text(self.root / SELECTED, chosen.to_json())
        return found or chosen

    def _selected_before(self, plan: Plan, request: FilterRequest, force: bool) -> SelectedIdentities | None:
        found = self.selected()
        if found is not None and found.request == request:
            return found
        if found is not None and not force:
            raise ConflictError(
                f"{self.root / SELECTED} was chosen by other settings (other "
                f"{', '.join(found.request.differences(request))}); choose another --out, or --force to choose again"
            )
        if self.plan() is not None and not force:
            raise ConflictError(
                f"{self.root} belongs to a plan without this filter; choose another --out, or --force to delete the "
                "clips that its manifest lists"
            )
        self.check(plan, force)
        return None

    def _clear(self, plan: Plan) -> None:
        """Delete what an earlier plan than ``plan`` made: listed clips, then the lists, then empty folders."""
        if not plan.filter and self.selected() is not None:
            (self.root / SELECTED).unlink(missing_ok=True)
        if self.plan() is None:
            return
        self._refuse_while_shards_work()
        clips = [self.path(record.key) for record in self.records()]
        try:
            for path in [*clips, *self.manifests(), *(self.root / name for name in (*OUTPUTS, PLAN))]:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(self.root, error, "delete in") from error
        for folder, _, _ in os.walk(self.clips, topdown=False):
            with contextlib.suppress(OSError):  # not empty: a file that is not ours is in it
                os.rmdir(folder)

    def _refuse_while_shards_work(self) -> None:
        for lock in sorted(self.state.glob("shard-*.lock")):
            with self._lock(lock.stem, f"{lock.stem} of {self.root}"):
                pass

    def _tidy(self, mine: Shard) -> None:
        """Take back what a kill left: temporary files, and records of clips that never appeared.

        Records of other shards of as many are left to these: they are of none of this one's clips.
        """
        shutil.rmtree(self.staging(mine), ignore_errors=True)
        for path in self.manifests():
            name = "finish" if path.name == MANIFEST else path.stem
            with contextlib.ExitStack() as held:
                if name != mine.name:
                    if name.endswith(f"-of-{mine.count}"):
                        continue
                    try:
                        held.enter_context(self._lock(name, ""))
                    except ConflictError:
                        continue  # it is at work, and its clips are about to appear
                records = manifest.read(path)
                kept = [record for record in records if self.path(record.key).is_file()]
                if len(kept) < len(records):
                    atomic_write_text(path, "".join(record.to_line() for record in kept))


def _clip(key: ClipKey, file: str) -> str:
    """A clip's file, as :func:`_files` names it: paths as text, for there may be a million of them."""
    return f"{_CLIPS}/{key}/{file_name(file, key.view)}"


def _files(root: Path) -> Iterator[str]:
    """Every file below ``root`` but our own state, links to folders too, relative to it with slashes."""
    for folder, names, files in os.walk(root):
        here = Path(folder)
        if here == root and _STATE in names:
            names.remove(_STATE)
        before = "" if here == root else f"{here.relative_to(root).as_posix()}/"
        for name in files + [name for name in names if (here / name).is_symlink()]:
            if name != ".DS_Store" and not name.startswith(STAGED_PREFIX):
                yield f"{before}{name}"
