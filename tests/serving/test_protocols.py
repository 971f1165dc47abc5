"""The protocols that are installed: found by their entry points, and told in one sentence when they are of no use."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from emulator import OUR_PROTOCOL
from emulator.assembly import load_profile
from emulator.cli import main
from emulator.protocols import GROUP, OURS, installed_protocol, protocol_names
from emulator.vpump_protocol import PLUGIN
from emulator.wire import Direction, WireProtocol, WireSetting

GOOD = """
from dataclasses import replace
from emulator.vpump_protocol import PLUGIN
"""
HELLO = "00 02 10 07 01 01 ff ff ff ff 01 02 02 02 01 05 47 b8 45 42 00"


class Site:
    """A directory in which packages are installed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def install(self, package: str, source: str, *names: str, value: str = "PLUGIN") -> None:
        """A package of one module that offers protocols under these names."""
        module = package.replace("-", "_")
        self.directory.joinpath(f"{module}.py").write_text(source, encoding="utf-8")
        metadata = self.directory / f"{module}-1.2.dist-info"
        metadata.mkdir()
        metadata.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        entries = "".join(f"{name} = {module}:{value}\n" for name in names or (package,))
        metadata.joinpath("entry_points.txt").write_text(f"[{GROUP}]\n{entries}")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.syspath_prepend(tmp_path)
    yield Site(tmp_path)
    for module in tmp_path.glob("*.py"):
        sys.modules.pop(module.stem, None)


def serve(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["serve", *arguments])


def test_our_own_is_one_like_any_other() -> None:
    assert protocol_names()[0] == OUR_PROTOCOL
    ours = installed_protocol(OUR_PROTOCOL)
    assert (ours.plugin, ours.source) == (PLUGIN, "vpump itself")
    assert OURS.load() is PLUGIN
    wire = ours.new_wire(WireSetting(profile=load_profile("reference-20"), serial_number=7))
    assert "BOLUS_EXECUTE" in wire.names[Direction.ANSWER]


def test_a_package_adds_its_own(site: Site) -> None:
    site.install("clinic-pump", f"{GOOD}PLUGIN = replace(PLUGIN, title='ours, with another name')", "clinic", "ward")
    assert protocol_names() == (OUR_PROTOCOL, "clinic", "ward")
    clinic = installed_protocol("clinic")
    assert (clinic.name, clinic.source, clinic.plugin.title) == ("clinic", "clinic-pump 1.2", "ours, with another name")


def test_what_nobody_asks_for_is_not_imported(site: Site) -> None:
    site.install("broken-pump", "raise RuntimeError('no')", "broken")
    site.install("clinic-pump", GOOD, "clinic")
    assert installed_protocol("clinic").plugin is PLUGIN


def test_nobody_takes_our_name(site: Site) -> None:
    site.install("impostor", "raise RuntimeError('no')", OUR_PROTOCOL)
    assert protocol_names() == (OUR_PROTOCOL,)
    assert installed_protocol(OUR_PROTOCOL).plugin is PLUGIN


def test_an_unknown_name_lists_what_there_is(site: Site) -> None:
    site.install("clinic-pump", GOOD, "clinic")
    result = serve("--protocol", "clinix")
    assert (result.exit_code, result.stderr) == (
        2,
        "vpump: --protocol: there is no protocol 'clinix' (did you mean clinic?); installed are vpump, clinic.\n",
    )


def test_a_name_that_two_packages_offer_is_nobodys(site: Site) -> None:
    site.install("clinic-pump", GOOD, "clinic")
    site.install("other-pump", GOOD, "clinic")
    result = serve("--protocol", "clinic")
    assert (result.exit_code, result.stderr) == (
        2,
        "vpump: --protocol: the protocol clinic is offered by clinic-pump 1.2 and other-pump 1.2; "
        "uninstall all but one of them.\n",
    )


