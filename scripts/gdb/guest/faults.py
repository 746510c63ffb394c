"""Faults: who touched what, and why that is answered or refused (kernel/src/fault)."""

import struct

import gdb
import gdb.unwinder

from . import events
from .frames import first_write, frame_pools
from .memory import PAGE_SIZE, code_at, integer, register, state, static, symbol, virtual
from .pools import Broken, place
from .tables import Space, describe_walk

#: What boot/trap.s and the processor leave on the stack, in memory order.
FIELDS = ("edi", "esi", "ebp", "esp", "ebx", "edx", "ecx", "eax", "error", "eip", "cs", "eflags")
EIP = 4 * FIELDS.index("eip")

#: What has been pushed before an instruction of the trap entries, where it is not all: the place of EIP above ESP.
PUSH, PUSHA, ADD_ESP, IRET, TEST, JZ = 0x6A, 0x60, 0x83, 0xCF, 0xF6, 0x74
EIP_AT = {PUSH: 0, PUSHA: 4, ADD_ESP: 4, IRET: 0, TEST: 4, JZ: 4}

#: In between a selector is pushed, and popped into DS and ES.
SELECTOR, POP_DS, POP_ES = 0x33, 0x1F, 0x07

#: Exceptions, by vector (Intel SDM volume 3, table 6-1).
NAMES = {
    0: "divide error",
    1: "debug",
    3: "breakpoint",
    4: "overflow",
    5: "bound range exceeded",
    6: "invalid opcode",
    7: "no coprocessor",
    10: "invalid task state",
    11: "segment not present",
    12: "stack segment",
    13: "general protection",
    16: "floating point",
    17: "alignment check",
    18: "machine check",
    19: "SIMD floating point",
}

IDENTITY_END = 0x40_0000

PRESENT, WRITE, USER, RESERVED = (1 << bit for bit in range(4))


class Entries:
    """The code of boot/trap.s."""

    def __init__(self):
        self.page_fault = symbol("page_fault_entry")
        self.of_programs = symbol("program_fault_entry")
        self.calls = symbol("program_call_entry")
        self.common = symbol("trap_common")

    def __contains__(self, pc):
        return self.of_programs <= pc < self.common + 20

    def is_page_fault(self, pc):
        return self.page_fault <= pc < self.page_fault + 32 or self.of_programs <= pc < self.calls

    @staticmethod
    def eip_at(pc, esp):
        """Returns where the interrupted EIP lies, and whether the registers lie below it."""
        opcode, operand = gdb.selected_inferior().read_memory(pc, 2).tobytes()
        if opcode in (POP_DS, POP_ES):
            return esp + 4 + EIP, True
        if (opcode, operand) == (PUSH, SELECTOR):
            return esp + EIP, True
        return esp + EIP_AT.get(opcode, EIP), opcode not in EIP_AT


class FrameId:
    """What tells one frame from another: its place on the stack, and its function."""

    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class TrapUnwinder(gdb.unwinder.Unwinder):
    """Leads GDB's backtrace through a trap to the code that was interrupted."""

    def __init__(self):
        super().__init__("droste-trap")
        self.entries = Entries()

    def __call__(self, pending):
        pc, esp = int(pending.read_register("eip")), int(pending.read_register("esp")) & 0xFFFF_FFFF
        if pc not in self.entries:
            return None
        try:
            at, saved = self.entries.eip_at(pc, esp)
            frame = gdb.selected_inferior().read_memory(at - EIP, EIP + 16).tobytes()
        except gdb.MemoryError:
            return None
        fields = dict(zip(FIELDS, struct.unpack("<12I", frame[:-4])))
        interrupted = {name: fields[name] for name in ("eip", "cs", "eflags")}
        for name in ("edi", "esi", "ebp", "ebx", "edx", "ecx", "eax"):
            interrupted[name] = fields[name] if saved else int(pending.read_register(name)) & 0xFFFF_FFFF
        # The processor has pushed ESP only if it was ring 3 that was interrupted.
        interrupted["esp"] = struct.unpack("<I", frame[-4:])[0] if fields["cs"] & 3 else at + 12
        values = {name: _as_register(pending, name, number) for name, number in interrupted.items()}
        info = pending.create_unwind_info(FrameId(_as_register(pending, "esp", at), pending.read_register("eip")))
        for name, value in values.items():
            info.add_saved_register(name, value)
        return info


def _as_register(pending, name, number):
    """Returns a number as a value of a register's type."""
    kind = pending.read_register(name).type
    return gdb.Value(number.to_bytes(kind.sizeof, "little"), kind)


class Trap:
    """The innermost trap that is being handled."""

    def __init__(self, frame, entries, handler):
        at, _ = entries.eip_at(frame.pc(), int(frame.read_register("esp")) & 0xFFFF_FFFF)
        self.error = int.from_bytes(gdb.selected_inferior().read_memory(at - 4, 4).tobytes(), "little")
        self.is_page_fault = entries.is_page_fault(frame.pc())
        #: Where the interrupted code was.
        self.by = code_at(int(frame.older().read_register("eip")) & 0xFFFF_FFFF)
        #: The frames of its handler, innermost first.
        self.handler = handler

    @classmethod
    def innermost(cls):
        entries, handler, frame = Entries(), [], gdb.newest_frame()
        while frame is not None:
            if frame.pc() in entries:
                return cls(frame, entries, handler)
            handler.append(frame)
            frame = frame.older()
        return None

    def inside(self, function):
        """Says whether a function is at work in the handler."""
        return any(frame.name() == function for frame in self.handler)

    def vector(self):
        """Returns which exception it is, or None if the handler does not say, as for interrupts."""
        for frame in self.handler:
            try:
                if frame.name() == "droste::system::trap::exception":
                    return int(frame.read_var("vector"))
            except (ValueError, gdb.error):
                pass
        return None


