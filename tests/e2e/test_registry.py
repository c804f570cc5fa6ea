"""proa-registry by the distribution specification 1.1; ENGINE=dockerd runs what it can against Debian's docker-registry."""
import base64
import crypt
import http.client
import json
import os
import signal
import subprocess
import tempfile
import urllib.error

import images
import pytest
from engine import BIN, PEER
from registries import Server

ours = pytest.mark.ours


@pytest.fixture(scope="module")
def server():
    one = Server().start()
    yield one
    one.close()


@pytest.fixture
def ask(server):
    def go(method, path, data=None, **headers):
        try:
            reply = server.registry.request(method, path, data, {name.replace("_", "-"): value for name, value in headers.items()})
        except urllib.error.HTTPError as error:
            reply = error
        try:
            reply.body = reply.read()
        except http.client.IncompleteRead as broken:  # docker-registry's 416 has the length of the blob, and nothing of it
            reply.body = broken.partial
        return reply
    return go


def code_of(reply):
    return json.loads(reply.body)["errors"][0]["code"]


def detail_of(reply):
    return json.loads(reply.body)["errors"][0]["detail"]


def test_base_and_catalogue(server, ask):
    reply = ask("GET", "/v2/")
    assert (reply.status, reply.body, reply.headers["Docker-Distribution-API-Version"]) == (200, b"{}", "registry/2.0")
    for name in ("cat/a", "cat/b", "cat/c"):
        server.registry.push(name, "1", images.busybox_image())
    all_names = json.loads(ask("GET", "/v2/_catalog?n=1000").body)["repositories"]
    assert {"cat/a", "cat/b", "cat/c"} <= set(all_names) and all_names == sorted(all_names)
    first = ask("GET", "/v2/_catalog?n=1")
    assert json.loads(first.body)["repositories"] == all_names[:1] and 'rel="next"' in first.headers["Link"]


def test_manifest_is_kept_to_the_byte(server, ask):
    image = images.busybox_image(oci=True, created="2026-06-01T00:00:00Z")
    server.registry.push("kept", "1", image)
    for reference in ("1", image.digest):
        reply = ask("GET", f"/v2/kept/manifests/{reference}", Accept=images.OCI_MANIFEST)
        assert reply.body == image.manifest and reply.headers["Content-Type"] == images.OCI_MANIFEST
        assert reply.headers["Docker-Content-Digest"] == image.digest
        head = ask("HEAD", f"/v2/kept/manifests/{reference}", Accept=images.OCI_MANIFEST)
        assert (head.status, head.body, int(head.headers["Content-Length"])) == (200, b"", len(image.manifest))
    same = ask("GET", f"/v2/kept/manifests/{image.digest}", If_None_Match=f'"{image.digest}"', Accept=images.OCI_MANIFEST)
    assert same.status == 304
    missing = ask("GET", "/v2/kept/manifests/nothere")
    assert (missing.status, code_of(missing)) == (404, "MANIFEST_UNKNOWN")


def test_blob_ranges(server, ask):
    data = bytes(range(256)) * 100
    digest = server.registry.put_blob("ranges", data)
    path = f"/v2/ranges/blobs/{digest}"
    assert ask("GET", path).body == data
    part = ask("GET", path, Range="bytes=100-199")
    assert (part.status, part.body, part.headers["Content-Range"]) == (206, data[100:200], f"bytes 100-199/{len(data)}")
    assert ask("GET", path, Range="bytes=25500-").body == data[25500:]
    if not PEER:  # docker-registry 2.8 fails here
        assert ask("GET", path, Range="bytes=-10").body == data[-10:]
        beyond = ask("GET", path, Range=f"bytes={len(data)}-")
        assert (beyond.status, beyond.headers["Content-Range"], code_of(beyond)) == (416, f"bytes */{len(data)}", "RANGE_INVALID")
        assert beyond.headers["Content-Type"] == "application/json" and "max-age" not in beyond.headers.get("Cache-Control", "")
    assert int(ask("HEAD", path).headers["Content-Length"]) == len(data)
    missing = ask("GET", "/v2/ranges/blobs/sha256:" + "0" * 64)
    assert (missing.status, code_of(missing)) == (404, "BLOB_UNKNOWN")


