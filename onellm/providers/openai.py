"""OpenAI itself: the provider that most ask, apart from the rows so that its users load none of what those need.

https://platform.openai.com/docs/api-reference
"""

from onellm.dialects.params import OMIT
from onellm.providers.http import HttpProvider
from onellm.providers.named import (
    OpenAIBatches,
    OpenAIChat,
    OpenAICompletions,
    OpenAIEmbeddings,
    OpenAIFiles,
    OpenAIImages,
    OpenAIModels,
    OpenAIModerations,
    OpenAIRealtime,
    OpenAIRealtimeTokens,
    OpenAIResponses,
    OpenAISpeech,
    OpenAITranscriptions,
    OpenAITranslations,
    OpenAIUploads,
    Sizes,
)

EDITS = "images/edits"
VARIATIONS = "images/variations"
# The extensions of files that go in, and the formats of speech that come out.
_AUDIO = frozenset({"flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm"})
_IMAGES = frozenset({"png", "webp", "jpg", "jpeg"})
_SPEECH = frozenset({"mp3", "opus", "aac", "flac", "wav", "pcm"})
_SIZES = Sizes(longest=3840, pixels=3840 * 2160, ratio=3.0)
# OpenAI's models answer in base64 only, and refuse to be asked for it.
BASE64_ONLY: dict[str, dict[str, str | None]] = {"response_format": {"b64_json": OMIT, "url": None}}

PROVIDER = HttpProvider(
    name="openai",
    base_url="https://api.openai.com/v1",
    base_url_env=("OPENAI_BASE_URL",),
    key_env=("OPENAI_API_KEY",),
    option_env={"organization": "OPENAI_ORG_ID", "project": "OPENAI_PROJECT_ID"},
    option_headers={"organization": "OpenAI-Organization", "project": "OpenAI-Project"},
    chat=OpenAIChat(caching="retention", renames={"max_tokens": "max_completion_tokens"}),
    completions=OpenAICompletions(),
    responses=OpenAIResponses(),
    embeddings=OpenAIEmbeddings(max_tokens=300_000),
    transcriptions=OpenAITranscriptions(file_types=_AUDIO),
    translations=OpenAITranslations(file_types=_AUDIO),
    speech=OpenAISpeech(formats=_SPEECH, max_chars=4096),
    images=OpenAIImages(max_n=10, sizes=_SIZES, values=BASE64_ONLY),
    image_edits=OpenAIImages(path=EDITS, max_n=10, sizes=_SIZES, values=BASE64_ONLY, file_types=_IMAGES),
    image_variations=OpenAIImages(  # retired
        path=VARIATIONS, max_n=10, sizes=_SIZES, file_types=_IMAGES
    ),
    files=OpenAIFiles(),
    uploads=OpenAIUploads(),
    batches=OpenAIBatches(),
    models=OpenAIModels(),
    moderations=OpenAIModerations(),
    realtime=OpenAIRealtime(),
    realtime_tokens=OpenAIRealtimeTokens(),
    docs="https://platform.openai.com/docs/api-reference",
)
