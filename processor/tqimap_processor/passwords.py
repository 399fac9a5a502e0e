"""Collect what a mail offers as passwords of its archives."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tqimap_processor.artefact import Span


CUSTOMARY = ("infected", "malware", "password")
# "password" in the languages that malicious mail is written in; each is found ten times faster than
# any expression finds one of them
_WORDS = (
    *("password", "passwort", "passwd", "passcode", "passwor", "pass", "pwd", "pw", "pin"),
    *("access code", "unlock code", "archive code", "security code", "kennwort", "zugangscode"),
    *("mot de passe", "code d'accès", "code d\u2019accès", "mdp", "contraseña", "clave", "código"),
    *("parola chiave", "codice", "senha", "palavra-passe", "palavra passe", "wachtwoord"),
    *("hasło", "heslo", "jelszó", "parola", "parolă", "şifre", "lösenord", "adgangskode"),
    *("kodeord", "passord", "salasana", "parool", "parole", "slaptažodis", "lozinka", "geslo"),
    *("kata sandi", "kata laluan", "mật khẩu", "пароль", "парола", "лозинка", "κωδικός"),
    *("パスワード", "パス", "暗証番号", "密码", "密碼", "口令", "비밀번호", "암호", "패스워드"),
    *("كلمة المرور", "كلمة السر", "رمز عبور", "סיסמה", "סיסמא", "รหัสผ่าน", "पासवर्ड"),
)
_FIELD, _SUBJECT = "header ", "header subject"
_SEEN = ("@alt", "@title")  # attributes that people read
_APART = "\n<"  # which no password and nothing before one may hold
_QUOTES = "\"'`“”„\u2018\u2019«»\u2039\u203a「」『』【】"
_TOKEN = rf"[^\s<>\[\](){_QUOTES}]{{3,64}}"
_LINE = 120  # characters after the word, in which the password stands
# what follows the word: the line's end says nothing, then the next line that does; else its rest
_REST = re.compile(
    rf"(?:[^\S\n](?:is|ist|est|es|lautet))?[^\S\n]{{0,5}}(?:[:=\-\u2013\uff1a>]{{0,3}}\s{{0,5}})"
    rf"([^\n<]{{3,{_LINE}}})"
)
_AFTER_COLON = re.compile(rf"[:=\uff1a]\s{{0,5}}[{_QUOTES}\[(]?\s?({_TOKEN})")
_QUOTED = re.compile(rf"[{_QUOTES}\[(]\s?({_TOKEN})\s?[{_QUOTES}\])]")
_FIRST = re.compile(
    rf"(?i)[\s:=\-\u2013\uff1a>{_QUOTES}\[(]*(?:(?:is|ist|lautet|est|es|è|e|é|do|del|zip)\s)?"
    rf"[{_QUOTES}\[(]?({_TOKEN})"
)
_WITH_DIGIT = re.compile(r"(?<![!-~])(?=[!-~]{0,63}\d)([!-~]{3,64})")
_ENDS = ".,;:!?。、"
_IN_NAME = re.compile(r"[_\s.-]+")
_MOST = 4  # of one place


def offered(spans: Iterable[Span], most: int, names: Iterable[str] = ()) -> tuple[str, ...]:
    """Return up to *most* words of *spans* that stand where a password is told, in order.

    Fields that machines fill and links are not read: they are long, and tell none. *names* are
    those of files, which may tell one, too: `invoice_pass_4711.zip`.
    """
    texts = [span.text for span in spans if _is_read(span.where)]
    named = (_IN_NAME.sub(" ", name.rpartition(".")[0]) for name in names)
    found: dict[str, None] = {}
    # one search over all of them: a mail has hundreds
    for word in _told(_APART.join(chain(texts, named))):
        found.setdefault(word)
        found.setdefault(word.rstrip(_ENDS))
        if len(found) >= most:
            break
    return tuple(found)[:most]


def _is_read(where: str) -> bool:
    if "@" in where:
        return where.endswith(_SEEN)
    return _FIELD not in where or where == _SUBJECT


def _told(text: str) -> Iterator[str]:
    # of all letters this one alone grows when it is made small
    lower = text.replace("İ", "i").lower()
    ends = {end: word for word in _WORDS for end in _ends(lower, word)}
    done = 0
    for end in sorted(ends):
        if end < done or _goes_on(lower, end, ends[end]):
            continue
        if rest := _REST.match(text, end):
            done = end + 1
            yield from dict.fromkeys(_candidates(rest[1]))


def _goes_on(lower: str, end: int, word: str) -> bool:
    """Say whether the word at *end* is but a piece of another one, as `pin` is of `shipping`."""
    if not word.isascii():
        return False
    start = end - len(word)
    return lower[end : end + 1].isalnum() or (start > 0 and lower[start - 1].isalnum())


def _candidates(rest: str) -> list[str]:
    """Return what may be the password in *rest* of a line, the likeliest first."""
    found = [hit[1] for hit in (_FIRST.match(rest), _AFTER_COLON.search(rest)) if hit]
    found += _QUOTED.findall(rest)
    found += _WITH_DIGIT.findall(rest)
    return found[:_MOST]


def _ends(text: str, word: str) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        yield at + len(word)
        at = text.find(word, at + 1)
