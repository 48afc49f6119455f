"""The package managers beside the system's own: pip, npm, flatpak and snap.

pip is that of the Python environment at hand (the active one, or `.venv` or `venv` in the working directory), else the system's; npm is that of
the project in the working directory, else the one for the whole machine.
"""

from __future__ import annotations

import glob
import json
import os
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from nlsh.plan.errors import NlshError, NotFound, NotPossible, Refused
from nlsh.plan.records import Fact
from nlsh.plan.records.packages import Package
from nlsh.world import tools
from nlsh.world.packages import AGAIN, NETWORK, Backend, Order, PackageChange

# In the class of that name `socket` is a path.
_Connect = Callable[[], socket.socket]

_BLIND = "what else it installs along is not known beforehand"

# Run by the environment's own Python: what its metadata say, as JSON. -I: nothing of the working directory is imported.
_METADATA = """
import importlib.metadata as m, json, re, sys
plain = lambda n: re.sub(r"[-_.]+", "-", n or "").lower()
want, path = (sys.argv + ["", ""])[1:3]
for d in m.distributions():
    about = {"name": d.metadata["Name"], "version": d.version, "summary": d.metadata["Summary"] or ""}
    if want and plain(about["name"]) != plain(want):
        continue
    if want or path:
        files = [str(d.locate_file(f)) for f in d.files or ()]
        if path and path not in files:
            continue
        if want:
            about |= {"files": files, "requires": d.requires or [], "homepage": d.metadata["Home-page"] or "", "license": d.metadata["License"] or ""}
    print(json.dumps(about))
"""


def _machine() -> tuple[tuple[str, str], ...]:
    """What they look at besides their own: which system this is, names and certificates."""
    return (("sys.read", "*"), *((k, p) for k, p in NETWORK if os.path.exists(p)))


