"""Measure what the openers find, survive and cost, beside the parsers they are compared with.

The peers are installed from the package index into an environment outside the project, each reader
runs in a process of its own. Give a folder of files that nobody here wrote; else mails and a file
of each format are generated, which shows that the benchmark works and little else.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from bench import openers_samples
from bench.openers_serving import Answer, ask
from bench.table import Line, Table, say


if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bench.openers_samples import Samples

    Answers = dict[Path, Answer]

OURS = "tqimap"
MAIL_PEERS = ("eml_parser", "mail-parser", "fast-mail-parser", "flanker")
STDLIB = ("email compat32", "email default")
PDF_PEERS = ("pypdfium2", "pypdf", "pdfminer.six", "pymupdf", "pikepdf")
PAGE_PEERS = ("html5lib",)
RATE = 60.0  # mails a second of one core, locked in
TIMES = 5.0  # eml_parser's processor time, of ours
_HANG = 180.0  # seconds after which a worker hangs: it has to give up a mail before that


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    add = parser.add_argument
    add("--samples", type=Path, help="a folder of mails and files; else some are generated")
    add("--mails", type=int, default=100, help="how many mails are generated; 100")
    add("--real", default="", help="the rate is measured on mails below this folder of it; all")
    add("--patience", type=float, default=30, help="seconds a peer has for a file; 30")
    add("--home", type=Path, help="keep the peers' environment there, for further runs")
    add("--only", nargs="*", default=list(PARTS), choices=list(PARTS), help="measure only these")
    add("--losses", action="store_true", help="name each loss on the standard error")


def measure(options: argparse.Namespace) -> Table:
    """Measure everything."""
    with tempfile.TemporaryDirectory(prefix="tqimap-openers-") as name:
        folder = Path(name)
        samples = openers_samples.gather(options.samples, folder, options.mails)
        said = f"{len(samples.every)} files" + ("" if options.samples else ", all generated")
        bench = _Bench(options, options.home or folder / "peers", Table(f"openers: {said}"))
        for part in options.only:
            PARTS[part](bench, samples)
    return bench.table


class _Bench:
    """One run: its options, its peers' environment, and what has been measured."""

    def __init__(self, options: argparse.Namespace, home: Path, table: Table) -> None:
        self.options = options
        self.table = table
        self._home = home

    def ours(self, reader: str, files: Sequence[Path], patience: float = _HANG) -> Answers:
        """Let one of our own readers read *files*."""
        say(f"{OURS}: {reader}, {len(files)} files ...")
        return ask([sys.executable, "-m", "bench.openers_own", reader], files, patience)

    def peers(self, names: Iterable[str], files: Sequence[Path]) -> dict[str, Answers]:
        """Let those of the peers *names* read *files* that can be installed."""
        found = {}
        for name in names:
            python = self._python(name)
            if python:
                say(f"{name}: {len(files)} files ...")
                command = [python, "-m", "bench.openers_peers", name]
                found[name] = ask(command, files, self.options.patience)
                failed = sum(bool(one.error) for one in found[name].values())
                said = f"{name} raises, hangs or dies on {failed} of {len(files)}."
                self.table.notes += [said] if failed else []
        return found

    def lose(self, what: str, path: Path, lost: Iterable[str]) -> None:
        """Tell of a loss whoever asked for it."""
        if self.options.losses:
            say(f"  {what}: {path.name}: {', '.join(map(repr, lost))}")

    def add(self, what: str, figure: float, unit: str, **more: float | str | None) -> None:
        """Add a line of the table."""
        self.table.lines.append(Line(what, figure, unit, **more))  # type: ignore[arg-type]

    def _python(self, peer: str) -> str:
        python = self._home / "bin" / "python"
        if not python.exists():
            venv.create(self._home, with_pip=True)
        if peer not in STDLIB and not self._installed(str(python), peer):
            self.table.notes.append(f"{peer} could not be installed.")
            return ""
        return str(python)

    def _installed(self, python: str, peer: str) -> bool:
        pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        if not subprocess.run([*pip, "show", peer], check=False, capture_output=True).returncode:
            return True
        say(f"installing {peer} ...")
        command = [*pip, "install", "--quiet", "--no-input", peer]
        return not subprocess.run(command, check=False, stdout=sys.stderr).returncode


def _mails(bench: _Bench, samples: Samples) -> None:
    """Count the mails of which a reader misses a link that another one found in a body."""
    peers = bench.peers((*MAIL_PEERS, *STDLIB), samples.mails)
    union = {path: _together(peers.values(), path) for path in samples.mails}
    ours = bench.ours("mail", samples.mails)
    misses = {
        name: sum(bool(_missed(union[path], answers[path].found)) for path in samples.mails)
        for name, answers in peers.items()
    }
    for path in samples.mails:
        if missed := _missed(union[path], ours[path].found):
            bench.lose("mail", path, missed)
    least = max(0, min(misses.values(), default=0) - 1)
    unit = f"of {len(samples.mails)}"
    lost = sum(bool(_missed(union[path], ours[path].found)) for path in samples.mails)
    bench.add(f"mails that miss a body link: {OURS}", lost, unit, most=least)
    for name, count in misses.items():
        bench.add(f"mails that miss a body link: {name}", count, unit)
    bench.table.notes.append(f"{sum(map(len, union.values()))} distinct links in the bodies.")


