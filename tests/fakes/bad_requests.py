"""What a client may send that is wrong, hostile or merely odd, and what has to come of it.

The rows of reliability.md, sections 4.1 to 4.3, that are bytes on one connection. Sources: RFC 9110, RFC 9112,
and the vulnerabilities named beside the rows.
"""

from typing import NamedTuple

from orchestra_core.http1.checks import Limits

LIMITS = Limits()
KIB = 1024
MIB = 1024 * 1024


class Row(NamedTuple):
    """Bytes, the statuses answered in order, and how many requests reached the handler."""

    name: str
    data: bytes
    statuses: tuple[int, ...]
    handled: int = 0
    closes: bool = True


def post(*fields: bytes, body: bytes = b"", host: bytes = b"Host: x\r\n", version: bytes = b"1.1") -> bytes:
    lines = b"".join(field + b"\r\n" for field in fields)
    return b"POST /a HTTP/" + version + b"\r\n" + host + lines + b"\r\n" + body


def get(target: bytes = b"/", *fields: bytes, line: bytes = b"", host: bytes = b"Host: x\r\n") -> bytes:
    lines = b"".join(field + b"\r\n" for field in fields)
    return (line or b"GET " + target + b" HTTP/1.1") + b"\r\n" + host + lines + b"\r\n"


