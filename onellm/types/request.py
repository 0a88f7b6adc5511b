"""What every validated call carries to a dialect."""

import warnings
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from onellm.errors import UnsupportedParameterError
from onellm.types.options import OnUnsupported


class UnsupportedParameterWarning(UserWarning):
    """An argument was left out because the provider cannot express it and `on_unsupported="warn"`."""


class Request(Struct, kw_only=True, gc=False):
    """A validated call, on its way to a dialect.

    provider:     the provider's name, for messages and for what goes back to the same provider only
    model:        the provider's own model id
    extra_body:   fields the caller adds to the JSON body as they are
    adjustments:  filled while encoding: what was renamed, emulated or left out
    """

    provider: str
    model: str
    extra_body: Mapping[str, Any] | None = None
    on_unsupported: OnUnsupported = "raise"
    adjustments: list[str] = []

    def unsupported(self, param: str, hint: str, *, feature: str | None = None) -> None:
        """Say that the provider cannot express an argument; the caller then leaves it out.

        feature:  the flag of a provider that stands for it, such as "vision_support"; who has it is then named

        Raises:
            UnsupportedParameterError: unless the call or the client relaxes it.
        """
        if self.on_unsupported == "raise":
            error = UnsupportedParameterError(
                f'{self.provider} does not support {param}: {hint}; or pass on_unsupported="drop" to leave it out',
                provider=self.provider,
                model=self.model,
                param=param,
            )
            error.feature = feature
            raise error
        note = f"left out {param}: {hint}"
        self.adjustments.append(note)
        if self.on_unsupported == "warn":
            warnings.warn(f"{self.provider}/{self.model}: {note}", UnsupportedParameterWarning, stacklevel=2)
