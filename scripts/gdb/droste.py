"""Commands that show what Droste does with memory. `make debug` loads this file; `help droste` lists them."""

import os
import sys

import gdb
import gdb.unwinder

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from guest import events, faults, frames, maps, monitor, pools, tables, tlb  # noqa: E402
from guest.memory import PAGE_SIZE, Memory, count, evaluate, physical, symbol  # noqa: E402


class Command(gdb.Command):
    """A command: takes from `least` to `most` words and prints lines."""

    least = most = 0

    def __init__(self):
        name = type(self).__name__.lower().replace("_", "-")
        super().__init__(name, gdb.COMMAND_DATA)
        self.usage = f"usage: {self.__doc__.splitlines()[0].split(':')[0]}"

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        if not self.least <= len(words) <= self.most:
            raise gdb.GdbError(self.usage)
        try:
            for line in self.lines(words):
                print(line)
        except (gdb.error, gdb.MemoryError, pools.Broken) as error:
            raise gdb.GdbError(str(error)) from None

    def lines(self, words):
        with Memory.opened() as memory:
            return self.look(memory, words)


class SpaceCommand(Command):
    """A command about an address space: its last word may name one."""

    def look(self, memory, words):
        name = words[self.least] if len(words) > self.least else None
        space = tables.Space.named(memory, name) if name else tables.Space.current(memory)
        return self.look_at(space, words)


class Walk(SpaceCommand):
    """walk ADDRESS [SPACE]: the way of an address through directory and table, and what it is to the pools."""

    least, most = 1, 2

    def look_at(self, space, words):
        address = evaluate(words[0])
        lines = tables.describe_walk(space, address)
        pde, pte = space.entries(address)
        if pde.writable and pte.shared:
            lines.append(f"  share {frames.first_write(space.memory, pte)}")
        if address // PAGE_SIZE in pools.POOL_PAGES:
            try:
                lines.append(f"  lies  {pools.place(space, address)[0]}")
            except pools.Broken as error:
                lines.append(f"  lies  not to be told: {error}")
        return lines


class Maps(SpaceCommand):
    """maps [SPACE]: what an address space maps: pages, rights, whose they are, frames."""

    most = 1

    def look_at(self, space, words):
        return maps.describe(space)


class Regions(SpaceCommand):
    """regions [SPACE]: the pools of an address space, their regions, and how much of them is backed."""

    most = 1

    def look_at(self, space, words):
        return pools.describe(space)


class Frames(Command):
    """frames [FRAME]: a picture of the process pool by what frames are used for, or all about one frame number."""

    most = 1

    def look(self, memory, words):
        return frames.describe_one(memory, evaluate(words[0])) if words else frames.describe(memory)


class Spaces(Command):
    """spaces: all address spaces there are, and what each has of frames."""

    def look(self, memory, words):
        _, pool = frames.frame_pools(memory)
        lines = []
        for space in frames.spaces(memory, pool):
            try:
                own = count(len(pools.pools(space)), "pool")
            except pools.Broken as error:
                own = f"pools: {error}"
            own_tables = [pair for pair in space.tables() if pair[0]]
            pages = sum(1 for pair in own_tables for _ in space.pages(*pair))
            mark = "*" if space.is_current() else " "
            directory = physical(space.root * PAGE_SIZE)
            lines.append(f"{mark} {directory}  {own}, {count(len(own_tables), 'page table')}, {count(pages, 'page')}")
        return lines + ["* is the current one. Each has the table of the first 4 MiB too, which they share."]


class Fault(Command):
    """fault: what was touched, by whom, and why that is answered or refused; of the last fault, if none is handled."""

    def look(self, memory, words):
        return faults.describe(memory)


class Events(Command):
    """events: the last things that happened to the memory, the latest first, as the kernel has recorded them."""

    def look(self, memory, words):
        return events.describe()


class TlbCheck(Command):
    """tlbcheck ADDRESS: compares what the processor translates an address to with what the tables say."""

    least = most = 1

    def look(self, memory, words):
        return tlb.check(memory, evaluate(words[0]))


class Break_Fault(Command):
    """break-fault [ADDRESS]: stops where the handler of page faults starts; with an address, at faults in its page.

    The page, not the address: a page faults once, at whichever of its addresses is touched first."""

    most = 1

    def lines(self, words):
        page = evaluate(words[0]) // PAGE_SIZE if words else None
        FaultBreakpoint("page_fault_entry", page, "")
        FaultBreakpoint("fault_of_a_program", page, " (a program's)")
        return []


class FaultBreakpoint(gdb.Breakpoint):
    """Stops at page faults, and says what was touched."""

    def __init__(self, entry, page, whose):
        super().__init__(f"*{symbol(entry):#x}")
        self.page = page
        self.whose = whose

    def stop(self):
        if self.page not in (None, int(gdb.parse_and_eval("$cr2")) // PAGE_SIZE):
            return False
        print(faults.summary() + self.whose)
        return True


COMMANDS = (Walk, Maps, Regions, Frames, Spaces, Fault, Events, TlbCheck, Break_Fault)


class Droste(gdb.Command):
    __doc__ = """Commands that show what Droste does with memory.

They read physical memory, so they work on a stopped or crashed kernel and in any address space. An ADDRESS is a number
(0x4000_1000) or any expression ($cr2, a variable). A SPACE is the physical address of its directory, as `spaces`
prints it; without one, the current space is meant.

""" + "\n".join(command.__doc__.splitlines()[0] for command in COMMANDS)

    def __init__(self):
        super().__init__("droste", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        print(self.__doc__)


class Monitor(gdb.Command):
    """monitor COMMAND: what QEMU's monitor answers to a command. `monitor help` lists its own.

In place of GDB's own command of this name, which hangs at a long answer."""

    def __init__(self):
        super().__init__("monitor", gdb.COMMAND_OBSCURE)

    def invoke(self, argument, from_tty):
        try:
            print(monitor.ask(MONITOR, argument), end="")
        except monitor.MonitorError as error:
            raise gdb.GdbError(f"monitor: {error}") from None


for command in (*COMMANDS, Droste):
    command()
# Set by `make debug`, which starts the machine; one started in another way has GDB's own.
if MONITOR := os.environ.get("DROSTE_MONITOR"):
    Monitor()
gdb.unwinder.register_unwinder(None, faults.TrapUnwinder(), replace=True)
