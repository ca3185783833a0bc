"""The types of the synchronous session. `make docs` writes this file: do not change it by hand."""

import aiomlcommons.api.ag_ui
import aiomlcommons.api.agent_runs
import aiomlcommons.api.agentic_search_templates
import aiomlcommons.api.agents
import aiomlcommons.api.algorithms
import aiomlcommons.api.aliases
import aiomlcommons.api.common
import aiomlcommons.api.config
import aiomlcommons.api.connectors
import aiomlcommons.api.context_management
import aiomlcommons.api.controllers
import aiomlcommons.api.documents
import aiomlcommons.api.index_insight
import aiomlcommons.api.index_records
import aiomlcommons.api.indices
import aiomlcommons.api.mcp
import aiomlcommons.api.memory
import aiomlcommons.api.memory_containers
import aiomlcommons.api.memory_documents
import aiomlcommons.api.model_configs
import aiomlcommons.api.model_groups
import aiomlcommons.api.model_records
import aiomlcommons.api.pipeline_stats
import aiomlcommons.api.pipelines
import aiomlcommons.api.predict
import aiomlcommons.api.processors
import aiomlcommons.api.search_pipelines
import aiomlcommons.api.search_processors
import aiomlcommons.api.server
import aiomlcommons.api.setting_names
import aiomlcommons.api.settings
import aiomlcommons.api.stats
import aiomlcommons.api.tasks
import aiomlcommons.api.tools
import aiomlcommons.diagnosis.findings
import aiomlcommons.endpoint
import aiomlcommons.evaluating.evaluation
import aiomlcommons.evaluating.systems
import aiomlcommons.http
import aiomlcommons.indices.for_model
import aiomlcommons.inference.embed
import aiomlcommons.inference.inputs
import aiomlcommons.inference.predictions
import aiomlcommons.ingest.sources.chunks
import aiomlcommons.ingest.stats
import aiomlcommons.lifecycle.catalogue
import aiomlcommons.lifecycle.ensured
import aiomlcommons.lifecycle.file_model
import aiomlcommons.lifecycle.spec
import aiomlcommons.net.auth
import aiomlcommons.net.backoff
import aiomlcommons.net.hedge
import aiomlcommons.net.node_state
import aiomlcommons.net.secret
import aiomlcommons.net.session_options
import aiomlcommons.net.transport
import aiomlcommons.progress.event
import aiomlcommons.reembedding.job
import aiomlcommons.reembedding.plan
import aiomlcommons.reembedding.report
import aiomlcommons.searching.plan
import aiomlcommons.searching.text_search
import aiomlcommons.session
import aiomlcommons.waiting.task
import aiomlcommons.wire.flavors
import aiomlcommons.wire.version
import builtins
import collections.abc
import contextlib
import numpy
import os
import ssl
import types
import typing

E = typing.TypeVar("E")
R = typing.TypeVar("R")
Row = typing.TypeVar("Row")
T = typing.TypeVar("T")

