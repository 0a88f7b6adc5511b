"""What a client tells OpenTelemetry."""

from typing import Any

from msgspec import Struct


class Telemetry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How calls are traced and measured, by the conventions for generative AI.

    content:  whether spans hold what is asked and answered, instructions included; without it they never do
    spans, metrics:   whether there are any
    tracer_provider, meter_provider:  of OpenTelemetry; None is the one that is set for the process
    """

    content: bool = False
    spans: bool = True
    metrics: bool = True
    tracer_provider: Any = None
    meter_provider: Any = None
