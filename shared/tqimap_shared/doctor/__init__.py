"""Walk the whole chain, link by link, and name the first that fails; change nothing anywhere.

The links that both sides have (settings, Redis, ThreatQ) are here. What only one side knows stays
in its own room: the fetcher's mailboxes, the processor's workers. Each offers its links as an entry
point of the group `tqimap.doctor`, which the program calls if that side is installed; so neither
imports the other, a host that only fetches has its doctor too (`tqimap-doctor`), and
`tqimap-admin doctor` is the same.
"""
