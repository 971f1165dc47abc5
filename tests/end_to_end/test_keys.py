"""A pump with keys of its own: what each mistake is told, who has the place, and that no key is ever seen."""

from __future__ import annotations

import base64
import shutil
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from emulator.control.client import ControlError
from tests.end_to_end.conftest import Serve, Start, Vpump
from tests.end_to_end.foreign import opened
from tests.end_to_end.foreign_session import SaidNo, challenge_pump
from tests.end_to_end.product import INSECURE_LINE, INTERRUPTED, Finished, Home, ServedPump

SERIAL = "00C0FFEE"
PORTS = ("--listen", "tcp:127.0.0.1:0", "--listen", "tcp:127.0.0.1:0")
KEYS = ("--keys", "pump.keys")
BOLUS = ("bolus", "50uL")
WRONG_KEY = f"the key for role clinician in other.keys is not the key of pump {SERIAL}."
OPEN_TO_OTHERS = (
    "the key file open.keys has mode 0644, which lets others at it; run chmod 600 open.keys to make it yours alone."
)
TOO_LITTLE = f"the key file reader.keys lacks patient, clinician in [{SERIAL}]; a pump needs a key for each role."
MISTAKES = [
    (BOLUS, 2, f"pump {SERIAL} has keys of its own; give them with --keys FILE."),
    ((*BOLUS, "--keys", "other.keys"), 3, WRONG_KEY),
    (("program", "--show", "--role", "clinician", "--keys", "other.keys"), 3, WRONG_KEY),
    ((*BOLUS, "--keys", "reader.keys"), 2, f"reader.keys holds no key for role clinician of pump {SERIAL}."),
    ((*BOLUS, "--keys", "ward.keys"), 2, f"ward.keys holds no key for role clinician of pump {SERIAL}."),
    ((*BOLUS, "--keys", "no.keys"), 2, "the key file no.keys cannot be read: No such file or directory."),
    ((*BOLUS, "--keys", "open.keys"), 2, OPEN_TO_OTHERS),
    (("serve", "--keys", "open.keys"), 2, f"--keys: {OPEN_TO_OTHERS}"),
    (("serve", "--keys", "reader.keys"), 2, f"--keys: {TOO_LITTLE}"),
    (("control", "keys", "open.keys"), 2, OPEN_TO_OTHERS),
    (("control", "keys", "reader.keys"), 2, TOO_LITTLE),
    (("keys", "new", "pump.keys", SERIAL), 2, "pump.keys is there already; a key file is never written over."),
    (
        (*BOLUS, *KEYS, "--role", "patient"),
        1,
        "role patient may not do BOLUS_PREPARE (ROLE); that needs role clinician, see --role.",
    ),
]
WINDOW = 6  # as many bytes of a key as no chance puts anywhere


@pytest.fixture
def key_files(vpump: Vpump, home: Home) -> Path:
    """The pump's keys, those of other pumps, and files that are no good; in the directory of work."""
    for file, serial_number in (("pump.keys", SERIAL), ("other.keys", SERIAL), ("ward.keys", "7001")):
        made = vpump("keys", "new", file, serial_number)
        assert (made.status, made.stdout) == (0, f"{file} has keys for {serial_number:0>8}.\n")
    whole = home.directory / "pump.keys"
    reader = home.directory / "reader.keys"
    shutil.copy(whole, reader)
    reader.write_text("".join(line for line in whole.read_text().splitlines(True) if line[:1] in "[r"))
    shutil.copy(whole, home.directory / "open.keys")
    (home.directory / "open.keys").chmod(0o644)
    return home.directory


@pytest.fixture
def pump(serve: Serve, key_files: Path) -> ServedPump:
    """A pump with keys of its own and two ports."""
    assert key_files.is_dir()
    return serve("--speed", "0", "--control", "unix:control.sock", *PORTS, *KEYS, "--trace")


def test_each_mistake_with_keys_is_told_in_one_sentence(pump: ServedPump, vpump: Vpump) -> None:
    assert (pump.ready["keys"], pump.ready["insecure"]) == ("own", False)
    for arguments, status, sentence in MISTAKES:
        finished = vpump(*arguments)
        assert (finished.status, finished.stdout, finished.sentence) == (status, "", sentence)
    refused = vpump(*BOLUS, *KEYS, "--role", "patient", "--json")
    assert (refused.status, refused.document["code"]) == (1, "role")

    assert vpump("op", *KEYS, "--json").document["ops"] == []
    assert [record["type"] for record in vpump("log", *KEYS, "--json").documents] == ["boot"], "no attempt was counted"
    assert vpump("interrogate", "--keys", "reader.keys").status == 0, "a reader needs a reader's key alone"