def upload(ask, repository):
    reply = ask("POST", f"/v2/{repository}/blobs/uploads/", b"")
    assert reply.status == 202
    return reply.headers["Location"]


def digest_query(location, digest):
    return f"{location}{'&' if '?' in location else '?'}digest={digest}"


def test_chunked_upload(ask):
    data = os.urandom(300_000)
    location = upload(ask, "chunks")
    for begin in range(0, len(data), 100_000):
        chunk = data[begin:begin + 100_000]
        reply = ask("PATCH", location, chunk, Content_Range=f"{begin}-{begin + len(chunk) - 1}", Content_Type="application/octet-stream")
        assert (reply.status, reply.headers["Range"]) == (202, f"0-{begin + len(chunk) - 1}")
        location = reply.headers["Location"]
        status = ask("GET", location)
        assert (status.status, status.headers["Range"]) == (204, f"0-{begin + len(chunk) - 1}")
    if not PEER:  # the specification's MUST, which docker-registry 2.8 does not know
        assert ask("PATCH", location, b"x", Content_Range="7-7", Content_Type="application/octet-stream").status == 416
    done = ask("PUT", digest_query(location, images.digest_of(data)), b"")
    assert done.status == 201 and done.headers["Docker-Content-Digest"] == images.digest_of(data)
    assert ask("GET", f"/v2/chunks/blobs/{images.digest_of(data)}").body == data


def test_uploads_that_lie_or_are_cancelled(ask):
    location = upload(ask, "lies")
    reply = ask("PUT", digest_query(location, "sha256:" + "1" * 64), b"something else", Content_Type="application/octet-stream")
    assert (reply.status, code_of(reply)) == (400, "DIGEST_INVALID")
    assert ask("HEAD", "/v2/lies/blobs/sha256:" + "1" * 64).status == 404
    location = upload(ask, "lies")
    assert ask("DELETE", location).status == 204
    assert ask("GET", location).status == 404
    assert ask("GET", "/v2/Not-A-Name/tags/list").status in (400, 404)


def test_mount_and_isolation(server, ask):
    digest = server.registry.put_blob("mine", os.urandom(100))
    assert ask("HEAD", f"/v2/yours/blobs/{digest}").status == 404
    reply = ask("POST", f"/v2/yours/blobs/uploads/?mount={digest}&from=mine", b"")
    assert reply.status == 201 and ask("HEAD", f"/v2/yours/blobs/{digest}").status == 200
    for mount in (f"mount={digest}&from=nobody", "mount=sha256:no&from=mine", "mount=x&from=Mine", f"mount={digest}&from=Not-A-Name"):
        reply = ask("POST", f"/v2/third/blobs/uploads/?{mount}", b"")
        assert reply.status == 202 and "/v2/third/blobs/uploads/" in reply.headers["Location"], mount


def test_tags_and_paging(server, ask):
    image = images.busybox_image()
    for tag in ("a", "b", "c"):
        server.registry.push("tagged", tag, image)
    listed = json.loads(ask("GET", "/v2/tagged/tags/list").body)
    assert (listed["name"], sorted(listed["tags"])) == ("tagged", ["a", "b", "c"])
    if not PEER:  # docker-registry 2.8 neither sorts nor pages tags
        assert listed["tags"] == ["a", "b", "c"]
        page = ask("GET", "/v2/tagged/tags/list?n=2")
        assert json.loads(page.body)["tags"] == ["a", "b"] and page.headers["Link"] == '</v2/tagged/tags/list?last=b&n=2>; rel="next"'
        assert json.loads(ask("GET", "/v2/tagged/tags/list?n=2&last=b").body)["tags"] == ["c"]
    missing = ask("GET", "/v2/nothere/tags/list")
    assert (missing.status, code_of(missing)) == (404, "NAME_UNKNOWN")