class Session:
    def __enter__(self) -> typing.Self: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None) -> None: ...
    def __init__(self, url: str | collections.abc.Sequence[str] = ..., *, auth: aiomlcommons.net.auth.Auth | tuple[str, str] | None = ..., verify: bool = ..., ca_certs: str | os.PathLike[str] | None = ..., client_cert: str | os.PathLike[str] | None = ..., client_key: str | os.PathLike[str] | None = ..., client_key_password: str | aiomlcommons.net.secret.Secret | None = ..., fingerprint: str | None = ..., ssl_context: ssl.SSLContext | None = ..., proxy: str | None = ..., trust_env: bool = ..., timeout: aiomlcommons.net.transport.Timeout | float | None = ..., retries: int = ..., wait: float | None = ..., backoff: aiomlcommons.net.backoff.Backoff = ..., headers: collections.abc.Mapping[str, str] | None = ..., user_agent: str = ..., pool_size: int = ..., gzip: bool = ..., compat: str | None = ..., tenant_id: str | None = ..., flavor: str | None = ..., transport: aiomlcommons.net.transport.Transport | collections.abc.Callable[[aiomlcommons.http.HttpRequest, aiomlcommons.net.transport.Timeout], collections.abc.Awaitable[aiomlcommons.http.HttpResponse]] | None = ..., discover: bool | float = ..., hedge: aiomlcommons.net.hedge.Hedge | float | None = ..., max_response_bytes: int = ...) -> None: ...
    @property
    def agentic_search_templates(self) -> AgenticSearchTemplates:
        '``ml.agentic_search_templates``: the queries that an agent may run on an index.'
    @property
    def agents(self) -> Agents:
        '``ml.agents``: models with tools and a memory.'
    def answer(self, model_id: str, question: str, context: str) -> str:
        'Extract the part of ``context`` that answers a question, by a question-answering model.'
    def batch_ingestion(self, index_name: str, *, field_map: collections.abc.Mapping[str, typing.Any], data_source: collections.abc.Mapping[str, typing.Any], ingest_fields: collections.abc.Sequence[str] | None = ..., credential: collections.abc.Mapping[str, str | aiomlcommons.net.secret.Secret] | None = ..., connector_id: str | None = ...) -> aiomlcommons.api.tasks.TaskStarted:
        'Ingest the result files of an offline batch prediction. Servers from 3.0 on do not have this route.'
    def close(self) -> None:
        'Close the connection pool. A closed session cannot be reopened; closing it twice is allowed.'
    @property
    def config(self) -> Configs:
        '``ml.config``: configurations stored in the cluster.'
    @classmethod
    def connect(cls, url: str | collections.abc.Sequence[str] = ..., **options: typing.Unpack[aiomlcommons.net.session_options.SessionOptions]) -> typing.Self:
        'Open a session and verify that an OpenSearch cluster responds; close it with ``await session.close()``.'
    @property
    def connectors(self) -> Connectors:
        "``ml.connectors``: the cluster's connections to externally hosted models."
    @property
    def context_management(self) -> ContextManagement:
        "``ml.context_management``: truncation and summarization of an agent's conversation."
    @property
    def controllers(self) -> Controllers:
        "``ml.controllers``: a model's rate limits, by user."
    def declare_inputs(self, model_id: str, inputs: aiomlcommons.inference.inputs.ModelInputs) -> None:
        'Name the parameters by which a remote model takes texts: ``ModelInputs(texts="input")``.'
    def diagnose(self, *, timeout: float = ...) -> Diagnosis:
        'Find out what is wrong with the cluster for ML, and what mends it; nothing is changed.'
    @property
    def documents(self) -> Documents:
        '``ml.documents``: write, get and search the documents of indices.'
    def embed(self, model_id: str, rows: collections.abc.Iterable[Row] | collections.abc.AsyncIterable[Row], *, text: str | collections.abc.Callable[[Row], str] | None = ..., text_default: str | None = ..., batch: int = ..., concurrency: int = ..., ordered: bool = ..., content_type: typing.Literal['query', 'passage'] | None = ..., progress: bool | collections.abc.Callable[[aiomlcommons.progress.event.Progress], typing.Any] = ...) -> contextlib.AbstractContextManager[Embedded[Row]]:
        'Stream any number of rows through a model: ``async with ml.embed(model_id, rows) as embedded:``.'
    def embed_many(self, model_id: str, texts: collections.abc.Iterable[str], *, content_type: typing.Literal['query', 'passage'] | None = ..., batch: int | None = ..., concurrency: int = ...) -> numpy.ndarray[tuple[typing.Any, ...], numpy.dtype[typing.Any]]:
        'Embed texts; return an array of shape ``(len(texts), dimension)``, in the order of the texts.'
    def embed_one(self, model_id: str, text: str, *, content_type: typing.Literal['query', 'passage'] | None = ...) -> numpy.ndarray[tuple[typing.Any, ...], numpy.dtype[typing.Any]]:
        'Embed one text; return an array of shape ``(dimension,)``. See ``embed_many``.'
    def evaluate(self, queries: collections.abc.Mapping[str, str] | collections.abc.Sequence[str] | str | os.PathLike[str], judgments: collections.abc.Mapping[str, collections.abc.Mapping[str, float] | collections.abc.Collection[str]] | str | os.PathLike[str], systems: collections.abc.Mapping[str, str | aiomlcommons.evaluating.systems.Searched | collections.abc.Callable[[str], collections.abc.Iterable[str | aiomlcommons.api.common.Hit[typing.Any]] | collections.abc.Awaitable[collections.abc.Iterable[str | aiomlcommons.api.common.Hit[typing.Any]]]] | collections.abc.Mapping[str, collections.abc.Iterable[str]]], *, k: int | collections.abc.Sequence[int] = ..., concurrency: int = ..., progress: bool | collections.abc.Callable[[aiomlcommons.progress.event.Progress], typing.Any] = ...) -> aiomlcommons.evaluating.evaluation.Evaluation:
        'Measure recall, nDCG and MRR of search systems side by side: ``print(await ml.evaluate(...))``.'
    def execute(self, algorithm: str, body: collections.abc.Mapping[str, typing.Any], *, async_: bool | None = ...) -> aiomlcommons.api.algorithms.Execution:
        'Run an algorithm that needs no model: ``local_sample_calculator``, ``anomaly_localization``,'
    @property
    def flavor(self) -> aiomlcommons.wire.flavors.Flavor:
        'The kind of server, as far as it is known: see ``Session(flavor=...)``.'
    @classmethod
    def from_env(cls, environ: collections.abc.Mapping[str, str] | None = ..., **options: typing.Unpack[aiomlcommons.net.session_options.SessionOptions]) -> typing.Self:
        'Create a session from environment variables; ``options`` are those of ``Session``.'
    def greet(self) -> None:
        'Verify that an OpenSearch responds and accepts the credentials, as ``Session.connect`` does.'
    def highlight(self, model_id: str, question: str, context: str) -> list[aiomlcommons.inference.predictions.Highlight]:
        'Find the sentences of ``context`` that answer a question, by a semantic highlighter; return them in order.'
    @property
    def index_insight(self) -> IndexInsight:
        '``ml.index_insight``: LLM-generated descriptions of an index.'
    @property
    def indices(self) -> IndexLife:
        '``ml.indices``: create indices, also such that fit a model, look at them, change and delete them.'
    def info(self) -> aiomlcommons.api.server.Info:
        "Get a node's name, cluster and version."
    def ingest(self, source: typing.Any, *, model: aiomlcommons.lifecycle.spec.PretrainedModel | aiomlcommons.lifecycle.spec.UrlModel | aiomlcommons.lifecycle.file_model.FileModel | aiomlcommons.lifecycle.spec.RemoteModel | aiomlcommons.lifecycle.spec.ExistingModel | str | None, sink: typing.Any, text: str | collections.abc.Callable[[collections.abc.Mapping[str, typing.Any]], str] = ..., text_default: str | None = ..., id: str | collections.abc.Callable[[collections.abc.Mapping[str, typing.Any]], typing.Any] | None = ..., chunk: aiomlcommons.ingest.sources.chunks.Chunks | collections.abc.Callable[[str], collections.abc.Iterable[str]] | None = ..., checkpoint: str | os.PathLike[str] | None = ..., dead_letters: str | os.PathLike[str] | None = ..., max_failures: float | None = ..., overwrite: bool = ..., ids: typing.Literal['auto'] | None = ..., batch: int = ..., batch_bytes: int = ..., concurrency: int | tuple[int, int] = ..., requests_per_minute: float | None = ..., tokens_per_minute: float | None = ..., count_tokens: collections.abc.Callable[[str], int] = ..., content_type: typing.Literal['query', 'passage'] | None = ..., ordered: bool = ..., max_chars: int | None = ..., cache: str | os.PathLike[str] | None = ..., skip_unchanged: bool = ..., linger: float | None = ..., backoff: aiomlcommons.net.backoff.Backoff = ..., retry_budget: float = ..., stall_timeout: float = ..., redeploy: bool = ..., checkpoint_every: int = ..., progress: bool | collections.abc.Callable[[aiomlcommons.progress.event.Progress], typing.Any] = ...) -> Ingestion:
        'Embed a source into a sink: ``report = await ml.ingest(...)``.'
    @property
    def mcp(self) -> Mcp:
        "``ml.mcp``: the cluster's own MCP server, and the tools of MCP connectors."
    @property
    def memory(self) -> Memories:
        '``ml.memory``: conversations, their messages, and the traces of a message.'
    @property
    def memory_containers(self) -> MemoryContainers:
        '``ml.memory_containers``: agentic memory and the containers that store it.'
    @property
    def model_groups(self) -> ModelGroups:
        '``ml.model_groups``: versions of a model with shared access control.'
    @property
    def models(self) -> ModelLife:
        '``ml.models``: register, deploy, predict, undeploy and delete; ``ensure`` performs the steps that are missing.'
    @property
    def nodes(self) -> tuple[aiomlcommons.net.node_state.NodeState, ...]:
        'The nodes of the session, in the order of their URLs, and which of them take calls now.'
    def open(self) -> typing.Self:
        'Open the session and verify that a cluster responds, as ``connect`` does, where ``async with`` cannot stand.'
    def options(self, *, auth: aiomlcommons.net.auth.Auth | tuple[str, str] | None = ..., timeout: aiomlcommons.net.transport.Timeout | float | None = ..., retries: int | None = ..., wait: float | None = ..., backoff: aiomlcommons.net.backoff.Backoff | None = ..., headers: collections.abc.Mapping[str, str] | None = ..., opaque_id: str | None = ..., tenant_id: str | None = ..., hedge: aiomlcommons.net.hedge.Hedge | float | None = ..., max_response_bytes: int | None = ...) -> typing.Self:
        'Return a view of this session with other request options; it shares the connection pool.'
    def pieces(self, request: aiomlcommons.endpoint.Request[typing.Any], /) -> contextlib.AbstractContextManager[collections.abc.Callable[[], bytes]]:
        'Send a typed request and stream the undecoded body of the response. Raises as ``send`` does.'
    def ping(self) -> bool:
        'Return whether the cluster responds: ``GET /`` is sent to every node at once, without retries.'
    @property
    def pipelines(self) -> Pipelines:
        '``ml.pipelines``: what the server does to documents before it indexes them, and to searches.'
    def plugins(self, *, format: typing.Literal['json'] = ...) -> list[aiomlcommons.api.server.Plugin]:
        'List the plugins of every node, such as ``opensearch-knn``, with their versions.'
    def predict(self, algorithm: str, model_id: str, *, query_text: str | None = ..., text_docs: collections.abc.Sequence[str] | None = ..., question: str | None = ..., context: str | None = ..., return_bytes: bool | None = ..., return_number: bool | None = ..., target_response: collections.abc.Sequence[str] | None = ..., target_response_positions: collections.abc.Sequence[int] | None = ..., parameters: collections.abc.Mapping[str, typing.Any] | None = ..., input_data: aiomlcommons.api.predict.DataFrame | None = ..., input_index: collections.abc.Sequence[str] | None = ..., input_query: collections.abc.Mapping[str, typing.Any] | None = ...) -> aiomlcommons.api.predict.Prediction:
        'Predict with the function named. The only route that passes ``text_docs`` to a remote model too.'
    @property
    def profile(self) -> Profiles:
        '``ml.profile``: the models and tasks on the nodes.'
    def raw(self, request: aiomlcommons.endpoint.Request[typing.Any], /, *, accept: str = ...) -> aiomlcommons.http.HttpResponse:
        'Send a typed request and return the undecoded response: status, headers, bytes, ``json()``.'
    def reembed(self, index: str, *, model: aiomlcommons.lifecycle.spec.PretrainedModel | aiomlcommons.lifecycle.spec.UrlModel | aiomlcommons.lifecycle.file_model.FileModel | aiomlcommons.lifecycle.spec.RemoteModel | aiomlcommons.lifecycle.spec.ExistingModel | str | None = ..., alias: str | None = ..., field: str | None = ..., text: str = ..., target: str | None = ..., body: collections.abc.Mapping[str, typing.Any] | None = ..., engine: str | None = ..., method: str | collections.abc.Mapping[str, typing.Any] | None = ..., space_type: str | None = ..., pipeline: str | None = ..., search_pipeline: str | None = ..., old_model: str | None = ..., queries: collections.abc.Mapping[str, str] | collections.abc.Iterable[str] | str | os.PathLike[str] | None = ..., judgments: typing.Any = ..., require: str | collections.abc.Iterable[str] = ..., max_failures: int = ..., freeze: bool = ..., resume: bool | None = ..., sample: bool = ..., batch: int = ..., batch_bytes: int = ..., concurrency: int | tuple[int, int] = ..., requests_per_minute: float | None = ..., tokens_per_minute: float | None = ..., content_type: typing.Literal['query', 'passage'] | None = ..., dead_letters: str | os.PathLike[str] | None = ..., stall_timeout: float = ..., progress: bool | collections.abc.Callable[[aiomlcommons.progress.event.Progress], typing.Any] = ...) -> Reembedding:
        'Give an index that is in use a new model, without downtime: ``report = await ml.reembed("docs", ...)``.'
    def request(self, method: str, path: str, *, query: collections.abc.Mapping[str, str] | None = ..., body: typing.Any = ..., headers: collections.abc.Mapping[str, str] | None = ..., repeatable: bool | None = ...) -> aiomlcommons.http.HttpResponse:
        'Send an untyped request to any route: ``await ml.request("GET", "/_cat/nodes", query={"format": "json"})``.'
    @typing.overload
    def rerank(self, model_id: str, query_text: str, text_docs: collections.abc.Iterable[str], *, top_n: None = ...) -> numpy.ndarray[tuple[typing.Any, ...], numpy.dtype[typing.Any]]: ...
    @typing.overload
    def rerank(self, model_id: str, query_text: str, text_docs: collections.abc.Iterable[str], *, top_n: int) -> list[aiomlcommons.inference.predictions.Ranked]: ...
    @typing.overload
    def search(self, index: str, query: collections.abc.Mapping[str, typing.Any] | None = ..., *, size: int | None = ..., from_: int | None = ..., sort: typing.Any = ..., source: bool | str | collections.abc.Sequence[str] | collections.abc.Mapping[str, typing.Any] | None = ..., search_pipeline: str | collections.abc.Mapping[str, typing.Any] | None = ..., preference: str | None = ..., routing: str | None = ..., into: None = ..., **body: typing.Any) -> IndexSearch[dict[str, typing.Any]]: ...
    @typing.overload
    def search(self, index: str, query: collections.abc.Mapping[str, typing.Any] | None = ..., *, size: int | None = ..., from_: int | None = ..., sort: typing.Any = ..., source: bool | str | collections.abc.Sequence[str] | collections.abc.Mapping[str, typing.Any] | None = ..., search_pipeline: str | collections.abc.Mapping[str, typing.Any] | None = ..., preference: str | None = ..., routing: str | None = ..., into: collections.abc.Callable[..., T], **body: typing.Any) -> IndexSearch[T]: ...
    @typing.overload
    def search_text(self, index: str, text: str, model: str | None = ..., *, field: str | None = ..., text_field: str | None = ..., hybrid: bool | None = ..., k: int | None = ..., size: int = ..., filter: collections.abc.Mapping[str, typing.Any] | None = ..., source: bool | str | collections.abc.Sequence[str] | collections.abc.Mapping[str, typing.Any] | None = ..., search_pipeline: str | collections.abc.Mapping[str, typing.Any] | None = ..., into: None = ..., **body: typing.Any) -> TextSearch[dict[str, typing.Any]]: ...
    @typing.overload
    def search_text(self, index: str, text: str, model: str | None = ..., *, field: str | None = ..., text_field: str | None = ..., hybrid: bool | None = ..., k: int | None = ..., size: int = ..., filter: collections.abc.Mapping[str, typing.Any] | None = ..., source: bool | str | collections.abc.Sequence[str] | collections.abc.Mapping[str, typing.Any] | None = ..., search_pipeline: str | collections.abc.Mapping[str, typing.Any] | None = ..., into: collections.abc.Callable[..., T], **body: typing.Any) -> TextSearch[T]: ...
    def send(self, request: aiomlcommons.endpoint.Request[R], /) -> R:
        'Send a typed request and return its typed response; every JSON call of the package goes through here.'
    @property
    def settings(self) -> Settings:
        '``ml.settings``: the cluster settings of ML Commons.'
    def sparse(self, model_id: str, texts: collections.abc.Iterable[str], *, sparse_embedding_format: typing.Literal['WORD', 'TOKEN_ID'] | None = ..., batch: int | None = ..., concurrency: int = ...) -> list[dict[str, float]]:
        'Encode texts sparsely, by a sparse encoder or tokenizer; return the weight of each token for each text.'
    def stats(self, stat: str | None = ..., *, node_id: str | None = ..., target_stat_levels: collections.abc.Sequence[str] | None = ..., cluster_level_stats: collections.abc.Sequence[str] | None = ..., node_level_stats: collections.abc.Sequence[str] | None = ..., action_level_stats: collections.abc.Sequence[str] | None = ..., node_ids: collections.abc.Sequence[str] | None = ..., algorithms: collections.abc.Sequence[str] | None = ..., models: collections.abc.Sequence[str] | None = ..., actions: collections.abc.Sequence[str] | None = ...) -> aiomlcommons.api.stats.Stats:
        'Get statistics of the cluster and its nodes. ``stat`` and ``node_id`` are one name or a comma-separated list.'
    def task(self, task: str | aiomlcommons.waiting.task.Started, *, backoff: aiomlcommons.net.backoff.Backoff = ..., stall_timeout: float = ..., progress: bool | collections.abc.Callable[[aiomlcommons.progress.event.Progress], typing.Any] = ...) -> Task:
        'Wait for a job on the server, by its id or by the response that started it: ``await ml.task(started)``.'
    @property
    def tasks(self) -> Tasks:
        '``ml.tasks``: asynchronous jobs on the server; ``await ml.task(id)`` waits for one.'
    @property
    def tools(self) -> Tools:
        '``ml.tools``: the tools of agents.'
    def train(self, algorithm: str, *, async_: bool | None = ..., query_text: str | None = ..., text_docs: collections.abc.Sequence[str] | None = ..., question: str | None = ..., context: str | None = ..., return_bytes: bool | None = ..., return_number: bool | None = ..., target_response: collections.abc.Sequence[str] | None = ..., target_response_positions: collections.abc.Sequence[int] | None = ..., parameters: collections.abc.Mapping[str, typing.Any] | None = ..., input_data: aiomlcommons.api.predict.DataFrame | None = ..., input_index: collections.abc.Sequence[str] | None = ..., input_query: collections.abc.Mapping[str, typing.Any] | None = ...) -> aiomlcommons.api.algorithms.Training:
        'Train a model of a classic algorithm on ``input_data``, or on ``input_index`` with ``input_query``.'
    def train_and_predict(self, algorithm: str, *, async_: bool | None = ..., query_text: str | None = ..., text_docs: collections.abc.Sequence[str] | None = ..., question: str | None = ..., context: str | None = ..., return_bytes: bool | None = ..., return_number: bool | None = ..., target_response: collections.abc.Sequence[str] | None = ..., target_response_positions: collections.abc.Sequence[int] | None = ..., parameters: collections.abc.Mapping[str, typing.Any] | None = ..., input_data: aiomlcommons.api.predict.DataFrame | None = ..., input_index: collections.abc.Sequence[str] | None = ..., input_query: collections.abc.Mapping[str, typing.Any] | None = ...) -> aiomlcommons.api.predict.Prediction:
        'Train a model and predict on the same data in one call. The model is not kept.'
    def version(self) -> aiomlcommons.wire.version.Version | None:
        "Return the server's version, fetched once and then cached."
    @property
    def async_session(self) -> aiomlcommons.session.Session: ...


