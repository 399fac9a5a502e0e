"""The three kinds of error: try later, never, stop the process.

Each carries its subject (what it is about) and a sentence for a person, survives pickling, and
knows the exit status of a program that ends with it (the numbers are BSD's sysexits).
Inside a message there are no exceptions: there, problems are values on the artefact.
"""

from __future__ import annotations

from typing import ClassVar


class TqimapError(Exception):
    """Base of all errors of ours; never raised itself."""

    status: ClassVar[int] = 70

    def __init__(self, subject: str, sentence: str) -> None:
        super().__init__(subject, sentence)
        self.subject = subject
        self.sentence = sentence

    def __str__(self) -> str:
        """Render as one line: subject, then sentence."""
        return " ".join(f"{self.subject}: {self.sentence}".split())


class TryLater(TqimapError):  # noqa: N818 - named for what to do about it, as its siblings are
    """The same call may succeed later: a server is away, busy or broken."""

    status = 75


class Outage(TryLater):
    """What every mail needs is away or full, whatever the mail: no attempt at it counts."""


class Never(TqimapError):  # noqa: N818
    """The same call cannot succeed: the other side answered, and what it said is final."""

    status = 65


class StopProcess(TqimapError):  # noqa: N818
    """Nothing can work until a person changes something."""

    status = 78


class SettingsError(StopProcess):
    """The configuration is missing, unreadable or wrong; the sentence names all faults."""


class NotReady(StopProcess):
    """The feed is switched off or not completed in the ThreatQ UI."""

    status = 69


class NotWritable(StopProcess):
    """A directory that must be written cannot be."""

    status = 73


class Denied(StopProcess):
    """Credentials, permissions or a certificate were refused."""

    status = 77
