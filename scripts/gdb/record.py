"""Records a run for the explorer: at each event of the memory, which words that tell of address spaces have changed.

`scripts/record` has `scripts/debug` load this file once the test has begun; $RECORDING says where the recording goes.
Its form is in explorer/src/recording.rs. With $COUNT events are only counted: how many there are goes into that file.
With $SKIP so many events pass before the first that is recorded. With $PLACES nothing runs: where the kernel keeps what
is looked at goes into that file, for explorer/page/emulated.js.
"""

import json
import os
import signal
import struct
import threading

import gdb

from guest.memory import PAGE_SIZE, Memory, language, register, state, symbol
from guest.tables import PRESENT, Entry

#: Events that are recorded; of a run with more the first ones, and its end.
MOST = 2000
#: Seconds after which a run without a new event is taken to be over: it hangs.
PATIENCE = 10
#: An entry's mark of a page of the kernel's own records (kernel/src/paging/entry.rs).
KEPT = 1 << 9
#: Directory entries of page tables; the others are the windows'.
TABLES = 1022
#: An event: its kind, address, amount and space (kernel/src/events.rs).
EVENT = struct.Struct("<4I")


def go_on():
    """Lets the machine run to the next stop. Says whether it stopped by itself, and is still there."""
    ended = threading.Event()

    def end():
        ended.set()
        os.kill(os.getpid(), signal.SIGINT)

    patience = threading.Timer(PATIENCE, end)
    patience.start()
    try:
        gdb.execute("continue", to_string=True)
    except (gdb.error, KeyboardInterrupt):
        return False
    finally:
        patience.cancel()
    return bool(gdb.selected_inferior().pid) and not ended.is_set()


class Ring:
    """The kernel's ring of events, by its addresses."""

    def __init__(self, events):
        self.counter = int(events["recorded"].address)
        self.start = int(events["ring"].address)
        self.kept = events["ring"].type.range()[1] + 1

    def recorded(self, memory):
        """Returns how many events were recorded."""
        return struct.unpack("<I", memory.read(self.counter, 4))[0]

    def last(self, memory):
        """Returns the event that was recorded last."""
        return EVENT.unpack(memory.read(self._place(self.recorded(memory) - 1), EVENT.size))

    def _place(self, number):
        return self.start + number % self.kept * EVENT.size

    def skip(self, number):
        """Lets so many events pass. It looks at one place of the ring, so the machine seldom stops."""
        if number < 1:
            return
        place = watch(self._place(number - 1), gdb.WP_ACCESS)
        while go_on() and self._recorded_now() < number - 1:
            pass
        place.delete()
        # The last of them is written, and is counted next.
        counter = watch(self.counter, gdb.WP_WRITE)
        go_on()
        counter.delete()

    def _recorded_now(self):
        with Memory.opened() as memory:
            return self.recorded(memory)


def watch(address, kind):
    """Returns a watchpoint on the word at this address, in the kernel's own memory, where both addresses agree."""
    with language("c"):
        return gdb.Breakpoint(f"*(unsigned int *) {address}", gdb.BP_WATCHPOINT, kind)


def end_of_run():
    """Returns a breakpoint where a test says how it ended."""
    return gdb.Breakpoint("droste::arch::x86::exit::report")


