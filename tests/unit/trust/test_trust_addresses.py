"""Where no backend can be."""

import pytest

from orchestra_core.trust.addresses import refused_address, refused_host


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "::ffff:169.254.169.254",
        "::ffff:0.0.0.0",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
    ],
)
def test_addresses_without_a_backend_are_refused(address: str) -> None:
    """Link-local, metadata, multicast and unspecified ones, however they are written."""
    assert refused_address(address) is not None
    assert refused_host(address) is not None


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "10.0.0.1",
        "192.168.1.5",
        "172.16.0.1",
        "100.64.0.1",
        "fd00::5",
        "8.8.8.8",
        "2001:db8::1",
        "::ffff:10.0.0.1",
    ],
)
def test_addresses_of_model_servers_are_allowed(address: str) -> None:
    """This machine, private networks and the Internet."""
    assert refused_address(address) is None


@pytest.mark.parametrize(
    ("host", "refused"),
    [
        ("metadata.google.internal", True),
        ("Metadata.Google.Internal.", True),
        ("metadata", True),
        ("instance-data", True),
        ("models.internal", False),
        ("localhost", False),
        ("metadata.example.com", False),
    ],
)
def test_names_of_metadata_services_are_refused(host: str, refused: bool) -> None:
    """Before anything is resolved."""
    assert (refused_host(host) is not None) is refused
