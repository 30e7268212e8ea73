"""``report.html``: a card as one page that needs nothing else, on screen and on paper; ``report.json`` beside it."""

from __future__ import annotations

from html import escape
from pathlib import Path

from gaitcrafter_ext.audit.card import IdentityCard, Row
from gaitcrafter_ext.audit.clip_rows import Copied
from gaitcrafter_ext.audit.features import common_length
from gaitcrafter_ext.audit.material import Material, Space
from gaitcrafter_ext.audit.pictures import geis_sheet, match_pairs, nearest_strips, strips, walking
from gaitcrafter_ext.audit.plots import all_plots
from gaitcrafter_ext.audit.wording import QUESTIONS, figure, interval, label
from gaitcrafter_ext.silhouettes.clip import window
from gaitcrafter_ext.silhouettes.files import atomic_write_text
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["page", "write_report"]

JSON_NAME, HTML_NAME = "report.json", "report.html"

#: Walking pairs, novel people, pairs in strips, GEIs, and nearest clips that are shown.
WALKING, NOVEL, SHEET, GEIS, NEAREST = 8, 8, 6, 12, 6

STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; max-width: 1000px; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a }
h1 { font-size: 1.5rem; margin-bottom: .2rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
table { border-collapse: collapse; width: 100%; font-size: 12.5px }
th, td { text-align: right; padding: .22rem .45rem; border-bottom: 1px solid #ddd; vertical-align: top;
  white-space: nowrap }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left }
