"""Fill the slots of a phrasing with what people would write there: folders, files, kinds, sizes, ages, names.

A filler returns the text that goes into the sentence. The plan later points at exactly that text, so a filler never has to know what its
value means; `nlsh.plan.values` does. A fifth of all names is kept for tests, so that a test never rewards remembering a name.
"""

from __future__ import annotations

import random
import string
from functools import cache
from pathlib import Path

from nlsh.plan.kinds import KINDS

EXTENSIONS = [
    "txt",
    "pdf",
    "log",
    "py",
    "md",
    "csv",
    "json",
    "jpg",
    "png",
    "zip",
    "tar.gz",
    "mp3",
    "mp4",
    "docx",
    "xlsx",
    "html",
    "sh",
    "conf",
    "yaml",
    "sql",
    "cpp",
    "rs",
    "go",
    "bak",
    "tmp",
    "iso",
    "svg",
    "ipynb",
    "js",
    "ts",
    "java",
    "c",
    "h",
    "toml",
    "ini",
    "xml",
    "pptx",
    "wav",
    "mkv",
    "gif",
    "heic",
    "epub",
    "srt",
    "db",
]
ARCHIVES = ["zip", "tar.gz", "tgz", "tar.xz", "tar", "tar.bz2", "zip", "tar.gz", "7z", "tar.zst"]
USER_DIRS_EN = ["downloads", "my downloads", "my downloads folder", "the downloads folder", "Downloads", "Downloads folder", "the download folder", "documents", "my documents", "Documents", "the documents folder", "my documents folder", "my docs folder", "the desktop", "my desktop", "Desktop", "the Desktop folder", "my pictures", "Pictures", "the pictures folder", "my pictures folder", "Music", "my music folder", "the music folder", "Videos", "my videos folder", "my home folder", "my home directory", "the home folder", "the temp folder", "the parent folder", "the parent directory"]  # fmt: skip
USER_DIRS_ZH = ["下载", "下载文件夹", "下载目录", "文档", "我的文档", "文档文件夹", "桌面", "图片", "图片文件夹", "我的图片", "音乐文件夹", "视频文件夹", "主目录", "家目录", "上级目录", "Downloads", "Documents", "Desktop", "下载里", "桌面上"]  # fmt: skip
COMMON_PATHS = ["~/Downloads", "~/Documents", "/tmp", "/var/log", "/etc", "~", "~/Desktop", "/home", "/usr/local/bin", "~/Pictures", "~/Music", "/opt", "/srv/www", "/var/www/html", "~/.config", "/usr/share", "/mnt/usb", "/media/usb", "..", "./", "/var/lib", "~/src"]  # fmt: skip
ROOTS = [
    "~/",
    "/",
    "/tmp/",
    "/var/",
    "/home/{w}/",
    "./",
    "../",
    "",
    "",
    "",
    "",
    "~/Documents/",
    "~/Downloads/",
    "/etc/",
    "/opt/",
    "/mnt/",
    "/srv/",
    "/media/{w}/",
    "~/Desktop/",
    "~/work/",
]
NUMBER_WORDS = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "fifteen", "twenty", "thirty", "fifty"]
ZH_NUMBERS = ["两", "三", "四", "五", "六", "七", "八", "九", "十", "十二", "十五", "二十", "三十", "五十", "一百"]


