"""Values with a vocabulary of their own: formats, hosts, addresses, times of day, columns, pages.

`nlsh.plan.values` has the values that every shell has; these belong to a few actions each. As there, a value is parsed from the user's own words,
English or Chinese, and what cannot be meant raises ValueError with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nlsh.plan.amounts import Duration, number
from nlsh.plan.values import Name, Text, ValueType

HASHES = {"md5": (), "sha1": ("sha-1",), "sha256": ("sha-256", "sha 256"), "sha512": ("sha-512", "sha 512"), "blake2b": ("blake2", "b2")}
COMPRESSIONS = {"gz": ("gzip", "gunzip"), "bz2": ("bzip2",), "xz": ("lzma",), "zst": ("zstd", "zstandard")}
ENCODINGS = {
    "utf-8": ("utf8", "unicode", "utf-8 without bom"),
    "utf-8-sig": ("utf-8 with bom", "utf8 bom", "utf-8-bom"),
    "utf-16": ("utf16",),
    "gb18030": ("gbk", "gb2312", "国标", "gb 18030"),
    "big5": ("big-5", "大五码"),
    "shift_jis": ("shift-jis", "sjis", "shift jis"),
    "euc_kr": ("euc-kr",),
    "latin-1": ("latin1", "iso-8859-1", "iso8859-1"),
    "cp1252": ("windows-1252", "ansi", "windows 1252"),
    "ascii": ("us-ascii",),
}
DATA_FORMATS = {"json": (), "yaml": ("yml",), "toml": (), "csv": ()}
IMAGE_FORMATS = {"jpg": ("jpeg",), "png": (), "webp": (), "gif": (), "bmp": ("bitmap", "位图"), "tiff": ("tif",), "ico": ("icon", "图标"), "pdf": ()}
MEDIA_FORMATS = {
    "mp3": (), "wav": (), "flac": (), "ogg": ("vorbis",), "m4a": ("aac",), "opus": (),
    "mp4": (), "mkv": ("matroska",), "webm": (), "mov": (), "avi": (), "gif": (),
}  # fmt: skip
DOCUMENT_FORMATS = {
    "pdf": (), "docx": ("word",), "odt": ("opendocument", "open document"), "rtf": ("rich text",), "txt": ("text", "plain text", "文本", "纯文本"),
}  # fmt: skip
# The languages of text in pictures, as tesseract calls them.
OCR_LANGUAGES = {
    "eng": ("english", "英文", "英语"), "chi_sim": ("chinese", "simplified chinese", "中文", "简体中文", "汉语"), "chi_tra": ("繁体中文",),
    "deu": ("german", "德语", "德文"), "fra": ("french", "法语", "法文"), "spa": ("spanish", "西班牙语"), "ita": ("italian", "意大利语"),
    "por": ("portuguese", "葡萄牙语"), "rus": ("russian", "俄语", "俄文"), "jpn": ("japanese", "日语", "日文"), "kor": ("korean", "韩语", "韩文"),
    "nld": ("dutch", "荷兰语"), "pol": ("polish", "波兰语"), "tur": ("turkish", "土耳其语"), "ukr": ("ukrainian", "乌克兰语"), "ces": ("czech", "捷克语"),
    "swe": ("swedish", "瑞典语"), "vie": ("vietnamese", "越南语"), "ara": ("arabic", "阿拉伯语"), "hin": ("hindi", "印地语"), "heb": ("hebrew", "希伯来语"),
}  # fmt: skip
FILE_SYSTEMS = {"ext4": ("linux",), "vfat": ("fat32", "fat"), "exfat": (), "ntfs": ("windows",), "xfs": (), "btrfs": ()}
PACKAGE_BACKENDS = {
    "apt": ("apt-get", "dpkg"), "dnf": ("yum", "rpm"), "pacman": (), "zypper": (),
    "apk": (), "flatpak": (), "snap": (), "pip": ("pip3", "pypi"), "npm": (),
}  # fmt: skip
TEMPLATES = {
    "python": ("py", "python script", "python file", "python脚本"),
    "shell": ("bash", "sh", "shell script", "bash script", "shell脚本", "bash脚本", "脚本"),
    "html": ("web page", "webpage", "html page", "html file", "网页", "html页面"),
    "readme": ("readme file", "markdown", "readme文件", "自述文件"),
    "gitignore": (".gitignore", "git ignore", "gitignore file"),
    "makefile": ("make file",),
    "c": ("c program", "c file", "c source", "c程序", "c文件"),
    "dockerfile": ("docker file",),
    "service": ("systemd unit", "systemd service", "unit file", "systemd服务", "服务单元"),
    "desktop": ("desktop entry", "launcher", "desktop file", "桌面启动器"),
}


class Among(ValueType):
    """One of a few terms, each with the other names people have for it."""

    name = "term"

    def __init__(self, terms: Mapping[str, tuple[str, ...]]) -> None:
        self.terms = terms
        self.example = next(iter(terms))
        self._meaning = {_plain(w): term for term, words in terms.items() for w in (term, *words)}

    def parse(self, written: Any) -> str:
        plain = _plain(str(written))
        for text in (plain, re.sub(r"(\s*(format|files?|images?|pictures?|encoding|格式|编码|文件|图片|模板))+$", "", plain), plain.rstrip("s")):
            if text in self._meaning:
                return self._meaning[text]
        raise ValueError(f"it must be one of {', '.join(self.terms)}, not “{written}”")


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.strip().lower()).removeprefix("a ").removeprefix("an ").removeprefix("the ").removeprefix("*.").lstrip(".") or text


class Names(ValueType):
    """One or more bare names: of packages, of things in the trash."""

    name = "names"
    example = "htop"

    def parse(self, written: Any) -> tuple[str, ...]:
        items = written if isinstance(written, (tuple, list)) else (written,)
        return tuple(Name().parse(i) for i in items)


class Host(Text):
    """A host: a name such as example.org, or an IP address."""

    name = "host"
    example = "example.org"

    def parse(self, written: Any) -> str:
        text = re.sub(r"^[a-z][a-z0-9+.-]*://", "", super().parse(written).strip(), flags=re.I)
        text = text.split("/")[0].rsplit("@", 1)[-1]
        text = text[1:].split("]")[0] if text.startswith("[") else text.split(":")[0] if text.count(":") == 1 else text
        try:
            plain = text if text.isascii() else text.encode("idna").decode()
        except UnicodeError as error:
            raise ValueError(f"“{written}” is no host name") from error
        if len(plain) > 253 or not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?|[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?", plain):
            raise ValueError(f"“{written}” is no host name or address")
        return plain.rstrip(".").lower() or plain


class Url(Text):
    """A web address; https where no scheme is written."""

    name = "url"
    example = "https://example.org/file.zip"

    def parse(self, written: Any) -> str:
        text = super().parse(written).strip().strip("<>")
        if "://" not in text:
            text = "https://" + text
        scheme, _, rest = text.partition("://")
        if scheme.lower() not in ("http", "https", "ftp") or not rest or re.search(r"[\s\x00-\x1f\x7f]", rest):
            raise ValueError(f"“{written}” is no http, https or ftp address")
        place = re.split(r"[/?#]", rest)[0]
        if re.search(r":(?!\d*$)", re.sub(r"^.*@|\[.*\]", "", place)):
            raise ValueError(f"“{written}” is no http, https or ftp address")
        Host().parse(place)
        return f"{scheme.lower()}://{rest}"


_CHINESE_CLOCK = re.compile(
    r"(早上|上午|凌晨|中午|下午|傍晚|晚上|晚|夜里)?\s*([\d零一二两三四五六七八九十]+)\s*[点时:：]\s*(半|一刻|三刻|[\d零一二三四五六七八九十]*)分?"
)
_CLOCK = re.compile(r"(half past|quarter past|quarter to)?\s*([a-z0-9]+?)(?::(\d\d))?\s*([ap]:?m:?)?(?:\s*(?:in the )?(morning|afternoon|evening|night))?")


class Clock(ValueType):
    """A time of day: 22:30, 10pm, half past ten, 晚上十点半. The value is (hour, minute)."""

    name = "time of day"
    example = "22:30"

    def parse(self, written: Any) -> tuple[int, int]:
        text = re.sub(r"^(at|today at|tonight at|今天)\s*", "", str(written).strip().lower())
        text = text.replace("今晚", "晚上").replace("o'clock", "").replace(".", ":").strip()
        if text in ("midnight", "午夜", "半夜"):
            return 0, 0
        if text in ("noon", "midday", "中午", "正午"):
            return 12, 0
        if found := _CHINESE_CLOCK.fullmatch(text):
            part, hour, minute = found.groups()
            minutes = {"半": 30, "一刻": 15, "三刻": 45, "": 0}
            value, rest = int(number(hour)), minutes[minute] if minute in minutes else int(number(minute.lstrip("零0") or "0"))
            if (part in ("下午", "傍晚", "晚上", "晚", "夜里") and value < 12) or (part == "中午" and value < 11):
                value += 12
            return self._checked(written, value, rest)
        found = _CLOCK.fullmatch(text)
        if not found:
            raise ValueError(f"“{written}” is no time of day")
        before, hour, minute, half, part = found.groups()
        value, rest = int(number(hour)), int(minute or {"half past": 30, "quarter past": 15, "quarter to": -15}.get(before or "", 0))
        later = (half or "").startswith("p") or part in ("afternoon", "evening", "night")
        if half and not 1 <= value <= 12:
            raise ValueError(f"“{written}” is no time of day")
        if later and value < 12:
            value += 12
        elif value == 12 and ((half or "").startswith("a") or part in ("morning", "night")):
            value = 0
        if rest < 0:
            value, rest = (value - 1) % 24, 60 + rest
        return self._checked(written, value, rest)

    @staticmethod
    def _checked(written: Any, hour: int, minute: int) -> tuple[int, int]:
        if hour == 24 and minute == 0:
            hour = 0
        if not (0 <= hour < 24 and 0 <= minute < 60):
            raise ValueError(f"“{written}” is no time of day")
        return hour, minute


_PLACE = re.compile(r"(?:(\d+):)?(\d{1,3}):(\d{2}(?:\.\d+)?)")
_PART = re.compile(r"([a-z\d.零一二两三四五六七八九十半]+?)\s*(hours?|hrs?|h|小时|minutes?|mins?|m|分钟?|seconds?|secs?|s|秒钟?)\s*(?:and|,)?\s*")
_PART_S = {"h": 3600.0, "小": 3600.0, "m": 60.0, "分": 60.0, "s": 1.0, "秒": 1.0}


class Moment(ValueType):
    """A place in a recording: 1:30, 0:01:30.5, 90, "1 min 30 s", "2分10秒". The value is in seconds from its beginning."""

    name = "moment"
    example = "1:30"

    def parse(self, written: Any) -> float:
        text = re.sub(r"^(at|the|第)\s*", "", str(written).strip().lower()).replace("：", ":").removesuffix("处").strip()
        if text in ("start", "beginning", "开头", "开始"):
            return 0.0
        if found := _PLACE.fullmatch(text):
            return int(found[1] or 0) * 3600.0 + int(found[2]) * 60.0 + float(found[3])
        try:
            if re.fullmatch(r"\d+(\.\d+)?", text):
                return float(text)
            parts = [m for m in _PART.finditer(text)]
            if parts and "".join(m[0] for m in parts) == text:
                return sum(number(m[1]) * _PART_S[m[2][0]] for m in parts)
            return Duration().parse(text)
        except ValueError:
            pass
        raise ValueError(f"“{written}” is not a place in a recording such as 1:30 or 90 seconds")


class Factor(ValueType):
    """How many times as much: 2x, 150%, 1.5, "twice", "half", "double". The value is a number above 0."""

    name = "factor"
    example = "1.5x"
    _WORDS = {"half": 0.5, "half as": 0.5, "一半": 0.5, "twice": 2.0, "double": 2.0, "两倍": 2.0, "二倍": 2.0, "加倍": 2.0, "triple": 3.0, "a quarter": 0.25}

    def parse(self, written: Any) -> float:
        text = re.sub(r"\s*(times|as (fast|loud)|speed|volume|的?速度|音量|速)$", "", str(written).strip().lower()).strip()
        try:
            value = self._WORDS[text] if text in self._WORDS else number(text[:-1]) / 100 if text.endswith("%") else number(re.sub(r"\s*[x×倍]$", "", text))
        except ValueError:
            value = 0.0
        if not 0.05 <= value <= 20:
            raise ValueError(f"“{written}” is not a factor from 0.05 to 20, such as 1.5x or 150%")
        return float(value)


class Zone(Text):
    """A time zone by its name in the tz database, or by its city."""

    name = "time zone"
    example = "Europe/Berlin"


class Device(Text):
    """A device node, or what people call it: /dev/sdb1, sdb1, the name on the stick, "the usb stick"."""

    name = "device"
    example = "/dev/sdb1"


class Columns(ValueType):
    """Columns of a table by number, counted from 1, or by name: 2, 1-3, name, "1 and 3"."""

    name = "columns"
    example = "1,3"

    def parse(self, written: Any) -> tuple[int | str, ...]:
        items = written if isinstance(written, (tuple, list)) else re.split(r"\s*(?:,|，|、|;|\band\b|和|与|&)\s*", str(written).strip())
        found: list[int | str] = []
        for item in items:
            text = re.sub(r"^(the|columns?|fields?|第)\s*|\s*(columns?|fields?|列|栏|个)$", "", str(item).strip(), flags=re.I).strip()
            if not text:
                continue
            if span := re.fullmatch(r"(\d+)\s*(?:-|to|到|至)\s*(\d+)", text):
                low, high = int(span[1]), int(span[2])
                if not 1 <= low <= high <= 10_000:
                    raise ValueError(f"“{item}” is no range of columns")
                found += range(low, high + 1)
                continue
            found.append(_ordinal(text))
        if not found or any(isinstance(c, int) and c < 1 for c in found):
            raise ValueError(f"“{written}” names no column; they are counted from 1")
        return tuple(found)


_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10,
}  # fmt: skip


def _ordinal(text: str) -> int | str:
    lower = text.lower()
    if lower in _ORDINALS:
        return _ORDINALS[lower]
    try:
        value = number(re.sub(r"(?<=\d)(st|nd|rd|th)$", "", lower))
    except ValueError:
        return text
    return int(value) if value == int(value) else text


class Pages(ValueType):
    """Pages of a document, counted from 1: 3, 2-5, "1 and 4". The value is a tuple of numbers."""

    name = "pages"
    example = "2-5"

    def parse(self, written: Any) -> tuple[int, ...]:
        text = re.sub(r"\b(pages?|pp?\.|the)\b|页|第", " ", str(written).strip().lower())
        found = []
        for item in Columns().parse(re.sub(r"\s+(through|thru|until)\s+", " to ", text).strip()):
            if not isinstance(item, int):
                raise ValueError(f"“{written}” is no list of pages")
            found.append(item)
        return tuple(found)


class Pixels(ValueType):
    """A number of pixels, "800" or "800px" or, as of a film, "720p"."""

    name = "pixels"
    example = "800"

    def parse(self, written: Any) -> int:
        value = number(re.sub(r"\s*(px|p|pixels?|像素)( (wide|high|tall|宽|高))?$", "", str(written).strip().lower()))
        if value != int(value) or not 1 <= value <= 65_535:
            raise ValueError(f"“{written}” is not a number of pixels from 1 to 65535")
        return int(value)
