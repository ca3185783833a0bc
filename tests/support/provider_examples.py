"""What providers send, by the name of the row that knows it: status and body, as their documentation has them.

Where a document gives only the words, they are put into the body that the provider uses for all its errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import orjson


@attrs.frozen
class Example:
    """A provider's response: status, body, and headers beside the content type."""

    status: int
    body: str
    headers: Mapping[str, str] = attrs.field(factory=dict)


def _json(status: int, body: Any, **headers: str) -> Example:
    return Example(status, orjson.dumps(body).decode(), {name.replace("_", "-"): v for name, v in headers.items()})


def openai(status: int, message: str, code: str | None = None, kind: str | None = None, **headers: str) -> Example:
    """Return an error in the form of OpenAI, which Azure uses too."""
    error = {"message": message, "type": kind or "invalid_request_error", "param": None, "code": code}
    return _json(status, {"error": error}, **headers)


def azure(status: int, message: str, code: str, **headers: str) -> Example:
    """Return an error in the form of Azure."""
    return _json(status, {"error": {"code": code, "message": message}}, **headers)


def aws(status: int, message: str, kind: str = "") -> Example:
    """Return an error in the form of AWS, whose type is in a header, and for some protocols in the body."""
    name = {"__type": f"com.amazon.coral.service#{kind}"} if kind else {}
    return _json(status, {**name, "message": message})


def google(status: int, message: str, code: str, *details: Mapping[str, Any]) -> Example:
    """Return an error in the form of Google (google.rpc.Status)."""
    return _json(status, {"error": {"code": status, "message": message, "status": code, "details": list(details)}})


def anthropic(status: int, kind: str, message: str) -> Example:
    """Return an error in the form of Anthropic."""
    return _json(status, {"type": "error", "error": {"type": kind, "message": message}})


def tei(status: int, kind: str, message: str) -> Example:
    """Return an error in the form of text-embeddings-inference."""
    return _json(status, {"error": message, "error_type": kind})


def cohere(status: int, message: str) -> Example:
    """Return an error in the form of Cohere."""
    return _json(status, {"id": "24e32f6d-b372-4853-85f2-11e65134f032", "message": message})


def voyage(status: int, message: str, **more: str) -> Example:
    """Return an error in the form of Voyage AI."""
    return _json(status, {"detail": message, **more})


_CURRENT = "You exceeded your current quota, please check your plan and billing details."
_GEMINI = (
    f"{_CURRENT} For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.\n"
    "* Quota exceeded for metric: generativelanguage.googleapis.com/embed_content_free_tier_requests, limit: 100\n"
    "Please retry in 36.4s."
)
_RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36s"}
_MORE = "Please go here: https://aka.ms/oai/quotaincrease if you would like to further increase the default rate limit."
_IN = "in organization org-abc on"
_LEARN = "Visit https://platform.openai.com/account/rate-limits to learn more."
_VOYAGE = "Request to model 'voyage-3.5' failed."


def _violation(quota: str) -> Mapping[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota}]}


