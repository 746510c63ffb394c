"""Pools and their regions: the trees that an address space leads to (kernel/src/vm).

The directory entry 1022, while its window is closed, is the note: the root of the tree of pools, and bit 1 once there
was a pool. A pool's node lies in its first page, and so does the root of the tree of its regions.
"""

import bisect
import struct

from .memory import PAGE_SIZE, count, virtual
from .tables import OTHER_WINDOW_ENTRY, Entry

POOL_PAGES = range(0x400, 0xF_F800)
STRICT = 2
NODE_BYTES = 32
REGIONS = 0x40
#: The bits of a node's last word that say what an extent is, and what they say of a page that holds a pool's metadata.
KIND_BITS = 0b11
METADATA = 1


class Broken(Exception):
    """A tree that cannot be followed. Its text says where."""


class Extent:
    """A run of pages of a tree: a pool among the pools, or a region or metadata page of a pool."""

    def __init__(self, start, pages, kind):
        self.start = start
        self.end = start + pages
        self.kind = kind

    def __contains__(self, page):
        return self.start <= page < self.end

    def __str__(self):
        return f"{virtual(self.start * PAGE_SIZE)}..{virtual(self.end * PAGE_SIZE)}"


def _extents(space, root):
    """Returns the extents of a tree in order."""
    found, ahead, node, seen = [], [], root, set()
    while ahead or node:
        while node:
            words = space.read(node, NODE_BYTES) if node % NODE_BYTES == 0 else None
            if words is None:
                raise Broken(f"no node can lie at {virtual(node)}")
            if node in seen:
                raise Broken(f"the tree leads back to its node at {virtual(node)}")
            seen.add(node)
            start, left, right, _, _, pages, _, last = struct.unpack("<8I", words)
            ahead.append((Extent(start, pages, last & KIND_BITS), right))
            node = left
        extent, node = ahead.pop()
        found.append(extent)
    return found


class Pool(Extent):
    """A pool: the extent of all its pages, and the extents in it."""

    def __init__(self, space, extent):
        super().__init__(extent.start, extent.end - extent.start, extent.kind)
        root = space.read(self.start * PAGE_SIZE + REGIONS, 4)
        if root is None:
            raise Broken(f"the first page of pool {self} has no frame")
        first = Extent(self.start, 1, METADATA)
        self.extents = [first] + _extents(space, int.from_bytes(root, "little"))
        self.regions = [extent for extent in self.extents if extent.kind != METADATA]


def note(space):
    """Returns the note, or None while the window on another space is open and holds it."""
    entry = Entry(space.directory()[OTHER_WINDOW_ENTRY])
    return None if entry.present else int(entry)


def is_strict(space):
    """Says whether nothing but pages of regions is backed (rule strict-after-register)."""
    return bool((note(space) or 0) & STRICT)


def pools(space):
    """Returns the pools in order."""
    kept = note(space)
    if kept is None:
        raise Broken("entry 1022 is present: the kernel works on another space, and keeps the pools' root elsewhere")
    return [Pool(space, extent) for extent in _extents(space, kept & ~STRICT)]


def place(space, address):
    """Returns what an address is to the pools, in words, and whether a first touch of it would be backed."""
    page = address // PAGE_SIZE
    if page == 0:
        return "a null pointer: page 0 is never present", False
    if page < POOL_PAGES.start:
        return "in the first 4 MiB, of which nothing is backed lazily", False
    if page not in POOL_PAGES:
        return "in the windows on the page tables, where nothing is backed lazily", False
    pool = next((pool for pool in pools(space) if page in pool), None)
    if pool is None:
        strict = is_strict(space)
        return ("in no pool" if strict else "in no pool, but there never was one: every page is backed"), not strict
    inside = next((extent for extent in pool.extents if page in extent), None)
    if inside is None:
        before = [extent for extent in pool.extents if extent.end <= page][-1]
        if before.kind == METADATA:
            return f"in pool {pool}, where nothing is allocated", False
        past = address - before.end * PAGE_SIZE
        return f"{count(past, 'byte')} past the end of region {before}, in pool {pool}", False
    if inside.kind == METADATA:
        return f"in a page that pool {pool} keeps its records in", False
    return f"in region {inside} of pool {pool}", True


def describe(space):
    """Returns the pools and what is in them, a line each."""
    strict = "only pages of regions are backed" if is_strict(space) else "there never was a pool: every page is backed"
    lines = [f"{space}: {strict}"]
    backed = sorted(page for index, pde in space.tables() for page, _ in space.pages(index, pde))

    def counted(extent):
        number = bisect.bisect_left(backed, extent.end) - bisect.bisect_left(backed, extent.start)
        return f"{count(extent.end - extent.start, 'page'):>10}, {number} backed"

    for pool in pools(space):
        lines.append(f"pool {pool}  {counted(pool)}, {count(len(pool.regions), 'region')}")
        for extent in pool.extents:
            lines.append(f"  {extent}  {counted(extent)}  {'metadata' if extent.kind == METADATA else 'region'}")
    return lines
