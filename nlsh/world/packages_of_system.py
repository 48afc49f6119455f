"""The package managers of systems: apt with dpkg, pacman, apk; those with rpm are in `packages_of_rpm`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any, ClassVar

from nlsh.plan.errors import NotFound, Refused
from nlsh.plan.records import Fact
from nlsh.plan.records.packages import Package
from nlsh.world import tools
from nlsh.world.packages import AGAIN, BLIND, Backend, Order, PackageChange, unknown
from nlsh.world.packages_of_rpm import Dnf, Zypper

_HELPER = "/usr/lib/apt/apt-helper"
_OF_USE = {"Package", "Version", "Description", "Section", "Homepage", "Maintainer", "Depends"}


class Apt(Backend):
    """Debian's apt and dpkg."""

    name: ClassVar[str] = "apt"
    tool: ClassVar[str] = "apt-get"
    pattern: ClassVar[str] = r"[a-z0-9][a-z0-9.+-]*[a-z0-9+](:[a-z0-9]+)?"
    outside: ClassVar[tuple[str, ...]] = ("pending",)
    status: ClassVar[str] = "/var/lib/dpkg/status"
    lists: ClassVar[str] = "/var/lib/apt/lists"
    index: ClassVar[str] = "/var/cache/apt/pkgcache.bin"
    stamp: ClassVar[str] = "/var/lib/apt/periodic/update-success-stamp"
    refresh: ClassVar[str] = "apt-get update"
    apt_options: ClassVar[tuple[str, ...]] = ()
    dpkg_options: ClassVar[tuple[str, ...]] = ()
    _format: ClassVar[str] = "${db:Status-Abbrev}\t${binary:Package}\t${Version}\t${Installed-Size}\t${Essential}\t${Protected}\t${binary:Summary}\n"

    def present(self) -> bool:
        return os.path.exists(self.status) and tools.present("apt-get") is not None and tools.present("dpkg-query") is not None

    def folders(self) -> tuple[str, ...]:
        return ("/etc/apt", "/etc/dpkg", "/var/lib/dpkg", "/var/lib/apt", "/var/cache/apt", "/etc/machine-id")

    def fetched(self) -> float | None:
        try:
            if not any(re.search(r"_Packages(\.\w+)?$", n) for n in os.listdir(self.lists)):
                return 0.0
        except OSError:
            return 0.0
        # Where the lists had not changed, apt writes none: then only the folder it fetches into is touched, or a stamp where its hooks leave one.
        return _newest(self.stamp, self.lists, os.path.join(self.lists, "partial"))

    def _dpkg(self, *words: str, ok: tuple[int, ...] = (0,)) -> Iterator[str]:
        return tools.lines([tools.find("dpkg-query"), *self.dpkg_options, *words], ok=ok)

    def _available(self) -> Iterator[dict[str, str]]:
        """Yield the packages that the fetched lists tell of, as the fields of their paragraphs that are of use here.

        apt-cache would need to write: it makes its own index first, and takes signed files apart in /tmp.
        """
        files = sorted(os.path.join(self.lists, n) for n in os.listdir(self.lists) if re.search(r"_Packages(\.\w+)?$", n)) if os.path.isdir(self.lists) else []
        found: dict[str, str] = {}
        for line in tools.lines([_HELPER, "cat-file", *files]) if files else ():
            if not line:
                yield found
                found = {}
            elif line[0] != " ":
                key, _, value = line.partition(": ")
                if key in _OF_USE:
                    found[key] = value
        if found:
            yield found

    def _known(self, *names: str) -> Iterator[tuple[Package, str, bool]]:
        """Yield (package, dpkg's state, must it stay) of what dpkg knows, or of these names."""
        for line in self._dpkg("--show", "--showformat", self._format, *(("--", *names) if names else ()), ok=(0, 1)):
            state, name, version, size, essential, protected, summary = line.split("\t", 6)
            stays = "yes" in (essential, protected)
            yield Package(name, version, summary, state.startswith("ii"), "", int(size) * 1024 if size.isdigit() else None, self.name), state.strip(), stays

    def installed(self) -> Iterator[Package]:
        yield from (p for p, state, _ in self._known() if state.startswith("ii"))

    def info(self, name: str) -> Iterator[Fact]:
        (name,) = self.checked((name,))
        here = next((p for p, state, _ in self._known(name) if state.startswith("ii")), None)
        # Of several that are offered, the last list is the one that updates come from.
        fields: dict[str, str] = {}
        for about in self._available():
            if about.get("Package") == name:
                fields = about
        if here is None and not fields:
            raise unknown(name, "package.search looks for what it may be called.")
        yield Fact("name", name)
        yield Fact("installed", here.version if here else "no")
        if (version := fields.get("Version")) and (here is None or here.version != version):
            yield Fact("available", version)
        yield Fact("summary", here.summary if here else fields.get("Description", ""))
        for key, word in (("Section", "section"), ("Homepage", "homepage"), ("Maintainer", "maintainer"), ("Depends", "needs")):
            if fields.get(key):
                yield Fact(word, fields[key])
        if here and here.size_bytes:
            yield Fact("size", f"{here.size_bytes:,} bytes")

    def search(self, text: str) -> Iterator[Package]:
        have = {p.name.partition(":")[0]: p.version for p in self.installed()}
        words, plain = text.lower().split(), text.strip().lower()
        found: dict[str, dict[str, str]] = {}
        for about in self._available():
            hay = f"{about.get('Package', '')} {about.get('Description', '')}".lower()
            if all(w in hay for w in words):
                found[about["Package"]] = about
        # What is called so comes before what only mentions it.
        for name in sorted(found, key=lambda n: (n != plain, not n.startswith(plain), plain not in n, n)):
            yield Package(name, have.get(name) or found[name].get("Version", ""), found[name].get("Description", ""), name in have, backend=self.name)

    def files(self, name: str) -> Iterator[str]:
        (name,) = self.checked((name,))
        if not any(state.startswith("ii") for _, state, _ in self._known(name)):
            raise NotFound(f"The package {name} is not installed.", hint="Nothing was changed. package.list() shows those that are.")
        yield from (line for line in self._dpkg("--listfiles", "--", name) if line.startswith("/") and line != "/.")

    def owner(self, path: str) -> Iterator[Package]:
        # Where /bin is a link to /usr/bin, dpkg knows some files by the one name and some by the other.
        real = os.path.realpath(path)
        ways = dict.fromkeys((path, real, real.removeprefix("/usr") if real.startswith(("/usr/bin", "/usr/sbin", "/usr/lib")) else real))
        for way in ways:
            for line in self._dpkg("--search", "--", re.sub(r"([\\*?\[\]])", r"\\\1", way), ok=(0, 1)):
                names, _, found = line.rpartition(": ")
                if found == way and not names.startswith("diversion by"):
                    yield from (p for name in names.split(", ") for p, _, _ in self._known(name))
                    return

    def pending(self) -> Iterator[Package]:
        simulate = [*self._simulation(), "--with-new-pkgs", "upgrade"]
        for verb, name, old, new in self.parse(tools.output(simulate)):
            if verb == "upgrade":
                yield Package(name, old, "", True, new, backend=self.name)

    def parse(self, output: str) -> tuple[PackageChange, ...]:
        found: dict[PackageChange, None] = {}
        for kind, name, old, new in re.findall(r"^(Inst|Remv|Purg) (\S+)(?: \[([^\]\n]*)\])?(?: \(([^ )\n]+))?", output, re.M):
            found[("remove", name, old, "") if kind != "Inst" else ("upgrade" if old else "install", name, old, new)] = None
        return tuple(sorted(found))

    def order(self, verb: str, names: tuple[str, ...]) -> Order:
        names = self.checked(names)
        words = {"install": ("install",), "remove": ("remove",), "update": ("install", "--only-upgrade") if names else ("upgrade", "--with-new-pkgs")}[verb]
        rest = ("--", *names) if names else ()
        simulate = (*self._simulation(), *words, *rest)
        known = {p.name.partition(":")[0]: state for p, state, _ in (self._known(*names) if names else ())}
        if verb != "install":
            for name in names:
                if not known.get(name.partition(":")[0], "").startswith("ii"):
                    raise NotFound(f"The package {name} is not installed.", hint="Nothing was changed.")
        try:
            changes = self.parse(tools.output(simulate))
        except tools.ToolFailed as error:
            if "Unable to locate" in error.message or "no installation candidate" in error.message:
                named = re.sub(r".*(?:package|Package '?)\s*'?([a-z0-9.+-]+).*", r"\1", error.message)
                raise unknown(named, "package.search looks for what it may be called; `apt-get update` fetches the lists anew.") from error
            raise
        meant = {n.partition(":")[0] for n in names}
        if verb == "install" and (missing := meant - {c[1].partition(":")[0] for c in changes} - {n for n, s in known.items() if s.startswith("ii")}):
            # A word that is no package may be a pattern to apt, or something that several packages provide.
            raise unknown(sorted(missing)[0], "package.search looks for what it may be called.")
        gone = [c[1] for c in changes if c[0] == "remove"]
        if stay := [p.name for p, _, stays in (self._known(*gone) if gone else ()) if stays]:
            raise Refused(f"That would remove {', '.join(stay)}, without which the system does not work.", hint="Nothing was changed.")
        return self._order(verb, words, rest, simulate, changes)

    def _simulation(self) -> tuple[str, ...]:
        """Return how apt-get is asked what it would do: without writing an index where there is none that it can use."""
        try:
            fresh = os.stat(self.index).st_mtime >= max(os.stat(p).st_mtime for p in (self.lists, self.status))
        except OSError:
            fresh = False
        unwritten = () if fresh else ("-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=")
        return (tools.find("apt-get"), *self.apt_options, *unwritten, "--simulate", "--quiet")

    def _order(self, verb: str, words: tuple[str, ...], rest: tuple[str, ...], simulate: tuple[str, ...], changes: tuple[PackageChange, ...]) -> Order:
        base = (tools.find("apt-get"), *self.apt_options)
        # Settings that somebody has changed stay as they are.
        does = ("--assume-yes", "--quiet", "-o", "Dpkg::Use-Pty=0", "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold")
        new = tuple(c[1] for c in changes if c[0] == "install")
        left = [p.name for p, state, _ in (self._known(*new) if new else ()) if state.startswith("rc")]
        final = AGAIN if verb != "install" or any(c[0] != "install" for c in changes) else f"settings of {left[0]} lie there from before" if left else ""
        back: dict[str, Any] = {} if final or not new else {
            "back": (*base, *does, "purge", "--", *new), "back_simulate": (*self._simulation(), "purge", "--", *new),
            "back_changes": tuple(sorted(("remove", name, version, "") for _, name, _, version in changes)),
        }  # fmt: skip
        environment = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "l"}
        return Order((*base, *does, *words, *rest), changes, "system", simulate, final=final, environment=environment, **back)


