"""What a mail offers as passwords."""

from __future__ import annotations

import pytest

from tqimap_processor.artefact import Span
from tqimap_processor.passwords import offered


TOLD = (
    "Archive password - k8831.",
    "The pass is\n\n  k8831 \n",
    "password to open the attached file is: k8831",
    "unlock code k8831",
    "Das Passwort lautet: k8831",
    "Le mot de passe est « k8831 »",
    "Contraseña del archivo k8831",
    "Parola chiave: k8831",
    "Hasło do archiwum: k8831",
    "Wachtwoord: k8831",
    "Пароль от архива k8831",
    "解凍パスワードは「k8831」です。",
    "密码\uff1ak8831",
    "암호 : k8831",
    "Mật khẩu: k8831",
)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("text", ("s3sam.", "s3sam")),
        ("header subject", ("s3sam.", "s3sam")),
        ("header x-token", ()),
        ("part 2 header content-description", ()),
        ("a@href", ()),
    ],
)
def test_passwords_are_read_where_people_write(where: str, words: tuple[str, ...]) -> None:
    """Text and subject tell passwords; machines' fields and links do not."""
    assert offered([Span(where, "The password: s3sam.")], 9) == words
    assert offered([Span(where, "The password: s3sam.")], 1) == words[:1]


@pytest.mark.parametrize("text", TOLD)
def test_passwords_are_read_in_many_languages(text: str) -> None:
    """Who sends a locked archive tells its password in the language of who is to open it."""
    assert "k8831" in offered([Span("text", text)], 9)


def test_pieces_of_words_tell_nothing() -> None:
    """A word that only holds one of those that tell a password is no such word."""
    assert not offered([Span("text", "shipping 4711 passage 4712 opinion 4713")], 9)


def test_names_and_texts_of_images_tell_passwords() -> None:
    """What stands in a file's name, or where an image is not loaded, is read by people, too."""
    alternative = [Span("img@alt", "Password: one11"), Span("a@href", "/password=two22")]
    assert set(offered(alternative, 9, ["invoice_pass_9871.zip"])) == {"one11", "9871"}
