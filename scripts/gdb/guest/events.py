"""The ring of the last events of the memory (kernel/src/events.rs).

Each event names the space that it happened in. That another space was loaded is not in the ring: it shows in the next
event.
"""

from .memory import PAGE_SIZE, count, physical, register, state, virtual

#: The events that are about pages, from an address on.
PAGES = ("Allocate", "Release", "Register", "Drop")


class Event:
    """Something that happened to the memory."""

    def __init__(self, kind, address, amount, space):
        self.kind, self.address, self.amount, self.space = kind, address, amount, space

    @classmethod
    def of(cls, value):
        """Takes an event from the ring."""
        kind = str(value["kind"]).rsplit("::", 1)[-1]
        return cls(kind, int(value["address"]["__0"]), int(value["amount"]), int(value["space"]["__0"]))

    def __str__(self):
        address, amount = virtual(self.address), self.amount
        words = {
            "Allocate": f"allocate {address}, {count(amount, 'page')}",
            "Release": f"release {address}, {count(amount, 'page')}",
            "Backed": f"backed {address} by frame {amount:#x}",
            "Refused": f"refused {'write to' if amount else 'read of'} {address}",
            "FreePage": f"free_page {address}, frame {amount:#x}",
            "Register": f"register {address}, {count(amount, 'page')}",
            "Unshared": f"unshared {address}, frame {amount:#x}",
            "Duplicate": f"duplicate as space {physical(amount * PAGE_SIZE)}",
            "SwapOut": f"swapped out page {self.address // PAGE_SIZE:#x} of the table in frame {amount:#x}",
            "SwapIn": f"swapped in {address} from slot {amount:#x}",
            "FreeSlot": f"free_page {address}, slot {amount:#x}",
            "FileIn": f"read {address}, file page {amount:#x}",
            "FileOut": f"wrote file {amount}, page {self.address // PAGE_SIZE:#x}",
            "Drop": f"drop {address}, {count(amount, 'page')}",
        }.get(self.kind, f"{self.kind.lower()} space {physical(amount * PAGE_SIZE)}")
        return f"{words}, in space {physical(self.space * PAGE_SIZE)}"


def latest():
    """Returns the events that are kept, the latest first."""
    machine = state()
    if machine is None:
        return []
    events = machine["memory"]["events"]
    recorded, ring = int(events["recorded"]), events["ring"]
    kept = ring.type.range()[1] + 1
    in_ring = [Event.of(ring[(recorded - back) % kept]) for back in range(1, min(recorded, kept) + 1)]
    # Before the first event of all, too, some space was loaded.
    first = [None] if recorded <= kept else []
    found, space = [], register("cr3") // PAGE_SIZE
    for event in in_ring + first:
        before = event.space if event else 0
        if before != space:
            found.append(Event("Load", 0, space, before))
        if event:
            found.append(event)
        space = before
    return found


def describe():
    """Returns the events, the latest first, each with how many came after it."""
    lines = [f"  {back:4}  {event}" for back, event in enumerate(latest())]
    return lines or ["nothing has happened to the memory yet"]
