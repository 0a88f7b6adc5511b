"""The classes of dialects as rows write them: each is imported when an operation that speaks it is first used.

A row says `embeddings=OpenAIEmbeddings(base64=False)` and is checked against the class; until a call reads the row's
`embeddings`, that is a name and its arguments. `isinstance` works, too. Who derives from a class, or uses
an object where no row holds it, imports the class from its own module.
"""

from typing import TYPE_CHECKING

from onellm.providers.deferred import Named

if TYPE_CHECKING:
    from onellm.dialects.anthropic.batches import AnthropicBatches
    from onellm.dialects.anthropic.counts import AnthropicTokenCount
    from onellm.dialects.anthropic.files import AnthropicFiles
    from onellm.dialects.anthropic.models import AnthropicModels
    from onellm.dialects.cohere.embeddings import CohereEmbeddings
    from onellm.dialects.cohere.models import CohereModels
    from onellm.dialects.gemini.batches import GeminiBatches
    from onellm.dialects.gemini.embeddings import GeminiEmbeddings, PublisherEmbeddings
    from onellm.dialects.gemini.files import GeminiFiles
    from onellm.dialects.gemini.images import GeminiImages
    from onellm.dialects.gemini.models import GeminiModels, PublisherModels
    from onellm.dialects.gemini.realtime import GeminiLive, GeminiLiveTokens
    from onellm.dialects.gemini.speech import GeminiSpeech
    from onellm.dialects.gemini.tokens import GeminiTokenCount
    from onellm.dialects.huggingface.tasks import FeatureExtraction, SpeechRecognition, TextToImage, TextToSpeech
    from onellm.dialects.ocr import Ocr
    from onellm.dialects.ollama.embeddings import OllamaEmbeddings
    from onellm.dialects.ollama.generate import OllamaCompletions
    from onellm.dialects.openai.audio import OpenAITranscriptions, OpenAITranslations
    from onellm.dialects.openai.batches import OpenAIBatches
    from onellm.dialects.openai.chat import OpenAIChat
    from onellm.dialects.openai.completions import OpenAICompletions
    from onellm.dialects.openai.embeddings import OpenAIEmbeddings
    from onellm.dialects.openai.files import OpenAIFiles, OpenAIUploads
    from onellm.dialects.openai.fim import ChatShapedCompletions
    from onellm.dialects.openai.images import OpenAIImages, Sizes
    from onellm.dialects.openai.lists import Paging
    from onellm.dialects.openai.models import OpenAIModels
    from onellm.dialects.openai.moderations import OpenAIModerations
    from onellm.dialects.openai.realtime import OpenAIRealtime, OpenAIRealtimeTokens
    from onellm.dialects.openai.responses import OpenAIResponses
    from onellm.dialects.openai.speech import OpenAISpeech
    from onellm.dialects.rerank import Rerank
    from onellm.providers.cohere_dialects import CohereTranscriptions
    from onellm.providers.llama_server import LLAMA_CHAT, LLAMA_EMBEDDINGS, LlamaModels
    from onellm.providers.mistral_dialects import MistralBatches, MistralFileUrls, MistralTranscriptions
    from onellm.providers.nvidia import NvidiaRerank
    from onellm.providers.together import TogetherChat

# Where each name lives. A test holds this table against the imports above and against __all__.
_HOMES = {
    "dialects.anthropic.batches": ("AnthropicBatches",),
    "dialects.anthropic.counts": ("AnthropicTokenCount",),
    "dialects.anthropic.files": ("AnthropicFiles",),
    "dialects.anthropic.models": ("AnthropicModels",),
    "dialects.cohere.embeddings": ("CohereEmbeddings",),
    "dialects.cohere.models": ("CohereModels",),
    "dialects.gemini.batches": ("GeminiBatches",),
    "dialects.gemini.embeddings": ("GeminiEmbeddings", "PublisherEmbeddings"),
    "dialects.gemini.files": ("GeminiFiles",),
    "dialects.gemini.images": ("GeminiImages",),
    "dialects.gemini.models": ("GeminiModels", "PublisherModels"),
    "dialects.gemini.realtime": ("GeminiLive", "GeminiLiveTokens"),
    "dialects.gemini.speech": ("GeminiSpeech",),
    "dialects.gemini.tokens": ("GeminiTokenCount",),
    "dialects.huggingface.tasks": ("FeatureExtraction", "SpeechRecognition", "TextToImage", "TextToSpeech"),
    "dialects.ocr": ("Ocr",),
    "dialects.ollama.embeddings": ("OllamaEmbeddings",),
    "dialects.ollama.generate": ("OllamaCompletions",),
    "dialects.openai.audio": ("OpenAITranscriptions", "OpenAITranslations"),
    "dialects.openai.batches": ("OpenAIBatches",),
    "dialects.openai.chat": ("OpenAIChat",),
    "dialects.openai.completions": ("OpenAICompletions",),
    "dialects.openai.embeddings": ("OpenAIEmbeddings",),
    "dialects.openai.files": ("OpenAIFiles", "OpenAIUploads"),
    "dialects.openai.fim": ("ChatShapedCompletions",),
    "dialects.openai.images": ("OpenAIImages", "Sizes"),
    "dialects.openai.lists": ("Paging",),
    "dialects.openai.models": ("OpenAIModels",),
    "dialects.openai.moderations": ("OpenAIModerations",),
    "dialects.openai.realtime": ("OpenAIRealtime", "OpenAIRealtimeTokens"),
    "dialects.openai.responses": ("OpenAIResponses",),
    "dialects.openai.speech": ("OpenAISpeech",),
    "dialects.rerank": ("Rerank",),
    "providers.cohere_dialects": ("CohereTranscriptions",),
    "providers.llama_server": ("LLAMA_CHAT", "LLAMA_EMBEDDINGS", "LlamaModels"),
    "providers.mistral_dialects": ("MistralBatches", "MistralFileUrls", "MistralTranscriptions"),
    "providers.nvidia": ("NvidiaRerank",),
    "providers.together": ("TogetherChat",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "LLAMA_CHAT",
    "LLAMA_EMBEDDINGS",
    "AnthropicBatches",
    "AnthropicFiles",
    "AnthropicModels",
    "AnthropicTokenCount",
    "ChatShapedCompletions",
    "CohereEmbeddings",
    "CohereModels",
    "CohereTranscriptions",
    "FeatureExtraction",
    "GeminiBatches",
    "GeminiEmbeddings",
    "GeminiFiles",
    "GeminiImages",
    "GeminiLive",
    "GeminiLiveTokens",
    "GeminiModels",
    "GeminiSpeech",
    "GeminiTokenCount",
    "LlamaModels",
    "MistralBatches",
    "MistralFileUrls",
    "MistralTranscriptions",
    "NvidiaRerank",
    "Ocr",
    "OllamaCompletions",
    "OllamaEmbeddings",
    "OpenAIBatches",
    "OpenAIChat",
    "OpenAICompletions",
    "OpenAIEmbeddings",
    "OpenAIFiles",
    "OpenAIImages",
    "OpenAIModels",
    "OpenAIModerations",
    "OpenAIRealtime",
    "OpenAIRealtimeTokens",
    "OpenAIResponses",
    "OpenAISpeech",
    "OpenAITranscriptions",
    "OpenAITranslations",
    "OpenAIUploads",
    "Paging",
    "PublisherEmbeddings",
    "PublisherModels",
    "Rerank",
    "Sizes",
    "SpeechRecognition",
    "TextToImage",
    "TextToSpeech",
    "TogetherChat",
]


def __getattr__(name: str) -> Named:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return Named(f"onellm.{_HOME[name]}", name)
