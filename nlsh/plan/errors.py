"""The error tree: every way nlsh says no.

    NlshError
    ├── BadPlan          the plan text or its data is not a valid plan
    │   ├── UnknownAction    no action of that name
    │   └── BadArgument      an argument is missing, unknown or has a wrong value
    ├── NotFound         a thing the plan names does not exist here
    ├── NotPossible      this machine cannot do it (absent device, no tool, no permission of the user's)
    ├── Refused          the action itself says no: it would overwrite, escape, or destroy
    ├── StaleStep        the world is not any more what was approved
    ├── Denied           policy or the kernel's enforcement said no
    ├── NotEnforced      the sandbox for a grant cannot be set up here
    ├── NotUnderstood    the planner has no plan, or a question
    ├── ModelError       a model file is missing, corrupt or of the wrong kind
    ├── SettingsError    a configuration or policy file is not valid
    └── JournalError     the journal or the audit cannot be used

An error is one sentence of what happened, then what was not changed, then what to do next.
"""

from __future__ import annotations


class NlshError(Exception):
    """Something nlsh refuses or cannot do; carries a stable `code` and the next step for the user.

    `code` is dotted and stable (`guard.denied`); `hint` says what to do next; `exit_status` is what a one-shot returns.
    """

    code = "error"
    exit_status = 1

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()

    def as_data(self) -> dict[str, str]:
        """Return the error as JSON-able data."""
        return {"code": self.code, "message": self.message, "hint": self.hint}

    @staticmethod
    def from_data(data: dict[str, str]) -> NlshError:
        """Rebuild an error sent by a worker; an unknown code gives a plain `NlshError`."""
        kind = _by_code().get(data["code"], NlshError)
        return kind(data["message"], hint=data.get("hint", ""), code=data["code"])


class BadPlan(NlshError):
    code = "plan.bad"
    exit_status = 2


class UnknownAction(BadPlan):
    code = "plan.unknown-action"


class BadArgument(BadPlan):
    code = "plan.bad-argument"


class NotFound(NlshError):
    code = "world.not-found"


class NotPossible(NlshError):
    code = "world.not-possible"


class Refused(NlshError):
    code = "action.refused"


class StaleStep(NlshError):
    code = "step.stale"


class Denied(NlshError):
    code = "guard.denied"
    exit_status = 3


class NotEnforced(NlshError):
    code = "guard.not-enforced"
    exit_status = 3


class NotUnderstood(NlshError):
    code = "planner.not-understood"
    exit_status = 4


class ModelError(NlshError):
    code = "model.error"


class SettingsError(NlshError):
    code = "settings.error"
    exit_status = 2


class JournalError(NlshError):
    code = "journal.error"


def _by_code() -> dict[str, type[NlshError]]:
    found: dict[str, type[NlshError]] = {}
    todo = [NlshError]
    while todo:
        kind = todo.pop()
        found[kind.code] = kind
        todo += kind.__subclasses__()
    return found