class AgenticSearchTemplates:
    def delete(self, template_id: str) -> aiomlcommons.api.agentic_search_templates.AgenticSearchTemplateStatus:
        'Delete a template.'
    def get(self, template_id: str) -> aiomlcommons.api.agentic_search_templates.AgenticSearchTemplate:
        'Get a template.'
    def list(self, *, from_: int | None = ..., size: int | None = ...) -> aiomlcommons.api.agentic_search_templates.AgenticSearchTemplateList:
        'List templates by page: ``size`` (1 to 1000, default 10) from offset ``from_`` (default 0).'
    def register(self, template_id: str, *, index: str, description: str | None = ..., param_schema: collections.abc.Mapping[str, typing.Any] | None = ...) -> aiomlcommons.api.agentic_search_templates.AgenticSearchTemplateStatus:
        'Register a template for an index. ``param_schema`` must not be empty.'
    def update(self, template_id: str, *, description: str | None = ..., param_schema: collections.abc.Mapping[str, typing.Any] | None = ...) -> aiomlcommons.api.common.WriteResult:
        "Update a template's description or parameters."


class Agents:
    def delete(self, agent_id: str) -> aiomlcommons.api.common.WriteResult:
        'Delete an agent.'
    def execute(self, agent_id: str, *, isAsync: bool | None = ..., tenant_id: str | None = ..., async_: bool | None = ..., parameters: collections.abc.Mapping[str, typing.Any] | None = ..., input: str | collections.abc.Sequence[aiomlcommons.api.agent_runs.ContentBlock | aiomlcommons.api.agent_runs.Message] | None = ...) -> aiomlcommons.api.agent_runs.AgentTask | aiomlcommons.api.agent_runs.AgentMessage | aiomlcommons.api.agent_runs.AgentTensors:
        'Run an agent: with ``parameters``, or with ``input`` (text, content blocks or messages).'
    def execute_stream(self, agent_id: str, *, threadId: str | None = ..., runId: str | None = ..., state: typing.Any = ..., messages: collections.abc.Sequence[collections.abc.Mapping[str, typing.Any]] | None = ..., tools: collections.abc.Sequence[collections.abc.Mapping[str, typing.Any]] | None = ..., context: collections.abc.Sequence[collections.abc.Mapping[str, typing.Any]] | None = ..., forwardedProps: typing.Any = ..., tenant_id: str | None = ..., async_: bool | None = ..., parameters: collections.abc.Mapping[str, typing.Any] | None = ..., input: str | collections.abc.Sequence[aiomlcommons.api.agent_runs.ContentBlock | aiomlcommons.api.agent_runs.Message] | None = ...) -> contextlib.AbstractContextManager[Events[aiomlcommons.api.predict.Words | aiomlcommons.api.ag_ui.AgUiEvent]]:
        'Run an agent and stream its response: Words, or AG-UI events for an AG-UI agent.'
    def get(self, agent_id: str) -> aiomlcommons.api.agents.Agent:
        'Get an agent.'
    def register(self, name: str, type: aiomlcommons.api.agents.AgentType | str, *, llm: aiomlcommons.api.agents.LLMSpec | None = ..., model: aiomlcommons.api.agents.AgentModelSpec | None = ..., memory: aiomlcommons.api.agents.MemorySpec | None = ..., context_management_name: str | None = ..., context_management: aiomlcommons.api.context_management.ContextManagementTemplate | None = ..., created_time: int | None = ..., last_updated_time: int | None = ..., is_hidden: bool | None = ..., agent_id: str | None = ..., provisioned_by: str | None = ..., description: str | None = ..., tools: collections.abc.Sequence[aiomlcommons.api.agents.ToolSpec] | None = ..., parameters: collections.abc.Mapping[str, typing.Any] | None = ..., app_type: str | None = ..., tenant_id: str | None = ...) -> aiomlcommons.api.agents.AgentRegistered:
        'Register an agent: ``flow``, ``conversational``, ``conversational_flow``, ``plan_execute_and_reflect``, ...'
    def search(self, body: collections.abc.Mapping[str, typing.Any] = ...) -> Search[aiomlcommons.api.agents.Agent]:
        'Search the agents with a query DSL body.'
    def update(self, agent_id: str, *, name: str | None = ..., llm: collections.abc.Mapping[str, typing.Any] | None = ..., memory: collections.abc.Mapping[str, typing.Any] | None = ..., description: str | None = ..., tools: collections.abc.Sequence[aiomlcommons.api.agents.ToolSpec] | None = ..., parameters: collections.abc.Mapping[str, typing.Any] | None = ..., app_type: str | None = ..., tenant_id: str | None = ...) -> aiomlcommons.api.common.WriteResult:
        'Update an agent; its type cannot be changed.'


