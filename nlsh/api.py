"""nlsh for Python programs: plan, preview, approve, run, follow and undo, through the same gate as everything that is typed.

    from nlsh import Shell

    with Shell(approve=lambda preview, decision: ask_somebody(preview)) as shell:
        plan = shell.plan("find files larger than 100 MB in ~/Downloads")
        result = shell.run(plan)
        for file in result.records: ...

`Shell` blocks, `AsyncShell` does the same in a running event loop. A shell has one thread of its own, on which all of its work is done in order, and a
process of its own that starts the confined workers; both end with it. Where it stands is where the program stands.

# LIMIT: what a raw command prints goes to the program's own standard output, as on a terminal; only its exit status is in the result.
"""

from __future__ import annotations

import asyncio
import os
import queue
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from nlsh.plan import registry
from nlsh.plan.errors import NlshError, NotUnderstood
from nlsh.plan.plan import Call, Plan, Preview
from nlsh.plan.records import Note, Record

if TYPE_CHECKING:
    from nlsh.guard.policy import Decision
    from nlsh.kernel.outcome import Outcome
    from nlsh.skills.load import Entry

_P = ParamSpec("_P")
_T = TypeVar("_T")
Approve = Callable[[Preview, "Decision"], bool]
AsyncApprove = Callable[[Preview, "Decision"], "bool | Awaitable[bool]"]
Event = dict[str, Any]
"""What happens in a run, as it happens: `type` is decision, run, call, start, progress, records, done, failed, denied or outcome."""


class Question(NotUnderstood):
    """nlsh is not sure what a request means; `choices` are the plans it may mean, best first, and may be empty."""

    code = "planner.question"

    def __init__(self, message: str, choices: tuple[Plan, ...] = (), **details: Any) -> None:
        super().__init__(message, **details)
        self.choices = choices


@dataclass(frozen=True)
class Result:
    """What came of a run. `status` is done, partly, failed, denied, cancelled or nothing; `run` is its number in the journal, for `undo`."""

    status: str
    records: tuple[Record, ...]
    notes: tuple[str, ...]
    errors: tuple[NlshError, ...]
    run: int | None
    exit_status: int
    preview: Preview | None = None

    @property
    def ok(self) -> bool:
        """Whether all that was asked for was done."""
        return self.exit_status == 0

    def as_data(self) -> dict[str, Any]:
        """Return the result as JSON-able data."""
        return {
            "status": self.status, "run": self.run, "exit_status": self.exit_status, "records": [r.as_data() for r in self.records],
            "notes": list(self.notes), "errors": [e.as_data() for e in self.errors],
        }  # fmt: skip


_ASKED_BY: ContextVar[Engine | None] = ContextVar("_ASKED_BY", default=None)  # whose approval is being given


