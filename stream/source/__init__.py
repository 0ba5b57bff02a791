"""Where pictures come from: cameras, files, folders of pictures, webcams and drawn scenes, read in one way."""

from stream.source.error import (
    AuthenticationError,
    CodecError,
    DisconnectedError,
    EndOfStream,
    NoAnswerError,
    NotFoundError,
    RefusedError,
    SourceError,
    TlsError,
    UnreachableError,
    redact,
)
from stream.source.source import (
    NETWORK_SCHEMES,
    SIDE_MULTIPLE_PX,
    Backend,
    Picture,
    Source,
    analysed_size,
    is_camera,
    open_source,
)

__all__ = [
    "NETWORK_SCHEMES",
    "SIDE_MULTIPLE_PX",
    "AuthenticationError",
    "Backend",
    "CodecError",
    "DisconnectedError",
    "EndOfStream",
    "NoAnswerError",
    "NotFoundError",
    "Picture",
    "RefusedError",
    "Source",
    "SourceError",
    "TlsError",
    "UnreachableError",
    "analysed_size",
    "is_camera",
    "open_source",
    "redact",
]
