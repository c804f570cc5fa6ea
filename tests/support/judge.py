"""How the tests judge a runtime that is not ours.

@differs(runc="why", crun="why"): the test must fail with that runtime, for this reason; docs/conformance.md lists it. racy=True: not on every machine.
@ours: about something only Proa has.
"""
import bundle
import pytest

MARKS = ("differs(**why): peers that fail this test, and why; racy=True: not always", "ours: about something only Proa has")


def pytest_collection_modifyitems(items):
    for item in items:
        for mark in item.iter_markers("differs"):
            if why := mark.kwargs.get(bundle.NAME):
                item.add_marker(pytest.mark.xfail(reason=why, strict="racy" not in mark.kwargs))
        if not bundle.IS_OURS and item.get_closest_marker("ours"):
            item.add_marker(pytest.mark.skip(reason="only Proa has this"))
