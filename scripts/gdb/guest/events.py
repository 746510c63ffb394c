"""The ring of the last events of the memory (kernel/src/events.rs)."""

from .memory import PAGE_SIZE, count, physical, state, virtual

#: The events that are about pages, from an address on.
PAGES = ("Allocate", "Release", "Register", "Drop")


class Event:
    """Something that happened to the memory."""

    def __init__(self, value):
        self.what = str(value["what"]).rsplit("::", 1)[-1]
        self.address = int(value["address"]["__0"])
        self.amount = int(value["amount"])
        self.space = int(value["space"]["__0"])

    def __str__(self):
        address, amount = virtual(self.address), self.amount
        words = {
            "Allocate": f"allocate {address}, {count(amount, 'page')}",
            "Release": f"release {address}, {count(amount, 'page')}",
            "Backed": f"backed {address} by frame {amount:#x}",
            "Refused": f"refused {'write to' if amount else 'read of'} {address}",
            "FreePage": f"free_page {address}, frame {amount:#x}",
            "Register": f"register {address}, {count(amount, 'page')}",
            "Drop": f"drop {address}, {count(amount, 'page')}",
        }.get(self.what, f"{self.what.lower()} space {physical(amount * PAGE_SIZE)}")
        return f"{words}, in space {physical(self.space * PAGE_SIZE)}"


def latest():
    """Returns the events that are kept, the latest first."""
    machine = state()
    if machine is None:
        return []
    events = machine["memory"]["events"]
    recorded, ring = int(events["recorded"]), events["ring"]
    kept = ring.type.range()[1] + 1
    return [Event(ring[(recorded - back) % kept]) for back in range(1, min(recorded, kept) + 1)]


def describe():
    """Returns the events, the latest first, each with how many came after it."""
    lines = [f"  {back:4}  {event}" for back, event in enumerate(latest())]
    return lines or ["nothing has happened to the memory yet"]
