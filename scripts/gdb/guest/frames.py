"""Frame pools, and what each frame is used for (kernel/src/frames).

The pools know only what was handed out. Whose it is follows from all address spaces; where the two disagree is a bug in
the kernel, or something that the kernel is just doing.
"""

import collections
import gdb

from .memory import PAGE_SIZE, count, held, state, virtual
from .pools import METADATA, Broken, pools
from .tables import PRESENT, RECURSIVE_ENTRY, Entry, Space

#: In place of a count: the frame is a page table (kernel/src/paging/uses.rs).
TABLE = 255

FREE, HEAD, INNER, INACCESSIBLE = ".", "h", "i", "x"

#: What a frame is used for, most telling first: where a letter stands for several frames, the first counts.
USES = {
    "D": "directory",
    "T": "page table",
    "M": "metadata of a pool",
    "S": "page that clones share",
    "P": "page",
    "?": "handed out, in no address space",
    ".": "free",
    "x": "inaccessible",
}
#: In the counts of entries, the mark of a page table (kernel/src/paging/uses.rs).
TABLE = 255
COLUMNS = 64
MOST_ROWS = 15
#: Each complaint is followed by this many frames at most.
NAMED = 8


class FramePool:
    """A frame pool: what each of its frames is, at two bits a frame (kernel/src/frames/map.rs)."""

    def __init__(self, memory, value):
        self.start = int(value["range"]["start"]["__0"])
        self.end = int(value["range"]["end"]["__0"])
        words = value["map"]["words"]
        data = memory.read(int(words["data_ptr"]), 8 * int(words["length"]))
        self.free = int(value["free"])
        self._bits = [
            [int.from_bytes(data[at : at + 4], "little"), int.from_bytes(data[at + 4 : at + 8], "little")]
            for at in range(0, len(data), 8)
        ]

    def state(self, frame):
        word, bit = divmod(frame - self.start, 32)
        free, head = (bits >> bit & 1 for bits in self._bits[word])
        return {(1, 1): FREE, (0, 1): HEAD, (0, 0): INNER, (1, 0): INACCESSIBLE}[free, head]

    def __contains__(self, frame):
        return self.start <= frame < self.end

    def numbers(self):
        return range(self.start, self.end)


def frame_pools(memory):
    """Returns the kernel's pool and the process pool."""
    machine, kernel_pool = state(), held("droste::arch::x86::kernel_pool::POOL")
    if machine is None or kernel_pool is None:
        raise gdb.GdbError("the kernel has not made its frame pools yet")
    return FramePool(memory, kernel_pool), FramePool(memory, machine["memory"]["frames"])


def spaces(memory, pool):
    """Returns all address spaces: the frames that were handed out and whose entry 1023 leads to themselves."""
    found = []
    for frame in pool.numbers():
        if pool.state(frame) == HEAD:
            last = Entry.from_bytes(memory.read(frame * PAGE_SIZE + 4 * RECURSIVE_ENTRY, 4), "little")
            if last & PRESENT and last // PAGE_SIZE == frame:
                found.append(Space(memory, frame))
    return found


def first_write(memory, entry):
    """Says what the first write to a page that clones share does (kernel/src/paging/share.rs)."""
    uses = state()["memory"]["uses"]
    index, counts = entry.frame - int(uses["frames"]["start"]["__0"]), uses["beyond_first"]
    others = memory.read(int(counts["data_ptr"]) + index, 1)[0] if 0 <= index < int(counts["length"]) else 0
    if not others:
        return "nobody else has its frame any more, so the first write makes it writable"
    return f"{count(others, 'other page')} {'has' if others == 1 else 'have'} its frame, so the first write copies it"


