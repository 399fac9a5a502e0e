"""The sections of tqimap.toml, their defaults and what each setting is.

Both programs check the whole file: a fault in the worker's part is seen by the fetcher's next run
too. Sizes are bytes, times seconds unless a name says otherwise.
"""

from __future__ import annotations

import os
from pathlib import Path  # noqa: TC003 - pydantic reads the annotations
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator

from tqimap_shared.errors import NotWritable, SettingsError
from tqimap_shared.values import (
    CONNECTOR,
    MIB,
    NO_SECRET,
    Count,
    Inside,
    Line,
    Port,
    Seconds,
    Secret,
    Section,
    Share,
)


DEFAULT_REDIS = "redis://127.0.0.1:6379/0"


class ThreatQ(Section):
    """How to reach ThreatQ and what objects look like there."""

    host: Line = Field("", description="host or URL of the appliance; https only")
    client_id: Line = Field("", description="OAuth client id of the API user")
    email: Line = Field("", description="e-mail address of the API user")
    password: Secret = Field(NO_SECRET, description="password of the API user")
    status: Line = Field("Active", description="status of indicators that are kept")
    review_status: Line = Field("Review", description="status of indicators that need a look")
    verify: bool = Field(default=True, description="check the certificate; false is said every run")
    ca_file: Path | None = Field(None, description="certificates to trust instead of the system's")
    connect_timeout: Seconds = Field(10, description="seconds to wait for a connection")
    read_timeout: Seconds = Field(25, description="seconds to wait for an answer; < lease / 2")
    source: Line = Field(CONNECTOR, description="source name on everything that is uploaded")
    tlp: Literal["", "RED", "AMBER", "GREEN", "WHITE"] = Field("", description="TLP on the source")
    file_type: Line = Field("Spearphish Attachment", description="ThreatQ type of uploaded files")
    malware_locked: bool = Field(default=True, description="files download as a locked ZIP")
    relate: Literal["all", "found-in"] = Field(
        "all",
        description="relate an attachment to all indicators of its mail (the guide's rule) or "
        "to those found in it",
    )
    batch: Count = Field(500, description="indicators or relations in one call, at most")
    max_answer: Count = Field(32 * MIB, description="one answer of ThreatQ, at most")
    chunk: Count = Field(8 * MIB, description="bytes of a file sent in one call")
    max_attribute: Count = Field(950, description="characters of an attribute's value; cut there")
    max_places: Count = Field(5, description="places of an indicator that are listed")
    max_rejected: Count = Field(20, description="indicators of a mail that ThreatQ may refuse")
    tables: Seconds = Field(600, description="seconds for which types and statuses are remembered")

    def missing(self) -> list[str]:
        """Name the settings that a login needs and that are empty."""
        return [
            f"threatq.{name}" for name in ("host", "client_id", "email") if not getattr(self, name)
        ] + ([] if self.password.get_secret_value() else ["threatq.password"])


class Redis(Section):
    """The store that holds the ledger and rq's queue."""

    url: Secret = Field(
        default_factory=lambda: SecretStr(os.environ.get("REDIS_URL", DEFAULT_REDIS)),
        description="redis://, rediss:// or unix:// URL; REDIS_URL in the environment serves too",
    )
    password: Secret = Field(NO_SECRET, description="password, if it is not part of the URL")
    ca_file: Path | None = Field(None, description="certificates to trust for rediss://")
    timeout: Seconds = Field(10, description="seconds to wait for Redis")
    high_water: Share = Field(0.6, description="share of maxmemory at which fetching stops")
    low_water: Share = Field(0.4, description="share of maxmemory below which it goes on")
    open_mails: Count = Field(20_000, description="open mails at which fetching stops")

    @model_validator(mode="after")
    def _marks_in_order(self) -> Self:
        if self.low_water > self.high_water:
            raise ValueError("low_water must not be above high_water")
        return self


