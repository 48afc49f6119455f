"""The package managers of systems with rpm: dnf and zypper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from nlsh.plan.errors import NotFound
from nlsh.plan.records import Fact
from nlsh.plan.records.packages import Package
from nlsh.world import tools
from nlsh.world.packages import AGAIN, BLIND, Backend, Order, PackageChange, unknown


class Rpm(Backend):
    """What dnf and zypper share: the database of rpm."""

    _format: ClassVar[str] = "%{NAME}\\t%{VERSION}-%{RELEASE}\\t%{SIZE}\\t%{SUMMARY}\\n"

    def present(self) -> bool:
        return tools.present(self.tool) is not None and tools.present("rpm") is not None

    def folders(self) -> tuple[str, ...]:
        return (
            "/var/lib/rpm",
            "/usr/lib/sysimage/rpm",
            "/etc/rpm",
            "/etc/dnf",
            "/etc/yum.repos.d",
            "/var/cache/dnf",
            "/var/cache/libdnf5",
            "/etc/zypp",
            "/var/cache/zypp",
            "/etc/pki",
        )

    def _rpm(self, *words: str, ok: tuple[int, ...] = (0,)) -> Iterator[Package]:
        for line in tools.lines([tools.find("rpm"), "--query", "--queryformat", self._format, *words], ok=ok):
            if line.count("\t") >= 3:
                name, version, size, summary = line.split("\t", 3)
                yield Package(name, version, summary, True, "", int(size) if size.isdigit() else None, self.name)

    def installed(self) -> Iterator[Package]:
        yield from sorted(self._rpm("--all"), key=lambda p: p.name)

    def info(self, name: str) -> Iterator[Fact]:
        (name,) = self.checked((name,))
        here = next(self._rpm("--", name, ok=(0, 1)), None)
        there = here or next((p for p in self.search(name) if p.name == name), None)
        if there is None:
            raise unknown(name)
        yield Fact("name", name)
        yield Fact("installed", here.version if here else "no")
        if here is None and there.version:
            yield Fact("available", there.version)
        yield Fact("summary", there.summary)

    def files(self, name: str) -> Iterator[str]:
        (name,) = self.checked((name,))
        if next(self._rpm("--", name, ok=(0, 1)), None) is None:
            raise NotFound(f"The package {name} is not installed.", hint="Nothing was changed.")
        yield from tools.lines([tools.find("rpm"), "--query", "--queryformat", "[%{FILENAMES}\\n]", "--", name])

    def owner(self, path: str) -> Iterator[Package]:
        yield from self._rpm("--file", "--", path, ok=(0, 1))

    def must_be_here(self, names: tuple[str, ...]) -> None:
        """Raise NotFound unless all are installed."""
        for name in names:
            if next(self._rpm("--", name, ok=(0, 1)), None) is None:
                raise NotFound(f"The package {name} is not installed.", hint="Nothing was changed.")


class Dnf(Rpm):
    """Fedora's dnf."""

    name: ClassVar[str] = "dnf"
    tool: ClassVar[str] = "dnf"

    def _query(self, *words: str) -> Iterator[list[str]]:
        for line in tools.lines([tools.find("dnf"), "--quiet", "--cacheonly", "repoquery", "--qf", "%{name}\\t%{evr}\\t%{summary}\\n", *words]):
            if line.count("\t") >= 2:
                yield line.split("\t", 2)

    def search(self, text: str) -> Iterator[Package]:
        have = {p.name for p in self.installed()}
        for name, version, summary in sorted(self._query("--latest-limit=1", f"*{re.sub(r'[^A-Za-z0-9+._-]', '?', text.strip())}*")):
            yield Package(name, version, summary, name in have, backend=self.name)

    def pending(self) -> Iterator[Package]:
        have = {p.name: p.version for p in self.installed()}
        for name, version, summary in self._query("--upgrades"):
            yield Package(name, have.get(name, ""), summary, True, version, backend=self.name)

    def order(self, verb: str, names: tuple[str, ...]) -> Order:
        names = self.checked(names)
        if verb != "install":
            self.must_be_here(names)
        words = {"install": "install", "remove": "remove", "update": "upgrade"}[verb]
        listed = names or tuple(p.name for p in self.pending())
        here = {p.name for p in self.installed()}
        changes = tuple((verb if verb != "update" else "upgrade", n, "", "") for n in listed if verb != "install" or n not in here)
        return Order((tools.find("dnf"), "--assumeyes", "--quiet", words, *(("--", *names) if names else ())), changes, "system", final=BLIND, complete=False)


class Zypper(Rpm):
    """openSUSE's zypper."""

    name: ClassVar[str] = "zypper"
    tool: ClassVar[str] = "zypper"

    def _xml(self, *words: str, ok: tuple[int, ...] = (0,)) -> Iterator[dict[str, str]]:
        from defusedxml.ElementTree import fromstring

        root = fromstring(tools.output([tools.find("zypper"), "--xmlout", "--non-interactive", "--no-refresh", *words], ok=ok))
        for element in root.iter():
            yield {"tag": element.tag, **element.attrib}

    def search(self, text: str) -> Iterator[Package]:
        for found in self._xml("search", "--type", "package", "--", text, ok=(0, 104)):
            if found["tag"] == "solvable":
                yield Package(found["name"], "", found.get("summary", ""), found.get("status", "").startswith("installed"), backend=self.name)

    def pending(self) -> Iterator[Package]:
        for found in self._xml("list-updates"):
            if found["tag"] == "update":
                yield Package(found["name"], found.get("edition-old", ""), "", True, found.get("edition", ""), backend=self.name)

    def order(self, verb: str, names: tuple[str, ...]) -> Order:
        names = self.checked(names)
        if verb != "install":
            self.must_be_here(names)
        words = ({"install": "install", "remove": "remove", "update": "update"}[verb], *(("--", *names) if names else ()))
        simulate = (tools.find("zypper"), "--xmlout", "--non-interactive", "--no-refresh", words[0], "--dry-run", *words[1:])
        changes = self.parse(tools.output(simulate, ok=(0, 100, 101, 102, 103)))
        return Order((tools.find("zypper"), "--non-interactive", *words), changes, "system", simulate, final=AGAIN if verb != "install" else BLIND)

    def parse(self, output: str) -> tuple[PackageChange, ...]:
        from defusedxml.ElementTree import fromstring

        root, found = fromstring(output), set()
        for tag, verb in (("to-install", "install"), ("to-upgrade", "upgrade"), ("to-remove", "remove")):
            for group in root.iter(tag):
                for one in group.iter("solvable"):
                    found.add(
                        (
                            verb,
                            one.get("name", ""),
                            one.get("edition-old", one.get("edition", "") if verb == "remove" else ""),
                            "" if verb == "remove" else one.get("edition", ""),
                        )
                    )
        return tuple(sorted(found))
