# Says that all is well, and then raises an exception without a table of handlers.
.include "common.s"
    say end pass
    lidt [nothing]
    ud2

.section .rodata
nothing:
    .long 0, 0
