"""A model's own chat template: how it wants a conversation to be written. Rendered with jinja2, which llama-cpp-python needs anyway, in its sandbox."""

from __future__ import annotations

import json
import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from nlsh.plan.errors import ModelError

if TYPE_CHECKING:
    from nlsh.planner.engine import Engine


class ChatTemplate:
    """Writes a system text and a request as the model's tokens, up to where its answer begins."""

    def __init__(self, text: str, *, bos: str, eos: str) -> None:
        """`bos`, `eos`: the texts of the tokens that start and end a text. Raises ModelError where the template is no template."""
        import jinja2
        import jinja2.ext
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        self.bos, self.eos = bos, eos

        class Generation(jinja2.ext.Extension):
            """`{% generation %}` only marks what is learned in training: what is in it is written."""

            tags = {"generation"}

            def parse(self, parser: Any) -> Any:
                parser.stream.skip(1)
                return parser.parse_statements(("name:endgeneration",), drop_needle=True)

        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
        environment.filters["tojson"] = _tojson
        try:
            self._template = environment.from_string(text)
        except jinja2.TemplateError as error:
            raise _broken(error) from error

    def render(self, system: str, request: str) -> str:
        """Return the conversation's text; a template that knows no system text gets it before the request. Raises ModelError."""
        import jinja2

        user = {"role": "user", "content": request}
        try:
            text = self._rendered([{"role": "system", "content": system}, user])
            if system in text:
                return text
        except (jinja2.TemplateError, ValueError, TypeError, ArithmeticError, LookupError):
            pass  # tried below without a system text
        try:
            return self._rendered([{"role": "user", "content": f"{system}\n\n{request}"}])
        except (jinja2.TemplateError, ValueError, TypeError, ArithmeticError, LookupError) as error:
            raise _broken(error) from error

    def _rendered(self, messages: list[dict[str, str]]) -> str:
        return self._template.render(
            messages=messages, add_generation_prompt=True, enable_thinking=False, bos_token=self.bos, eos_token=self.eos, tools=None, documents=None,
            raise_exception=_raise, strftime_now=lambda form: datetime.now().strftime(form),
        )  # fmt: skip

    def tokens(self, engine: Engine, system: str, request: str) -> list[int]:
        """Return the token ids of the conversation. Nothing that the request or the system text says becomes a control token."""
        contents = (system, request)
        if all(engine.tokenize(c, special=True) == engine.tokenize(c) for c in contents):
            text = self.render(system, request)
            return engine.tokenize(text, special=True, add_special=not (self.bos and text.startswith(self.bos)))
        # Some of it reads like a control token: the template is written around marks, and what stands for them is read as plain text.
        marks = (secrets.token_hex(16), secrets.token_hex(16))
        text = self.render(*marks)
        before, found, rest = text.partition(marks[0])
        between, found_too, after = rest.partition(marks[1])
        if not (found and found_too) or any(m in after for m in marks):
            raise _broken("it does not write the request exactly once")
        return [
            *engine.tokenize(before, special=True, add_special=not (self.bos and before.startswith(self.bos))),
            *engine.tokenize(system),
            *engine.tokenize(between, special=True),
            *engine.tokenize(request),
            *engine.tokenize(after, special=True),
        ]


def _broken(why: object) -> ModelError:
    return ModelError(f"The model's chat template cannot be used: {str(why)[:200]}.", hint="Nothing was run. Choose another model: nlsh model use shipped")


def _raise(message: str) -> NoReturn:
    raise ValueError(message)


def _tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None, separators: Any = None, sort_keys: bool = False) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
