"""Fill the slots of a phrasing with what people would write there: folders, files, kinds, sizes, ages, names.

A filler returns the text that goes into the sentence. The plan later points at exactly that text, so a filler never has to know what its
value means; `nlsh.plan.values` does. A fifth of all names is kept for tests, so that a test never rewards remembering a name.
"""

from __future__ import annotations

from nlsh.modelkit.names import COMMON_PATHS, EXTENSIONS, NUMBER_WORDS
from nlsh.modelkit.slots_system import SystemSlots
from nlsh.plan.kinds import KINDS

ARCHIVES = ["zip", "tar.gz", "tgz", "tar.xz", "tar", "tar.bz2", "zip", "tar.gz", "7z", "tar.zst"]
USER_DIRS_EN = ["downloads", "my downloads", "my downloads folder", "the downloads folder", "Downloads", "Downloads folder", "the download folder", "documents", "my documents", "Documents", "the documents folder", "my documents folder", "my docs folder", "the desktop", "my desktop", "Desktop", "the Desktop folder", "my pictures", "Pictures", "the pictures folder", "my pictures folder", "Music", "my music folder", "the music folder", "Videos", "my videos folder", "my home folder", "my home directory", "the home folder", "the temp folder", "the parent folder", "the parent directory"]  # fmt: skip
USER_DIRS_ZH = ["下载", "下载文件夹", "下载目录", "文档", "我的文档", "文档文件夹", "桌面", "图片", "图片文件夹", "我的图片", "音乐文件夹", "视频文件夹", "主目录", "家目录", "上级目录", "Downloads", "Documents", "Desktop", "下载里", "桌面上"]  # fmt: skip
ZH_NUMBERS = ["两", "三", "四", "五", "六", "七", "八", "九", "十", "十二", "十五", "二十", "三十", "五十", "一百"]


