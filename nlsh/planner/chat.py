"""Plan with any model that has a chat template: it gets the retrieved actions with their examples, and writes the plan as text under a grammar.

Retrieval, the checks, the grounding and what becomes of readings are the shipped planner's; only the writing is another. Such a model is slower, and
knows nlsh only from what its prompt says.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from nlsh.plan.errors import BadPlan, ModelError, NlshError
from nlsh.plan.plan import Call, Plan, Ref
from nlsh.plan.syntax import format_plan, parse_plan
from nlsh.plan.values import Flag
from nlsh.planner import metadata, text_grammar
from nlsh.planner.lexer import lex
from nlsh.planner.planner import Calibration, Evidence, Planner, retrieval_log_probability
from nlsh.planner.vocabulary import REFUSAL

if TYPE_CHECKING:
    from nlsh.plan.action import Action
    from nlsh.planner.answer import Answer, Context
    from nlsh.planner.engine import Engine
    from nlsh.planner.metadata import Metadata
    from nlsh.planner.models import Offload
    from nlsh.planner.retrieve import Known
    from nlsh.planner.template import ChatTemplate

MOST_CONTEXT = 4096  # tokens read at once: more costs memory and would hold nothing that matters
LONGEST = 256  # tokens of a plan
TEXTS = 3  # texts that are tried
OFFERED = 6  # actions that the prompt explains
UNLIKELY = 0.01  # of the likeliest meaning: what is less likely is not explained
BIG_BYTES = 64 << 20  # from this size on, one thread is not enough

# What is taken to hold for a model that nobody has measured: surer than it says of itself it never is, and a change needs more than a look.
UNMEASURED = Calibration(bias=3.0, decoder=1.0, retrieval=0.5, here=0.5, sure=0.75, sure_change=0.9, choose=0.15)

_SYSTEM = """\
You turn a request into a plan: calls of the actions below, one a line, and nothing else.
- Every value in quotes is copied from the request, word for word. Leave out what the request says nothing about.
- To use what one call finds in a later one, name it: a = file.find(kind="pdfs") and then file.trash(paths=a).{last}
- No action fits: {refusal}(reason="outside"). Only talk: reason="chat"; too vague: "unclear"; it would wreck the system: "dangerous".

Actions:
{actions}"""
_LAST = "\n- _ is what was found last: “those”, “it”."


class ChatPlanner(Planner):
    """Plans requests with the model that `settings.planner` names. Loading is lazy; it raises ModelError."""

    quick = False
    notice = ""  # what the user should know once: that it runs otherwise than was decided

    @cached_property
    def model(self) -> Metadata:
        return metadata.read(Path(os.path.expanduser(self.settings.planner)))

    @cached_property
    def context(self) -> int:
        """How many tokens are read at once."""
        return min(MOST_CONTEXT, self.model.context or MOST_CONTEXT)

    @cached_property
    def offload(self) -> Offload:
        from nlsh.planner.models import decide

        return decide(self.model, self.context)

    @cached_property
    def decoder(self) -> Engine:
        from nlsh.planner.engine import Engine
        from nlsh.planner.models import Offload

        threads = self.settings.threads
        if self.model.size_bytes > BIG_BYTES:
            threads = max(threads, len(os.sched_getaffinity(0)) // 2)
        try:
            return Engine(self.model.path, context=self.context, threads=threads, gpu_layers=self.offload.layers)
        except ModelError:
            if not self.offload.layers:
                raise
            # Somebody else has taken the card's memory meanwhile.
            self.notice = f"{self.model.path.name} runs on the processor: the graphics card had no room for it after all."
            self.offload = Offload(0, f"on the processor: {self.offload.why} did not load")
            return Engine(self.model.path, context=self.context, threads=threads, gpu_layers=0)

    @cached_property
    def template(self) -> ChatTemplate:
        from nlsh.planner.template import ChatTemplate

        lib, vocab = self.decoder.lib, self.decoder.vocab
        ends = (lib.llama_vocab_bos(vocab), lib.llama_vocab_eos(vocab))
        bos, eos = (self.decoder.token_text(t) if t >= 0 else "" for t in ends)
        return ChatTemplate(self.model.chat_template, bos=bos, eos=eos)

    @cached_property
    def calibration(self) -> Calibration:
        return UNMEASURED

    def warm(self) -> None:
        """Load everything a plan needs."""
        _ = self.encoder, self.decoder, self.meanings, self.actions, self.template

    def explain(self, request: str, context: Context) -> tuple[Answer, list[Plan], list[Evidence]]:
        from dataclasses import replace

        answer, plans, evidence = super().explain(request, context)
        said = f"model: {self.model.path.name} ({self.model.architecture}, {self.model.quantization}), {self.offload.why}"
        return replace(answer, trace=(*answer.trace, said)), plans, evidence

    def _is_known(self, action: str) -> bool:
        return True  # it reads the names of arguments, whoever made them

    def _found(self, text: str, known: Sequence[Known], previous: str | None) -> list[tuple[Plan, float, float]]:
        from nlsh.planner.writing import text_of, write

        offered = self._offered(known)
        ids, offered = self._prompt(text, known, offered, last=previous is not None)
        actions = {name: self.actions[name] for name in (*offered, REFUSAL)}
        rules = text_grammar.build(actions, text, lex(text), last=previous is not None)
        found = []
        for written in write(self.decoder, ids, rules, best=TEXTS, longest=LONGEST):
            try:
                plan = read(text_of(self.decoder, written.tokens))
                self._check(plan)
            except NlshError:
                continue
            found.append((plan, written.log_probability, retrieval_log_probability(plan, known)))
        return found

    def _offered(self, known: Sequence[Known]) -> list[str]:
        """Return the actions of the nearest meanings, the likeliest first."""
        near = [k for k in known if k.probability >= UNLIKELY * known[0].probability]
        every = dict.fromkeys(a for k in near for a in k.actions if a in self.actions and a != REFUSAL)
        return list(every)[:OFFERED]

    def _prompt(self, text: str, known: Sequence[Known], offered: list[str], *, last: bool) -> tuple[list[int], list[str]]:
        """Return the prompt's tokens and the actions it explains: fewer where the model cannot read as much. Raises ModelError where none fits."""
        while True:
            ids = self.template.tokens(self.decoder, self.system(text, known, offered, last=last), text)
            if len(ids) <= self.context - LONGEST:
                return ids, offered
            if len(offered) <= 1:
                raise ModelError(
                    f"{self.model.path.name} reads only {self.context:,} tokens at once, too few for this request.",
                    hint="Nothing was run. Say it in fewer words, or use another model.",
                )
            offered = offered[:-1]

    def system(self, text: str, known: Sequence[Known], offered: Sequence[str], *, last: bool) -> str:
        """Return what the model is told besides the request."""
        from nlsh.plan.registry import get

        chinese = re.search(r"[\u4e00-\u9fff]", text) is not None
        actions = "\n".join("\n".join(_explained(get(name), offered, chinese)) for name in offered)
        shapes = [k.text for k in known[:3] if k.actions and set(k.actions) <= {*offered} and not k.text.startswith("you: ")]
        system = _SYSTEM.format(last=_LAST if last else "", refusal=REFUSAL, actions=actions)
        if shapes:
            system += "\n\nPlans of similar requests:\n" + "\n".join(s.removeprefix("@").replace("; ", "\n") for s in shapes)
        taught = self._taught_like(known)
        return system + ("\n\nThis user has said before:\n" + "\n".join(taught) if taught else "")

    def _taught_like(self, known: Sequence[Known]) -> list[str]:
        """Return the user's own examples among the nearest meanings, with their plans."""
        near = {k.text.removeprefix("you: ") for k in known if k.text.startswith("you: ")}
        if not near or self.learned is None:
            return []
        return [f"request: {e.request}\nplan: {_long(read(e.plan))}" for e in self.learned.all() if e.request in near][-3:]