@cache
def _sections(corpus: Path, name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (corpus / "slots" / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("[") and line.endswith("]") and line[1:-1].isalpha():
            current = found.setdefault(line[1:-1], [])
        elif line.strip() and not line.startswith("#"):
            current.append(line)
    return found


@cache
def _words(corpus: Path) -> list[str]:
    words = (corpus / "slots" / "words.txt").read_text().split()
    random.Random(3).shuffle(words)
    return words


class Slots:
    """Random fillers for one sentence. `language` is en or zh; `test` draws from the names kept for tests."""

    def __init__(self, corpus: Path, rng: random.Random, language: str, *, test: bool = False) -> None:
        self.r, self.language, self.zh = rng, language, language == "zh"
        words = _words(corpus)
        cut = int(len(words) * 0.8)
        self.words = words[cut:] if test else words[:cut]
        self._names = {k: self._part(v, test) for k, v in _sections(corpus, "names-en.txt").items()}
        self._names_zh = {k: self._part(v, test) for k, v in _sections(corpus, "names-zh.txt").items()}

    @staticmethod
    def _part(names: list[str], test: bool) -> list[str]:
        return [n for i, n in enumerate(names) if (i % 5 == 2) == test]

    def fill(self, slot: str, before: str, after: str) -> str:
        """Return text for `{slot}`; `before` and `after` are the sentence around it, so that "the {dir} folder" gets a bare name."""
        kind = slot.rstrip("2")
        if kind == "dir":
            return self.dir(before, after)
        return str(getattr(self, kind)())

    # ---- names

    def word(self) -> str:
        r, x = self.r, self.r.random()
        if x < 0.7:
            return r.choice(self.words)
        if x < 0.85:
            return "".join(r.choice(string.ascii_lowercase + "aeiou") for _ in range(r.randint(2, 9)))
        if x < 0.95:
            return "".join(r.choice(string.ascii_lowercase + string.digits) for _ in range(r.randint(3, 8)))
        return "".join(r.choice(string.ascii_letters) for _ in range(r.randint(2, 8)))

    def _stem(self, section: str) -> str:
        r, x = self.r, self.r.random()
        if self.zh and x < 0.45:
            name = r.choice(self._names_zh[section])
            return name + r.choice(["", "", "", str(r.randint(1, 2026)), "_v2", "（1）", "-" + self.word()])
        if x < 0.35:
            return r.choice(self._names[section])
        if x < 0.6:
            return self.word()
        if x < 0.75:
            return self.word() + r.choice("_-") + self.word()
        if x < 0.84:
            return self.word() + r.choice(["", "_", "-"]) + str(r.randint(0, 2030))
        if x < 0.89:
            return f"{r.randint(2015, 2027)}-{r.randint(1, 12):02d}-{r.randint(1, 28):02d}" + r.choice(["", "_" + self.word()])
        if x < 0.94:
            return self.word().capitalize()
        if x < 0.97:
            return self.word().capitalize() + self.word().capitalize()
        return self.word() + " " + self.word()

    def _quoted(self, text: str, share: float = 0.06) -> str:
        """Quote what has a space (most people do), and sometimes what has none."""
        if " " in text and not any(c in text for c in "()[]&'") and self.r.random() < 0.3:
            return text  # "open My Holiday.txt": people write names as they see them
        if any(c in text for c in " ()[]&'") or self.r.random() < share:
            marks = ["“”", "「」", '""', '""'] if self.zh else ['""', '""', "''", "``"]
            left, right = self.r.choice([m for m in marks if m[0] not in text and m[1] not in text] or ["``"])
            return left + text + right
        return text

    def _folder_path(self) -> str:
        r = self.r
        root = r.choice(ROOTS).replace("{w}", self.word())
        parts = "/".join(self._stem("folder") for _ in range(r.choice([1, 1, 1, 2, 2, 3])))
        return root + parts + ("/" if r.random() < 0.12 else "")

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
        if x < 0.55:
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
            return amount + (unit if amount.isdigit() or unit != "个G" else "G")
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
            return amount + unit
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
        if self.zh and r.random() < 0.4:
            text = r.choice(self._names_zh["text"])
        elif r.random() < 0.45:
            text = r.choice(self._names["text"])
        else:
            text = " ".join(self.word() for _ in range(r.choice([1, 1, 1, 2, 3])))
        return self._quoted(text, 0.45)

    # ---- the wider catalogue

    def _named(self, section: str, made_up: float = 0.25) -> str:
        """A known name of a section, or one that nobody has heard of."""
        if self.r.random() < made_up:
            return self.word() + (self.r.choice(["-", "_"]) + self.word() if self.r.random() < 0.35 else "")
        return self.r.choice(self._names[section])

    def group(self) -> str:
        return self._named("group")

    def service(self) -> str:
        return self._named("service")

    def package(self) -> str:
        return self._named("package")

    def container(self) -> str:
        return self._named("container")

    def column(self) -> str:
        if self.zh and self.r.random() < 0.4:
            return self.r.choice(["价格", "姓名", "日期", "金额", "数量", "年龄", "城市", "部门", "成绩", "工资", "状态", "类别"])
        return self._named("column")

    def wifi(self) -> str:
        return self._quoted(self._named("wifi"), 0.15)

    def zone(self) -> str:
        if self.zh and self.r.random() < 0.6:
            return self.r.choice(["东京", "伦敦", "纽约", "柏林", "北京", "上海", "巴黎", "悉尼", "洛杉矶", "新加坡", "莫斯科", "首尔"])
        return self.r.choice(self._names["zone"])

    def variable(self) -> str:
        return self.r.choice(self._names["variable"]) if self.r.random() < 0.7 else "_".join(self.word().upper() for _ in range(self.r.choice([1, 2, 2])))

    def command(self) -> str:
        r = self.r
        if r.random() < 0.6:
            text = r.choice(self._names["command"])
        else:
            program = r.choice([f"./{self.word()}.sh", f"python3 {self.word()}.py", self.word(), f"~/bin/{self.word()}", f"node {self.word()}.js", f"bash {self.word()}.sh"])
            text = program + r.choice(["", "", f" --{self.word()}", f" -{r.choice(string.ascii_letters)} {self.word()}", f" {self.word()}"])
        return f"`{text}`" if r.random() < 0.12 else f'"{text}"' if r.random() < 0.15 and '"' not in text else text

    def device(self) -> str:
        r = self.r
        if self.zh and r.random() < 0.45:
            return r.choice(["U盘", "我的U盘", "移动硬盘", "SD卡", "外接硬盘", "备份盘", "那个U盘", "光盘"])
        if r.random() < 0.3:
            return r.choice(["/dev/", "/dev/", ""]) + r.choice(["sd", "vd"]) + r.choice("abcdefgh") + r.choice(["", "1", "2", "3"])
        return r.choice(self._names["device"])

    def host(self) -> str:
        r, x = self.r, self.r.random()
        if x < 0.5:
            return r.choice(self._names["host"])
        if x < 0.65:
            return self.ip()
        return r.choice(["", "", "www.", "api.", "mail."]) + self.word() + r.choice([".com", ".org", ".net", ".io", ".de", ".cn", ".local", ".lan", ".example", ""])

    def ip(self) -> str:
        r = self.r
        if r.random() < 0.06:
            return r.choice(["::1", "fe80::1", "2001:db8::" + str(r.randint(1, 99))])
        return ".".join(str(n) for n in (r.choice([10, 127, 172, 192, r.randint(1, 223)]), r.randint(0, 255), r.randint(0, 255), r.randint(1, 254)))

    def url(self) -> str:
        r = self.r
        site = r.choice(["", "www.", "dl.", "files."]) + self.word() + r.choice([".com", ".org", ".net", ".io"])
        path = "/".join(self.word() for _ in range(r.choice([0, 1, 1, 2]))) + "/" + self._stem("file").replace(" ", "-") + "." + r.choice(EXTENSIONS)
        return r.choice(["https://", "https://", "https://", "http://", ""]) + site + "/" + path.lstrip("/") + (f"?v={r.randint(1, 99)}" if r.random() < 0.1 else "")

    def hash(self) -> str:
        return self.r.choice(["md5", "sha1", "sha256", "sha512", "MD5", "SHA256", "sha-256", "SHA-1", "blake2b", "sha512"])

    def digest(self) -> str:
        return "".join(self.r.choice("0123456789abcdef") for _ in range(self.r.choice([32, 40, 64, 64, 64])))

    def template(self) -> str:
        if self.zh and self.r.random() < 0.7:
            return self.r.choice(["python脚本", "shell脚本", "网页", "html页面", "readme文件", "c程序", "Makefile", "Dockerfile", "gitignore", "bash脚本"])
        return self.r.choice(["python script", "shell script", "bash script", "html page", "web page", "readme", "README", "Makefile", "gitignore", "dockerfile", "Dockerfile", "c program", "systemd unit", "desktop entry", "python file", "html file", ".gitignore"])  # fmt: skip

    def ext(self) -> str:
        return self.r.choice(["", "", "."]) + self.r.choice([e for e in EXTENSIONS if "." not in e])

    def regex(self) -> str:
        r, word = self.r, self.word()
        text = r.choice([rf"^{word}.*\.txt$", r"^IMG_\d+\.jpg$", rf"{word}[0-9]+", r"^\d{4}-\d{2}", rf".*_{word}\.py$", r"[A-Z]{3}\d*\.csv", rf"({word}|{self.word()})\.log", r"v[0-9]+\.[0-9]+"])  # fmt: skip
        return f"`{text}`" if r.random() < 0.15 else f'"{text}"' if r.random() < 0.25 else f"/{text}/" if r.random() < 0.1 else text

    def _with_ending(self, endings: list[str], many: float = 0.0) -> str:
        r = self.r
        ending = r.choice(endings)
        if r.random() < many:
            return self._quoted("*." + ending, 0.1)
        folder = self._folder_path().rstrip("/") + "/" if r.random() < 0.25 else ""
        return self._quoted(folder + self._stem("file") + "." + ending)

    def table(self) -> str:
        return self._with_ending(["csv", "csv", "csv", "tsv"])

    def data(self) -> str:
        return self._with_ending(["json", "json", "yaml", "yml", "toml", "csv"])

    def image(self) -> str:
        return self._with_ending(["jpg", "jpg", "png", "png", "jpeg", "webp", "gif", "heic", "tiff", "bmp", "JPG"], many=0.2)

    def pdf(self) -> str:
        return self._with_ending(["pdf", "pdf", "pdf", "PDF"])

    def media(self) -> str:
        return self._with_ending(["mp4", "mkv", "mp3", "wav", "mov", "flac", "avi", "webm", "m4a", "ogg"])

    def columns(self) -> str:
        r = self.r
        if self.zh and r.random() < 0.5:
            return r.choice(["1和3", "第2", "1、2、4", "姓名和电话", "第一", "2到4", "3"])
        numbers = sorted(r.sample(range(1, 10), r.choice([1, 2, 2, 3])))
        x = r.random()
        if x < 0.4:
            return r.choice([",", ", ", " and "]).join(map(str, numbers))
        if x < 0.5:
            return f"{numbers[0]}-{numbers[0] + r.randint(1, 4)}"
        return r.choice([",", ", ", " and "]).join(dict.fromkeys(self._named("column", 0.15) for _ in range(r.choice([1, 2, 2]))))

    def key(self) -> str:
        text = self.r.choice(self._names["key"]) if self.r.random() < 0.5 else ".".join(self.word() for _ in range(self.r.choice([1, 2, 2, 3])))
        return self._quoted(text, 0.1)

    def encoding(self) -> str:
        return self.r.choice(["utf-8", "UTF-8", "utf8", "gbk", "GBK", "gb2312", "latin-1", "utf-16", "UTF-16", "big5", "shift-jis", "ascii", "iso-8859-1", "windows-1252"])

    def dataformat(self) -> str:
        return self.r.choice(["json", "yaml", "toml", "csv", "JSON", "YAML", "yml", "TOML", "CSV"])

    def compression(self) -> str:
        return self.r.choice(["gz", "gzip", "xz", "zst", "zstd", "bz2", "bzip2", "zstandard"])

    def pixels(self) -> str:
        amount = self.r.choice([64, 128, 256, 300, 400, 480, 512, 600, 640, 720, 800, 1000, 1024, 1080, 1200, 1280, 1600, 1920, 2048, self.r.randint(50, 4000)])
        return f"{amount}{self.r.choice(['', '', '', 'px', ' px', ' pixels'] if not self.zh else ['', '', 'px', '像素'])}"

    def imageformat(self) -> str:
        return self.r.choice(["png", "jpg", "jpeg", "webp", "gif", "bmp", "tiff", "PNG", "JPG", "JPEG", "WebP", "ico", "pdf"])

    def mediaformat(self) -> str:
        return self.r.choice(["mp3", "mp4", "wav", "flac", "ogg", "webm", "mkv", "m4a", "mov", "MP3", "MP4", "opus", "gif"])

    def filesystem(self) -> str:
        return self.r.choice(["ext4", "fat32", "exfat", "ntfs", "xfs", "btrfs", "vfat", "FAT32", "exFAT", "NTFS"])

    def backend(self) -> str:
        return self.r.choice(["apt", "pip", "npm", "flatpak", "snap", "dnf", "pacman", "zypper", "pip3", "apt-get", "yum"])

    def pages(self) -> str:
        r = self.r
        low = r.randint(1, 40)
        if self.zh and r.random() < 0.4:
            return r.choice([f"{low}到{low + r.randint(1, 9)}", f"{low}和{low + r.randint(1, 9)}", str(low), f"{low}至{low + 3}"])
        return r.choice([f"{low}-{low + r.randint(1, 12)}", f"{low} to {low + r.randint(1, 12)}", f"{low} and {low + r.randint(1, 9)}", str(low), f"{low},{low + 2},{low + 5}"])

    def clock(self) -> str:
        r = self.r
        hour, minute = r.randint(0, 23), r.choice([0, 15, 30, 45, r.randint(0, 59)])
        if self.zh and r.random() < 0.65:
            return r.choice([f"晚上{r.randint(6, 11)}点", f"下午{r.randint(1, 5)}点半", f"早上{r.randint(6, 11)}点", f"{hour}点", f"{hour}点{minute}分", "半夜", "晚上十点半", "凌晨两点"])
        return r.choice([f"{hour}:{minute:02d}", f"{hour:02d}:{minute:02d}", f"{r.randint(1, 12)}pm", f"{r.randint(1, 12)} am", f"{r.randint(1, 12)}:{minute:02d} pm", "midnight", "noon", f"half past {r.choice(NUMBER_WORDS[:9])}", f"{r.randint(1, 11)} o'clock"])  # fmt: skip