class Engine:
    """What both shells are made of: a thread, and what works on it. Every method but `call`, `give_up`, `shut` and `decide` runs there."""

    def __init__(self, allow: tuple[str, ...], model: str) -> None:
        self._allow, self._model = allow, model
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nlsh")
        self._approve: Approve | None = None
        self._tell: Callable[[Event], None] | None = None
        self._closed = False
        self._asks = False  # an approval is waited for
        self._doing: object = None  # the ticket of what runs
        self._left: set[object] = set()  # the tickets of what nobody waits for any more
        self._tickets: WeakKeyDictionary[Future[Any], object] = WeakKeyDictionary()
        self.answer: Future[bool] | None = None  # to what is asked in a loop

    def call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Have a function run on the thread. Raises RuntimeError before the start, after `close`, and from an approval, which would wait for itself."""
        self._check_not_asking()

        ticket = object()

        def work() -> _T:
            self._doing = ticket
            if function != self.start and not hasattr(self, "kernel"):
                raise RuntimeError("The shell has not been started: use it in “async with AsyncShell() as shell:”.")
            return function(*args, **kwargs)

        try:
            future = self._thread.submit(work)
        except RuntimeError:
            raise RuntimeError("The shell is closed: make another one.") from None
        self._tickets[future] = ticket
        return future

    @property
    def given_up(self) -> bool:
        """Whether nobody waits any more for what runs."""
        return self._doing in self._left

    def _check_not_asking(self) -> None:
        if self._asks and _ASKED_BY.get() is self:
            raise RuntimeError("A shell does one thing after the other: from its own approve() only decide() can be called. Use another shell there.")

    def start(self) -> None:
        """Set up the kernel. Raises SettingsError and JournalError."""
        from nlsh.guard.policy import load
        from nlsh.guard.sandbox.zygote import Zygote
        from nlsh.journal.audit import Audit
        from nlsh.journal.store import Journal
        from nlsh.kernel.kernel import Kernel
        from nlsh.servers import install
        from nlsh.settings import load_settings
        from nlsh.shell.planning import Planning
        from nlsh.world import World

        install()
        policy = load().with_session(self._allow)
        self._planning = Planning(load_settings(), model=self._model)
        self._zygote = Zygote.spawn()
        self._journal = Journal()
        self._audit = Audit(journal=self._journal)
        self.kernel = Kernel(policy, self._zygote, self._journal, self._audit, World(), approve=self._asked, on_event=self._happened)

    def stop(self) -> None:
        """End the workers and close the journal."""
        if not self._closed and hasattr(self, "kernel"):
            self._closed = True
            self._zygote.close()
            self._audit.anchor()
            self._journal.close()

    def shut(self) -> None:
        """Stop, and end the thread. Runs on the caller's."""
        self._check_not_asking()
        try:
            self._thread.submit(self.stop).result()
        except RuntimeError:
            return  # it was closed before
        self._thread.shutdown()

    def give_up(self, future: Future[Any]) -> None:
        """Have what was called not begin, or stop after the step it is in. What others have called goes on."""
        if future.cancel() or future.done():
            return
        self._left.add(self._tickets[future])
        if (answer := self.answer) is not None:
            answer.cancel()
        if hasattr(self, "_zygote"):
            self._zygote.cancel()

    def _asked(self, preview: Preview, decision: Decision) -> bool:
        if self._approve is None or self.given_up:
            return False
        self._asks, before = True, _ASKED_BY.set(self)
        try:
            return bool(self._approve(preview, decision)) and not self.given_up
        finally:
            self._asks = False
            _ASKED_BY.reset(before)

    def _happened(self, event: Event) -> None:
        if self.given_up and event.get("type") == "start":
            self._zygote.cancel()  # it was given up before this worker was there
        if self._tell is not None:
            self._tell(event)

    def _stand(self) -> None:
        """Stand where the program stands now, under the rules that hold there."""
        from nlsh.world import World

        here = os.getcwd()
        if here != self.kernel.policy.cwd:
            self.kernel.policy = self.kernel.policy.renewed()
        self.kernel.world = World()

    def decide(self, preview: Preview) -> Decision:
        """Return what policy says where the program stands now. May run on any thread."""
        policy = self.kernel.policy
        return (policy if os.getcwd() == policy.cwd else policy.renewed()).decide(preview)

    def plan(self, request: str) -> Plan:
        from nlsh.planner.answer import Context
        from nlsh.planner.clauses import split
        from nlsh.shell.line.detect import is_command
        from nlsh.shell.options import checked_request

        text = checked_request(request)
        if text.startswith("!") or (not text.startswith("?") and is_command(text)):
            return Plan((Call("shell.run", {"command": text.removeprefix("!").strip()}),))
        self._stand()
        last = self.kernel.last
        context = Context(os.getcwd(), os.path.expanduser("~"), last.action if last else None, last.records if last else ())
        said = text.removeprefix("?").strip()
        # What is to be later is never planned as if it were now: such a plan is shown as it is, and not run from here.
        clause = split(said)
        later = None if clause is None else clause.schedule
        if clause is not None and clause.notice:
            return Plan((Call("system.notify", {"text": clause.notice}),), schedule=later)
        answer = self._planning.plan(clause.rest if clause is not None else said, context)
        plans = tuple(replace(r.plan, schedule=later) for r in answer.readings)
        if answer.kind != "plan":
            raise Question(answer.message or "This can mean more than one thing.", plans, hint="Nothing was run.")
        return plans[0]

    def preview(self, what: str | Plan, approve: Approve | None = None) -> Preview:
        if not isinstance(what, str | Plan):
            raise TypeError(f"A sentence or a Plan is needed, not {type(what).__name__}.")
        self._approve = approve
        plan = self.plan(what) if isinstance(what, str) else what
        self._stand()
        return self.kernel.preview(plan, what if isinstance(what, str) else _one_line(plan))

    def run(self, what: str | Plan | Preview, approve: Approve | None, tell: Callable[[Event], None] | None = None) -> Result:
        self._tell = tell
        try:
            if isinstance(what, Preview):
                self._stand()
                preview = what
            else:
                preview = self.preview(what, approve)
            self._approve = approve
            return _result(preview, self.kernel.run(preview))
        finally:
            self._approve = self._tell = None

    def run_entry(self, name: str, given: Mapping[str, str], approve: Approve | None, tell: Callable[[Event], None] | None = None) -> Result:
        from nlsh.skills import ceiling, load, own
        from nlsh.skills.run import check_requires, plan_entry

        entry: Entry = load.find(name)
        values = entry.given([f"{k}={v}" for k, v in given.items()])
        self._approve, self._tell = approve, tell
        self._stand()
        try:
            own.load(entry)
            check_requires(entry)
            with ceiling.held(entry, values, self.kernel):
                plan = plan_entry(entry, values, _Previews(self))
                if plan is None:
                    return Result("nothing", (), (), (), None, 0)
                preview = self.kernel.preview(plan, f"run {entry.full_name}")
                return _result(preview, self.kernel.run(preview))
        finally:
            self._approve = self._tell = None

    def undo(self, run: int | None, approve: Approve | None) -> Result:
        return self.run(Plan((Call("history.undo", {} if run is None else {"run": str(run)}),)), approve)

    def level(self) -> str:
        return self._zygote.level


