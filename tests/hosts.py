"""Providers a, b and c on one server, each with answers of its own."""

from loopback import Answer, Loopback, Recorded


class Hosts:
    """Told apart by their paths. Answers are played in order; the last one of each is played again."""

    def __init__(self, server: Loopback) -> None:
        self.server = server
        self._answers: dict[str, list[Answer]] = {}
        server.chooses(self._choose)
        self.providers = {
            name: {"base_url": f"{server.url}/{name}", "api_key": f"key-of-{name}", "headers": {"X-Of": name}}
            for name in "abc"
        }

    def _choose(self, request: Recorded) -> Answer:
        answers = self._answers[request.path.split("/")[1]]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def play(self, **answers: Answer | list[Answer]) -> None:
        """What the named ones answer from now on."""
        self._answers |= {name: [given] if isinstance(given, Answer) else given for name, given in answers.items()}

    @property
    def requests(self) -> list[Recorded]:
        return self.server.requests

    @property
    def asked(self) -> str:
        """Who was asked, in order."""
        return "".join(request.path.split("/")[1] for request in self.server.requests)