def test_more_repositories_than_anybody_gets(ask):
    for number in (1001, 2**31 - 1) if PEER else (1001, 2**31 - 1, -1, "x"):  # docker-registry 2.8 passes over what is no number
        reply = ask("GET", f"/v2/_catalog?n={number}")
        assert (reply.status, code_of(reply)) == (400, "PAGINATION_NUMBER_INVALID"), number
    assert detail_of(ask("GET", "/v2/_catalog?n=1001")) == {"n": 1001}


@ours
def test_as_many_tags_as_are_asked_for(server, ask):
    """However many: the specification lets a registry answer with fewer only where there are no more."""
    image = images.busybox_image()
    server.registry.push("many", "t", image)
    tags = sorted(f"t{n}" for n in range(1005))
    for tag in tags:
        server.registry.put_manifest("many", tag, image.manifest, images.DOCKER_MANIFEST)
    reply = ask("GET", "/v2/many/tags/list?n=1004")
    assert json.loads(reply.body)["tags"] == (["t"] + tags)[:1004] and 'rel="next"' in reply.headers["Link"]
    assert len(json.loads(ask("GET", "/v2/many/tags/list").body)["tags"]) == 1000
    reply = ask("GET", "/v2/many/tags/list?n=100000")
    assert json.loads(reply.body)["tags"] == ["t"] + tags and reply.headers["Link"] is None


def test_errors_say_what_of(server, ask):
    server.registry.push("details", "1", images.busybox_image())
    nothing = "sha256:" + "4" * 64
    assert detail_of(ask("GET", f"/v2/details/blobs/{nothing}")) == nothing
    assert detail_of(ask("GET", "/v2/details/manifests/nothing")) == {"Tag": "nothing"}
    assert detail_of(ask("GET", f"/v2/details/manifests/{nothing}")) == {"Name": "details", "Revision": nothing}
    assert detail_of(ask("GET", "/v2/nothere/tags/list")) == {"name": "nothere"}
    image = images.busybox_image(oci=True, created="2026-06-08T00:00:00Z")
    assert detail_of(ask("PUT", "/v2/nothere/manifests/1", image.manifest, Content_Type=images.OCI_MANIFEST))


def test_a_range_that_cannot_be_read(server, ask):
    digest = server.registry.put_blob("ranges", b"0123456789")
    for header in ("bytes=9-5", "bytes=x-5", "bytes=5", "bytes=-", "bytes=10-"):
        reply = ask("GET", f"/v2/ranges/blobs/{digest}", Range=header)
        assert reply.status == 416, header
    assert ask("GET", f"/v2/ranges/blobs/{digest}", Range="bytes=4-5").body == b"45"


def test_manifests_that_are_none(server, ask):
    image = images.busybox_image(created="2026-06-02T00:00:00Z")
    put = lambda data, kind=images.DOCKER_MANIFEST, tag="x": ask("PUT", f"/v2/bad/manifests/{tag}", data, Content_Type=kind)  # noqa: E731
    for data in (b"", b"{", b"[]", b"{}"):
        assert put(data).status == 400
    assert put(image.manifest).status in (400, 404)  # its blobs are not here
    assert put(image.manifest, tag="sha256:" + "2" * 64).status == 400
    assert ask("GET", "/v2/bad/manifests/x").status == 404