class Events(typing.Generic[E]):
    def __iter__(self) -> collections.abc.Iterator[E]: ...


class Search(typing.Generic[T]):
    def __iter__(self) -> collections.abc.Iterator[aiomlcommons.api.common.Hit[T]]: ...
    def result(self) -> aiomlcommons.api.common.Hits[T]: ...


class Configs:
    def get(self, config_id: str) -> aiomlcommons.api.config.Config:
        'Get a configuration.'


class Connectors:
    def create(self, name: str, *, version: str | int, protocol: str, dry_run: bool | None = ..., connector_id: str | None = ..., provisioned_by: str | None = ..., description: str | None = ..., url: str | None = ..., parameters: collections.abc.Mapping[str, typing.Any] | None = ..., credential: collections.abc.Mapping[str, str | aiomlcommons.net.secret.Secret] | None = ..., actions: collections.abc.Sequence[aiomlcommons.api.connectors.ConnectorAction] | None = ..., backend_roles: collections.abc.Sequence[str] | None = ..., add_all_backend_roles: bool | None = ..., access_mode: aiomlcommons.api.common.AccessMode | typing.Literal['public', 'private', 'restricted'] | None = ..., client_config: aiomlcommons.api.connectors.ClientConfig | None = ..., headers: collections.abc.Mapping[str, str | aiomlcommons.net.secret.Secret] | None = ..., tenant_id: str | None = ...) -> aiomlcommons.api.connectors.ConnectorCreated:
        'Create a connector. The server encrypts ``credential``; no ``repr`` shows it.'
    def delete(self, connector_id: str) -> aiomlcommons.api.common.WriteResult:
        'Delete a connector; raises Conflict while a model uses it.'
    def get(self, connector_id: str, *, return_content: bool | None = ...) -> aiomlcommons.api.connectors.McpConnector | aiomlcommons.api.connectors.HttpConnector:
        'Get a connector, without its credential.'
    def search(self, body: collections.abc.Mapping[str, typing.Any] = ...) -> Search[aiomlcommons.api.connectors.McpConnector | aiomlcommons.api.connectors.HttpConnector]:
        'Search the connectors with a query DSL body.'
    def update(self, connector_id: str, *, name: str | None = ..., version: str | int | None = ..., protocol: str | None = ..., description: str | None = ..., url: str | None = ..., parameters: collections.abc.Mapping[str, typing.Any] | None = ..., credential: collections.abc.Mapping[str, str | aiomlcommons.net.secret.Secret] | None = ..., actions: collections.abc.Sequence[aiomlcommons.api.connectors.ConnectorAction] | None = ..., backend_roles: collections.abc.Sequence[str] | None = ..., add_all_backend_roles: bool | None = ..., access_mode: aiomlcommons.api.common.AccessMode | typing.Literal['public', 'private', 'restricted'] | None = ..., client_config: aiomlcommons.api.connectors.ClientConfig | None = ..., headers: collections.abc.Mapping[str, str | aiomlcommons.net.secret.Secret] | None = ..., tenant_id: str | None = ...) -> aiomlcommons.api.common.WriteResult:
        'Update a connector that no deployed model uses.'


class ContextManagement:
    def create(self, template_name: str, *, description: str | None = ..., hooks: collections.abc.Mapping[str, collections.abc.Sequence[aiomlcommons.api.context_management.ContextManager]] | None = ...) -> aiomlcommons.api.context_management.ContextManagementStatus:
        'Create a template.'
    def delete(self, template_name: str) -> aiomlcommons.api.context_management.ContextManagementStatus:
        'Delete a template.'
    def get(self, template_name: str) -> aiomlcommons.api.context_management.ContextManagementTemplate:
        'Get a template.'
    def list(self, *, from_: int | None = ..., size: int | None = ...) -> aiomlcommons.api.context_management.ContextManagementTemplates:
        'List templates by page: ``size`` (1 to 1000, default 10) from offset ``from_`` (default 0).'
    def update(self, template_name: str, *, description: str | None = ..., hooks: collections.abc.Mapping[str, collections.abc.Sequence[aiomlcommons.api.context_management.ContextManager]] | None = ...) -> aiomlcommons.api.common.WriteResult:
        'Update a template.'


class Controllers:
    def create(self, model_id: str, user_rate_limiter: collections.abc.Mapping[str, aiomlcommons.api.model_records.RateLimiter]) -> aiomlcommons.api.controllers.ControllerCreated:
        'Set the rate limits of a model, by user.'
    def delete(self, model_id: str) -> aiomlcommons.api.common.WriteResult:
        'Remove the rate limits of a model.'
    def get(self, model_id: str, *, return_content: bool | None = ...) -> aiomlcommons.api.controllers.Controller:
        "Get a model's controller."
    def update(self, model_id: str, user_rate_limiter: collections.abc.Mapping[str, aiomlcommons.api.model_records.RateLimiter]) -> aiomlcommons.api.common.WriteResult:
        'Update the rate limits of some users.'


class Diagnosis:
    def __iter__(self) -> collections.abc.Iterator[aiomlcommons.diagnosis.findings.Checked]: ...
    def result(self) -> aiomlcommons.diagnosis.findings.Report: ...


class Documents:
    def bulk(self, body: bytes, *, index: str | None = ..., pipeline: str | None = ..., refresh: bool | typing.Literal['wait_for'] | None = ..., routing: str | None = ..., require_alias: bool | None = ..., timeout: str | None = ...) -> aiomlcommons.api.documents.BulkResult:
        'Write documents: ``body`` is a line of JSON for each action, and one for its document. ``ml.ingest`` does it all.'
    def get(self, index: str, id: str, *, source: str | None = ..., realtime: bool | None = ..., refresh: bool | None = ..., routing: str | None = ..., preference: str | None = ...) -> aiomlcommons.api.documents.Document:
        'Get a document by its id. ``source`` are the fields to get, with commas between them, or ``false``.'
    def search(self, index: str | None = ..., body: collections.abc.Mapping[str, typing.Any] | None = ..., *, search_pipeline: str | None = ..., routing: str | None = ..., preference: str | None = ..., ignore_unavailable: bool | None = ..., allow_no_indices: bool | None = ..., allow_partial_search_results: bool | None = ..., request_cache: bool | None = ..., search_type: str | None = ...) -> aiomlcommons.api.common.Hits[dict[str, typing.Any]]:
        'Search indices with a query DSL body: one page, as the server sends it. ``ml.search`` reads documents into a'


class Embedded(typing.Generic[T]):
    def __iter__(self) -> collections.abc.Iterator[tuple[T, numpy.ndarray[tuple[typing.Any, ...], numpy.dtype[typing.Any]]]]: ...
    def batches(self) -> collections.abc.Iterator[aiomlcommons.inference.embed.Batch[T]]:
        'Iterate over batches: rows as a list, vectors as one array of shape ``(len(rows), dimension)``.'


class IndexInsight:
    def get(self, index_id: str, insight_type: str) -> aiomlcommons.api.index_insight.InsightFound:
        'Get an insight of an index; the server generates it if there is none.'
    def get_config(self) -> aiomlcommons.api.index_insight.InsightConfig:
        'Get the configuration of index insight.'
    def put_config(self, is_enable: bool, tenant_id: str | None = ...) -> aiomlcommons.api.common.Acknowledged:
        'Enable or disable index insight.'


