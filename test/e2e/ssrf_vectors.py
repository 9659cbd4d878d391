"""Ways to make a drone connect where it must not, and some to connect where it may. Pure data: run by ssrf_world.py."""

import ipaddress
import json

PUBLIC4 = "93.184.216.34"
PUBLIC6 = "2606:2800:21f::34"
OPENED4 = "10.9.9.9"  # private; open only to vectors that say so
# The classes of addresses that a drone must not reach, one or two of each.
CLOSED4 = ["127.0.0.1", "127.8.9.10", "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254", "100.64.0.1",
           "198.18.0.1", "192.0.2.7", "0.0.0.0", "240.0.0.1", OPENED4]
CLOSED6 = ["::1", "::", "fd00::1", "fc00::7", "fd00:ec2::254", "fe80::1", "fec0::1", "2001:db8::1", "100::1",
           "2001:0:4136:e378:8000:63bf:3fff:fdd2", "3fff::1", "5f00::1", "4000::1"]

# Names of the test's own name server. A list of lists is answered one list after the other, the last for ever.
NAMES = {
    "public.test": [[PUBLIC4]],
    "public6.test": [[PUBLIC6]],
    "both.test": [[PUBLIC4, PUBLIC6]],
    "opened.test": [[OPENED4]],
    "xn--bcher-kva.test": [[PUBLIC4]],
}


class Vector:
    """A profile, the drone's flags, and whether it must give records (works) or must not reach anything (closed)."""

    def __init__(self, name, source, works=False, flags=()):
        self.name, self.source, self.works, self.flags = name, source, works, list(flags)

    def yaml(self, profile_id="ssrf"):
        return (f"id: {profile_id}\nname: x\nversion: 1.0.0\nschedule: {{enabled: false, interval: 1d}}\n"
                f"retry: {{max_attempts: 1}}\nlimits: {{timeout: 3s}}\nsource: {json.dumps(self.source)}\n"
                "mapping:\n  n: {to: dims.n}\n")


def http(url, **more):
    return {"type": "http_rest", "url": url, "format": "json", "records": "rows[*]", **more}


def spellings(address):
    """How an IPv4 address may be written so that some parser takes it for one."""
    a, b, c, d = (int(part) for part in address.split("."))
    number = int(ipaddress.IPv4Address(address))
    low = f"{number >> 16 & 0xffff:x}:{number & 0xffff:x}"
    yield from (address, f"{address}.", str(number), f"0x{number:x}", f"0{number:o}", f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}",
                f"0{a:o}.0{b:o}.0{c:o}.0{d:o}", f"{a}.{b}.{c << 8 | d}", f"{a}.{b << 16 | c << 8 | d}",
                f"000{a:o}.0x{b:x}.{c}.{d}", f"0x{a:x}.{number & 0xffffff}", f"[::ffff:{address}]", f"[::ffff:{low}]",
                f"[::{address}]", f"[64:ff9b::{low}]", f"[64:ff9b:1::{low}]", f"[2002:{low}::1]")


def literal_vectors():
    for address in CLOSED4:
        for host in spellings(address):
            yield Vector(f"literal {host}", http(f"http://{host}/rows"))
    for address in CLOSED6:
        for host in (address, ipaddress.IPv6Address(address).exploded, address.upper()):
            yield Vector(f"literal [{host}]", http(f"http://[{host}]/rows"))
    for host in ("[fe80::1%25lo]", "[::1%25lo]", "[::0001]", "[0::1]", "[::1].", "[::ffff:0:127.0.0.1]", "[::1", "::1"):
        yield Vector(f"literal {host}", http(f"http://{host}/rows"))
    for address in CLOSED4[:6]:
        yield Vector(f"port of {address}", http(f"http://{address}:8080/rows"))
        yield Vector(f"https of {address}", http(f"https://{address}/rows"))