def test_methods_that_are_none(server, ask):
    assert (ask("GET", "/").status, ask("GET", "/").body) == (200, b"")
    server.registry.push("methods", "1", images.busybox_image())
    blob = f"/v2/methods/blobs/{images.busybox_image().layers[0].digest}"
    for method, path in (("POST", "/v2/_catalog"), ("DELETE", "/v2/methods/tags/list"), ("POST", "/v2/methods/manifests/1"), ("PUT", blob)):
        reply = ask(method, path, b"")
        assert reply.status == 405 and "GET" in reply.headers["Allow"], (method, path)
    if not PEER:  # docker-registry 2.8 has no referrers and leads to the slash
        assert ask("POST", f"/v2/methods/referrers/{images.busybox_image().digest}", b"").status == 405
        assert ask("POST", "/v2/methods/blobs/uploads", b"").status == 202


def test_a_manifest_of_blobs_that_are_not_here(server, ask):
    image = images.busybox_image(oci=True, created="2026-06-07T00:00:00Z")
    reply = ask("PUT", "/v2/incomplete/manifests/1", image.manifest, Content_Type=images.OCI_MANIFEST)
    assert (reply.status, code_of(reply)) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert ask("GET", "/v2/incomplete/manifests/1").status == 404


def test_delete(server, ask):
    image = images.busybox_image(created="2026-06-03T00:00:00Z")
    server.registry.push("deleted", "1", image)
    assert ask("DELETE", f"/v2/deleted/manifests/{image.digest}").status == 202
    assert ask("GET", "/v2/deleted/manifests/1").status == 404
    assert ask("DELETE", f"/v2/deleted/manifests/{image.digest}").status == 404
    assert ask("DELETE", f"/v2/deleted/blobs/{image.layers[0].digest}").status == 202
    assert ask("HEAD", f"/v2/deleted/blobs/{image.layers[0].digest}").status == 404


@ours
def test_referrers(server, ask):
    image = images.busybox_image(oci=True, created="2026-06-04T00:00:00Z")
    server.registry.push("referred", "1", image)
    empty = b"{}"
    server.registry.put_blob("referred", empty)
    config = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": images.digest_of(empty), "size": 2}
    artifact = json.dumps({"schemaVersion": 2, "mediaType": images.OCI_MANIFEST, "artifactType": "application/x-signature", "config": config, "layers": [config],
                           "subject": {"mediaType": images.OCI_MANIFEST, "digest": image.digest, "size": len(image.manifest)}, "annotations": {"a": "b"}}).encode()
    reply = ask("PUT", f"/v2/referred/manifests/{images.digest_of(artifact)}", artifact, Content_Type=images.OCI_MANIFEST)
    assert reply.status == 201 and reply.headers["OCI-Subject"] == image.digest
    listed = ask("GET", f"/v2/referred/referrers/{image.digest}")
    assert listed.headers["Content-Type"] == images.OCI_INDEX
    (entry,) = json.loads(listed.body)["manifests"]
    assert entry == {"mediaType": images.OCI_MANIFEST, "digest": images.digest_of(artifact), "size": len(artifact), "artifactType": "application/x-signature", "annotations": {"a": "b"}}
    other = ask("GET", f"/v2/referred/referrers/{image.digest}?artifactType=other")
    assert json.loads(other.body)["manifests"] == [] and other.headers["OCI-Filters-Applied"] == "artifactType"
    ask("DELETE", f"/v2/referred/manifests/{images.digest_of(artifact)}")
    assert json.loads(ask("GET", f"/v2/referred/referrers/{image.digest}").body)["manifests"] == []


def artifact_of(server, repository, subject, kind, note):
    """An artifact about `subject`, as the specification's referrers are made; its digest."""
    server.registry.put_blob(repository, b"{}")
    config = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": images.digest_of(b"{}"), "size": 2}
    document = json.dumps({"schemaVersion": 2, "mediaType": images.OCI_MANIFEST, "artifactType": kind, "config": config, "layers": [config],
                           "subject": {"mediaType": images.OCI_MANIFEST, "digest": subject.digest, "size": len(subject.manifest)}, "annotations": {"note": note}}).encode()
    server.registry.put_manifest(repository, images.digest_of(document), document, images.OCI_MANIFEST)
    return images.digest_of(document)


