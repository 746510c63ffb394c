"""The machine from outside: physical memory, registers, the kernel's symbols and statics."""

import contextlib
import struct

import gdb

PAGE_SIZE = 4096
SPACE_END = 1 << 32


def virtual(address):
    """Prints a virtual address as the kernel does. The end of the space has a digit more."""
    if address == SPACE_END:
        return "0x1_0000_0000"
    return f"0x{address >> 16:04X}_{address & 0xFFFF:04X}"


def physical(address):
    """Prints a physical address as the kernel does."""
    return f"p0x{address >> 16:04X}_{address & 0xFFFF:04X}"


def count(number, what):
    """Prints a number of things: 1 page, 2 pages."""
    return f"{number} {what}{'' if number == 1 else 's'}"


class Memory:
    """Physical memory. It is made anew for each command, since the machine may run in between."""

    def __init__(self, connection):
        self._connection = connection
        self._frames = {}

    @classmethod
    @contextlib.contextmanager
    def opened(cls):
        """Turns QEMU's GDB stub from virtual to physical addresses for as long as the memory is in use."""
        inferior = gdb.selected_inferior()
        connection = inferior.connection
        if not inferior.pid or not hasattr(connection, "send_packet"):
            raise gdb.GdbError("no machine is connected")
        memory = cls(connection)
        memory._by_physical_address(True)
        try:
            yield memory
        finally:
            memory._by_physical_address(False)

    def _by_physical_address(self, on):
        if self._connection.send_packet(f"Qqemu.PhyMemMode:{int(on)}") != b"OK":
            raise gdb.GdbError("this GDB stub does not show physical memory: QEMU's does")

    def frame(self, number):
        """Returns the bytes of a frame; each is read once."""
        if number not in self._frames:
            self._frames[number] = self.read(number * PAGE_SIZE, PAGE_SIZE)
        return self._frames[number]

    def word(self, address):
        """Returns the 32-bit word at a physical address, by way of its frame."""
        return struct.unpack_from("<I", self.frame(address // PAGE_SIZE), address % PAGE_SIZE)[0]

    def words(self, number):
        """Returns the 1024 words of a frame."""
        return struct.unpack("<1024I", self.frame(number))

    def read(self, address, length):
        """Returns bytes as they are now."""
        return gdb.selected_inferior().read_memory(address, length).tobytes()

    def write(self, address, data):
        """Overwrites bytes of physical memory."""
        gdb.selected_inferior().write_memory(address, data)
        self._frames.pop(address // PAGE_SIZE, None)

    def step(self):
        """Lets the processor execute one instruction. GDB is told nothing but that registers have changed, so that it
        goes on as if it had stopped here once: with its breakpoints and without a word."""
        self._connection.send_packet("s")
        gdb.execute("maintenance flush register-cache", to_string=True)


@contextlib.contextmanager
def newest_frame():
    """Selects the newest frame for a while: registers are changed in the selected one."""
    level = gdb.selected_frame().level()
    gdb.newest_frame().select()
    try:
        yield
    finally:
        frame = gdb.newest_frame()
        for _ in range(level):
            frame = frame.older()
        frame.select()


def register(name):
    """Returns a register of the processor as a 32-bit number."""
    return int(gdb.newest_frame().read_register(name)) & 0xFFFF_FFFF


def set_register(name, value):
    """Changes a register of the processor."""
    gdb.execute(f"set ${name} = {value}", to_string=True)


@contextlib.contextmanager
def language(name):
    """Lets GDB read expressions as that language's. It chooses by the frame, and some frames are assembly."""
    before = gdb.parameter("language")
    gdb.execute(f"set language {name}", to_string=True)
    try:
        yield
    finally:
        # GDB warns if what it is set to does not match the frame.
        gdb.execute(f"set language {before}", to_string=True)


def symbol(name):
    """Returns the address of a symbol of assembly or of the linker script."""
    with language("c"):
        return int(gdb.parse_and_eval(f"(unsigned long) &{name}"))


def integer(value):
    """Returns the number in a value that wraps nothing else, however deep: its fields are its library's affair."""
    while value.type.strip_typedefs().code == gdb.TYPE_CODE_STRUCT and len(value.type.fields()) == 1:
        value = value[value.type.fields()[0]]
    return int(value)


def evaluate(words):
    """Returns the address that a user's expression names: a number, `$cr2`, `&x`, or a value of one word such as a
    `VirtAddr`. Underscores in numbers are allowed in any language."""
    try:
        address = integer(gdb.parse_and_eval(words.replace("_", "") if words[:1].isdigit() else words))
    except (gdb.error, TypeError, ValueError, OverflowError) as error:
        raise gdb.GdbError(f"{words}: not an address: {error}") from None
    if not 0 <= address < SPACE_END:
        raise gdb.GdbError(f"{words}: {address:#x} is not a 32-bit address")
    return address


def static(path):
    """Returns the value of a static of the kernel."""
    with language("rust"):
        return gdb.parse_and_eval(path)


def held(path):
    """Returns what a static `Locked<Option<_>>` of the kernel holds; None while it holds nothing."""
    # Locked(Mutex { inner: SpinMutex { data: UnsafeCell { value } } })
    value = static(path)["__0"]["inner"]["data"]["value"]
    if "Some" not in [field.name for field in value.type.fields()]:
        return None
    with language("rust"):
        return value["Some"]["__0"]


def state():
    """Returns the kernel's `memory::State`; None before it has made its first page table."""
    return held("droste::system::memory::STATE")


def code_at(address):
    """Returns the kernel's functions at an address of code, innermost first, with the line unless the code is a library
    function's that was inlined there."""
    line, block = gdb.find_pc_line(address), gdb.block_for_pc(address)
    names = []
    while block:
        if block.function:
            names.append(block.function.name)
        block = block.superblock
    ours = [name for name in names if name.startswith("droste::")]
    if not ours:
        return f"unknown code at {virtual(address)}"
    where = f", {line.symtab.filename}:{line.line}" if ours[0] == names[0] and line.symtab else ""
    inside = f" in {ours[-1]}" if len(ours) > 1 else ""
    return f"{ours[0]}{where}{inside}, at {virtual(address)}"