class Fetch(Section):
    """How much one run of the fetcher takes, and what it accepts from an IMAP server."""

    max_messages: Count = Field(10_000, description="mails in one run and mailbox")
    max_bytes: Count = Field(2048 * MIB, description="bytes in one run and mailbox")
    max_seconds: Seconds = Field(1800, description="seconds of one run and mailbox")
    batch_bytes: Count = Field(8 * MIB, description="bytes asked for in one FETCH")
    batch_messages: Count = Field(200, description="mails asked for in one FETCH")
    window: Count = Field(4, description="FETCH commands under way at once")
    admit_bytes: Count = Field(2 * MIB, description="bytes admitted to the ledger at once")
    admit_messages: Count = Field(64, description="mails admitted to the ledger at once")
    connect_timeout: Seconds = Field(20, description="seconds for proxy, TCP and TLS together")
    idle_timeout: Seconds = Field(
        60,
        description="seconds without a byte from the server; while it opens a folder or searches "
        "command_timeout counts",
    )
    command_timeout: Seconds = Field(120, description="seconds for one command's answer")
    slowest: Count = Field(2048, description="bytes a second below which an answer is too slow")
    max_literal: Count = Field(64 * MIB, description="one literal in a FETCH answer")
    max_other_literal: Count = Field(65_536, description="one literal in any other answer")
    max_line: Count = Field(65_536, description="one line of an answer")
    max_search_line: Count = Field(8 * MIB, description="one line of a SEARCH answer")
    search_window: Count = Field(100_000, description="mails that one SEARCH looks through")
    max_folder: Count = Field(
        2_000_000, description="mails that a folder may hold, or a search may find"
    )
    max_before_login: Count = Field(262_144, description="all bytes before the login")
    max_lines: Count = Field(20_000, description="untagged lines in one answer")
    audit_every: Seconds = Field(
        86_400, description="seconds between two looks for read mails that Redis does not know"
    )
    audit_days: int = Field(
        30, ge=0, description="days that such a look goes back; 0 switches it off"
    )
    missing_runs: Count = Field(
        5, description="runs without an answer for a mail after which it is quarantined"
    )
    max_backoff: Seconds = Field(
        3600, description="seconds that a server may ask to be left alone, at most"
    )
    poll: Seconds = Field(
        60,
        le=1740,
        description="seconds between two looks at a watched mailbox, if its server tells of no "
        "mail in the first folder before",
    )
    min_poll: Seconds = Field(
        0.5, description="seconds between two looks at least, whatever the server tells"
    )
    refresh: Seconds = Field(300, description="seconds between two looks at ThreatQ's page then")
    max_pause: Seconds = Field(300, description="seconds between two attempts to connect, at most")


class Worker(Section):
    """How the worker runs."""

    queue: Line = Field("tqimap", pattern=r"^[A-Za-z0-9_-]+$", description="rq queue, one a worker")
    lease: Seconds = Field(90, description="seconds that a worker owns a mail between effects")
    job_timeout: Count = Field(300, description="seconds for one mail, uploads included")
    maintenance: Count = Field(30, description="seconds between two rounds of maintenance")
    grace: Seconds = Field(60, description="seconds that an open mail may be in no queue")
    retries: list[Count] = Field(
        [10, 30, 60, 120, 300, 600, 1800, 3600],
        min_length=1,
        description="seconds before each new attempt; then the mail is failed",
    )
    raw_days: float = Field(30, ge=0, description="days that a done mail's raw bytes are kept")
    raw_bytes: int = Field(256 * MIB, ge=0, description="bytes of done mails kept, at most")
    raw_share: Share = Field(0.2, description="share of Redis' maxmemory that they may take")
    done_days: Seconds = Field(180, description="days that a done mail is remembered")


class Dashboard(Section):
    """The page on which rq's queues are watched; for this machine only unless it has a login."""

    host: Line = Field("127.0.0.1", description="address to listen on")
    port: Port = Field(9181, description="port to listen on")
    username: Line = Field("", description="login of the page; none is asked for if empty")
    password: Secret = Field(NO_SECRET, description="password of the page")


class Files(Section):
    """Where the worker keeps attachments."""

    root: Path | None = Field(
        None, description="-f: root directory; attachments are not kept if empty"
    )
    name: Inside = Field("files", description="--files: directory below the root")

    def overridden(self, *, root: Path | None, name: str | None) -> Files:
        """Return these with the options -f and --files over them, where given.

        The root is made absolute: another process may use it elsewhere. Raises SettingsError for a
        name that is not below the root, NotWritable where nothing could be kept.
        """
        given = {"root": root and root.resolve(), "name": name}
        changes = {key: value for key, value in given.items() if value is not None}
        try:
            files = type(self).model_validate(self.model_dump(exclude_unset=True) | changes)
        except ValidationError:
            raise SettingsError("--files", "must name a directory below the root (-f).") from None
        if changes:
            files.check()
        return files

    def check(self) -> None:
        """Raise NotWritable if attachments are to be kept and cannot be.

        The root itself need not be writable where the directory below it is there already.
        """
        if self.root is None:
            return
        below = self.root / self.name
        where = below if below.exists() else self.root
        if not (where.is_dir() and os.access(where, os.W_OK | os.X_OK)):
            raise NotWritable(f"files directory {where}", "must exist and be writable.")