class IndexLife:
    def aliases(self, index: str | None = ..., *, name: str | None = ..., ignore_unavailable: bool | None = ..., allow_no_indices: bool | None = ..., expand_wildcards: str | None = ...) -> dict[str, aiomlcommons.api.index_records.IndexAliases]:
        'Get the aliases of indices, by the names of the indices; of all of them, if neither is named.'
    def count(self, index: str | None = ..., *, query: collections.abc.Mapping[str, typing.Any] | None = ..., routing: str | None = ..., ignore_unavailable: bool | None = ..., allow_no_indices: bool | None = ..., expand_wildcards: str | None = ...) -> aiomlcommons.api.indices.Count:
        'Count the documents, or those that match a query.'
    def create(self, index: str, *, mappings: collections.abc.Mapping[str, typing.Any] | None = ..., settings: collections.abc.Mapping[str, typing.Any] | None = ..., aliases: collections.abc.Mapping[str, typing.Any] | None = ..., wait_for_active_shards: str | None = ..., cluster_manager_timeout: str | None = ..., timeout: str | None = ...) -> aiomlcommons.api.indices.IndexCreated:
        'Create an index. ``ml.indices.create_for`` makes the mapping that fits a model.'
    def create_for(self, model: aiomlcommons.lifecycle.spec.PretrainedModel | aiomlcommons.lifecycle.spec.UrlModel | aiomlcommons.lifecycle.file_model.FileModel | aiomlcommons.lifecycle.spec.RemoteModel | aiomlcommons.lifecycle.spec.ExistingModel | str, index: str, *, field: str = ..., text_field: str | None = ..., id_field: str | None = ..., analyzer: str | None = ..., semantic: bool = ..., engine: str | None = ..., method: str | collections.abc.Mapping[str, typing.Any] | None = ..., space_type: str | None = ..., dimension: int | None = ..., sparse: bool | None = ..., body: collections.abc.Mapping[str, typing.Any] | None = ...) -> aiomlcommons.indices.for_model.ModelIndex:
        'Create an index whose mapping fits a model, or compare the one that exists. Idempotent.'
    def delete(self, index: str, *, ignore_unavailable: bool | None = ..., allow_no_indices: bool | None = ..., expand_wildcards: str | None = ..., cluster_manager_timeout: str | None = ..., timeout: str | None = ...) -> aiomlcommons.api.common.Acknowledged:
        'Delete an index with its documents. An alias is refused.'
    def get(self, index: str, *, flat_settings: bool | None = ..., include_defaults: bool | None = ..., ignore_unavailable: bool | None = ..., allow_no_indices: bool | None = ..., expand_wildcards: str | None = ...) -> dict[str, aiomlcommons.api.index_records.Index]:
        'Get the aliases, mappings and settings of indices, by their names.'
    def mapping(self, index: str | None = ..., *, ignore_unavailable: bool | None = ..., allow_no_indices: bool | None = ..., expand_wildcards: str | None = ...) -> dict[str, aiomlcommons.api.index_records.IndexMapping]:
        'Get the mappings of indices, by their names.'
    def put_mapping(self, index: str, mappings: collections.abc.Mapping[str, typing.Any], *, ignore_unavailable: bool | None = ..., allow_no_indices: bool | None = ..., expand_wildcards: str | None = ..., cluster_manager_timeout: str | None = ..., timeout: str | None = ...) -> aiomlcommons.api.common.Acknowledged:
        'Add fields to the mapping: ``ml.indices.put_mapping("docs", {"properties": {...}})``. The type of one stays.'
    def put_settings(self, index: str, settings: collections.abc.Mapping[str, typing.Any], *, preserve_existing: bool | None = ..., ignore_unavailable: bool | None = ..., allow_no_indices: bool | None = ..., expand_wildcards: str | None = ..., cluster_manager_timeout: str | None = ..., timeout: str | None = ...) -> aiomlcommons.api.common.Acknowledged:
        'Change settings: ``ml.indices.put_settings("docs", {"index.number_of_replicas": 0})``. A null resets one.'
    def refresh(self, index: str | None = ..., *, ignore_unavailable: bool | None = ..., allow_no_indices: bool | None = ..., expand_wildcards: str | None = ...) -> aiomlcommons.api.indices.Refreshed:
        'Make what was written visible to searches.'
    def settings(self, index: str | None = ..., *, flat_settings: bool | None = ..., include_defaults: bool | None = ..., ignore_unavailable: bool | None = ..., allow_no_indices: bool | None = ..., expand_wildcards: str | None = ...) -> dict[str, aiomlcommons.api.index_records.IndexSettings]:
        'Get the settings of indices, by their names; ``flat_settings`` makes each key one, with dots.'
    def update_aliases(self, actions: collections.abc.Sequence[aiomlcommons.api.aliases.AddAlias | aiomlcommons.api.aliases.RemoveAlias | aiomlcommons.api.aliases.RemoveIndex], *, cluster_manager_timeout: str | None = ..., timeout: str | None = ...) -> aiomlcommons.api.common.Acknowledged:
        'Add and remove aliases in one step: ``[RemoveAlias("docs-1", "docs"), AddAlias("docs-2", "docs")]``.'


class Ingestion:
    def __enter__(self) -> Job: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None) -> None: ...
    def result(self) -> aiomlcommons.ingest.stats.Report: ...


class Job:
    def result(self) -> aiomlcommons.ingest.stats.Report: ...
    def done(self) -> bool:
        'Return whether the job has ended, successfully or not, so that awaiting it returns at once.'
    def progress(self, name: str) -> aiomlcommons.progress.event.Progress:
        'Return how far the job is; ``name`` is what it is called there.'
    @property
    def report(self) -> aiomlcommons.ingest.stats.Report:
        'The report of what was done until now.'
    @property
    def stats(self) -> aiomlcommons.ingest.stats.Stats:
        'The counts so far.'
    @property
    def succeeded(self) -> bool:
        'Whether the job has ended without an error.'


class Mcp:
    def call(self, method: str, params: collections.abc.Mapping[str, typing.Any] | None = ..., *, id: str | int | None = ..., jsonrpc: str = ...) -> aiomlcommons.api.mcp.JsonRpc | None:
        "Send a JSON-RPC 2.0 message to the cluster's MCP server. Returns None for a notification, which has no response."
    def list_connector_tools(self, connector_id: str) -> aiomlcommons.api.mcp.ConnectorTools:
        'List the tools that an MCP connector offers.'
    def list_tools(self) -> aiomlcommons.api.mcp.McpTools:
        "List the tools of the cluster's MCP server."
    def open_stream(self) -> None:
        'Request a stream of the MCP server, which is not supported: every release responds with 405.'
    def register_tools(self, tools: collections.abc.Sequence[aiomlcommons.api.mcp.McpTool]) -> dict[str, aiomlcommons.api.mcp.McpNode]:
        "Add tools to the cluster's MCP server; the response has the result of each node."
    def remove_tools(self, names: collections.abc.Sequence[str]) -> dict[str, aiomlcommons.api.mcp.McpNode]:
        "Remove tools from the cluster's MCP server, by name; the response has the result of each node."
    def update_tools(self, tools: collections.abc.Sequence[aiomlcommons.api.mcp.McpTool]) -> dict[str, aiomlcommons.api.mcp.McpNode]:
        "Update tools of the cluster's MCP server, by name; the response has the result of each node."


class Memories:
    def create(self, name: str | None = ..., *, application_type: str | None = ..., additional_info: collections.abc.Mapping[str, typing.Any] | None = ...) -> aiomlcommons.api.memory.MemoryCreated:
        'Create a conversation. Without ``name`` the server ignores the other fields.'
    def create_message(self, memory_id: str, *, input: str | None = ..., prompt_template: str | None = ..., response: str | None = ..., origin: str | None = ..., additional_info: collections.abc.Mapping[str, typing.Any] | None = ..., parent_message_id: str | None = ..., trace_number: int | None = ...) -> aiomlcommons.api.memory.MessageCreated:
        'Add a message to a conversation, or with ``parent_message_id`` and ``trace_number`` a trace to a message.'
    def delete(self, memory_id: str) -> aiomlcommons.api.memory.MemoryDeleted:
        'Delete a conversation with its messages.'
    def get(self, memory_id: str) -> aiomlcommons.api.memory.Memory:
        'Get a conversation.'
    def get_message(self, message_id: str) -> aiomlcommons.api.memory.MemoryMessage:
        'Get a message.'
    def list(self, *, max_results: int | None = ..., next_token: int | None = ...) -> aiomlcommons.api.memory.MemoryPage:
        'List conversations by page: ``max_results`` (default 10) from offset ``next_token`` (default 0).'
    def list_messages(self, memory_id: str, *, max_results: int | None = ..., next_token: int | None = ...) -> aiomlcommons.api.memory.MessagePage:
        "List a conversation's messages by page: ``max_results`` (default 10) from offset ``next_token``."
    def list_traces(self, message_id: str, *, max_results: int | None = ..., next_token: int | None = ...) -> aiomlcommons.api.memory.TracePage:
        "List a message's traces by page: ``max_results`` (default 10) from offset ``next_token``."
    def search(self, body: collections.abc.Mapping[str, typing.Any] = ...) -> Search[aiomlcommons.api.memory.Memory]:
        'Search the conversations with a query DSL body.'
    def search_messages(self, memory_id: str, body: collections.abc.Mapping[str, typing.Any] = ...) -> Search[aiomlcommons.api.memory.MemoryMessage]:
        "Search a conversation's messages with a query DSL body."
    def update(self, memory_id: str, *, name: str | None = ..., additional_info: collections.abc.Mapping[str, typing.Any] | None = ...) -> aiomlcommons.api.common.WriteResult:
        "Update a conversation's name or additional information; the server ignores anything else."
    def update_message(self, message_id: str, *, response: str | None = ..., additional_info: collections.abc.Mapping[str, typing.Any] | None = ...) -> aiomlcommons.api.common.WriteResult:
        "Update a message's response or additional information; the server ignores anything else."