class Pip(Backend):
    """pip, of one Python environment."""

    name: ClassVar[str] = "pip"
    tool: ClassVar[str] = "pip"
    pattern: ClassVar[str] = r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(\[[A-Za-z0-9,._-]+\])?([=<>!~]=?[A-Za-z0-9.*+!]+)?"
    online: ClassVar[tuple[str, ...]] = ("pending",)
    runner = "here"

    def environment(self) -> str | None:
        """Return the folder of the Python environment at hand, or None for the system's."""
        places = (os.environ.get("VIRTUAL_ENV", ""), ".venv", "venv")
        return next((os.path.abspath(p) for p in places if p and os.path.isfile(os.path.join(p, "pyvenv.cfg"))), None)

    def python(self) -> str | None:
        """Return the Python whose packages these are."""
        folder = self.environment()
        return os.path.join(folder, "bin", "python") if folder else tools.present("python3")

    def present(self) -> bool:
        return (python := self.python()) is not None and os.path.exists(python)

    def folders(self) -> tuple[str, ...]:
        folder, python = self.environment(), self.python() or "/usr/bin/python3"
        base = os.path.dirname(os.path.dirname(os.path.realpath(python)))
        # Where its Python leads is the environment's word: it must not make the home folder, or what the environment lies in, readable.
        around = (os.path.realpath(os.path.expanduser("~")), os.path.realpath(folder or "/usr"))
        named = base not in ("/", "/usr") and not any(a == base or a.startswith(f"{base}/") for a in around)
        return (*((folder,) if folder else ()), *((base,) if named else ()), "/etc/python3", "/etc/pip.conf")

    def _versions(self, folder: str) -> dict[str, str]:
        """Return what is installed in an environment by what lies in it: its own Python, which came with the folder, is not run while nlsh looks."""
        places = glob.glob(f"{glob.escape(folder)}/lib*/python*/site-packages/*-*.*-info")
        found = (re.fullmatch(r"([^-]+)-([^-]+)(-.*)?\.(dist|egg)-info", os.path.basename(p)) for p in places)
        return {_normal(f[1]): f[2] for f in found if f}

    def _metadata(self, *words: str) -> Iterator[dict[str, Any]]:
        for line in tools.lines([self.python() or "python3", "-I", "-c", _METADATA, *words]):
            yield json.loads(line)

    def _pip(self, *words: str) -> tuple[str, ...]:
        # -I: a pip.py in the working directory is not pip.
        return (self.python() or "python3", "-I", "-m", "pip", "--disable-pip-version-check", "--no-input", *words)

    def installed(self) -> Iterator[Package]:
        found = [Package(d["name"], d["version"], d["summary"], backend=self.name) for d in self._metadata()]
        yield from sorted(found, key=lambda p: p.name.lower())

    def _one(self, name: str) -> dict[str, Any]:
        (name,) = self.checked((name,))
        found = next(self._metadata(name), None)
        if found is None:
            raise NotFound(f"The Python package {name} is not installed in {self.environment() or 'the system'}.", hint="Nothing was changed.")
        return found

    def info(self, name: str) -> Iterator[Fact]:
        found = self._one(name)
        yield Fact("name", found["name"])
        yield Fact("installed", found["version"])
        for key, word in (("summary", "summary"), ("homepage", "homepage"), ("license", "license")):
            if found[key]:
                yield Fact(word, found[key].split("\n")[0])
        if needs := [r.partition(";")[0].strip() for r in found["requires"] if "extra ==" not in r]:
            yield Fact("needs", ", ".join(needs))

    def search(self, text: str) -> Iterator[Package]:
        raise NotPossible("The index of Python packages answers no searches.", hint="Nothing was changed. Look on pypi.org.")

    def files(self, name: str) -> Iterator[str]:
        yield from sorted(os.path.normpath(f) for f in self._one(name)["files"])

    def owner(self, path: str) -> Iterator[Package]:
        yield from (Package(d["name"], d["version"], d["summary"], backend=self.name) for d in self._metadata("", path))

    def pending(self) -> Iterator[Package]:
        for found in json.loads(tools.output(self._pip("list", "--outdated", "--format=json"), seconds=300)):
            yield Package(found["name"], found["version"], "", True, found["latest_version"], backend=self.name)

    def order(self, verb: str, names: tuple[str, ...]) -> Order:
        names, folder = self.checked(names), self.environment()
        if folder is None:
            raise NotPossible("There is no Python environment here to change.", hint="Nothing was changed. `python3 -m venv .venv` makes one in this folder.")
        if not names:
            raise Refused("pip updates what is named, not everything at once.", hint='Nothing was changed. package.pending(backend="pip") shows what there is.')
        plain = {re.match(r"[A-Za-z0-9._-]+", n)[0] if "=" not in n[:1] else n: n for n in names}  # type: ignore[index]
        have = self._versions(folder)
        needed = (("fs.write", folder), *_machine(), *(("fs.read", p) for p in self.folders()[1:] if os.path.exists(p)))
        own = {"TMPDIR": folder}  # nowhere else may it write
        if verb == "remove":
            if missing := [n for n in plain if _normal(n) not in have]:
                raise NotFound(f"The Python package {missing[0]} is not installed in {folder}.", hint="Nothing was changed.")
            changes = tuple(("remove", n, have[_normal(n)], "") for n in plain)
            return Order(self._pip("uninstall", "--yes", "--quiet", *plain), changes, "here", final=AGAIN, needed=needed, environment=own)
        wanted = [written for n, written in plain.items() if verb == "update" or _normal(n) not in have or written != n]
        if verb == "update" and (missing := [n for n in plain if _normal(n) not in have]):
            raise NotFound(f"The Python package {missing[0]} is not installed in {folder}.", hint="Nothing was changed.")
        changes = tuple(("upgrade" if _normal(n) in have else "install", n, have.get(_normal(n), ""), "") for n, w in plain.items() if w in wanted)
        words = ("install", "--quiet", "--no-cache-dir", *(("--upgrade",) if verb == "update" else ()), "--", *wanted)
        return Order(
            self._pip(*words),
            changes,
            "here",
            final=_BLIND if verb == "install" else AGAIN,
            needed=(*needed, ("net.connect", "*")),
            environment=own,
            complete=False,
        )


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


