"""Page directories and page tables, walked in physical memory (kernel/src/paging)."""

import gdb

from .memory import PAGE_SIZE, evaluate, physical, register, virtual

ENTRIES = 1024
OTHER_WINDOW_ENTRY = 1022
RECURSIVE_ENTRY = 1023
OTHER_WINDOW = OTHER_WINDOW_ENTRY << 22
WINDOW = RECURSIVE_ENTRY << 22
DIRECTORY = 0xFFFF_F000

PRESENT = 1 << 0
WRITABLE = 1 << 1

#: What Droste says of an entry, in bits that are not the processor's.
MARKS = {1 << 9: " kept", 1 << 10: " shared", 1 << 11: " shares"}
SHARED = 1 << 10


class Entry(int):
    """An entry of a directory or a table (kernel/src/paging/entry.rs)."""

    @property
    def present(self):
        return bool(self & PRESENT)

    @property
    def writable(self):
        return self & (PRESENT | WRITABLE) == PRESENT | WRITABLE

    @property
    def shared(self):
        """Whether its first write is answered: W was taken away by a clone."""
        return bool(self & PRESENT and self & SHARED)

    @property
    def rights(self):
        """What may be done with a page that is present, if its directory entry allows it."""
        if self.writable:
            return "read, write"
        return "read, write a copy" if self.shared else "read only"

    @property
    def frame(self):
        return self // PAGE_SIZE

    @property
    def slot(self):
        """The slot of the drive that the page of an absent entry is in; 0 if it is in none."""
        return 0 if self & 0xFFF & ~WRITABLE else self // PAGE_SIZE

    def __str__(self):
        if not self.present:
            return f"absent(0x{int(self):08x}{f', slot {self.slot:#x}' if self.slot else ''})"
        flags = "".join(letter if self & 1 << bit else "-" for bit, letter in enumerate("PWUTCADSG"))
        marks = "".join(word for mark, word in MARKS.items() if self & mark)
        return f"{physical(self.frame * PAGE_SIZE)} {flags}{marks}"


class Space:
    """An address space: its directory."""

    def __init__(self, memory, root):
        self.memory = memory
        self.root = root

    @classmethod
    def current(cls, memory):
        return cls(memory, register("cr3") // PAGE_SIZE)

    @classmethod
    def named(cls, memory, words):
        """Returns the space whose directory lies at the physical address that `words` say."""
        address = evaluate(words)
        space = cls(memory, address // PAGE_SIZE)
        if address % PAGE_SIZE or not space.is_recursive():
            raise gdb.GdbError(f"{words}: no directory lies at {physical(address)}; `spaces` lists them")
        return space

    def __str__(self):
        return f"space {physical(self.root * PAGE_SIZE)}"

    def is_current(self):
        return self.root == register("cr3") // PAGE_SIZE

    def directory(self):
        """Returns the directory's entries."""
        return [Entry(word) for word in self.memory.words(self.root)]

    def is_recursive(self):
        """Says whether entry 1023 leads to the directory itself, as in every space that the kernel made."""
        entry = self.directory()[RECURSIVE_ENTRY]
        return entry.writable and entry.frame == self.root

    def walk(self, address):
        """Returns the directory entry of an address, and its table entry or None, each with where it lies."""
        pde_at = self.root * PAGE_SIZE + 4 * (address >> 22)
        pde = Entry(self.memory.word(pde_at))
        if not pde.present:
            return (pde_at, pde), None
        pte_at = pde.frame * PAGE_SIZE + 4 * (address >> 12 & 1023)
        return (pde_at, pde), (pte_at, Entry(self.memory.word(pte_at)))

    def entries(self, address):
        """Returns the directory entry of an address, and its table entry, an absent one where there is no table."""
        (_, pde), table = self.walk(address)
        return pde, table[1] if table else Entry(0)

    def translate(self, address):
        """Returns the physical address, or None where the tables map nothing."""
        _, table = self.walk(address)
        if table is None or not table[1].present:
            return None
        return table[1].frame * PAGE_SIZE + address % PAGE_SIZE

    def read(self, address, length):
        """Returns bytes of one page at a virtual address of this space; None where nothing is mapped."""
        at = self.translate(address)
        if at is None or at % PAGE_SIZE + length > PAGE_SIZE:
            return None
        return self.memory.frame(at // PAGE_SIZE)[at % PAGE_SIZE :][:length]

    def tables(self):
        """Returns number and directory entry of each page table but those of the windows."""
        return [(index, pde) for index, pde in enumerate(self.directory()[:OTHER_WINDOW_ENTRY]) if pde.present]

    def pages(self, index, pde):
        """Returns number and entry of each page that a table maps; read-only if the directory's entry is."""
        allowed = ~0 if pde.writable else ~(WRITABLE | SHARED)
        for inside, word in enumerate(self.memory.words(pde.frame)):
            if word & PRESENT:
                yield index * ENTRIES + inside, Entry(word & allowed)


def describe_walk(space, address):
    """Returns the way from CR3 to the frame, a line a step."""
    upper, middle, offset = address >> 22, address >> 12 & 1023, address & 4095
    (pde_at, pde), table = space.walk(address)
    lines = [
        f"{virtual(address)} = {upper:010b} {middle:010b} {offset:012b}: entries {upper}, {middle}, byte {offset:#x}",
        f"  CR3   {physical(space.root * PAGE_SIZE)}{'' if space.is_current() else '  (not the current one)'}",
        f"  PDE   {pde}  at {physical(pde_at)}, seen at {virtual(DIRECTORY + 4 * upper)}",
    ]
    if table is None:
        return lines + [f"  stops here: no page table{_window_note(address, pde)}"]
    pte_at, pte = table
    lines.append(f"  PTE   {pte}  at {physical(pte_at)}, seen at {virtual(WINDOW + 4 * (address >> 12))}")
    if pte.slot:
        return lines + ["  stops here: no frame, but a slot of the drive; the next touch reads it back"]
    if not pte.present:
        return lines + [f"  stops here: no frame{_window_note(address, pde)}"]
    rights = "read and write" if pte.writable else pte.rights
    rights = rights if pde.writable else "read only, by its directory entry"
    return lines + [f"  is    {physical(pte.frame * PAGE_SIZE + offset)}, {rights}{_window_note(address, pde)}"]


def _window_note(address, pde):
    """Says what an address of the windows shows."""
    if address < OTHER_WINDOW:
        return ""
    if address < WINDOW:
        if not pde.present:
            return "; the window on another space is closed, and the entry holds the note of this one's pools"
        return f"; the window on the space with directory {physical(pde.frame * PAGE_SIZE)} is open"
    seen = (address - WINDOW) // 4
    if address >= DIRECTORY:
        return f"; the recursive window: entry {seen % ENTRIES} of the directory itself"
    page = virtual(seen * PAGE_SIZE)
    return f"; the recursive window: table {seen // ENTRIES}, entry {seen % ENTRIES}, of page {page}"
