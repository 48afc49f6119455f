"""Set up nlsh in a clone and start it: `python3 -m nlsh.bootstrap run [NLSH ARGUMENTS]` or `… test [PYTEST ARGUMENTS]`.

It owns `.venv` in the clone and the llama-cpp-python wheel in the user's cache, which is compiled once per version, Python, machine and
CMAKE_ARGS. It imports the standard library only, and no other part of nlsh: it runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "nlsh-bootstrap.json"
PREBUILT_INDEX = "https://abetlen.github.io/llama-cpp-python/whl/cpu"
OLDEST_PYTHON = (3, 11)
_USAGE = "usage: python3 -m nlsh.bootstrap run [NLSH ARGUMENTS] | test [PYTEST ARGUMENTS]"
# What nlsh does not use of llama.cpp: leaving it out shortens the compile.
_CUT = ("LLAVA_BUILD", "MTMD_BUILD", "LLAMA_BUILD_TESTS", "LLAMA_BUILD_EXAMPLES", "LLAMA_BUILD_TOOLS", "LLAMA_BUILD_SERVER", "LLAMA_CURL")
_QUIET_S = 30.0  # seconds between lines of progress where there is no terminal


class SetupError(Exception):
    """The environment cannot be set up; the text says what to do."""


def main(argv: list[str] | None = None) -> int:
    """Set up what is missing, then become `nlsh` or `pytest`. Return an exit status only when that is not reached."""
    words = sys.argv[1:] if argv is None else argv
    if not words or words[0] not in ("run", "test"):
        print(_USAGE, file=sys.stderr)
        return 0 if words[:1] in (["-h"], ["--help"]) else 2
    try:
        ensure(dev=words[0] == "test")
    except SetupError as error:
        print(f"nlsh: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nnlsh: interrupted; run the same command again to go on.", file=sys.stderr)
        return 130
    python = str(VENV / "bin" / "python")
    module = "nlsh" if words[0] == "run" else "pytest"
    if module == "pytest":
        os.chdir(ROOT)
    sys.stdout.flush()
    # A folder that the user stands in may hold a json.py of somebody else's: nlsh never imports from there, nor what PYTHONPATH names.
    os.execv(python, [python, *(["-I"] if module == "nlsh" else []), "-m", module, *words[1:]])
    return 1


def ensure(*, dev: bool) -> None:
    """Make `.venv` hold what pyproject.toml asks for (with the tests' tools if `dev`). Raises SetupError."""
    if sys.version_info < OLDEST_PYTHON:
        raise SetupError("nlsh needs Python %d.%d or newer; this is %s." % (*OLDEST_PYTHON, platform.python_version()))  # noqa: UP031 - old Pythons get here
    wanted = fingerprint()
    have = _stamp()
    dev = dev or bool(have.get("dev"))
    if have.get("wanted") == wanted and have.get("dev") == dev:
        return
    _make_venv()
    version = _pinned_version()
    source = "prebuilt" if _wants_prebuilt() else cmake_args()
    if _installed_version() != version or (have and have.get("llama") != source):
        _install_llama(version)
    _say("installing nlsh" + (" and its test tools" if dev else ""))
    _pip("install", "--quiet", "--editable", f"{ROOT}[dev]" if dev else str(ROOT))
    STAMP.write_text(json.dumps({"wanted": wanted, "dev": dev, "llama": source}))


def fingerprint() -> str:
    """Return the digest of what the environment depends on: pyproject.toml, the Python and the compile flags."""
    data = (ROOT / "pyproject.toml").read_bytes() + f"{_python_tag()} {cmake_args()} {_wants_prebuilt()} {ROOT}".encode()
    return hashlib.sha256(data).hexdigest()


def cmake_args() -> str:
    """Return the compile flags: ours, then the user's CMAKE_ARGS, which win."""
    flags = [f"-D{name}=OFF" for name in _CUT]
    if platform.machine() == "x86_64" and {"avx2", "fma", "f16c"} <= _cpu_flags():
        # Not GGML_NATIVE: a cached wheel may be used on another machine that shares this home.
        flags[:0] = ["-DGGML_NATIVE=OFF", "-DGGML_AVX2=ON", "-DGGML_FMA=ON", "-DGGML_F16C=ON"]
    return " ".join([*flags, *os.environ.get("CMAKE_ARGS", "").split()])


def wheel_dir(version: str) -> Path:
    """Return the folder of the cache that holds (or will hold) the compiled wheel."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    cache = Path(base) if base.startswith("/") else Path(os.path.expanduser("~")) / ".cache"
    flags = hashlib.sha256(cmake_args().encode()).hexdigest()[:12]
    return cache / "nlsh" / "wheels" / f"llama_cpp_python-{version}-{_python_tag()}-{platform.machine()}-{flags}"


def _python_tag() -> str:
    return f"{sys.implementation.cache_tag}"


def _wants_prebuilt() -> bool:
    return os.environ.get("NLSH_PREBUILT", "") not in ("", "0")


def _cpu_flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    match = re.search(r"^flags\s*:\s*(.*)$", text, re.M)
    return set(match[1].split()) if match else set()


def _stamp() -> dict:
    try:
        data = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) and (VENV / "bin" / "python").exists() else {}


def _make_venv() -> None:
    if (VENV / "bin" / "python").exists() and (VENV / "bin" / "pip").exists():
        return
    try:
        import ensurepip  # noqa: F401 - Debian leaves it out of python3
    except ImportError:
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        hint = f"sudo apt install {package}" if shutil.which("apt") else "install your system's python3-venv package"
        raise SetupError(f"this Python cannot make virtual environments (no ensurepip). Nothing was changed. Try: {hint}") from None
    _say("making .venv")
    if subprocess.run([sys.executable, "-I", "-m", "venv", str(VENV)], check=False).returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        raise SetupError(f"{VENV} could not be made; see above.")


def _pinned_version() -> str:
    match = re.search(r'"llama-cpp-python==([^"]+)"', (ROOT / "pyproject.toml").read_text())
    if not match:
        raise SetupError("pyproject.toml does not pin llama-cpp-python.")
    return match[1]


def _installed_version() -> str:
    for folder in VENV.glob("lib/python*/site-packages/llama_cpp_python-*.dist-info"):
        return folder.name.removeprefix("llama_cpp_python-").removesuffix(".dist-info")
    return ""


def _install_llama(version: str) -> None:
    if _wants_prebuilt():
        _say("installing the prebuilt llama-cpp-python (NLSH_PREBUILT)")
        where = ("--only-binary", "llama-cpp-python", "--extra-index-url", PREBUILT_INDEX)
        try:
            _pip("install", "--quiet", "--force-reinstall", "--no-deps", *where, f"llama-cpp-python=={version}")
        except SetupError as error:
            raise SetupError(f"{error}\nThere may be no prebuilt wheel of {version} for this machine; without NLSH_PREBUILT it is compiled.") from error
        return
    folder = wheel_dir(version)
    folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder.parent / f"{folder.name}.lock"):
        wheel = next(iter(sorted(folder.glob("*.whl"))), None)
        if wheel is None:
            _compile(version, folder)
            wheel = next(iter(sorted(folder.glob("*.whl"))))
        else:
            _say(f"using the compiled {wheel.name} of the cache")
    _pip("install", "--quiet", "--force-reinstall", "--no-deps", str(wheel))


def _lock(path: Path) -> TextIO:
    """Return an open file that holds the lock until it is closed."""
    import fcntl

    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        _say("waiting for another nlsh that compiles the same")
        fcntl.flock(file, fcntl.LOCK_EX)
    return file


def _compile(version: str, folder: Path) -> None:
    if not (shutil.which(os.environ.get("CXX", "c++")) or shutil.which("g++") or shutil.which("clang++")):
        how = "sudo apt install build-essential" if shutil.which("apt") else "install a C++ compiler"
        raise SetupError(f"compiling llama.cpp needs a C++ compiler. Try: {how} — or take the prebuilt wheel: NLSH_PREBUILT=1")
    _say(f"compiling llama-cpp-python {version}, once (some minutes; NLSH_PREBUILT=1 takes a prebuilt wheel instead)")
    scratch = folder / "building"
    shutil.rmtree(scratch, ignore_errors=True)
    # pip keys its own wheel cache by version alone, and would hand out a wheel compiled with other flags.
    command = [str(VENV / "bin" / "python"), "-I", "-m", "pip", "wheel", "-v", "--no-deps", "--no-cache-dir", "--no-binary", "llama-cpp-python"]
    command += ["--wheel-dir", str(scratch), f"llama-cpp-python=={version}"]
    log = folder / "compile.log"
    environment = {**os.environ, "CMAKE_ARGS": cmake_args(), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    with (
        log.open("w", errors="replace") as out,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment) as process,
    ):
        try:
            _follow(process, out)
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise SetupError(f"the compile failed; the last lines of {log}:\n{tail}\nA prebuilt wheel may do: NLSH_PREBUILT=1")
    for wheel in scratch.glob("*.whl"):
        os.replace(wheel, folder / wheel.name)
    shutil.rmtree(scratch, ignore_errors=True)


def _follow(process: subprocess.Popen, out: TextIO) -> None:
    """Copy a build's output to `out`; show ninja's own count on a terminal, a line now and then elsewhere."""
    assert process.stdout is not None
    live = sys.stderr.isatty()
    started = shown = time.monotonic()
    for line in process.stdout:
        out.write(line)
        match = re.match(r"\s*\[(\d+)/(\d+)\]", line)
        if not match:
            continue
        now = time.monotonic()
        if live:
            sys.stderr.write(f"\r  [{match[1]}/{match[2]}] {now - started:.0f} s ")
            sys.stderr.flush()
        elif now - shown >= _QUIET_S:
            shown = now
            _say(f"compiling: {match[1]} of {match[2]}, {now - started:.0f} s")
    if live:
        sys.stderr.write("\n")


def _pip(*words: str) -> None:
    command = [str(VENV / "bin" / "python"), "-I", "-m", "pip", *words]
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode != 0:
        raise SetupError(f"pip failed (see above): pip {' '.join(words)}\nRun the same command again once its cause is mended; what was done is kept.")


def _say(text: str) -> None:
    print(f"nlsh: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
