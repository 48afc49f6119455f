"""Kinds of file in anybody's words, and the endings they mean: "pdfs", "photos", ".log files", "图片"."""

from __future__ import annotations

import re

from nlsh.plan.later import later

# kind: (extensions, words people use). A word may carry "files", "file", "documents", "文件" around it.
KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "image": (("jpg", "jpeg", "png", "gif", "bmp", "webp", "tiff", "tif", "heic", "svg", "raw", "cr2", "nef", "arw", "avif"), ("images", "pictures", "photos", "pics", "photographs", "screenshots", "图片", "照片", "图像", "相片", "截图", "图")),
    "video": (("mp4", "mkv", "avi", "mov", "webm", "wmv", "flv", "m4v", "mpg", "mpeg"), ("videos", "movies", "films", "clips", "recordings", "视频", "电影", "影片", "录像", "短片")),
    "audio": (("mp3", "flac", "wav", "ogg", "m4a", "aac", "opus", "wma", "aiff"), ("audio", "music", "songs", "tracks", "sound", "sounds", "audios", "tunes", "音乐", "音频", "歌曲", "歌", "录音")),
    "document": (("pdf", "doc", "docx", "odt", "rtf", "txt", "md", "pages", "tex", "epub"), ("documents", "docs", "papers", "文档", "文件资料")),
    "word": (("doc", "docx", "odt"), ("word documents", "word docs", "word", "word files", "word文档", "word文件")),
    "spreadsheet": (("xls", "xlsx", "ods", "csv", "tsv"), ("spreadsheets", "sheets", "workbooks", "表格", "电子表格")),
    "excel": (("xls", "xlsx", "xlsm"), ("excel", "excel files", "excel sheets", "excel表格", "excel文件")),
    "presentation": (("ppt", "pptx", "odp", "key"), ("presentations", "slides", "slide decks", "decks", "powerpoints", "powerpoint", "幻灯片", "演示文稿")),
    "archive": (("zip", "tar", "gz", "tgz", "bz2", "xz", "zst", "7z", "rar", "txz", "tbz2"), ("archives", "compressed files", "zips and tars", "tarballs", "压缩包", "压缩文件", "归档")),
    "code": (("py", "js", "ts", "jsx", "tsx", "c", "h", "cpp", "hpp", "cc", "rs", "go", "java", "rb", "php", "sh", "cs", "swift", "kt", "scala", "lua", "pl", "r", "sql", "html", "css"), ("code", "source", "sources", "source code", "代码", "源代码", "源码", "程序文件")),
    "python": (("py", "pyi", "pyw"), ("python", "python scripts", "python scripts", "python sources", "python code", "python脚本", "python代码", "python源码")),
    "notebook": (("ipynb",), ("notebooks", "jupyter notebooks", "jupyter", "笔记本")),
    "javascript": (("js", "mjs", "cjs", "jsx"), ("javascript", "js sources")),
    "typescript": (("ts", "tsx"), ("typescript",)),
    "shell": (("sh", "bash", "zsh"), ("shell scripts", "scripts", "bash scripts", "shell", "bash", "脚本", "shell脚本")),
    "c": (("c", "h"), ("c", "c sources", "c code")),
    "c++": (("cpp", "cc", "cxx", "hpp", "hh"), ("c++", "cpp", "c++ sources")),
    "rust": (("rs",), ("rust", "rust sources")),
    "go": (("go",), ("go", "golang")),
    "java": (("java",), ("java", "java sources")),
    "web": (("html", "htm"), ("web pages", "html pages", "webpages", "网页")),
    "text": (("txt",), ("text", "texts", "plain text", "text documents", "文本", "纯文本")),
    "markdown": (("md", "markdown"), ("markdown", "markdown notes", "notes")),
    "log": (("log",), ("logs", "log", "日志")),
    "config": (("conf", "cfg", "ini", "toml", "yaml", "yml", "config"), ("configs", "config", "configuration", "settings", "配置", "配置文件")),
    "data": (("csv", "tsv", "json", "parquet", "xml", "jsonl"), ("data", "datasets", "数据")),
    "backup": (("bak", "old", "orig", "backup"), ("backups", "backup", "备份")),
    "temporary": (("tmp", "temp", "swp", "part", "crdownload"), ("temporary", "temp", "tmp", "temps", "临时")),
    "ebook": (("epub", "mobi", "azw3", "djvu"), ("ebooks", "e-books", "books", "电子书")),
    "disk image": (("iso", "img", "dmg", "vdi", "qcow2"), ("disk images", "iso images", "isos", "镜像", "光盘镜像")),
    "installer": (("deb", "rpm", "appimage", "exe", "msi", "dmg", "pkg", "run"), ("installers", "packages", "setup", "安装包")),
    "font": (("ttf", "otf", "woff", "woff2"), ("fonts", "字体")),
    "subtitle": (("srt", "vtt", "ass", "sub"), ("subtitles", "字幕")),
    "database": (("db", "sqlite", "sqlite3"), ("databases", "sqlite", "数据库")),
}  # fmt: skip
# Endings that belong to no kind above and that people say bare: "find fastq under /data".
OTHER_ENDINGS = frozenset((
    "psd", "ai", "blend", "stl", "obj", "gcode", "dwg", "dxf", "fastq", "bam", "vcf", "fasta", "bin", "dat", "pcap", "npy", "h5", "pkl", "rds", "vue", "scss", "lock", "env", "service", "apk", "jar", "class", "o", "so", "pyc", "whl", "patch", "diff", "eml", "ics", "mbox", "torrent", "crt", "pem", "gpg", "eps", "webp", "mid", "sav", "pak", "ova", "numbers", "cbz", "kdbx", "prv", "xcf", "kra", "fig", "sketch", "indd", "drawio", "gpx", "kml", "geojson", "shp", "las", "wasm", "dng", "bib",
))  # fmt: skip
_KIND_WORDS: dict[str, str] = {}
for _kind, (_extensions, _words) in KINDS.items():
    for _word in (_kind, *_words):
        _KIND_WORDS.setdefault(_word, _kind)
