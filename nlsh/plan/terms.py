"""Values with a vocabulary of their own: formats, hosts, addresses, times of day, places in a recording.

`nlsh.plan.values` has the values that every shell has; these belong to a few actions each. As there, a value is parsed from the user's own words,
English or Chinese, and what cannot be meant raises ValueError with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nlsh.plan.amounts import Duration
from nlsh.plan.later import later
from nlsh.plan.numerals import number, tidy
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


_CN = "[\\d零〇一二两三四五六七八九十廿]+"
_CHINESE_CLOCK = later(
    rf"(?P<part>早上|早晨|清晨|早|上午|凌晨|中午|下午|傍晚|晚上|晚|夜里|半夜|深夜)?\s*(?P<before>差(?:{_CN}分|一刻)(?:钟)?(?:到)?)?(?P<hour>{_CN})\s*[点时:]"
    rf"(?:钟|整)?\s*(?P<minute>半|一刻|三刻|差一刻|差{_CN}分|{_CN})?分?(?:钟)?"
)
_PERIOD = r"(?P<half>[ap]:?m:?)?(?:\s*(?P<part>(?:in the |this )?(?:morning|afternoon|evening)|(?:at |in the )?night|tonight))?"
_HOUR = r"(?P<hour>\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_MINUTES = r"(?P<minutes>\d{1,2}|five|ten|twenty(?:[- ]five)?)"
_SAID = r"(?P<said>oh (?:one|two|three|four|five|six|seven|eight|nine)|(?:ten|eleven|twelve|\w+teen|(?:twenty|thirty|forty|fifty)(?:[- ]\w+)?))"
_CLOCKS = tuple(
    later(rf"{p}\s*{_PERIOD}")
    for p in (
        rf"{_HOUR}(?:\s*[:h]\s*(?P<minute>\d\d)(?::\d\d)?)?h?",
        rf"(?P<to>half past|(?:a )?quarter past|(?:a )?quarter after|(?:a )?quarter (?:to|before|of|till))\s+{_HOUR}",
        rf"{_MINUTES}(?:\s+min(?:ute)?s?)?\s+(?P<way>past|after)\s+{_HOUR}",
        rf"(?:{_MINUTES}\s+min(?:ute)?s?|(?P<words>five|ten|twenty(?:[- ]five)?))\s+(?P<way>to|before|till)\s+{_HOUR}",
        rf"{_HOUR}\s+{_SAID}",
        r"(?P<hour>[01]\d|2[0-3])(?P<minute>[0-5]\d)(?:\s*(?:hours|hrs|h))?",
    )
)
_AM = ("早上", "早晨", "清晨", "早", "上午", "凌晨")


class Clock(ValueType):
    """A time of day: 22:30, 10pm, half past ten, 晚上十点半. The value is (hour, minute)."""

    name = "time of day"
    example = "22:30"

    def parse(self, written: Any) -> tuple[int, int]:
        text = re.sub(r"^(at|today at|tonight at|今天)\s*", "", tidy(str(written)).replace("：", ":"))
        text = text.replace("今晚", "晚上").replace("o'clock", "").replace(".", ":").strip()
        text = re.sub(r"^(?:12|twelve)\s+(?=noon$|midnight$|midday$)", "", text)
        if text in ("midnight", "午夜", "半夜", "零点"):
            return 0, 0
        if text in ("noon", "midday", "中午", "正午"):
            return 12, 0
        if not text.isascii() and (found := _CHINESE_CLOCK.fullmatch(text)):
            return self._chinese(written, found.groupdict())
        for pattern in _CLOCKS:
            if found := pattern.fullmatch(text):
                return self._english(written, found.groupdict())
        raise ValueError(f"“{written}” is no time of day")

    def _chinese(self, written: Any, said: dict[str, str | None]) -> tuple[int, int]:
        part, minute = said["part"] or "", said["minute"] or ""
        value = int(number(said["hour"] or ""))
        before = said["before"] or (minute if minute.startswith("差") else "")
        if before and minute and before != minute:
            raise ValueError(f"“{written}” is no time of day")
        if before:
            amount = re.sub(r"^差|[钟到分]+$", "", before)
            value, rest = (value - 1) % 24, 60 - (15 if amount == "一刻" else int(number(amount)))
        else:
            rest = {"半": 30, "一刻": 15, "三刻": 45, "": 0}.get(minute, -1)
            rest = int(number(minute.lstrip("零〇0") or "0")) if rest < 0 else rest
        later_half = part in ("下午", "傍晚") or (part in ("晚", "晚上", "夜里", "深夜", "半夜") and value >= 5)
        if (part == "中午" and not 10 <= value <= 14 and not 1 <= value <= 2) or (part in _AM and value > 12):
            raise ValueError(f"“{written}” is no time of day")
        # At night it is twelve at its end, and one or two are after it.
        if part in ("晚", "晚上", "夜里", "深夜", "半夜", "凌晨") and value == 12:
            value = 0
        elif (later_half and value < 12) or (part == "中午" and value < 10):
            value += 12
        return self._checked(written, value, rest)

    def _english(self, written: Any, said: dict[str, str | None]) -> tuple[int, int]:
        value, half, part = int(number(said["hour"] or "")), said["half"] or "", (said["part"] or "").split()
        rest = int(said.get("minute") or 0)
        if to := said.get("to"):
            rest = 30 if to.startswith("half") else -15 if re.search("to|before|of|till", to) else 15
        elif way := said.get("way"):
            rest = int(number(said.get("minutes") or said.get("words") or "")) * (1 if way in ("past", "after") else -1)
        elif spoken := said.get("said"):
            rest = int(number(spoken.removeprefix("oh ")))
        named = part[-1] if part else ""
        evening = half.startswith("p") or named in ("afternoon", "evening", "tonight") or (named == "night" and value >= 6)
        if (half or named) and value > 12 and not (value >= 12 and evening and not half):
            raise ValueError(f"“{written}” is no time of day")
        if (half and not 1 <= value <= 12) or not -60 < rest < 60 or ((said.get("to") or said.get("way")) and value > 24):
            raise ValueError(f"“{written}” is no time of day")
        if (named == "evening" and value < 4) or (named == "morning" and half.startswith("p")) or (named == "tonight" and value < 5 and not half):
            raise ValueError(f"“{written}” is no time of day")
        if evening and value < 12:
            value += 12
        elif value == 12 and (half.startswith("a") or named in ("morning", "night", "tonight")):
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


_PLACE = later(r"(?:(\d+):([0-5]?\d)|(\d{1,3})):([0-5]\d(?:\.\d+)?)")


_FIRST_PICTURE = later(r"(?:the )?(?:very )?first(?: (?:frame|picture|image|still))?|首帧|第一(?:帧|[张幅个]?(?:画面|图片?|照片))|最?开头的?(?:第?一帧|画面)")


class Moment(ValueType):
    """A place in a recording: 1:30, 0:01:30.5, 90, "1 min 30 s", "2分10秒", its "first frame". The value is in seconds from its beginning."""

    name = "moment"
    example = "1:30"

    def parse(self, written: Any) -> float:
        text = re.sub(r"^(at|the|第)\s*|\s+in$", "", tidy(str(written)).replace("：", ":")).removesuffix("处").strip()
        if text in ("start", "beginning", "very beginning", "开头", "开始") or _FIRST_PICTURE.fullmatch(tidy(str(written))):
            return 0.0
        if found := _PLACE.fullmatch(text):
            return int(found[1] or 0) * 3600.0 + int(found[2] or found[3]) * 60.0 + float(found[4])
        try:
            if re.fullmatch(r"\d+(\.\d+)?", text):
                return float(text)
            if not re.search(r"\b(?:last|past|ago)\b|[前内后最]|过去", text):
                return Duration().parse(text)
        except ValueError:
            pass
        raise ValueError(f"“{written}” is not a place in a recording such as 1:30 or 90 seconds")


_FACTOR_OF = later(
    r"\s*(?:(?:times\s+)?as\s+(?:fast|loud|quick)(?:ly)?|times|(?:times\s+)?(?:the\s+|its\s+)?(?:normal\s+|original\s+)?(?:speed|volume)|的?速度|音量|速)$"
)
_MORE, _LESS = r"more|louder|faster|quicker|higher", r"less|quieter|softer|slower|lower|less\s+loud|less\s+fast|as\s+slow(?:ly)?"
_MORE_CN, _LESS_CN = r"快|响|大声|大|高|加速|提速|提高|增加|加强", r"慢|轻|小声|小|低|减速|降低|减少|减弱"
_TURNED = tuple(
    (later(pattern), way)
    for way, words, adverb, chinese in (("more", _MORE, "up", _MORE_CN), ("less", _LESS, "down", _LESS_CN))
    for pattern in (
        rf"(.+?)\s*(?:times\s+)?\b(?:{words})",
        rf"(?:{words}|{adverb})\s+(?:by\s+)?(?!to\s)(.+)",
        rf"(?:{chinese})了?([^到至成为].*)",
    )
)
_REACHED = ((later(rf"(?:(?:{_MORE}|up)\s+to\s+|(?:{_MORE_CN})[到至])(.+)"), 1), (later(rf"(?:(?:{_LESS}|down)\s+to\s+|(?:{_LESS_CN})[到至])(.+)"), -1))
# What stands right after a factor, and right before it, that makes it one by which something grows or shrinks.
_AFTER_IT = {"more": later(rf"\s*(?:times\s+)?(?:{_MORE})\b"), "less": later(rf"\s*(?:times\s+)?(?:{_LESS})\b")}
_BEFORE_IT = {
    "more": later(
        rf"(?:\b(?:(?:{_MORE})\s+by|up(?:\s+by)?|(?:increase|raise|boost)d?\b[^,;，；]{{0,80}}\sby)\s+|(?<![太很好够不过点])(?:{_MORE_CN})(?:了\s*)?)$"
    ),
    "less": later(
        rf"(?:\b(?:(?:{_LESS})\s+by|down(?:\s+by)?|(?:reduce|decrease|lower|drop|cut)d?\b[^,;，；]{{0,80}}\sby)\s+|(?<![太很好够不过点大快])(?:{_LESS_CN})(?:了\s*)?)$"
    ),
}
# What says somewhere in the sentence which way it goes: by what the factor is of, up or down.
_WAYS = {
    "speed": {
        1: later(r"\bspeed(?:ed)?\s+(?:\S+\s+){0,8}?up\b|\b(?:faster|quicker)\b(?!\s+than)|(?<!太)(?:加速|加快|放快|快放)"),
        -1: later(r"\bslow(?:ed)?\s+(?:\S+\s+){0,8}?down\b|\bslower\b(?!\s+than)|(?<!太)(?:放慢|减速|慢放)"),
    },
    "volume": {
        1: later(r"\bturn(?:ed)?\s+(?:\S+\s+){0,8}?up\b|\blouder\b(?!\s+than\s+(?!now))|(?<!太)(?:调大|放大|加大|调高|大声点)"),
        -1: later(r"\bturn(?:ed)?\s+(?:\S+\s+){0,8}?down\b|\b(?:quieter|softer)\b(?!\s+than\s+(?!now))|(?<!太)(?:调小|调低|小声点)"),
    },
}


class Factor(ValueType):
    """How many times as much: 2x, 150%, 1.5, "twice", "half", "double"; or by how much more or less: "50% louder" is 1.5, "2x slower" 0.5.

    The value is a number from 0.05 to 20. `of` is what it is a factor of, "speed" or "volume".
    """

    name = "factor"
    example = "1.5x"
    _WORDS = {"half": 0.5, "half as": 0.5, "一半": 0.5, "twice": 2.0, "double": 2.0, "两倍": 2.0, "二倍": 2.0, "加倍": 2.0, "triple": 3.0, "quadruple": 4.0}

    def __init__(self, of: str = "") -> None:
        self.of = of

    def parse(self, written: Any) -> float:
        text = tidy(str(written))
        for pattern, way in _REACHED:
            if found := pattern.fullmatch(text):
                value = self._plain(found[1], written)[0]
                if (value - 1) * way < 0:
                    more, less = ("more", "less") if way < 0 else ("less", "more")
                    raise ValueError(f"“{found[1]}” is {more} than it is now, and {less} was asked for; say how many times as much, such as 1.5x or half")
                return self._checked(value, written)
        for turned, direction in _TURNED:
            if found := turned.fullmatch(text):
                return self._checked(self._by(found[1], direction, written), written)
        return self._checked(self._plain(text, written)[0], written)

    def heard(self, written: str, request: str) -> str:
        """Return the factor with what the words around it make of it: of “turn it up by 50%” it is “50% more”, of “slow it down … 2x” “down to 2x”."""
        try:
            value = self._plain(tidy(written), written)[0]
        except ValueError:
            return written
        # As a word of its own: not the 2x of holiday2x.mp4.
        for found in re.finditer(rf"(?<![\w.-]){re.escape(written)}(?![\w-]|\.\w)", request, re.A):
            before, after = request[: found.start()].lower(), request[found.end() :].lower()
            for way in ("more", "less"):
                if behind := _AFTER_IT[way].match(after):
                    return request[found.start() : found.end() + behind.end()]
                if _BEFORE_IT[way].search(before):
                    return f"{written}{' times' if re.fullmatch(r'[0-9.]+', written) else ''} {way}"
        # Nobody who says “slower” means twice as fast, nor half as loud by “louder”: it is refused, and says why.
        said = {way for way, pattern in _WAYS.get(self.of, {}).items() if pattern.search(request.lower())}
        if len(said) == 1 and (value - 1) * (way_said := said.pop()) < 0:
            return f"{'up' if way_said > 0 else 'down'} to {written}"
        return written

    @classmethod
    def _plain(cls, text: str, written: Any) -> tuple[float, bool]:
        """Return the number, and whether it is a part: a percentage or a fraction. Raises ValueError."""
        text = _FACTOR_OF.sub("", text).strip()
        try:
            if text in cls._WORDS:
                return cls._WORDS[text], cls._WORDS[text] < 1
            if match := re.fullmatch(r"(?:百分之(.+)|(.+?)\s*(?:%|percent|per cent))", text):
                return number(match[1] or match[2]) / 100, True
            return (value := number(re.sub(r"^x\s*(?=[\d.])|\s*[x×倍]$", "", text))), value < 1
        except ValueError:
            raise ValueError(f"“{written}” is not a factor from 0.05 to 20, such as 1.5x or 150%") from None

    @classmethod
    def _by(cls, much: str, way: str, written: Any) -> float:
        """Return how many times as much it is where it grows or shrinks by `much`. Raises ValueError."""
        value, part = cls._plain(much.strip(), written)
        if part:
            return 1 + value if way == "more" else 1 - value
        if value == 1 and "倍" in much:
            value = 2.0  # 快一倍: once more of what it is
        return value if way == "more" else 1 / value

    @staticmethod
    def _checked(value: float, written: Any) -> float:
        if not 0.05 <= round(value, 12) <= 20:
            raise ValueError(f"“{written}” is not a factor from 0.05 to 20, such as 1.5x or 150%")
        return round(float(value), 12)


class Zone(Text):
    """A time zone by its name in the tz database, or by its city."""

    name = "time zone"
    example = "Europe/Berlin"


class Device(Text):
    """A device node, or what people call it: /dev/sdb1, sdb1, the name on the stick, "the usb stick"."""

    name = "device"
    example = "/dev/sdb1"


class Pixels(ValueType):
    """A number of pixels, "800" or "800px" or, as of a film, "720p"."""

    name = "pixels"
    example = "800"

    def parse(self, written: Any) -> int:
        # Of “800 x 600” a span may take the sign along.
        value = number(re.sub(r"\s*(?:(px|p|pixels?|像素)( (wide|high|tall|宽|高))?|[x×*])$", "", tidy(str(written))))
        if value != int(value) or not 1 <= value <= 65_535:
            raise ValueError(f"“{written}” is not a number of pixels from 1 to 65535")
        return int(value)