def _newest(*paths: str) -> float:
    """Return the latest time at which one of these was changed, in seconds since the epoch; 0 where there is none."""
    found = [0.0]
    for path in paths:
        try:
            found.append(os.stat(path).st_mtime)
        except OSError:
            continue
    return max(found)


def _fields(stanza: str) -> dict[str, str]:
    """Return the fields of a paragraph in Debian's control format, or of `Key : value` lines."""
    found: dict[str, str] = {}
    key = ""
    for line in stanza.splitlines():
        if line[:1].isspace() and key:
            found[key] += "\n" + line.strip()
        elif ":" in line:
            name, _, value = line.partition(":")
            key = name.strip().lower()
            found[key] = value.strip()
    return found


class Pacman(Backend):
    """Arch's pacman."""

    name: ClassVar[str] = "pacman"
    tool: ClassVar[str] = "pacman"
    refreshes: ClassVar[tuple[str, ...]] = ("update",)
    refresh: ClassVar[str] = "pacman -Syu"  # never -Sy alone: what is installed next would not fit what is there
    lists: ClassVar[str] = "/var/lib/pacman/sync"

    def fetched(self) -> float | None:
        try:
            names = [n for n in os.listdir(self.lists) if n.endswith(".db")]
        except OSError:
            return 0.0
        # A list has the time of the server's, so that this is at least how old what it says is.
        return _newest(self.lists, *(os.path.join(self.lists, n) for n in names)) if names else 0.0

    def folders(self) -> tuple[str, ...]:
        return ("/var/lib/pacman", "/etc/pacman.conf", "/etc/pacman.d", "/var/cache/pacman")

    def _run(self, *words: str, ok: tuple[int, ...] = (0, 1)) -> Iterator[str]:
        return tools.lines([tools.find("pacman"), *words], ok=ok)

    def installed(self) -> Iterator[Package]:
        for line in self._run("-Q"):
            name, _, version = line.partition(" ")
            yield Package(name, version, backend=self.name)

    def info(self, name: str) -> Iterator[Fact]:
        (name,) = self.checked((name,))
        here, there = _fields("\n".join(self._run("-Qi", "--", name))), _fields("\n".join(self._run("-Si", "--", name)))
        if not here and not there:
            raise unknown(name)
        fields = here or there
        yield Fact("name", name)
        yield Fact("installed", here.get("version", "no"))
        if there.get("version") and there.get("version") != here.get("version"):
            yield Fact("available", there["version"])
        for key, word in (("description", "summary"), ("url", "homepage"), ("depends on", "needs"), ("installed size", "size")):
            if fields.get(key):
                yield Fact(word, fields[key])

    def search(self, text: str) -> Iterator[Package]:
        name = version = ""
        here = False
        for line in self._run("-Ss", "--", re.escape(text)):
            if line[:1].isspace():
                yield Package(name, version, line.strip(), here, backend=self.name)
            elif found := re.match(r"[^/]+/(\S+) (\S+)", line):
                name, version, here = found[1], found[2], "[installed" in line

    def files(self, name: str) -> Iterator[str]:
        yield from self._run("-Qlq", "--", *self.checked((name,)), ok=(0,))

    def owner(self, path: str) -> Iterator[Package]:
        for name in self._run("-Qoq", "--", path):
            yield from (p for line in self._run("-Q", "--", name) for p in [Package(name, line.partition(" ")[2], backend=self.name)])

    def pending(self) -> Iterator[Package]:
        for line in self._run("-Qu"):
            if found := re.match(r"(\S+) (\S+) -> (\S+)", line):
                yield Package(found[1], found[2], "", True, found[3], backend=self.name)

    def order(self, verb: str, names: tuple[str, ...]) -> Order:
        names = self.checked(names)
        if verb == "update" and names:
            raise Refused("pacman updates all packages or none: one alone may not fit the others.", hint="Nothing was changed. Update everything.")
        word = {"install": ("-S", "--needed"), "remove": ("-R",), "update": ("-Su",)}[verb]
        simulate = (tools.find("pacman"), *word, "--print", "--print-format", "%n %v", *(("--", *names) if names else ()))
        kind = {"install": "install", "remove": "remove", "update": "upgrade"}[verb]
        changes = tuple((kind, n, v if kind == "remove" else "", "" if kind == "remove" else v) for _, n, _, v in self.parse(tools.output(simulate)))
        final = AGAIN if verb != "install" else BLIND
        if verb == "update":
            # The lists are fetched and everything is brought up to them at once, as Arch wants it: what is known now is not all.
            more = ("upgrade", f"{'whatever else' if changes else 'everything that'} has a newer version by then", "", "")
            return Order((tools.find("pacman"), "-Syu", "--noconfirm"), (*changes, more), "system", final=final, complete=False)
        return Order((tools.find("pacman"), *word, "--noconfirm", *(("--", *names) if names else ())), changes, "system", final=final)

    def parse(self, output: str) -> tuple[PackageChange, ...]:
        return tuple(("install", name, "", version) for name, version in re.findall(r"^(\S+) (\S+)$", output, re.M))


