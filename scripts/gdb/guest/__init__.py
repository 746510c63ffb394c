"""What Droste looks like from outside: structures in guest memory, read by a debugger.

Everything is read from physical memory, past the processor's translation, so it works in any address space and on a
kernel that has crashed. Read the modules in this order: `memory`, `tables`, `pools`, `frames`, `faults`, `tlb`.
"""
