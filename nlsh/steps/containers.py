"""Steps on containers: stop and start them, remove stopped ones and images that none uses. Spoken with the engine over its socket."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, NotFound, StaleStep
from nlsh.plan.steps import Step
from nlsh.steps._sockets import opened
from nlsh.world import containers
from nlsh.world.containers import Engine
from nlsh.world.machine import amount

_WHAT = "the container engine"


@dataclass(frozen=True)
class TurnContainer(Step):
    """Stop or start a container: `verb`. `gone` is why a stopped one could not be started again (empty: it can)."""

    socket: str
    id: str
    name: str
    verb: str
    gone: str = ""

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("bus.call", self.socket), Effect("sys.control", f"container {self.name}"))

    def describe(self) -> str:
        return f"{self.verb} the container {self.name}"

    def _runs(self, engine: Engine) -> bool:
        return bool(engine.inspect(self.id)["State"]["Running"])

    def check(self) -> None:
        with opened(self.socket, Engine, _WHAT) as engine:
            if self._runs(engine) != (self.verb == "stop"):
                raise StaleStep(f"The container {self.name} {'does not run any more' if self.verb == 'stop' else 'runs already'}.", hint="Nothing was changed.")

    def apply(self) -> None:
        with opened(self.socket, Engine, _WHAT) as engine:
            engine.order("POST", f"/containers/{quote(self.id, safe='')}/{self.verb}")

    def inverse(self) -> Step | None:
        return None if self.gone else TurnContainer(self.socket, self.id, self.name, "start" if self.verb == "stop" else "stop")

    def no_undo(self) -> str:
        return self.gone

    def state(self) -> str:
        try:
            with opened(self.socket, Engine, _WHAT) as engine:
                return "done" if self._runs(engine) == (self.verb == "start") else "undone"
        except NlshError:
            return "unknown"


@dataclass(frozen=True)
class RemoveContainer(Step):
    """Remove a container that does not run, with what it has written (`size_bytes`); its named volumes stay."""

    socket: str
    id: str
    name: str
    size_bytes: int

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("bus.call", self.socket), Effect("sys.control", f"container {self.name}"))

    def describe(self) -> str:
        return f"remove the stopped container {self.name}, {amount(self.size_bytes)}"

    def check(self) -> None:
        with opened(self.socket, Engine, _WHAT) as engine:
            try:
                state = engine.inspect(self.id)["State"]
            except NotFound as error:
                raise StaleStep(f"The container {self.name} is gone already.", hint="Nothing was changed.") from error
        if state.get("Running") or str(state.get("Status", "exited")) not in containers.STOPPED:
            raise StaleStep(f"The container {self.name} is {state.get('Status', 'running')} now.", hint="It was left alone. Ask again.")

    def apply(self) -> None:
        with opened(self.socket, Engine, _WHAT) as engine:
            engine.order("DELETE", f"/containers/{quote(self.id, safe='')}")

    def no_undo(self) -> str:
        return "what a container has written goes with it"


@dataclass(frozen=True)
class RemoveImage(Step):
    """Remove an image that no container uses, by each of its names, or by its id where it has none."""

    socket: str
    id: str
    names: tuple[str, ...]
    size_bytes: int

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("bus.call", self.socket), Effect("sys.control", f"image {self._called}"))

    @property
    def _called(self) -> str:
        return ", ".join(self.names) or self.id.removeprefix("sha256:")[:12]

    def describe(self) -> str:
        return f"remove the image {self._called}, at most {amount(self.size_bytes)}"

    def apply(self) -> None:
        with opened(self.socket, Engine, _WHAT) as engine:
            # Not by force: an image that a container has come to use since is refused by the engine.
            for name in self.names or (self.id,):
                engine.order("DELETE", f"/images/{quote(name, safe='')}")

    def no_undo(self) -> str:
        return "an image has to be fetched or built again"
