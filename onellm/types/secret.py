"""Keys, kept out of sight."""

from onellm.errors import ConfigurationError


class Secret:
    """A key whose `repr` and `str` are redacted; `reveal()` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str, *, name: str = "api_key") -> None:
        """Take a key that came from `name`, an argument or a variable.

        Raises:
            ConfigurationError: the key is empty, or holds white space or a control character, as one that was
                copied with its line end does.
        """
        if not value or any(ch <= " " or ch == "\x7f" for ch in value) or not value.isascii():
            raise ConfigurationError(
                f"{name} is empty or holds white space, a line end or a non-ASCII character: copy the key again"
            )
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)