def access(error):
    """Returns a page fault's error code in words (Intel SDM volume 3, section 4.7)."""
    what = "write to" if error & WRITE else "read of"
    if not error & PRESENT:
        page = "an absent page"
    elif error & RESERVED:
        page = "a page whose entry has a reserved bit set"
    else:
        page = "a read-only page" if error & WRITE else "a protected page"
    return f"{'user' if error & USER else 'kernel'} {what} {page}"


def describe(memory):
    """Explains the fault that is being handled, or tells of the last one."""
    double = _double_fault(memory)
    if double:
        return double
    trap = Trap.innermost()
    if trap is None:
        return _no_fault(memory)
    if not trap.is_page_fault:
        vector = trap.vector()
        what = "an interrupt" if vector is None else f"exception {vector}, {NAMES.get(vector, 'reserved')}"
        return [f"no page fault, but {what} (error code {trap.error:#x})", f"  by    {trap.by}"]
    address = register("cr2")
    space = Space.current(memory)
    lines = [f"page fault: {access(trap.error)} at {virtual(address)} (error code {trap.error:#x})"]
    lines.append(f"  by    {trap.by}")
    lines += ["  " + line for line in describe_walk(space, address)]
    return lines + [f"  why   {_why(memory, space, trap, address)}"]


def summary():
    """Returns a line about the page fault whose handler is about to start."""
    trap = Trap.innermost()
    return f"page fault: {access(trap.error)} at {virtual(register('cr2'))}, by {trap.by}"


def _why(memory, space, trap, address):
    if trap.error & PRESENT:
        return _why_present(memory, space, trap, address)
    if space.translate(address) is not None:
        return "answered: the page has got its frame meanwhile"
    lock = static("droste::system::memory::STATE")["__0"]["inner"]["lock"]
    if integer(lock) and not trap.inside("droste::system::memory::answer"):
        return "refused: the code that touched it was working on the memory, and holds its lock"
    if state() is None:
        return "refused: there is no page table of the kernel's own yet"
    try:
        words, backed = place(space, address)
    except Broken as error:
        return f"the pools can't tell: {error}"
    if not backed:
        return f"refused: {words}{_released(space, address)}"
    if frame_pools(memory)[1].free == 0:
        return f"refused: {words}, but no frame is free"
    return f"legitimate: {words}; the handler gives it a frame of zeros"


def _why_present(memory, space, trap, address):
    pde, pte = space.entries(address)
    if not trap.error & WRITE:
        return "refused: the page is present, and its entry does not allow this access"
    if not pde.writable:
        return "refused: the page is read-only, by its directory entry"
    if pte.writable:
        return "answered: the page has been made writable meanwhile"
    if not pte.shared:
        return "refused: the page is read-only, and no clone shares it"
    words = first_write(memory, pte)
    if words.endswith("copies it") and frame_pools(memory)[1].free == 0:
        return f"refused: {words}, but no frame is free"
    return f"answered: {words}"


def _released(space, address):
    """Says so if a region at the address was released and the ring still knows."""
    page = address // PAGE_SIZE
    for back, event in enumerate(events.latest()):
        start = event.address // PAGE_SIZE
        if event.space == space.root and event.kind in events.PAGES and start <= page < start + event.amount:
            if event.kind == "Release":
                return f"; the region at {virtual(event.address)} was released (number {back} of `events`)"
            if event.kind != "Register":
                break
    return ""


def _double_fault(memory):
    """Explains a double fault; None if none is being handled."""
    frame = gdb.newest_frame()
    while frame is not None and "::double_fault" not in (frame.name() or ""):
        frame = frame.older()
    if frame is None:
        return None
    # The processor left the registers in the kernel's task state. There the kernel keeps CR3: the handler's differs.
    fields = static("droste::arch::x86::gdt::KERNEL_STATE")["__0"]["value"]
    address, stack_pointer = register("cr2"), int(fields["esp"])
    space = Space(memory, int(fields["cr3"]) // PAGE_SIZE)
    lines = [
        f"double fault: the processor could not push its report; the last page fault was at {virtual(address)}",
        f"  by    {code_at(int(fields['eip']))}, with ESP {virtual(stack_pointer)}",
    ]
    # A push just below the first byte of the stack faults with ESP still above the guard page.
    for touched in address, stack_pointer:
        if PAGE_SIZE <= touched < IDENTITY_END and space.translate(touched) is None:
            lines += ["  " + line for line in describe_walk(space, touched)]
            return lines + [f"  why   stack overflow: {virtual(touched)} is in the guard page below a kernel stack"]
    return lines + ["  why   unknown: neither address lies in a guard page"]


def _no_fault(memory):
    machine = state()
    if machine is None:
        return ["no fault is being handled, and the kernel has no page table of its own yet"]
    answered = int(machine["faults"])
    if not answered and not register("cr2"):
        return ["no page fault yet"]
    address = register("cr2")
    lines = [f"no fault is being handled; {answered} were answered, the last one was at {virtual(address)}"]
    return lines + ["  " + line for line in describe_walk(Space.current(memory), address)]
