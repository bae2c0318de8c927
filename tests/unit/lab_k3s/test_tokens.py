"""Both forms of the join token."""

from deployments.lab.k3s import tokens


def test_a_full_token_carries_the_password_and_the_hash_of_the_ca():
    token = tokens.parse(tokens.full("pass:word", "PEM") + "\n")
    assert token.password == "pass:word"
    assert token.ca_hash == tokens.ca_hash("PEM")


def test_anything_else_is_a_bare_password():
    assert tokens.parse("K10abc::server:x") == tokens.Token("K10abc::server:x")