def chunked(body: bytes, *fields: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", *fields, body=body)


CL = b"Content-Length: "
TE = b"Transfer-Encoding: "
NEXT = get(b"/next")


def refused(name: str, data: bytes, status: int = 400) -> Row:
    """Answered once, closed, and the good request that follows is never parsed."""
    return Row(name, data + NEXT, (status,))


def served(name: str, data: bytes, *, closes: bool = False) -> Row:
    return Row(name, data, (200,), 1, closes)


FRAMING = [
    *(
        refused(f"content-length {value!r}", post(CL + value, body=b"abc"))
        for value in (
            b"3, 3",
            b"+3",
            b"-1",
            b"0x3",
            b"3_0",
            b"",
            b"3 0",
            b"\xc2\xb3",
            b"\xd9\xa3",
            b"3;",
            b"3.0",
        )
    ),
    refused("content-length then chunked", post(CL + b"3", TE + b"chunked", body=b"0\r\n\r\n")),
    refused("chunked then content-length", post(TE + b"chunked", CL + b"3", body=b"0\r\n\r\n")),
    refused("both in odd case", post(b"tRANSFER-eNCODING: Chunked", b"cONTENT-lENGTH: 3", body=b"0\r\n\r\n")),
    refused("content-length twice, the same", post(CL + b"3", CL + b"3", body=b"abc")),
    refused("content-length twice, different", post(CL + b"3", CL + b"4", body=b"abcd")),
    refused("content-length 2^64", post(CL + b"18446744073709551616")),
    refused("content-length 5000 digits", post(CL + b"9" * 5000)),
    refused("content-length 2^64-1", post(CL + b"18446744073709551615"), 413),
    refused("content-length just over", post(CL + str(LIMITS.body + 1).encode()), 413),
    served("content-length with leading zeros", post(CL + b"003", body=b"abc")),
    *(
        Row(f"transfer-encoding {value!r}", post(TE + value, body=b"0\r\n\r\n") + NEXT, (status,))
        for value, status in (
            (b"xchunked", 400),
            (b"identity", 400),
            (b"gzip", 400),
            (b"chunked, identity", 400),
            (b'"chunked"', 400),
            (b"\x0bchunked", 400),
            (b"chunked\x00", 400),
            (b"chunked;q=1", 400),
            (b"", 400),
            (b"gzip, chunked", 501),
            (b"chunked, chunked", 400),
        )
    ),
    refused("transfer-encoding twice", post(TE + b"chunked", TE + b"chunked", body=b"0\r\n\r\n")),
    refused("chunked in HTTP/1.0", post(TE + b"chunked", version=b"1.0", body=b"0\r\n\r\n")),
    refused("space before the colon of framing", post(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n")),
    refused("space before a colon", get(b"/", b"Accept : a")),
    refused("tab before a colon", get(b"/", b"Accept\t: a")),
    refused("folded header", get(b"/", b"A: b", b" c")),
    refused("folded header with tab", get(b"/", b"A: b", b"\tc")),
    refused("space before the first header", get(host=b" Host: x\r\n")),
    refused("LF only", b"GET / HTTP/1.1\nHost: x\n\n"),
    refused("LF after the request line", b"GET / HTTP/1.1\nHost: x\r\n\r\n"),
    refused("LF after a header", b"GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n"),
    refused("LF as the blank line", b"GET / HTTP/1.1\r\nHost: x\r\n\n"),
    refused("CR in a value", get(b"/", b"A: b\rc")),
    refused("CR CR LF", b"GET / HTTP/1.1\r\nHost: x\r\r\n\r\n"),
    *(
        refused(f"{char!r} in a value", get(b"/", b"A: b" + char + b"c"))
        for char in (b"\0", b"\x1b", b"\x7f", b"\b")
    ),
    *(
        refused(f"{name!r} as a name", get(b"/", name + b": a"))
        for name in (b"a\0b", b"a b", b"\xc3\xa9", b"", b"a\x7f", b"(a)", b"a@b", b"a[")
    ),
    refused("no colon", get(b"/", b"nonsense")),
    served("latin-1 in a value", get(b"/", b"A: \xe9\xff\x80")),
    *(
        refused(f"{name!r} aliases another", get(b"/", name + b": a"))
        for name in (b"content_length", b"x_api_key", b"Transfer_Encoding")
    ),
    *(
        refused(f"{name!r} twice", get(b"/", name + b": a", name.lower() + b": a"))
        for name in (b"Host", b"Authorization", b"X-Api-Key", b"Content-Type", b"Expect", b"Idempotency-Key")
    ),
    *(
        refused(f"chunk size {size!r}", chunked(size + b"\r\nabc\r\n0\r\n\r\n"))
        for size in (b"0x3", b"-1", b"+3", b" 3", b"", b"10000000000000000", b"f" * 32, b"3_", b"g", b"3 ")
    ),
    refused("chunk size ends in LF", chunked(b"3\nabc\r\n0\r\n\r\n")),
    refused("chunk data ends in LF", chunked(b"3\r\nabc\n0\r\n\r\n")),
    refused("LF in a chunk extension (CVE-2025-55315)", chunked(b"3;a\nabc\r\n0\r\n\r\n")),
    refused("chunk longer than its size (CVE-2025-43859)", chunked(b"3\r\nabcXX\r\n0\r\n\r\n")),
    refused("chunk extension of 1 MiB", chunked(b"3;" + b"a" * MIB + b"\r\nabc\r\n0\r\n\r\n")),
    refused("chunk size with a million zeros", chunked(b"0" * MIB + b"3\r\nabc\r\n0\r\n\r\n")),
    refused(
        "extensions that outweigh",
        chunked(b"".join(b"1;" + b"a" * 200 + b"\r\nb\r\n" for _ in range(2000)) + b"0\r\n\r\n"),
    ),
    refused("a million one-byte chunks (CVE-2025-69229)", chunked(b"1\r\na\r\n" * 100_000 + b"0\r\n\r\n")),
    served("chunk extension", chunked(b"3;a=b\r\nabc\r\n0\r\n\r\n")),
    served("chunk size with some zeros", chunked(b"0" * 10 + b"3\r\nabc\r\n0\r\n\r\n")),
    served("trailers", chunked(b"3\r\nabc\r\n0\r\nHost: evil\r\nAuthorization: b\r\nX-Api-Key: c\r\n\r\n")),
    refused("content-length as a trailer", chunked(b"3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n")),
    refused("endless trailers", chunked(b"0\r\n" + b"A: b\r\n" * 5000), 431),
    refused("one endless trailer", chunked(b"0\r\nA: " + b"b" * 200_000)),
    refused(
        "one endless trailer after much content",
        chunked(b"100000\r\n" + b"a" * MIB + b"\r\n0\r\nA: " + b"b" * 200_000 + b"\r\n\r\n"),
    ),
    served("body on GET", get(b"/", CL + b"3") + b"abc"),
    served("body on DELETE", b"DELETE / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"),
    Row("end in the middle of a body", post(CL + b"10", body=b"abc"), (), closes=False),
    Row("garbage after a request", get() + b"\x00garbage\r\n\r\n", (200, 400), 1),
    Row("garbage after two requests", get() + get(b"/b") + b"GARBAGE\r\n\r\n", (200, 200, 400), 2),
    Row("smuggled prefix", post(CL + b"3", body=b"abcG") + NEXT, (200, 400), 1),
    Row("data after the last request", get(b"/", b"Connection: close") + NEXT, (200,), 1),
    Row("data after the last request of HTTP/1.0", b"GET / HTTP/1.0\r\n\r\n" + NEXT, (200,), 1),
    refused("upgrade with a body", post(b"Connection: upgrade", b"Upgrade: foo", CL + b"5", body=b"hello")),
    refused("upgrade with chunks", chunked(b"0\r\n\r\n", b"Connection: upgrade", b"Upgrade: foo")),
    Row("upgrade", get(b"/", b"Connection: upgrade", b"Upgrade: websocket") + NEXT, (200,), 1),
    Row(
        "upgrade to h2c",
        get(b"/", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk")
        + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        (200,),
        1,
    ),
    served("upgrade not in connection", get(b"/", b"Upgrade: h2c")),
    refused("CONNECT", b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", 405),
    Row("expect", post(b"Expect: 100-continue", CL + b"3", body=b"abc"), (100, 200), 1, closes=False),
    refused("expect with too much to come", post(b"Expect: 100-continue", CL + b"99999999999"), 413),
    refused("expect with a bad host", post(b"Expect: 100-continue", CL + b"3", host=b"Host: a@b\r\n")),
    refused("expect something else", post(b"Expect: 200-ok", CL + b"3", body=b"abc"), 417),
    served("expect in HTTP/1.0", post(b"Expect: x", CL + b"3", body=b"abc", version=b"1.0"), closes=True),
    served(
        "connection names framing", post(b"Connection: content-length, authorization", CL + b"3", body=b"abc")
    ),
]

REQUEST_LINE = [
    refused("no version", b"GET /\r\n\r\n"),
    refused("HTTP/0.9", b"GET / HTTP/0.9\r\nHost: x\r\n\r\n"),
    refused("HTTP/2.0", b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    refused("HTTP/1.2", b"GET / HTTP/1.2\r\nHost: x\r\n\r\n"),
    refused("HTTP/11.1", b"GET / HTTP/11.1\r\nHost: x\r\n\r\n"),
    refused("lower-case version", b"GET / http/1.1\r\nHost: x\r\n\r\n"),
    refused("another protocol", b"GET / ICY/1.1\r\nHost: x\r\n\r\n"),
    refused("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    refused("TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x07" * 32),
    refused("SSH", b"SSH-2.0-OpenSSH_9.2p1\r\n"),
    refused("RDP", b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00"),
    refused("no host", b"GET / HTTP/1.1\r\n\r\n"),
    *(
        refused(f"host {host!r}", get(host=b"Host: " + host + b"\r\n"))
        for host in (
            b"",
            b"a/b@c",
            b"evil:99999",
            b"u:p@x",
            b"a b",
            b"a,b",
            b"x:",
            b"[::1",
            b"\xc3\xa9",
            b"a\\b",
        )
    ),
    served("host with port", get(host=b"Host: [::1]:8080\r\n")),
    served("no host in HTTP/1.0", b"GET / HTTP/1.0\r\n\r\n", closes=True),
    refused("unknown method", b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n"),
    refused("method of another protocol", b"PROPFIND / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    refused("lower-case method", b"get / HTTP/1.1\r\nHost: x\r\n\r\n"),
    refused("method of 1 MiB", b"A" * MIB + b" / HTTP/1.1\r\nHost: x\r\n\r\n"),
    refused("two spaces after the method", b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n"),
    refused("two spaces before the version", b"GET /  HTTP/1.1\r\nHost: x\r\n\r\n"),
    refused("tab after the method", b"GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    refused("leading space", b" GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    served("one empty line first", b"\r\n" + get()),
    served("two empty lines first", b"\r\n\r\n" + get()),
    refused("three empty lines first", b"\r\n\r\n\r\n" + get()),
    refused("a thousand empty lines first", b"\r\n" * 1000 + get()),
    served("an empty line after", get() + b"\r\n"),
    refused("target over 8 KiB", get(b"/" + b"a" * 8192), 414),
    refused("target of 100 kB", get(b"/" + b"a" * 100_000), 414),
    served("target of 8 KiB", get(b"/" + b"a" * 8000)),
    refused("NUL in the target", get(b"/a\0b")),
    refused("byte 0xff in the target", get(b"/a\xff")),
    refused("fragment", get(b"/a#b")),
    refused("asterisk", get(b"*")),
    served("asterisk of OPTIONS", b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"),
    refused("two slashes", get(b"//evil/a")),
    refused("another host's URL", get(b"http://evil/a")),
    refused("URL with user", get(b"http://u:p@x/a")),
    refused("URL of our host, other port", get(b"http://x:99/a")),
    refused("URL of another scheme", get(b"ftp://x/a")),
    served("URL of our own host", get(b"http://X/a?b=c")),
    refused("target without a slash", get(b"a")),
]

VOLUME = [
    refused("a header of 1 MiB", get(b"/", b"A: " + b"b" * MIB), 431),
    refused("a header over 16 KiB", get(b"/", b"A: " + b"b" * (16 * KIB)), 431),
    served("a header below 16 KiB", get(b"/", b"A: " + b"b" * (16 * KIB - 10))),
    refused("headers over 32 KiB", get(b"/", *(b"A%d: " % n + b"b" * 4000 for n in range(9))), 431),
    refused("101 headers", get(b"/", *(b"A%d: b" % n for n in range(100))), 431),
    refused("101 equal headers", get(b"/", *(b"A: b" for _ in range(100))), 431),
    served("100 headers", get(b"/", *(b"A%d: b" % n for n in range(99)))),
    refused("65,000 tiny headers", get(b"/", *(b"A: b" for _ in range(65_000))), 431),
    refused("blanks before a value", get(b"/", b"A: " + b" " * 40_000), 431),
    refused("gzip body", post(CL + b"3", b"Content-Encoding: gzip", body=b"abc"), 415),
    refused("brotli body", post(CL + b"3", b"content-encoding: br", body=b"abc"), 415),
    served("body that is not encoded", post(CL + b"3", b"Content-Encoding: identity", body=b"abc")),
    Row("ten thousand pipelined requests", get() * 10_000, (*[200] * 17, 429), 17),
]

ROWS = [*FRAMING, *REQUEST_LINE, *VOLUME]
