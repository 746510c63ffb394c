# The headers by which a boot loader recognises the kernel. They lie within the first 8 KiB of the file: linker.ld puts
# this section first. Sources: Multiboot Specification 0.6.96, section 3.1; Multiboot2 Specification 2.0, section 3.1.

.section .multiboot, "a"

# Multiboot 1: magic, flags, and a checksum that makes the three add up to zero.
.balign 4
.set MB1_PAGE_ALIGN_MODULES, 1 << 0
.set MB1_MEMORY_INFORMATION, 1 << 1
.set MB1_MAGIC, 0x1BADB002
.set MB1_FLAGS, MB1_PAGE_ALIGN_MODULES | MB1_MEMORY_INFORMATION
    .long MB1_MAGIC
    .long MB1_FLAGS
    .long -(MB1_MAGIC + MB1_FLAGS)

# Multiboot 2: magic, architecture, length, checksum, then tags, each on a boundary of 8 bytes.
.balign 8
.set MB2_MAGIC, 0xE85250D6
.set MB2_I386_PROTECTED_MODE, 0
mb2_header:
    .long MB2_MAGIC
    .long MB2_I386_PROTECTED_MODE
    .long mb2_header_end - mb2_header
    .long -(MB2_MAGIC + MB2_I386_PROTECTED_MODE + (mb2_header_end - mb2_header))

    # Align modules to pages, as in Multiboot 1: type 6, no flags, 8 bytes. The memory map comes unasked.
    .short 6, 0
    .long 8
    # A framebuffer of any size, where there is one: type 5, optional, 20 bytes, then width, height and bits of a pixel.
    .short 5, 1
    .long 20
    .long 0, 0, 0
    .balign 8
    # The end: type 0, no flags, 8 bytes.
    .short 0, 0
    .long 8
mb2_header_end:
