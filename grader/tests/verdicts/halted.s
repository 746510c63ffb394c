# Waits for an interrupt, with interrupts off.
.include "common.s"
    call stand_still

.type stand_still, @function
stand_still:
    cli
1:  hlt
    jmp 1b
.size stand_still, . - stand_still
