"""Clients of a pseudo-terminal: coming, going, dying, sharing it, and not reading."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import serial

from emulator.ports.port import QUEUE_LIMIT, PortError
from emulator.ports.pty import PtyPort
from emulator.ports.spec import PtySpec
from tests.ports.recording_sink import DEADLINE_S, RecordingSink, open_descriptors, readable

CYCLES = 1000


@asynccontextmanager
async def served(spec: PtySpec | None = None) -> AsyncIterator[tuple[PtyPort, RecordingSink]]:
    port, sink = PtyPort(spec or PtySpec("pty")), RecordingSink()
    sink.port = port
    port.start(asyncio.get_running_loop(), sink)
    try:
        yield port, sink
    finally:
        port.close()


def client(port: PtyPort, flags: int = os.O_RDWR) -> int:
    return os.open(port.url, flags | os.O_NOCTTY | os.O_NONBLOCK)


def nothing_to_read(fd: int) -> bool:
    try:
        return os.read(fd, 65536) == b""
    except BlockingIOError:
        return True


async def read_exactly(fd: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        await readable(fd)
        data += os.read(fd, 65536)
    return data


def test_a_request_is_answered_and_the_line_is_seen_to_open_and_close() -> None:
    async def run() -> None:
        async with served() as (port, sink):
            fd = client(port)
            os.write(fd, b"hello;")
            assert await read_exactly(fd, 7) == b"<hello>"
            os.close(fd)
            await sink.until_count("closed", 1)
            assert sink.log == [("opened", b""), ("received", b"hello;"), ("closed", b"")]

    asyncio.run(run())


def test_a_client_that_was_there_before_the_start_is_found() -> None:
    async def run() -> None:
        port, sink = PtyPort(PtySpec("pty")), RecordingSink()
        sink.port = port
        fd = client(port)
        os.write(fd, b"early;")
        port.start(asyncio.get_running_loop(), sink)
        assert await read_exactly(fd, 7) == b"<early>"
        os.close(fd)
        port.close()

    asyncio.run(run())


def test_all_byte_values_pass_both_ways_unchanged() -> None:
    async def run() -> None:
        async with served() as (port, sink):
            every = bytes(value for value in range(256) if value != ord(";"))
            fd = client(port)
            os.write(fd, every + b";")
            assert await read_exactly(fd, len(every) + 2) == b"<" + every + b">"
            assert sink.bytes_received == every + b";"
            os.close(fd)

    asyncio.run(run())


def test_what_a_client_wrote_before_it_left_counts() -> None:
    async def run() -> None:
        async with served() as (port, sink):
            for number in range(200):
                # The loop does not run between open and close, as with a quick `printf`.
                fd = client(port, os.O_WRONLY)
                os.write(fd, b"%d;" % number)
                os.close(fd)
                await sink.until_count("closed", number + 1)
            assert sink.bytes_received == b"".join(b"%d;" % number for number in range(200))
            assert sink.kinds == ["opened", "received", "closed"] * 200

    asyncio.run(run())


def test_printf_of_a_shell() -> None:
    async def run() -> None:
        async with served() as (port, sink):
            process = await asyncio.create_subprocess_exec("sh", "-c", f"printf 'hello;' > {port.url}")
            await process.wait()
            await sink.until_count("closed", 1)
            assert sink.bytes_received == b"hello;"

    asyncio.run(run())


def test_many_clients_come_and_go_and_none_sees_the_bytes_of_another() -> None:
    async def one_client(port: PtyPort, number: int) -> None:
        fd = client(port)
        assert nothing_to_read(fd)
        answer = b"<%d>" % number
        if number % 3 == 0:
            os.write(fd, b"%d;" % number)
            assert await read_exactly(fd, len(answer)) == answer
        elif number % 3 == 1:
            # The answer comes, and is not read.
            os.write(fd, b"%d;" % number)
            await readable(fd)
        else:
            os.write(fd, b"half of %d" % number)
        os.close(fd)

    async def run() -> None:
        async with served() as (port, sink):
            before = open_descriptors()
            for number in range(CYCLES):
                await one_client(port, number)
                await sink.until_count("closed", number + 1)
            assert sink.count("opened") == CYCLES
            assert open_descriptors() == before

    asyncio.run(run())


def test_a_client_that_is_killed_is_a_client_that_left() -> None:
    async def run() -> None:
        async with served() as (port, sink):
            before = open_descriptors()
            for number in range(5):
                await asyncio.to_thread(kill_a_client, port.url)
                await sink.until_count("closed", 2 * number + 1)
                assert sink.log[-2:] == [("received", b"x;half"), ("closed", b"")]
                fd = client(port)
                assert nothing_to_read(fd)
                os.close(fd)
                await sink.until_count("closed", 2 * number + 2)
            # One of the loop's own, for the thread that killed.
            assert open_descriptors() <= before + 1

    asyncio.run(run())


def kill_a_client(url: str) -> None:
    program = "import os, sys; f = os.open(sys.argv[1], os.O_RDWR); os.write(f, b'x;half'); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-S", "-c", program, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)


def test_clients_in_threads_each_get_their_own_answer() -> None:
    def work(url: str, count: int, failures: list[str]) -> None:
        for number in range(count):
            with serial.Serial(url, timeout=DEADLINE_S) as port:
                port.write(b"%d;" % number)
                answer = port.read(len(b"<%d>" % number))
                if answer != b"<%d>" % number:
                    failures.append(f"{number}: {answer!r}")

    async def run() -> None:
        async with served() as (port, sink):
            before = open_descriptors()
            failures: list[str] = []
            # One after the other opens without waiting for the pump to notice that the one before has left.
            await asyncio.to_thread(work, port.url, 200, failures)
            assert failures == []
            await sink.until(lambda: sink.kinds[-1] == "closed")
            # The thread of the executor may hold one or two of its own until the loop ends.
            assert open_descriptors() <= before + 2

    asyncio.run(run())


def test_the_answer_to_a_client_that_has_left_does_not_reach_the_next_one() -> None:
    async def run() -> None:
        async with served() as (port, sink):
            first = client(port)
            os.write(first, b"secret;")
            await readable(first)
            os.close(first)
            # All of this before the loop runs again.
            second = client(port)
            await sink.until_count("opened", 2)
            assert nothing_to_read(second)
            assert sink.kinds == ["opened", "received", "closed", "opened"]
            os.write(second, b"mine;")
            assert await read_exactly(second, 6) == b"<mine>"
            os.close(second)

    asyncio.run(run())


def test_what_the_old_client_wrote_last_is_not_answered_to_the_new_one() -> None:
    async def run() -> None:
        async with served() as (port, sink):
            first = client(port)
            await sink.until_count("opened", 1)
            os.write(first, b"last words;")
            os.close(first)
            second = client(port)
            await sink.until_count("opened", 2)
            assert sink.log == [("opened", b""), ("received", b"last words;"), ("closed", b""), ("opened", b"")]
            assert nothing_to_read(second)
            os.close(second)

    asyncio.run(run())


def test_the_first_words_of_a_new_client_are_its_own() -> None:
    async def run() -> None:
        async with served() as (port, sink):
            first = client(port)
            await sink.until_count("opened", 1)
            os.close(first)
            second = client(port)
            os.write(second, b"hello;")
            assert await read_exactly(second, 7) == b"<hello>"
            assert sink.log == [("opened", b""), ("closed", b""), ("opened", b""), ("received", b"hello;")]
            os.close(second)

    asyncio.run(run())


def test_an_answer_is_not_written_for_a_client_that_has_just_left() -> None:
    async def run() -> None:
        async with served() as (port, sink):
            first = client(port)
            await sink.until_count("opened", 1)
            os.close(first)
            port.send(b"too late")
            second = client(port)
            # It reads at once, before the pump knows anything of it.
            assert nothing_to_read(second)
            port.send(b"for the first one")
            assert nothing_to_read(second)
            await sink.until_count("opened", 2)
            assert nothing_to_read(second)
            os.close(second)

    asyncio.run(run())


def test_a_second_opener_is_a_new_line_and_the_line_lasts_until_the_last_one_leaves() -> None:
    async def run() -> None:
        async with served() as (port, sink):
            first = client(port)
            await sink.until_count("opened", 1)
            second = client(port)
            await sink.until_count("opened", 2)
            assert sink.kinds == ["opened", "closed", "opened"]
            os.close(second)
            os.write(first, b"still here;")
            assert await read_exactly(first, 12) == b"<still here>"
            assert sink.kinds == ["opened", "closed", "opened", "received"]
            os.close(first)
            await sink.until_count("closed", 2)

    asyncio.run(run())


def test_two_clients_that_come_and_go_at_the_same_time_leave_a_free_line() -> None:
    async def run() -> None:
        async with served() as (port, sink):
            # The kernel merges equal events, so neither the openings nor the closings can be counted.
            fds = [client(port) for _ in range(3)]
            await sink.until_count("opened", 1)
            for fd in fds:
                os.close(fd)
            await sink.until(lambda: sink.kinds[-1] == "closed")
            fd = client(port)
            os.write(fd, b"next;")
            assert await read_exactly(fd, 6) == b"<next>"
            os.close(fd)

    asyncio.run(run())


def test_an_idle_port_wakes_nobody() -> None:
    async def run() -> None:
        async with served() as (port, sink):
            fd = client(port)
            os.close(fd)
            await sink.until_count("closed", 1)
            looks = 0
            look = port._look

            def counted() -> None:
                nonlocal looks
                looks += 1
                look()

            loop = asyncio.get_running_loop()
            loop.add_reader(port._watch.fileno(), counted)
            for _ in range(20):
                await asyncio.sleep(0)
            settled = looks
            # Two hundred turns of the loop: a descriptor that is ready all the time would show in each.
            for _ in range(200):
                await asyncio.sleep(0)
            assert looks == settled
            assert settled <= 2

    asyncio.run(run())


async def fill(port: PtyPort, sink: RecordingSink, turn: Callable[[], None] = lambda: None) -> int:
    """Send until the client has been found not to read; says how many bytes went in."""
    sent = 0
    while not sink.count("overrun"):
        port.send(b"x" * 1000)
        sent += 1000
        turn()
        assert sent < 10 * QUEUE_LIMIT
        await asyncio.sleep(0)
    return sent


def test_a_client_that_does_not_read_is_told_once_and_holds_nobody_up() -> None:
    async def run() -> None:
        async with served() as (port, sink):
            fd = client(port)
            await sink.until_count("opened", 1)
            turns = 0

            def turn() -> None:
                nonlocal turns
                turns += 1

            sent = await fill(port, sink, turn)
            assert turns == sent // 1000
            assert QUEUE_LIMIT < sent < 3 * QUEUE_LIMIT
            assert sink.count("overrun") == 1
            # Nothing old is left, here or in the kernel, and the line goes on.
            assert nothing_to_read(fd)
            os.write(fd, b"again;")
            assert await read_exactly(fd, 7) == b"<again>"
            os.close(fd)
            await sink.until_count("closed", 1)
            assert sink.count("opened") == 1

    asyncio.run(run())


def test_a_slow_reader_gets_every_byte_in_order() -> None:
    async def run() -> None:
        async with served() as (port, sink):
            fd = client(port)
            await sink.until_count("opened", 1)
            data = os.urandom(QUEUE_LIMIT)
            port.send(data)
            assert sink.flow == ["held"]
            assert await read_exactly(fd, len(data)) == data
            assert sink.flow == ["held", "flowing"]
            assert sink.count("overrun") == 0
            os.close(fd)

    asyncio.run(run())


def test_what_waits_for_a_client_is_dropped_when_it_leaves() -> None:
    async def run() -> None:
        async with served() as (port, sink):
            fd = client(port)
            await sink.until_count("opened", 1)
            port.send(b"x" * 60_000)
            os.close(fd)
            await sink.until_count("closed", 1)
            fd = client(port)
            assert nothing_to_read(fd)
            await sink.until_count("opened", 2)
            assert nothing_to_read(fd)
            os.close(fd)

    asyncio.run(run())


def test_a_flood_is_read_without_end_or_loss_and_its_client_can_be_replaced() -> None:
    async def run() -> None:
        async with served() as (port, sink):
            flood = b"y" * 1_000_000

            def write(url: str) -> None:
                fd = os.open(url, os.O_WRONLY | os.O_NOCTTY)
                rest = memoryview(flood)
                while rest:
                    rest = rest[os.write(fd, rest) :]
                os.close(fd)

            thread = threading.Thread(target=write, args=(port.url,))
            thread.start()
            await sink.until_count("closed", 1)
            thread.join(DEADLINE_S)
            assert sink.bytes_received == flood

    asyncio.run(run())


def test_raw_mode_comes_back_after_a_client_that_took_it_away() -> None:
    async def run() -> None:
        async with served() as (port, sink):
            fd = client(port)
            cooked = termios.tcgetattr(fd)
            assert not cooked[3] & (termios.ECHO | termios.ICANON)
            cooked[0] |= termios.ICRNL
            cooked[1] |= termios.OPOST
            cooked[3] |= termios.ECHO | termios.ICANON
            cooked[4] = cooked[5] = termios.B9600
            termios.tcsetattr(fd, termios.TCSANOW, cooked)
            os.close(fd)
            await sink.until_count("closed", 1)
            fd = client(port)
            found = termios.tcgetattr(fd)
            assert not found[3] & (termios.ECHO | termios.ICANON)
            assert not found[0] & termios.ICRNL
            assert not found[1] & termios.OPOST
            assert found[4] == termios.B9600
            os.close(fd)

    asyncio.run(run())


def test_pyserial_talks_through_it() -> None:
    def talk(url: str) -> bytes:
        with serial.serial_for_url(url, baudrate=57600, timeout=DEADLINE_S) as line:
            line.write(b"hello;")
            answer: bytes = line.read(7)
        return answer

    async def run() -> None:
        async with served() as (port, sink):
            assert await asyncio.to_thread(talk, port.url) == b"<hello>"
            await sink.until_count("closed", 1)

    asyncio.run(run())


def test_the_link_leads_to_the_terminal_and_goes_with_it(tmp_path: Path) -> None:
    link = tmp_path / "pump"

    async def run() -> None:
        async with served(PtySpec(f"pty:{link}", str(link))) as (port, _):
            assert link.readlink() == Path(port.url)
            assert port.link == str(link)

    asyncio.run(run())
    assert not link.is_symlink()


@pytest.mark.parametrize("what", ["file", "link to nowhere", "link to a file"])
def test_the_link_overwrites_and_follows_nothing(tmp_path: Path, what: str) -> None:
    link, target = tmp_path / "pump", tmp_path / "target"
    if what == "file":
        link.write_text("precious")
    else:
        link.symlink_to(target)
    if what == "link to a file":
        target.write_text("precious")
    before = open_descriptors()
    with pytest.raises(PortError, match=r"something is there already\.$"):
        PtyPort(PtySpec(f"pty:{link}", str(link)))
    assert open_descriptors() == before
    assert what == "link to nowhere" or link.read_text() == "precious"


def test_a_link_that_a_killed_pump_has_left_is_replaced_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    link = tmp_path / "pump"
    living = PtyPort(PtySpec("pty", None))
    link.symlink_to(living.url)
    with pytest.raises(PortError, match=r"something is there already\.$"):
        PtyPort(PtySpec(f"pty:{link}", str(link)))
    living.close()
    link.unlink()
    link.symlink_to(Path(living.url).with_name("999999"))
    port = PtyPort(PtySpec(f"pty:{link}", str(link)))
    assert link.readlink() == Path(port.url)
    port.close()
    assert not link.is_symlink()


def test_a_link_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    link = tmp_path / "missing" / "pump"
    with pytest.raises(PortError, match="No such file or directory"):
        PtyPort(PtySpec(f"pty:{link}", str(link)))


def test_a_link_that_leads_elsewhere_by_now_is_left_alone(tmp_path: Path) -> None:
    link = tmp_path / "pump"
    port = PtyPort(PtySpec(f"pty:{link}", str(link)))
    link.unlink()
    link.symlink_to(tmp_path)
    port.close()
    assert link.readlink() == tmp_path


def test_closing_gives_every_descriptor_back_and_may_be_repeated() -> None:
    async def run() -> None:
        before = open_descriptors()
        for _ in range(20):
            port = PtyPort(PtySpec("pty"))
            port.start(asyncio.get_running_loop(), RecordingSink())
            port.close()
            port.close()
        await asyncio.sleep(0)
        assert open_descriptors() == before

    asyncio.run(run())


def test_a_broken_line_is_to_its_client_a_device_that_was_unplugged(tmp_path: Path) -> None:
    async def run() -> None:
        before = open_descriptors()
        link = tmp_path / "pump"
        async with served(PtySpec("pty", str(link))) as (port, sink):
            places = [port.url]
            for _ in range(3):
                with serial.serial_for_url(str(link), timeout=DEADLINE_S) as line:
                    line.write(b"hello;")
                    await sink.until_count("received", 1)
                    assert line.read(7) == b"<hello>"
                    sink.log.clear()
                    port.break_line()
                    port.break_line()
                    with pytest.raises(serial.SerialException, match="device disconnected"):
                        line.read(1)
                    with pytest.raises(serial.SerialException, match="Input/output error"):
                        line.write(b"x")
                    assert not link.is_symlink()
                    with pytest.raises(serial.SerialException, match="No such file"):
                        serial.serial_for_url(str(link))
                    port.send(b"nobody hears it")
                port.mend_line()
                port.mend_line()
                assert link.resolve() == Path(port.url)
                places.append(port.url)
                assert sink.log == []
            port.break_line()
        # Of the old names, somebody else on this machine may have taken one, but hardly all.
        assert len(set(places)) < len(places)
        assert not link.is_symlink()
        assert open_descriptors() == before

    asyncio.run(run())


def test_who_holds_a_dead_terminal_open_keeps_its_name_and_the_line_comes_back_under_another() -> None:
    async def run() -> None:
        async with served() as (port, sink):
            old, place = client(port), port.url
            port.break_line()
            port.mend_line()
            assert port.url != place
            new = client(port)
            os.write(new, b"hello;")
            assert await read_exactly(new, 7) == b"<hello>"
            os.close(old)
            os.close(new)
            await sink.until_count("closed", 1)

    asyncio.run(run())