def _together(answers: Iterable[Answers], path: Path) -> set[str]:
    return {link for one in answers for link in one[path].found}


def _missed(links: set[str], found: Iterable[str]) -> list[str]:
    """Return the *links* that none of *found* is or begins with: breaks and brackets end some."""
    known = "\n" + "\n".join(found)
    return sorted(link for link in links if f"\n{link}" not in known)


def _pdfs(bench: _Bench, samples: Samples) -> None:
    _targets(bench, "PDF", bench.peers(PDF_PEERS, samples.pdfs), "pdf", samples.pdfs)


def _pages(bench: _Bench, samples: Samples) -> None:
    _targets(bench, "HTML", bench.peers(PAGE_PEERS, samples.pages), "page", samples.pages)


def _targets(
    bench: _Bench, what: str, peers: Mapping[str, Answers], reader: str, files: Sequence[Path]
) -> None:
    """Count the link targets of all *peers* that a reader lost."""
    everyone = {OURS: bench.ours(reader, files), **peers}
    union = {path: {*map(_bare, _together(peers.values(), path))} - {""} for path in files}
    unit = f"of {sum(map(len, union.values()))} in {len(files)} files"
    for name, answers in everyone.items():
        lost = {path: union[path] - {*map(_bare, answers[path].found)} for path in files}
        count = sum(map(len, lost.values()))
        bench.add(
            f"{what} link targets lost: {name}", count, unit, most=0 if name == OURS else None
        )
        for path, targets in lost.items():
            if targets and name == OURS:
                bench.lose(what, path, sorted(targets))


def _bare(target: str) -> str:
    """Return *target* as all spell it: some libraries escape, trim or end it differently."""
    return unquote(target, errors="replace").strip("\0 \t\r\n").rstrip("/")


def _archives(bench: _Bench, samples: Samples) -> None:
    """Count the archives that are read completely, guessable passwords tried."""
    for family, files in samples.archives.items():
        ours, theirs = bench.ours("archive", files), bench.ours("7-Zip", files)
        opened = [
            sum("opened" in answers[path].found for path in files) for answers in (ours, theirs)
        ]
        unit = f"of {len(files)}"
        bench.add(f"{family} opened: {OURS}", opened[0], unit, least=opened[1])
        bench.add(f"{family} opened: 7-Zip", opened[1], unit)
        for path in files:
            if "opened" not in ours[path].found and "opened" in theirs[path].found:
                bench.lose(family, path, [*ours[path].found, ours[path].error])


def _survived(bench: _Bench, samples: Samples) -> None:
    """Count the samples that harm a worker, and those of which an opener died or gave up."""
    answers = bench.ours("contained", samples.every)
    harmed = [path for path, one in answers.items() if one.error]
    failed = [path for path, one in answers.items() if one.found]
    for path in (*harmed, *failed):
        bench.lose("worker", path, [answers[path].error, *answers[path].found])
    unit = f"of {len(samples.every)}"
    bench.add("samples that raise, hang or kill the worker", len(harmed), unit, most=0)
    bench.add("samples on which an opener failed, died or ran out of time", len(failed), unit)


def _rate(bench: _Bench, samples: Samples) -> None:
    """Measure what real mails cost: opened, and opened and searched, locked in and not."""
    mails = [path for path in samples.mails if bench.options.real in path.name]
    spent = {name: _seconds(bench.ours(name, mails)) for name in _WAYS}
    for name, seconds in spent.items():
        least = None if name == "uncontained" else RATE
        bench.add(f"{_WAYS[name]}: {OURS}", len(mails) / seconds, "mails/s", least=least)
    for answers in bench.peers(("eml_parser",), mails).values():
        seconds = _seconds(answers)
        bench.add("read: eml_parser", len(mails) / seconds, "mails/s")
        ratio = seconds / spent["opening"]
        cost = seconds / len(mails) * 1000
        bench.table.lines.append(
            Line("read: eml_parser", cost, "ms a mail", ratio, "ours, opened", least=TIMES)
        )
    bench.table.notes.append(
        f"Rates over {len(mails)} mails: for a second of processor time, all processes together."
    )


def _seconds(answers: Answers) -> float:
    return sum(one.seconds for one in answers.values())


_WAYS = {
    "opening": "opened, locked in",
    "contained": "opened and searched, locked in",
    "uncontained": "opened and searched, not locked in",
}
PARTS: dict[str, Callable[[_Bench, Samples], None]] = {
    "mails": _mails,
    "pdfs": _pdfs,
    "pages": _pages,
    "archives": _archives,
    "survived": _survived,
    "rate": _rate,
}
