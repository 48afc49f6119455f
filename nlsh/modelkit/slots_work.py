"""Fillers for what people work on: branches, commits and repositories, places in a recording, documents, models."""

from __future__ import annotations

from nlsh.modelkit.names import Names

_VERBS = ["fix", "add", "remove", "update", "rename", "clean up", "speed up", "revert", "document", "test", "bump", "split", "finish", "wip:", "refactor"]
_VERBS_ZH = ["修复", "添加", "删除", "更新", "重构", "优化", "补充", "调整", "完善", "回滚"]
_PEOPLE_ZH = ["李伟", "王芳", "张三", "小陈", "老刘", "陈晓明", "赵敏", "周杰", "吴珊", "阿强", "林雨桐", "黄师傅", "欧阳静", "Wei", "志明"]
_FRACTIONS = ["half", "twice", "double", "triple"]


class WorkSlots(Names):
    """Random fillers for one sentence: of work with versions, recordings, pictures, documents and the lines of texts."""

    def branch(self) -> str:
        r = self.r
        kind = r.choice(["", "", "", "feature/", "fix/", "hotfix/", "release/", "user/"])
        known = ["main", "master", "dev", "develop", "staging", "next", "gh-pages", "trunk"]
        if not kind and r.random() < 0.35:
            return r.choice(known)
        name = "-".join(self.word() for _ in range(r.choice([1, 1, 2, 3])))
        return kind + (name if r.random() < 0.85 else f"{r.randint(1, 9)}.{r.randint(0, 20)}")

    def commit(self) -> str:
        r, x = self.r, self.r.random()
        if x < 0.45:
            return "".join(r.choice("0123456789abcdef") for _ in range(r.choice([7, 7, 8, 10, 12, 40])))
        if x < 0.7:
            return r.choice(["HEAD~1", "HEAD~2", "HEAD^", "HEAD", f"HEAD~{r.randint(3, 20)}"])
        if x < 0.85:
            return f"v{r.randint(0, 9)}.{r.randint(0, 30)}" + r.choice(["", f".{r.randint(0, 9)}", "-rc1"])
        return self.branch() + r.choice(["", "~1", "^"])

    def repo(self) -> str:
        r = self.r
        owner, name = self.word(), self.word() + r.choice(["", "", "-" + self.word()])
        host = r.choice(["github.com", "github.com", "gitlab.com", "codeberg.org", "git." + self.word() + ".org", "gitee.com"])
        if (x := r.random()) < 0.6:
            return f"https://{host}/{owner}/{name}" + r.choice(["", ".git"])
        if x < 0.75:
            return f"git@{host}:{owner}/{name}.git"
        return self._folder_path().rstrip("/") + r.choice(["", ".git"]) if x < 0.9 else f"{name}.git"

    def remote(self) -> str:
        return self.r.choice(["origin", "origin", "upstream", "backup", "fork", "mirror", "server", self.word()])

    def author(self) -> str:
        r = self.r
        if self.zh and r.random() < 0.6:
            return r.choice(_PEOPLE_ZH)
        name = r.choice(self._names["user"]) if r.random() < 0.5 else self.word()
        return name.capitalize() if r.random() < 0.6 else f"{name}@{self.word()}.org" if r.random() < 0.3 else name

    def message(self) -> str:
        r = self.r
        if self.zh and r.random() < 0.7:
            text = r.choice(_VERBS_ZH) + r.choice(self._names_zh["text"])
        else:
            text = f"{r.choice(_VERBS)} " + " ".join(self.word() for _ in range(r.choice([1, 2, 2, 3, 4])))
        if r.random() < 0.55:
            left, right = tuple(r.choice(["“”", "「」", '""', '""'] if self.zh else ['""', '""', '""', "''", "“”"]))
            return left + text.replace('"', "") + right
        return text

    def moment(self) -> str:
        r = self.r
        minutes, seconds = r.randint(0, 59), r.randint(0, 59)
        if (x := r.random()) < 0.6:
            return r.choice(
                [f"{minutes}:{seconds:02d}", f"{minutes}:{seconds:02d}", f"{r.randint(0, 3)}:{minutes:02d}:{seconds:02d}", f"00:{minutes:02d}:{seconds:02d}"]
            )
        if self.zh:
            return r.choice([f"{seconds}秒", f"{minutes}分{seconds}秒", f"第{seconds}秒", f"{minutes}分钟", "开头"])
        return (
            f"{seconds}s"
            if x < 0.7
            else r.choice([f"{seconds} seconds", f"{minutes} minutes", f"{minutes} min {seconds} s", f"{minutes}m{seconds}s", f"{seconds} sec"])
        )

    def seconds(self) -> str:
        r = self.r
        n = r.choice([2, 3, 5, 8, 10, 12, 15, 20, 25, 30, 40, 45, 60, 90, r.randint(1, 300)])
        if self.zh:
            return r.choice([f"{n}秒", f"{n} 秒", f"{n}秒钟", "半分钟", "一分钟", f"{r.randint(2, 20)}分钟"])
        return r.choice([f"{n} seconds", f"{n}s", f"{n} sec", f"{n} secs", "half a minute", "a minute", f"{r.randint(2, 20)} minutes"])

    def factor(self) -> str:
        r = self.r
        n = r.choice(["1.1", "1.2", "1.25", "1.5", "1.75", "2", "2", "3", "0.5", "0.75", "0.8"])
        if self.zh and r.random() < 0.7:
            return r.choice([f"{n}倍", f"{n}倍", "两倍", "一半", f"{r.choice([25, 50, 75, 120, 150, 200])}%"])
        return r.choice([f"{n}x", f"{n}x", n, f"{n} times", f"{r.choice([25, 50, 75, 80, 120, 150, 200])}%", r.choice(_FRACTIONS)])

    def lines(self) -> str:
        return self.r.choice(["720p", "480p", "1080p", "360p", "540p", "240p", "720", "480px"])

    def language(self) -> str:  # of a text in a picture
        if self.zh and self.r.random() < 0.75:
            return self.r.choice(["英文", "中文", "德语", "法语", "日文", "韩语", "俄语", "西班牙语", "繁体中文"])
        return self.r.choice(
            ["english", "english", "German", "french", "Spanish", "chinese", "Japanese", "russian", "italian", "portuguese", "Korean", "dutch"]
        )

    def document(self) -> str:
        return self._with_ending(["docx", "docx", "docx", "odt", "xlsx", "pptx", "ods", "odp", "rtf", "DOCX"])

    def docformat(self) -> str:
        if self.r.random() < 0.4:
            return self.r.choice(["pdf", "pdf", "PDF"])
        if self.r.random() < 0.2:
            return self.r.choice(["word文档", "纯文本"] if self.zh else ["word", "plain text", "opendocument"])
        return self.r.choice(["docx", "odt", "rtf", "txt", "html", ".docx", ".odt", "ODT", "DOCX"])

    def model(self) -> str:
        r = self.r
        size = r.choice(["0.5b", "1b", "3b", "7b", "8b", "13b", "14b", "32b", "70b"])
        name = r.choice(["llama-3", "qwen2.5", "mistral", "gemma-2", "phi-4", "deepseek", self.word()])
        folder = r.choice(["", "", "models/", "~/models/", self.word() + "/"])
        return f"{folder}{name}-{size}" + r.choice(["", "-q4_k_m", "-q8_0", "-instruct", "-chat.Q5_K_M"]) + ".gguf"

    def span(self) -> str:  # of lines
        r = self.r
        low = r.choice([r.randint(1, 30), r.randint(1, 400), r.choice([10, 20, 50, 100, 200, 500, 1000])])
        high = low + r.choice([1, 2, 4, 5, 9, 10, 20, 50, 100, r.randint(1, 300)])
        if self.zh:
            return r.choice([f"{low}到{high}", f"{low}到{high}", f"{low}-{high}", f"{low}至{high}", f"{low}~{high}", f"{low} 到 {high}", f"{low}和{high}"])
        if r.random() < 0.12:
            return r.choice([f"{low} to the end", f"{low} onwards", f"{low} on", f"{low}-end"])
        joint = r.choice(["-", "-", " to ", " to ", " to ", " through ", "–", " - ", "..", " thru ", " until ", " and ", ", "])
        return f"{low}{joint}{high}"

    def newpart(self) -> str:  # what a regular expression's matches become
        r, word = self.r, self.word()
        text = r.choice([word, word, f"{word}_", f"{word}-$1", r"\1", r"\2-\1", f"$1_{word}", rf"{word}\1", "$1", "$2_$1", "_", "-"])
        return f'"{text}"' if r.random() < 0.3 else f"'{text}'" if r.random() < 0.1 else text

    def rate(self) -> str:
        r = self.r
        amount = r.choice([1, 2, 5, 10, 20, 30, 50, 80, 100, 200, 500, r.randint(1, 900)])
        if self.zh and r.random() < 0.6:
            return r.choice([f"每秒{amount}MB", f"每秒{amount}M", f"{amount}兆每秒", f"每秒 {amount} MB", f"{amount}M每秒"])
        short = r.choice(["MB/s", "MB/s", " MB/s", "M/s", "mb/s", "MiB/s", "KB/s"])
        long = r.choice([" megabytes per second", "MB per second", "MB a second", " MB per sec", " megs a second", "MB"])
        return f"{amount}{short if self.zh or r.random() < 0.6 else long}"
