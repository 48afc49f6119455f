"""Seccomp: a small BPF assembler, the system call numbers of x86-64 and aarch64, and the filter for a profile.

It owns what is refused at the system call: what is named here, and every call that no kernel had yet when this was written. A filter sees registers
only, so paths are Landlock's; every rule here looks at numbers.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import struct
from collections.abc import Iterable

from nlsh.guard.sandbox.kernel import syscall
from nlsh.plan.frozen import frozen

_MACHINE = os.uname().machine
_COLUMN = {"x86_64": 0, "aarch64": 1}.get(_MACHINE)
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}.get(_MACHINE, 0)
_X32 = 0x40000000
# The first number that no kernel had when the list below was gone through (6.18): what came later is not there for a worker.
_UNKNOWN = 470

# name: (x86-64, aarch64); None where the architecture does not have it
_NUMBERS: dict[str, tuple[int | None, int | None]] = dict(
    open=(2, None), ioctl=(16, 29), dup2=(33, None), socket=(41, 198), connect=(42, 203), sendto=(44, 206), sendmsg=(46, 211), bind=(49, 200),
    listen=(50, 201), socketpair=(53, 199), setsockopt=(54, 208), clone=(56, 220), execve=(59, 221), kill=(62, 129), shmget=(29, 194),
    shmat=(30, 196), shmctl=(31, 195), semget=(64, 190), semop=(65, 193), semctl=(66, 191), semtimedop=(220, 192), msgget=(68, 186),
    msgsnd=(69, 189), msgrcv=(70, 188), msgctl=(71, 187), fcntl=(72, 25), truncate=(76, 45), rename=(82, None), mkdir=(83, None), rmdir=(84, None),
    creat=(85, None), link=(86, None), unlink=(87, None), symlink=(88, None), chmod=(90, None), fchmod=(91, 52), chown=(92, None), fchown=(93, 55),
    lchown=(94, None), ptrace=(101, 117), syslog=(103, 116), rt_sigqueueinfo=(129, 138), utime=(132, None), mknod=(133, None), uselib=(134, None),
    personality=(135, 92), sysfs=(139, None), setpriority=(141, 140), sched_setparam=(142, 118), sched_setscheduler=(144, 119), vhangup=(153, 58),
    modify_ldt=(154, None), pivot_root=(155, 41), prctl=(157, 167), setrlimit=(160, 164), chroot=(161, 51), acct=(163, 89), settimeofday=(164, 170),
    mount=(165, 40), umount2=(166, 39), swapon=(167, 224), swapoff=(168, 225), reboot=(169, 142), sethostname=(170, 161), setdomainname=(171, 162),
    iopl=(172, None), ioperm=(173, None), init_module=(175, 105), delete_module=(176, 106), quotactl=(179, 60), nfsservctl=(180, 42), setxattr=(188, 5),
    lsetxattr=(189, 6), fsetxattr=(190, 7), removexattr=(197, 14), lremovexattr=(198, 15), fremovexattr=(199, 16), tkill=(200, 130),
    sched_setaffinity=(203, 122), lookup_dcookie=(212, 18), clock_settime=(227, 112), tgkill=(234, 131), utimes=(235, None), mq_open=(240, 180),
    mq_unlink=(241, 181), kexec_load=(246, 104), add_key=(248, 217), request_key=(249, 218), keyctl=(250, 219), ioprio_set=(251, 30),
    migrate_pages=(256, 238), openat=(257, 56), mkdirat=(258, 34), mknodat=(259, 33), fchownat=(260, 54), futimesat=(261, None), unlinkat=(263, 35),
    renameat=(264, 38), linkat=(265, 37), symlinkat=(266, 36), fchmodat=(268, 53), unshare=(272, 97), move_pages=(279, 239), utimensat=(280, 88),
    dup3=(292, 24), rt_tgsigqueueinfo=(297, 240), perf_event_open=(298, 241), fanotify_init=(300, 262), prlimit64=(302, 261),
    name_to_handle_at=(303, 264), open_by_handle_at=(304, 265), clock_adjtime=(305, 266), setns=(308, 268), sendmmsg=(307, 269),
    process_vm_readv=(310, 270), process_vm_writev=(311, 271), kcmp=(312, 272), finit_module=(313, 273), sched_setattr=(314, 274),
    renameat2=(316, 276), seccomp=(317, 277), kexec_file_load=(320, 294), bpf=(321, 280), execveat=(322, 281), userfaultfd=(323, 282),
    pidfd_send_signal=(424, 424), io_uring_setup=(425, 425), io_uring_enter=(426, 426), io_uring_register=(427, 427), open_tree=(428, 428),
    move_mount=(429, 429), fsopen=(430, 430), fsconfig=(431, 431), fsmount=(432, 432), fspick=(433, 433), pidfd_open=(434, 434), clone3=(435, 435),
    openat2=(437, 437), pidfd_getfd=(438, 438), process_madvise=(440, 440), mount_setattr=(442, 442), quotactl_fd=(443, 443),
    memfd_secret=(447, None), process_mrelease=(448, 448), fchmodat2=(452, 452), lsm_set_self_attr=(460, 460), setxattrat=(463, 463), removexattrat=(466, 466),
    open_tree_attr=(467, 467), file_setattr=(469, 469), write=(1, 64), close=(3, 57), mmap=(9, 222), pwrite64=(18, 68), writev=(20, 66), sendfile=(40, 71),
    accept=(43, 202), ftruncate=(77, 46), splice=(275, 76), tee=(276, 77), vmsplice=(278, 75), fallocate=(285, 47), accept4=(288, 242),
    pwritev=(296, 70), copy_file_range=(326, 285), pwritev2=(328, 287), close_range=(436, 436),
)  # fmt: skip


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# No grant gives these: ways out of a sandbox, into other processes, or to the whole machine.
ALWAYS_DENIED = _words(
    "io_uring_setup io_uring_enter io_uring_register ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd process_madvise process_mrelease "
    "mount umount2 pivot_root chroot open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr open_tree_attr unshare setns bpf "
    "perf_event_open userfaultfd keyctl add_key request_key kexec_load kexec_file_load init_module finit_module delete_module swapon swapoff reboot "
    "sethostname setdomainname settimeofday clock_settime clock_adjtime iopl ioperm acct quotactl quotactl_fd open_by_handle_at name_to_handle_at "
    "fanotify_init syslog vhangup lookup_dcookie nfsservctl uselib sysfs modify_ldt move_pages migrate_pages memfd_secret personality "
    "lsm_set_self_attr "
    # Not only what finds them: a number is enough to use or remove one.
    "shmget shmat shmctl semget semop semtimedop semctl msgget msgsnd msgrcv msgctl mq_open mq_unlink"
)
_META = _words(
    "chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes futimesat utimensat setxattr lsetxattr fsetxattr setxattrat "
    "removexattr lremovexattr fremovexattr removexattrat file_setattr"
)
_CHANGES = _words("unlink unlinkat rmdir rename renameat renameat2 mkdir mkdirat mknod mknodat symlink symlinkat link linkat truncate creat")
_SIGNALS = _words("kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal")
_WATCHES = _words("process_vm_readv pidfd_getfd")
# What else could be done with what is taken from another process: only to read it is left, and to write to what is the broker's own.
_SAYS = _words("write sendto sendmsg")
_USES = _words(
    "pwrite64 writev pwritev pwritev2 sendfile splice tee vmsplice copy_file_range ftruncate fallocate sendmmsg connect bind accept accept4 setsockopt "
    "dup2 dup3 close_range"
)
_TUNES = _words("sched_setaffinity sched_setscheduler sched_setparam sched_setattr prlimit64")

# What is told to a listener instead of being done, by what may be asked about.
ASKED = {
    "connect": _words("connect"),
    "files": _words("unlink unlinkat rmdir rename renameat renameat2 mkdir mkdirat"),
    "signals": _words("kill"),
}

_KILL, _ERRNO, _NOTIFY, _ALLOW = 0x80000000, 0x00050000, 0x7FC00000, 0x7FFF0000
_LD, _JA, _JEQ, _JGE, _JSET, _AND, _RET = 0x20, 0x05, 0x15, 0x35, 0x45, 0x54, 0x06
_NR, _ARCH = 0, 4
_SET_MODE_FILTER = 1
_NEW_LISTENER, _WAIT_KILLABLE = 8, 32

_WRONLY, _RDWR, _CREAT, _TRUNC, _TMPFILE = 0o1, 0o2, 0o100, 0o1000, 0o20000000
_ACCMODE = 0o3
_SETID = 0o6000
_NEW_NAMESPACES = 0x7E020080
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_TCP, _UDP = 6, 17
_ICMP, _ICMPV6 = 1, 58
_NETLINK_NETFILTER = 12
_STREAM, _DATAGRAM, _SEQPACKET = 1, 2, 5
_FASTOPEN = 0x20000000
_TCP_FASTOPEN_CONNECT = 30
_TCP_ULP = 31  # makes another protocol of a TCP socket, SMC too, whose connections Landlock does not see
# By type and number, their low 16 bits. TIOCSTI and TIOCLINUX type into the terminal, TIOCCONS takes the console, TIOCSETD changes what
# drives it. FIOSETOWN and SIOCSPGRP say of a socket which process the kernel signals when it is ready, as F_SETOWN does. The others change files or
# folders that are open for reading only, which Landlock does not see: attributes (chattr, also of FAT), inode versions, extents, verity, encryption
# and its keys, pinning, layouts of ceph, integrity of smb, reflinks of ocfs2, and the subvolumes and snapshots of btrfs and bcachefs.
_IOCTLS = (
    0x5412, 0x541C, 0x541D, 0x5423, 0x8901, 0x8902, 0x6602, 0x5820, 0x7211, 0x7602, 0x6604, 0x6609, 0x6685, 0x6613, 0x6617, 0x6618, 0x6619, 0xF50D,
    0x9401, 0x9402, 0x940E, 0x940F, 0x9410, 0x9417, 0x9418, 0x941A, 0x9425, 0x943F, 0xBC10, 0xBC11, 0xBC40, 0x6F04, 0x9701, 0x9705, 0xCF04,
)  # fmt: skip
_SET_FLAGS = 0x6602
_OF_SECCOMP = 0x2100  # by type
_SHARED = 1  # of a mapping
_F_DUPFD, _F_DUPFD_CLOEXEC = 0, 1030
_F_REFUSED = (8, 10, 15, 1024, 1040)  # F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_SETDELEG
_PR_SET_MM, _PR_SET_PTRACER = 35, 0x59616D61
_WHICH_PROCESS_PRIORITY, _WHICH_PROCESS_IO = 0, 1
_CORE = 4

# What a typed step gets where a program would get EPERM: no file's mode can cause it, so a refusal of ours is told from the system's own.
OURS = errno.EKEYREJECTED

# Tests set this to stand on a kernel without seccomp.
available: bool = True

Instruction = tuple[int, int, int, int]


@frozen(slots=False)
class Profile:
    """What a filter lets through. `signal_descriptors`: the (first, end) numbers of the pidfds that may be signalled through."""

    write: bool = False
    write_by_flags: bool = True  # without write: refuse by open's flags. False leaves opening to Landlock
    exec: bool = False
    route: bool = False  # the state of the network, over netlink
    netfilter: bool = False  # the packet filter, over netlink; the kernel asks for CAP_NET_ADMIN besides
    tcp: bool = False
    udp: bool = False
    icmp: bool = False  # echo requests, over the datagram sockets that need no rights; never raw ones
    listen: bool = False
    signal_descriptors: tuple[int, int] = (0, 0)
    signal_scoped: bool = False  # Landlock keeps signals within the domain: the kill family may stay
    known: tuple[int, ...] = ()  # processes and threads whose pidfd may be opened
    tune: tuple[int, ...] = ()  # processes and threads that may be tuned
    truncates_unseen: bool = False  # Landlock before ABI 3 does not see truncation
    flag_descriptors: tuple[int, int] = (0, 0)  # the (first, end) numbers of the files whose flags may be changed
    asks: tuple[str, ...] = ()  # keys of ASKED: told to a listener, which `install` returns
    # Memory and descriptors of other processes may be read: a broker's. These are its own, and all that it may write to.
    watches: tuple[int, ...] = ()
    ends: bool = False  # signals may be sent: what has to end a worker of root's


def _number(name: str) -> int | None:
    return _NUMBERS[name][_COLUMN] if _COLUMN is not None else None


@functools.cache
def number_of(name: str) -> int:
    """Return the number of a system call on this machine. Raises OSError where it has none."""
    number = _number(name)
    if number is None:
        raise OSError(errno.ENOSYS, f"there is no {name} here")
    return number


@functools.cache
def name_of(number: int) -> str:
    """Return the name of a system call, or its number where the table has none."""
    return next((name for name in _NUMBERS if _number(name) == number), str(number))


def _argument(index: int) -> Instruction:
    # The low word, on these little-endian machines. What is compared here is 32 bits wide in the kernel too, but for pointers.
    return (_LD, 0, 0, 16 + 8 * index)


def _high(index: int) -> Instruction:
    return (_LD, 0, 0, 20 + 8 * index)


def _ret(value: int) -> Instruction:
    return (_RET, 0, 0, value)


_RELOAD: Instruction = (_LD, 0, 0, _NR)
_TO_TUNED: Instruction = (_JA, 0, 0, 0xFFFFFFFF)  # its way is filled in by `finish`


class _Program:
    def __init__(self, refusal: int) -> None:
        self.refuse = _ret(_ERRNO | refusal)
        self.code: list[Instruction] = [(_LD, 0, 0, _ARCH), (_JEQ, 1, 0, _AUDIT_ARCH), _ret(_KILL), _RELOAD]
        if _MACHINE == "x86_64":
            self.code += [(_JGE, 0, 1, _X32), _ret(_KILL)]
        self.code += [(_JGE, 0, 1, _UNKNOWN), _ret(_ERRNO | errno.ENOSYS)]

    def on(self, name: str, *body: Instruction) -> None:
        """Run `body` for the system call `name`. It returns, or reloads the number and falls through."""
        number = _number(name)
        if number is None:
            return
        if len(body) <= 255:
            self.code.append((_JEQ, 0, len(body), number))
        else:
            self.code += [(_JEQ, 1, 0, number), (_JA, 0, 0, len(body))]
        self.code += body

    def deny(self, names: Iterable[str], error: int | None = None) -> None:
        for name in names:
            self.on(name, self.refuse if error is None else _ret(_ERRNO | error))

    def only_tuned(self, name: str, index: int, *before: Instruction) -> None:
        """After `before`, allow `name` only where its argument is a process that may be tuned."""
        self.on(name, *before, _argument(index), _TO_TUNED)

    def unless_bits(self, name: str, index: int, bits: int) -> None:
        """Refuse `name` where its argument has one of `bits`."""
        self.on(name, _argument(index), (_JSET, 0, 1, bits), self.refuse, _RELOAD)

    def finish(self, tuned: Iterable[int]) -> bytes:
        """Return the program; what is known and nothing was said about is allowed."""
        self.code.append(_ret(_ALLOW))
        end = len(self.code)
        self.code = [(_JA, 0, 0, end - place - 1) if i == _TO_TUNED else i for place, i in enumerate(self.code)]
        # One list for all calls that tune: a program has at most 4096 instructions, and a browser some hundred threads.
        self.code += [*_either(tuned), self.refuse]
        return b"".join(struct.pack("=HBBI", *i) for i in self.code)


def _either(values: Iterable[int]) -> list[Instruction]:
    """Allow where the register is one of `values`; numbers in a row are one comparison."""
    found: list[Instruction] = []
    row: list[int] = []
    for value in [*sorted(set(values)), None]:
        if row and value != row[1] + 1:
            found += [(_JEQ, 0, 1, row[0])] if row[0] == row[1] else [(_JGE, 0, 2, row[0]), (_JGE, 1, 0, row[1] + 1)]
            found.append(_ret(_ALLOW))
            row = []
        if value is not None:
            row = [row[0], value] if row else [value, value]
    return found


@functools.lru_cache(64)
def build(profile: Profile) -> bytes:
    """Return the filter for `profile` as BPF code. Raises OSError on an architecture that has no table here."""
    if _COLUMN is None:
        raise OSError(errno.ENOSYS, f"no system call table for {_MACHINE}")
    # A program knows EPERM; a typed step gets the number that only this filter gives.
    program = _Program(errno.EPERM if profile.exec else OURS)
    # First: what is asked about is not refused further down. What is handed back to the kernel is held by Landlock alone, so what that does
    # not see stays refused here.
    for name in (n for what in profile.asks for n in ASKED[what]):
        program.on(name, _ret(_NOTIFY))
    if profile.watches:
        _watching(program, profile.watches)
    _files(program, profile)
    _sockets(program, profile)
    _processes(program, profile)
    first, end = profile.flag_descriptors
    # FS_IOC_SETFLAGS, but only on what was handed over.
    handed = [_argument(0), (_JGE, 0, 2, first), (_JGE, 1, 0, end), _ret(_ALLOW), program.refuse]
    flags = [_argument(1), (_AND, 0, 0, 0xFFFF), (_JEQ, 0, len(handed), _SET_FLAGS), *handed]
    refused = [i for c in _IOCTLS for i in ((_JEQ, 0, 1, c), _ret(_ERRNO | errno.EPERM))]
    program.on("ioctl", *(flags if end > first else ()), _argument(1), (_AND, 0, 0, 0xFFFF), *refused, _ret(_ALLOW))
    program.on("prctl", _argument(0), *(i for c in (_PR_SET_MM, _PR_SET_PTRACER) for i in ((_JEQ, 0, 1, c), program.refuse)), _ret(_ALLOW))
    # Programs may confine themselves further, but a listener would let one answer for another.
    program.unless_bits("seccomp", 1, _NEW_LISTENER)
    watching = _WATCHES if profile.watches else ()
    program.deny(name for name in ALWAYS_DENIED if name not in watching)
    return program.finish((0, *profile.tune))


def _watching(program: _Program, own: tuple[int, ...]) -> None:
    for name in _SAYS:
        program.on(name, _argument(0), *_either(own), program.refuse)
    program.deny(_USES)
    # Nothing that was taken may get the number of its own, or be written to as memory.
    program.on("close", _argument(0), *(i for d in own for i in ((_JEQ, 0, 1, d), program.refuse)), _ret(_ALLOW))
    program.unless_bits("mmap", 3, _SHARED)
    program.on("ioctl", _argument(1), (_AND, 0, 0, 0xFF00), (_JEQ, 0, 1, _OF_SECCOMP), _ret(_ALLOW), _ret(_ERRNO | errno.ENOTTY))


def _files(program: _Program, profile: Profile) -> None:
    denied = program.refuse if not profile.exec else _ret(_ERRNO | errno.EACCES)
    if not profile.write:
        for name in (*_CHANGES, *_META):
            program.on(name, denied)
    # Its flags are behind a pointer, where a filter cannot look; programs fall back to openat.
    if profile.exec or not profile.write:
        program.deny(["openat2"], errno.ENOSYS)
    for name, flags in (("openat", 2), ("open", 1)):
        if not profile.write and profile.write_by_flags:
            program.on(name, _argument(flags), (_JSET, 0, 1, _WRONLY | _RDWR | _CREAT | _TRUNC | _TMPFILE), denied, _ret(_ALLOW))
            continue
        body: list[Instruction] = []
        if profile.truncates_unseen:
            # Opening for reading with O_TRUNC truncates all the same.
            body += [_argument(flags), (_JSET, 0, 3, _TRUNC), (_AND, 0, 0, _ACCMODE), (_JEQ, 0, 1, 0), denied]
        if profile.exec:
            body += [_argument(flags), (_JSET, 0, 3, _CREAT | _TMPFILE), _argument(flags + 1), (_JSET, 0, 1, _SETID), program.refuse]
        if "files" in profile.asks:
            body += [_argument(flags), (_JSET, 0, 1, _WRONLY | _RDWR | _CREAT | _TRUNC), _ret(_NOTIFY)]
        if body:
            program.on(name, *body, _ret(_ALLOW))
    if profile.write and profile.truncates_unseen:
        program.on("truncate", denied)
    if profile.exec:
        for name, mode in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("fchmodat2", 2), ("mknod", 1), ("mknodat", 2), ("creat", 1)):
            program.unless_bits(name, mode, _SETID)
        program.deny(["file_setattr"])
    else:
        program.deny(["execve", "execveat"])


def _sockets(program: _Program, profile: Profile) -> None:
    body: list[Instruction] = []
    for wanted, protocol in ((profile.route, 0), (profile.netfilter, _NETLINK_NETFILTER)):
        if wanted:
            body += [_argument(0), (_JEQ, 0, 3, _AF_NETLINK), _argument(2), (_JEQ, 0, 1, protocol), _ret(_ALLOW)]
    for family, protocol in ((_AF_INET, _ICMP), (_AF_INET6, _ICMPV6)) if profile.icmp else ():
        body += [_argument(0), (_JEQ, 0, 6, family), _argument(2), (_JEQ, 0, 4, protocol), _argument(1), (_AND, 0, 0, 0xF)]
        body += [(_JEQ, 0, 1, _DATAGRAM), _ret(_ALLOW)]
    asked = "connect" in profile.asks
    if asked:
        # Where a connection is asked about, there must be a socket to ask for. It can only be connected, and that by the broker.
        body += [_argument(0), (_JEQ, 0, 4, _AF_UNIX), _argument(1), (_AND, 0, 0, 0xF), (_JEQ, 0, 1, _STREAM), _ret(_ALLOW)]
        program.deny(["bind"], errno.EACCES)
    if profile.tcp or profile.udp or profile.listen or asked:
        body += [_argument(0), (_JEQ, 2, 0, _AF_INET), (_JEQ, 1, 0, _AF_INET6), _ret(_ERRNO | errno.EACCES)]
        # Plain TCP and UDP only: Landlock does not see MPTCP, SCTP and SMC.
        body += [_argument(2), (_JEQ, 3, 0, 0), (_JEQ, 2, 0, _TCP), (_JEQ, 1, 0, _UDP), _ret(_ERRNO | errno.EPROTONOSUPPORT)]
        body += [_argument(1), (_AND, 0, 0, 0xF)]
        body += _either(([_STREAM] if profile.tcp or profile.listen or asked else []) + ([_DATAGRAM] if profile.udp else []))
    refusal = _ret(_ERRNO | (errno.EACCES if profile.exec else OURS))
    program.on("socket", *body, refusal)
    # A pair of datagram sockets is not closed to others: each of them may send to any socket that has a path.
    pair = (_argument(1), (_AND, 0, 0, 0xF), *_either([_STREAM, _SEQPACKET]))
    program.on("socketpair", _argument(0), (_JEQ, 0, len(pair), _AF_UNIX), *pair, refusal)
    for name, index in (("sendto", 3), ("sendmsg", 2), ("sendmmsg", 3)):
        program.unless_bits(name, index, _FASTOPEN)
    # An option's number means this of TCP alone.
    of_tcp = [(_JEQ, 1, 0, _TCP_FASTOPEN_CONNECT), (_JEQ, 0, 3, _TCP_ULP), _argument(1), (_JEQ, 0, 1, _TCP), program.refuse]
    program.on("setsockopt", _argument(2), *of_tcp, _ret(_ALLOW))
    if not profile.listen:
        program.on("listen", refusal)


def _processes(program: _Program, profile: Profile) -> None:
    program.on("clone", _argument(0), (_JSET, 0, 1, _NEW_NAMESPACES), program.refuse, _ret(_ALLOW))
    program.deny(["clone3"], errno.ENOSYS)
    first, end = profile.signal_descriptors
    if end > first:
        # Only the pidfds handed over: nothing may take their numbers.
        program.on("pidfd_send_signal", _argument(0), (_JGE, 0, 2, first), (_JGE, 1, 0, end), _ret(_ALLOW), program.refuse)
        for name in ("dup2", "dup3"):
            program.on(name, _argument(1), (_JGE, 0, 1, first), program.refuse, _ret(_ALLOW))
        body = [_argument(1), (_JEQ, 1, 0, _F_DUPFD), (_JEQ, 0, 3, _F_DUPFD_CLOEXEC), _argument(2), (_JGE, 0, 1, first), program.refuse]
    else:
        body = []
    # Nor may the kernel be told to signal others when a descriptor becomes ready, or to keep others waiting who open what can be read here.
    body += [_argument(1), *(i for c in _F_REFUSED for i in ((_JEQ, 0, 1, c), program.refuse)), _ret(_ALLOW)]
    program.on("fcntl", *body)
    if not ((profile.exec and profile.signal_scoped) or profile.ends):
        program.deny(_SIGNALS)
    if not profile.exec and not profile.watches:
        program.on("pidfd_open", _argument(0), *_either(profile.known), program.refuse)
    # Its own limit for cores stays what it is. Programs that set it to 0 want none, and have none: they are told that it is done.
    done = _ret(_ERRNO)
    sets = (_argument(0), (_JEQ, 0, 7, 0), _argument(1), (_JEQ, 0, 5, _CORE), _argument(2), (_JEQ, 0, 2, 0), _high(2), (_JEQ, 1, 0, 0), done)
    program.on("setrlimit", _argument(0), (_JEQ, 0, 1, _CORE), done, _ret(_ALLOW))
    for name in _TUNES:
        program.only_tuned(name, 0, *(sets if name == "prlimit64" else ()))
    for name, which in (("setpriority", _WHICH_PROCESS_PRIORITY), ("ioprio_set", _WHICH_PROCESS_IO)):
        program.only_tuned(name, 1, _argument(0), (_JEQ, 1, 0, which), program.refuse)


class _Fprog(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def install(code: bytes, *, listen: bool = False) -> int:
    """Put `code` before every further system call of this thread and its children. NO_NEW_PRIVS must be set. Raises OSError.

    `listen`: return the descriptor that hears of what it notifies; EINVAL where the kernel is older than 5.19. Otherwise 0.
    """
    number = _number("seccomp")
    if not available or number is None:
        raise OSError(errno.ENOSYS, "seccomp is not available")
    buffer = ctypes.create_string_buffer(code, len(code))
    # SAFETY: the kernel copies the program during the call, while the buffer lives.
    program = _Fprog(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    # A signal that does not end the caller must not break off what the broker is doing for it.
    flags = _NEW_LISTENER | _WAIT_KILLABLE if listen else 0
    return syscall(number, _SET_MODE_FILTER, flags, ctypes.byref(program))
