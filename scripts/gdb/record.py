"""Records a run for the explorer: at each event of the memory, which words that tell of address spaces have changed.

`scripts/record` has `scripts/debug` load this file once the test has begun; $RECORDING says where the recording goes.
Its form is in explorer/src/recording.rs.
"""

import json
import os
import struct

import gdb

from guest.memory import PAGE_SIZE, Memory, language, register, state, symbol
from guest.tables import PRESENT, Entry

#: Events that are recorded; of a run with more the first ones, and its end.
MOST = 2000
#: An entry's mark of a page of the kernel's own records (kernel/src/paging/entry.rs).
KEPT = 1 << 9
#: Directory entries of page tables; the others are the windows'.
TABLES = 1022
#: An event: its kind, address, amount and space (kernel/src/events.rs).
EVENT = struct.Struct("<4I")


class Recording:
    """What is known of the machine, and the steps that led there."""

    def __init__(self, machine):
        memory = machine["memory"]
        events, pool, uses = memory["events"], memory["frames"], memory["uses"]["beyond_first"]
        words = pool["map"]["words"]
        self.pool = [int(pool["range"][end]["__0"]) for end in ("start", "end")]
        self.map = int(words["data_ptr"])
        self.uses = int(uses["data_ptr"])
        self.counter = int(events["recorded"].address)
        self.ring = int(events["ring"].address)
        self.kept = events["ring"].type.range()[1] + 1
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

    def last_event(self, memory):
        """Returns the event that was recorded last."""
        (recorded,) = struct.unpack("<I", memory.read(self.counter, 4))
        return EVENT.unpack(memory.read(self.ring + (recorded - 1) % self.kept * EVENT.size, EVENT.size))

    def run(self):
        """Goes on to the end of the run, with a step for each event."""
        with language("c"):
            events = gdb.Breakpoint(f"*(unsigned int *) {self.counter}", gdb.BP_WATCHPOINT, gdb.WP_WRITE)
        end = gdb.Breakpoint("droste::arch::x86::exit::report")
        while not end.hit_count:
            hits = events.hit_count if events.is_valid() else 0
            try:
                gdb.execute("continue", to_string=True)
            except gdb.error:
                return  # the machine is gone
            if not gdb.selected_inferior().pid:
                return
            with Memory.opened() as memory:
                if end.hit_count:
                    self.look(memory, None)
                elif events.is_valid() and events.hit_count > hits:
                    self.look(memory, self.last_event(memory))
            if len(self.steps) == MOST and events.is_valid():
                events.delete()

    def write(self, path):
        """Writes it as JSON."""
        pages = {name: symbol(name) // PAGE_SIZE for name in SYMBOLS}
        layout = {
            "text": [pages["text_start"], pages["text_end"]],
            "rodata": [pages["rodata_start"], pages["rodata_end"]],
            "guard": pages["stack_guard"],
        }
        recording = {
            "test": os.environ["TEST"],
            "pool": self.pool,
            "map": self.map,
            "uses": self.uses,
            "layout": layout,
            "steps": self.steps,
        }
        with open(path, "w", encoding="utf-8") as file:
            json.dump(recording, file, separators=(",", ":"))


SYMBOLS = ("text_start", "text_end", "rodata_start", "rodata_end", "stack_guard")

if gdb.selected_inferior().pid and state() is not None:
    recording = Recording(state())
    with Memory.opened() as memory:
        recording.look(memory, None)
    recording.run()
    if any(step["event"] for step in recording.steps):
        recording.write(os.environ["RECORDING"])