NEW_WIRE = f"{GOOD}PLUGIN = replace(PLUGIN, new_wire=make)"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import a_module_that_is_not_there", "importing clinic:PLUGIN ends with ModuleNotFoundError: No module named"),
        ("raise SystemExit('enough')", "importing clinic:PLUGIN ends with SystemExit: enough"),
        ("x = (", "importing clinic:PLUGIN ends with SyntaxError: "),
        ("", "importing clinic:PLUGIN ends with AttributeError: module 'clinic' has no attribute 'PLUGIN'"),
        ("PLUGIN = 'wand'", "clinic:PLUGIN is a str and no ProtocolPlugin"),
        (f"{GOOD}PLUGIN = replace(PLUGIN, title=3)", "title of clinic:PLUGIN is 3 and not a text"),
        (f"{GOOD}PLUGIN = replace(PLUGIN, new_wire=None)", "new_wire of clinic:PLUGIN is None and not callable"),
        (
            f"{GOOD}PLUGIN = replace(PLUGIN, new_wire=lambda setting: setting.nothing)",
            "making a wire ends with AttributeError: 'WireSetting' object has no attribute 'nothing'",
        ),
        (
            f"{GOOD}PLUGIN = replace(PLUGIN, new_wire=lambda setting: object())",
            f"its wire lacks {', '.join(name for name in vars(WireProtocol) if not name.startswith('_'))}.",
        ),
        (
            f"{GOOD}from emulator.vpump_wire import VpumpWire\nfrom emulator.wire import operation_names\n"
            "class Wire(VpumpWire):\n    names = operation_names(['set rate'])\n"
            "PLUGIN = replace(PLUGIN, new_wire=lambda of: Wire(of.profile, of.serial_number, insecure=False))",
            "the names of its operations are not what faults can name: at most 1000 in a direction, of capital "
            "letters, digits and _, and none of them ANY",
        ),
        (
            f"{GOOD}from emulator.vpump_wire import VpumpWire\nfrom emulator.wire import operation_names\n"
            "class Wire(VpumpWire):\n    names = operation_names([f'A{number}' for number in range(1001)])\n"
            "PLUGIN = replace(PLUGIN, new_wire=lambda of: Wire(of.profile, of.serial_number, insecure=False))",
            "the names of its operations are not what faults can name: at most 1000 in a direction, ",
        ),
        (
            f"{GOOD}from emulator.vpump_wire import VpumpWire\n"
            "class Wire(VpumpWire):\n    next_session_change = lambda wire: 1 / 0\n"
            "PLUGIN = replace(PLUGIN, new_wire=lambda of: Wire(of.profile, of.serial_number, insecure=False))",
            "the start of a pump ends with ZeroDivisionError: division by zero",
        ),
        (
            f"{GOOD}from emulator.vpump_wire import VpumpWire\n"
            "class Wire(VpumpWire):\n    guard = 'a dog'\n"
            "PLUGIN = replace(PLUGIN, new_wire=lambda of: Wire(of.profile, of.serial_number, insecure=False))",
            "the guard of its wire is 'a dog' and no Guard",
        ),
        (
            f"{GOOD}from emulator.vpump_wire import VpumpWire\n"
            "class Wire(VpumpWire):\n    names = property(lambda wire: 1 / 0)\n"
            "PLUGIN = replace(PLUGIN, new_wire=lambda of: Wire(of.profile, of.serial_number, insecure=False))",
            "asking a wire for its words ends with ZeroDivisionError: division by zero",
        ),
    ],
)
def test_a_package_that_does_not_work_is_named(site: Site, source: str, why: str) -> None:
    site.install("clinic", source)
    result = serve("--protocol", "clinic")
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"vpump: --protocol: the protocol clinic, from clinic 1.2, does not work: {why}")
    assert line.endswith(".")


def test_what_a_base_class_only_promises_counts_as_missing(site: Site) -> None:
    source = "from emulator.wire import WireProtocol\nclass Wire(WireProtocol):\n    names = ()\n"
    site.install("clinic", f"{GOOD}{source}PLUGIN = replace(PLUGIN, new_wire=lambda setting: Wire())")
    result = serve("--protocol", "clinic")
    assert "does not work: its wire lacks session_open, guard, cutter, " in result.stderr


