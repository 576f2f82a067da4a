"""The whole page. It asks nobody for anything: what it may load and run is in it, and is all there is."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib import resources

from lifecycle.model.journal import Entry
from lifecycle.model.quantities import spoken
from lifecycle.planning.chronicle import Chronicle
from lifecycle.report import ages, attempts, headline, sums, words
from lifecycle.report.markup import Html, element, text
from lifecycle.report.tables import long_table, row

SECTIONS = (
    ("figures", "In figures"),
    ("now", "Now"),
    ("timeline", "Nodes"),
    ("ages", "Work at stake"),
    ("lost", "Work lost"),
    ("cost", "Cost"),
    ("attempts", "Attempts"),
    ("journal", "Journal"),
)


def page(found: Chronicle) -> str:
    """One file of HTML."""
    style, script = _part("page.css"), _part("page.js")
    body = (
        element("a", "Skip to the figures", href="#figures", class_="skip"),
        headline.banner(found),
        _contents(),
        element("main", *_sections(found)),
        _footer(found),
        element("script", Html(script)),
    )
    head = _HEAD.format(title=text(f"{found.status.fleet}: fleet report"), style=style, rules=_rules(style, script))
    return f"{head}{element('body', *body)}</html>\n"


_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{rules}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
"""


def _rules(style: str, script: str) -> str:
    """Nothing may be loaded, and only our own style and script count: names and reasons are other people's."""
    own = f"style-src {_hash(style)}; script-src {_hash(script)}"
    return f"default-src 'none'; img-src data:; {own}; form-action 'none'; base-uri 'none'"


def _hash(content: str) -> str:
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"


def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _contents() -> Html:
    links = (element("li", element("a", title, href=f"#{name}")) for name, title in SECTIONS)
    return element("nav", element("ul", *links), aria_label="Contents")


def _sections(found: Chronicle) -> tuple[Html, ...]:
    return (
        headline.figures(found),
        headline.now(found),
        attempts.timeline(found),
        ages.staleness(found),
        sums.causes(found),
        sums.money(found),
        attempts.attempts(found),
        _journal(found),
    )


def _journal(found: Chronicle) -> Html:
    since = (
        "" if found.entries_from is None else f" Entries before {words.exactly(found.entries_from)} were not read."
    )
    shown = f"What people did, what was refused or failed, and what became of holds.{since}"
    rows = [_entry(entry, found.status.fleet) for entry in found.entries]
    heads = ("When, UTC", "Where", "What", "Cause", "Evidence", "Result")
    return element(
        "section",
        element("h2", "Journal"),
        element("p", shown, class_="about"),
        long_table(
            "Holds, refusals and failures, the newest first",
            heads,
            rows,
            name="entries",
            none="Nothing of the kind happened.",
        ),
        id="journal",
    )


def _entry(entry: Entry, fleet: str) -> Html:
    where = (entry.node or fleet).removeprefix(f"{fleet}/")
    return row(words.moment(entry.at), where, entry.what, entry.cause, entry.evidence, entry.result)


def _footer(found: Chronicle) -> Html:
    return element("footer", element("p", f"{_MEANING} {spoken(found.end - found.begin)} are shown."))


_MEANING = (
    "All figures are those of `steady status` and `steady history` at the time at which this was made; ~ means at "
    "least: part of it is not known. Goodput is the share of the runs' time, from their first attempt, that was "
    "training. Lost steps are those that had to be done again. Prices are without disks and traffic."
)