class Slots(SystemSlots):
    """Random fillers for one sentence. `language` is en or zh; `test` draws from the names kept for tests."""

    def fill(self, slot: str, before: str, after: str) -> str:
        """Return text for `{slot}`; `before` and `after` are the sentence around it, so that "the {dir} folder" gets a bare name."""
        kind = slot.rstrip("23")
        if kind == "dir":
            return self.dir(before, after)
        return str(getattr(self, kind)())

    # ---- files

    def dir(self, before: str = "", after: str = "") -> str:
        r = self.r
        bare = before.rstrip().lower().endswith((" the", " my", "the", "my", "called", "named", "folder", "directory", "叫", "名为", "文件夹", "目录"))
        bare = bare or after.lstrip().lower().startswith(("folder", "director", "dir ", "文件夹", "目录"))
        if bare:
            return self._quoted(self._stem("folder") if r.random() < 0.75 else self._folder_path())
        x = r.random()
        if x < 0.3:
            return r.choice(USER_DIRS_ZH[:-2] if self.zh and r.random() < 0.8 else USER_DIRS_EN)
        if x < 0.45:
            return r.choice(COMMON_PATHS)
        if x < 0.65:
            return self._quoted(self._stem("folder"))
        if x < 0.72 and not self.zh:
            return f"{r.choice(['the', 'my', 'our'])} {self._stem('folder').replace(' ', '_')} {r.choice(['folder', 'folder', 'directory'])}"
        if x < 0.75 and self.zh:
            return self._stem("folder").replace(" ", "") + r.choice(["文件夹", "目录"])
        return self._quoted(self._folder_path())

    def file(self) -> str:
        r = self.r
        name = self._stem("file") + ("." + r.choice(EXTENSIONS) if r.random() < 0.93 else "")
        if r.random() < 0.35:
            name = (r.choice(COMMON_PATHS[:-3]) if r.random() < 0.3 else self._folder_path()).rstrip("/") + "/" + name
        return self._quoted(name)

    def path(self) -> str:
        return self.file() if self.r.random() < 0.55 else self.dir("", "")

    def newname(self) -> str:
        r = self.r
        return self._quoted(self._stem("file") + ("." + r.choice(EXTENSIONS) if r.random() < 0.6 else ""))

    def archive(self) -> str:
        r = self.r
        folder = self._folder_path().rstrip("/") + "/" if r.random() < 0.2 else ""
        return self._quoted(folder + self._stem("file") + "." + r.choice(ARCHIVES))

    def glob(self) -> str:
        r, x = self.r, self.r.random()
        ending = r.choice(EXTENSIONS)
        if x < 0.45:
            return self._quoted("*." + ending, 0.15)
        if x < 0.6:
            return f"{r.choice(['.', '*.'])}{ending} files" if not self.zh else f".{ending}文件"
        if x < 0.8:
            return self._quoted(self.word() + "*" + ("." + ending if r.random() < 0.4 else ""), 0.15)
        if x < 0.9:
            return self._quoted("*" + self.word() + "*", 0.15)
        return self._quoted("*" + r.choice("_-") + self.word() + "." + ending, 0.1)

    def kind(self) -> str:
        r, x = self.r, self.r.random()
        if x < 0.45:
            words = [w for k, (_, ws) in KINDS.items() for w in ws if w.isascii() != self.zh and k not in ("c", "go", "data", "web")]
            word = r.choice(words)
            if not self.zh and " " not in word and not word.endswith("s") and word not in ("music", "audio"):
                word += r.choice([" files", " files", " documents"]) if not word.endswith("code") else ""
            elif self.zh and word[-1] not in "片照图频乐歌文件档包表" and r.random() < 0.7:
                word += "文件"
            return word
        ending = r.choice([e for e in EXTENSIONS if "." not in e])
        if self.zh:
            return r.choice([ending, ending.upper(), f"{ending}文件", f"{ending.upper()}文件", f".{ending}文件", f"{ending}格式的文件"])
        plain = [f"{ending}s", f"{ending.upper()}s", f"{ending} files", f".{ending} files", f".{ending}s", f"{ending.upper()} files", f"{ending}"]
        return r.choice(plain[:-1] if r.random() < 0.95 else plain[-1:])

    # ---- amounts

    def size(self) -> str:
        r = self.r
        big = r.random() < 0.4
        amount = str(
            r.choice([1, 2, 3, 4, 5, 8, 10, 20]) if big else r.choice([1, 2, 5, 10, 20, 50, 100, 150, 200, 250, 300, 500, 512, 700, 900, r.randint(1, 999)])
        )
        if big and r.random() < 0.15:
            amount += f".{r.randint(1, 9)}"
        if self.zh:
            unit = r.choice(["G", "GB", "g", "个G", "gb"]) if big else r.choice(["M", "MB", "兆", "mb", "M", "KB", "k"])
            if r.random() < 0.15:
                return r.choice("一两三五十") + r.choice(["个G", "百兆"] if not big else ["个G", "G"])
            return amount + r.choice(["", "", "", " "]) + (unit if amount.isdigit() or unit != "个G" else "G")
        if r.random() < 0.12:
            return r.choice(
                [
                    "a gig",
                    "one gigabyte",
                    "two gigs",
                    "ten megs",
                    "a hundred megs",
                    "five hundred MB",
                    "half a gig",
                    "a megabyte",
                    "1 gig",
                    "fifty megabytes",
                    "a couple of gigs",
                    "ten gigs",
                ]
            )
        unit = (
            r.choice(["GB", " GB", "G", "gb", " gb", " gigs", " gigabytes", "GiB", "g"])
            if big
            else r.choice(["MB", " MB", "mb", "M", " megs", " megabytes", "m", " mb", "MiB", "kb", "KB", "k", " KB", " kilobytes"])
        )
        return amount + unit

    def age(self) -> str:
        r = self.r
        if self.zh:
            unit = r.choice(["天", "天", "周", "个月", "小时", "年", "个小时", "分钟", "个星期", "星期"])
            amount = r.choice(["一", "两", "三", "五", "十", "半", str(r.randint(1, 90))])
            if amount == "半":
                return r.choice(["半年", "半个月", "半天"])
            return amount + (r.choice(["", "", " "]) if amount.isdigit() else "") + unit
        if r.random() < 0.25:
            return r.choice(
                [
                    "a week",
                    "a month",
                    "a day",
                    "an hour",
                    "a year",
                    "half an hour",
                    "half a year",
                    "a couple of days",
                    "a couple of weeks",
                    "a few days",
                    "24 hours",
                    "48 hours",
                    "a fortnight",
                    "one week",
                    "one day",
                    "one month",
                    "week",
                    "month",
                    "day",
                    "hour",
                    "year",
                ]
            )
        unit = r.choice(["days", "days", "weeks", "months", "hours", "minutes", "years", "d", "h", "w", " d"])
        if unit in ("d", "h", "w"):
            return f"{r.randint(1, 90)}{unit}"
        if unit == " d":
            return f"{r.randint(2, 90)} {r.choice(['d', 'hrs', 'mins', 'wks'])}"
        amount = r.choice(NUMBER_WORDS[:10]) if r.random() < 0.4 else str(r.choice([2, 3, 5, 6, 7, 10, 12, 14, 24, 30, 36, 48, 60, 90, r.randint(2, 365)]))
        return f"{amount} {unit}"

    def n(self) -> str:
        r = self.r
        if r.random() < 0.35:
            return r.choice(ZH_NUMBERS if self.zh else NUMBER_WORDS)
        return str(r.choice([3, 5, 10, 15, 20, 25, 50, 100, r.randint(2, 500)]))

    def cores(self) -> str:
        r = self.r
        words = ["一", "两", "三", "四"] if self.zh else ["one", "two", "three", "four", "a single", "six", "eight"]
        return r.choice(words) if r.random() < 0.5 else str(r.choice([1, 2, 3, 4, 6, 8, 16]))

    def pct(self) -> str:
        r = self.r
        amount = r.choice([5, 10, 15, 20, 25, 30, 40, 50, 60, 70, 75, 80, 90, r.randint(1, 99)])
        if self.zh:
            return r.choice([f"{amount}%", f"{amount}%", "一半", f"百分之{amount}", "四分之一"])
        return r.choice([f"{amount}%", f"{amount}%", f"{amount} percent", f"{amount} %", "half", "a quarter", "a third"])

    def nice(self) -> str:
        return str(self.r.randint(-20, 19))

    def port(self) -> str:
        return str(self.r.choice([80, 443, 22, 8080, 3000, 5432, 8000, 5000, 3306, 6379, 9000, self.r.randint(1, 65535)]))

    def pid(self) -> str:
        return str(self.r.randint(2, 70000))

    def proc(self) -> str:
        r = self.r
        if self.zh and r.random() < 0.25:
            return r.choice(self._names_zh["process"])
        return (
            r.choice(self._names["process"])
            if r.random() < 0.55
            else self._quoted(self.word() + (r.choice(["", "-", "_", "."]) + self.word() if r.random() < 0.4 else ""))
        )

    def user(self) -> str:
        return self.r.choice(self._names["user"]) if self.r.random() < 0.6 else self.word()

    def mode(self) -> str:
        r = self.r
        if r.random() < 0.55:
            return r.choice(
                ["755", "644", "600", "700", "777", "400", "0755", "0644", "750", "664", "640", "444", f"{r.randint(0, 7)}{r.randint(0, 7)}{r.randint(0, 7)}"]
            )
        if self.zh and r.random() < 0.6:
            return r.choice(["只读", "可执行", "可写", "可读"])
        return r.choice(
            [
                "u+x",
                "+x",
                "a+r",
                "go-w",
                "g+w",
                "o-rwx",
                "u+rw",
                "a-w",
                "+w",
                "read-only",
                "executable",
                "writable",
                "private",
                "rwxr-xr-x",
                "rw-r--r--",
                "ug+x",
                "-x",
            ]
        )

    def text(self) -> str:
        r = self.r
        if self.zh and r.random() < 0.6:
            text = r.choice(self._names_zh["text"])
        elif r.random() < 0.65:
            text = r.choice(self._names["text"])
        else:
            text = " ".join(self.word() for _ in range(r.choice([1, 1, 1, 2, 3])))
        return self._quoted(text, 0.4)
