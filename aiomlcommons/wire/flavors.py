"""Kinds of servers: the one table of what each of them has, for calls, inference, lifecycle, jobs and the emulator.

https://docs.aws.amazon.com/opensearch-service/latest/developerguide/serverless-machine-learning-unsupported-features.html
https://docs.aws.amazon.com/opensearch-service/latest/developerguide/ml.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from aiomlcommons.endpoint import Request
from aiomlcommons.errors import NotSupported
from aiomlcommons.trouble.aws import service_of
from aiomlcommons.wire.features import Feature, features_of

GUIDE = "https://docs.aws.amazon.com/opensearch-service/latest/developerguide/"


@attrs.frozen
class Flavor:
    """A kind of server: what it lacks, and how it differs otherwise.

    Attributes:
        name: What ``Session(flavor=...)`` calls it.
        title: What messages call it.
        lacks: Why it lacks a feature, what to use in its place, and the page that says so; every other feature it has.
        takes_ids: Whether an index of vectors takes documents under ids of the caller.
        wait: Seconds for which the session retries by default while the server wakes up.
        advice: What its provider says of changing a setting, by the setting's key without prefix.
    """

    name: str
    title: str
    lacks: Mapping[Feature, str] = attrs.field(factory=dict, repr=False)
    takes_ids: bool = True
    wait: float = 0.0
    advice: Mapping[str, str] = attrs.field(factory=dict, repr=False)

    def has(self, feature: Feature) -> bool:
        """Return whether this kind of server has a feature."""
        return feature not in self.lacks

    @property
    def refreshes(self) -> bool:
        """Whether ``_refresh`` exists."""
        return self.has(Feature.REFRESH)

    def check(self, request: Request[Any], error: BaseException | None = None) -> None:
        """Raise NotSupported, in one sentence, if this kind of server lacks what a request uses."""
        if self.lacks:
            for feature, what in features_of(request):
                self.need(feature, what, error)

    def need(self, feature: Feature, what: str, error: BaseException | None = None) -> None:
        """Raise NotSupported if this kind of server lacks a feature; ``what`` is what wanted it."""
        if feature in self.lacks:
            raise NotSupported(f"{self.title} has no {feature} ({what}): {self.lacks[feature]}") from error


def _listed(words: str, remedy: str = "") -> str:
    guide = f"{GUIDE}serverless-machine-learning-unsupported-features.html"
    return f'AWS lists "{words}" as unsupported{remedy and f"; {remedy}"} ({guide})'


def _unlisted(remedy: str) -> str:
    return f"it is not among the operations that AWS lists as supported; {remedy} ({GUIDE}serverless-genref.html)"


_REMOTE = "use a RemoteModel with a connector"
_BY_MODEL = "ask remote models with ml.embed_many, ml.rerank or ml.models.predict(model_id, parameters=...)"
_DOMAINS_GUIDE = f"({GUIDE}ml.html)"


def _source(setting: str) -> str:
    what = f"AWS does not support the setting plugins.ml_commons.{setting}"
    return f"{what}; {_REMOTE}, or a PretrainedModel {_DOMAINS_GUIDE}"


OPENSEARCH = Flavor("opensearch", "OpenSearch")
MANAGED = Flavor(
    "managed",
    "Amazon OpenSearch Service",
    lacks={
        Feature.MODEL_URLS: _source("allow_registering_model_via_url"),
        Feature.MODEL_FILES: _source("allow_registering_model_via_local_file"),
        Feature.MODEL_SOURCE_SETTINGS: (
            f"AWS does not support changing them; {_REMOTE}, or a PretrainedModel, which needs only "
            f"ml.settings.ml_on_all_nodes() {_DOMAINS_GUIDE}"
        ),
        Feature.NESTED_SETTINGS: (
            "AWS allows only whole keys; write each setting as one key with dots "
            "(https://github.com/opensearch-project/documentation-website/pull/8554)"
        ),
    },
    advice={
        "only_run_on_ml_node": (
            "AWS advises against switching it off on production domains, which should use connectors to remote models "
            f"{_DOMAINS_GUIDE}"
        )
    },
)
SERVERLESS = Flavor(
    "aoss",
    "Amazon OpenSearch Serverless",
    lacks={
        Feature.INFO: _unlisted("the current routes are assumed"),
        Feature.CLUSTER_SETTINGS: _unlisted("AWS manages them"),
        Feature.ALGORITHM_ROUTE: _listed("Model Predict algorithm API", _BY_MODEL),
        Feature.BATCH_PREDICTION: _listed("Model Batch Predict API", "embed files with ml.ingest"),
        Feature.TRAINING: _listed("Model Train API"),
        Feature.EXECUTION: _listed("Execute Algorithm API"),
        Feature.AGENTS: _listed("Agents API and its corresponding tools"),
        Feature.MCP: _listed("MCP Server APIs"),
        Feature.MEMORY: _listed("Memory APIs"),
        Feature.CONTROLLERS: _listed("Controller APIs", "use the rate_limiter of the model"),
        Feature.PROFILE: _listed("ML Profile API", "the state of a model is in ml.models.get(model_id)"),
        Feature.REFRESH: _unlisted("a collection makes documents visible by itself"),
        Feature.NODES: _unlisted("a collection has none"),
        Feature.STATS: _listed("ML stats API", "see the metrics of the collection in CloudWatch"),
        **dict.fromkeys(
            (Feature.LOCAL_MODELS, Feature.MODEL_FILES, Feature.MODEL_URLS),
            _listed("Local Model functionality", _REMOTE),
        ),
    },
    takes_ids=False,
    # "Expect 10-30 seconds of latency on the first request" (serverless-scale-to-zero.html): twice that, for a
    # collection that answers with an error before.
    wait=60.0,
)
FLAVORS: Mapping[str, Flavor] = {flavor.name: flavor for flavor in (OPENSEARCH, MANAGED, SERVERLESS)}

_SERVICES: Mapping[str, Flavor] = {"aoss": SERVERLESS, "es": MANAGED}


def flavor_named(name: str) -> Flavor:
    """Return the flavor of a name. Raises ValueError, with the list, for another."""
    if not isinstance(name, str) or name not in FLAVORS:
        known = ", ".join(f"{key!r} ({flavor.title})" for key, flavor in FLAVORS.items())
        raise ValueError(f"flavor must be one of {known}, not {name!r}")
    return FLAVORS[name]


def flavor_of(hosts: Iterable[str], auth: Any = None) -> Flavor | None:
    """Return the flavor that host names tell, else the AWS service that ``auth`` signs for; None if neither does."""
    for host in hosts:
        if (service := service_of(host)) is not None:
            return _SERVICES[service]
    return _SERVICES.get(str(getattr(auth, "service", "")))


def flavor_in(headers: Mapping[str, str]) -> Flavor | None:
    """Return the flavor that the headers of a response tell, or None. Serverless names itself even in a 404."""
    is_named = headers.get("server", "").lower().startswith("aoss-amazon")
    return SERVERLESS if is_named or any(name.startswith(("x-amzn-aoss", "x-aoss")) for name in headers) else None
