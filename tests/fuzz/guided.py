"""Fuzz one target with atheris, in a process of its own: libFuzzer ends it.

`python -m fuzz.guided TARGET DIRECTORY SECONDS SEED`: the corpus and what was found stay in
DIRECTORY; libFuzzer tells on the standard error how far it came.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris


with atheris.instrument_imports(include=["tqimap_processor"]):
    from fuzz.targets import LONGEST, TARGETS, corpus, timed


def main() -> None:
    """Fuzz what the command line names."""
    name, directory, seconds, seed = sys.argv[1:]
    place = Path(directory)
    kept = place / "corpus"
    kept.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(corpus(name)):
        (kept / f"seed-{number}").write_bytes(data)
    options = [f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={LONGEST}", "-timeout=60"]
    options += ["-rss_limit_mb=2048", f"-artifact_prefix={place}/found-", "-print_final_stats=1"]
    target = TARGETS[name]
    atheris.Setup([sys.argv[0], *options, str(kept)], lambda data: timed(target, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