td:last-child, th:last-child { text-align: left; white-space: normal; color: #444; min-width: 230px }
tr.question th { text-align: left; background: #eef2f5; font-size: 13.5px; padding-top: .45rem }
td.value { font-weight: 600 }
.caveat { background: #fff5e0; border-left: 4px solid #d55e00; padding: .4rem .7rem; margin: .4rem 0 }
.row, .plots { display: flex; flex-wrap: wrap; gap: .8rem }
figure { margin: 0; text-align: center } figcaption { font-size: 10.5px; color: #444 }
figure.real figcaption { color: #0072b2 } figure.synthetic figcaption { color: #b34a00 }
.clip { --s: 96px; width: var(--s); height: var(--s); background-size: calc(var(--n) * var(--s)) var(--s);
  background-color: #000; margin: auto;
  animation: walk calc(var(--n) * 40ms) steps(var(--n)) infinite; print-color-adjust: exact;
  -webkit-print-color-adjust: exact }
@keyframes walk { to { background-position-x: calc(var(--n) * -1 * var(--s)) } }
@media (prefers-reduced-motion: reduce) { .clip { animation: none } }
.strip { display: flex; align-items: center; gap: .6rem; margin-bottom: 2px } .strip span { width: 150px;
  font-size: 10.5px; flex: none; overflow-wrap: anywhere } .strip img { max-width: calc(100% - 160px); height: auto }
.pair { margin-bottom: .7rem; break-inside: avoid } img { background: #000 }
svg { max-width: 100%; height: auto } svg text { font: 10.5px system-ui, sans-serif; fill: #222 }
svg text.title { font-size: 12.5px; font-weight: 600 }
@media print { body { margin: 0; max-width: none; font-size: 10pt } .clip { animation: none; --s: 76px }
  table { font-size: 8pt } td:last-child { min-width: 0 } .plots svg { width: 47%; height: auto }
  tr, figure, svg, .pair, .row > div { break-inside: avoid }
  h2, tr.question { break-after: avoid } }
"""


def write_report(
    folder: Path,
    card: IdentityCard,
    material: Material,
    spaces: list[Space],
    real: SilhouetteStore,
    synthetic: SilhouetteStore,
) -> None:
    """Write ``report.html`` and, after it, ``report.json``; raises ``StorageError`` where the disk refuses."""
    atomic_write_text(folder / HTML_NAME, page(card, material, spaces, real, synthetic))
    atomic_write_text(folder / JSON_NAME, card.to_json())


def page(
    card: IdentityCard, material: Material, spaces: list[Space], real: SilhouetteStore, synthetic: SilhouetteStore
) -> str:
    """The page's text.

    Args:
        card: What was found.
        material: On which clips.
        spaces: In which spaces; the map is of the last one.
        real: The real tree, to show clips of.
        synthetic: The synthetic tree.
    """
    sections = [
        ("", _head(card)),
        ("Figures", _table(card)),
        ("Real beside synthetic", _walking(material, real, synthetic)),
        ("Novel people", _novel(material, spaces[0], synthetic)),
        ("Frames", _sheet(material, real, synthetic)),
        ("Gait energy images: real above synthetic", _geis(material, real, synthetic)),
        ("Distributions", f'<div class="plots">{"".join(all_plots(card, spaces))}</div>'),
        ("Nearest to a training clip", _nearest(card, real, synthetic)),
    ]
    body = "".join((f"<h2>{escape(title)}</h2>" if title else "") + text for title, text in sections if text)
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Identity card</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>{body}</body></html>\n'
    )


def _head(card: IdentityCard) -> str:
    groups = card.groups
    told = (
        f"{groups.get('synthetic_clips', 0)} synthetic clips of {groups.get('synthetic_people', 0)} people,"
        f" {groups.get('novel_people', 0)} of them novel, beside real clips: {groups.get('training_clips', 0)} that the"
        f" generator was trained on, {groups.get('held_out_clips', 0)} held out ({groups.get('held_out_rule', '')}),"
        f" {groups.get('others_clips', 0)} of people whom it never saw."
    )
    caveats = "".join(f'<p class="caveat">{escape(each)}</p>' for each in card.caveats)
    return f"<h1>Identity card of {escape(Path(str(card.asked.get('synthetic', ''))).name)}</h1><p>{told}</p>{caveats}"


def _table(card: IdentityCard) -> str:
    heads = ("measure", "on", "value", "95 % interval", "floor", "ceiling", "chance", "note")
    lines = [f"<tr>{''.join(f'<th>{name}</th>' for name in heads)}</tr>"]
    for key, question in QUESTIONS.items():
        rows = [_row(each) for each in card.rows if each.question == key]
        rows += [
            f"<tr><td>{escape(label(each.measure))}</td><td>{escape(each.features)}</td><td>-</td>"
            f'<td colspan="4"></td><td>not measured: {escape(each.why)}</td></tr>'
            for each in card.unmeasured
            if each.question == key
        ]
        if rows:
            lines += [f'<tr class="question"><th colspan="8">{escape(question)}</th></tr>', *rows]
    legend = (
        "<p>floor: what real clips score where less is better or nearness to real clips is asked for; ceiling: what"
        " real clips score where more is better; chance: what guessing or a spoilt control scores. Intervals come from"
        " drawing people anew (bootstrap); of U from leaving one person out (jackknife), of KID from its subsets, of"
        " trained recognisers from their seeds.</p>"
    )
    return f"<table>{''.join(lines)}</table>{legend}"


def _row(row: Row) -> str:
    bounds = [figure(value, row.unit) for value in (row.floor, row.ceiling, row.chance)]
    return (
        f'<tr><td>{escape(label(row.measure))}</td><td>{escape(row.features)}</td><td class="value">'
        f"{figure(row.value, row.unit)}</td><td>{interval(row)}</td>"
        f"{''.join(f'<td>{bound}</td>' for bound in bounds)}<td>{escape(row.note)}</td></tr>"
    )


def _pairs(material: Material, most: int) -> list[tuple[ClipKey, ClipKey]]:
    real = [clip.key for clip in (*material.held_out, *material.training)]
    return match_pairs(real, [clip.key for clip in material.synthetic], most)


def _walking(material: Material, real: SilhouetteStore, synthetic: SilhouetteStore) -> str:
    cells = []
    for theirs, ours in _pairs(material, WALKING):
        made = synthetic.read(ours)
        name = f"{ours.identity} {ours.condition} {ours.view}"
        above = walking(window(real.read(theirs), len(made)), f"{name} real", "real")
        cells.append(f"<div>{above}{walking(made, 'synthetic', 'synthetic')}</div>")
    return f'<div class="row">{"".join(cells)}</div>' if cells else ""


def _novel(material: Material, space: Space, synthetic: SilhouetteStore) -> str:
    first: dict[str, ClipKey] = {}
    for number, key in enumerate(space.novel.keys):
        if key.identity not in first or number % 3 == 0:
            first[key.identity] = key
    length = common_length(material.synthetic)
    cells = [
        walking(window(synthetic.read(key), length), f"{key.identity} {key.condition} {key.view}", "synthetic")
        for key in list(first.values())[:NOVEL]
    ]
    return f'<div class="row">{"".join(cells)}</div>' if cells else ""


def _sheet(material: Material, real: SilhouetteStore, synthetic: SilhouetteStore) -> str:
    parts = []
    for theirs, ours in _pairs(material, SHEET):
        made = synthetic.read(ours)
        rows = [(f"real {theirs}", window(real.read(theirs), len(made))), (f"synthetic {ours}", made)]
        parts.append(f'<div class="pair">{strips(rows)}</div>')
    return "".join(parts)


def _geis(material: Material, real: SilhouetteStore, synthetic: SilhouetteStore) -> str:
    pairs = _pairs(material, GEIS)
    return geis_sheet(pairs, real, synthetic) if pairs else ""


def _nearest(card: IdentityCard, real: SilhouetteStore, synthetic: SilhouetteStore) -> str:
    found = card.results.get(("copies", "frames"))
    if not isinstance(found, Copied):
        return ""
    worst = sorted(found.copies.synthetic.matches, key=lambda match: match.ratio)[:NEAREST]
    far = sorted(found.copies.synthetic.matches, key=lambda match: -match.distance)[:NEAREST]
    return (
        "<p>The clips that come nearest to a training clip, told by the ratio that decides what counts as a copy.</p>"
        f"{nearest_strips(worst, real, synthetic)}<h2>Farthest from any training clip</h2>"
        "<p>The clips that resemble no training clip of their view and condition, each with the nearest there is.</p>"
        f"{nearest_strips(far, real, synthetic)}"
    )