class Limits(Section):
    """Budgets for one mail; a spent one is a problem on the artefact, never a lost mail."""

    raw: Count = Field(50 * MIB, description="raw mail")
    header_bytes: Count = Field(1 * MIB, description="header block of a mail")
    header_lines: Count = Field(5_000, description="lines of a header block")
    field_bytes: Count = Field(65_536, description="one header field")
    delimiter_lines: Count = Field(10_000, description="lines that begin with two hyphens")
    boundaries: Count = Field(100, description="boundary declarations")
    status_blank_lines: Count = Field(10_000, description="blank lines where a delivery status is")
    line_checks: Count = Field(6_000_000, description="lines times (boundary declarations + 1)")
    part_field_bytes: Count = Field(4096, description="one MIME header field; it is cut there")
    depth: Count = Field(8, description="artefacts inside artefacts")
    artefacts: Count = Field(500, description="artefacts of a mail")
    children: Count = Field(200, description="children of one artefact")
    artefact: Count = Field(64 * MIB, description="one artefact")
    unpacked: Count = Field(256 * MIB, description="all unpacked bytes")
    artefact_text: Count = Field(2_000_000, description="characters of text of one artefact")
    text: Count = Field(20_000_000, description="characters of text of a mail")
    artefact_spans: Count = Field(250_000, description="pieces of text of one artefact")
    opener_seconds: Count = Field(
        20, description="processor seconds to open or search one artefact"
    )
    opener_wall: Count = Field(40, description="seconds to open or search one artefact")
    mail_seconds: Count = Field(60, description="processor seconds to open and search a mail")
    wall: Count = Field(120, description="seconds to open and search a mail")
    memory: int = Field(
        1024 * MIB, ge=512 * MIB, description="address space of the process that opens a mail"
    )
    restarts: Count = Field(5, description="processes that a mail may kill and still be opened")
    findings: Count = Field(5_000, description="distinct findings of a mail")
    sightings: Count = Field(
        20, description="places remembered for one finding, beside one in each part of the mail"
    )
    archive_entries: Count = Field(10_000, description="entries of an archive that is opened")
    encrypted: Count = Field(8 * MIB, description="bytes decrypted in one archive; it is slow")
    passwords: Count = Field(20, description="passwords tried on an archive")
    dictionary: Count = Field(128 * MIB, description="memory of one decompressor")
    unpacker_memory: Count = Field(512 * MIB, description="memory of the 7zz process")
    unpacker_cpu: Count = Field(20, description="CPU seconds of 7zz for one archive")
    unpacker_wall: Count = Field(60, description="seconds of 7zz for one archive")
    structured: Count = Field(8 * MIB, description="JSON or XML that is read as such, not as text")
    spans: Count = Field(20_000, description="places told apart in one artefact")
    pixels: Count = Field(25_000_000, description="pixels of an image searched for QR codes")
    images: Count = Field(50, description="images of a mail searched for QR codes")
    pdf_pages: Count = Field(200, description="pages of a PDF that are read")
    fuzzy: Count = Field(MIB, description="a file that gets a fuzzy hash (ssdeep); it is slow")
    fuzzy_any: bool = Field(
        default=False,
        description="fuzzy hashes for all files that can do harm, not for programs alone",
    )
    pdf_code_pages: Count = Field(20, description="pages of a PDF that are drawn to find codes")
    pdf_code_pixels: Count = Field(4_000_000, description="pixels of a page drawn for that")
    pdf_code_seconds: Count = Field(5, description="processor seconds for drawing pages of a PDF")
    pdf_streams: Count = Field(20_000, description="streams of a PDF that are swept for links")
    pdf_stream: Count = Field(4 * MIB, description="one unpacked stream of a PDF, for the sweep")
    pdf_content: Count = Field(
        32 * MIB, description="what the pages of a PDF may unpack to; above it only links are swept"
    )
    rtf_tokens: Count = Field(3_000_000, description="control words and groups of an RTF file")
    compressed_rtf: Count = Field(4 * MIB, description="compressed RTF of a message; it is slow")
    key_rounds: Count = Field(
        2_000_000, description="hash rounds for the keys of an Office file, all passwords together"
    )
    ole_streams: Count = Field(2_000, description="streams of an OLE file")
    macros: Count = Field(2 * MIB, description="characters of macro source of one file")


class Policy(Section):
    """What is skipped, reviewed or uploaded."""

    own_domains: list[Line] = Field([], description="the organisation's domains: skipped")
    own_networks: list[Line] = Field([], description="the organisation's networks: skipped")
    allow: list[Line] = Field([], description="never uploaded: domain, address, network or value")
    deny: list[Line] = Field([], description="always uploaded: domain, address, network or value")
    warning_lists: list[Line] = Field(
        [], description="MISP warning lists by name; what they have is reviewed unless defanged"
    )
    warning_lists_dir: str = Field(
        "", description="directory of MISP's warning lists; empty: the package pymispwarninglists"
    )
