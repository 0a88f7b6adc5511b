"""Bedrock's front that speaks OpenAI's API: open models, and the list of them.

https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html
"""

from onellm.dialects.openai.chat import OpenAIChat
from onellm.dialects.openai.models import OpenAIModels
from onellm.providers.aws import SigV4
from onellm.providers.bedrock import KEY_ENV, REGION, AmazonProvider

PROVIDER = AmazonProvider(
    name="bedrock-mantle",
    base_url=f"https://bedrock-mantle.{REGION}.api.aws/v1",
    key_env=KEY_ENV,
    key_optional=True,
    option_env={"region": "AWS_REGION"},
    auth=SigV4("bedrock-mantle"),
    chat=OpenAIChat(),
    models=OpenAIModels(),
    docs="https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html",
    notes=(
        "Region and credentials as for `bedrock`.",
        "Newer models of OpenAI are at `…/openai/v1`: give that as base URL.",
    ),
)
