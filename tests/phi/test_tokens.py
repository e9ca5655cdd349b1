"""Tokens in mails: opaque, unforgeable, for one purpose, for good."""

import base64
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phi.tokens import BadToken, MessageToken, open_ids, seal_ids

tokens = st.builds(MessageToken, st.uuids(), st.uuids(), st.integers(0, 2**32 - 1))


@given(tokens)
def test_what_was_encoded_decodes(token: MessageToken) -> None:
    assert MessageToken.decode(token.encode()) == token


@given(tokens, st.data())
def test_any_changed_character_is_refused(token: MessageToken, data: st.DataObject) -> None:
    text = token.encode()
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("ABCxyz059-_"))
    if text[place] != other:
        with pytest.raises(BadToken):
            MessageToken.decode(text[:place] + other + text[place + 1 :])


@given(st.text(max_size=120))
def test_what_people_type_is_refused_and_never_an_error(text: str) -> None:
    with pytest.raises(BadToken):
        MessageToken.decode(text)
    with pytest.raises(BadToken):
        open_ids("double-opt-in", text)


def test_a_token_says_nothing_of_its_ids() -> None:
    token = MessageToken(uuid4(), uuid4(), 3)
    raw = base64.urlsafe_b64decode(token.encode() + "=")
    for value in (token.delivery_id, token.contact_id):
        assert value.bytes not in raw
        assert value.bytes[:4] not in raw


def test_the_same_message_has_the_same_token_and_no_other_has_it() -> None:
    token = MessageToken(UUID(int=1), UUID(int=2), 0)
    assert token.encode() == token.encode()
    assert len({MessageToken(UUID(int=n), UUID(int=2), 0).encode() for n in range(1000)}) == 1000


def test_a_token_of_one_purpose_opens_nothing_else() -> None:
    ids = [uuid4(), uuid4()]
    token = seal_ids("double-opt-in", *ids)
    assert open_ids("double-opt-in", token) == ids
    with pytest.raises(BadToken):
        open_ids("local-link", token)
    with pytest.raises(BadToken):
        MessageToken.decode(token)
    with pytest.raises(BadToken):
        open_ids("message", MessageToken(*ids, 1).encode())


def test_other_spellings_of_a_good_token_are_refused() -> None:
    text = MessageToken(uuid4(), uuid4(), 1).encode()
    for other in (text + "=", text + "A", text.replace("_", "/").replace("-", "+") + " ", " " + text, text + "\n", ""):
        with pytest.raises(BadToken):
            MessageToken.decode(other)
