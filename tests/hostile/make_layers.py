#!/usr/bin/env python3
"""Writes hostile layers as files, for tests that push them through a registry, `load`, or PUT /archive.

    make_layers.py DIRECTORY

For each kind (the numbers of security.md 4.2) DIRECTORY/NAME.tar and NAME.tar.gz, and DIRECTORY/index.json:
[{"name", "kind", "tar", "gzip", "diff_id", "digest", "size", "verdict"}], verdict being "refuse" or "apply".
The blocks are written by hand: no library would write them like that.
"""
import gzip
import hashlib
import json
import os
import sys


def octal(value, digits):
    return b"%0*o" % (digits, value)


def base256(value, size):
    field = bytearray((value % (1 << (8 * size))).to_bytes(size, "big"))
    field[0] |= 0x80
    return bytes(field)


def entry(name, type=b"0", content=b"", link=b"", mode=0o755, uid=b"0000000", gid=b"0000000", size=None, mtime=b"00000000001",
          major=b"0000000", minor=b"0000000", magic=b"ustar\x0000", checksum=None, at386=b""):
    block = bytearray(512)

    def put(offset, width, value):
        block[offset:offset + min(width, len(value))] = value[:width]

    put(0, 100, name)
    put(100, 8, octal(mode, 7))
    put(108, 8, uid)
    put(116, 8, gid)
    put(124, 12, octal(len(content), 11) if size is None else size)
    put(136, 12, mtime)
    put(156, 1, type)
    put(157, 100, link)
    put(257, 8, magic)
    put(329, 8, major)
    put(337, 8, minor)
    put(386, 126, at386)
    put(148, 8, b" " * 8)
    put(148, 8, octal(sum(block), 6) + b"\0 " if checksum is None else checksum)
    return bytes(block) + content + bytes(-len(content) % 512)


def record(key, value):
    size = len(key) + len(value) + 3
    digits = 1
    while len(str(size + digits)) != digits:
        digits += 1
    return b"%d %s=%s\n" % (size + digits, key, value)


def pax(*records, type=b"x"):
    return entry(b"PaxHeaders.0/x", type, b"".join(record(*r) if isinstance(r, tuple) else r for r in records))


def file(name, content=b"x"):
    return entry(name, content=content, mode=0o644)


def directory(name, mode=0o755):
    return entry(name, b"5", mode=mode)


def symlink(name, target):
    return entry(name, b"2", link=target)


def hard_link(name, target):
    return entry(name, b"1", link=target)


def device(name, type, major, minor):
    return entry(name, type, major=major, minor=minor)


