"""What an object store's refusal means: whether to ask again, and what a person can do. Pure.

obstore tells of it in English with the debug form of its Rust values behind, which can hold signed URLs: only status
codes, the store's own error codes and names of kinds are taken from there, and nothing else is shown.
"""

import re
from typing import NamedTuple

from harness.channel.store import ChannelError, SilentError

_STATUS = re.compile(r"non-2xx status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_KIND = re.compile(r"HttpError \{\s*kind: (\w+)")
_SOURCE = re.compile(r"source: (\w+)")
_METADATA = re.compile(r"/latest/(?:api/token|meta-data)|/computeMetadata/v1|/metadata/identity")

_PASSING = {408, 425, 429}  # besides 5xx
_LASTING = {501, 505}
_REGION = {"AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"}
_CREDENTIALS = {
    "ExpiredToken", "InvalidToken", "InvalidAccessKeyId", "SignatureDoesNotMatch", "TokenRefreshRequired",
    "AuthenticationFailed", "InvalidAuthenticationInfo",
}  # fmt: skip
_NO_BUCKET = {"NoSuchBucket", "ContainerNotFound", "InvalidBucketName"}
_KINDS = {"Timeout": "no answer in time", "Connect": "it can't be connected to", "Decode": "no sensible answer"}


class Cloud(NamedTuple):
    """What differs between the providers."""

    variables: str  # what the names of its settings in the environment begin with
    endpoints: tuple[str, ...]  # of them, those that hold a URL
    credentials: str  # where they come from, for people
    rights: str


CLOUDS = {
    "s3": Cloud(
        "AWS_",
        ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AWS_METADATA_ENDPOINT", "AWS_STS_ENDPOINT"),
        "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, a web identity, or the role of the machine",
        "s3:GetObject and s3:PutObject on the prefix, s3:ListBucket on the bucket",
    ),
    "gs": Cloud(
        "GOOGLE_",
        ("GOOGLE_BASE_URL",),
        "GOOGLE_APPLICATION_CREDENTIALS, or the service account of the machine",
        "the role Storage Object User on the bucket",
    ),
    "az": Cloud(
        "AZURE_",
        ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT", "AZURE_STORAGE_AUTHORITY_HOST", "AZURE_AUTHORITY_HOST"),
        "AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_KEY, a service principal, or "
        "the machine's managed identity",
        "the role Storage Blob Data Contributor on the container",
    ),
}
"""By the URL's scheme."""


def no_such_object(text: str) -> bool:
    """Of an answer 404: the bucket is there, and the object is not."""
    return not _NO_BUCKET & set(_CODE.findall(text))


def meaning(name: str, cloud: Cloud, text: str) -> ChannelError:
    """The error to raise for what obstore said of a request. `name`: the channel's."""
    head = f"the channel {name}"
    status = int(found[1]) if (found := _STATUS.search(text)) else None
    code = found[1] if (found := _CODE.search(text)) else ""
    said = " ".join(filter(None, (str(status or ""), code)))
    if _METADATA.search(text):
        return _no_credentials(head, cloud, status)
    if status is not None and (status in _PASSING or (status >= 500 and status not in _LASTING)):
        return SilentError(f"{head} answers {said}")
    if code == "RequestTimeout":  # S3's own, with status 400
        return SilentError(f"{head} answers {said}")
    if code in _REGION or "without LOCATION" in text:
        return ChannelError(f"{head}: the bucket lies in another region: set AWS_REGION to its own")
    if code in _NO_BUCKET or status == 404:
        return ChannelError(f"{head}: there is no such bucket; make it, or give another URL")
    if code == "RequestTimeTooSkewed":
        return ChannelError(f"{head}: this machine's clock is too far off to sign a request; set it")
    if code in _CREDENTIALS or status == 401:
        return ChannelError(f"{head} does not know these credentials ({said}); they come from {cloud.credentials}")
    if status == 403:
        return ChannelError(f"{head}: not allowed ({said}); it takes {cloud.rights}")
    if status is not None:
        return ChannelError(f"{head} answers {said}, which no retry mends")
    return _unanswered(head, cloud, text)


def _no_credentials(head: str, cloud: Cloud, status: int | None) -> ChannelError:
    """The machine was asked for them, since the environment has none."""
    where = f"{head}: no credentials: there are none in the environment"
    if status is None or status >= 500:
        return SilentError(f"{where}, and the machine does not answer when asked for its role; set {cloud.credentials}")
    return ChannelError(f"{where}, and the machine has no role ({status}); set {cloud.credentials}")


def _unanswered(head: str, cloud: Cloud, text: str) -> ChannelError:
    if "BadScheme" in text:
        return ChannelError(
            f"{head}: its endpoint is no https:// URL; set {cloud.variables}ALLOW_HTTP=true if meant so"
        )
    if "InvalidCertificate" in text:
        return ChannelError(f"{head}: the certificate of its endpoint is not trusted; set SSL_CERT_FILE to its CA's")
    kind = found[1] if (found := _KIND.search(text)) else ""
    return SilentError(f"{head} does not answer: {_KINDS.get(kind, 'the connection broke, or what came is no answer')}")


def misconfigured(name: str, cloud: Cloud, text: str) -> ChannelError:
    """The error to raise where a store can't even be set up."""
    what = found[1] if (found := _SOURCE.search(text)) else "there is a setting that obstore can't read"
    return ChannelError(f"the channel {name} can't be used: {what}; credentials come from {cloud.credentials}")
