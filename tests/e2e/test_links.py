"""--link: /etc/hosts and environment on the default bridge, names on user-defined networks."""
import json
import signal

import pytest
from engine import PEER, wait_until


@pytest.fixture
def client(engine, program):
    return lambda *arguments, **options: engine.run(*arguments, program=program, **options)


@pytest.fixture
def db(engine, image):
    flags = ["--expose", "5432", "-e", "FOO=bar", "-e", "PATH=/usr/bin:/bin"]
    assert engine.run("run", "-d", "--name", "db", *flags, image, "sleep", "600").code == 0
    return engine.inspect("db")


def address_of(container, network="bridge"):
    return container["NetworkSettings"]["Networks"][network]["IPAddress"]


def test_the_linked_container_is_in_the_environment(db, sh):
    lines = sh("env | grep ^THE_DB_ | sort", "--name", "web", "--link", "db:the-db").splitlines()
    address = address_of(db)
    assert lines == [
        "THE_DB_ENV_FOO=bar",
        "THE_DB_NAME=/web/the-db",
        f"THE_DB_PORT=tcp://{address}:5432",
        f"THE_DB_PORT_5432_TCP=tcp://{address}:5432",
        f"THE_DB_PORT_5432_TCP_ADDR={address}",
        "THE_DB_PORT_5432_TCP_PORT=5432",
        "THE_DB_PORT_5432_TCP_PROTO=tcp"]


def test_exec_has_the_environment_too(engine, image, client, db):
    client("run", "-d", "--name", "web", "--link", "db", image, "sleep", "600")
    assert f"DB_PORT_5432_TCP_ADDR={address_of(db)}" in client("exec", "web", "env").out.splitlines()


def test_the_linked_container_is_in_etc_hosts(db, sh):
    address, short = address_of(db), db["Id"][:12]
    assert f"{address}\tthedb {short} db" in sh("cat /etc/hosts", "--link", "db:thedb").splitlines()
    lines = sh("cat /etc/hosts", "--link", "db").splitlines()
    assert f"{address}\tdb {short}" in lines
    assert lines.index(f"{address}\tdb {short}") == len(lines) - 2, "before its own"
    assert sh("ping -c 1 -W 2 thedb > /dev/null && echo there", "--link", "db:thedb") == "there"


def test_inspect_and_ps_show_links_by_name(engine, image, client, db):
    client("create", "--name", "web", "--link", "db:thedb", "--link", "db", image, "true")
    assert sorted(engine.inspect("web")["HostConfig"]["Links"]) == ["/db:/web/db", "/db:/web/thedb"]
    assert engine.inspect("db")["HostConfig"]["Links"] is None
    assert client("ps", "--no-trunc", "--format", "{{.Names}}").out.strip() == "db,web/db,web/thedb"
    assert client("ps", "--format", "{{.Names}}").out.strip() == "db"
    assert client("inspect", "-f", "{{.Name}}", "/web/thedb").out.strip() == "/db"
    client("rename", "db", "store")
    client("rename", "web", "site")
    assert sorted(engine.inspect("site")["HostConfig"]["Links"]) == ["/store:/site/db", "/store:/site/thedb"]
    client("rename", "store", "db")


def test_a_link_is_removed_and_the_container_stays(engine, image, client, db):
    client("create", "--name", "web", "--link", "db:thedb", "--link", "db", image, "true")
    assert client("rm", "--link", "web/thedb").out == "web/thedb\n"
    assert engine.inspect("web")["HostConfig"]["Links"] == ["/db:/web/db"]
    assert engine.inspect("db")["State"]["Running"]
    missing = client("rm", "--link", "web/nosuch")
    assert missing.code == 1 and "No such container: web/nosuch" in missing.err
    default = client("rm", "--link", "web")
    assert default.code == 1 and "Conflict, cannot remove the default link name of the container" in default.err


