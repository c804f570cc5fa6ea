"""buildah: `buildah run --runtime` and RUN lines of a build."""
import pytest
from caller import Caller


class Buildah(Caller):
    def __init__(self, registry):
        super().__init__(registry)
        self.working = self.ok("from", "--tls-verify=false", self.image)

    def command(self, *words):
        d = self.directory
        return ["buildah", "--root", f"{d}/root", "--runroot", f"{d}/run", "--storage-driver", "vfs", *words]

    def run(self, *words, flags=()):
        return self("run", "--isolation", "oci", "--runtime", self.runtime, *flags, self.working, "--", *words)

    def close(self):
        self("rm", "-a")
        super().close()


@pytest.fixture(scope="module")
def buildah(registry):
    made = Buildah(registry)
    yield made
    made.close()


def test_output_and_exit_code(buildah):
    done = buildah.run("sh", "-c", "echo out; echo err >&2; exit 7")
    assert done.code == 7 and done.out == "out\n" and "err" in done.err


def test_files_stay(buildah):
    assert buildah.run("sh", "-c", "echo content >/made").code == 0
    assert buildah.run("cat", "/made").out == "content\n"


def test_mounts_user_and_directory(buildah):
    assert buildah.ok("config", "--workingdir", "/tmp", "--user", "1000", buildah.working) == ""
    done = buildah.run("sh", "-c", "id -u; pwd; cat /data/f", flags=["-v", f"{buildah.directory}:/outside:ro", "--mount", "type=tmpfs,dst=/data"])
    assert done.out.split()[:2] == ["1000", "/tmp"] and "can't open '/data/f'" in done.err
    buildah.ok("config", "--workingdir", "/", "--user", "0", buildah.working)


def test_terminal(buildah):
    assert buildah.run("tty", flags=["-t"]).out.strip() == "/dev/pts/0"


def test_build(buildah, tmp_path):
    (tmp_path / "Dockerfile").write_text(f"FROM {buildah.image}\nRUN echo built >/f && test \"$(id -u)\" = 0\nRUN cat /f\n")
    out = buildah.ok("build", "--tls-verify=false", "--isolation", "oci", "--runtime", buildah.runtime, "-t", "made", str(tmp_path))
    assert "built" in out
    assert buildah("build", "--tls-verify=false", "--isolation", "oci", "--runtime", buildah.runtime, "--build-arg", "X=1", "-f", "/dev/stdin", str(tmp_path),
                   input=f"FROM {buildah.image}\nRUN exit 4\n").code != 0