@ours
def test_referrers_come_in_pages_that_clients_take(server, ask):
    image = images.busybox_image(oci=True, created="2026-06-05T00:00:00Z")
    server.registry.push("pages", "1", image)
    made = {kind: {artifact_of(server, "pages", image, f"application/{kind}", f"{n} " + "n" * 400_000) for n in range(6)} for kind in ("a", "b")}
    for filtered, wanted in (("", made["a"] | made["b"]), ("?artifactType=application%2Fa", made["a"])):
        path, found, pages = f"/v2/pages/referrers/{image.digest}{filtered}", [], 0
        while path:
            reply = ask("GET", path)
            assert len(reply.body) <= 4 << 20, "as large as a manifest may be"
            assert (reply.headers["OCI-Filters-Applied"] == "artifactType") == bool(filtered)
            found += [entry["digest"] for entry in json.loads(reply.body)["manifests"]]
            link, path, pages = reply.headers["Link"], None, pages + 1
            if link:
                path, relation = link.split("; ")
                assert relation == 'rel="next"'
                path = path.strip("<>")
        assert len(found) == len(wanted) and set(found) == wanted and pages > 2
    assert json.loads(ask("GET", f"/v2/pages/referrers/{image.id}").body)["manifests"] == []
    assert ask("GET", "/v2/pages/referrers/sha256:12").status == 400


@ours
def test_a_mount_may_name_no_repository(server, ask):
    digest = server.registry.put_blob("holder", os.urandom(100))
    reply = ask("POST", f"/v2/finder/blobs/uploads/?mount={digest}", b"")
    assert reply.status == 201 and reply.headers["Location"] == f"/v2/finder/blobs/{digest}"
    assert ask("HEAD", f"/v2/finder/blobs/{digest}").status == 200
    assert ask("POST", "/v2/finder/blobs/uploads/?mount=sha256:" + "3" * 64, b"").status == 202
    ask("DELETE", f"/v2/holder/blobs/{digest}")
    ask("DELETE", f"/v2/finder/blobs/{digest}")
    assert ask("POST", f"/v2/third/blobs/uploads/?mount={digest}", b"").status == 202, "nobody has it any more"


@ours
def test_a_whole_blob_in_one_request_leaves_no_upload(server, ask):
    data, left = os.urandom(1000), lambda: set(os.listdir(os.path.join(server.root, "uploads")))  # noqa: E731
    before = left()
    reply = ask("POST", f"/v2/whole/blobs/uploads/?digest={images.digest_of(data)}", data, Content_Type="application/octet-stream")
    assert reply.status == 201 and ask("GET", reply.headers["Location"]).body == data
    for digest in (images.digest_of(b"other"), "sha256:no", "sha512:" + "0" * 128):
        reply = ask("POST", f"/v2/whole/blobs/uploads/?digest={digest}", data, Content_Type="application/octet-stream")
        assert (reply.status, code_of(reply)) == (400, "DIGEST_INVALID")
    reply = ask("POST", f"/v2/whole/blobs/uploads/?digest={images.digest_of(data)}", data, Content_Type="application/octet-stream", Content_Range="7-9")
    assert reply.status == 416
    assert left() == before


