"""What the processor translates an address to, against what the page tables say.

A debugger can't ask a TLB, and whatever QEMU answers (its GDB stub, `info tlb`, `gva2gpa`) it takes from the tables. So
the processor is made to show it: it executes one load from the address, while a mark stands in the frame that the
tables lead to. If it loads the mark, it uses that frame. Registers, memory and CR2 are then as before; only the load
itself remains, which fills the TLB and sets the entries' accessed bits as any load does.
"""

import contextlib

import gdb

from .memory import PAGE_SIZE, newest_frame, physical, register, set_register, symbol, virtual
from .tables import OTHER_WINDOW, PRESENT, Space, describe_walk

INTERRUPTS_ON = 1 << 9
#: Two marks, one of which is not what stands there. To a processor that takes them for entries they are absent.
MARKS = (0xD505_7E00, 0x057E_D500)
#: What an exception pushes: error code, EIP, CS, EFLAGS.
PUSHED = 16


def check(memory, address):
    """Compares the two, and returns what was seen."""
    space = Space.current(memory)
    if not space.is_recursive():
        raise gdb.GdbError("the kernel has not loaded a page table of its own yet, and could not survive a fault")
    probe = symbol("probe_read_access")
    lines = describe_walk(space, address)
    at = space.translate(address)
    if at is None:
        loaded = _load(space, probe, address)
        if loaded is None:
            return lines + ["agreed: the processor faults there"]
        return lines + [f"STALE: the tables map nothing there, but the processor still loads {loaded:#010x}; {FLUSH}"]
    # One translation holds for all words of the page.
    word = _harmless(memory, address, at // PAGE_SIZE, probe)
    address, at = address & -PAGE_SIZE | 4 * word, at & -PAGE_SIZE | 4 * word
    mark = MARKS[memory.words(at // PAGE_SIZE)[word] == MARKS[0]]
    with _overwritten(memory, at, mark):
        if int.from_bytes(memory.read(at, 4), "little") != mark:
            raise gdb.GdbError(f"{physical(at)} is not memory, so nothing can be marked there")
        loaded = _load(space, probe, address)
    frame = at // PAGE_SIZE
    if loaded == mark:
        return lines + [f"agreed: the processor uses frame {frame:#x} too"]
    if loaded is None:
        return lines + [f"DIFFERENT: the processor faults there, though the tables lead to frame {frame:#x}"]
    return lines + [f"STALE: the processor does not use frame {frame:#x}, but loads {loaded:#010x} elsewhere; {FLUSH}"]


def _harmless(memory, address, frame, probe):
    """Returns which word of a frame can be marked: not the load itself, and of a page table none that is in use."""
    if address >= OTHER_WINDOW:
        unused = [index for index, word in enumerate(memory.words(frame)) if not word & PRESENT]
        if not unused:
            raise gdb.GdbError("every entry of this page table is in use, so none can be marked")
        return unused[0]
    word = address % PAGE_SIZE // 4
    return word ^ 512 if frame == probe // PAGE_SIZE and abs(word - probe % PAGE_SIZE // 4) < 8 else word


FLUSH = "an entry was changed and not flushed (rule flush-inside)"


@contextlib.contextmanager
def _overwritten(memory, at, word):
    before = memory.read(at, 4)
    memory.write(at, word.to_bytes(4, "little"))
    try:
        yield
    finally:
        memory.write(at, before)


def _load(space, probe, address):
    """Lets the processor execute one load and returns the word, or None if it faults."""
    stack = register("esp") - PUSHED
    stack_at = space.translate(stack)
    if stack_at is None or stack // PAGE_SIZE != (stack + PUSHED - 1) // PAGE_SIZE:
        raise gdb.GdbError(f"the processor could not report a fault: there is no room on the stack at {virtual(stack)}")
    below = space.memory.read(stack_at, PUSHED)
    with newest_frame():
        saved = {name: register(name) for name in ("eax", "ecx", "esp", "eip", "eflags", "cr2")}
        try:
            set_register("ecx", address)
            set_register("eflags", saved["eflags"] & ~INTERRUPTS_ON)
            set_register("eip", probe)
            space.memory.step()
            # A fault is at its entry now, having pushed what a fault pushes.
            faulted = register("eip") == symbol("page_fault_entry")
            return None if faulted else register("eax")
        finally:
            for name, value in saved.items():
                set_register(name, value)
            space.memory.write(stack_at, below)