def test_links_follow_a_restart_to_another_address(engine, image, client, db):
    client("run", "-d", "--name", "web", "--link", "db:thedb", image, "sleep", "600")
    first = address_of(db)
    client("stop", "-t", "0", "db")

    def squatter():  # an address rests until the kernel has taken its link apart
        made = client("run", "-d", image, "sleep", "600")
        return address_of(engine.inspect(made.out.strip())) == first

    wait_until(squatter, what="somebody at the old address")
    client("start", "db")
    second = address_of(engine.inspect("db"))
    assert second != first
    hosts = client("exec", "web", "cat", "/etc/hosts").out
    assert f"{second}\tthedb {db['Id'][:12]} db\n" in hosts and f"{first}\tthedb" not in hosts


def test_what_cannot_be_linked_to(engine, image, client, db):
    done = client("create", "--link", "nosuch:x", image, "true")
    assert done.code == 1 and "could not get container for nosuch: No such container: nosuch" in done.err, done
    done = client("create", "--link", ":", image, "true")
    assert done.code == 1 and 'could not get container for : invalid name or ID supplied: ""' in done.err, done
    for value, text in (("a:b:c", "bad format for links: a:b:c"), ("", "empty string specified for links")):
        done = client("run", "--rm", "--link", value, image, "true")
        assert done.code == 125 and f'invalid argument "{value}" for "--link" flag: {text}' in done.err, done
    client("create", "--name", "idle", image, "true")
    done = client("run", "--name", "web", "--link", "idle:x", image, "true")
    assert done.code == 125 and "Cannot link to a non running container: /idle AS /web/x" in done.err, done
    client("network", "create", "apart")
    client("run", "-d", "--name", "elsewhere", "--network", "apart", image, "sleep", "600")
    assert client("run", "--rm", "--link", "elsewhere:x", image, "true").code == 125
    client("run", "-d", "--name", "later", "--link", "db", image, "sleep", "600")
    client("rm", "-f", "db")
    done = client("restart", "-t", "0", "later")
    assert done.code == 1 and "Cannot link to a non running container: /db AS /later/db" in done.err, done


def test_links_on_a_user_defined_network_are_names(engine, image, client, sh):
    client("network", "create", "linked")
    client("run", "-d", "--name", "db", "--network", "linked", image, "sleep", "600")
    address = address_of(engine.inspect("db"), "linked")
    out = sh("ping -c 1 -W 2 thedb | head -1; env | grep -c THEDB; grep -c thedb /etc/hosts; true", "--network", "linked", "--link", "db:thedb")
    assert out.splitlines() == [f"PING thedb ({address}): 56 data bytes", "0", "0"]
    assert "bad address" in client("run", "--rm", "--network", "linked", image, "ping", "-c", "1", "thedb").err, "the link is its owner's"
    client("create", "--name", "web", "--network", "linked", "--link", "db:thedb", "--link", "nosuch", image, "true")
    web = engine.inspect("web")
    assert web["NetworkSettings"]["Networks"]["linked"]["Links"] == ["db:thedb", "nosuch"] and web["HostConfig"]["Links"] is None


def test_network_connect_with_a_link(engine, image, client):
    client("network", "create", "linked")
    client("run", "-d", "--name", "db", "--network", "linked", image, "sleep", "600")
    client("run", "-d", "--name", "web", image, "sleep", "600")
    assert client("network", "connect", "--link", "db:foo", "linked", "web").code == 0
    address = address_of(engine.inspect("db"), "linked")
    assert address in client("exec", "web", "ping", "-c", "1", "-W", "2", "foo").out


def test_links_outlive_the_daemon(engine, image, client, db):
    client("run", "-d", "--name", "web", "--link", "db:thedb", image, "sleep", "600")
    client("network", "create", "linked")
    client("run", "-d", "--name", "there", "--network", "linked", image, "sleep", "600")
    client("run", "-d", "--name", "here", "--network", "linked", "--link", "there:far", image, "sleep", "600")
    # Debian's dockerd cannot start again beside the containerd that it leaves when it is killed.
    engine.restart(signal.SIGTERM if PEER else signal.SIGKILL)
    assert engine.inspect("web")["HostConfig"]["Links"] == ["/db:/web/thedb"]
    assert json.loads(client("inspect", "/web/thedb").out)[0]["Id"] == db["Id"]
    if not PEER:  # Debian's dockerd forgets such names
        assert "1 packets received" in client("exec", "here", "ping", "-c", "1", "-W", "2", "far").out
