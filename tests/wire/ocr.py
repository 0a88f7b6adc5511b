"""A document that was read, as Mistral sends it: https://docs.mistral.ai/api/endpoint/ocr"""

from typing import Any

SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
FORMAT: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": "paper", "schema": SCHEMA, "strict": True}}

CALL: dict[str, Any] = {
    "document": {"type": "document_url", "document_url": "https://example.com/paper.pdf", "document_name": "paper"},
    "pages": [0, 2],
    "include_image_base64": True,
    "image_limit": 4,
    "image_min_size": 16,
    "table_format": "html",
    "extract_header": True,
    "extract_footer": False,
    "bbox_annotation_format": FORMAT,
    "document_annotation_format": FORMAT,
    "document_annotation_prompt": "Read the title",
    "confidence_scores_granularity": "page",
}
"""Everything but `include_blocks`."""

WHOLE: dict[str, Any] = {
    "pages": [
        {
            "index": 0,
            "markdown": "# A paper\n\n![img-0.jpeg](img-0.jpeg)",
            "images": [
                {
                    "id": "img-0.jpeg",
                    "top_left_x": 10,
                    "top_left_y": 20,
                    "bottom_right_x": 110,
                    "bottom_right_y": 220,
                    "image_base64": "data:image/jpeg;base64,/9j/4A==",
                    "image_annotation": '{"title": "A cat"}',
                }
            ],
            "tables": [{"id": "tbl-0.html", "content": "<table></table>", "format": "html"}],
            "hyperlinks": ["https://example.com"],
            "header": "Journal",
            "footer": None,
            "dimensions": {"dpi": 200, "height": 2200, "width": 1700},
            "blocks": [{"type": "title", "content": "A paper", "top_left_x": 1, "top_left_y": 2}],
            "confidence_scores": {"average_page_confidence_score": 0.98},
        },
        {"index": 2, "markdown": "The end.", "images": [], "dimensions": None},
    ],
    "model": "mistral-ocr-2505-completion",
    "document_annotation": '{"title": "A paper"}',
    "usage_info": {"pages_processed": 2, "doc_size_bytes": 306115},
}