END = bytes(1024)
SPARSE = [(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", b"real"), (b"GNU.sparse.realsize", b"10")]


def blocks(text, data):
    return text + bytes(-len(text) % 512) + data


REFUSE, APPLY = "refuse", "apply"
LAYERS = [
    (1, "dot-dot", REFUSE, file(b"../x")),
    (2, "dot-dot-below", REFUSE, file(b"a/../../x")),
    (3, "absolute", APPLY, file(b"/abs/x")),
    (4, "root-as-symlink", REFUSE, symlink(b".", b"/hostmarker")),
    (4, "root-as-file", REFUSE, file(b"/")),
    (5, "empty-name", REFUSE, file(b"")),
    (6, "only-slashes", APPLY, directory(b"///")),
    (7, "nul-in-path", REFUSE, pax((b"path", b"a\0b")) + file(b"f")),
    (8, "component-255", APPLY, pax((b"path", b"n" * 255)) + file(b"f")),
    (8, "component-256", REFUSE, pax((b"path", b"n" * 256)) + file(b"f")),
    (9, "not-utf8", APPLY, file(b"\xff\xfe")),
    (10, "control-characters", APPLY, file(b"a\n\x1b[31m\"")),
    (11, "through-absolute-symlink", REFUSE, symlink(b"d", b"/hostmarker") + file(b"d/f")),
    (12, "directory-over-symlink", APPLY, symlink(b"d", b"/tmp") + directory(b"d", 0o777)),
    (13, "two-hops", REFUSE, directory(b"inner") + symlink(b"inner/go_up", b"..") + symlink(b"inner/go_up/escape", b"../victim")
     + file(b"inner/go_up/escape/new")),
    (14, "symlink-loop", REFUSE, symlink(b"a", b"b") + symlink(b"b", b"a") + file(b"a/x")),
    (15, "absolute-symlink-inside", APPLY, directory(b"etc") + symlink(b"e", b"/etc") + file(b"e/passwd", b"mine")),
    (16, "hard-link-absolute", REFUSE, hard_link(b"h", b"/etc/shadow")),
    (17, "hard-link-upwards", REFUSE, hard_link(b"h", b"../../etc/shadow")),
    (18, "hard-link-through-symlink", REFUSE, symlink(b"s", b"/etc") + hard_link(b"h", b"s/shadow")),
    (19, "hard-link-to-later", REFUSE, hard_link(b"h", b"later") + symlink(b"later", b"/etc/shadow")),
    (20, "hard-link-to-directory", REFUSE, directory(b"d") + hard_link(b"h", b"d")),
    (21, "hard-link-to-itself", REFUSE, file(b"a") + hard_link(b"a", b"a")),
    (22, "types-flip", APPLY, file(b"a") + directory(b"a") + file(b"a/b") + symlink(b"a", b"/tmp") + directory(b"a") + file(b"a/c")),
    (23, "devices", APPLY, device(b"null", b"3", b"0000001", b"0000003") + device(b"sda", b"4", b"0000010", b"0000000")),
    (23, "forged-whiteout", REFUSE, device(b"w", b"3", b"0000000", b"0000000")),
    (23, "negative-major", REFUSE, device(b"n", b"3", base256(-1, 8), b"0000000")),
    (24, "fifo", APPLY, entry(b"f", b"6") * 2),
    (24, "socket", REFUSE, entry(b"s", b"s")),
    (25, "unknown-type", REFUSE, entry(b"z", b"Z")),
    (26, "setuid", APPLY, entry(b"s", content=b"x", mode=0o6755, uid=b"0001750")),
    (27, "overlay-xattrs", APPLY, pax((b"SCHILY.xattr.trusted.overlay.opaque", b"y")) + directory(b"d")),
    (27, "xattr-64k", REFUSE, pax((b"SCHILY.xattr.user.x", b"x" * 65536)) + file(b"f")),
    (28, "whiteout", APPLY, file(b".wh.x", b"")),
    (28, "whiteout-of-nothing", REFUSE, file(b".wh.", b"")),
    (28, "whiteout-of-dot-dot", REFUSE, file(b"a/.wh...", b"")),
    (28, "aufs-own", APPLY, directory(b".wh..wh.plnk") + file(b".wh..wh.aufs")),
    (29, "opaque-and-children", APPLY, directory(b"d") + file(b"d/a") + file(b"d/.wh..wh..opq", b"")),
    (30, "two-pax-headers", REFUSE, pax((b"path", b"a")) * 2 + file(b"f")),
    (30, "pax-length-lies", REFUSE, pax(b"99 path=a\n") + file(b"f")),
    (31, "global-header", APPLY, pax((b"path", b"../evil"), type=b"g") + file(b"f")),
    (32, "long-name-alone", REFUSE, entry(b"././@LongLink", b"L", b"a")),
    (32, "long-name-huge", REFUSE, entry(b"././@LongLink", b"L", size=octal(100 << 20, 11)) + bytes(4096)),
    (33, "size-negative", REFUSE, entry(b"f", size=base256(-1, 12))),
    (33, "size-beyond-end", REFUSE, entry(b"f", size=octal(1 << 30, 11))),
    (34, "bad-checksum", REFUSE, entry(b"f", checksum=b"0000000\0")),
    (34, "trailing-garbage", APPLY, file(b"f") + END + b"g" * 700),
    (35, "sparse", APPLY, pax(*SPARSE) + file(b"s", blocks(b"2\n0\n3\n7\n2\n", b"abcde"))),
    (35, "sparse-overlap", REFUSE, pax(*SPARSE) + file(b"s", blocks(b"2\n0\n3\n2\n2\n", b"abcde"))),
    (35, "sparse-many-regions", REFUSE, pax(*SPARSE) + file(b"s", blocks(b"1000000000\n0\n1\n", b"abcde"))),
    (36, "mtime-nan", REFUSE, pax((b"mtime", b"NaN")) + file(b"f")),
    (36, "mtime-negative", APPLY, entry(b"f", mtime=base256(-1, 12))),
    (36, "uid-out-of-range", REFUSE, pax((b"uid", b"4294967296")) + file(b"f")),
    (37, "same-name-many-times", APPLY, file(b"same") * 20000),
    (38, "directory-with-content", APPLY, entry(b"d", b"5", b"payload") + file(b"f", b"after")),
    (39, "twins", APPLY, file(b"A", b"1") + file(b"a", b"2") + file("é".encode(), b"3") + file(b"e\xcc\x81", b"4")),
    (40, "below-a-file", REFUSE, file(b"a") + file(b"a/b")),
    (40, "engine-files", APPLY, file(b".dockerenv") + file(b"etc/resolv.conf", b"nameserver 192.0.2.1\n") + directory(b"proc") + symlink(b"sys", b"/tmp")),
]


def tar_of(layer):
    """The whole archive; what has garbage at its end has its end before it."""
    return layer[3] if layer[1].endswith("garbage") else layer[3] + END


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    target = sys.argv[1]
    os.makedirs(target, exist_ok=True)
    index = []
    for layer in LAYERS:
        kind, name, verdict, _ = layer
        tar = tar_of(layer)
        packed = gzip.compress(tar, 6, mtime=0)
        path = "%02d-%s" % (kind, name)
        for suffix, data in ((".tar", tar), (".tar.gz", packed)):
            with open(os.path.join(target, path + suffix), "wb") as out:
                out.write(data)
        index.append({"name": path, "kind": kind, "tar": path + ".tar", "gzip": path + ".tar.gz",
                      "diff_id": "sha256:" + hashlib.sha256(tar).hexdigest(), "digest": "sha256:" + hashlib.sha256(packed).hexdigest(),
                      "size": len(packed), "verdict": verdict})
    with open(os.path.join(target, "index.json"), "w") as out:
        json.dump(index, out, indent=1)
    print("%d layers in %s" % (len(index), target))


if __name__ == "__main__":
    main()