def test_a_protocol_may_say_that_it_cannot_serve_a_pump(site: Site) -> None:
    source = "def make(setting):\n    raise ValueError(f'it has no place for {setting.profile.name}')\n"
    site.install("clinic", f"{source}{NEW_WIRE}")
    result = serve("--protocol", "clinic")
    assert (result.exit_code, result.stderr) == (
        2,
        "vpump: --protocol: the protocol clinic cannot serve this pump: it has no place for reference-20.\n",
    )


@pytest.mark.parametrize(
    ("decoder", "why"),
    [
        ("lambda setting: 1 / 0", "making a decoder ends with ZeroDivisionError: division by zero"),
        ("lambda setting: object()", "its decoder lacks cutter, explain, unfinished"),
        (
            "lambda setting: type('D', (VpumpDecoder,), {'explain': lambda *_: 1 / 0})()",
            "explaining a frame ends with ZeroDivisionError: division by zero",
        ),
        (
            "lambda setting: type('D', (VpumpDecoder,), {'unfinished': lambda *_: 1 / 0})()",
            "explaining an unfinished frame ends with ZeroDivisionError: division by zero",
        ),
        (
            "lambda setting: type('D', (VpumpDecoder,), {'cutter': lambda *_: 1 / 0})()",
            "making a cutter ends with ZeroDivisionError: division by zero",
        ),
        (
            "lambda setting: type('D', (VpumpDecoder,), {'cutter': lambda *_: object()})()",
            "cutting a recording ends with AttributeError: 'object' object has no attribute 'feed'",
        ),
    ],
)
def test_a_decoder_that_does_not_work_is_named(site: Site, decoder: str, why: str) -> None:
    imports = f"{GOOD}from emulator.vpump_decoder import VpumpDecoder\n"
    site.install("clinic", f"{imports}PLUGIN = replace(PLUGIN, new_decoder={decoder})")
    result = CliRunner().invoke(main, ["decode", "--protocol", "clinic"], input=f"{HELLO} 00 01")
    sentence = f"vpump: --protocol: the protocol clinic, from clinic 1.2, does not work: {why}.\n"
    assert (result.exit_code, result.stderr) == (2, sentence)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--insecure"], "--insecure: the protocol clinic asks nobody for a key anyway; leave it out."),
        (["--keys", "pump.keys"], "--keys: the protocol clinic has no keys; leave it out."),
    ],
)
def test_a_protocol_without_keys_takes_none(site: Site, arguments: list[str], said: str) -> None:
    site.install("clinic", f"{GOOD}PLUGIN = replace(PLUGIN, read_keys=None)")
    result = serve("--protocol", "clinic", *arguments)
    assert (result.exit_code, result.stderr) == (2, f"vpump: {said}\n")


def test_keys_that_a_protocol_cannot_read_are_told_in_its_words(site: Site) -> None:
    source = "def read(path, serial_number):\n    raise ValueError(f'{path} has no key for {serial_number}.')\n"
    site.install("clinic", f"{source}{GOOD}PLUGIN = replace(PLUGIN, read_keys=read)")
    result = serve("--protocol", "clinic", "--keys", "pump.keys", "--serial-number", "7")
    assert (result.exit_code, result.stderr) == (2, "vpump: --keys: pump.keys has no key for 7.\n")


def test_keys_that_it_fails_to_read_are_its_failure(site: Site) -> None:
    site.install("clinic", f"{GOOD}PLUGIN = replace(PLUGIN, read_keys=lambda path, number: path.nothing)")
    result = serve("--protocol", "clinic", "--keys", "pump.keys")
    assert result.exit_code == 2
    assert "the protocol clinic, from clinic 1.2, does not work: reading keys ends with AttributeError" in result.stderr
