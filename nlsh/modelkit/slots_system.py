"""Fillers for what is asked of the system: services, packages, hosts, devices, pictures, tables, formats, clocks."""

from __future__ import annotations

import string

from nlsh.modelkit.names import EXTENSIONS, NUMBER_WORDS
from nlsh.modelkit.slots_work import WorkSlots


class SystemSlots(WorkSlots):
    """Random fillers for one sentence, beyond files and processes."""

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
            program = r.choice(
                [f"./{self.word()}.sh", f"python3 {self.word()}.py", self.word(), f"~/bin/{self.word()}", f"node {self.word()}.js", f"bash {self.word()}.sh"]
            )
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
        return (
            r.choice(["", "", "www.", "api.", "mail."])
            + self.word()
            + r.choice([".com", ".org", ".net", ".io", ".de", ".cn", ".local", ".lan", ".example", ""])
        )

    def ip(self) -> str:
        r = self.r
        if r.random() < 0.06:
            return r.choice(["::1", "fe80::1", "2001:db8::" + str(r.randint(1, 99))])
        return ".".join(str(n) for n in (r.choice([10, 127, 172, 192, r.randint(1, 223)]), r.randint(0, 255), r.randint(0, 255), r.randint(1, 254)))

    def url(self) -> str:
        r = self.r
        site = r.choice(["", "www.", "dl.", "files."]) + self.word() + r.choice([".com", ".org", ".net", ".io"])
        path = "/".join(self.word() for _ in range(r.choice([0, 1, 1, 2]))) + "/" + self._stem("file").replace(" ", "-") + "." + r.choice(EXTENSIONS)
        return (
            r.choice(["https://", "https://", "https://", "http://", ""])
            + site
            + "/"
            + path.lstrip("/")
            + (f"?v={r.randint(1, 99)}" if r.random() < 0.1 else "")
        )

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
        text = r.choice([rf"^{word}.*\.txt$", r"^IMG_\d+\.jpg$", rf"{word}[0-9]+", r"^\d{4}-\d{2}", rf".*_{word}\.py$", r"[A-Z]{3}\d*\.csv", rf"({word}|{self.word()})\.log", r"v[0-9]+\.[0-9]+",
            r"(\d+)_(.*)", r"^(\w+)-(\d+)", rf"({word})\s*=", r"\s+$", rf"^{word}\b", rf"\b{word}s?\b", r"[a-f0-9]{8}", rf"{word.upper()}|{self.word().upper()}", r"^#", r"\d{1,3}(\.\d{1,3}){3}", rf"^(?!{word})", r"\(\d\)$", r"[._-]+"])  # fmt: skip
        return f"`{text}`" if r.random() < 0.15 else f'"{text}"' if r.random() < 0.25 else f"/{text}/" if r.random() < 0.1 else text

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
        return self.r.choice(
            ["utf-8", "UTF-8", "utf8", "gbk", "GBK", "gb2312", "latin-1", "utf-16", "UTF-16", "big5", "shift-jis", "ascii", "iso-8859-1", "windows-1252"]
        )

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
        return r.choice(
            [
                f"{low}-{low + r.randint(1, 12)}",
                f"{low} to {low + r.randint(1, 12)}",
                f"{low} and {low + r.randint(1, 9)}",
                str(low),
                f"{low},{low + 2},{low + 5}",
            ]
        )

    def clock(self) -> str:
        r = self.r
        hour, minute = r.randint(0, 23), r.choice([0, 15, 30, 45, r.randint(0, 59)])
        if self.zh and r.random() < 0.65:
            return r.choice(
                [
                    f"晚上{r.randint(6, 11)}点",
                    f"下午{r.randint(1, 5)}点半",
                    f"早上{r.randint(6, 11)}点",
                    f"{hour}点",
                    f"{hour}点{minute}分",
                    "半夜",
                    "晚上十点半",
                    "凌晨两点",
                ]
            )
        return r.choice([f"{hour}:{minute:02d}", f"{hour:02d}:{minute:02d}", f"{r.randint(1, 12)}pm", f"{r.randint(1, 12)} am", f"{r.randint(1, 12)}:{minute:02d} pm", "midnight", "noon", f"half past {r.choice(NUMBER_WORDS[:9])}", f"{r.randint(1, 11)} o'clock"])  # fmt: skip
