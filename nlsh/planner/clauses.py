"""The part of a sentence that says when: "every hour", "at 6pm", "when make finishes", "每小时", "当磁盘超过90%时", "in the background".

It is found by rules, not by the model, and split off before the planner reads the rest: the planner says what is to be done, this says when. A sentence
that only speaks of a time ("files changed at 6pm", "昨天下午六点的日志") has no such part. Where a rule is not sure, nothing is split off.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from nlsh.plan.errors import NlshError
from nlsh.plan.frozen import frozen
from nlsh.plan.later import later

if TYPE_CHECKING:
    from nlsh.plan.schedule import Schedule


@frozen()
class Clause:
    """When something is to be done, and the rest of the sentence, which says what. `notice`: all that is to be done is to tell its user that."""

    schedule: Schedule
    rest: str
    notice: str = ""


_Found = tuple[str, dict[str, str], str]  # kind, arguments, condition
_Make = Callable[["re.Match[str]"], "_Found | None"]

_NUMBER = (
    r"(?:\d+(?:\.\d+)?|an?|one|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|thirty|forty five|sixty|ninety|half an?|(?:a )?couple of|"
    r"other|few)(?:\s+and\s+a\s+half)?"
)
_UNIT = r"(?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|fortnights?|months?)(?:\s+and\s+a\s+half)?"
_DAY, _PART = r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?", r"(?:morning|afternoon|evening|night)"
_CLOCK = (
    r"(?:(?:\d{1,2}(?:[:.]\d\d)?|(?:half past|(?:a )?quarter (?:past|to)|(?:five|ten|twenty(?:[- ]five)?) (?:past|to)) \w+)"
    r"\s*(?:[ap]\.?m\b\.?)?(?:\s+o'clock)?(?:\s+(?:in the (?:morning|afternoon|evening)|at night))?|noon|midnight)"
)
_MONTH = r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
_DATE = rf"(?:the\s+\d\d?(?:st|nd|rd|th)(?:\s+of\s+(?:next\s+month|{_MONTH}))?|{_MONTH}\s+(?:the\s+)?\d\d?(?:st|nd|rd|th)?|\d\d?(?:st|nd|rd|th)?\s+{_MONTH})"
_SHARE = r"(?P<share>\d{1,3})\s*(?:%|percent|per cent)"
_LEFT = _SHARE.replace("share", "left")
_WORD = r"[\w.+-]+"
_UNDER = r"(?P<under>\"[^\"]+\"|'[^']+'|the \w+ folder|my \w+(?: folder)?|[~/.\w][^\s,，;；]*)"
_END = (
    r"(?:finishes|ends|exits|completes|stops|terminates|quits|closes|"
    r"(?:is|has|has been)\s+(?:done|finished|completed|over|ended|closed|exited|stopped|gone))"
)
_WHEN = r"(?:when(?:ever)?|once|as soon as|after|if|each time|every time|the moment)"
_DAYS = rf"(?:{_DAY}(?:(?:\s*,\s*|\s+and\s+){_DAY})*|weekdays?|workdays?|weekends?)"


def _every(match: re.Match[str]) -> _Found | None:
    given = {k: v.strip(" ,") for k, v in match.groupdict().items() if v}
    interval = given.get("interval") or given.get("days") or given["adverb"]
    interval = {"hourly": "hour", "daily": "day", "nightly": "night", "weekly": "week", "monthly": "month"}.get(interval, interval)
    interval = re.sub(r"^other ", "2 ", re.sub(r"^(?:a )?few ", "3 ", re.sub(r"^(?:a )?couple of ", "2 ", interval)))
    at = given.get("at") or given.get("at_first")
    if at and re.fullmatch(rf"(?:{_NUMBER}\s+)?(?:seconds?|secs?|minutes?|mins?|hours?|hrs?)", interval):
        return None
    return "every", {"interval": interval, **({"at": at.replace(".", "")} if at else {})}, ""


def _at(match: re.Match[str]) -> _Found:
    return "at", {"time": re.sub(r"\s+", " ", match["time"]).strip(" ,")}, ""


def _of_process(condition: str) -> _Make:
    def make(match: re.Match[str]) -> _Found | None:
        if pid := match.groupdict().get("pid"):
            return "when", {"pid": pid}, condition
        name = match["name"]
        return None if name.lower() in _NOT_A_NAME else ("when", {"name": name}, condition)

    return make


_NOT_A_NAME = {"it", "that", "this", "he", "she", "everything", "all", "which", "what", "is", "the", "you", "i", "they", "disk", "memory", "battery"}


def _share(condition: str) -> _Make:
    def make(match: re.Match[str]) -> _Found:
        given = match.groupdict()
        share = int(given.get("share") or 100 - int(given["left"]))
        path = given.get("path")
        return "when", {"share": f"{share}%", **({"path": _bare(path)} if path else {})}, condition

    return make


def _file_appears(match: re.Match[str]) -> _Found | None:
    noun = (match.groupdict().get("noun") or "").strip().lower()
    args = {"under": _bare(match["under"])}
    if noun in ("", "file", "files", "something", "anything", "文件", "东西", "内容"):
        return "when", args, "file.appears"
    if found := re.fullmatch(r"\.?([a-z0-9]{2,5}?)s?(?: ?files?| ?文件)?", noun):
        return "when", {**args, "name": f"*.{found[1]}"}, "file.appears"
    return None


def _file_changes(match: re.Match[str]) -> _Found:
    return "when", {"path": _bare(match["path"])}, "file.changes"


def _online(match: re.Match[str]) -> _Found:
    return "when", {}, "network.online"


def _background(match: re.Match[str]) -> _Found:
    return "background", {}, ""


def _bare(text: str) -> str:
    return text.strip().strip("\"'“”「」")


_TIME = "|".join(
    (
        rf"(?:(?:the\s+)?day\s+after\s+tomorrow|today|tomorrow|tonight)(?:\s+{_PART})?(?:,?\s+(?:at\s+)?{_CLOCK})?",
        rf"at\s+{_CLOCK}(?:\s+(?:today|tomorrow|tonight|(?:the\s+)?day\s+after\s+tomorrow|on\s+(?:(?:next\s+)?{_DAY}|{_DATE})))?",
        rf"{_DAY}\s+at\s+{_CLOCK}",
        rf"on\s+{_DATE}(?:,?\s+(?:at\s+)?{_CLOCK})?",
        rf"(?:on\s+|next\s+|this\s+)(?:next\s+)?{_DAY}(?:\s+(?:at\s+)?{_CLOCK})?",
        rf"in\s+(?:(?:a\s+|three\s+)?quarters?\s+of\s+an\s+hour|{_NUMBER}\s+{_UNIT})",
        rf"{_NUMBER}\s+{_UNIT}\s+(?:from\s+now|later)",
        rf"(?:on\s+)?\d{{4}}-\d\d?-\d\d?(?:\s+(?:at\s+)?{_CLOCK})?",
    )
)
_INTERVAL = rf"(?:(?:three\s+)?quarters?\s+of\s+an\s+hour|(?:{_NUMBER}\s+)?{_UNIT}|{_PART}|{_DAYS})"
_AT = rf"(?:,?\s+at\s+(?P<at>{_CLOCK}))?"

# Each stands at the beginning or at the end of a sentence. The last word of each says, in plain parts of words, when it is worth compiling: most
# sentences say nothing of when, and an expression costs more than they do.
_ENGLISH: tuple[tuple[str, _Make, str], ...] = (
    (rf"(?:at\s+(?P<at_first>{_CLOCK})\s*,?\s+)(?:every|each)\s+(?P<interval>{_INTERVAL})", _every, "every|each"),
    (rf"(?:every|each)\s+(?P<interval>{_INTERVAL}){_AT}", _every, "every|each"),
    (rf"(?:once|one time)\s+(?:an?|every|per)\s+(?P<interval>hour|day|week|month){_AT}", _every, "once|one time"),
    (rf"(?P<adverb>hourly|daily|nightly|weekly|monthly){_AT}", _every, "ly"),
    (rf"on\s+(?P<days>(?:{_DAY[:-1]}|weekdays|workdays|weekends)(?:\s+and\s+{_DAY})*){_AT}", _every, "on "),
    (rf"(?P<time>{_TIME})", _at, "today|tomorrow|tonight|at |on |day|in |later|now|-"),
    (rf"{_WHEN}\s+(?:the\s+)?(?:process|pid)\s+(?P<pid>\d+)\s+{_END}", _of_process("process.exits"), "process|pid"),
    (rf"{_WHEN}\s+(?:the\s+|my\s+)?(?P<name>{_WORD})(?:\s+(?:process|job|command|run|program))?\s+{_END}", _of_process("process.exits"), ""),
    (rf"{_WHEN}\s+(?:the\s+|my\s+)?(?P<name>{_WORD})\s+(?:starts|launches|opens|is\s+(?:started|launched|opened|running))", _of_process("process.starts"), ""),
    (rf"{_WHEN}\s+(?:(?:the|my)\s+)?(?:disk|drive|(?:disk|storage)\s+(?:usage|space))(?:\s+(?:on|of|at)\s+(?P<path>[~/]\S*))?\s+"
     rf"(?:is|gets|goes|reaches|exceeds|passes|rises)\s*(?:over|above|past|beyond|to|more\s+than|at\s+least)?\s*{_SHARE}(?:\s+full)?",
     _share("disk.over"), "disk|drive|storage"),
    (rf"{_WHEN}\s+(?P<path>/\S*|~/\S*)\s+(?:is|gets|goes)\s+(?:over|above|more\s+than)?\s*{_SHARE}(?:\s+full)?", _share("disk.over"), "/"),
    (rf"{_WHEN}\s+(?:there(?:'s|\s+is)\s+)?(?:less|fewer)\s+than\s+{_LEFT}\s+(?:of\s+)?(?:the\s+)?(?:disk|storage)(?:\s+space)?\s+"
     r"(?:is\s+)?(?:left|free)", _share("disk.over"), "less|fewer"),
    (rf"{_WHEN}\s+(?:the\s+|my\s+)?(?:memory|ram)(?:\s+(?:usage|use))?\s+(?:is|gets|goes|reaches|exceeds|passes|rises)\s*(?:over|above|past|to|more\s+than)?\s*"
     rf"{_SHARE}(?:\s+full|\s+used)?", _share("memory.over"), "memory|ram"),
    (rf"{_WHEN}\s+(?:the\s+|my\s+)?battery(?:\s+(?:level|charge))?\s+(?:is|gets|goes|drops|falls|runs)\s*(?:down\s+)?(?:below|under|to|less\s+than)?\s*"
     rf"{_SHARE}", _share("battery.under"), "battery"),
    (rf"{_WHEN}\s+(?:an?\s+|any\s+|some\s+)?(?:new\s+)?(?P<noun>something|anything|files?|\.?[a-z0-9]{{2,5}}(?:\s+files?)?)\s+"
     r"(?:appears?|shows?\s+up|arrives?|lands?|comes?\s+in|(?:is|are|gets?)\s+(?:added|saved|created|put|dropped|downloaded))\s+"
     rf"(?:in(?:to|side)?|to|under|at)\s+{_UNDER}", _file_appears, "appear|show|arrive|land|come|added|saved|created|put|dropped|downloaded"),
    (rf"{_WHEN}\s+there(?:'s|\s+is|\s+are)\s+(?:an?\s+|any\s+)?new\s+(?P<noun>files?|\.?[a-z0-9]{{2,5}}(?:\s+files?)?)\s+(?:in|under)\s+{_UNDER}",
     _file_appears, "new"),
    (rf"{_WHEN}\s+(?:the\s+file\s+)?(?P<path>[~/]\S*|{_WORD}\.\w{{1,5}})\s+"
     r"(?:changes|is\s+(?:changed|modified|edited|updated|saved)|gets\s+(?:changed|modified|updated))", _file_changes, "chang|modified|edited|updated|saved"),
    (rf"{_WHEN}\s+(?:i'm|i\s+am|we're|we\s+are|the\s+(?:network|internet|wifi|connection)(?:\s+is)?|(?:network|internet|wifi)(?:\s+is)?)\s+(?:back\s+)?"
     r"(?:online|connected|up|back|available|there)(?:\s+again)?", _online, "online|connect|up|back|available|there"),
    (r"in\s+the\s+background|as\s+a\s+background\s+(?:job|task)", _background, "background"),
)  # fmt: skip

_CN_NUMBER = r"[\d零一二两三四五六七八九十半几]+"
_CN_CLOCK = (
    r"(?:(?:早上|上午|凌晨|中午|下午|傍晚|晚上|晚|夜里)?\s*"
    r"(?:[\d零一二两三四五六七八九十]+\s*[点时:：]\s*(?:半|一刻|三刻|[\d零一二三四五六七八九十]*)分?(?:钟)?)|中午|午夜|半夜)"
)
_CN_DAY = r"(?:周|星期|礼拜)[一二三四五六日天]"
_CN_DATE = r"(?:(?:下个?月|[\d一二三四五六七八九十]{1,2}月)?[\d一二三四五六七八九十]{1,3}[号日])"
_CN_PLACE = r"(?P<under>[~/.\w][^\s，,里中下有出]*|\"[^\"]+\")\s*(?:文件夹|目录)?"
_CN_IF = r"(?:(?:当|等到?|一旦|如果|每当|只要|在)\s*)"
_CN_THEN = r"(?:时候?|的时候|以后|之后|后|就)"
_CN_OVER = r"(?:超过|大于|达到|高于|到)(?:了)?\s*"
_CN_USED = r"(?:占用|使用率?|用量)?"
_CN_END = r"(?:结束|完成|跑完|运行完|执行完|做完|退出|停止|关闭|编译完)(?:了)?"

_CHINESE: tuple[tuple[str, _Make, str], ...] = (
    (rf"每(?:隔)?(?P<interval>(?:{_CN_NUMBER})?\s*个?半?(?:小时|钟头|分钟|刻钟|秒钟?|星期|礼拜))(?!的|[一二三四五六日天])", _every, "小时|钟|秒|星期|礼拜"),
    (rf"每隔?(?P<interval>{_CN_NUMBER}\s*(?:天|周|个月))(?!的)", _every, "每"),
    (rf"每个?(?P<interval>工作日|周末|天(?:早上|晚上)(?![\d零一二两三四五六七八九十])|天|日|{_CN_DAY}(?:[、和](?:周|星期|礼拜)?[一二三四五六日天])*|周|月\d{{1,2}}[号日]|月|晚)"
     rf"(?P<at>{_CN_CLOCK})?(?!的|夜)", _every, "每"),
    (rf"(?P<time>(?:今天|今晚|明天|明晚|大?后天|下?{_CN_DAY}|{_CN_DATE})\s*{_CN_CLOCK}|下个?月[\d一二三四五六七八九十]{{1,3}}[号日]|今晚|明天(?:早上|晚上|下午)?|{_CN_CLOCK})"
     r"(?:的时候|时|整)?(?!的|之?前|以前|到|之?后|以后|至)", _at, "点|时|:|：|今晚|明天|午|半夜|下个月|下月"),
    (rf"(?:过)?(?P<time>{_CN_NUMBER}\s*个?半?(?:小时|钟头|分钟|天|周|星期|秒钟?)(?:之后|以后|后))(?!的)", _at, "后"),
    (rf"{_CN_IF}?(?:磁盘|硬盘|空间){_CN_USED}{_CN_OVER}{_SHARE}{_CN_THEN}?", _share("disk.over"), "磁盘|硬盘|空间"),
    (rf"{_CN_IF}?内存{_CN_USED}{_CN_OVER}{_SHARE}{_CN_THEN}?", _share("memory.over"), "内存"),
    (rf"{_CN_IF}?(?:电池)?(?:电量|电池)(?:低于|少于|小于|不足|降到)(?:了)?\s*{_SHARE}{_CN_THEN}?", _share("battery.under"), "电"),
    (rf"{_CN_IF}?{_CN_PLACE}(?:里面|里|中|下)?\s*(?:有|出现|来了|多了|收到)(?:了)?\s*新?的?(?P<noun>\w{{0,5}}?)\s*文件(?:出现)?{_CN_THEN}",
     _file_appears, "文件"),
    (rf"{_CN_IF}(?P<path>[~/]\S*?|{_WORD}\.\w{{1,5}})\s*(?:这个文件)?(?:变化|改变|被修改|被改|更新|有变化|改动)(?:了)?{_CN_THEN}", _file_changes, "变|改|更新"),
    (rf"{_CN_IF}?进程\s*(?P<pid>\d+)\s*{_CN_END}{_CN_THEN}?", _of_process("process.exits"), "进程"),
    (rf"{_CN_IF}?(?P<name>[A-Za-z][\w.+-]*)\s*(?:进程|命令|程序)?\s*{_CN_END}{_CN_THEN}", _of_process("process.exits"), "结束|完|退出|停止|关闭"),
    (rf"{_CN_IF}(?P<name>[A-Za-z][\w.+-]*)\s*(?:进程|程序)?\s*(?:启动|打开|运行起来|开始运行)(?:了)?{_CN_THEN}",
     _of_process("process.starts"), "启动|打开|运行"),
    (rf"{_CN_IF}?(?:联网|网络恢复|恢复联网|网络连上|有网|连上网)(?:了)?{_CN_THEN}", _online, "网"),
    (r"(?:放?在|到)?后台(?:运行|执行)?(?!的|进程|程序|任务|服务)", _background, "后台"),
)  # fmt: skip

# One of these stands in what `budget_words` knows.
_BESIDES = ("most", "more than", "up to", "max", "limited", "held to", "only", "priority", "retry", "again", "最多", "至多", "超过", "优先级", "重试")
_CONJUNCTION = later(r"\b(?:when|whenever|once|as soon as|after|if|each time|every time|the moment)\b")
_MAY_BE_A_TIME = later(
    rf"\b(?:(?:today|tomorrow|tonight|later|now|\w+days?)\b|at\s+(?:[\dnmhq]|(?:a\s+quarter|five|ten|twenty)\b)|"
    rf"on\s+(?:(?:the\s+)?\d|{_MONTH}\b)|in\s+(?:\d|an?\s|half|[a-z]+(?:\s[a-z]+)?\s(?:sec|min|hour|day|week|fortnight|month)))|\d{{4}}-\d"
)
_ASKS = later(r"^(?:what|which|who|whose|how|why|where|is|are|was|were|did|does|do)\b|^(?:什么|哪|谁|为什么|怎么|多少)", re.I)
_LOOKS = later(r"^(?:show|list|find|search|count|display|print|look|see|get|read|give me)\b|^(?:显示|列出|查看|看看?|找|查找|搜索|统计)", re.I)
_SPEAKS_OF_TIME = later(
    r"\b(?:that|which|who|whose|from|since|before|until|between|changed|modified|created|made|accessed|used|written|edited|added|opened|downloaded|happened|"
    r"taken|shot|dated|recorded|saved|received|sent|due|committed|installed|"
    r"logged|started|ran|of|for|than|by|the|a|an|and|or|named|called|saying|says?|about)\s*$|\b(?:that|which|who|were|was)\b|^(?:split|cut|chop)\b", re.I
)  # fmt: skip
_SPEAKS_OF_TIME_CHINESE = later(r"(?:昨天|前天|上周|上个月|去年|从|自从|名为|叫做?)\s*$")
_FILLERS = later(r"^(?:[\s,，。;；:：、]|\b(?:please|then|and|do|go)\b(?=\s)|请|就|再|然后|帮我|都)+", re.I)
_TELL = later(r"(?:please\s+)?(?:tell|notify|alert|warn|remind|ping|message)\s+me|let\s+me\s+know|(?:请)?(?:告诉|通知|提醒|叫)(?:我)?(?:一声|一下)?", re.I)

# What somebody is reminded of, and a time that stands before it: "remind me at 6pm to call mum", "提醒我下午三点开会".
_ASKED = r"(?:please\s+)?(?:(?:can|could|would)\s+you\s+(?:please\s+)?)?(?:remind|tell|notify|alert|ping)\s+me"
_TIME_WITHIN = later(
    rf"^(?P<ask>{_ASKED})\s+(?P<when>(?:at|in|on|every|each|tomorrow|tonight|today|next|when|once|after|as\s+soon\s+as)\b.+?)\s+"
    r"(?P<what>(?:to|that|about)\s+.+)$", re.I
)  # fmt: skip
_TIME_WITHIN_CHINESE = later(
    rf"^(?P<ask>(?:请)?提醒我)(?P<when>(?:今天|今晚|明天|明晚|大?后天|下?{_CN_DAY}|{_CN_DATE})?{_CN_CLOCK}|{_CN_NUMBER}个?(?:小时|分钟|天)后)(?P<what>.+)$"
)
_REMINDED = later(rf"{_ASKED}\s+(?:to|that|about|of)\s+(?P<what>.+)|(?:请)?提醒我(?:一下)?(?P<of>.+)", re.I)


def split(text: str) -> Clause | None:
    """Return when and what, where a sentence says both; None where all of it says what."""
    sentence = " ".join(text.split()).rstrip(".。!！ ")
    if any(word in sentence.lower() for word in _BESIDES):
        from nlsh.planner import budget_words

        bare, more = budget_words.split(sentence)
        if more:
            # Without a time, it is about what is to be done: “kill what uses up to 2 cores”.
            found = split(bare)
            return found and _with(found, more)
    if " me " in sentence.lower() and (within := _TIME_WITHIN.match(sentence)):
        sentence = f"{within['when']} {within['ask']} {within['what']}"
    elif "提醒我" in sentence and (within := _TIME_WITHIN_CHINESE.match(sentence)):
        sentence = f"{within['when']}{within['ask']}{within['what']}"
    for kind, args, condition, rest in _candidates(sentence):
        from nlsh.plan.schedule import describe, schedule_of

        try:
            schedule = schedule_of(kind, args, condition)
        except NlshError:
            continue
        if told := _TELL.fullmatch(rest):
            said = describe(schedule).removeprefix("once, ").removeprefix("each time ").removeprefix("when ")
            return Clause(schedule, f"notify me: {said}" if told[0].isascii() else f"弹个通知：{said}", said)
        if reminded := _REMINDED.fullmatch(rest):
            # What somebody is to be reminded of is no request, however much it sounds like one.
            said = reminded["what"] or reminded["of"]
            return Clause(schedule, f"notify me: {said}" if reminded["what"] else f"弹个通知：{said}", said)
        return Clause(schedule, rest)
    return None


def _with(found: Clause, more: dict[str, str]) -> Clause | None:
    """Return a clause whose schedule has what else was said; None where that is none."""
    from nlsh.plan.schedule import schedule_of

    try:
        return replace(found, schedule=schedule_of(found.schedule.kind, {**found.schedule.args, **more}, found.schedule.condition))
    except NlshError:
        return None


def _candidates(sentence: str) -> Iterator[tuple[str, dict[str, str], str, str]]:
    chinese = any("一" <= c <= "鿿" for c in sentence)
    lowered = sentence.lower()
    for pattern, make, parts in _ENGLISH:
        if not any(part in lowered for part in parts.split("|")) or (pattern.startswith(_WHEN) and not _CONJUNCTION.search(lowered)):
            continue
        if make is _at and not _MAY_BE_A_TIME.search(lowered):
            continue
        for whole in (rf"^(?:{pattern})(?=[\s,，:：]|$)", rf"(?:^|[\s,，])(?:{pattern})$"):
            match = re.search(whole, sentence, re.I)
            if match is None:
                continue
            before, after = sentence[: match.start()], sentence[match.end() :]
            rest = _tidy(before or after)
            if not rest or (before and _is_about(before, kind_at=make in (_at, _every), once=make is _at)):
                continue
            if found := make(match):
                yield (*found, rest)
    if not chinese:
        return
    for pattern, make, parts in _CHINESE:
        if not any(part in sentence for part in parts.split("|")):
            continue
        for match in re.finditer(pattern, sentence):
            before, after = sentence[: match.start()], sentence[match.end() :]
            after = re.sub(r"一次$|一遍$|一下$", "", after)
            if _SPEAKS_OF_TIME_CHINESE.search(before) or after.startswith("的") or (make is _at and _ASKS.search(_tidy(before + after))):
                continue
            if make is _at and before and not re.search(r"[，,\s]$|^(?:请|帮我|把.+)$", before):
                continue
            rest = _tidy(before + after) if before.strip() else _tidy(after)
            if rest and (found := make(match)):
                yield (*found, rest)


def _is_about(before: str, *, kind_at: bool, once: bool) -> bool:
    """Whether what stands before a time at the end of a sentence makes that time a part of what it is about."""
    if not kind_at:
        if _TELL.fullmatch(before.strip(" ,，")):
            return False
        return bool(re.search(r"\b(?:that|which|who|show|say|know|see|run|runs|running|is|are)\s*$", before, re.I))
    if _SPEAKS_OF_TIME.search(before):
        return True
    return bool(_ASKS.search(before) or (once and _LOOKS.search(before)))


def _tidy(text: str) -> str:
    return _FILLERS.sub("", text.strip(" ,，。;；:：、")).strip(" ,，。;；:：、")


_JOB = r"(?:(?:background\s+|scheduled\s+)?(?:job|task)\s+(?:number\s+|no\.?\s*|#)?|(?:后台)?(?:任务|作业)\s*)(\d+)"
_ABOUT_JOBS = (
    ("list", r"(?:show|list|what\s+are)\s+(?:me\s+)?(?:all\s+)?(?:the\s+|my\s+)?(?:background\s+|scheduled\s+)?(?:jobs|scheduled\s+tasks)"),
    ("list", r"(?:显示|列出|查看)(?:所有|我的)*(?:后台|定时)(?:任务|作业)"),
    ("cancel", rf"(?:cancel|stop|delete|remove|end)\s+(?:the\s+)?{_JOB}"),
    ("cancel", rf"(?:取消|停止|删除|结束){_JOB}"),
    ("pause", rf"(?:pause|suspend|hold)\s+(?:the\s+)?{_JOB}"),
    ("pause", rf"暂停{_JOB}"),
    ("resume", rf"(?:resume|continue|unpause)\s+(?:the\s+)?{_JOB}"),
    ("resume", rf"(?:恢复|继续){_JOB}"),
    ("list", r"(?:what|which)\s+(?:background\s+|scheduled\s+)?(?:jobs|tasks)\s+(?:have\s+|did\s+)?(?:fail(?:ed)?|are\s+(?:running|waiting|there|due))"),
    ("list", r"(?:show|list)\s+(?:me\s+)?(?:the\s+|my\s+)?(?:failed|running|paused|waiting)\s+jobs"),
    ("list", r"(?:哪些|什么)(?:后台|定时)?(?:任务|作业)(?:失败|出错|在运行|在等待)了?"),
    ("retry", rf"(?:retry|rerun|redo|try)\s+(?:the\s+)?{_JOB}(?:\s+again)?"),
    ("retry", rf"run\s+(?:the\s+)?{_JOB}\s+again"),
    ("retry", rf"(?:重试|重新(?:运行|执行)){_JOB}"),
    ("log", rf"(?:why\s+(?:did|has)\s+{_JOB}\s+fail(?:ed)?|what\s+(?:went\s+wrong\s+with|did)\s+{_JOB}(?:\s+say)?)"),
    ("log", rf"(?:为什么{_JOB}失败了?|{_JOB}为什么失败了?)"),
    ("show", rf"what\s+(?:does\s+{_JOB}\s+do|is\s+{_JOB}|happened\s+to\s+{_JOB})"),
    ("run", rf"run\s+(?:the\s+)?{_JOB}(?:\s+now)?"),
    ("run", rf"(?:立即|现在)?(?:运行|执行){_JOB}"),
    ("log", rf"(?:show|read)\s+(?:me\s+)?(?:the\s+)?(?:log|output)\s+of\s+{_JOB}"),
    ("log", rf"(?:显示|查看){_JOB}的?(?:日志|输出)"),
    ("show", rf"(?:show|describe)\s+(?:me\s+)?{_JOB}"),
    ("show", rf"(?:显示|查看){_JOB}"),
)


def about_jobs(text: str) -> list[str] | None:
    """Return the words of `nlsh jobs` that a sentence about jobs means ("cancel job 3", "列出定时任务"); None where it is about something else."""
    sentence = " ".join(text.split()).rstrip("?.!。！？ ").removeprefix("please ").removeprefix("请")
    if not any(word in sentence.lower() for word in ("job", "task", "任务", "作业")):
        return None
    for word, pattern in _ABOUT_JOBS:
        if match := re.fullmatch(pattern, sentence, re.I):
            return [word] if word == "list" else [word, next(n for n in match.groups() if n)]
    return None


_COUNTS = {w: n for n, w in enumerate(("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), 1)}
_CN_COUNTS = {w: n for n, w in enumerate("一二三四五六七八九十", 1)} | {"两": 2}
_MOST_REQUESTS = 100
_PACK = r"(?:skill(?:\s+pack)?|pack)"
_CALLED = r"(?:\s+(?:called|named)\s+[\"']?(?P<{}>[\w-]+)[\"']?)?"
_BEFORE = r"(?:\s+(?:(?:called|named)\s+)?(?!(?:from|out|of|with)\b)[\"']?(?P<before>[\w-]+)[\"']?)?"
_MINE = rf"(?:my|the)?\s*(?:last|latest|previous|most\s+recent)\s+(?:(?P<count>\d+|{'|'.join(_COUNTS)})\s+requests|request)"
_CN_MINE = rf"(?:我的?)?(?:最近|最后|前|上)(?:的)?(?P<count>\d+|[{''.join(_CN_COUNTS)}])[个条次](?:请求|操作)"
_CN_PACK = r"(?:一个)?(?:新的?)?技能包?"
_CN_CALLED = r"(?:[，,]?\s*(?:叫做?|名为|名叫|命名为)\s*(?P<name>[\w-]+))?"
_ABOUT_SKILLS = (
    rf"(?:(?:make|create|build|write|generate)\s+(?:me\s+)?|new\s+)(?:an?\s+|the\s+)?(?:new\s+)?{_PACK}{_BEFORE}\s+"
    rf"(?:from|(?:out\s+)?of|with)\s+{_MINE}{_CALLED.format('name')}",
    rf"(?:make|turn|save|put)\s+{_MINE}\s+(?:into|as|in)\s+(?:an?\s+)?(?:new\s+)?{_PACK}{_CALLED.format('name')}",
    rf"[把将]{_CN_MINE}(?:做成|变成|存成|保存成|保存为|存为|打包成|写成){_CN_PACK}{_CN_CALLED}",
    rf"(?:用|从|根据){_CN_MINE}(?:里|中)?(?:来)?(?:新建|创建|生成|制作|做){_CN_PACK}{_CN_CALLED}",
)  # fmt: skip


def about_skills(text: str) -> tuple[str, int] | None:
    """Return name (empty: none is said) and number of requests, where a sentence asks for a skill pack of what was asked for last; None where it does not."""
    sentence = re.sub(r"^(?:nlsh |please |请|帮我)+", "", " ".join(text.split()).rstrip("?.!。！？ "), flags=re.I)
    if not any(word in sentence.lower() for word in ("skill", "pack", "技能")):
        return None
    for pattern in _ABOUT_SKILLS:
        if match := re.fullmatch(pattern, sentence, re.I):
            said = match.groupdict()
            written = (said["count"] or "one").lower()
            count = int(written) if written.isdecimal() else (_COUNTS | _CN_COUNTS)[written]
            return ((said.get("before") or said.get("name") or "").lower(), count) if 1 <= count <= _MOST_REQUESTS else None
    return None
