"""Writes crates/testkit/goldens/tables/pinyin_oracle.json: texts and their tokens.

Needs f5-tts 1.1.22 (with torch) and two editions of pypinyin, each in a folder of its own:

    pip install --target old pypinyin==0.54.0
    pip install --target new pypinyin==0.55.0
    python tools/goldens/pinyin_oracle.py old new

Each case is [text, tokens with the old edition, tokens with the new one], tokens joined by `|`; the
third is missing where it equals the second. Without arguments of its own it is the worker that
tokenizes the texts on its standard input with the pypinyin that it finds first.
"""

import json
import os
import pathlib
import random
import subprocess
import sys

SENTENCES = """
你好，世界！
他说：“我们一起去银行，行不行？”
这个人长得很高，长大了当市长。
那个音乐会不好听，所以他不快乐。
一个苹果，两个梨，第一名，十一月一日，统一，一会儿，一点一点。
不对，不是，不要，不行，不好，差不多，对不起，来不及。
我买了3件T恤、1个U盘和2GB的SIM卡，共¥99.50。
真金不怕火炼，真金不怕火。
重庆的重量很重，重新来过；还是重复。
GPT-4o和C++、C#哪个更好？AT&T不知道……
2024-05-06 12:30，温度是-5°C，涨了50%。
卡拉OK、阿Q正传、X光、江南Style、江南style。
小明（8岁）说：『还没还呢！』——然后走了。
〇一二三四五六七八九，二〇二四年。
ㄅㄆㄇㄈ、かなカナ、한국어、русский、עברית、العربية。
豈能盡如人意，但求無愧於心。
A豈B，𠮷野家，𠀀𪚥，Ａ１。
naïve café résumé Zürich — ein “Wort” und ‘noch’ eines; l'été.
It's 1,000,000 (one million); well-known e.g. at 3.14% of x_1, a+b=c & #hash C++ c# AT&T.
don't:stop "now" 'then' :x 'yes' "no": (paren) [x] {y} <z> a/b\\\\c ~t @u ^v `w` =
👩‍👩‍👧 emoji 😀在中间😀
""".strip().splitlines()

MARKS = "，。！？、；：,.!?;: …—“”‘’"
LATIN = ["GPT-4o", "C++", "AT&T", "naïve", "50%", "T恤", "a", "it's", "x_1", "2024", "Ω", "é", "3.14"]


def texts():
    from pypinyin.constants import PHRASES_DICT, PINYIN_DICT

    generator = random.Random(11)
    phrases = sorted(PHRASES_DICT)
    prefixes = sorted({phrase[:end] for phrase in phrases for end in range(2, len(phrase))})
    characters = sorted(chr(code) for code in PINYIN_DICT if code < 0x10000)
    yield from SENTENCES
    yield from generator.sample(phrases, 1500)
    for _ in range(1500):
        parts = (generator.choice(prefixes if generator.random() < 0.6 else phrases) for _ in range(3))
        yield "".join(parts)
    for _ in range(700):
        parts = []
        for _ in range(generator.randint(2, 8)):
            source = generator.choices((phrases, characters, LATIN), (6, 2, 1))[0]
            parts.append(generator.choice(source))
            if generator.random() < 0.4:
                parts.append(generator.choice(MARKS))
        yield "".join(parts)
    pool = "aB7 +#&._%-:'\"();\t\n\r\0é語中的一不个Ω、か한😀𠮷\u3000\u200d\u0301"
    for _ in range(700):
        yield "".join(generator.choices(pool, k=generator.randint(1, 24)))


def work():
    from f5_tts.model.utils import convert_char_to_pinyin

    given = json.load(sys.stdin)
    json.dump(convert_char_to_pinyin(given), sys.stdout)


def tokens(folder, cases):
    environment = {**os.environ, "PYTHONPATH": folder}
    command = [sys.executable, __file__]
    run = subprocess.run(command, input=json.dumps(cases), env=environment, check=True, capture_output=True, text=True)
    return ["|".join(case) for case in json.loads(run.stdout)]


def main(old, new):
    sys.path.insert(0, new)
    cases = [text for text in dict.fromkeys(texts()) if "|" not in text]
    rows = []
    for text, before, after in zip(cases, tokens(old, cases), tokens(new, cases), strict=True):
        rows.append([text, before] if before == after else [text, before, after])
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    table = pathlib.Path(__file__).parents[2] / "crates/testkit/goldens/tables/pinyin_oracle.json"
    table.write_text(f"[{lines}]\n", encoding="utf-8")
    print(len(rows), "cases,", sum(len(row) == 3 for row in rows), "differ,", table.stat().st_size, "bytes")


if len(sys.argv) == 3:
    main(*sys.argv[1:])
else:
    work()
