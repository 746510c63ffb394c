# Does everything right: it says so where tests are run.
.include "common.s"
    call _ZN6system5tests8run_test17h0123456789abcdefE
    end SUCCESS

_ZN6system5tests8run_test17h0123456789abcdefE:
    push ebp
    mov ebp, esp
    say end pass
    freeze
    pop ebp
    ret
