"""The usual beginnings of files: for each sort its text, the name it has where none is given, its ending, and whether it is a program."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Beginning:
    """`name`: what such a file is called where it can have only one name. `ending`: what is put behind a name that has none."""

    text: str
    name: str = ""
    ending: str = ""
    executable: bool = False


BEGINNINGS = {
    "python": Beginning(
        '''#!/usr/bin/env python3
"""What this program does."""


def main() -> None:
    print("Hello")


if __name__ == "__main__":
    main()
''',
        ending=".py",
        executable=True,
    ),
    "shell": Beginning(
        """#!/usr/bin/env bash
# What this script does.
set -euo pipefail

echo "Hello"
""",
        ending=".sh",
        executable=True,
    ),
    "html": Beginning(
        """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Title</title>
</head>
<body>
  <h1>Title</h1>
</body>
</html>
""",
        ending=".html",
    ),
    "readme": Beginning(
        """# Name

What it is, in one sentence.

## Install

## Use

## License
""",
        name="README.md",
        ending=".md",
    ),
    "gitignore": Beginning(
        """# Made by builds and tools
build/
dist/
node_modules/
__pycache__/
*.py[cod]
*.o
.venv/

# Of editors and desktops
.idea/
.vscode/
*.swp
.DS_Store

# Never shared
.env
*.log
""",
        name=".gitignore",
    ),
    "makefile": Beginning(
        """.PHONY: all test clean

all:

test:

clean:
""",
        name="Makefile",
    ),
    "c": Beginning(
        """#include <stdio.h>

int main(void) {
    printf("Hello\\n");
    return 0;
}
""",
        ending=".c",
    ),
    "dockerfile": Beginning(
        """FROM debian:stable-slim

WORKDIR /app
COPY . .

CMD ["/bin/sh"]
""",
        name="Dockerfile",
    ),
    "service": Beginning(
        """[Unit]
Description=What it does

[Service]
ExecStart=/usr/bin/true
Restart=on-failure

[Install]
WantedBy=default.target
""",
        ending=".service",
    ),
    "desktop": Beginning(
        """[Desktop Entry]
Type=Application
Name=Name
Comment=What it does
Exec=/usr/bin/true
Icon=application-x-executable
Terminal=false
Categories=Utility;
""",
        ending=".desktop",
    ),
}
_OTHER_ENDINGS = {".bash": "shell", ".htm": "html", ".mk": "makefile", ".dockerfile": "dockerfile"}


def sort_of(name: str) -> str | None:
    """Return the sort that a file's name tells, or None."""
    lower = name.lower()
    for sort, beginning in BEGINNINGS.items():
        if beginning.name and lower.split(".")[0 if not lower.startswith(".") else 1] == beginning.name.lower().strip(".").split(".")[0]:
            return sort
    for sort, beginning in BEGINNINGS.items():
        if beginning.ending and sort != "readme" and lower.endswith(beginning.ending):
            return sort
    return next((sort for ending, sort in _OTHER_ENDINGS.items() if lower.endswith(ending)), None)