class Apk(Backend):
    """Alpine's apk."""

    name: ClassVar[str] = "apk"
    tool: ClassVar[str] = "apk"

    def folders(self) -> tuple[str, ...]:
        return ("/etc/apk", "/lib/apk", "/var/cache/apk")

    def _list(self, *words: str) -> Iterator[tuple[str, str, str]]:
        for line in tools.lines([tools.find("apk"), "--no-network", "list", *words]):
            if found := re.match(r"(\S+)-(\d\S*-r\d+) .*?(?:\[(.*)\])?$", line):
                yield found[1], found[2], found[3] or ""

    def installed(self) -> Iterator[Package]:
        yield from (Package(n, v, backend=self.name) for n, v, _ in self._list("--installed"))

    def info(self, name: str) -> Iterator[Fact]:
        (name,) = self.checked((name,))
        found = next((f for f in self._list("--", name) if f[0] == name), None)
        if found is None:
            raise unknown(name)
        yield Fact("name", name)
        yield Fact("installed", found[1] if found[2].startswith("installed") else "no")
        yield Fact("available", found[1])

    def search(self, text: str) -> Iterator[Package]:
        yield from (Package(n, v, "", s.startswith("installed"), backend=self.name) for n, v, s in self._list("--", f"*{text.strip()}*"))

    def files(self, name: str) -> Iterator[str]:
        yield from ("/" + line for line in tools.lines([tools.find("apk"), "info", "--quiet", "--contents", *self.checked((name,))]) if line)

    def owner(self, path: str) -> Iterator[Package]:
        yield from (
            Package(n.rpartition("-")[0].rpartition("-")[0], backend=self.name)
            for n in tools.lines([tools.find("apk"), "info", "--quiet", "--who-owns", path], ok=(0, 1))
            if n
        )

    def pending(self) -> Iterator[Package]:
        for name, new, state in self._list("--upgradable"):
            old = state.rpartition("upgradable from: ")[2].removeprefix(f"{name}-")
            yield Package(name, old, "", True, new, backend=self.name)


ALL = (Apt, Dnf, Zypper, Pacman, Apk)
