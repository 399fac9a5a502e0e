"""Memory: a run holds the largest mail a few times, whatever the mailbox holds."""

from __future__ import annotations

import base64
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fixtures.dovecot import PASSWORD


if TYPE_CHECKING:
    from fixtures.dovecot import Dovecot

pytestmark = [pytest.mark.dovecot, pytest.mark.redis]

LARGE = 24_000_000
TESTS = Path(__file__).parents[1]


def mail(number: int, size: int) -> bytes:
    """Write a mail that does not compress well."""
    body = base64.encodebytes(random.Random(number).randbytes(size * 3 // 4))
    return b"Subject: %d\n\n" % number + body


def test_memory_is_bounded_by_the_largest_mail(
    dovecot: Dovecot, redis_url: str, tmp_path: Path
) -> None:
    """Two large mails in a row and a hundred small ones take 50 MB and three times the largest.

    A whole run in a process of its own: its peak is what the kernel says.
    """
    user = dovecot.user()
    small = [mail(number, 20_000) for number in range(100)]
    large = [mail(number, LARGE) for number in range(1000, 1002)]
    dovecot.drop(user, *small[:50], *large, *small[50:])
    given = {
        "port": dovecot.imap,
        "user": user,
        "password": PASSWORD,
        "redis": redis_url,
        "directory": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-m", "bench.fetch_ways", "whole", json.dumps(given)],
        env={"PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        check=True,
    )
    taken = json.loads(done.stdout)
    assert taken["mails"] == 103
    largest = len(large[0]) + large[0].count(b"\n")
    assert taken["peak"] < 50_000_000 + 3 * largest