def parser_vectors():
    """Addresses that two parsers read in two ways."""
    secret = "10.0.0.1"
    for url in (f"http://public.test@{secret}/rows", f"http://public.test:80@{secret}/rows",
                f"http://{secret}@public.test@{secret}/rows", f"http://public.test%40{secret}/rows",
                f"http://{secret}#@public.test/rows", f"http://{secret}?@public.test/rows",
                f"http://{secret}\\@public.test/rows", f"http://public.test\\@{secret}/rows",
                f"http://public.test\\.{secret}/rows", f"http://{secret}%00.public.test/rows",
                f"http://{secret}%2f.public.test/rows", f"http://{secret}%23.public.test/rows",
                f"http://{secret}%0d%0aHost:public.test/rows", f"http://{secret} .public.test/rows",
                f"http://{secret}\t/rows", f"http://{secret}\n/rows", f"http:// {secret}/rows", f"http:///{secret}/rows",
                f"http:/{secret}/rows", f"http:{secret}/rows", f"//{secret}/rows", f"{secret}/rows", f"HTTP://{secret}/rows",
                f"hTTp://{secret}/rows", f"http://{secret}:/rows", f"http://{secret}:00080/rows", f"http://{secret}:80x/rows",
                f"http://{secret}:65616/rows", f"http://{secret}:-80/rows", f"http://public.test:80:{secret}/rows",
                "http://１０.0.0.1/rows", "http://①⓪.⓪.⓪.①/rows", "http://10。0。0。1/rows", "http://10．0．0．1/rows",
                "http://10｡0｡0｡1/rows", "http://%31%30.0.0.1/rows", "http://10%2e0%2e0%2e1/rows",
                "http://0/rows", "http://0x0/rows", "http://1/rows", "http://127.1/rows", "http://10.1/rows",
                "http://localhost/rows", "http://LOCALHOST/rows", "http://localhost./rows",
                "http://localhost.localdomain/rows", "http://ip6-localhost/rows", "http://a.localhost/rows",
                f"ftp://{secret}/rows", f"gopher://{secret}:80/_GET%20/rows", f"dict://{secret}:80/rows",
                f"ldap://{secret}:80/rows", f"tftp://{secret}/rows", f"smb://{secret}/rows", f"ws://{secret}/rows",
                f"telnet://{secret}:80", f"imap://{secret}:80/", f"rtsp://{secret}:80/", "file:///etc/hostname",
                "file://10.0.0.1/etc/hostname", "unix:///run/x", f"jar:http://{secret}!/rows", f"url:http://{secret}/rows"):
        yield Vector(f"parser {url!r}", http(url))


def name_vectors():
    def named(answers, name):
        NAMES[name] = answers
        return name

    for i, address in enumerate(CLOSED4 + CLOSED6):
        name = named([[address]], f"closed{i}.test")
        yield Vector(f"name of {address}", http(f"http://{name}/rows"))
        if i % 3 == 0:
            yield Vector(f"name of {address} with a dot", http(f"http://{name}./rows"))
    for i, address in enumerate(["64:ff9b::a00:1", "2002:a00:1::1", "::ffff:10.0.0.1", "::10.0.0.1"]):
        yield Vector(f"name of {address}", http(f"http://{named([[address]], f'inside{i}.test')}/rows"))
    for i, address in enumerate(["10.0.0.1", "169.254.169.254", "127.0.0.1", "fd00::1", "::1"]):
        # Names that answer differently each time: the check and the connection must see the same address. A public
        # address may be taken, the other must not.
        for j, answers in enumerate(([[PUBLIC4], [address]], [[address], [PUBLIC4]], [[PUBLIC4, address]],
                                     [[address, PUBLIC4]], [[PUBLIC4], [PUBLIC4], [address]])):
            name = named(answers, f"flip{i}-{j}.test")
            yield Vector(f"name with {answers}", http(f"http://{name}/rows", pagination={"type": "page"}),
                         works=None)
    for address in ("10.0.0.1", "fd00::1"):
        yield Vector(f"alias of {address}", http(f"http://{named(f'closed{(CLOSED4 + CLOSED6).index(address)}.test', 'alias-' + address.replace(':', '-').replace('.', '-') + '.test')}/rows"))


