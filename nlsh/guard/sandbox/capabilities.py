"""Capabilities: a worker started by root keeps only those that its grant's effects need, and can never get others back."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import struct
from typing import TYPE_CHECKING

from nlsh.guard.sandbox.kernel import CAP_AMBIENT, CAP_AMBIENT_CLEAR_ALL, CAPBSET_DROP, prctl, syscall
from nlsh.plan.effects import Effect

if TYPE_CHECKING:
    from nlsh.guard.grant import Grant

_CAPSET, _CAPGET = (126, 125) if os.uname().machine == "x86_64" else (91, 90)
_VERSION_3 = 0x20080522

_NAMES = (
    "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service net_broadcast net_admin net_raw "
    "ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod "
    "lease audit_write audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore"
)
NUMBERS = {name: number for number, name in enumerate(_NAMES.split())}
# What root has beyond other users, by the effect that needs it. A grant with `exec` gets none: the program is nobody's we know.
_BY_EFFECT = {
    "fs.read": ("dac_read_search",),
    "fs.write": ("dac_override", "chown", "fowner", "fsetid"),
    "fs.delete": ("dac_override", "fowner"),
    "fs.meta": ("chown", "fowner", "fsetid", "dac_override"),
    "proc.read": ("sys_ptrace", "dac_read_search"),
    "proc.signal": ("kill",),
    "proc.tune": ("sys_nice", "sys_resource"),
}


def wanted(grant: Grant) -> frozenset[int]:
    """Return the capabilities that a worker for `grant` may keep where it has them; `priv.root` names more as CAP_…."""
    names = {n for e in grant.effects for n in named(e)}
    if not grant.runs:
        names |= {n for e in grant.effects for n in _BY_EFFECT.get(e.kind, ())}
        # The kernel's own log asks for this where only root may read it; syslog(2), which could clear it, is refused to all.
        names |= {"syslog" for e in grant.effects if e == Effect("fs.read", "/dev/kmsg")}
    return frozenset(NUMBERS[n] for n in names if n in NUMBERS)


def named(effect: Effect) -> frozenset[str]:
    """Return the capabilities that `priv.root` names, in brackets at the end of its reason: what stands before may be a file's name, and say anything."""
    found = re.search(r"\((CAP_[A-Z_]+(?:,? CAP_[A-Z_]+)*)\)\Z", effect.target) if effect.kind == "priv.root" else None
    return frozenset(re.findall(r"cap_(\w+)", found[1].lower())) if found else frozenset()


def held() -> int:
    """Return the permitted capabilities of this process, as bits."""
    header, data = ctypes.create_string_buffer(struct.pack("=Ii", _VERSION_3, 0), 8), ctypes.create_string_buffer(24)
    # SAFETY: version 3 writes two structures of twelve bytes.
    syscall(_CAPGET, header, data)
    words = struct.unpack("=6I", data.raw)
    return words[1] | words[4] << 32


def drop(keep: frozenset[int]) -> None:
    """Give up every capability but `keep`, in the bounding set too, so that no program run from here gets one. Raises OSError."""
    now = held()
    if not now and os.geteuid() != 0:
        return
    if now >> NUMBERS["setpcap"] & 1:
        try:
            for number in range(64):
                if number not in keep:
                    prctl(CAPBSET_DROP, number)
        except OSError as error:
            if error.errno != errno.EINVAL:  # the kernel knows no more of them
                raise
    prctl(CAP_AMBIENT, CAP_AMBIENT_CLEAR_ALL)
    bits = sum(1 << number for number in keep) & now
    low, high = bits & 0xFFFFFFFF, bits >> 32
    header = ctypes.create_string_buffer(struct.pack("=Ii", _VERSION_3, 0), 8)
    # SAFETY: version 3 reads two structures of twelve bytes: effective, permitted, inheritable.
    syscall(_CAPSET, header, ctypes.create_string_buffer(struct.pack("=6I", low, low, 0, high, high, 0), 24))
