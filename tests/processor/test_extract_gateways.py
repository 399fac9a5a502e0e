"""The wrappers of mail gateways and redirectors: what each leads to, and which hide it."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from urllib.parse import quote

import pytest

from tqimap_processor.extract import extract


TARGET = "https://bad-place.net/a/b?x=1&y=2"
QUOTED = quote(TARGET, safe="")
LOWER = QUOTED.lower()
TWICE = quote(QUOTED, safe="")
BASE64 = urlsafe_b64encode(TARGET.encode()).decode()
# q for the target percent-encoded, Q for that in lower case, d for it encoded twice, b for Base64,
# t for the target itself
WRAPPERS = """
https://nam01.safelinks.protection.outlook.com/?url={q}&data=05%7C02%7Cann%40corp.org
https://gcc02.safelinks.protection.outlook.com/ap/t-59584e83/?url={Q}&amp;data=05
HTTPS://EUR02.SAFELINKS.PROTECTION.OUTLOOK.COM/?URL={q}&DATA=05
https://apc01.safelinks.protection.outlook.com/?data=05%7C01&amp;url={q}&amp;reserved=0
https://usg01.safelinks.protection.office365.us/?url={q}&data=04
hxxps://nam02[.]safelinks[.]protection[.]outlook[.]com/?url={q}&data=05
https://statics.teams.cdn.office.net/evergreen-assets/safelinks/1/atp-safelinks.html?url={q}&dest=x
https://urldefense.proofpoint.com/v1/url?u={q}&amp;k=oIvRg1%2BdGAgOoM1BIlLLqw%3D%3D
https://urldefense.proofpoint.com/v2/url?u=https-3A__bad-2Dplace.net_a_b-3Fx-3D1-26y-3D2&d=DwM
https://urldefense.us/v2/url?u=https-3A__bad-2Dplace.net_a_b-3Fx-3D1-26y-3D2&amp;d=Dw&amp;e=
https://urldefense.com/v3/__{t}__;!!Abc_Def!Gh-ij$
https://urldefense.us/v3/__https:/bad-place.net/a/b?x=1&y=2__;!!Abc!Gh$
https://urldefense.com/v3/__https://bad-place.net/a/b?x=1*y=2__;Jg!!Abc!Gh$
https://urldefense.com/v3/__https:**Abad-place.net/a*b?x=1&y=2__;Ly8v!!Abc!Gh$
https://urldefense.com/v3/__{t}
https://protect2.fireeye.com/v1/url?k=31323334-501d5122&q=1&e=9f0b1c2d&u={q}
https://linkprotect.cudasvc.com/url?a={Q}&c=E,1,xyz_-,&typo=1&ancr_add=1
https://secure-web.cisco.com/1QkQ-r_abc/{q}
https://imsva91-ctp.trendmicro.com:443/wis/clicktime/v1/query?url={Q}&umid=AB
https://eu-west-1.protection.sophos.com/?d=bad-place.net&u={b}&i=NWY&t=abc
https://us-west-2.protection.sophos.com?d=bad-place.net&u={b}&p=m
https://urlisolation.com/browser?clickId=1&traceToken=2&url={q}
https://scanmail.trustwave.com/?c=8510&d=abc&u={q}
https://clicktime.symantec.com/3AbCdEf?u={q}
https://clicktime.cloud.postoffice.net/clicktime.php?U={q}&E=ann%40corp.org
https://urlsand.esvalabs.com/?u={q}&e=1&h=2&f=y&p=y
https://url.avanan.click/v2/___{t}___.YXAzOmNvcnA6YTpvOjE2:6:1a2b:0f:p:T
https://protect.checkpoint.com/v2/___https:/bad-place.net/a/b?x=1&y=2___.YzJ1:7:ab:h:T:N
https://avanan.url-protection.com/v1/url?o={q}&g=MTI&s=abc
https://deref-gmx.net/mail/client/abc/dereferrer/?redirectUrl={q}
https://abc.r.us-east-1.awstrack.me/L0/https:%2F%2Fbad-place.net%2Fa%2Fb%3Fx=1%26y=2/1/01-aa/Z=1
https://www.google.com/url?sa=t&q=&esrc=s&url={q}&usg=AOv
https://www.google.co.uk/amp/s/bad-place.net/a/b?x=1&y=2
https://bad--place-net.cdn.ampproject.org/c/s/bad-place.net/a/b?x=1&y=2
https://www.googleadservices.com/pagead/aclk?sa=L&ai=Db&adurl={q}
https://ad.doubleclick.net/ddm/clk/408;208;x?{t}
https://l.facebook.com/l.php?u={q}&h=AT0x
https://www.linkedin.com/redir/redirect?url=https%3A%2F%2Fbad%2Dplace%2Enet%2Fa%2Fb%3Fx%3D1%26y%3D2
https://www.linkedin.com/safety/go/?messageThreadUrn=1&url={q}&trk=flagship
https://www.youtube.com/redirect?event=video_description&redir_token=QUF&q={q}&v=abc
https://slack-redir.net/link?url={q}&v=3
https://vk.com/away.php?to={q}&cc_key=
https://ok.ru/dk?cmd=logExternal&st.cmd=logExternal&st.link={q}&st.name=x
https://www.bing.com/ck/a?!&&p=0f1e2d&ptn=3&u=a1{b}&ntb=1
https://r.search.yahoo.com/_ylt=Awr/RV=2/RE=1700/RO=10/RU={Q}/RK=2/RS=xyz-
https://duckduckgo.com/l/?uddg={q}&rut=abc
https://t.umblr.com/redirect?z={q}&t=abc
https://href.li/?{t}
https://mail.qq.com/cgi-bin/readtemplate?t=safety&check=false&gourl={q}&subtemplate=gray
https://login.our-place.org/adfs/ls/?wa=wsignin1.0&wreply={q}
https://click.our-place.org/r?u={d}
https://click.our-place.org/c/{b}
"""


@pytest.mark.parametrize("form", WRAPPERS.split())
def test_wrappers_show_their_target(form: str) -> None:
    """Each wrapper gives itself, flagged, and its target, which says how it was reached."""
    text = form.format(q=QUOTED, Q=LOWER, b=BASE64, t=TARGET, d=TWICE)
    found = [one for one in extract(f"click {text} now") if one.type == "URL"]
    want = TARGET.lower() if "{Q}" in form else TARGET
    assert [one.value for one in found[1:]] == [want]
    assert "wrapper" in found[0].flags
    assert ("Reached Through", found[0].value) in found[1].attributes


HIDDEN = {
    "https://protect-eu.mimecast.com/s/AbC123": "",
    "https://protect-us.mimecast.com/s/AbCdEfGh?domain=bad-place.net": "bad-place.net",
    "https://url.us.m.mimecastprotect.com/s/AbC?domain=bad-place.net": "bad-place.net",
    "https://shared.outlook.inky.com/link?domain=bad-place.net&t=h.eJx": "bad-place.net",
    "https://u1234.ct.sendgrid.net/ls/click?upn=u001.AbC-2Fdef-3D": "",
    "https://x.us1.list-manage.com/track/click?u=abc123&id=def&e=1": "",
    "https://url.emailprotection.link/?bAbCdEf": "",
}


@pytest.mark.parametrize(("wrapper", "domain"), HIDDEN.items())
def test_opaque_wrappers_say_so(wrapper: str, domain: str) -> None:
    """A wrapper that holds only a token is flagged; the domain that it may name is reported."""
    url, *named = [one for one in extract(wrapper) if one.type == "URL" or "unwrapped" in one.flags]
    assert (url.value, sorted(url.flags)) == (wrapper, ["opaque", "wrapper"])
    assert [one.value for one in named] == ([domain] if domain else [])


@pytest.mark.parametrize(
    "url",
    [
        "https://bad-place.net/search?q=http",
        "https://bad-place.net/?u=abc&url=/local/path",
        "https://bad-place.net/http/https/amp/x",
        "https://bad-place.net/x?id=aHR0c",
        "https://bad-place.net/x?id=aHR0cDovL_8",
        "https://www.mimecast.com/blog/",
        "https://url.avanan.click/v2/r01/___mxxux://x___.Y",
    ],
)
def test_other_links_wrap_nothing(url: str) -> None:
    """What only resembles a wrapper is a link like others."""
    found = [one for one in extract(url) if one.type == "URL"]
    assert [(one.value, len(one.flags)) for one in found] == [(url, 0)]
