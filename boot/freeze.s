# The freeze port: QEMU's pvpanic device. Told that the guest panicked, it stops the machine until whoever watches from
# outside has looked at it; where nobody does, nothing happens. Fastcall, without arguments.
#
# The watcher wants to see a machine here, called from where it should be: so this has a frame of its own.

.section .text.freeze, "ax"

.global freeze_port
freeze_port:
    push ebp
    mov ebp, esp
    pushfd
    cli                     # an interrupt would be taken before the stop, and the machine be found elsewhere
    mov edx, 0x505          # the port
    mov eax, 1              # "panicked"
    out dx, al
    jmp frozen              # QEMU stops here or at the jump's end; without one it would run on to the next elsewhere
.global frozen
frozen:
    popfd
    pop ebp
    ret