def redirect_vectors():
    targets = ["http://10.0.0.1/rows", "http://169.254.169.254/latest/meta-data/", "http://closed2.test/rows",
               "http://[fd00::1]/rows", "http://[::ffff:10.0.0.1]/rows", "http://0x0a000001/rows", "//10.0.0.1/rows",
               "http://public.test@10.0.0.1/rows", "http://127.0.0.1:8080/rows"]
    allow = ["public.test", "10.0.0.1", "169.254.169.254", "closed2.test", "127.0.0.1"]
    for code in (301, 302, 303, 307, 308):
        for target in targets:
            yield Vector(f"redirect {code} to {target}",
                         http("http://public.test/redirect", query={"code": str(code), "to": target},
                              egress={"allow": allow}))
    for target in ("ftp://10.0.0.1/rows", "file:///etc/hostname", "gopher://10.0.0.1:80/_", "dict://10.0.0.1:80/x",
                   "https://10.0.0.1/rows", "\\\\10.0.0.1/rows", "/\\10.0.0.1/rows", "http:10.0.0.1/rows",
                   "http:///10.0.0.1/rows", " http://10.0.0.1/rows", "http://10.0.0.1", "10.0.0.1"):
        yield Vector(f"redirect to {target}", http("http://public.test/redirect", query={"code": "302", "to": target},
                                                   egress={"allow": allow}))
    chain = "http://public.test/redirect?code=302&to=http://10.0.0.1/rows"
    yield Vector("redirect twice", http("http://public.test/redirect", query={"code": "302", "to": chain},
                                        egress={"allow": allow}))
    yield Vector("redirect with a body", http("http://public.test/redirect", method="POST", body="{}",
                                              query={"code": "307", "to": "http://10.0.0.1/rows"},
                                              egress={"allow": allow}))
    yield Vector("refresh header", http("http://public.test/refresh", query={"to": "http://10.0.0.1/rows"}))


def page_vectors():
    for target in ("http://10.0.0.1/rows", "http://169.254.169.254/", "//10.0.0.1/rows", "http://closed2.test/rows",
                   "http://[::1]/rows", "http://0x7f.1/rows", "http://public.test@10.0.0.1/rows", "ftp://10.0.0.1/rows",
                   "http://10.0.0.1:8080/rows", "file:///etc/hostname"):
        allow = {"allow": ["public.test", "10.0.0.1", "169.254.169.254", "closed2.test"]}
        yield Vector(f"next page {target}",
                     http("http://public.test/next", query={"to": target}, egress=allow,
                          pagination={"type": "next_url", "next": "next"}), works=None)
        yield Vector(f"next link {target}",
                     http("http://public.test/link", query={"to": target}, egress=allow,
                          pagination={"type": "link_header"}), works=None)


def other_vectors():
    for host in ("127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "localhost", "closed2.test", "2130706433",
                 "0x7f.1"):
        yield Vector(f"token from {host}",
                     http("http://public.test/rows",
                          auth={"type": "oauth2", "token_url": f"http://{host}/token", "client_id": "x",
                                "secretRef": {"name": "ssrf", "key": "secret"}}))
    for host in ("127.0.0.1", "127.1", "2130706433", "0x7f000001", "10.0.0.1", "::1", "::ffff:10.0.0.1", "fd00::1",
                 "localhost", "closed2.test", "flip0-2.test", "/run/postgresql", "10.0.0.1,public.test", "@x",
                 "169.254.169.254"):
        yield Vector(f"database at {host}",
                     {"type": "postgres",
                      "postgres": {"host": host, "database": "x", "user": "x", "query": "SELECT 1 AS n",
                                   "tls": "require"}})


def working_vectors():
    """What must still work; the last one that the address decides, not the name."""
    yield Vector("public name", http("http://public.test/rows"), works=True)
    yield Vector("public name with a dot", http("http://public.test./rows"), works=True)
    yield Vector("public name in capitals", http("http://PUBLIC.test/rows"), works=True)
    yield Vector("public name in xn--", http("http://xn--bcher-kva.test/rows"), works=True)
    yield Vector("public name of v6", http("http://public6.test/rows"), works=True)
    yield Vector("public name of both", http("http://both.test/rows"), works=True)
    yield Vector("public address", http(f"http://{PUBLIC4}/rows"), works=True)
    yield Vector("public address of v6", http(f"http://[{PUBLIC6}]/rows"), works=True)
    yield Vector("another port", http("http://public.test:8080/rows"), works=True)
    yield Vector("redirect to a public name",
                 http("http://public.test/redirect", query={"code": "302", "to": "http://both.test/rows"},
                      egress={"allow": ["public.test", "both.test"]}), works=True)
    yield Vector("next page of a public name",
                 http("http://public.test/next", query={"to": "http://both.test/rows"},
                      egress={"allow": ["public.test", "both.test"]},
                      pagination={"type": "next_url", "next": "next"}), works=True)
    opened = ["--egress-allow", f"{OPENED4}/32"]
    yield Vector("opened address", http(f"http://{OPENED4}/rows"), works=True, flags=opened)
    yield Vector("opened name", http("http://opened.test/rows"), works=True, flags=opened)
    yield Vector("closed beside an opened address", http("http://10.9.9.8/rows"), flags=opened)


def vectors():
    return [*literal_vectors(), *parser_vectors(), *name_vectors(), *redirect_vectors(), *page_vectors(),
            *other_vectors(), *working_vectors()]