class MemoryContainers:
    def add_memories(self, memory_container_id: str, *, payload_type: str | None = ..., messages: collections.abc.Sequence[aiomlcommons.api.memory_documents.MessageInput] | None = ..., message_id: int | None = ..., binary_data: str | None = ..., structured_data: collections.abc.Mapping[str, typing.Any] | None = ..., structured_data_blob: collections.abc.Mapping[str, typing.Any] | None = ..., namespace: collections.abc.Mapping[str, typing.Any] | None = ..., infer: bool | None = ..., metadata: collections.abc.Mapping[str, typing.Any] | None = ..., tags: collections.abc.Mapping[str, typing.Any] | None = ..., parameters: collections.abc.Mapping[str, typing.Any] | None = ..., owner_id: str | None = ..., pinned: bool | None = ..., checkpoint_id: str | None = ..., tenant_id: str | None = ...) -> aiomlcommons.api.memory_documents.MemoriesAdded:
        'Add messages (``payload_type="conversational"``) or data (``"data"``).'
    def create(self, name: str, *, memory_container_id: str | None = ..., tenant_id: str | None = ..., description: str | None = ..., configuration: aiomlcommons.api.memory_containers.MemoryConfiguration | None = ..., backend_roles: collections.abc.Sequence[str] | None = ...) -> aiomlcommons.api.memory_containers.MemoryContainerCreated:
        'Create a memory container.'
    def create_session(self, memory_container_id: str, *, session_id: str | None = ..., owner_id: str | None = ..., summary: str | None = ..., metadata: collections.abc.Mapping[str, typing.Any] | None = ..., agents: collections.abc.Mapping[str, typing.Any] | None = ..., additional_info: collections.abc.Mapping[str, typing.Any] | None = ..., namespace: collections.abc.Mapping[str, str] | None = ..., tenant_id: str | None = ...) -> aiomlcommons.api.memory_documents.SessionCreated:
        'Create a session.'
    def delete(self, memory_container_id: str, *, delete_all_memories: bool | None = ..., delete_memories: str | None = ...) -> aiomlcommons.api.common.WriteResult:
        'Delete a memory container; with ``delete_all_memories``, or the named ``delete_memories``, its memories too.'
    def delete_memories(self, memory_container_id: str, memory_type: typing.Literal['sessions', 'working', 'long-term', 'history'], query: collections.abc.Mapping[str, typing.Any] | None = ...) -> aiomlcommons.api.memory_documents.DeletedByQuery:
        'Delete the memories of one type that match ``query``; without it, all of them.'
    def delete_memory(self, memory_container_id: str, memory_type: typing.Literal['sessions', 'working', 'long-term', 'history'], memory_id: str) -> aiomlcommons.api.common.WriteResult:
        'Delete a memory.'
    def execute_retention(self) -> aiomlcommons.api.memory_containers.RetentionTriggered:
        'Start the job that deletes expired memories.'
    def get(self, memory_container_id: str) -> aiomlcommons.api.memory_containers.MemoryContainer:
        'Get a memory container.'
    def get_memory(self, memory_container_id: str, memory_type: typing.Literal['sessions', 'working', 'long-term', 'history'], memory_id: str) -> aiomlcommons.api.memory_documents.WorkingMemory | aiomlcommons.api.memory_documents.LongTermMemory | aiomlcommons.api.memory_documents.MemoryHistory | aiomlcommons.api.memory_documents.MemorySession:
        'Get a memory. ``memory_type`` is ``sessions``, ``working``, ``long-term`` or ``history``.'
    def hybrid_search(self, memory_container_id: str, query: str, *, bm25_weight: float | None = ..., neural_weight: float | None = ..., k: int | None = ..., namespace: collections.abc.Mapping[str, str] | None = ..., tags: collections.abc.Mapping[str, str] | None = ..., min_score: float | None = ..., filter: collections.abc.Mapping[str, typing.Any] | None = ...) -> aiomlcommons.api.common.Hits[aiomlcommons.api.memory_documents.WorkingMemory | aiomlcommons.api.memory_documents.LongTermMemory | aiomlcommons.api.memory_documents.MemoryHistory | aiomlcommons.api.memory_documents.MemorySession]:
        'Search the long-term memories by keywords (BM25) and semantics. The weights (default 0.5 each) must sum to 1.'
    def preview_container_retention(self, memory_container_id: str) -> aiomlcommons.api.memory_containers.RetentionPreview:
        'Preview what the retention job would delete from one container.'
    def preview_retention(self) -> aiomlcommons.api.memory_containers.RetentionPreviews:
        'Preview what the retention job would delete, in every container.'
    def search(self, body: collections.abc.Mapping[str, typing.Any] = ...) -> Search[aiomlcommons.api.memory_containers.MemoryContainer]:
        'Search the memory containers with a query DSL body.'
    def search_memories(self, memory_container_id: str, memory_type: typing.Literal['sessions', 'working', 'long-term', 'history'], body: collections.abc.Mapping[str, typing.Any] = ...) -> Search[aiomlcommons.api.memory_documents.WorkingMemory | aiomlcommons.api.memory_documents.LongTermMemory | aiomlcommons.api.memory_documents.MemoryHistory | aiomlcommons.api.memory_documents.MemorySession]:
        'Search the memories of one type with a query DSL body.'
    def semantic_search(self, memory_container_id: str, query: str, *, k: int | None = ..., namespace: collections.abc.Mapping[str, str] | None = ..., tags: collections.abc.Mapping[str, str] | None = ..., min_score: float | None = ..., filter: collections.abc.Mapping[str, typing.Any] | None = ...) -> aiomlcommons.api.common.Hits[aiomlcommons.api.memory_documents.WorkingMemory | aiomlcommons.api.memory_documents.LongTermMemory | aiomlcommons.api.memory_documents.MemoryHistory | aiomlcommons.api.memory_documents.MemorySession]:
        'Search the long-term memories by semantic similarity to a text.'
    def update(self, memory_container_id: str, *, name: str | None = ..., description: str | None = ..., configuration: aiomlcommons.api.memory_containers.MemoryConfiguration | None = ..., backend_roles: collections.abc.Sequence[str] | None = ...) -> aiomlcommons.api.common.WriteResult:
        'Update a memory container.'
    def update_memory(self, memory_container_id: str, memory_type: typing.Literal['sessions', 'working', 'long-term', 'history'], memory_id: str, body: collections.abc.Mapping[str, typing.Any]) -> aiomlcommons.api.common.WriteResult:
        'Update fields of a memory. ``body`` holds the fields that its type allows.'


class ModelGroups:
    def delete(self, model_group_id: str) -> aiomlcommons.api.common.WriteResult:
        'Delete an empty model group. A missing one is not an error: ``result`` is ``not_found``.'
    def get(self, model_group_id: str) -> aiomlcommons.api.model_groups.ModelGroup:
        'Get a model group.'
    def register(self, name: str, *, model_group_id: str | None = ..., description: str | None = ..., access_mode: aiomlcommons.api.common.AccessMode | typing.Literal['public', 'private', 'restricted'] | None = ..., backend_roles: collections.abc.Sequence[str] | None = ..., add_all_backend_roles: bool | None = ..., tenant_id: str | None = ...) -> aiomlcommons.api.model_groups.ModelGroupRegistered:
        'Register a model group. Its name must be unique in the cluster.'
    def search(self, body: collections.abc.Mapping[str, typing.Any] = ...) -> Search[aiomlcommons.api.model_groups.ModelGroup]:
        'Search the model groups with a query DSL body.'
    def update(self, model_group_id: str, *, name: str | None = ..., description: str | None = ..., access_mode: aiomlcommons.api.common.AccessMode | typing.Literal['public', 'private', 'restricted'] | None = ..., backend_roles: collections.abc.Sequence[str] | None = ..., add_all_backend_roles: bool | None = ..., tenant_id: str | None = ...) -> aiomlcommons.api.model_groups.ModelGroupUpdated:
        "Update a model group's name, description or access."


