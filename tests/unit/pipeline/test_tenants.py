"""Whose answers are given again to whom."""

import pytest

from orchestra_core.pipeline.cached import tenant


@pytest.mark.parametrize("key", ["unix", "unix:1001", "127.0.0.1", "127.8.9.1", "::1"])
def test_who_needs_no_key_on_this_machine_is_one_tenant(key: str) -> None:
    """Whatever socket or loopback address it comes by."""
    assert tenant(key) == ""


@pytest.mark.parametrize("key", ["0a1b2c3d", "12345678", "10.0.0.7", "fe80::1"])
def test_every_key_and_every_other_address_is_its_own(key: str) -> None:
    """The id of a key is no address."""
    assert tenant(key) == key