class Uses:
    """What each frame of the process pool is used for, and what is wrong with that."""

    def __init__(self, memory, pool):
        self.pool = pool
        self.of = {}
        self.entries = collections.Counter()
        counts = state()["memory"]["uses"]["beyond_first"]
        self.counts = memory.read(int(counts["data_ptr"]), int(counts["length"]))
        self.complaints = collections.defaultdict(list)
        for space in spaces(memory, pool):
            self._note(space.root, "D")
            metadata = self._metadata(space)
            for index, pde in space.tables():
                # The table of the first 4 MiB is one for all, and what it maps is no frame of this pool.
                if index == 0 and self.of.get(pde.frame) == "T":
                    continue
                self._note(pde.frame, "T")
                for page, entry in space.pages(index, pde) if index else ():
                    self._note_page(entry.frame, "M" if page in metadata else "P")
        for frame in pool.numbers():
            kind = pool.state(frame)
            if kind in (HEAD, INNER):
                self.of.setdefault(frame, "?")
            elif frame in self.of:
                self.complaints[f"in use by an address space, but {USES[kind]}"].append(frame)
            else:
                self.of[frame] = kind
            if self._count(frame) != max(self.entries[frame] - 1, 0):
                self.complaints["not counted as often as pages lead to it"].append(frame)
        free = sum(1 for frame in pool.numbers() if pool.state(frame) == FREE)
        if free != pool.free:
            self.complaints[f"the pool counts {pool.free} free frames, its map has {free}"] = []

    def _metadata(self, space):
        try:
            return {page.start for pool in pools(space) for page in pool.extents if page.kind == METADATA}
        except Broken as error:
            self.complaints[f"pools of {space}: {error}"] = []
            return set()

    def _count(self, frame):
        count = self.counts[frame - self.pool.start]
        return 0 if count == TABLE else count

    def _note_page(self, frame, use):
        self.entries[frame] += 1
        if frame in self.pool and self._count(frame):
            self.of[frame] = "S"
        else:
            self._note(frame, use)

    def _note(self, frame, use):
        if frame not in self.pool:
            self.complaints["mapped, but outside the process pool"].append(frame)
        elif frame in self.of:
            self.complaints["used twice"].append(frame)
        else:
            self.of[frame] = use


def describe(memory):
    """Returns a picture of the process pool, and what is wrong with it."""
    kernel_pool, pool = frame_pools(memory)
    uses = Uses(memory, pool)
    in_use = [frame for frame in pool.numbers() if uses.of[frame] not in (FREE, INACCESSIBLE)]
    end = max(in_use, default=pool.start - 1) + 1
    each = max(1, -(-(end - pool.start) // (COLUMNS * MOST_ROWS)))
    lines = [f"process pool: frames {pool.start:#x}..{pool.end:#x}, {pool.free} free"]
    for row in range(pool.start, end, each * COLUMNS):
        cells = range(row, min(row + each * COLUMNS, end), each)
        lines.append(f"  {row:#07x}  " + "".join(_letter(uses, cell, min(cell + each, end)) for cell in cells))
    lines.append(f"a letter is {count(each, 'frame')}; none in use from {end:#x} on")
    totals = collections.Counter(uses.of.values())
    lines += [f"  {letter} {what}: {totals[letter]}" for letter, what in USES.items() if totals[letter]]
    lines.append(f"kernel pool: frames {kernel_pool.start:#x}..{kernel_pool.end:#x}, {kernel_pool.free} free")
    return lines + _complaints(uses)


def _letter(uses, start, end):
    """Returns the letter of the first use of all that one of the frames has."""
    present = {uses.of[frame] for frame in range(start, end)}
    return next(letter for letter in USES if letter in present)


def _complaints(uses):
    lines = []
    for what, frames in uses.complaints.items():
        named = ", ".join(f"{frame:#x}" for frame in frames[:NAMED])
        more = f" and {len(frames) - NAMED} more" if len(frames) > NAMED else ""
        lines.append(f"  WRONG: {what}{': ' if frames else ''}{named}{more}")
    return lines


def describe_one(memory, frame):
    """Returns what a frame is: to its pool, and to the address spaces."""
    own = next((pool for pool in frame_pools(memory) if frame in pool), None)
    if own is None:
        return [f"frame {frame:#x} is in no frame pool"]
    words = {
        FREE: "free",
        HEAD: "handed out, the first of its sequence",
        INNER: "handed out, inside a sequence",
        INACCESSIBLE: "inaccessible",
    }
    lines = [f"frame {frame:#x}: {words[own.state(frame)]}"]
    for space in spaces(memory, frame_pools(memory)[1]):
        if space.root == frame:
            lines.append(f"  the directory of {space}")
        for index, pde in space.tables():
            if pde.frame == frame:
                lines.append(f"  page table {index} of {space}")
            for page, entry in space.pages(index, pde):
                if entry.frame == frame:
                    lines.append(f"  page {page:#x} of {space}: {virtual(page * PAGE_SIZE)}")
    return lines
