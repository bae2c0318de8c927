"""keepalived.conf's grammar, as keepalived's lib/parser.c reads it."""

import pytest

from tasks.vip.grammar import GrammarError, Statement, parse, shown

PEOPLES = """\
! Configuration File for keepalived
global_defs {
\trouter_id LVS_DEVEL
}
vrrp_instance VI_1 {
\tvirtual_router_id 51\t# between 1 and 255
\t# virtual_router_id 60
\t! advert_int 9
\tadvert_int 1 # every second
\t#unicast_peer {
\t#  10.0.0.12
\t#}
\tauthentication {
\t\tauth_pass "s3 #cret!" # the same everywhere
\t}
\tvirtual_ipaddress {
\t\t10.0.0.100/24 dev eth0 label eth0:1
\t}
\tnotify_master "/etc/keepalived/up.sh 'to { and }' MASTER" root
}
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_comments_tabs_quotes_and_line_ends_are_read_as_keepalived_does(end: str) -> None:
    defs, instance = parse(PEOPLES.replace("\n", end))

    assert defs.said("router_id") == "LVS_DEVEL"
    assert (instance.keyword, instance.value) == ("vrrp_instance", "VI_1")
    assert (instance.said("virtual_router_id"), instance.said("advert_int")) == ("51", "1")
    assert instance.last("unicast_peer") is None
    assert [block.said("auth_pass") for block in instance.each("authentication")] == ["s3 #cret!"]
    assert [line.words for block in instance.each("virtual_ipaddress") for line in block.block or ()] == [
        ("10.0.0.100/24", "dev", "eth0", "label", "eth0:1")
    ]
    assert [one.text for one in instance.each("notify_master")] == [
        """notify_master "/etc/keepalived/up.sh 'to { and }' MASTER" root"""
    ]


@pytest.mark.parametrize("text", ["a b {\n c\n}", "a b\n{\nc }", "a b { c }", "a b{c}"])
def test_braces_stand_where_they_like(text: str) -> None:
    assert parse(text) == (Statement("a b", (Statement("c"),)),)


def test_of_two_the_last_is_in_force() -> None:
    (block,) = parse("a {\n b 1\n b 2\n}")

    assert block.said("b") == "2"


def test_an_empty_word_is_a_word() -> None:
    assert parse('auth_pass ""')[0].words == ("auth_pass", "")


def test_what_is_shown_reads_the_same() -> None:
    assert parse(shown(parse(PEOPLES))) == parse(PEOPLES)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a {\n b", "a '}' is missing at the end"),
        ("a\n}", "a '}' too many"),
        ("a {\n}\n}\n", "a '}' too many"),
        ("{\n}", "a '{' that follows no keyword"),
        ("a {\n}\n{\n}", "a '{' that follows no keyword"),
        ("x\n$VIP=10.0.0.100", "line 2 begins with $VIP, which is not evaluated"),
        ("@vm-1 priority 100", "line 1 begins with @vm-1, which is not evaluated"),
        ("~SEQ(i, 3) a", "line 1 begins with ~SEQ(i,, which is not evaluated"),
        ("include /etc/{a,b}.conf", "line 1 begins with include, which is not evaluated"),
        ("priority $_RANDOM", "line 1 uses a $_VARIABLE, which is not evaluated"),
    ],
)
def test_what_is_not_read_is_refused_by_its_line(text: str, said: str) -> None:
    with pytest.raises(GrammarError) as error:
        parse(text)
    assert str(error.value) == said


def test_a_password_with_a_dollar_is_no_variable() -> None:
    assert parse("auth_pass pa$word")[0].value == "pa$word"
