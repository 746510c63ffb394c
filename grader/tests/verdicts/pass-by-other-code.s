# Says that it passed where tests are run, after it ran an instruction that it made in its data.
.include "common.s"
    mov byte ptr [made], 0xC3 # ret
    mov eax, offset made
    call eax
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
made:
.skip 1