@ours
def test_conditions_ranges_and_methods(server, ask):
    image = images.busybox_image(oci=True, created="2026-06-06T00:00:00Z")
    server.registry.push("asked", "1", image)
    blob = f"/v2/asked/blobs/{image.layers[0].digest}"
    for path, digest in (("/v2/asked/manifests/1", image.digest), (blob, image.layers[0].digest)):
        for value, status in ((f'"{digest}"', 304), (f'"x", W/"{digest}"', 304), (digest, 304), ("*", 304), (f'"{digest}0"', 200), ('"x"', 200)):
            for method in ("GET", "HEAD"):
                reply = ask(method, path, If_None_Match=value)
                assert (reply.status, reply.headers["Etag"]) == (status, f'"{digest}"'), (path, value)
    data = image.layers[0].data
    for header, part in ((f"bytes=5-{2**64 - 1}", data[5:]), ("bytes=0-0", data[:1]), (f"bytes=-{len(data) + 1}", data)):
        reply = ask("GET", blob, Range=header)
        assert (reply.status, reply.body) == (206, part), header
    for header in ("bytes=0-1,5-6", "lines=1-2"):
        assert ask("GET", blob, Range=header).status == 200, header
    assert ask("GET", blob, Range="bytes=-0").status == 416
    assert ask("GET", blob, Range="bytes=1-2", If_Range='"other"').status == 200
    for method, path, allowed in (("POST", "/v2/", "GET, HEAD"), ("POST", "/v2/asked/manifests/1", "GET, HEAD, PUT, DELETE"), ("PUT", blob, "GET, HEAD, DELETE"),
                                  ("GET", "/v2/asked/blobs/uploads/", "POST")):
        reply = ask(method, path, b"" if method != "GET" else None)
        assert (reply.status, reply.headers["Allow"], code_of(reply)) == (405, allowed, "UNSUPPORTED"), path
    for path in ("/v2/", "/v2/_catalog", "/v2/asked/tags/list", f"/v2/asked/referrers/{image.digest}", blob):
        whole, head = ask("GET", path), ask("HEAD", path)
        assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(whole.body))), path


@ours
def test_lists_of_no_length(server, ask):
    server.registry.push("counted", "1", images.busybox_image())
    for path, member in (("/v2/counted/tags/list", "tags"), ("/v2/_catalog", "repositories")):
        reply = ask("GET", f"{path}?n=0")
        assert json.loads(reply.body)[member] == [] and reply.headers["Link"] is None
        assert code_of(ask("GET", f"{path}?n=-1")) == "PAGINATION_NUMBER_INVALID"


@ours
def test_uploads_outlive_the_process(ask):
    one = Server().start()
    try:
        location = one.registry.request("POST", "/v2/app/blobs/uploads/", b"").headers["Location"]
        data = os.urandom(50_000)
        one.registry.request("PATCH", location, data[:30_000], {"Content-Type": "application/octet-stream"})
        one.stop(signal.SIGKILL)
        one.start()
        assert one.registry.request("GET", location).headers["Range"] == "0-29999"
        one.registry.request("PUT", digest_query(location, images.digest_of(data)), data[30_000:], {"Content-Type": "application/octet-stream"})
        assert one.registry.request("GET", f"/v2/app/blobs/{images.digest_of(data)}").read() == data
        assert os.listdir(os.path.join(one.root, "uploads")) == []
    finally:
        one.close()