_EXTENSION = re.compile(r"\*?\.?([a-z0-9+_]{1,12}(?:\.(?:gz|xz|bz2|zst))?)")


_WHOSE = later(r"^(?:(?:the|my|our|all|any|every|these|those|of)\s+|(?:所有的?|全部的?|我的|这些|那些)\s*)+")
_ENDING_IN = later(
    r"(?:(?:anything|everything|names?|files?|things?)\s+)?(?:(?:that|which|whose names?)\s+)?end(?:s|ing)?\s+(?:in|with|on)\s+(\S+)|以?\s*(\.\w[\w.]*)\s*结尾的?(?:文件)?"
)
_LISTED = later(r"\s*(?:,\s*(?:and|or)\b|,|、|，|\band\b|\bor\b|&|和|或者?|与|及|还有)\s*")


# “多少张图片”: a span may take the measure word along.
_MEASURE = re.compile(r"^(?:[张張个個份部首段条條篇幅种種些])(?=.)")


def kind_extensions(written: str) -> tuple[str, ...]:
    """Return the lower-case extensions, without dots, that a file kind in anybody's words means.

    >>> kind_extensions("pdfs"), kind_extensions(".tar.gz files"), kind_extensions("python脚本")
    (('pdf',), ('tar.gz',), ('py', 'pyi', 'pyw'))
    """
    text = re.sub(r"\s+", " ", written.strip().lower().strip("\"'`"))
    text = _WHOSE.sub("", text) if " " in text or not text.isascii() else text
    if ("end" in text or "结尾" in text) and (match := _ENDING_IN.fullmatch(text)):
        text = next(g for g in match.groups() if g)
        text = text if text.startswith((".", "*.")) else f".{text}"
    try:
        return _one_kind(text)
    except ValueError:
        if (counted := _MEASURE.sub("", text)) != text:
            return kind_extensions(counted)
        parts = [p for p in _LISTED.split(text)]
        noun = " files" if re.search(r"[a-z] files?$", text) else "文件" if text.endswith("文件") else ""
        if len(parts) < 2 or not all(parts):
            raise ValueError(f"“{written}” is not a kind of file known here; say an extension such as .pdf") from None
        found = [_one_kind(p if p.endswith(noun) else p + noun) for p in parts]
        return tuple(dict.fromkeys(extension for one in found for extension in one))


def _one_kind(text: str) -> tuple[str, ...]:
    for candidate in _kind_candidates(text):
        if candidate in _KIND_WORDS:
            return KINDS[_KIND_WORDS[candidate]][0]
    for candidate in _kind_candidates(text):
        match = _EXTENSION.fullmatch(candidate)
        if match and re.search(r"[a-z]", match[1]):
            known = OTHER_ENDINGS.union(*(extensions for extensions, _ in KINDS.values()))
            # "jpegs", "txts": a plural of an extension; an unknown word is taken as an extension only with a dot or "files".
            if match[1] in known or (candidate.startswith((".", "*."))):
                return {"jpg": ("jpg", "jpeg"), "jpeg": ("jpg", "jpeg"), "tif": ("tif", "tiff")}.get(match[1], (match[1],))
            if candidate != text and match[1].isascii() and len(match[1]) <= 5:
                return (match[1],)
    raise ValueError(f"“{text}” is not a kind of file known here; say an extension such as .pdf")


def _kind_candidates(text: str) -> list[str]:
    found = [text]
    trimmed = re.sub(
        r"\s*(?:(?<![a-z])(?:files?|documents?|docs?|scripts?|pages?|images?|photos?|pictures?|pics|videos?|clips?|songs?|tracks?|recordings?)"
        r"|格式的?(?:文件|图片|照片|视频)?|的?文件|类?文档|图片|照片|视频|截图|压缩包|压缩文件)$",
        "",
        text,
    ).strip()
    for form in (trimmed, text, trimmed):
        if form and form not in found:
            found.append(form)
    for form in list(found):
        for end in ("'s", "’s", "s", "es"):
            if form.endswith(end) and len(form) > len(end) + 1:
                found.append(form[: -len(end)])
    return found