def test_the_place_of_a_clinician_is_taken_when_asked_for(
    pump: ServedPump, vpump: Vpump, start: Start, home: Home
) -> None:
    first_port, second_port = pump.urls
    ours = home.variables["VPUMP_STATE_HOME"]
    theirs = home.directory / "theirs"
    watch = ("watch", "--role", "clinician", "--json", *KEYS, "--interval")
    home.variables["VPUMP_STATE_HOME"] = str(theirs)
    holder = start(*watch, "10ms", "-p", first_port)
    holder.stdout.wait_for_number(1)
    home.variables["VPUMP_STATE_HOME"] = ours

    refused = vpump(*BOLUS, *KEYS, "-p", second_port)
    their_id, our_id = (Path(state, "host-id").read_text().strip() for state in (theirs, ours))
    advice = "wait for its end, or take the place with --takeover."
    taken = f"another programmer (host {{}}) holds the clinician's place at pump {SERIAL}; {advice}"
    assert (refused.status, refused.sentence) == (1, taken.format(their_id))
    assert vpump("interrogate", *KEYS, "-p", second_port).status == 0, "readers need no place"
    assert not holder.has_ended

    taker = start(*watch, "1h", "-p", second_port, "--takeover")
    taker.stdout.wait_for_number(1)
    displaced = holder.wait()
    assert (displaced.status, displaced.sentence) == (1, taken.format(our_id)), "who was displaced is told by whom"
    given = vpump(*BOLUS, *KEYS, "-p", first_port)
    assert (given.status, given.stdout) == (0, "operation 1: a bolus of 50 uL is running.\n"), "the same host"
    assert taker.interrupt().status == INTERRUPTED
    (record,) = [each for each in vpump("log", *KEYS, "--json").documents if each["type"] == "session_taken_over"]
    host_ids = {"host_id": int(our_id, 16), "from_host_id": int(their_id, 16)}
    assert record["data"] == {"role": 3, **host_ids}
    assert f"host_id={our_id} from_host_id={their_id}\n" in vpump("log", *KEYS).stdout, "as the sentences name them"


def test_after_wrong_keys_a_port_makes_everybody_wait(pump: ServedPump, vpump: Vpump, home: Home) -> None:
    tried_port, other_port = pump.urls
    key = home.keys_in("pump.keys")["clinician"]
    codes = []
    with opened(tried_port) as line:
        for _ in range(5):
            with pytest.raises(SaidNo) as no:
                challenge_pump(line, key).authenticate(bytes(8))
            codes.append((no.value.code, no.value.detail))
    assert codes == [(0x35, 0)] * 4 + [(0x36, 15)], "KEY four times, then ATTEMPTS and how long"

    told = (
        f"pump {SERIAL} takes no key for role clinician for another {{}} s, for wrong ones were tried; wait that long."
    )
    for left_s in (15, 14, 13):
        refused = vpump(*BOLUS, *KEYS, "-p", tried_port, "--json")
        assert (refused.status, refused.sentence) == (1, told.format(left_s))
        assert (refused.document["code"], refused.document["limit"]) == ("delay", left_s)
        pump.control.advance(1_000_000)
    assert vpump("interrogate", *KEYS, "-p", tried_port).status == 0, "another role"
    assert vpump(*BOLUS, *KEYS, "-p", other_port).status == 0, "another port"
    pump.control.advance(12_000_000)
    assert vpump("therapy", "cancel", *KEYS, "-p", tried_port).status == 0
    pump.control.advance(60_000_000)
    records = [each for each in vpump("log", *KEYS, "--json").documents if each["type"] == "authentication_failed"]
    failed = {"role": 3, "port": 0, "wrong_tags": 0}
    told_of = [{**failed, "wrong_cryptograms": count} for count in (1, 4)]
    assert [each["data"] for each in records] == told_of, "the first at once, the others of that minute together"


@dataclass
class Everything:
    """All that anybody could have seen of a run of the product."""

    home: Home
    finished: list[Finished] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    def seen(self) -> Iterator[tuple[str, bytes]]:
        """Where, and what: outputs, answers, and every file but those that keys belong into."""
        for each in self.finished:
            yield f"stdout of {each.arguments}", each.stdout.encode()
            yield f"stderr of {each.arguments}", each.stderr.encode()
        for answer in self.answers:
            yield "an answer of the control plane", answer.encode()
        for path in sorted(self.home.directory.rglob("*")):
            if path.is_file() and path.suffix != ".keys":
                yield str(path), path.read_bytes()


def shows(text: bytes, keys: Iterable[bytes]) -> bool:
    """Whether a text has a part of a key: as bytes, in hex of any case, or as base64 of the whole."""
    lower = text.lower()
    for key in keys:
        parts = [key[start : start + WINDOW] for start in range(len(key) - WINDOW + 1)]
        traces = [*parts, *(part.hex().encode() for part in parts), base64.b64encode(key).rstrip(b"=")]
        if any(trace.lower() in lower for trace in traces):
            return True
    return False


