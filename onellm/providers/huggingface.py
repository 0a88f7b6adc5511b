"""Hugging Face: chat through its router, and the tasks that its own service runs.

https://huggingface.co/docs/inference-providers
"""

from typing import TypeVar

from msgspec import structs

from onellm.dialects.base import HttpRequest
from onellm.errors import UnsupportedFeatureError
from onellm.providers.base import Call, ProviderSettings
from onellm.providers.http import HttpProvider
from onellm.providers.inline import read_whole
from onellm.providers.named import (
    FeatureExtraction,
    OpenAIChat,
    OpenAIModels,
    OpenAIResponses,
    SpeechRecognition,
    TextToImage,
    TextToSpeech,
)
from onellm.providers.protocols import Binary
from onellm.types.audio import AnyTranscription, SpeechRequest, TranscriptionRequest
from onellm.types.embeddings import CreateEmbeddingResponse, EmbeddingsRequest
from onellm.types.images import ImageRequest, ImagesResponse
from onellm.types.request import Request

RequestT = TypeVar("RequestT", bound=Request)

_ROOT = "https://router.huggingface.co"
_OWN = "hf-inference"
_TASK = "hf-inference/models/{model}"
_EMBED = f"{_TASK}/pipeline/feature-extraction"


class HuggingFaceProvider(HttpProvider, frozen=True, kw_only=True):
    """Chat stands below `/v1`, and the routes of tasks beside it."""

    def address(self, http: HttpRequest, settings: ProviderSettings) -> str:
        if http.hosted_at and settings.base_url != self.base_url:
            return f"{settings.base_url.removesuffix('/v1')}/{http.path}"
        return super().address(http, settings)

    async def create_embeddings(self, request: EmbeddingsRequest, call: Call) -> CreateEmbeddingResponse:
        return await super().create_embeddings(_own(request), call)

    async def generate_images(self, request: ImageRequest, call: Call) -> ImagesResponse:
        return await super().generate_images(_own(request), call)

    async def create_speech(self, request: SpeechRequest, call: Call) -> Binary:
        return await super().create_speech(_own(request), call)

    async def create_transcription(self, request: TranscriptionRequest, call: Call) -> AnyTranscription:
        request = _own(request)
        request.file = await read_whole(request.file, "file", limit=call.max_body_bytes)
        return await super().create_transcription(request, call)


def _own(request: RequestT) -> RequestT:
    """The request for the service that the task routes are of; others want a body of their own each.

    Raises:
        UnsupportedFeatureError: the model names another.
    """
    model, _, runs_it = request.model.partition(":")
    if runs_it not in {"", _OWN}:
        raise UnsupportedFeatureError(
            f"{request.provider} serves only chat through {runs_it}; {_OWN} runs this task: name {model} alone",
            provider=request.provider,
            model=request.model,
        )
    return structs.replace(request, model=model)


PROVIDER = HuggingFaceProvider(
    name="huggingface",
    base_url=f"{_ROOT}/v1",
    base_url_env=("HUGGINGFACE_API_BASE",),
    key_env=("HF_TOKEN", "HUGGINGFACE_API_KEY"),
    option_headers={"bill_to": "X-HF-Bill-To"},
    chat=OpenAIChat(think_tags=True),
    responses=OpenAIResponses(),
    embeddings=FeatureExtraction(path=_EMBED, hosted_at=f"{_ROOT}/{_EMBED}", dimensions=False),
    images=TextToImage(path=_TASK, hosted_at=f"{_ROOT}/{_TASK}"),
    transcriptions=SpeechRecognition(path=_TASK, hosted_at=f"{_ROOT}/{_TASK}"),
    speech=TextToSpeech(path=_TASK, hosted_at=f"{_ROOT}/{_TASK}"),
    models=OpenAIModels(publishes="list"),
    docs="https://huggingface.co/docs/inference-providers",
    notes=(
        "A model may name who runs it: `huggingface/org/model:provider`, or `:fastest`, or `:cheapest`.",
        "Embeddings, images, transcription and speech are run by `hf-inference` and by no other.",
        "An Inference Endpoint is a base URL: of `tgi`, `tei`, `vllm` or `sglang`, as its engine is.",
    ),
)
