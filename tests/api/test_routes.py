"""Every route of ML Commons has its class, under the right name and from the right version on."""

from __future__ import annotations

import pytest

from aiomlcommons import ENDPOINTS
from tests.support.paths import ROOT
from tests.support.reference import Known, covered, key, routes
from tests.wire.recordings import OURS

ROUTES = routes()
# Listed by today's servers, which never read what stands in its path and so refuse it: not a route to choose.
REFUSED = key("POST", "/_plugins/_ml/models/{model_id}/{version}/_register")
TODAY = {key(r.method, r.path): cls for cls in ENDPOINTS for r in (cls.endpoint.route, *cls.endpoint.also)}
ONCE = {key(r.method, r.path): cls for cls in ENDPOINTS for r in cls.endpoint.was}
# What the list leaves out: names that releases before it had.
BEFORE = {
    key("POST", "/_plugins/_ml/tasks/{task_id}/_cancel_batch"),
    key("PUT", "/_plugins/_ml/model_groups/{model_group_id}/_update"),
}


def test_the_readme_says_how_many_there_are() -> None:
    count = sum(row.status != "NOT REGISTERED" for row in ROUTES)
    assert f"All {count} routes of ML Commons" in (ROOT / "README.md").read_text(encoding="utf-8")
    explained = f"{count} of them are all the routes that the newest source of ML Commons registers"
    assert explained in (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("row", ROUTES, ids=lambda row: " ".join(row.key))
def test_each_route_belongs_to_one_endpoint(row: Known) -> None:
    keys = [key(route.method, route.path) for cls in ENDPOINTS for route in cls.endpoint.routes]
    assert keys.count(row.key) == 1


@pytest.mark.parametrize("row", ROUTES, ids=lambda row: " ".join(row.key))
def test_each_route_is_a_present_or_an_old_name_with_its_version(row: Known) -> None:
    if row.status == "deprecated" or row.key == REFUSED:
        assert row.key in ONCE
    else:
        assert TODAY[row.key].endpoint.since == row.since


def test_the_removed_route_is_known_as_removed() -> None:
    gone = next(row for row in ROUTES if row.status == "NOT REGISTERED")
    assert TODAY[gone.key].endpoint.until == "3.0"


def test_no_endpoint_of_ml_commons_has_a_route_that_it_has_not() -> None:
    ours = {(method, path) for method, path in (*TODAY, *ONCE) if path.startswith(OURS)}
    assert ours - {row.key for row in ROUTES} == BEFORE


def test_a_word_in_the_place_of_a_placeholder_is_the_same_route() -> None:
    used = [("POST", "/_plugins/_ml/_predict/text_embedding/{}"), ("POST", "/_plugins/_ml/nowhere/{}")]
    assert covered(used, ROUTES) == {("POST", "/_plugins/_ml/_predict/{}/{}")}


def test_a_literal_route_goes_before_a_placeholder() -> None:
    assert covered([("GET", "/_plugins/_ml/models/_search")], ROUTES) == {("GET", "/_plugins/_ml/models/_search")}
