"""Documents as text: a URL, a file of one's own, and what a schema asks of it. Needs MISTRAL_API_KEY."""

from pathlib import Path

from onellm import OneLLM

MODEL = "mistral/mistral-ocr-latest"
SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
    "additionalProperties": False,
}

paper = Path("paper.pdf")
if not paper.exists():
    paper.write_bytes(b"%PDF-1.4 put a document of yours here")

with OneLLM() as client:
    reply = client.ocr.create(model=MODEL, document="https://arxiv.org/pdf/1706.03762")
    print(reply.markdown)
    if reply.usage_info is not None:
        print(reply.usage_info.pages_processed, "pages read")

    reply = client.ocr.create(
        model=MODEL,
        document=paper,
        pages=[0],
        document_annotation_format={
            "type": "json_schema",
            "json_schema": {"name": "paper", "schema": SCHEMA, "strict": True},
        },
    )
    print(reply.annotation["title"])
