"""Which base URLs may be asked: sites, and this machine's own simulator."""

from __future__ import annotations

import pytest

from odds_pipeline.bookmakers.address import base_address, is_loopback
from odds_pipeline.bookmakers.http import open_http
from odds_pipeline.bookmakers.registry import REGISTRY, bookmaker
from odds_pipeline.clock import SystemClock
from odds_pipeline.settings import BookmakerSettings, Settings

LOOPBACK = [
    "http://127.0.0.1:8000/betpawa",
    "http://localhost:1",
    "http://[::1]:8000",
    "http://127.1",
    "http://2130706433",
]


@pytest.mark.parametrize("is_live", [True, False])
@pytest.mark.parametrize("url", LOOPBACK)
def test_this_machines_own_simulator_may_always_be_asked(url: str, is_live: bool) -> None:
    assert is_loopback(base_address(url, is_live=is_live).host)


@pytest.mark.parametrize("is_live", [True, False])
@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254",
        "https://[fe80::1]",
        "https://[::ffff:169.254.169.254]",
        "https://2852039166",
        "https://0xa9.254.169.254",
        "http://0.0.0.0:8000",
        "http://[::]",
        "http://224.0.0.1",
    ],
)
def test_no_address_that_is_no_sites_is_asked(url: str, is_live: bool) -> None:
    with pytest.raises(ValueError, match="no address of a site"):
        base_address(url, is_live=is_live)


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1", "https://192.168.1.9:443", "https://172.16.0.1", "https://[fd00::1]"]
)
def test_a_simulator_may_stand_in_a_private_network_and_a_real_site_does_not(url: str) -> None:
    base_address(url, is_live=False)
    with pytest.raises(ValueError, match="is a private address"):
        base_address(url, is_live=True)


def test_a_real_site_is_asked_encrypted() -> None:
    with pytest.raises(ValueError, match="unencrypted"):
        base_address("http://www.betpawa.ng", is_live=True)
    base_address("http://simulator:8000/betpawa", is_live=False)
    for slug in REGISTRY:
        assert base_address(bookmaker(slug, Settings()).base_url, is_live=True).scheme == "https"


@pytest.mark.parametrize(
    "url", ["https://me:hush@www.betpawa.ng", "ftp://me:hush@host", "https://:hush@", "http://me:hush@h:x"]
)
def test_an_account_in_an_address_is_refused_and_never_told(url: str) -> None:
    with pytest.raises(ValueError, match="address") as refused:
        base_address(url, is_live=True)
    assert "hush" not in str(refused.value)


def test_a_setting_that_names_such_an_address_is_refused_before_anything_is_sent() -> None:
    settings = Settings(source="live", betpawa=BookmakerSettings(url="https://169.254.169.254"))
    with pytest.raises(ValueError, match="link-local"):
        open_http(bookmaker("betpawa", settings), settings, SystemClock())