class Npm(Backend):
    """npm, of one project, or for the whole machine."""

    name: ClassVar[str] = "npm"
    tool: ClassVar[str] = "npm"
    pattern: ClassVar[str] = r"(@[a-z0-9._-]+/)?[a-z0-9][a-z0-9._-]*(@[A-Za-z0-9.^~*-]+)?"
    online: ClassVar[tuple[str, ...]] = ("search", "pending")
    runner = "here"

    def project(self) -> str | None:
        """Return the folder of the project that the working directory is in, or None."""
        folder = os.getcwd()
        while folder != "/":
            manifest = os.path.join(folder, "package.json")
            # Not one that somebody else has put above the working directory, as in /tmp: what stands beside it would be run.
            if os.path.isfile(manifest) and os.stat(manifest).st_uid in (0, os.geteuid()):
                return folder
            folder = os.path.dirname(folder)
        return None

    def root(self) -> str:
        """Return the folder that holds the packages."""
        folder = self.project()
        if folder:
            return os.path.join(folder, "node_modules")
        return os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(tools.find("node")))), "lib", "node_modules")

    def folders(self) -> tuple[str, ...]:
        base = os.path.dirname(os.path.dirname(os.path.realpath(tools.present("node") or "/usr/bin/node")))
        return (*((p,) if (p := self.project()) else ()), *((base,) if base not in ("/", "/usr") else ()), "/etc/npmrc", "/usr/share/nodejs")

    def _npm(self, *words: str) -> tuple[str, ...]:
        # The user's own settings hold tokens, which no worker can read; logs and the cache stay out of the home folder.
        quiet = ("--userconfig=/dev/null", "--logs-max=0", "--no-update-notifier", "--no-fund", "--no-audit", "--loglevel=error")
        return (tools.find("npm"), words[0], *quiet, *(() if self.project() else ("--global",)), *words[1:])

    def _manifest(self, name: str) -> dict[str, Any]:
        try:
            with open(os.path.join(self.root(), name, "package.json"), encoding="utf-8") as file:
                found = json.load(file)
        except (OSError, ValueError) as error:
            raise NotFound(f"The npm package {name} is not installed in {self.root()}.", hint="Nothing was changed.") from error
        return found if isinstance(found, dict) else {}

    def installed(self) -> Iterator[Package]:
        root = self.root()
        for entry in sorted(os.listdir(root)) if os.path.isdir(root) else ():
            names = [f"{entry}/{n}" for n in sorted(os.listdir(os.path.join(root, entry)))] if entry.startswith("@") else [entry]
            for name in names:
                if os.path.isfile(os.path.join(root, name, "package.json")):
                    found = self._manifest(name)
                    yield Package(name, str(found.get("version", "")), str(found.get("description", "")), backend=self.name)

    def info(self, name: str) -> Iterator[Fact]:
        (name,) = self.checked((name,))
        found = self._manifest(name)
        yield Fact("name", name)
        yield Fact("installed", str(found.get("version", "")))
        for key, word in (("description", "summary"), ("homepage", "homepage"), ("license", "license")):
            if isinstance(found.get(key), str):
                yield Fact(word, found[key])
        if isinstance(needs := found.get("dependencies"), dict) and needs:
            yield Fact("needs", ", ".join(f"{n} {v}" for n, v in needs.items()))

    def search(self, text: str) -> Iterator[Package]:
        for found in json.loads(tools.output(self._npm("search", "--json", "--", text), extra={"HOME": "/nonexistent"}) or "[]"):
            yield Package(found["name"], found.get("version", ""), found.get("description") or "", False, backend=self.name)

    def files(self, name: str) -> Iterator[str]:
        (name,) = self.checked((name,))
        self._manifest(name)
        for place, folders, files in os.walk(os.path.join(self.root(), name)):
            folders[:] = sorted(f for f in folders if f != "node_modules")
            yield from (os.path.join(place, f) for f in sorted(files))

    def owner(self, path: str) -> Iterator[Package]:
        found = re.search(r"/node_modules/((?:@[^/]+/)?[^/]+)(?!.*/node_modules/)", os.path.abspath(path))
        yield from (p for p in self.installed() if found and p.name == found[1])

    def pending(self) -> Iterator[Package]:
        found = json.loads(tools.output(self._npm("outdated", "--json"), ok=(0, 1), extra={"HOME": "/nonexistent"}) or "{}")
        if "error" in found:
            raise NlshError("npm could not ask its registry.", hint=str(found["error"].get("summary", "")), code="tool.failed")
        for name, about in found.items():
            yield Package(name, about.get("current", ""), "", True, about.get("latest", ""), backend=self.name)

    def order(self, verb: str, names: tuple[str, ...]) -> Order:
        names, project = self.checked(names), self.project()
        folder = project or os.path.dirname(os.path.dirname(self.root()))
        if project is None and not os.access(self.root(), os.W_OK):
            raise NotPossible(f"Only root may change {self.root()}.", hint="Nothing was changed. Run nlsh with sudo, or go to a folder with a package.json.")
        have = {p.name: p.version for p in self.installed()}
        plain = {re.sub(r"(?<=.)@.*$", "", n): n for n in names}
        if verb != "install" and (missing := [n for n in plain if n not in have]):
            raise NotFound(f"The npm package {missing[0]} is not installed in {self.root()}.", hint="Nothing was changed.")
        needed = (("fs.write", folder), *_machine(), *(("fs.read", p) for p in self.folders() if p != folder and os.path.exists(p)))
        # npm writes its cache wherever it is told, and must not write it into the home folder.
        cache = f"--cache={os.path.join(self.root(), '.nlsh-cache')}"
        words = {"install": "install", "remove": "uninstall", "update": "update"}[verb]
        wanted = tuple(w for n, w in plain.items() if verb != "install" or n not in have or w != n)
        if verb == "remove":
            changes: tuple[PackageChange, ...] = tuple(("remove", n, have[n], "") for n in plain)
            return Order(self._npm(words, "--offline", cache, "--", *wanted), changes, "here", final=AGAIN, needed=needed, complete=False)
        listed = wanted or (tuple(have) if verb == "update" else ())
        changes = tuple(
            ("upgrade" if verb == "update" or n in have else "install", n, have.get(n, ""), "") for n in (re.sub(r"(?<=.)@.*$", "", w) for w in listed)
        )
        argv = self._npm(words, cache, *(("--", *wanted) if wanted else ()))
        return Order(argv, changes, "here", final=_BLIND if verb == "install" else AGAIN, needed=(*needed, ("net.connect", "*")), complete=False)