class Recording:
    """What is known of the machine, and the steps that led there."""

    def __init__(self, machine):
        memory = machine["memory"]
        self.ring = Ring(memory["events"])
        pool, uses = memory["frames"], memory["uses"]["beyond_first"]
        words = pool["map"]["words"]
        self.pool = [int(pool["range"][end]["__0"]) for end in ("start", "end")]
        self.map = int(words["data_ptr"])
        self.uses = int(uses["data_ptr"])
        # The kernel's own memory, in which both addresses agree.
        extents = [(self.map, 8 * int(words["length"])), (self.uses, int(uses["length"]))]
        self.books = [
            frame
            for start, length in extents
            for frame in range(start // PAGE_SIZE, (start + length - 1) // PAGE_SIZE + 1)
        ]
        self.seen, self.led_to, self.said, self.steps = {}, {}, 0, []

    def frames(self, memory, root):
        """Returns the frames that tell of the current address space: directory, tables, pages of pools' own."""
        found = [root, *self.books]
        for table in self._led_to(memory, root, PRESENT, TABLES):
            found.append(table)
            # The pages of the first table are the kernel's, which tell nothing.
            found += self._led_to(memory, table, PRESENT | KEPT, TABLES + 2)
        return dict.fromkeys(found)

    def _led_to(self, memory, frame, flags, count):
        """Returns the frames that a table leads to by entries with these flags, anew only if it has changed."""
        data = memory.frame(frame)
        known = self.led_to.get(frame)
        if known is None or known[0] != data:
            entries = memory.words(frame)[:count]
            frames = [Entry(entry).frame for entry in entries if entry & flags == flags]
            self.led_to[frame] = known = data, frames
        return known[1]

    def look(self, memory, event):
        """Adds a step: what has changed since the last one."""
        root = register("cr3") // PAGE_SIZE
        changed = []
        for frame in self.frames(memory, root):
            data, before = memory.frame(frame), self.seen.get(frame, bytes(PAGE_SIZE))
            if data != before:
                words, were = struct.unpack("<1024I", data), struct.unpack("<1024I", before)
                changed.append([frame, [[at, words[at]] for at in range(1024) if words[at] != were[at]]])
                self.seen[frame] = data
        self.steps.append({"event": event, "root": root, "words": changed, "said": self._words_since()})

    def _words_since(self):
        with open(os.environ["LOG"], "rb") as console:
            console.seek(self.said)
            words = console.read()
        self.said += len(words)
        return words.decode(errors="replace").replace("\r", "")

    def run(self):
        """Goes on to the end of the run, with a step for each event."""
        events = watch(self.ring.counter, gdb.WP_WRITE)
        end = end_of_run()
        while not end.hit_count:
            hits = events.hit_count if events.is_valid() else 0
            stopped = go_on()
            if not gdb.selected_inferior().pid:
                return
            with Memory.opened() as memory:
                if end.hit_count or not stopped:
                    self.look(memory, None)
                elif events.is_valid() and events.hit_count > hits:
                    self.look(memory, self.ring.last(memory))
            if not stopped:
                return
            if len(self.steps) == MOST and events.is_valid():
                events.delete()

    def write(self, path):
        """Writes it as JSON."""
        recording = {
            "test": os.environ["TEST"],
            "pool": self.pool,
            "map": self.map,
            "uses": self.uses,
            "layout": layout(),
            "steps": self.steps,
        }
        with open(path, "w", encoding="utf-8") as file:
            json.dump(recording, file, separators=(",", ":"))


#: The symbols that say where the image lies.
SYMBOLS = ("text_start", "text_end", "rodata_start", "rodata_end", "stack_guard")


def count():
    """Lets the machine run to its end, and returns how many events there were."""
    ring = Ring(state()["memory"]["events"])
    end_of_run()
    go_on()
    with Memory.opened() as memory:
        return ring.recorded(memory)


def record():
    """Records the run, or what is left of it."""
    recording = Recording(state())
    recording.ring.skip(int(os.environ.get("SKIP") or 0))
    with Memory.opened() as memory:
        recording.look(memory, None)
    recording.run()
    if any(step["event"] for step in recording.steps):
        recording.write(os.environ["RECORDING"])


def layout():
    """Returns where the kernel's image lies, in numbers of pages."""
    pages = {name: symbol(name) // PAGE_SIZE for name in SYMBOLS}
    return {
        "text": [pages["text_start"], pages["text_end"]],
        "rodata": [pages["rodata_start"], pages["rodata_end"]],
        "guard": pages["stack_guard"],
    }


def places():
    """Returns where the kernel keeps what is looked at. It is the same in each run of the same kernel."""
    memory = state()["memory"]
    ring, pool = Ring(memory["events"]), memory["frames"]
    kept = {
        "pool_start": pool["range"]["start"],
        "pool_end": pool["range"]["end"],
        "map": pool["map"]["words"]["data_ptr"],
        "uses": memory["uses"]["beyond_first"]["data_ptr"],
    }
    found = {name: int(value.address) for name, value in kept.items()}
    return found | {"counter": ring.counter, "ring": ring.start, "kept": ring.kept, "layout": layout()}


if gdb.selected_inferior().pid and state() is not None:
    if os.environ.get("PLACES"):
        with open(os.environ["PLACES"], "w", encoding="utf-8") as file:
            json.dump(places(), file)
    elif os.environ.get("COUNT"):
        with open(os.environ["COUNT"], "w", encoding="utf-8") as file:
            file.write(str(count()))
    else:
        record()