EXAMPLES: Mapping[str, Example] = {
    "AWS: ...denied due to remote server throttling": Example(
        400,
        "The request was denied due to remote server throttling. To change the retry policy and behavior, please "
        "update the connector client_config.",
    ),
    'SageMaker: {"message":null}': Example(400, '{"message":null}'),
    "Gemini: ...PerDay...": google(
        429,
        _GEMINI,
        "RESOURCE_EXHAUSTED",
        _violation("EmbedContentRequestsPerDayPerProjectPerModel-FreeTier"),
        _RETRY,
    ),
    "Gemini: ...PerMinute...": google(
        429,
        _GEMINI,
        "RESOURCE_EXHAUSTED",
        _violation("EmbedContentRequestsPerMinutePerProjectPerModel-FreeTier"),
        _RETRY,
    ),
    "OpenAI: insufficient_quota": openai(429, _CURRENT, "insufficient_quota", "insufficient_quota"),
    "OpenAI: credit_balance_exhausted": openai(
        429, "Your credit balance is exhausted.", "credit_balance_exhausted", "insufficient_quota"
    ),
    "OpenAI: organization_spend_limit_exceeded": openai(
        429, "The spend limit is reached.", "organization_spend_limit_exceeded", "insufficient_quota"
    ),
    "OpenAI: billing_not_active": openai(
        429,
        "Your account is not active, please check your billing details on our website.",
        "billing_not_active",
        "billing_not_active",
    ),
    "OpenAI: billing_hard_limit_reached": openai(
        400, "Billing hard limit has been reached", "billing_hard_limit_reached"
    ),
    "OpenAI: Rate limit reached for ... per day": openai(
        429,
        f"Rate limit reached for text-embedding-3-small {_IN} requests per day (RPD): Limit 200, Used 200, Requested 1."
        f" Please try again in 7m12s. {_LEARN}",
        "rate_limit_exceeded",
        "requests",
    ),
    "OpenAI: Request too large for": openai(
        429,
        f"Request too large for text-embedding-3-small {_IN} tokens per min (TPM): Limit 40000, Requested 51000. "
        "The input or output tokens must be reduced in order to run successfully.",
        "rate_limit_exceeded",
        "tokens",
    ),
    "Bedrock: Too many tokens per day": aws(429, "Too many tokens per day, please wait before trying again."),
    "Cohere: You are using a Trial key, which is limited to ... / month": cohere(
        429,
        "You are using a Trial key, which is limited to 1000 API calls / month. You can continue to use the Trial key "
        "for free or upgrade to a Production key with higher rate limits at 'https://dashboard.cohere.com/api-keys'.",
    ),
    "Cohere: Please add or update your payment method": cohere(
        402, "Please add or update your payment method at https://dashboard.cohere.com/billing?tab=payment"
    ),
    "Vertex AI: Quota exceeded for ... per day": google(
        429,
        "Quota exceeded for quota metric 'Online prediction requests' and limit 'Online prediction requests per day'",
        "RESOURCE_EXHAUSTED",
    ),
    "Vertex AI: BILLING_DISABLED": google(
        403,
        "This API method requires billing to be enabled. Please enable billing on project #123",
        "PERMISSION_DENIED",
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "BILLING_DISABLED"},
    ),
    "Anthropic: Your credit balance is too low to access the Anthropic API": anthropic(
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade.",
    ),
    "Anthropic: billing_error": anthropic(402, "billing_error", "There is an issue with your billing."),
    "Anthropic: enforced_spend_limit_reached": _json(
        429,
        {
            "type": "error",
            "error": {
                "type": "rate_limit_error",
                "message": "The spend limit is reached.",
                "details": {"error_code": "enforced_spend_limit_reached"},
            },
        },
    ),
    "DeepSeek: Insufficient Balance": openai(402, "Insufficient Balance", "invalid_request_error", "unknown_error"),
    "gateway: Out of call volume quota": _json(
        403, {"statusCode": 403, "message": "Out of call volume quota. Quota will be replenished in 23:59:59."}
    ),
    "gateway: Limit Exceeded": _json(429, {"message": "Limit Exceeded"}),
    "OpenAI: rate_limit_exceeded": openai(
        429,
        f"Rate limit reached for text-embedding-3-small {_IN} tokens per min (TPM): Limit 1000000, Used 999000, "
        f"Requested 8000. Please try again in 20ms. {_LEARN}",
        "rate_limit_exceeded",
        "tokens",
    ),
    "OpenAI: slow_down": openai(503, "Slow down", "slow_down", "service_unavailable_error"),
    "OpenAI: server_is_overloaded": openai(
        503,
        "The engine is currently overloaded, please try again later",
        "server_is_overloaded",
        "service_unavailable_error",
    ),
    "OpenAI: That model is currently overloaded with other requests": openai(
        429, "That model is currently overloaded with other requests. You can retry your request.", None, "server_error"
    ),
    "Azure OpenAI: Requests to the ... have exceeded call rate limit": azure(
        429,
        "Requests to the Embeddings_Create Operation under Azure OpenAI API version 2024-10-21 have exceeded call rate "
        f"limit of your current OpenAI S0 pricing tier. Please retry after 1 second. {_MORE}",
        "429",
        retry_after="1",
    ),
    "Azure OpenAI: Requests to the ... have exceeded token rate limit": azure(
        429,
        "Requests to the Embeddings_Create Operation under Azure OpenAI API version 2024-10-21 have exceeded token "
        f"rate limit of your current OpenAI S0 pricing tier. Please retry after 1 second. {_MORE}",
        "429",
        retry_after="1",
    ),
    "Azure OpenAI: The system is currently experiencing high demand": openai(
        429, "The system is currently experiencing high demand and cannot process your request.", "429", "requests"
    ),
    "Bedrock: Too many requests, please wait before trying again": aws(
        429, "Too many requests, please wait before trying again."
    ),
    "Bedrock: Too many tokens, please wait before trying again": aws(
        429, "Too many tokens, please wait before trying again."
    ),
    "Bedrock: Your request rate is too high": aws(
        429, "Your request rate is too high. Reduce the frequency of requests."
    ),
    "Bedrock: ServiceQuotaExceededException": aws(
        400, "Your request exceeds the service quota for your account.", "ServiceQuotaExceededException"
    ),
    "AWS: ThrottlingException": aws(400, "Rate exceeded", "ThrottlingException"),
    "AWS: Throttling": aws(400, "", "Throttling"),
    "AWS: ThrottledException": aws(400, "", "ThrottledException"),
    "AWS: RequestThrottledException": aws(400, "", "RequestThrottledException"),
    "AWS: TooManyRequestsException": aws(400, "", "TooManyRequestsException"),
    "Cohere: You are past the per minute request limit": cohere(
        429, "You are past the per minute request limit, please wait and try again later."
    ),
    "Cohere: You are using a Trial key, which is limited to ... / minute": cohere(
        429, "You are using a Trial key, which is limited to 40 API calls / minute."
    ),
    "Cohere: trial token rate limit exceeded": cohere(
        429, "trial token rate limit exceeded, limit is 100000 tokens per minute"
    ),
    "Vertex AI: RESOURCE_EXHAUSTED": google(
        429, "Resource has been exhausted (e.g. check quota).", "RESOURCE_EXHAUSTED"
    ),
    "Vertex AI: Resource exhausted, please try again later": google(
        429, "Resource exhausted, please try again later.", ""
    ),
    "Vertex AI: Quota exceeded for aiplatform.googleapis.com": google(
        429,
        "Quota exceeded for aiplatform.googleapis.com/embed_content_input_tokens_per_minute_per_base_model with base "
        "model: gemini-embedding. Please submit a quota increase request.",
        "",
    ),
    "Vertex AI: The model is overloaded": google(503, "The model is overloaded. Please try again later.", ""),
    "Voyage AI: You have not yet added your payment method ... reduced rate limits": voyage(
        429,
        "You have not yet added your payment method in the billing page and will have reduced rate limits of 3 RPM and "
        "10K TPM. To unlock our standard rate limits, please add a payment method in the billing page.",
    ),
    "TEI: Overloaded": tei(429, "Overloaded", "Model is overloaded"),
    "Anthropic: rate_limit_error": anthropic(
        429, "rate_limit_error", "This request would exceed your organization's rate limit of 50 requests per minute."
    ),
    "Anthropic: overloaded_error": anthropic(529, "overloaded_error", "Overloaded"),
    "DeepSeek: Rate limit reached": openai(429, "Rate limit reached", None, "unknown_error"),
    "gateway: Too Many Requests": _json(429, {"message": "Too Many Requests"}),
    "gateway: <...429 Too Many Requests": Example(
        429, "<html>\r\n<head><title>429 Too Many Requests</title></head>\r\n<body>nginx</body></html>"
    ),
    "gateway: API rate limit exceeded": _json(429, {"message": "API rate limit exceeded"}),
    "gateway: local_rate_limited": Example(429, "local_rate_limited"),
    "gateway: Rate limit is exceeded": _json(
        429, {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 20 seconds."}
    ),
    "gateway: Rate limit exceeded": _json(429, {"error": "Rate limit exceeded"}),
    "SageMaker: InternalDependencyException": aws(530, "Internal dependency", "InternalDependencyException"),
    "SageMaker: ModelNotReadyException": aws(429, "Model is not ready", "ModelNotReadyException"),
    "Bedrock: ServiceUnavailableException": aws(503, "It isn't available", "ServiceUnavailableException"),
    "Vertex AI: UNAVAILABLE": google(503, "The service is currently unavailable.", "UNAVAILABLE"),
    "TEI: Unhealthy": tei(503, "Unhealthy", "unhealthy"),
    "Hugging Face: Model ... is currently loading": _json(
        503, {"error": "Model BAAI/bge-m3 is currently loading", "estimated_time": 20.5}
    ),
    "gateway: upstream connect error": Example(
        503, "upstream connect error or disconnect/reset before headers. reset reason: connection failure"
    ),
    "gateway: no healthy upstream": Example(503, "no healthy upstream"),
    "TEI: Backend": tei(424, "Backend", "Backend error: Inference error"),
    "OpenAI: invalid_api_key": openai(401, "Incorrect API key provided: sk-***abc.", "invalid_api_key"),
    "OpenAI: You didn't provide an API key": openai(
        401, "You didn't provide an API key. You need to provide your API key in an Authorization header."
    ),
    "OpenAI: You must be a member of an organization": openai(
        401, "You must be a member of an organization to use the API"
    ),
    "OpenAI: account_deactivated": openai(401, "The account has been deactivated.", "account_deactivated"),
    "OpenAI: unsupported_country_region_territory": openai(
        403, "Country, region, or territory not supported", "unsupported_country_region_territory"
    ),
    "Azure OpenAI: Access denied due to invalid subscription key": azure(
        401, "Access denied due to invalid subscription key or wrong API endpoint.", "401"
    ),
    "Azure OpenAI: PermissionDenied": azure(
        401, "The principal `abc` lacks the required data action", "PermissionDenied"
    ),
    "AWS: UnrecognizedClientException": aws(403, "The security token included in the request is invalid."),
    "AWS: ExpiredTokenException": aws(403, "It is expired", "ExpiredTokenException"),
    "AWS: InvalidClientTokenId": aws(403, "No such access key", "InvalidClientTokenId"),
    "AWS: InvalidSignatureException": aws(
        403, "The request signature we calculated does not match the signature you provided."
    ),
    "AWS: IncompleteSignature": aws(400, "No such signature", "IncompleteSignature"),
    "AWS: MissingAuthenticationToken": aws(403, "Missing Authentication Token"),
    "AWS: RequestExpired": aws(400, "Signature expired: 20260101T000000Z is now earlier than 20260101T000500Z"),
    "AWS: NotAuthorized": aws(400, "You do not have permission to perform this action.", "NotAuthorized"),
    "AWS: AccessDeniedException": aws(
        403, "User: arn:aws:iam::123456789012:user/u is not authorized to perform: bedrock:InvokeModel on resource: *"
    ),
    "Bedrock: You don't have access to the model with the specified model ID": aws(
        403, "You don't have access to the model with the specified model ID."
    ),
    "Cohere: invalid api token": cohere(401, "invalid api token"),
    "Cohere: no api key supplied": cohere(401, "no api key supplied"),
    "Vertex AI: UNAUTHENTICATED": google(
        401,
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
        "authentication credential.",
        "UNAUTHENTICATED",
    ),
    "Vertex AI: PERMISSION_DENIED": google(
        403,
        "Permission 'aiplatform.endpoints.predict' denied on resource '//aiplatform.googleapis.com/projects/p'",
        "PERMISSION_DENIED",
    ),
    "Vertex AI: SERVICE_DISABLED": google(
        403,
        "Vertex AI API has not been used in project 123 before or it is disabled.",
        "",
        {"reason": "SERVICE_DISABLED"},
    ),
    "Gemini: API_KEY_INVALID": google(
        400,
        "API key not valid. Please pass a valid API key.",
        "INVALID_ARGUMENT",
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"},
    ),
    "Voyage AI: Provided API key is invalid": voyage(401, "Provided API key is invalid."),
    "Anthropic: authentication_error": anthropic(401, "authentication_error", "invalid x-api-key"),
    "Anthropic: permission_error": anthropic(403, "permission_error", "Your API key does not have permission."),
    "DeepSeek: Authentication Fails": openai(
        401, "Authentication Fails (no such user)", "invalid_request_error", "authentication_failed"
    ),
    "OpenAI: model_not_found": openai(
        404, "The model `text-embedding-9` does not exist or you do not have access to it.", "model_not_found"
    ),
    "Azure OpenAI: DeploymentNotFound": azure(
        404,
        "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, "
        "please wait a moment and try again.",
        "DeploymentNotFound",
    ),
    "Azure OpenAI: OperationNotSupported": azure(
        400, "The embeddings operation does not work with the specified model, gpt-4o.", "OperationNotSupported"
    ),
    "Bedrock: The provided model identifier is invalid": aws(400, "The provided model identifier is invalid."),
    "Bedrock: Invocation of model ID ... with on-demand throughput isn": aws(
        400, "Invocation of model ID amazon.titan-embed-text-v2:0 with on-demand throughput isn\u2019t supported."
    ),
    "Bedrock: Model use case details have not been submitted": aws(
        404, "Model use case details have not been submitted for this account."
    ),
    "Bedrock: ResourceNotFoundException": aws(404, "No such ARN", "ResourceNotFoundException"),
    "SageMaker: Endpoint ... of account ... not found": aws(
        400, "Endpoint my-endpoint of account 123456789012 not found."
    ),
    "Cohere: model ... not found": cohere(404, "model 'embed-english-v9' not found, make sure the name is correct"),
    "Vertex AI: NOT_FOUND": google(
        404, "Publisher Model `projects/p/publishers/google/models/text-embedding-900` was not found.", "NOT_FOUND"
    ),
    "Voyage AI: Model ... is not supported. Supported models are": voyage(
        400, "Model voyage-99 is not supported. Supported models are ['voyage-3.5']."
    ),
    "Anthropic: not_found_error": anthropic(404, "not_found_error", "model: claude-99"),
    "OpenAI: context_length_exceeded": openai(
        400,
        "This model's maximum context length is 8192 tokens, however you requested 29265 tokens (29265 in your prompt; "
        "0 for the completion). Please reduce your prompt; or completion length.",
        "context_length_exceeded",
    ),
    "OpenAI: max_tokens_per_request": openai(
        400, "Requested 600000 tokens, max 300000 tokens per request", "max_tokens_per_request"
    ),
    "OpenAI: array_above_max_length": openai(
        400, "Invalid 'input': array too long. Expected an array with maximum length 2048.", "array_above_max_length"
    ),
    "OpenAI: string_above_max_length": openai(400, "Invalid 'input': string too long.", "string_above_max_length"),
    "Bedrock: 400 Bad Request: Too many input tokens": aws(
        400, "400 Bad Request: Too many input tokens. Max input tokens: 8192, request input token count: 9279"
    ),
    "Bedrock: Input is too long for requested model": aws(400, "Input is too long for requested model."),
    "Bedrock: Malformed input request: ...expected max": aws(
        400,
        "Malformed input request: expected maxLength: 50000, actual: 52611, please reformat your input and try again.",
    ),
    "Cohere: too many tokens:": cohere(400, "too many tokens: size limit exceeded by 11326 tokens."),
    "Cohere: invalid request: total number of texts must be at most": cohere(
        400, "invalid request: total number of texts must be at most 96 - received 128"
    ),
    "Vertex AI: Unable to submit request because the input token count is": google(
        400,
        "Unable to submit request because the input token count is 21483 but the model supports up to 20000.",
        "INVALID_ARGUMENT",
    ),
    "Vertex AI: The input token count ... exceeds the maximum number of tokens": google(
        400, "The input token count (9000) exceeds the maximum number of tokens allowed (8192).", "INVALID_ARGUMENT"
    ),
    "Vertex AI: ...instance(s) is allowed per prediction": google(
        400, "250 instance(s) is allowed per prediction. Actual: 300", "INVALID_ARGUMENT"
    ),
    "Voyage AI: TOO_MANY_TOKENS_IN_BATCH": voyage(
        400,
        f"{_VOYAGE} The max allowed tokens per submitted batch is 120000. Your batch has 126899 tokens after "
        "truncation. Please lower the number of tokens in the batch.",
        error_code="TOO_MANY_TOKENS_IN_BATCH",
    ),
    "Voyage AI: ...The batch size limit is": voyage(
        400, f"{_VOYAGE} The batch size limit is 1000. Your batch size is 1001."
    ),
    "Voyage AI: ...in your batch has too many tokens and does not fit": voyage(
        400,
        f"{_VOYAGE} The example at index 0 in your batch has too many tokens and does not fit into the model's context "
        "window of 32000 tokens.",
    ),
    "TEI: Input validation error: `inputs` must have less than": tei(
        413, "Validation", "Input validation error: `inputs` must have less than 512 tokens. Given: 1009"
    ),
    "TEI: batch size ... > maximum allowed batch size": tei(
        413, "Validation", "batch size 64 > maximum allowed batch size 32"
    ),
    "Anthropic: prompt is too long": anthropic(
        400, "invalid_request_error", "prompt is too long: 215000 tokens > 200000 maximum"
    ),
    "Anthropic: request_too_large": anthropic(413, "request_too_large", "Request exceeds the maximum size"),
    "Azure OpenAI: content_filter": azure(
        400,
        "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
        "content_filter",
    ),
    "Azure OpenAI: ResponsibleAIPolicyViolation": _json(
        400,
        {
            "error": {
                "message": "It was filtered",
                "code": None,
                "innererror": {"code": "ResponsibleAIPolicyViolation"},
            }
        },
    ),
    "OpenAI: content_policy_violation": openai(
        400, "Your request was rejected as a result of our safety system.", "content_policy_violation"
    ),
    "Bedrock: Malformed input request: ...expected minLength": aws(
        400, "Malformed input request: expected minLength: 1, actual: 0, please reformat your input and try again."
    ),
    "TEI: Empty": tei(400, "Empty", "Input validation error: `inputs` cannot be empty"),
    "TEI: Tokenizer": tei(422, "Tokenizer", "tokenizer error unexpected character"),
}
