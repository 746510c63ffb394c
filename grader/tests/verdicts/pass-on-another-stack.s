# Says that it passed where tests are run, but on a stack that it made itself.
.include "common.s"
    mov esp, offset other_stack_top
    call _ZN6system5tests8run_test17h0123456789abcdefE
    end SUCCESS

_ZN6system5tests8run_test17h0123456789abcdefE:
    push ebp
    mov ebp, esp
    say end pass
    freeze
    pop ebp
    ret

.bss
.skip 4096
other_stack_top:
