"""What an address space maps, as runs of pages that have something in common."""

import bisect
import itertools

from .memory import PAGE_SIZE, count, physical, symbol, virtual
from .pools import METADATA, Broken, pools
from .tables import OTHER_WINDOW, OTHER_WINDOW_ENTRY, RECURSIVE_ENTRY, WINDOW


class Owners:
    """Whose a page is, of those of one address space."""

    def __init__(self, space):
        # In order: each holds from its first page up to the next.
        self._starts = [(0, "low memory")]
        for part in "text", "rodata", "data":
            self._starts.append((symbol(f"{part}_start") // PAGE_SIZE, f"kernel {part}"))
        self._starts.append((-(-symbol("data_end") // PAGE_SIZE), "above the kernel"))
        self._starts.append((0x200, "kernel frame pool"))
        self._starts.append((0x400, "no pool"))
        self.broken = None
        try:
            for pool in pools(space):
                self._starts.append((pool.start, f"pool {virtual(pool.start * PAGE_SIZE)}, not allocated"))
                for extent in pool.extents:
                    self._starts.append((extent.start, "metadata" if extent.kind == METADATA else f"region {extent}"))
                    self._starts.append((extent.end, f"pool {virtual(pool.start * PAGE_SIZE)}, not allocated"))
                self._starts.append((pool.end, "no pool"))
        except Broken as error:
            self.broken = str(error)
        # The sort keeps the order of what starts at the same page: the last one holds.
        self._starts.sort(key=lambda pair: pair[0])

    def of(self, page):
        return self._starts[bisect.bisect_right(self._starts, page, key=lambda pair: pair[0]) - 1][1]


def describe(space):
    """Returns what the space maps, a line a run."""
    owners = Owners(space)
    lines = [str(space)]
    if owners.broken:
        lines.append(f"  pools: {owners.broken}")
    pages = [pair for index, pde in space.tables() for pair in space.pages(index, pde)]

    def alike(numbered):
        index, (page, entry) = numbered
        return page - index, entry.rights, owners.of(page)

    for (_, rights, owner), group in itertools.groupby(enumerate(pages), alike):
        group = [pair for _, pair in group]
        lines.append(_line(group[0][0], [entry.frame for _, entry in group], rights, owner))
    return lines + _windows(space)


def _line(page, frames, rights, owner):
    end = virtual((page + len(frames)) * PAGE_SIZE)
    in_order = all(frame == frames[0] + index for index, frame in enumerate(frames))
    if len(frames) == 1:
        where = f"frame {frames[0]:#x}"
    elif in_order:
        where = f"frames {frames[0]:#x}..{frames[-1] + 1:#x}"
    else:
        where = f"frames {min(frames):#x} to {max(frames):#x}, not in order"
    return f"  {virtual(page * PAGE_SIZE)}..{end}  {count(len(frames), 'page'):>10}  {rights:11}  {owner}: {where}"


def _windows(space):
    """Returns the lines about the windows, which show page tables and are not followed."""
    directory = space.directory()
    other, own = directory[OTHER_WINDOW_ENTRY], directory[RECURSIVE_ENTRY]
    shown = f"on the space with directory {physical(other.frame * PAGE_SIZE)}" if other.present else "closed"
    lines = [f"  {virtual(OTHER_WINDOW)}..{virtual(WINDOW)}  window on another space: {shown}"]
    if space.is_recursive():
        shown = f"{count(len(space.tables()), 'page table')}, and the directory in its last page"
    else:
        shown = f"entry 1023 is {own}, and should lead to {physical(space.root * PAGE_SIZE)}"
    return lines + [f"  {virtual(WINDOW)}..{virtual(1 << 32)}  recursive window: {shown}"]
