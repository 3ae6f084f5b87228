"""Failures as XAPI reports them: a code and parameters, all of them strings."""


class Failure(Exception):
    """What a message was refused with."""

    def __init__(self, code: str, *parameters: str) -> None:
        super().__init__(code, *parameters)
        self.code = code
        self.parameters = parameters

    @property
    def description(self) -> list[str]:
        """The code and its parameters."""
        return [self.code, *self.parameters]
