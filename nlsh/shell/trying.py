"""A raw command that may change something is tried on a copy of its folder first; what it would change is shown, and kept or dropped.

Both halves are plans that go through the gate: the trial, which can change nothing, and keeping, whose steps are journalled and can be
taken back. It owns when a command is tried, and what is said when it is not; where the copy lies and what holds the command there is the sandbox's.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nlsh.plan.errors import Denied, NlshError
from nlsh.plan.plan import Plan, Preview
from nlsh.shell.changes import changes_data, diff_lines, list_lines, summary
from nlsh.shell.preview import why_lines
from nlsh.shell.show import escape, place
from nlsh.steps.command import RunCommand

if TYPE_CHECKING:
    from nlsh.guard.policy import Decision
    from nlsh.guard.sandbox.overlay import Layer
    from nlsh.kernel.outcome import Outcome
    from nlsh.shell.turn import Session
    from nlsh.world.layers import ChangeSet

QUESTION = "Keep these changes? [y/N/l/d/?] "
HELP = (
    "  y  keep them",
    "  n  or Enter: drop them, and nothing was changed",
    "  l  list all of them",
    "  d  all that changes in texts",
    "  ?  why this is asked",
)
_BEHIND = "it goes to the background"
_FAILED = ("command.exit",)
_NEEDS = "L3"  # of enforcement: a copy needs namespaces


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# They fill the screen, and what is done in them is saved by hand: to be asked about it a second time helps nobody.
_FULL_SCREEN = _words(
    "vi vim nvim view vimdiff nano pico emacs mcedit mc joe jed ne micro helix hx kak ed less more most man info top htop btop atop iotop nmon tmux screen "
    "zellij ranger nnn lf tig lazygit gitui ncdu w3m lynx links elinks mutt neomutt alpine irssi weechat nmtui alsamixer dialog whiptail visudo crontab"
)
_NETWORK = _words(
    "curl wget ssh scp sftp ftp lftp telnet nc ncat netcat socat ping ping6 traceroute tracepath mtr dig host nslookup whois aria2c yt-dlp gh glab rclone "
    "docker podman kubectl systemctl"
)
_GIT_NETWORK = _words("push pull fetch ls-remote")
_INSTALLERS = {
    "pip": "install download", "pip3": "install download", "npm": "install ci i update publish", "yarn": "", "pnpm": "", "cargo": "fetch install publish",
    "go": "get install", "apt": "", "apt-get": "", "dnf": "", "gem": "install", "bundle": "install", "composer": "install update", "uv": "sync pip add",
}  # fmt: skip
_CARRIERS = _words("sudo doas time nice nohup env command exec stdbuf setsid timeout")
_PARTS = re.compile(r"\|\||&&|[|;\n&]")


def why_not(command: str) -> str:
    """Return why a command is not to be tried on a copy, in words that follow 'because'; empty where it can be."""
    stripped = command.strip()
    if stripped.endswith("&") and not stripped.endswith("&&"):
        return _BEHIND
    for part in _PARTS.split(stripped):
        words = _program(_split(part))
        if not words:
            continue
        name, rest = os.path.basename(words[0]), words[1:]
        if name in _FULL_SCREEN:
            return f"{name} is worked in on the whole screen"
        if name == "git":
            while len(rest) > 1 and rest[0] in ("-C", "-c"):
                rest = rest[2:]
        subcommand = next((w for w in rest if not w.startswith("-")), "")
        remote = any(re.search(r"://|^[\w.-]+@?[\w.-]*:(?!\\)", w) for w in rest)
        asks = (
            name in _NETWORK
            or (name == "git" and (subcommand in _GIT_NETWORK or (subcommand in ("clone", "submodule") and remote)))
            or (name == "rsync" and remote)
            or (name in _INSTALLERS and (not _INSTALLERS[name] or subcommand in _INSTALLERS[name].split()))
        )
        if asks:
            return f"{name} {subcommand} needs the network".replace("  ", " ") if name in ("git", *_INSTALLERS) else f"{name} needs the network"
    return ""


def _program(words: list[str]) -> list[str]:
    """Return the words from the program on: what only gives it variables, time or rights stands before it."""
    carried = False
    while words:
        if os.path.basename(words[0]) in _CARRIERS:
            carried = True
        elif not (re.fullmatch(r"[A-Za-z_]\w*=.*", words[0], re.S) or (carried and re.fullmatch(r"-.*|[\d.]+[smhd]?", words[0]))):
            break
        words = words[1:]
    return words


def _split(part: str) -> list[str]:
    try:
        return shlex.split(part)
    except ValueError:
        return part.split()


def run(session: Session, plan: Plan, preview: Preview, request: str, *, direct: bool = False, behind: bool = False) -> int | None:
    """Try the raw command that `preview` is, show what it would change, keep or drop that, and return the exit status.

    Return None where it is to be run as it is, or is none: that it is not tried, and what then holds, is said. `direct`: the user wants it so.
    `behind`: it is to go on behind the prompt, and nobody is asked when it ends.
    """
    step = _command_of(preview)
    if step is None:
        return None
    from nlsh.guard import trials
    from nlsh.guard.grant import Grant
    from nlsh.guard.sandbox import overlay

    way = trials.way()
    if way == "never":
        return None
    decision = session.policy.decide(preview)
    if decision.answer == "deny":
        return None  # what is forbidden to change is not tried either, and the gate says so
    try:
        for call in preview.calls:
            Grant.of(call.effects, closed=decision.closed)
    except Denied:
        return None
    several = len(preview.calls) > 1
    why = "you have said !!" if direct else "it is one call of several" if several else _BEHIND if behind else why_not(step.command)
    if not why:
        try:
            return _Trial(session, plan, request, step).run()
        except NlshError as error:
            if error.code != overlay.CANNOT:
                if session.shell is not None:
                    session.shell.forget()  # nothing was kept
                return session.fail(error)
            why = error.message.partition(": ")[2].rstrip(".")
    if way == "always":
        words = f"This is not run, because it cannot be tried on a copy first ({why})."
        return session.fail(Denied(words, hint='Nothing was changed. [shell] preview = "always" in a policy file asks for that.', code="guard.not-tried"))
    session.say(session.look.prose(f"  not tried on a copy first, because {escape(why)}: it changes {place(step.cwd)} at once", "yellow"))
    return None


def is_due(session: Session, preview: Preview) -> bool:
    """Return whether the raw command that `preview` is would be tried on a copy, as far as that is known before: what it changes can then be undone."""
    from nlsh.guard import trials

    step = _command_of(preview)
    return step is not None and len(preview.calls) == 1 and trials.way() != "never" and session.level == _NEEDS and not why_not(step.command)


def _command_of(preview: Preview) -> RunCommand | None:
    # Not one that only reads, which could change nothing.
    return next((s for c in preview.calls for s in c.steps if type(s) is RunCommand), None)


class _Trial:
    """One command, from the layer it is tried in to what becomes of that."""

    def __init__(self, session: Session, plan: Plan, request: str, step: RunCommand) -> None:
        self.session, self.plan, self.request, self.step = session, plan, request, step
        self._found: ChangeSet | None = None

    def run(self) -> int:
        """Do it all and return the exit status. Raises NotPossible with `overlay.CANNOT` where there can be no copy, before anything is run."""
        from nlsh.guard.sandbox import overlay
        from nlsh.settings import tried_dir

        kernel, world = self.session.kernel, self.session.kernel.world
        if not self.session.swept:
            overlay.sweep(tried_dir(), is_needed=lambda number: self.session.journal.run(number) is not None)
            self.session.swept = True
        layer = overlay.prepare(self.step.cwd, tried_dir())
        try:
            kernel.world = replace(world, layer=layer.path)
            tried = kernel.preview(self.plan, self.request)
            outcome = self._try(tried)
            if outcome.status != "done" and not all(e.code in _FAILED for e in outcome.errors):
                cannot = next((e for e in outcome.errors if e.code == overlay.CANNOT), None)
                if cannot is not None:
                    raise cannot
                return self.session.report(tried, outcome)
            if outcome.status in ("cancelled", "denied"):
                return self.session.report(tried, outcome)
            return self._settle(tried, outcome, layer)
        finally:
            kernel.world = world
            layer.close()

    def _try(self, tried: Preview) -> Outcome:
        session = self.session
        if self._talks:
            session.say(session.look.paint(f"  on a copy of {place(self.step.cwd)}: nothing is changed yet", "dim"))
        session.make_room(tried)
        outcome = session.kernel.run(tried)
        sys.stdout.flush()
        session.begin_line()
        return outcome

    @property
    def _talks(self) -> bool:
        return not self.session.options.quiet and sys.stderr.isatty()

    def _settle(self, tried: Preview, outcome: Outcome, layer: Layer) -> int:
        """Show what lies in the layer, and keep it or not."""
        from nlsh.world import layer_changes

        session, status = self.session, outcome.command_status or 0
        found = self._found = layer_changes.read(layer.path)
        session.kernel.world = replace(session.kernel.world, tried=found)
        if session.look.json:
            session.emit({"tried": {"status": status, "changes": changes_data(found)}})
        if found.is_empty:
            if self._talks:
                session.say(session.look.paint("  nothing would be changed", "dim"))
            return session.report(tried, outcome)
        # Raises StaleStep where others changed the same: that is said, and nothing is kept.
        preview = session.last_preview = session.kernel.preview(self.plan, self.request)
        if not session.options.quiet or session.can_ask():
            session.say(*(session.look.paint(f"  note: {escape(n)}", "yellow") for c in tried.calls for n in c.notes), *self._lines(found, status))
        kernel, approve, on_event = session.kernel, session.kernel.approve, session.kernel.on_event

        def note(event: dict[str, Any]) -> None:
            # Before the first step: from here on the layer is what the changes can be taken back with.
            if event["type"] == "run" and event["run"] is not None:
                layer.keep_for(event["run"])
            on_event(event)

        kernel.approve, kernel.on_event = self._approve, note
        try:
            kept = kernel.run(preview)
        finally:
            kernel.approve, kernel.on_event = approve, on_event
        if kept.status != "done" and session.shell is not None:
            session.shell.forget()
        # Stdout is the command's: what was kept has been listed.
        came = session.report(preview, kept if session.look.json else replace(kept, records=[]))
        return status if kept.status == "done" and came == 0 else came

    def _lines(self, found: ChangeSet, status: int) -> list[str]:
        look = self.session.look
        ended = f"it failed with status {status}" if status else "it ended well"
        head = look.paint(f"  {ended}. Nothing is changed yet. In {place(found.root)} it would:", "yellow" if status else "bold")
        return [head, *list_lines(found, look), *diff_lines(found, look), look.paint(f"    {summary(found)}", "dim")]

    def _approve(self, preview: Preview, decision: Decision) -> bool | str:
        session = self.session
        session.last_decision = decision
        if session.options.yes:
            return "flag"
        if not session.can_ask():
            session.say("nlsh: to keep this needs an approval and there is nobody to ask. Nothing was changed. --yes keeps it.")
            return False
        with session.still():
            return self._asked(decision)

    def _asked(self, decision: Decision) -> bool:
        session, look = self.session, self.session.look
        while True:
            try:
                answer = session.read(QUESTION).strip().lower()
            except EOFError:
                session.say("")
                answer = ""
            if answer in ("y", "yes", "k", "keep", "是", "好"):
                return True
            if answer in ("", "n", "no", "drop", "否", "不"):
                session.say("Dropped. Nothing was changed.")
                return False
            assert self._found is not None
            if answer in ("l", "list"):
                session.say(*list_lines(self._found, look, whole=True))
            elif answer in ("d", "diff"):
                session.say(*(diff_lines(self._found, look, whole=True) or ["  no text changes"]))
            elif answer in ("?", "why"):
                session.say(*(look.prose("  " + line) for line in why_lines(decision, besides=self._found.layer)), *HELP)
            else:
                session.say(*HELP)
