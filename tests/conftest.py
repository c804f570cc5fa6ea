"""@pytest.mark.proves(31, "I5"): which lines of docs/security.md a test proves; hostile="load": that it sends all of tests/hostile by that door."""


def pytest_configure(config):
    config.addinivalue_line("markers", "proves(*rows, hostile=None): lines of docs/security.md")