def read(text: str) -> Plan:
    """Return the plan that a model has written, without the names of results that nothing uses. Raises BadPlan."""
    from nlsh.plan.registry import get, positional

    plan = parse_plan(text, lambda action: "reason" if action == REFUSAL else positional(action))
    for call in plan.calls:
        if call.action != REFUSAL and (unknown := set(call.args) - set(get(call.action).Args.fields)):
            raise BadPlan(f"{call.action} has no argument “{min(unknown)}”.")
    used = {v.name for c in plan.calls for v in c.args.values() if isinstance(v, Ref)}
    return Plan(tuple(Call(c.action, c.args, c.result if c.result in used else None) for c in plan.calls))


def _explained(action: Action, offered: Sequence[str], chinese: bool) -> Iterator[str]:
    """Yield an action's signature and up to two requests with their plans, whose values are the request's own words."""
    arguments = []
    for name, declared in action.Args.fields.items():
        kind = "true" if isinstance(declared.type, Flag) else " or ".join(f'"{c}"' for c in declared.type.choices) or f'like "{declared.type.example}"'
        arguments.append(f"{name}: {kind}{', needed' if declared.required else ''}")
    yield f"{action.name}({'; '.join(arguments)})  {action.summary()}"
    shown = 0
    for example in action.examples:
        if example.refused or "{" in example.plan or shown == 2:
            continue
        plan = read(example.plan)
        if {c.action for c in plan.calls} <= {*offered} and (say := _said(example.say, plan, chinese)):
            yield f"  request: {say}"
            yield f"  plan: {_long(plan)}"
            shown += 1


def _said(says: Sequence[str], plan: Plan, chinese: bool) -> str:
    """Return the first way to say a plan in this language that holds its values word for word, empty where there is none."""
    from nlsh.plan.registry import get

    values = []
    for call in plan.calls:
        for name, value in call.args.items():
            declared = get(call.action).Args.fields[name]
            items = value if isinstance(value, tuple) else (value,)
            values += [v for v in items if isinstance(v, str) and v not in (*declared.type.choices, *declared.common)]
    return next((s for s in says if (re.search(r"[\u4e00-\u9fff]", s) is not None) == chinese and all(v in s for v in values)), "")


def _long(plan: Plan) -> str:
    """Return a plan's text as the grammar writes it: every argument with its name, in declared order."""
    from nlsh.plan.registry import get

    calls = []
    for call in plan.calls:
        order = list(get(call.action).Args.fields) if call.action != REFUSAL else list(call.args)
        calls.append(Call(call.action, {k: call.args[k] for k in sorted(call.args, key=order.index)}, call.result))
    return format_plan(Plan(tuple(calls))).replace("\n", "\n  ")