def test_no_key_is_seen_anywhere(pump: ServedPump, vpump: Vpump, start: Start, home: Home) -> None:
    everything = Everything(home)

    def run(*arguments: str, status: int = 0) -> Finished:
        finished = vpump(*arguments)
        everything.finished.append(finished)
        assert finished.status == status, finished
        return finished

    (home.directory / "my.toml").write_text(run("program", "--example", "simple-continuous").stdout)
    with_trace = start("serve", "--serial-number", "7001", "--keys", "ward.keys", "--trace", "--listen", PORTS[1])
    at = with_trace.stdout.wait_for(lambda line: line.startswith("  port ")).split()[1]
    told = with_trace.stdout.wait_for(lambda line: line.startswith("Point your program at it"))
    (first_try,) = told.split("or try: vpump ")[1:]
    assert first_try == f"interrogate -p {at} --keys ward.keys"
    run(*first_try.split())
    run(*BOLUS, "--keys", "other.keys", "-p", at, status=2)
    everything.finished.append(with_trace.interrupt())

    # With its own keys everything works.
    run("interrogate", *KEYS)
    run("program", "my.toml", "--yes", *KEYS)
    run(*BOLUS, *KEYS, "--json")
    run(*BOLUS, "--keys", "other.keys", status=3)
    types = [record["type"] for record in run("log", *KEYS, "--json").documents]
    assert types == ["boot", "program_changed", "bolus_started"]

    # Other keys end the sessions, and what the old file opened it does not open any more.
    watcher = start("watch", *KEYS, "--interval", "10ms")
    watcher.stdout.wait_for_number(1)
    run("control", "keys", "other.keys", "--json")
    ended = watcher.wait()
    everything.finished.append(ended)
    old_file = f"in pump.keys is not the key of pump {SERIAL}."
    assert (ended.status, ended.sentence) == (3, f"the key for role reader {old_file}")
    assert run("op", "1", *KEYS, "--role", "clinician", status=3).sentence == f"the key for role clinician {old_file}"
    home.variables["VPUMP_KEYS"] = "other.keys"
    assert run("op", "2", "--json").document["state"] == "executing"
    del home.variables["VPUMP_KEYS"]
    everything.answers.append(repr(pump.control.truth()))
    key = home.keys_in("pump.keys")["reader"]
    for given in ({"reader": key}, {"reader": key, "patient": key, "clinician": key[:-1]}):
        with pytest.raises(ControlError) as refusal:
            pump.control.replace_keys(given)
        everything.answers.append(f"{refusal.value} {vars(refusal.value)}")
    run("control", "keys", "--test")
    run("op", "1", "--keys", "other.keys", status=3)
    run("op", "1", *KEYS, status=3)
    assert "TEST KEYS" in run("interrogate").stdout
    run("therapy", "cancel")
    replaced = [record for record in run("log", "--json").documents if record["type"] == "keys_replaced"]
    assert [record["data"]["test_keys"] for record in replaced] == [0, 1]
    run("ls", "--json")
    everything.finished.append(pump.end())

    names = ("pump.keys", "other.keys", "ward.keys")
    tables = [table for name in names for table in tomllib.loads((home.directory / name).read_text()).values()]
    keys = [bytes.fromhex(key) for table in tables for key in table.values()]
    assert len(set(keys)) == 9
    for name in names:
        upper = (home.directory / name).read_bytes().upper()
        assert shows(upper, keys), "who looks in the right place finds them, so it is worth looking in the others"
    places = list(everything.seen())
    assert any(place.endswith("host-id") for place, _ in places), "the programmer's files are among them"
    assert any(b"OP_LIST" in text and b'"raw"' in text for _, text in places), "and a trace with every byte"
    assert not [place for place, text in places if shows(text, keys)]


def test_the_first_steps_on_an_insecure_pump_are_loud(serve: Serve, vpump: Vpump, key_files: Path) -> None:
    assert key_files.is_dir()
    pump = serve("--speed", "0", "--insecure")
    assert (pump.ready["keys"], pump.ready["insecure"]) == ("test", True)
    shown = vpump("interrogate")
    assert (shown.status, shown.stdout.count(INSECURE_LINE)) == (0, 1)
    assert vpump("interrogate", "--json").document["hello"]["marks"] == ["emulator", "test_keys", "insecure"]
    given = vpump(*BOLUS)
    assert (given.status, given.stdout) == (0, "operation 1: a bolus of 50 uL is running.\n")
    with_keys = vpump("op", "1", *KEYS)
    assert with_keys.status == 0
    assert with_keys.sentence == f"pump {SERIAL} is INSECURE, so its keys in pump.keys protect nothing."
