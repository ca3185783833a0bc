"""What the providers of remote models say, as rows of the trouble table: "slow down" is not "bad document".

ML Commons passes on a provider's body, and mostly its status. Both differ between providers: a spent quota and a busy
moment are 429 alike, and some throttle with 400. So a row has a code, the beginning of a message, or both; either is
enough. A new provider needs rows here only where the status alone would mislead, and an example in
tests/support/provider_examples.py.
"""

from __future__ import annotations

import functools
import re

import attrs

from aiomlcommons.trouble.kinds import Kind, Party, Trouble
from aiomlcommons.trouble.parsed_error import ParsedError


@attrs.frozen
class ProviderTrouble(Trouble):
    """A row for an error of a provider: its ``code``, the beginning of its message (``words``), the usual ``status``.

    In both, ``...`` matches any text, and case does not matter. ``sign`` is the code, or the words where there is none.
    """

    provider: str = ""
    code: str = ""
    words: str = ""
    status: int = 0

    @property
    def name(self) -> str:
        """The provider and the sign, which tell the row from all others."""
        return f"{self.provider}: {self.sign}"

    def matches(self, error: ParsedError) -> bool:
        """Return whether a provider's error has the code or the words of this row."""
        answer = error.provider
        if answer is None:
            return False
        if self.code and any(_pattern(self.code).fullmatch(code) for code in answer.codes):
            return True
        return bool(self.words) and any(_pattern(self.words).match(message) for message in answer.messages)


@functools.cache
def _pattern(words: str) -> re.Pattern[str]:
    # Bounded, so that words of a document that a message quotes at its end are not searched.
    return re.compile(".{0,600}?".join(map(re.escape, words.split("..."))), re.IGNORECASE)


def _row(
    provider: str, kind: Kind, status: int, code: str = "", words: str = "", *, source: str = ""
) -> ProviderTrouble:
    where = source or _SOURCES[provider]
    return ProviderTrouble(
        code or words, kind, Party.PROVIDER, where, provider=provider, code=code, words=words, status=status
    )


_SOURCES = {
    "OpenAI": "https://developers.openai.com/docs/guides/error-codes",
    "Azure OpenAI": "https://learn.microsoft.com/azure/ai-services/openai/quotas-limits",
    "Bedrock": "https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html",
    "SageMaker": "botocore: data/sagemaker-runtime/2017-05-13/service-2.json",
    "AWS": "https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html",
    "Cohere": "https://docs.cohere.com/v2/reference/errors",
    "Vertex AI": "https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/api-errors",
    "Gemini": "https://ai.google.dev/gemini-api/docs/rate-limits",
    "Voyage AI": "https://docs.voyageai.com/docs/error-codes",
    "TEI": "text-embeddings-inference: core/src/lib.rs, router/src/http/server.rs",
    "Hugging Face": "https://huggingface.co/docs/api-inference/detailed_parameters",
    "Anthropic": "https://docs.anthropic.com/en/api/errors",
    "DeepSeek": "https://api-docs.deepseek.com/quick_start/error_codes",
    "gateway": "nginx, Envoy, Kong and API gateways in front of a provider",
}
_RECORDED = "ml-commons-runs plain38.provider.sagemaker_throttles"
_BOTOCORE = "botocore: data/_retry.json"
_API_MANAGEMENT = "https://learn.microsoft.com/azure/api-management/rate-limit-policy"
_QUOTA, _BUSY, _PASSES, _UNCLEAR = Kind.QUOTA, Kind.THROTTLED, Kind.PASSES, Kind.UNCLEAR
_CREDENTIAL, _MISSING, _TOO_LONG, _DOCUMENT = Kind.CREDENTIAL, Kind.MISSING, Kind.TOO_LONG, Kind.DOCUMENT

