"""Registries behind a proxy: by flags, by daemon.json's names and by the environment, as dockerd takes them."""
import base64

import images
import pytest
from engine import Engine
from registries import Certificates, Server

pytestmark = pytest.mark.ours
FAR = "registry.example:5000"  # a name that nobody but the proxy can find


@pytest.fixture
def proxy(relay):
    return relay


@pytest.fixture
def behind(proxy):
    """behind(flags, environment): an engine; {} in them is the proxy."""
    started = []

    def go(flags=(), environment=None):
        filled = {name: value.format(proxy.address) for name, value in (environment or {}).items()}
        flags = [one.format(proxy.address) for one in flags]
        started.append(Engine(extra_flags=["--insecure-registry", FAR, *flags], environment=filled, bridge="proatest1", subnet="10.214.0.1/24").start())
        return started[-1]

    yield go
    for one in started:
        one.close()


def asked_in_the_clear(proxy):
    return [path for command, path, _ in proxy.asked if command != "CONNECT"]


@pytest.mark.parametrize("how", [(["--http-proxy", "http://{}"], {}), ([], {"HTTP_PROXY": "http://{}"}), ([], {"http_proxy": "http://{}"})], ids=["flag", "HTTP_PROXY", "http_proxy"])
def test_plain_http(proxy, behind, how):
    engine = behind(*how)
    assert engine.api("GET", "/info").json["HttpProxy"] == f"http://{proxy.address}"
    done = engine.run("pull", f"{FAR}/busybox:latest")
    assert done.code == 0, done
    urls = asked_in_the_clear(proxy)
    assert f"http://{FAR}/v2/busybox/manifests/latest" in urls and all(url.startswith(f"http://{FAR}/") for url in urls)
    assert any("/blobs/sha256:" in url for url in urls)


def test_loopback_and_what_is_named_go_straight(proxy, behind, registry):
    engine = behind(["--http-proxy", "http://{}", "--https-proxy", "http://{}", "--no-proxy", "other.example,.example"])
    assert engine.run("pull", "-q", f"{registry.address}/busybox:latest").code == 0
    refused = engine.run("pull", f"{FAR}/busybox:latest")
    assert refused.code == 1 and "registry.example" in refused.err
    assert proxy.asked == []


def test_tls_through_a_tunnel_that_wants_a_password(proxy, behind):
    certificates = Certificates()
    server = Server(tls=certificates).start()
    try:
        proxy.tunnel = server.address
        image = images.busybox_image()
        push(server, image)
        engine = behind(["--https-proxy", "http://who:what@{}"])
        done = engine.run("pull", f"{FAR}/hidden:1")
        assert done.code == 0, done
        command, host, headers = proxy.asked[0]
        assert (command, host) == ("CONNECT", FAR)
        assert headers["Proxy-Authorization"] == "Basic " + base64.b64encode(b"who:what").decode()
        assert asked_in_the_clear(proxy) == [], "the proxy sees no path"
        assert engine.api("GET", "/info").json["HttpsProxy"] == f"http://xxxxx:xxxxx@{proxy.address}"
    finally:
        server.close()
        certificates.close()


def push(server, image):
    for data in [layer.data for layer in image.layers] + [image.config]:
        digest = images.digest_of(data)
        status, _, _ = server.ask("POST", f"/v2/hidden/blobs/uploads/?digest={digest}", data, {"Content-Type": "application/octet-stream"})
        assert status == 201
    assert server.ask("PUT", "/v2/hidden/manifests/1", image.manifest, {"Content-Type": image.manifest_type})[0] == 201


@pytest.mark.parametrize("place, why", [("127.0.0.1:9", "proxyconnect tcp: dial tcp 127.0.0.1:9: connect: connection refused"),
                                        ("proxy.invalid:80", "proxyconnect tcp: dial tcp: lookup proxy.invalid: no such host")])
def test_a_proxy_that_is_not_there(behind, place, why):
    """Go's words, as dockerd hands them on."""
    engine = behind(["--http-proxy", f"http://{place}", "--https-proxy", f"http://{place}"])
    refused = engine.run("pull", f"{FAR}/busybox:latest")
    assert refused.code == 1 and why in refused.err, refused


def test_a_proxy_that_wants_another_password(proxy, behind):
    proxy.refuses = True
    engine = behind(["--http-proxy", "http://{}", "--https-proxy", "http://{}"])
    refused = engine.run("pull", f"{FAR}/busybox:latest")
    assert refused.code == 1 and "Proxy Authentication Required" in refused.err, refused