@ours
def test_garbage_is_collected(ask):
    one = Server().start()
    image = images.busybox_image()
    one.registry.push("app", "1", image)
    stray = one.registry.put_blob("app", os.urandom(1000))
    one.stop()
    out = subprocess.run([os.path.join(BIN, "proa-registry"), "--root", one.root, "gc"], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert out == "1000 bytes deleted\n"
    one.start()
    try:
        assert one.registry.has_blob("app", image.layers[0].digest) and not one.registry.has_blob("app", stray)
        one.registry.request("DELETE", f"/v2/app/manifests/{image.digest}")
        one.stop()
        subprocess.run([os.path.join(BIN, "proa-registry"), "--root", one.root, "gc"], stdout=subprocess.PIPE, check=True)
        assert os.listdir(os.path.join(one.root, "content/blobs/sha256")) == []
        one.start()
    finally:
        one.close()


@ours
def test_passwords_and_read_only():
    users = tempfile.NamedTemporaryFile("w", suffix=".htpasswd")
    users.write("alice:" + crypt.crypt("secret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)) + "\n")
    users.flush()
    one = Server("--htpasswd", users.name, "--read-only").start()
    try:
        def status(method, path, user=None):
            headers = {"Authorization": "Basic " + base64.b64encode(user.encode()).decode()} if user else {}
            try:
                return one.registry.request(method, path, b"" if method == "POST" else None, headers).status
            except urllib.error.HTTPError as error:
                assert error.code != 401 or error.headers["WWW-Authenticate"].startswith("Basic realm=")
                return error.code
        assert status("GET", "/v2/") == 401 and status("GET", "/v2/", "alice:wrong") == 401 and status("GET", "/v2/", "bob:secret") == 401
        assert status("GET", "/v2/", "alice:secret") == 200 and status("GET", "/v2/", "alice:secret") == 200
        assert status("POST", "/v2/app/blobs/uploads/", "alice:secret") == 405
    finally:
        one.close()


@ours
def test_metrics(ask):
    text = ask("GET", "/metrics").body.decode()
    assert "# TYPE proa_registry_requests_total counter" in text and int(text.split("\nproa_registry_sent_bytes_total ")[1].split()[0]) > 0
    assert 'proa_registry_responses_total{code="4xx"}' in text


@ours
def test_proa_looks_and_deletes_there(engine, server):
    image = images.busybox_image(oci=True, created="2026-06-08T00:00:00Z")
    for tag in ("1", "2", "other"):
        server.registry.push("looked/at", tag, images.busybox_image(oci=True, created="2026-06-09T00:00:00Z") if tag == "other" else image)
    name = f"{server.address}/looked/at"
    signature, other = (artifact_of(server, "looked/at", image, f"application/{kind}", kind) for kind in ("signature", "other"))
    ask = lambda *words: engine.run("registry", *words, program="proa")  # noqa: E731
    assert ask("tags", name).out == "1\n2\nother\n"
    for place in (f"{name}:1", f"{name}@{image.digest}"):
        lines = ask("referrers", place).out.splitlines()
        assert sorted(lines) == sorted([f"{signature}  application/signature", f"{other}  application/other"])
    (found,) = ask("referrers", "--type", "application/other", "--format", "json", f"{name}:1").out.splitlines()
    assert json.loads(found)["digest"] == other and json.loads(found)["annotations"] == {"note": "other"}
    refused = ask("rm", name)
    assert refused.code == 1 and "say what of" in refused.err
    assert ask("rm", f"{name}:1").out == f"Removed: {name}:1\n" and ask("tags", name).out == "2\nother\n"
    assert server.registry.request("GET", f"/v2/looked/at/manifests/{image.digest}").status == 200, "the tag alone"
    assert ask("rm", f"{name}@{image.digest}").code == 0 and ask("tags", name).out == "other\n"
    missing = ask("rm", f"{name}:1")
    assert missing.code == 1 and "manifest unknown" in missing.err
    missing = ask("tags", f"{server.address}/nobody/knows")
    assert missing.code == 1 and "not found" in missing.err


def test_docker_proa_and_skopeo_use_it(engine, image, server, program):
    name = f"{server.registry.address}/from/{program}:1"
    engine.run("tag", image, name)
    done = engine.run("push", name, program=program)
    assert done.code == 0, done
    engine.run("rmi", name)
    assert engine.run("run", "--rm", name, "echo", "pulled", program=program).out.endswith("pulled\n")
    copied = subprocess.run(["skopeo", "copy", "--insecure-policy", "--src-tls-verify=false", "--dest-tls-verify=false", f"docker://{name}",
                             f"docker://{server.registry.address}/by-skopeo:1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert copied.returncode == 0, copied.stdout
    raw = [server.registry.request("GET", f"/v2/{path}/manifests/1", headers={"Accept": images.DOCKER_MANIFEST}).read() for path in (f"from/{program}", "by-skopeo")]
    assert raw[0] == raw[1]
    engine.run("rmi", name)