# The first match counts: what is said by few comes before the general codes that accompany it.
PROVIDERS: tuple[Trouble, ...] = (
    # ---- what ML Commons itself makes of a throttled request to AWS, whose body says nothing
    Trouble(
        "remote_connector_throttling_exception", _BUSY, Party.PROVIDER, "ml-commons-runs plain38.remote_bedrock_3s"
    ),
    _row(
        "AWS",
        _BUSY,
        400,
        words="...denied due to remote server throttling",
        source=_RECORDED,
    ),
    _row("SageMaker", _BUSY, 400, words='{"message":null}', source="ml-commons #2249"),
    # ---- quotas that do not pass, and limits of one request, before the codes of throttling that they share
    _row("Gemini", _QUOTA, 429, "...PerDay..."),
    _row("Gemini", _BUSY, 429, "...PerMinute...", "You exceeded your current quota...Please retry in"),
    _row("OpenAI", _QUOTA, 429, "credit_balance_exhausted"),
    _row("OpenAI", _QUOTA, 429, "organization_spend_limit_exceeded"),
    _row("OpenAI", _QUOTA, 429, "insufficient_quota", "You exceeded your current quota"),
    _row("OpenAI", _QUOTA, 429, "billing_not_active", "Your account is not active, please check your billing details"),
    _row("OpenAI", _QUOTA, 400, "billing_hard_limit_reached", "Billing hard limit has been reached"),
    _row("OpenAI", _QUOTA, 429, words="Rate limit reached for ... per day"),
    _row("OpenAI", _TOO_LONG, 429, words="Request too large for"),
    _row("Bedrock", _QUOTA, 429, words="Too many tokens per day"),
    _row("Cohere", _QUOTA, 429, words="You are using a Trial key, which is limited to ... / month"),
    _row("Cohere", _QUOTA, 402, words="Please add or update your payment method"),
    _row("Vertex AI", _QUOTA, 429, words="Quota exceeded for ... per day"),
    _row("Vertex AI", _QUOTA, 403, "BILLING_DISABLED", "This API method requires billing to be enabled"),
    _row("Anthropic", _QUOTA, 400, words="Your credit balance is too low to access the Anthropic API"),
    _row("Anthropic", _QUOTA, 402, "billing_error"),
    _row("Anthropic", _QUOTA, 429, "enforced_spend_limit_reached"),
    _row("DeepSeek", _QUOTA, 402, words="Insufficient Balance"),
    _row("gateway", _QUOTA, 403, words="Out of call volume quota", source=_API_MANAGEMENT),
    _row("gateway", _QUOTA, 429, words="Limit Exceeded", source="API Gateway of AWS: usage plans"),
    # ---- throttling
    _row("OpenAI", _BUSY, 429, "rate_limit_exceeded", "Rate limit reached for"),
    _row("OpenAI", _BUSY, 503, "slow_down", "Slow down"),
    _row("OpenAI", _BUSY, 503, "server_is_overloaded", "The engine is currently overloaded, please try again later"),
    _row("OpenAI", _BUSY, 429, words="That model is currently overloaded with other requests"),
    _row("Azure OpenAI", _BUSY, 429, words="Requests to the ... have exceeded call rate limit"),
    _row("Azure OpenAI", _BUSY, 429, words="Requests to the ... have exceeded token rate limit"),
    _row("Azure OpenAI", _BUSY, 429, words="The system is currently experiencing high demand"),
    _row("Bedrock", _BUSY, 429, words="Too many requests, please wait before trying again"),
    _row("Bedrock", _BUSY, 429, words="Too many tokens, please wait before trying again"),
    _row("Bedrock", _BUSY, 429, words="Your request rate is too high"),
    _row("Bedrock", _BUSY, 400, "ServiceQuotaExceededException"),
    _row("AWS", _BUSY, 400, "ThrottlingException", "Rate exceeded", source=_BOTOCORE),
    _row("AWS", _BUSY, 400, "Throttling", source=_BOTOCORE),
    _row("AWS", _BUSY, 400, "ThrottledException", source=_BOTOCORE),
    _row("AWS", _BUSY, 400, "RequestThrottledException", source=_BOTOCORE),
    _row("AWS", _BUSY, 400, "TooManyRequestsException", source=_BOTOCORE),
    _row("Cohere", _BUSY, 429, words="You are past the per minute request limit"),
    _row("Cohere", _BUSY, 429, words="You are using a Trial key, which is limited to ... / minute"),
    _row("Cohere", _BUSY, 429, words="trial token rate limit exceeded"),
    _row("Vertex AI", _BUSY, 429, "RESOURCE_EXHAUSTED", "Resource has been exhausted"),
    _row("Vertex AI", _BUSY, 429, words="Resource exhausted, please try again later"),
    _row("Vertex AI", _BUSY, 429, words="Quota exceeded for aiplatform.googleapis.com"),
    _row("Vertex AI", _BUSY, 503, words="The model is overloaded"),
    _row("Voyage AI", _BUSY, 429, words="You have not yet added your payment method ... reduced rate limits"),
    _row("TEI", _BUSY, 429, "Overloaded", "Model is overloaded"),
    _row("Anthropic", _BUSY, 429, "rate_limit_error"),
    _row("Anthropic", _BUSY, 529, "overloaded_error", "Overloaded"),
    _row("DeepSeek", _BUSY, 429, words="Rate limit reached"),
    _row("gateway", _BUSY, 429, words="Too Many Requests"),
    _row("gateway", _BUSY, 429, words="<...429 Too Many Requests"),
    _row("gateway", _BUSY, 429, words="API rate limit exceeded", source="Kong: rate-limiting plugin"),
    _row("gateway", _BUSY, 429, words="local_rate_limited", source="Envoy: local rate limit filter"),
    _row("gateway", _BUSY, 429, words="Rate limit is exceeded", source=_API_MANAGEMENT),
    _row("gateway", _BUSY, 429, words="Rate limit exceeded"),
    # ---- the provider is not up, or not yet
    _row("SageMaker", _PASSES, 530, "InternalDependencyException"),
    _row("SageMaker", _PASSES, 429, "ModelNotReadyException"),
    _row("Bedrock", _PASSES, 503, "ServiceUnavailableException"),
    _row("Vertex AI", _PASSES, 503, "UNAVAILABLE"),
    _row("TEI", _PASSES, 503, "Unhealthy"),
    _row("Hugging Face", _PASSES, 503, words="Model ... is currently loading"),
    _row("gateway", _PASSES, 503, words="upstream connect error", source="Envoy: response code details"),
    _row("gateway", _PASSES, 503, words="no healthy upstream", source="Envoy: response code details"),
    _row("TEI", _UNCLEAR, 424, "Backend", "Backend error"),
    # ---- the connector's credential, and its rights
    _row("OpenAI", _CREDENTIAL, 401, "invalid_api_key", "Incorrect API key provided"),
    _row("OpenAI", _CREDENTIAL, 401, words="You didn't provide an API key"),
    _row("OpenAI", _CREDENTIAL, 401, words="You must be a member of an organization"),
    _row("OpenAI", _CREDENTIAL, 401, "account_deactivated"),
    _row("OpenAI", _CREDENTIAL, 403, "unsupported_country_region_territory"),
    _row("Azure OpenAI", _CREDENTIAL, 401, words="Access denied due to invalid subscription key"),
    _row("Azure OpenAI", _CREDENTIAL, 401, "PermissionDenied"),
    _row("AWS", _CREDENTIAL, 403, "UnrecognizedClientException", "The security token included in the request is"),
    _row("AWS", _CREDENTIAL, 403, "ExpiredTokenException"),
    _row("AWS", _CREDENTIAL, 403, "InvalidClientTokenId"),
    _row("AWS", _CREDENTIAL, 403, "InvalidSignatureException", "The request signature we calculated does not match"),
    _row("AWS", _CREDENTIAL, 400, "IncompleteSignature"),
    _row("AWS", _CREDENTIAL, 403, "MissingAuthenticationToken", "Missing Authentication Token"),
    _row("AWS", _CREDENTIAL, 400, "RequestExpired", "Signature expired"),
    _row("AWS", _CREDENTIAL, 400, "NotAuthorized"),
    _row("AWS", _CREDENTIAL, 403, "AccessDeniedException", "User: ... is not authorized to perform"),
    _row("Bedrock", _CREDENTIAL, 403, words="You don't have access to the model with the specified model ID"),
    _row("Cohere", _CREDENTIAL, 401, words="invalid api token"),
    _row("Cohere", _CREDENTIAL, 401, words="no api key supplied"),
    _row("Vertex AI", _CREDENTIAL, 401, "UNAUTHENTICATED", "Request had invalid authentication credentials"),
    _row("Vertex AI", _CREDENTIAL, 403, "PERMISSION_DENIED", "Permission ... denied on resource"),
    _row("Vertex AI", _CREDENTIAL, 403, "SERVICE_DISABLED"),
    _row("Gemini", _CREDENTIAL, 400, "API_KEY_INVALID", "API key not valid"),
    _row("Voyage AI", _CREDENTIAL, 401, words="Provided API key is invalid"),
    _row("Anthropic", _CREDENTIAL, 401, "authentication_error", "invalid x-api-key"),
    _row("Anthropic", _CREDENTIAL, 403, "permission_error"),
    _row("DeepSeek", _CREDENTIAL, 401, words="Authentication Fails"),
    # ---- no such model, deployment or route
    _row("OpenAI", _MISSING, 404, "model_not_found", "The model ... does not exist"),
    _row("Azure OpenAI", _MISSING, 404, "DeploymentNotFound", "The API deployment for this resource does not exist"),
    _row("Azure OpenAI", _MISSING, 400, "OperationNotSupported"),
    _row("Bedrock", _MISSING, 400, words="The provided model identifier is invalid"),
    _row("Bedrock", _MISSING, 400, words="Invocation of model ID ... with on-demand throughput isn"),
    _row("Bedrock", _MISSING, 404, words="Model use case details have not been submitted"),
    _row("Bedrock", _MISSING, 404, "ResourceNotFoundException"),
    _row("SageMaker", _MISSING, 400, words="Endpoint ... of account ... not found"),
    _row("Cohere", _MISSING, 404, words="model ... not found"),
    _row("Vertex AI", _MISSING, 404, "NOT_FOUND", "Publisher Model ... was not found"),
    _row("Voyage AI", _MISSING, 400, words="Model ... is not supported. Supported models are"),
    _row("Anthropic", _MISSING, 404, "not_found_error"),
    # ---- too long: one text, or all of a request together
    _row("OpenAI", _TOO_LONG, 400, "context_length_exceeded", "This model's maximum context length is"),
    _row("OpenAI", _TOO_LONG, 400, "max_tokens_per_request"),
    _row("OpenAI", _TOO_LONG, 400, "array_above_max_length"),
    _row("OpenAI", _TOO_LONG, 400, "string_above_max_length"),
    _row("Bedrock", _TOO_LONG, 400, words="400 Bad Request: Too many input tokens"),
    _row("Bedrock", _TOO_LONG, 400, words="Input is too long for requested model"),
    _row("Bedrock", _TOO_LONG, 400, words="Malformed input request: ...expected max"),
    _row("Cohere", _TOO_LONG, 400, words="too many tokens:"),
    _row("Cohere", _TOO_LONG, 400, words="invalid request: total number of texts must be at most"),
    _row("Vertex AI", _TOO_LONG, 400, words="Unable to submit request because the input token count is"),
    _row("Vertex AI", _TOO_LONG, 400, words="The input token count ... exceeds the maximum number of tokens"),
    _row("Vertex AI", _TOO_LONG, 400, words="...instance(s) is allowed per prediction"),
    _row("Voyage AI", _TOO_LONG, 400, "TOO_MANY_TOKENS_IN_BATCH", "...The max allowed tokens per submitted batch is"),
    _row("Voyage AI", _TOO_LONG, 400, words="...The batch size limit is"),
    _row("Voyage AI", _TOO_LONG, 400, words="...in your batch has too many tokens and does not fit"),
    _row("TEI", _TOO_LONG, 413, words="Input validation error: `inputs` must have less than"),
    _row("TEI", _TOO_LONG, 413, words="batch size ... > maximum allowed batch size"),
    _row("Anthropic", _TOO_LONG, 400, words="prompt is too long"),
    _row("Anthropic", _TOO_LONG, 413, "request_too_large"),
    # ---- the content of a document
    _row("Azure OpenAI", _DOCUMENT, 400, "content_filter", "The response was filtered"),
    _row("Azure OpenAI", _DOCUMENT, 400, "ResponsibleAIPolicyViolation"),
    _row("OpenAI", _DOCUMENT, 400, "content_policy_violation"),
    _row("Bedrock", _DOCUMENT, 400, words="Malformed input request: ...expected minLength"),
    _row("TEI", _DOCUMENT, 400, "Empty", "Input validation error: `inputs` cannot be empty"),
    _row("TEI", _DOCUMENT, 422, "Tokenizer", "tokenizer error"),
)
