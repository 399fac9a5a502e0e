"""The last room: what is known about a mail becomes objects of a ThreatQ threat library."""

from tqimap_processor.threatq.client import Client


__all__ = ["Client"]
