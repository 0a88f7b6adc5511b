"""The JSON that the in-process engine cuts and joins; answers trimmed from xllamacpp 2026.10.11549."""

import json
import pickle

import pytest

from onellm.providers._llama_wire import (
    EngineError,
    as_context_error,
    decode_fields,
    engine_error,
    join_answers,
    split_inputs,
)


@pytest.mark.parametrize(
    ("inputs", "pieces"),
    [
        (None, [None]),
        ("text", [None]),
        ([], [None]),
        ([1, 2, 3], [None]),
        (["a", "b"], [None]),
        (["a", "b", "c"], [["a", "b"], ["c"]]),
        ([[1], [2], [3]], [[[1], [2]], [[3]]]),
    ],
)
def test_only_lists_of_texts_or_token_lists_are_cut(inputs: object, pieces: list[object]) -> None:
    fields = decode_fields(json.dumps({} if inputs is None else {"input": inputs}).encode())
    cut = [piece.get("input") for piece in split_inputs(fields.get("input"), 2)]
    assert [None if piece is None else [json.loads(bytes(item)) for item in piece] for piece in cut] == pieces


def test_joined_answers_are_numbered_on_and_their_tokens_added() -> None:
    def answer(*vectors: str, tokens: int) -> bytes:
        data = [{"embedding": vector, "index": i, "object": "embedding"} for i, vector in enumerate(vectors)]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return json.dumps({"model": "m", "object": "list", "usage": usage, "data": data}).encode()

    joined = join_answers([answer("AA==", "BB==", tokens=3), answer("CC==", tokens=2)])
    assert joined == answer("AA==", "BB==", "CC==", tokens=5).replace(b", ", b",").replace(b": ", b":")


def test_a_request_that_is_no_json_object_is_refused() -> None:
    for body in (b"", b"[]", b'{"a":'):
        with pytest.raises(EngineError) as caught:
            decode_fields(body)
        assert (caught.value.status, caught.value.type) == (400, "invalid_request_error")


def test_an_error_keeps_its_body_and_pickles() -> None:
    error = pickle.loads(pickle.dumps(EngineError(b'{"error":{"code":400,"message":"no","type":"t","n_ctx":1}}')))  # noqa: S301
    assert (error.status, error.message, error.type) == (400, "no", "t")
    assert b'"n_ctx":1' in error.body
    assert str(error) == "no (t, status 400)"


def test_a_body_that_is_no_error_object_is_the_message() -> None:
    assert EngineError(b"Internal \xff").message == "Internal \N{REPLACEMENT CHARACTER}"


def test_an_embedding_input_that_is_too_long_is_a_context_error() -> None:
    seen = "input (3001 tokens) is too large to process. increase the physical batch size (current batch size: 256)"
    error = as_context_error(engine_error(500, "server_error", seen))
    assert (error.status, error.type) == (400, "exceed_context_size_error")
    other = engine_error(500, "server_error", "failed to decode")
    assert as_context_error(other) is other
