"""What a hostile archive or container aims at: facts about the host that must stay, and what lies in a data root."""
import contextlib
import os
import stat

MARKER = "/hostmarker"  # what hostile links name
SECRET = "what only the host knows"  # in its file canary


@contextlib.contextmanager
def marker():
    """A directory of the host that nothing from outside may reach; with one file, canary, in it."""
    os.mkdir(MARKER)
    with open(f"{MARKER}/canary", "w") as file:
        file.write(SECRET)
    try:
        yield MARKER
        with open(f"{MARKER}/canary") as file:
            assert (os.listdir(MARKER), file.read()) == (["canary"], SECRET)
    finally:
        for name in os.listdir(MARKER):
            os.unlink(f"{MARKER}/{name}")
        os.rmdir(MARKER)


def host_facts():
    """Files and directories of the host that hostile entries aim at."""
    facts = {}
    for path in ("/", "/etc", "/tmp", "/etc/shadow", "/etc/passwd", MARKER, f"{MARKER}/canary"):
        info = os.stat(path)
        facts[path] = (stat.filemode(info.st_mode), info.st_uid, info.st_gid, info.st_nlink if stat.S_ISREG(info.st_mode) else 0)
    return facts, sorted(set(os.listdir("/")))


def data_root(engine):
    """Every name below the data root but what the database's journal and the next container's directory come and go with."""
    found = set()
    for parent, directories, files in os.walk(engine.data_root):
        found.update(os.path.join(parent, name) for name in directories + files)
    passing = (f"{engine.data_root}/proa.db", f"{engine.data_root}/tmp/")
    return {name for name in found if not name.startswith(passing)}
