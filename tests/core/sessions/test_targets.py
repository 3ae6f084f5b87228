"""Hosts are data: parsed strictly, and connected to only when they are allowed."""

import pytest

from simplestack import HostNotAllowed, HypervisorUnavailable, InvalidArguments, Target
from simplestack.sessions.targets import AllowList, parse_target


@pytest.mark.parametrize(
    ("text", "name", "port"),
    [
        ("demo", "demo", None),
        ("Host7.HV.example.com", "host7.hv.example.com", None),
        ("10.0.0.1", "10.0.0.1", None),
        ("10.0.0.1:443", "10.0.0.1", 443),
        ("[::1]:443", "::1", 443),
        ("[2001:DB8::1]", "2001:db8::1", None),
        ("host_7", "host_7", None),
    ],
)
def test_a_name_or_an_address_with_an_optional_port_is_a_host(text: str, name: str, port: int | None) -> None:
    target = parse_target(text)
    assert (target.name, target.port) == (name, port)
    assert parse_target(str(target)) == target


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a/b",
        "a?b",
        "a@b",
        "a b",
        "a\nb",
        "a\n",
        "a#b",
        "a%b",
        "a:b",
        "a:",
        ":443",
        "a:0",
        "a:99999",
        "a:123456",
        "::1",
        "[::1",
        "[]",
        "[a]",
        "[fe80::1%eth0]",
        "-a",
        "a..b",
        ".a",
        "1.2.3",
        "256.1.1.1",
        "1.2.3.4.5",
        "127.1",  # inet_aton reads addresses out of these two
        "0x7f.1",
        "a" * 64,
        "a." * 127 + "aa",
        "ä",
        "a'b",
        'a"b',
        "a\\b",
        "a;b",
        "a&b",
        "http://a",
    ],
)
def test_anything_else_is_not_a_host(text: str) -> None:
    with pytest.raises(InvalidArguments):
        parse_target(text)


def resolve(name: str) -> list[str]:
    known = {"inside": ["10.1.2.3"], "outside": ["192.0.2.1"], "both": ["10.1.2.3", "192.0.2.1"]}
    if name.endswith((".com", ".org")):
        return ["192.0.2.1"]
    if name not in known:
        raise OSError(-2, "Name or service not known")
    return known[name]


ALLOWED = AllowList(["localhost", "10.0.0.0/8", "*.hv.example.com", "192.0.2.9", "fd00::/8"], resolve)


@pytest.mark.parametrize(
    "host", ["localhost", "10.1.2.3", "inside", "a.hv.example.com", "192.0.2.9:443", "[fd00::1]"]
)
def test_what_the_settings_name_may_be_connected_to(host: str) -> None:
    assert str(ALLOWED.check(parse_target(host))) == str(parse_target(host))


def test_a_name_that_a_range_allows_comes_with_the_addresses_that_were_allowed() -> None:
    assert ALLOWED.check(parse_target("inside:443")).addresses == ("10.1.2.3",)
    assert ALLOWED.check(parse_target("a.hv.example.com")).addresses == ()


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [("10.20.1.0/16", "10.20.0.0/16"), ("fd00::1/64", "fd00::/64"), ("10.0.0.1/255.0.0.0", "10.0.0.0/8")],
)
def test_an_address_in_a_range_is_refused_with_the_range(pattern: str, meant: str) -> None:
    with pytest.raises(ValueError, match=f"'{pattern}' is an address in a range: write '{meant}'"):
        AllowList([pattern])
    AllowList([meant, "10.20.1.0", "fd00::1/128"])


@pytest.mark.parametrize("pattern", ["10.0.0.0/33", "10.0.0.1/8/8", "http://a", "a b", "", "user@host"])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="not a name, a glob, an address or a CIDR range"):
        AllowList([pattern])


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "192.0.2.1",
        "outside",
        "both",
        "hv.example.com",
        "a.hv.example.com.evil.org",
        "[::1]",
        "[::ffff:192.0.2.1]",
    ],
)
def test_nothing_else_may_be_connected_to(host: str) -> None:
    with pytest.raises(HostNotAllowed):
        ALLOWED.check(parse_target(host))


def test_a_name_that_only_a_range_could_allow_must_resolve() -> None:
    with pytest.raises(HypervisorUnavailable, match="cannot resolve host nowhere"):
        ALLOWED.check(parse_target("nowhere"))


def test_without_ranges_no_name_is_looked_up() -> None:
    def refuse(_name: str) -> list[str]:
        raise AssertionError("looked up")

    with pytest.raises(HostNotAllowed):
        AllowList(["a"], refuse).check(parse_target("b"))


def test_a_star_allows_all() -> None:
    AllowList(["*"]).check(parse_target("anything.example.org"))


def test_a_host_sends_its_clients_only_where_they_are_allowed_to_go() -> None:
    target = AllowList(["a", "10.0.0.0/8"]).check(Target("a"))
    assert str(target.elsewhere("10.0.0.7:444")) == "10.0.0.7:444"
    assert target.elsewhere("10.0.0.7").addresses == ("10.0.0.7",)
    with pytest.raises(HostNotAllowed):
        target.elsewhere("11.0.0.1")
    with pytest.raises(HypervisorUnavailable):
        target.elsewhere("https://a/")
    with pytest.raises(HostNotAllowed):
        Target("a").elsewhere("a")  # which nobody has allowed anything