@dataclass(frozen=True)
class _Previews:
    """What an entry of a pack needs."""

    engine: Engine

    def preview(self, plan: Plan, request: str) -> Preview:
        return self.engine.kernel.preview(plan, request)

    def plan_of(self, text: str) -> Plan:
        return self.engine.plan(text)


def _result(preview: Preview, outcome: Outcome) -> Result:
    things = tuple(r for r in outcome.records if not isinstance(r, Note))
    notes = tuple(r.text for r in outcome.records if isinstance(r, Note))
    return Result(outcome.status, things, notes, tuple(outcome.errors), outcome.run_id, int(outcome.exit_status), preview)


def _one_line(plan: Plan) -> str:
    return "; ".join(registry.format(plan).splitlines())


def parse(text: str) -> Plan:
    """Return the plan that plan text writes. Raises BadPlan."""
    return registry.parse(text)


class Shell:
    """A shell for a program, to be used as a context manager; its methods block, and may be called from any thread.

    `approve(preview, decision)` is called once for each plan that policy asks about, and says whether it may run; without it such plans are
    denied. What policy denies is never asked about. `allow` are effects, as `--allow` has them; `model` is a GGUF file or a name.
    """

    def __init__(self, approve: Approve | None = None, *, allow: tuple[str, ...] = (), model: str = "") -> None:
        """Start it. Raises SettingsError and JournalError."""
        self._approve = approve
        self._engine = Engine(allow, model)
        try:
            self._wait(self._engine.call(self._engine.start))
        except BaseException:
            self._engine.shut()
            raise

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the shell and its workers; more than once is no harm."""
        self._engine.shut()

    @property
    def level(self) -> str:
        """The level of enforcement that workers get here: L0 to L3."""
        return self._wait(self._engine.call(self._engine.level))

    def plan(self, request: str) -> Plan:
        """Return the plan that a sentence (or, after `!`, a command) means. Raises Question, NotUnderstood and ModelError."""
        return self._wait(self._engine.call(self._engine.plan, request))

    def preview(self, what: str | Plan) -> Preview:
        """Return what a sentence or a plan would do; change nothing. Raises NlshError."""
        return self._wait(self._engine.call(self._engine.preview, what, self._approve))

    def decide(self, preview: Preview) -> Decision:
        """Return what policy says to a preview: allow, ask or deny, by which rule and why."""
        return self._engine.decide(preview)

    def run(self, what: str | Plan | Preview, *, approve: Approve | None = None) -> Result:
        """Run a sentence, a plan or an approved preview. Raises NlshError where it does not come to a run; Ctrl-C stops after the step it is in."""
        return self._wait(self._engine.call(self._engine.run, what, approve or self._approve))

    def run_entry(self, name: str, **given: str) -> Result:
        """Run an entry of a skill pack, held to its ceiling. Raises NlshError."""
        return self._wait(self._engine.call(self._engine.run_entry, name, given, self._approve))

    def stream(self, what: str | Plan | Preview, *, approve: Approve | None = None) -> Iterator[Event | Result]:
        """Run, and yield what happens as it happens, the Result last. Leaving the iteration stops the run after the step it is in."""
        events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        future = self._engine.call(self._engine.run, what, approve or self._approve, events.put)
        future.add_done_callback(lambda _: events.put(None))
        try:
            while (event := events.get()) is not None:
                yield event
        except BaseException:
            self._engine.give_up(future)
            raise
        yield self._wait(future)

    def undo(self, run: int | None = None) -> Result:
        """Take back the last run that changed something, or the one of that number. Raises Refused and NotFound."""
        return self._wait(self._engine.call(self._engine.undo, run, self._approve))

    def _wait(self, future: Future[_T]) -> _T:
        try:
            return future.result()
        except KeyboardInterrupt:
            self._engine.give_up(future)
            with suppress(CancelledError):
                future.exception()
            raise


class AsyncShell:
    """The same for a program with an event loop, to be used with `async with`; `approve` may be a coroutine function. Cancelling a task stops its run."""

    def __init__(self, approve: AsyncApprove | None = None, *, allow: tuple[str, ...] = (), model: str = "") -> None:
        self._approve = approve
        self._engine = Engine(allow, model)

    async def __aenter__(self) -> AsyncShell:
        try:
            await self._do(self._engine.start)
        except BaseException:
            self._engine.shut()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """End the shell and its workers; more than once is no harm."""
        await asyncio.to_thread(self._engine.shut)

    async def plan(self, request: str) -> Plan:
        """Return the plan that a sentence (or, after `!`, a command) means. Raises Question, NotUnderstood and ModelError."""
        return await self._do(self._engine.plan, request)

    async def preview(self, what: str | Plan) -> Preview:
        """Return what a sentence or a plan would do; change nothing. Raises NlshError."""
        return await self._do(self._engine.preview, what, self._asking(None))

    def decide(self, preview: Preview) -> Decision:
        """Return what policy says to a preview: allow, ask or deny, by which rule and why."""
        return self._engine.decide(preview)

    async def run(self, what: str | Plan | Preview, *, approve: AsyncApprove | None = None) -> Result:
        """Run a sentence, a plan or an approved preview. Raises NlshError where it does not come to a run."""
        return await self._do(self._engine.run, what, self._asking(approve))

    async def run_entry(self, name: str, **given: str) -> Result:
        """Run an entry of a skill pack, held to its ceiling. Raises NlshError."""
        return await self._do(self._engine.run_entry, name, given, self._asking(None))

    async def stream(self, what: str | Plan | Preview, *, approve: AsyncApprove | None = None) -> AsyncIterator[Event | Result]:
        """Run, and yield what happens as it happens, the Result last. Leaving the iteration stops the run after the step it is in."""
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[Event | None] = asyncio.Queue()

        def tell(event: Event | None) -> None:
            with suppress(RuntimeError):  # nobody listens any more: the loop is closed
                loop.call_soon_threadsafe(events.put_nowait, event)

        future = self._engine.call(self._engine.run, what, self._asking(approve), tell)
        future.add_done_callback(lambda _: tell(None))
        try:
            while (event := await events.get()) is not None:
                yield event
        except BaseException:
            self._engine.give_up(future)
            raise
        result: Result = await asyncio.wrap_future(future)
        yield result

    async def undo(self, run: int | None = None) -> Result:
        """Take back the last run that changed something, or the one of that number. Raises Refused and NotFound."""
        return await self._do(self._engine.undo, run, self._asking(None))

    async def _do(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        future = self._engine.call(function, *args, **kwargs)
        try:
            return await asyncio.shield(asyncio.wrap_future(future))
        except asyncio.CancelledError:
            self._engine.give_up(future)
            raise

    def _asking(self, approve: AsyncApprove | None) -> Approve | None:
        """Return the callback as the engine's thread can call it: a coroutine runs in the loop of the caller."""
        found = approve or self._approve
        if found is None:
            return None
        loop = asyncio.get_running_loop()

        async def answered(preview: Preview, decision: Decision) -> bool:
            answer = found(preview, decision)
            return bool(await answer) if isinstance(answer, Awaitable) else bool(answer)

        def ask(preview: Preview, decision: Decision) -> bool:
            self._engine.answer = answer = asyncio.run_coroutine_threadsafe(answered(preview, decision), loop)
            if self._engine.given_up:
                answer.cancel()  # given up before there was an answer to cancel
            try:
                return answer.result()
            except CancelledError:
                return False
            finally:
                self._engine.answer = None

        return ask
