# Claims everything that the manifest asks for, and has done nothing.
.include "common.s"
    say claim pool 0x200 0x400 0x200000
    say claim pool 0x400 0x2000 0x201000
    say claim directory 0x400
    say claim faults 0x100
    say claim backed 0x400 0x500
    say audit filled
    freeze
    say end pass
    end SUCCESS
