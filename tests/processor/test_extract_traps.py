"""What only looks like an indicator."""

from __future__ import annotations

import re

import pytest

from tqimap_processor.extract import extract


# dotted names, versions, times, identifiers, code and style, with two blanks between them
TRAPS = r"""
invoice.zip  readme.md  setup.py  node.js  see README.md  run main.rs  lib.so  ASP.NET
Node.js and Vue.js  install.sh  archive.tar.gz  index.php  photo.mov  logo.ps  web.config
package.json  os.path.join(a, b)  self.assertEqual(x.y, 1)  document.getElementById('a')
System.out.println  String.format(x)  foo.bar()  obj.name = 1  $.ajax({url})  a.b.c.d
this.state.items.map(x)  np.array([1])  pd.read_csv  window.location.href  java.util.List
com.example.app  org.apache.commons  System.Net.WebClient  Microsoft.Win32.Registry
e.preventDefault()  std::string  a::b::c  module.exports  process.env.HOME  config.get('x')
request.form.get  user.name  user.id  order.date  the end.The next  done.It was  ok.So we
Hello.My name  yes.No  word.In this case  e.g.  i.e.  U.S.A.  Ph.D.  a.m.  p.m.  No.1  Fig.3
vs.  etc.and  approx.10  version 1.2.3.4  v1.2.3.4  Chrome/126.0.6478.127  build 10.0.19041.1
1.2.3.4.5  OID 1.3.6.1.4.1.311  section 1.2.3.4  firmware 5.2.1.0  release 7.0.0.1  ver. 3.4.5.6
1.2.3.4-beta  python3.11.2  Version: 2.1.0.9  openssl-1.1.1.1  300.1.2.3  1.2.3  12.03.2024
10.30.2023 10:11  2024-01-02T10:11:12Z  10:11:12  10:11:12:13  01:02:03:04:05:06:07
+49 89 1234 5678  (555) 123-4567  555.123.4567  1,234,567.89  1.234.567,89  $1.99  €3.50  50.000
3.14159  ------=_Part_1234_5678.9012345678901  ----=_NextPart_000_0001_01D9ABCD.12345678
boundary="===============1234567890=="  Message-ID: <20240101.ABC@mail.gmail.com>
<CAF=abc123+def@mail.gmail.com>  cid:image001.png@01D9ABCD.12345678  multipart/mixed
text/html; charset=utf-8  image/png  application/vnd.ms-excel
TVqQAAMAAAAEAAAA//8AALgAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==
eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U
body.container{margin:0}  .header .nav a:hover  div.main > p.text  font-family:Arial
line-height:1.5  margin:0.5em  rgba(0,0,0,0.5)  #fff  @media screen  a.button:hover  h1.title
td.cell  ul.menu li.item  img.logo  550e8400-e29b-41d4-a716-446655440000
{550e8400-e29b-41d4-a716-446655440000}  deadbeef  0xdeadbeef  ababababababababababababababababab
ababababababababababababababababababababab  xabababababababababababababababab
ababababababababababababababababz  00:00:00:00:00:00  ff:ff:ff:ff:ff:ff  12:34:56  1:2:3  ::
a::  fe:ed  CVE-2023  CVE-XXXX-1234  AS a matter  as 5 of us  As 2023  BAS 123  class 500
1BoatSLRHtKNngkdXEeobR76b53LETtpyU  0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD
0x1234567890abcdef  5TB and 3GB  user@host  @mention  name@  @example  foo@bar  C++  C:  A:B
n/a  and/or  1/2  10/12/2023  http://  https://  hxxp://  www.  ftp://  mailto:  file:///  a.b
x.y  S.p.A.  Inc.and  z.B.  d.h.  Nr.5  Str.12  usw.und  bzw.die  Hr.Meier  Co.KG  GmbH.Die
2.Mal  serial killer  serial number of items  the mutex is held  user agent of change
25% of 3.5  page 3.2.1  192.168  10.0  256.256.256.256  1.1.1.1.1  0.0.0  A.B.C.D  U.N.
jarm 123  2ad2ad0002ad2ad00042d42d00000ad9bf51cc3f5a1e29eecb81d0c7b06eb4
888tNkZrPN6JsEgekjMnABU4TBzc2Dt29EPAvkRxbANsAnjyPbb3iQ1YBRk1UXcdRsiKc9dhwMVgN5S9cQUiyoogDavup3G
"""


@pytest.mark.parametrize("trap", re.split(r"\n|  ", TRAPS.strip()))
def test_traps(trap: str) -> None:
    """What only looks like an indicator is none, alone and in a sentence; files are files."""
    for text in (trap, f"Then {trap} was used here."):
        found = extract(text)
        assert [one for one in found if one.type not in {"Filename", "File Path"}] == []
