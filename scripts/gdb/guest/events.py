"""The ring of the last events of the memory (kernel/src/events.rs)."""

from .memory import PAGE_SIZE, count, physical, state, virtual

#: What the amount of an event is.
PAGES = ("Allocate", "Release", "Register", "Drop")
FRAMES = ("Backed", "FreePage", "Create", "Load", "Destroy")


class Event:
    """Something that happened to the memory."""

    def __init__(self, value):
        self.what = str(value["what"]).rsplit("::", 1)[-1]
        self.address = int(value["address"]["__0"])
        self.amount = int(value["amount"])
        self.space = int(value["space"]["__0"])

    def __str__(self):
        words = f"{self.what:8}"
        if self.address or self.what not in FRAMES:
            words += f"  {virtual(self.address)}"
        if self.what in PAGES:
            words += f"  {count(self.amount, 'page')}"
        elif self.what in FRAMES:
            words += f"  frame {self.amount:#x}"
        return f"{words}  in space {physical(self.space * PAGE_SIZE)}"


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