class Flatpak(Backend):
    """Flatpak: those of the user, and, for root, those of the machine."""

    name: ClassVar[str] = "flatpak"
    tool: ClassVar[str] = "flatpak"
    pattern: ClassVar[str] = r"[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*"

    def folders(self) -> tuple[str, ...]:
        return ("/var/lib/flatpak", os.path.expanduser("~/.local/share/flatpak"), "/etc/flatpak")

    @property
    def runner(self) -> str:  # type: ignore[override]
        return "system" if os.geteuid() == 0 else "session"

    def _table(self, *words: str, columns: str) -> Iterator[list[str]]:
        count = columns.count(",") + 1
        for line in tools.lines([tools.find("flatpak"), words[0], f"--columns={columns}", *words[1:]]):
            if line.count("\t") == count - 1:
                yield line.split("\t")

    def installed(self) -> Iterator[Package]:
        for name, version, summary in self._table("list", columns="application,version,name"):
            yield Package(name, version, summary, backend=self.name)

    def info(self, name: str) -> Iterator[Fact]:
        (name,) = self.checked((name,))
        for found in self.installed():
            if name in (found.name, found.summary):
                yield from (Fact("name", found.name), Fact("installed", found.version or "yes"), Fact("summary", found.summary))
                return
        raise NotFound(f"The flatpak {name} is not installed.", hint="Nothing was changed.")

    def search(self, text: str) -> Iterator[Package]:
        for name, version, summary in self._table("search", "--", text, columns="application,version,description"):
            yield Package(name, version, summary, False, backend=self.name)

    def pending(self) -> Iterator[Package]:
        for name, version in self._table("remote-ls", "--updates", "--cached", columns="application,version"):
            yield Package(name, "", "", True, version, backend=self.name)

    def order(self, verb: str, names: tuple[str, ...]) -> Order:
        names = self.checked(names)
        have = {p.name: p.version for p in self.installed()}
        if verb != "install" and (missing := [n for n in names if n not in have]):
            raise NotFound(f"The flatpak {missing[0]} is not installed.", hint="Nothing was changed.")
        words = {"install": "install", "remove": "uninstall", "update": "update"}[verb]
        listed = [n for n in (names or have) if verb != "install" or n not in have]
        kind = {"install": "install", "remove": "remove", "update": "upgrade"}[verb]
        changes = tuple((kind, n, have.get(n, ""), "") for n in listed)
        argv = (tools.find("flatpak"), words, "--system" if self.runner == "system" else "--user", "--noninteractive", "--assumeyes", *names)
        return Order(argv, changes, self.runner, final=_BLIND if verb == "install" else AGAIN, complete=False)


