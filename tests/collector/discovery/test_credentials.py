from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from collector.discovery.credentials import VARIABLE, Credential, CredentialError, Sources, credentials

SECRETS = {"snmp-community": "of-the-province", "snmp-auth": "authpass123", "snmp-priv": "privpass123"}


def found(
    communities: Sequence[str] = (),
    users: Sequence[Path] = (),
    environ: Mapping[str, str] | None = None,
    prompt: Callable[[], str] | None = None,
) -> tuple[Credential, ...]:
    return credentials(
        Sources(communities=communities, users=users, environ=environ or {}, secrets=lambda: SECRETS, prompt=prompt)
    )


def test_a_community_of_the_settings_keeps_its_name() -> None:
    (one,) = found(["secret:snmp-community"])

    assert one.params.community == "of-the-province"
    assert one.written == {"version": "2c", "community": "secret:snmp-community"}


def test_communities_of_a_file_get_names_in_their_order(tmp_path: Path) -> None:
    file = tmp_path / "communities"
    file.write_text("first\n\n  second \n")

    both = found([f"@{file}"])

    assert [one.params.community for one in both] == ["first", "second"]
    assert [one.written["community"] for one in both] == ["secret:snmp-community", "secret:snmp-community-2"]


def test_users_go_before_communities_since_their_keys_are_not_readable_on_the_way(tmp_path: Path) -> None:
    file = tmp_path / "user.toml"
    file.write_text(
        'user = "monitor"\nauth = "sha256"\nauth_key = "secret:snmp-auth"\npriv = "aes128"\npriv_key = "of-its-own"\n'
    )

    user, community = found(["secret:snmp-community"], [file])

    assert (user.params.auth_key, user.params.priv_key) == ("authpass123", "of-its-own")
    assert user.written == {
        "version": "3",
        "user": "monitor",
        "auth": "sha256",
        "auth_key": "secret:snmp-auth",
        "priv": "aes128",
        "priv_key": "secret:snmp-priv",
    }
    assert community.params.version == "2c"


def test_without_a_word_the_environment_is_looked_at_and_then_a_person_is_asked() -> None:
    assert found(environ={VARIABLE: "of-the-shell"}, prompt=lambda: "typed")[0].params.community == "of-the-shell"
    assert found(prompt=lambda: "typed")[0].params.community == "typed"


def test_a_community_in_the_command_is_refused_and_not_repeated() -> None:
    with pytest.raises(CredentialError, match="seen by every user of this host") as refused:
        found(["hush-hush"])

    assert "hush-hush" not in str(refused.value)


def test_nothing_to_ask_with_is_said_with_every_way_to_give_it() -> None:
    with pytest.raises(CredentialError, match=f"--community @FILE or secret:NAME, --user FILE, {VARIABLE}"):
        found()


def test_a_secret_that_is_not_there_is_named_with_the_near_one() -> None:
    with pytest.raises(CredentialError, match=r"no secret 'snmp-comunity'.*did you mean 'snmp-community'"):
        found(["secret:snmp-comunity"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("user =", "not TOML"),
        ('user = "m"\nauht = "sha256"\n', "unknown parameter 'auht': did you mean 'auth'"),
        ('user = "m"\nauth = "sha256"\n', "auth and auth_key go together"),
    ],
)
def test_a_user_file_that_is_wrong_is_named(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "user.toml"
    file.write_text(content)

    with pytest.raises(CredentialError, match=rf"user\.toml: .*{said}"):
        found(users=[file])


def test_a_credential_does_not_show_its_secret() -> None:
    (one,) = found(["secret:snmp-community"])

    assert "of-the-province" not in repr(one)
