"""What reaches the terminal: JSON alone where it was asked for, no control character of a name or a message, and no traceback where a stream cannot take it."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.text import Text

from tests.verify.calling import ROOT, called, environment
from verify.commands.output import Terminal, print_json, print_json_text

HOSTILE = "a\x1b[2Jb\0c\x9bd\u202ee"
PLAIN = "a\\x1b[2Jb\\x00c\\x9bd\\u202ee"

BLOCK = """
import atexit, ctypes, os, subprocess, torch
from torch import nn
from numeric import ContextualBlock
atexit.register(print, "an atexit handler")
libc = ctypes.CDLL(None)
class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
    def forward(self, context, query):
        os.write(1, b"a write\\n"); libc.puts(b"a library"); print("a print")
        if query.dtype == torch.bfloat16:
            raise RuntimeError(chr(27) + "[2J" + chr(0) + "gone")
        own = self.a(query)
        return own if context is None else own + self.b(context).mean(1)
def make_block():
    subprocess.run(["echo", "a child"])
    torch.manual_seed(0)
    return ContextualBlock(Mean(), nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), "0", input_width=4)
"""


def run(*words: str | bytes, **changed: str) -> "subprocess.CompletedProcess[bytes]":
    call = [sys.executable, "-m", "verify", *words]
    return subprocess.run(call, env={**environment(), **changed}, capture_output=True, timeout=300, check=False)


def check(folder: Path, name: bytes, *words: str, format: str = "fp64", **changed: str) -> "subprocess.CompletedProcess[bytes]":
    path = os.path.join(os.fsencode(folder), name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(BLOCK)
    few = ("--cases", "64", "--scenario", "random", "--format", format, "--variant", "formula", "--device", "cpu", "--out", str(folder / "run"))
    return run("check", path + b":make_block", *few, *words, **changed)


def test_with_json_stdout_holds_json_alone_whoever_writes_to_descriptor_1(tmp_path: Path) -> None:
    done = check(tmp_path, b"mine.py", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["totals"]["violated"] == 0
    for other in (b"a write", b"a library", b"a print", b"a child", b"an atexit handler"):
        assert other in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_stdout_of_another_encoding_takes_what_it_can(encoding: str) -> None:
    for words in (("list", "variants"), ("list", "variants", "--json")):
        done = run(*words, PYTHONIOENCODING=encoding)
        assert done.returncode == 0, done.stderr
        assert done.stdout
    assert any("‖" in row["title"] for row in json.loads(done.stdout.decode(encoding))), "as JSON nothing is lost"


def test_a_name_that_is_not_utf8_is_measured_and_a_message_is_not_obeyed(tmp_path: Path) -> None:
    done = check(tmp_path, b"caf\xe9.py", format="bf16", PYTHONIOENCODING="ascii")
    assert done.returncode == 3, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"\\x1b[2J\\x00gone" in done.stdout
    assert b"\x1b[2J" not in done.stdout + done.stderr
    assert b"\0" not in done.stdout + done.stderr
    record = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert record["cells"][0]["block"] == "caf\\udce9:make_block"


@pytest.mark.parametrize("words", [("list", "formats"), ("list", "formats", "--json"), ("--help",)])
def test_a_full_device_is_reported_and_no_success(words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "verify", *words], cwd=ROOT, env=environment(), stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 3
    assert done.stderr.decode() == "the answer cannot be written (No space left on device).\n"


LONG = "a" * 300


@pytest.mark.parametrize("words", [("check", f"{LONG}.py:f"), ("report", LONG), ("replay", LONG), ("gate", LONG, "--baseline", LONG), ("history", LONG)])
def test_a_name_that_is_too_long_is_a_wrong_call(words: tuple[str, ...]) -> None:
    answer = called(*words)
    assert answer.status == 2
    assert len(answer.err.strip().splitlines()) == 1


def test_a_wrong_name_is_written_out() -> None:
    answer = called("check", f"{HOSTILE.replace(chr(0), '')}.py:f")
    assert answer.status == 2
    assert PLAIN.replace("\\x00", "") in answer.err


def test_a_text_is_not_obeyed_and_a_style_is() -> None:
    stream = io.StringIO()
    Terminal(file=stream, force_terminal=True, width=200, color_system="standard").print(Text(HOSTILE, style="red"))
    assert PLAIN in stream.getvalue()
    assert stream.getvalue().startswith("\x1b[31m"), "the control: the console's own sequences are"


def test_json_has_what_is_not_seen_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({HOSTILE: "ö\n"})
    print_json_text('{"a": "\x9b"}')
    printed = capsys.readouterr().out
    assert printed.replace("\n", "").isprintable()
    assert "ö" in printed
    first, second = printed.replace("}\n{", "}\0{").split("\0")
    assert json.loads(first) == {HOSTILE: "ö\n"}
    assert json.loads(second) == {"a": "\x9b"}


NORMED = """
import torch
from torch import nn
from numeric import ContextualBlock
class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 8)
    def forward(self, context, query):
        own = query + self.a(query)
        return own if context is None else own + self.a(context).mean(1)
def make_block():
    torch.manual_seed(0)
    return ContextualBlock(Mean(), nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8)), "0", input_width=8, norm=nn.RMSNorm(8))
"""


@pytest.mark.soak
def test_what_torch_warns_of_is_not_printed(tmp_path: Path) -> None:
    """The control is a process of its own, since torch warns once in each."""
    plain = [sys.executable, "-c", "import torch; torch.nn.RMSNorm(8)(torch.ones(2, 8, dtype=torch.bfloat16))"]
    assert b"Mismatch dtype" in subprocess.run(plain, capture_output=True, check=True).stderr
    (tmp_path / "mine.py").write_text(NORMED)
    few = ("--format", "bf16-fp32-weights", "--scenario", "random", "--cases", "64", "--variant", "formula", "--out", str(tmp_path / "run"))
    done = run("check", f"{tmp_path}/mine.py:make_block", *few)
    assert done.stderr == b""
    assert b"bf16-fp32-weights" in done.stdout
