"""The door between fetcher and processor: only what both sides need enters."""

__version__ = "1.0.0"
