"""The whole of tqimap on one machine, with nothing to install: for demos and tests."""