class ModelLife:
    def batch_predict(self, model_id: str, *, parameters: collections.abc.Mapping[str, typing.Any] | None = ..., action_type: str | None = ..., dlq: collections.abc.Mapping[str, typing.Any] | None = ...) -> aiomlcommons.api.predict.BatchStarted:
        'Start an offline batch prediction: a remote service reads its input from files, and writes files.'
    def delete(self, model_id: str) -> aiomlcommons.api.common.WriteResult:
        'Delete a model that is not deployed, with its chunks.'
    def deploy(self, model_id: str, *, node_ids: collections.abc.Sequence[str] | None = ...) -> aiomlcommons.api.tasks.TaskStarted:
        'Load a registered model onto the ML nodes; returns a task, to wait for with ``ml.task``.'
    def deployed(self, spec: aiomlcommons.lifecycle.spec.PretrainedModel | aiomlcommons.lifecycle.spec.UrlModel | aiomlcommons.lifecycle.file_model.FileModel | aiomlcommons.lifecycle.spec.RemoteModel | aiomlcommons.lifecycle.spec.ExistingModel | str, *, change_settings: bool = ..., backoff: aiomlcommons.net.backoff.Backoff = ..., progress: bool | collections.abc.Callable[[aiomlcommons.progress.event.Progress], typing.Any] = ...) -> contextlib.AbstractContextManager[aiomlcommons.lifecycle.ensured.EnsuredModel]:
        'Keep a model deployed while the context is open; undeploy it afterwards if this call deployed it.'
    def ensure(self, spec: aiomlcommons.lifecycle.spec.PretrainedModel | aiomlcommons.lifecycle.spec.UrlModel | aiomlcommons.lifecycle.file_model.FileModel | aiomlcommons.lifecycle.spec.RemoteModel | aiomlcommons.lifecycle.spec.ExistingModel | str, *, deploy: bool = ..., node_ids: collections.abc.Sequence[str] | None = ..., allow_partial: bool = ..., change_settings: bool = ..., keep: bool = ..., backoff: aiomlcommons.net.backoff.Backoff = ..., stall_timeout: float = ..., wait: float = ..., progress: bool | collections.abc.Callable[[aiomlcommons.progress.event.Progress], typing.Any] = ...) -> aiomlcommons.lifecycle.ensured.EnsuredModel:
        'Register and deploy a model where that is missing, and return it. Idempotent: a second call does nothing.'
    def get(self, model_id: str, *, return_content: bool | None = ...) -> aiomlcommons.api.model_records.Model:
        'Get a model. ``return_content`` adds the content of a trained model.'
    def predict(self, model_id: str, *, action_type: str | None = ..., query_text: str | None = ..., text_docs: collections.abc.Sequence[str] | None = ..., question: str | None = ..., context: str | None = ..., return_bytes: bool | None = ..., return_number: bool | None = ..., target_response: collections.abc.Sequence[str] | None = ..., target_response_positions: collections.abc.Sequence[int] | None = ..., parameters: collections.abc.Mapping[str, typing.Any] | None = ..., input_data: aiomlcommons.api.predict.DataFrame | None = ..., input_index: collections.abc.Sequence[str] | None = ..., input_query: collections.abc.Mapping[str, typing.Any] | None = ...) -> aiomlcommons.api.predict.Prediction:
        'Predict with a model whose function the server looks up. Fields as for ``ml.predict``; remote: ``parameters``.'
    def predict_stream(self, model_id: str, *, parameters: collections.abc.Mapping[str, typing.Any] | None = ...) -> contextlib.AbstractContextManager[Events[aiomlcommons.api.predict.Words]]:
        'Predict with a remote model and stream its response.'
    def pretrained(self, name: str) -> aiomlcommons.lifecycle.catalogue.Pretrained:
        'Look up a pretrained model by full or short name: ``ml.models.pretrained("all-MiniLM-L6-v2").dimension``.'
    def register(self, name: str, *, model_format: aiomlcommons.api.model_records.ModelFormat | typing.Literal['TORCH_SCRIPT', 'ONNX'] | None = ..., model_content_hash_value: str | None = ..., url: str | None = ..., connector_id: str | None = ..., connector: aiomlcommons.api.connectors.CreateConnector | None = ..., guardrails: aiomlcommons.api.model_records.Guardrails | None = ..., model_node_ids: collections.abc.Sequence[str] | None = ..., tenant_id: str | None = ..., provisioned_by: str | None = ..., deploy: bool | None = ..., version: str | None = ..., description: str | None = ..., function_name: aiomlcommons.api.common.FunctionName | str | None = ..., model_group_id: str | None = ..., model_content_size_in_bytes: int | None = ..., model_config: aiomlcommons.api.model_configs.ModelConfig | None = ..., is_enabled: bool | None = ..., rate_limiter: aiomlcommons.api.model_records.RateLimiter | None = ..., deploy_setting: aiomlcommons.api.model_records.DeploySetting | None = ..., interface: collections.abc.Mapping[str, typing.Any] | None = ..., access_mode: aiomlcommons.api.common.AccessMode | typing.Literal['public', 'private', 'restricted'] | None = ..., backend_roles: collections.abc.Sequence[str] | None = ..., add_all_backend_roles: bool | None = ..., does_version_create_model_group: bool | None = ..., is_hidden: bool | None = ..., model_id: str | None = ...) -> aiomlcommons.api.tasks.TaskStarted:
        'Register a pretrained model by name, a local one by URL, or a remote one by connector; returns a task.'
    def register_meta(self, name: str, *, model_format: aiomlcommons.api.model_records.ModelFormat | typing.Literal['TORCH_SCRIPT', 'ONNX'], model_content_hash_value: str, total_chunks: int, model_state: aiomlcommons.api.model_records.ModelState | str | None = ..., version: str | None = ..., description: str | None = ..., function_name: aiomlcommons.api.common.FunctionName | str | None = ..., model_group_id: str | None = ..., model_content_size_in_bytes: int | None = ..., model_config: aiomlcommons.api.model_configs.ModelConfig | None = ..., is_enabled: bool | None = ..., rate_limiter: aiomlcommons.api.model_records.RateLimiter | None = ..., deploy_setting: aiomlcommons.api.model_records.DeploySetting | None = ..., interface: collections.abc.Mapping[str, typing.Any] | None = ..., access_mode: aiomlcommons.api.common.AccessMode | typing.Literal['public', 'private', 'restricted'] | None = ..., backend_roles: collections.abc.Sequence[str] | None = ..., add_all_backend_roles: bool | None = ..., does_version_create_model_group: bool | None = ..., is_hidden: bool | None = ..., model_id: str | None = ...) -> aiomlcommons.api.model_records.MetaRegistered:
        'Register the metadata of a model whose file is then uploaded in ``total_chunks`` chunks.'
    def remove(self, model_id: str, *, undeploy: bool = ..., empty_group: bool = ..., backoff: aiomlcommons.net.backoff.Backoff = ..., wait: float = ..., progress: bool | collections.abc.Callable[[aiomlcommons.progress.event.Progress], typing.Any] = ...) -> bool:
        'Undeploy a model and delete it with its chunks; return whether there was one. Idempotent.'
    def search(self, body: collections.abc.Mapping[str, typing.Any] = ...) -> Search[aiomlcommons.api.model_records.Model]:
        'Search the models with a query DSL body. ``ml.models.search`` leaves out the chunks of model files, which are'
    def undeploy(self, model_id: str, *, node_ids: collections.abc.Sequence[str] | None = ...) -> dict[str, aiomlcommons.api.model_records.NodeUndeployed]:
        'Unload a model from the nodes; the response has the result of each node.'
    def undeploy_many(self, model_ids: collections.abc.Sequence[str] | None = ..., *, node_ids: collections.abc.Sequence[str] | None = ...) -> dict[str, aiomlcommons.api.model_records.NodeUndeployed]:
        'Unload several models from all nodes, or from some nodes.'
    def update(self, model_id: str, *, name: str | None = ..., description: str | None = ..., model_group_id: str | None = ..., is_enabled: bool | None = ..., rate_limiter: aiomlcommons.api.model_records.RateLimiter | None = ..., model_config: aiomlcommons.api.model_configs.ModelConfig | None = ..., deploy_setting: aiomlcommons.api.model_records.DeploySetting | None = ..., connector_id: str | None = ..., connector: aiomlcommons.api.connectors.CreateConnector | None = ..., guardrails: aiomlcommons.api.model_records.Guardrails | None = ..., interface: collections.abc.Mapping[str, typing.Any] | None = ..., tenant_id: str | None = ...) -> aiomlcommons.api.common.WriteResult:
        "Update a model's name, access and options. ``connector`` and ``connector_id`` exclude each other."
    def upload_chunk(self, model_id: str, chunk_number: int, content: bytes) -> aiomlcommons.api.model_records.ChunkUploaded:
        'Upload one chunk (numbered from 0) of at most 10,000,000 raw bytes.'