class Snap(Backend):
    """Snaps, as snapd tells them over its socket."""

    name: ClassVar[str] = "snap"
    tool: ClassVar[str] = "snapd"
    pattern: ClassVar[str] = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
    socket: ClassVar[str] = "/run/snapd.socket"
    runner = "snapd"

    def __init__(self, connect: _Connect | None = None) -> None:
        """`connect` gives a worker the connection that it was handed."""
        self.connect = connect

    def present(self) -> bool:
        return os.path.exists(self.socket)

    def reads(self, verb: str) -> tuple[Any, ...]:
        from nlsh.plan.effects import Effect

        return (Effect("bus.read", self.socket), *((Effect("fs.read", "/snap"),) if verb == "files" and os.path.isdir("/snap") else ()))

    def ask(self, path: str) -> Any:
        """Return the result that snapd has for a path of its interface. Raises NlshError with its own words."""
        if self.connect is not None:
            return ask_snapd(self.connect(), "GET", path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(30)
            connection.connect(self.socket)
            return ask_snapd(connection, "GET", path)

    def installed(self) -> Iterator[Package]:
        for found in self.ask("/v2/snaps"):
            yield Package(found["name"], found.get("version", ""), found.get("summary", ""), True, "", found.get("installed-size"), self.name)

    def info(self, name: str) -> Iterator[Fact]:
        (name,) = self.checked((name,))
        found = next((p for p in self.installed() if p.name == name), None)
        if found is None:
            raise NotFound(f"The snap {name} is not installed.", hint="Nothing was changed.")
        yield from (Fact("name", name), Fact("installed", found.version), Fact("summary", found.summary))

    def search(self, text: str) -> Iterator[Package]:
        from urllib.parse import quote

        for found in self.ask(f"/v2/find?q={quote(text)}"):
            yield Package(found["name"], found.get("version", ""), found.get("summary", ""), False, backend=self.name)

    def files(self, name: str) -> Iterator[str]:
        (name,) = self.checked((name,))
        top = f"/snap/{name}/current/"
        if not os.path.isdir(top):
            raise NotFound(f"The snap {name} is not installed.", hint="Nothing was changed.")
        for place, folders, files in os.walk(top):
            folders.sort()
            yield from (os.path.join(place, f) for f in sorted(files))

    def pending(self) -> Iterator[Package]:
        have = {p.name: p.version for p in self.installed()}
        for found in self.ask("/v2/find?select=refresh"):
            yield Package(found["name"], have.get(found["name"], ""), found.get("summary", ""), True, found.get("version", ""), backend=self.name)

    def order(self, verb: str, names: tuple[str, ...]) -> Order:
        names = self.checked(names)
        have = {p.name: p.version for p in self.installed()}
        if verb != "install" and (missing := [n for n in names if n not in have]):
            raise NotFound(f"The snap {missing[0]} is not installed.", hint="Nothing was changed.")
        kind = {"install": "install", "remove": "remove", "update": "upgrade"}[verb]
        listed = tuple(n for n in (names or tuple(have)) if verb != "install" or n not in have)
        changes = tuple((kind, n, have.get(n, ""), "") for n in listed)
        final = AGAIN if verb != "install" else "a snap that is removed takes its data along"
        return Order(("snapd", {"install": "install", "remove": "remove", "update": "refresh"}[verb], *listed), changes, "snapd", final=final, complete=False)


def ask_snapd(connection: socket.socket, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Ask snapd over its socket and return the result, or the number of the change that it began. The connection stays. Raises NlshError."""
    import http.client

    data = json.dumps(body).encode() if body is not None else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\nX-Allow-Interaction: true\r\n\r\n"
    connection.sendall(head.encode() + data)
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    answer = json.loads(response.read())
    response.close()
    if answer.get("type") == "error":
        raise NlshError(f"snapd: {str(answer['result'].get('message', 'it refused')).rstrip('.')}.", hint="Nothing was changed.", code="tool.failed")
    return answer["change"] if answer.get("type") == "async" else answer["result"]


ALL = (Flatpak, Snap, Pip, Npm)
