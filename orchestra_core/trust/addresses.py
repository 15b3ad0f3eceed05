"""Where no backend can be: addresses that answer every process on a machine with its secrets, or nobody at all.

Private networks are where model servers live, so they are allowed; what is refused has no server of models
behind it. Checked where a backend is configured and again on the address a connection is made to, because a
name may resolve to anything.
"""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# AWS, GCP, Azure and others answer at 169.254.169.254, which is link-local; these are the others.
_METADATA = frozenset(
    {
        ipaddress.ip_address("fd00:ec2::254"),
        ipaddress.ip_address("fd20:ce::254"),  # Google, over IPv6
        ipaddress.ip_address("100.100.100.200"),  # Alibaba
        ipaddress.ip_address("168.63.129.16"),  # Azure's host agent
        ipaddress.ip_address("192.0.0.192"),  # Oracle
    }
)
_NAMES = frozenset(
    {
        "metadata",
        "metadata.google.internal",
        "metadata.goog",
        "instance-data",
        "instance-data.ec2.internal",
    }
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")


def is_address(text: str) -> bool:
    """Whether this is an IP address. Systems also take `2852039166` and `169.254.43518` for one: those are names here,
    so that what they resolve to is looked at.
    """
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True


def refused_address(text: str) -> str | None:
    """Why no backend may be at this IP address, or None. A text that is no IP address is not refused."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    for one in _meanings(address):
        reason = _refused(one)
        if reason is not None:
            return f"{text} is {reason}"
    return None


def refused_host(host: str) -> str | None:
    """Why no backend may be at this host as written, or None; what a name resolves to is checked on connecting."""
    name = host.lower().rstrip(".")
    if name in _NAMES:
        return f"{host} is a cloud's metadata service"
    return refused_address(name)


def _meanings(address: Address) -> list[Address]:
    """The address, and the IPv4 address inside it where there is one: both have to be fine."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address in _NAT64:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return [address] if inner is None else [address, inner]


def _refused(address: Address) -> str | None:
    if address in _METADATA:
        return "a cloud's metadata service"
    if address.is_link_local:
        return "link-local, where clouds keep their metadata service"
    if address.is_multicast or address == ipaddress.IPv4Address("255.255.255.255"):
        return "not the address of one machine"
    if address.is_unspecified or (address.version == 4 and address in _THIS_NETWORK):
        return "not an address one can connect to"
    return None
