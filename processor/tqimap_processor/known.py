"""Names and networks that are the same everywhere: reserved ones, schemas, mail gateways."""

from __future__ import annotations

from tqimap_processor.lists import Entries


SCHEMAS = Entries.of(
    (
        "w3.org",
        "schemas.microsoft.com",
        "schemas.openxmlformats.org",
        "schemas.xmlsoap.org",
        "schemas.android.com",
        "purl.org",
        "purl.oclc.org",
        "ns.adobe.com",
        "schema.org",
        "ogp.me",
        "fonts.googleapis.com",
        "fonts.gstatic.com",
        "use.typekit.net",
        "p.typekit.net",
        "use.fontawesome.com",
        "kit.fontawesome.com",
        "fonts.bunny.net",
        "fast.fonts.net",
        "gmpg.org",
        "docs.oasis-open.org",
        "xmlns.com",
        "xmlns.jcp.org",
    )
)
GATEWAYS = Entries.of(
    (
        "safelinks.protection.outlook.com",
        "urldefense.com",
        "urldefense.us",
        "urldefense.proofpoint.com",
        "protect2.fireeye.com",
        "linkprotect.cudasvc.com",
        "secure-web.cisco.com",
        "safelinks.protection.office365.us",
        "statics.teams.cdn.office.net",
        "protection.sophos.com",
        "mimecast.com",
        "mimecastprotect.com",
        "clicktime.symantec.com",
        "scanmail.trustwave.com",
        "urlsand.esvalabs.com",
        "url.avanan.click",
        "avanan.url-protection.com",
        "protect.checkpoint.com",
        "url.emailprotection.link",
        "link.edgepilot.com",
        "linklock.titanhq.com",
        "urlisolation.com",
        "inky.com",
        "deref-gmx.net",
        "deref-web.de",
    )
)
# RFC 2606, RFC 6761, and what home routers and offices use; RFC 5737, RFC 3849
RESERVED = Entries.of(
    (
        "example",
        "test",
        "invalid",
        "localhost",
        "local",
        "localdomain",
        "internal",
        "lan",
        "corp",
        "home",
        "home.arpa",
        "intranet",
        "workgroup",
        "example.com",
        "example.net",
        "example.org",
        "in-addr.arpa",
        "ip6.arpa",
        "192.0.2.0/24",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "192.88.99.0/24",
        "2001:db8::/32",
        "fec0::/10",
    )
)
