"""OpenAI itself: the provider that most ask, apart from the rows so that its users load none of what those need.

https://platform.openai.com/docs/api-reference
"""

from onellm.dialects.openai.audio import OPENAI_AUDIO, OpenAITranscriptions, OpenAITranslations
from onellm.dialects.openai.batches import OpenAIBatches
from onellm.dialects.openai.chat import OpenAIChat
from onellm.dialects.openai.completions import OpenAICompletions
from onellm.dialects.openai.embeddings import OpenAIEmbeddings
from onellm.dialects.openai.files import OpenAIFiles, OpenAIUploads
from onellm.dialects.openai.images import OMIT, OPENAI_IMAGES, OPENAI_SIZES, OpenAIImages
from onellm.dialects.openai.models import OpenAIModels
from onellm.dialects.openai.moderations import OpenAIModerations
from onellm.dialects.openai.realtime import OpenAIRealtime, OpenAIRealtimeTokens
from onellm.dialects.openai.responses import OpenAIResponses
from onellm.dialects.openai.speech import OPENAI_SPEECH, OpenAISpeech
from onellm.providers.http import HttpProvider

EDITS = "images/edits"
VARIATIONS = "images/variations"
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
    transcriptions=OpenAITranscriptions(file_types=OPENAI_AUDIO),
    translations=OpenAITranslations(file_types=OPENAI_AUDIO),
    speech=OpenAISpeech(formats=OPENAI_SPEECH, max_chars=4096),
    images=OpenAIImages(max_n=10, sizes=OPENAI_SIZES, values=BASE64_ONLY),
    image_edits=OpenAIImages(path=EDITS, max_n=10, sizes=OPENAI_SIZES, values=BASE64_ONLY, file_types=OPENAI_IMAGES),
    image_variations=OpenAIImages(  # retired
        path=VARIATIONS, max_n=10, sizes=OPENAI_SIZES, file_types=OPENAI_IMAGES
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
