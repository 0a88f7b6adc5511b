"""Moderations as hosts send them, shortened from recorded answers."""

from typing import Any

OPENAI: dict[str, Any] = {
    "id": "modr-8E3q1Ym0ynUPcFCfcCOOqEcguvMNX",
    "model": "omni-moderation-latest",
    "results": [
        {
            "flagged": True,
            "categories": {
                "harassment": True,
                "harassment/threatening": True,
                "sexual": False,
                "hate": True,
                "hate/threatening": True,
                "illicit": False,
                "illicit/violent": False,
                "self-harm/intent": False,
                "self-harm/instructions": False,
                "self-harm": False,
                "sexual/minors": False,
                "violence": True,
                "violence/graphic": False,
            },
            "category_scores": {
                "harassment": 0.7350326180458069,
                "harassment/threatening": 0.7628958821296692,
                "sexual": 2.889955510454456e-7,
                "hate": 0.5943018198013306,
                "hate/threatening": 0.14467661082744598,
                "illicit": 0.0,
                "illicit/violent": 0,
                "self-harm/intent": 3.689226146796898e-10,
                "self-harm/instructions": 3.5680254324016447e-12,
                "self-harm": 1.0246687942583321e-9,
                "sexual/minors": 1.7400604690465116e-7,
                "violence": 0.994572103023529,
                "violence/graphic": 2.5829390892795345e-7,
            },
            "category_applied_input_types": {
                "harassment": ["text"],
                "harassment/threatening": ["text"],
                "sexual": ["text", "image"],
                "hate": ["text"],
                "hate/threatening": ["text"],
                "illicit": ["text"],
                "illicit/violent": ["text"],
                "self-harm/intent": ["text", "image"],
                "self-harm/instructions": ["text", "image"],
                "self-harm": ["text", "image"],
                "sexual/minors": [],
                "violence": ["text", "image"],
                "violence/graphic": ["text", "image"],
            },
        }
    ],
}

# By Mistral's SDK: ModerationResponse; it does not say `flagged`.
MISTRAL: dict[str, Any] = {
    "id": "4d71ae510af942108ef7344f903e2b88",
    "model": "mistral-moderation-2411",
    "results": [
        {
            "categories": {
                "sexual": False,
                "hate_and_discrimination": True,
                "violence_and_threats": False,
                "pii": False,
            },
            "category_scores": {
                "sexual": 0.0011,
                "hate_and_discrimination": 0.93,
                "violence_and_threats": 0.02,
                "pii": 0.0001,
            },
        }
    ],
}

ANSWERS = {"openai": OPENAI, "mistral": MISTRAL}
