"""Id-mapped mounts: files have other owners through the mount than on the host."""
import os
import subprocess

import pytest

differs = pytest.mark.differs


def can_be_mapped(path):
    """Whether the kernel maps this file system: a tmpfs since Linux 6.3 (mount_setattr(2))."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", path], capture_output=True, text=True, check=True).stdout.strip()
    return kind != "tmpfs" or tuple(int(part) for part in os.uname().release.split(".")[:2]) >= (6, 3)


def mapping(host, size=65536):
    both = [{"containerID": 0, "hostID": host, "size": size}]
    return {"uidMappings": both, "gidMappings": both}


@pytest.fixture
def owned(box):
    """A directory of the host whose file is root's, and one of user 5."""
    if not can_be_mapped(box.path()):
        pytest.skip("this kernel cannot id-map a tmpfs")
    os.makedirs(box.path("owned/below"))
    for name, owner in (("file", 0), ("below/other", 5)):
        with open(box.path("owned", name), "w") as file:
            file.write(name)
        os.chown(box.path("owned", name), owner, owner)
    return box.path("owned")


# The ids of the file system are the container's side of the mapping (mount_setattr(2)).
@differs(runc="runc 1.1 ignores the mappings")
def test_with_mappings_of_its_own(box, owned):
    box.bind(owned, "/mnt", "rbind", "idmap", **mapping(1000))
    assert box.sh("stat -c '%u:%g' /mnt/file /mnt/below/other").split() == ["1000:1000", "1005:1005"]
    assert os.stat(f"{owned}/file").st_uid == 0


@differs(runc="runc 1.1 ignores the mappings")
def test_what_is_written_is_stored_with_the_other_id(box, owned):
    os.chmod(owned, 0o777)
    box.process["user"] = {"uid": 1000, "gid": 1000}
    box.bind(owned, "/mnt", "rbind", "idmap", **mapping(1000))
    assert box.sh("echo x >/mnt/new && stat -c %u /mnt/new") == "1000"
    assert os.stat(f"{owned}/new").st_uid == 0


@differs(runc="runc 1.1 refuses the option")
def test_with_the_containers_mapping(box, owned):
    box.map_user(100000)
    box.bind(owned, "/mnt", "rbind", "idmap", **mapping(100000))
    assert box.sh("stat -c '%u:%g' /mnt/file /mnt/below/other").split() == ["0:0", "5:5"]


@pytest.mark.ours
def test_option_without_mappings_takes_the_containers(box, owned):
    box.map_user(100000)
    box.bind(owned, "/mnt", "rbind", "ridmap")
    assert box.sh("stat -c '%u:%g' /mnt/file /mnt/below/other").split() == ["0:0", "5:5"]


@pytest.mark.ours
def test_one_without_any_mapping_is_refused(box, owned):
    box.bind(owned, "/mnt", "rbind", "idmap")
    assert box.run("true").has_failed("has mappings")


@pytest.mark.ours
def test_half_a_mapping_is_refused(box, owned):
    box.bind(owned, "/mnt", "rbind", "idmap", uidMappings=mapping(1)["uidMappings"])
    assert box.run("true").has_failed("both uidmappings and gidmappings")


@pytest.mark.ours
def test_file_system_that_cannot_is_named(box):
    box.bind("/proc/self", "/mnt", "rbind", "idmap", **mapping(1000))
    assert box.run("true").has_failed("cannot be id-mapped")


def test_relative_source_is_relative_to_the_bundle(box, owned):
    box.bind("owned", "/mnt", "rbind")
    assert box.sh("cat /mnt/file") == "file"
