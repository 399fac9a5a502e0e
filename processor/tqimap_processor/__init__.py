"""Raw mail into artefacts, findings, decisions and, at last, ThreatQ."""
