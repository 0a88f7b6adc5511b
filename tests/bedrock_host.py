"""A host of Converse that calls a tool first, and answers once its result and its own thinking have come back."""

from loopback import Answer, Recorded
from wire import bedrock

_THINKING = {"reasoningContent": {"reasoningText": {"text": "I must look.", "signature": "EqQB/+=="}}}
_CALL = {"toolUse": {"toolUseId": "tooluse_1", "name": "weather", "input": {"city": "Paris"}}}


def bedrock_host(request: Recorded) -> Answer:
    """The tool call, then the stream; a history that came back changed is refused."""
    messages = request.json["messages"]
    if len(messages) == 1:
        return Answer(chunks=[bedrock.whole([_THINKING, _CALL], "tool_use")])
    if messages[1]["content"] != [_THINKING, _CALL]:
        return Answer(status=400, chunks=[bedrock.refusal("thinking was changed", "ValidationException")])
    said = [bedrock.BEGIN, *(bedrock.delta(0, {"text": text}) for text in ("It is ", "21 °C."))]
    return Answer(chunks=[*said, bedrock.stop(0), *bedrock.end()], content_type=bedrock.STREAM_TYPE)