class Pipelines:
    def create(self, id: str, *, processors: collections.abc.Sequence[aiomlcommons.api.processors.TextEmbedding | aiomlcommons.api.processors.SparseEncoding | aiomlcommons.api.processors.TextImageEmbedding | aiomlcommons.api.processors.TextChunking | aiomlcommons.api.processors.MLInference | collections.abc.Mapping[str, typing.Any]], description: str | None = ..., version: int | None = ..., on_failure: collections.abc.Sequence[collections.abc.Mapping[str, typing.Any]] | None = ..., cluster_manager_timeout: str | None = ..., timeout: str | None = ...) -> aiomlcommons.api.common.Acknowledged:
        'Create or replace an ingest pipeline. The server takes any model id: each document fails where there is no model.'
    def create_search(self, id: str, *, request_processors: collections.abc.Sequence[aiomlcommons.api.search_processors.NeuralQueryEnricher | aiomlcommons.api.search_processors.NeuralSparseTwoPhase | aiomlcommons.api.search_processors.AgenticQueryTranslator | aiomlcommons.api.search_processors.MLInferenceRequest | collections.abc.Mapping[str, typing.Any]] | None = ..., phase_results_processors: collections.abc.Sequence[aiomlcommons.api.search_processors.Normalization | aiomlcommons.api.search_processors.ScoreRanker | collections.abc.Mapping[str, typing.Any]] | None = ..., response_processors: collections.abc.Sequence[aiomlcommons.api.search_processors.Rerank | aiomlcommons.api.search_processors.MLInferenceResponse | aiomlcommons.api.search_processors.RetrievalAugmentedGeneration | aiomlcommons.api.search_processors.HybridScoreExplanation | aiomlcommons.api.search_processors.AgenticContext | collections.abc.Mapping[str, typing.Any]] | None = ..., description: str | None = ..., version: int | None = ..., cluster_manager_timeout: str | None = ..., timeout: str | None = ...) -> aiomlcommons.api.common.Acknowledged:
        "Create or replace a search pipeline, for ``search_pipeline`` of a search or as an index's default."
    def delete(self, id: str, *, cluster_manager_timeout: str | None = ..., timeout: str | None = ...) -> aiomlcommons.api.common.Acknowledged:
        'Delete ingest pipelines; ``id`` may have wildcards.'
    def delete_search(self, id: str, *, cluster_manager_timeout: str | None = ..., timeout: str | None = ...) -> aiomlcommons.api.common.Acknowledged:
        'Delete a search pipeline.'
    def get(self, id: str | None = ..., *, cluster_manager_timeout: str | None = ...) -> dict[str, aiomlcommons.api.pipelines.IngestPipeline]:
        'Get ingest pipelines by id: ``(await ml.pipelines.get("p"))["p"]``. ``id`` may have wildcards, or be left out.'
    def get_search(self, id: str | None = ..., *, cluster_manager_timeout: str | None = ...) -> dict[str, aiomlcommons.api.search_pipelines.SearchPipeline]:
        'Get search pipelines by id: ``(await ml.pipelines.get_search("p"))["p"]``. ``id`` may have wildcards.'
    def simulate(self, id: str | None = ..., *, docs: collections.abc.Sequence[aiomlcommons.api.pipelines.IngestDocument | collections.abc.Mapping[str, typing.Any]], pipeline: aiomlcommons.api.pipelines.IngestPipeline | None = ..., verbose: bool | None = ...) -> aiomlcommons.api.pipelines.Simulation:
        'Run documents through an ingest pipeline without indexing them. Models are asked in earnest.'
    def stats(self) -> aiomlcommons.api.pipeline_stats.IngestStats:
        'Get counts, times and failures of the ingest pipelines, by node, pipeline and processor.'


class Profiles:
    def all(self, *, model_ids: collections.abc.Sequence[str] | None = ..., task_ids: collections.abc.Sequence[str] | None = ..., node_ids: collections.abc.Sequence[str] | None = ..., return_all_tasks: bool | None = ..., return_all_models: bool | None = ..., view: typing.Literal['node', 'model'] | None = ...) -> aiomlcommons.api.stats.Profile:
        'Get the models and tasks on the nodes, and the latency of predictions.'
    def models(self, model_id: str | None = ..., *, model_ids: collections.abc.Sequence[str] | None = ..., task_ids: collections.abc.Sequence[str] | None = ..., node_ids: collections.abc.Sequence[str] | None = ..., return_all_tasks: bool | None = ..., return_all_models: bool | None = ..., view: typing.Literal['node', 'model'] | None = ...) -> aiomlcommons.api.stats.Profile:
        'Get the profiles of all models, of one, or of a comma-separated list of ids.'
    def tasks(self, task_id: str | None = ..., *, model_ids: collections.abc.Sequence[str] | None = ..., task_ids: collections.abc.Sequence[str] | None = ..., node_ids: collections.abc.Sequence[str] | None = ..., return_all_tasks: bool | None = ..., return_all_models: bool | None = ..., view: typing.Literal['node', 'model'] | None = ...) -> aiomlcommons.api.stats.Profile:
        'Get the profiles of all running tasks, of one, or of a comma-separated list of ids.'


class Reembedding:
    def __enter__(self) -> ReembeddingJob: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None) -> None: ...
    def result(self) -> aiomlcommons.reembedding.report.Report: ...


class ReembeddingJob:
    def result(self) -> aiomlcommons.reembedding.report.Report: ...
    def finish(self, *, delete_old: bool = ...) -> aiomlcommons.reembedding.report.Report:
        'End the re-embedding: from now on there is nothing to go back to, if the old index is deleted.'
    def follow(self, until: aiomlcommons.reembedding.job.Until | None = ..., *, every: float = ...) -> aiomlcommons.reembedding.report.Report:
        'Embed what writers write without a vector of the new model, until an event is set.'
    @property
    def phase(self) -> str:
        'How far it is: ``planned``, ``created``, ``copying``, ``caught up``, ``checked``, ``switched``, ...'
    @property
    def plan(self) -> aiomlcommons.reembedding.plan.Plan:
        'What is going to be done, as it was found on entering.'
    def prepare(self) -> aiomlcommons.reembedding.report.Report:
        'Create the new index, copy and embed, catch up with writers, compare and check; switch nothing.'
    @property
    def report(self) -> aiomlcommons.reembedding.report.Report:
        'What was done until now.'
    def rollback(self) -> aiomlcommons.reembedding.report.Report:
        'Go back: searches answer as before, and nothing that was written meanwhile is lost.'
    def switch(self) -> aiomlcommons.reembedding.report.Report:
        'Let the alias lead to the new index, and bring over what writers still send to the old one.'


class IndexSearch(typing.Generic[T]):
    def __iter__(self) -> collections.abc.Iterator[aiomlcommons.api.common.Hit[T]]: ...
    def result(self) -> aiomlcommons.api.common.Hits[T]: ...


class TextSearch(typing.Generic[T]):
    def __iter__(self) -> collections.abc.Iterator[aiomlcommons.api.common.Hit[T]]: ...
    def result(self) -> aiomlcommons.searching.text_search.TextHits[T]: ...
    def plan(self) -> aiomlcommons.searching.plan.Plan:
        'Return what would be sent, and why, without searching. Raises as ``ml.search_text`` does.'


class Settings:
    def allow_first_model(self, *, transient: bool = ...) -> aiomlcommons.api.setting_names.MLSettings:
        'Apply the settings that a local model needs on a cluster without ML nodes; return the previous values.'
    def apply(self, settings: aiomlcommons.api.setting_names.MLSettings, *, transient: bool = ..., skip_missing: bool = ...) -> aiomlcommons.api.setting_names.MLSettings:
        'Change settings, and return their previous values; ``apply`` these to restore them.'
    def get(self, *, include_defaults: bool | None = ..., flat_settings: bool | None = ...) -> aiomlcommons.api.settings.ClusterSettings:
        "Get the cluster's settings."
    def ml_on_all_nodes(self, allowed: bool = ..., *, transient: bool = ...) -> aiomlcommons.api.setting_names.MLSettings:
        'Let models run on every node, for clusters without ML nodes; return the previous values.'
    def put(self, *, persistent: collections.abc.Mapping[str, typing.Any] | None = ..., transient: collections.abc.Mapping[str, typing.Any] | None = ..., flat_settings: bool | None = ...) -> aiomlcommons.api.settings.ClusterSettings:
        'Change settings of the cluster: ``persistent`` ones survive a restart, ``transient`` ones do not.'
    def read(self, *, defaults: bool = ...) -> aiomlcommons.api.setting_names.MLSettings:
        'Return the effective settings: transient over persistent ones, over the defaults if ``defaults``.'
    def temporarily(self, settings: aiomlcommons.api.setting_names.MLSettings, *, transient: bool = ..., skip_missing: bool = ...) -> contextlib.AbstractContextManager[None]:
        'Change settings while the context is open, and restore them however it ends. Raises as ``apply`` does.'
    def trust(self, url: str, *, transient: bool = ...) -> aiomlcommons.api.setting_names.MLSettings:
        'Let connectors call the host of a URL, beside those that the cluster trusts; return the previous value.'


class Task:
    def __iter__(self) -> collections.abc.Iterator[aiomlcommons.api.tasks.TaskInfo]:
        'Poll the task, and yield each state that differs from the one before; the last one is final, failures too.'
    def result(self) -> aiomlcommons.api.tasks.TaskInfo: ...
    def cancel(self) -> aiomlcommons.api.tasks.TaskInfo:
        "Cancel a remote batch prediction, and return the task's current state (``remote_job`` is the provider's)."
    @property
    def task_id(self) -> str: ...


class Tasks:
    def cancel(self, task_id: str) -> aiomlcommons.api.tasks.Cancelled:
        'Cancel a remote batch prediction.'
    def delete(self, task_id: str) -> aiomlcommons.api.common.WriteResult:
        "Delete a task's record. Does not stop the task."
    def get(self, task_id: str) -> aiomlcommons.api.tasks.TaskInfo:
        'Get a task.'
    def search(self, body: collections.abc.Mapping[str, typing.Any] = ...) -> Search[aiomlcommons.api.tasks.TaskInfo]:
        'Search the tasks with a query DSL body; without one, the newest versions of all match.'


class Tools:
    def execute(self, tool_name: str, *, parameters: collections.abc.Mapping[str, typing.Any] | None = ..., async_: bool | None = ...) -> aiomlcommons.api.predict.Prediction:
        'Run a tool without an agent.'
    def get(self, tool_name: str) -> aiomlcommons.api.tools.Tool:
        'Get a tool.'
    def list(self) -> builtins.list[aiomlcommons.api.tools.Tool]:
        'List the tools that the cluster has.'
