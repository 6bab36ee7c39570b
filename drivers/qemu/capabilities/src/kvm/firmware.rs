//! The guest that finds out whether KVM works: a firmware image of a few instructions.
//!
//! ```text
//! reset vector ─▶ 16 bits ─▶ 32 bits ─▶ has the processor 64? ─▶ paging, 64 bits ─▶ count ─▶ end
//!                                              └──────────── no ───────────────────┘
//! ```
//!
//! The processor is brought to the mode that operating systems use, because some hosts run only
//! the others, or only those, without help. The counting is what emulation is too slow for.

/// Size of the image: the last segment below 4 GiB and below 1 MiB, where it appears too.
const SIZE: usize = 0x1_0000;
/// Where an x86 processor begins, within that segment.
const RESET_VECTOR: usize = 0xfff0;
/// Where our code begins, within that segment.
const START: usize = 0xff00;
/// How often it counts: some twenty milliseconds for a processor, minutes for the kernel.
const COUNT: u32 = 50_000_000;

/// The port of `isa-debug-exit`.
pub(super) const EXIT_PORT: u8 = 0xf4;
const EXIT_VALUE: u8 = 0x10;
/// What that device makes of the value.
pub(super) const EXIT_STATUS: i32 = (EXIT_VALUE as i32) << 1 | 1;

// Offsets within CODE of what is named by address. The image appears at 0xf0000 too.
const IN_32_BITS: usize = 0x18;
const COUNTING: usize = 0x84;
const TABLE: usize = 0xa0;
const TABLE_POINTER: usize = 0xc0;

const fn low(offset: usize) -> u8 {
    ((START + offset) & 0xff) as u8
}

const fn high(offset: usize) -> u8 {
    ((START + offset) >> 8) as u8
}

const COUNT_BYTES: [u8; 4] = COUNT.to_le_bytes();

#[rustfmt::skip]
const CODE: [u8; 0xc6] = [
    // 16 bits.
    0x2e, 0x0f, 0x01, 0x16, low(TABLE_POINTER), high(TABLE_POINTER), // lgdt [cs:TABLE_POINTER]
    0x90,                                           // nop
    0x66, 0xb8, 0x11, 0x00, 0x00, 0x00,             // mov eax, protected mode
    0x0f, 0x22, 0xc0,                               // mov cr0, eax
    0x66, 0xea, low(IN_32_BITS), high(IN_32_BITS), 0x0f, 0x00, 0x08, 0x00, // jmp 0x08:IN_32_BITS
    // 32 bits: the segments.
    0xb0, 0x18,                                     // mov al, 0x18
    0x0f, 0xb6, 0xc0,                               // movzx eax, al
    0x8e, 0xd8,                                     // mov ds, eax
    0x8e, 0xc0,                                     // mov es, eax
    0x8e, 0xd0,                                     // mov ss, eax
    // Has it 64 bits?
    0xb8, 0x01, 0x00, 0x00, 0x80,                   // mov eax, 0x80000001
    0x0f, 0xa2,                                     // cpuid
    0x0f, 0xba, 0xe2, 0x1d,                         // bt edx, 29
    0x73, 0x54,                                     // jnc COUNTING
    // Page tables: three pages from 0x1000 on, which map 2 MiB to themselves.
    0xbf, 0x00, 0x10, 0x00, 0x00,                   // mov edi, 0x1000
    0x31, 0xc0,                                     // xor eax, eax
    0xb9, 0x00, 0x0c, 0x00, 0x00,                   // mov ecx, 3 * 1024
    0xfc,                                           // cld
    0xf3, 0xab,                                     // rep stosd
    0x66, 0xc7, 0x05, 0x00, 0x10, 0x00, 0x00, 0x03, 0x20, // mov word [0x1000], 0x2003
    0x66, 0xc7, 0x05, 0x00, 0x20, 0x00, 0x00, 0x03, 0x30, // mov word [0x2000], 0x3003
    0xc6, 0x05, 0x00, 0x30, 0x00, 0x00, 0x83,       // mov byte [0x3000], 0x83
    0xb8, 0x00, 0x10, 0x00, 0x00,                   // mov eax, 0x1000
    0x0f, 0x22, 0xd8,                               // mov cr3, eax
    // Paging and 64 bits.
    0xb8, 0x20, 0x00, 0x00, 0x00,                   // mov eax, physical address extension
    0x0f, 0x22, 0xe0,                               // mov cr4, eax
    0xb9, 0x80, 0x00, 0x00, 0xc0,                   // mov ecx, EFER
    0x0f, 0x32,                                     // rdmsr
    0x0f, 0xba, 0xe8, 0x08,                         // bts eax, long mode
    0x0f, 0x30,                                     // wrmsr
    0xb8, 0x11, 0x00, 0x00, 0x80,                   // mov eax, paging and protected mode
    0x0f, 0x22, 0xc0,                               // mov cr0, eax
    0xea, low(COUNTING), high(COUNTING), 0x0f, 0x00, 0x10, 0x00, // jmp 0x10:COUNTING
    // 32 or 64 bits, these instructions are the same.
    0xb9, COUNT_BYTES[0], COUNT_BYTES[1], COUNT_BYTES[2], COUNT_BYTES[3], // mov ecx, COUNT
    0xff, 0xc9,                                     // dec ecx
    0x75, 0xfc,                                     // jnz to the dec
    // Three ways to QEMU's end: its own device, the keyboard controller's and the chipset's reset.
    0xb0, EXIT_VALUE,                               // mov al, EXIT_VALUE
    0xe6, EXIT_PORT,                                // out EXIT_PORT, al
    0xb0, 0xfe,                                     // mov al, 0xfe
    0xe6, 0x64,                                     // out 0x64, al
    0x66, 0xba, 0xf9, 0x0c,                         // mov dx, 0xcf9
    0xb0, 0x06,                                     // mov al, 6
    0xee,                                           // out dx, al
    0xf4,                                           // hlt
    0xeb, 0xfd,                                     // jmp to the hlt
    0x90,                                           // nop
    // TABLE: segment descriptors.
    0, 0, 0, 0, 0, 0, 0, 0,                         // none
    0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0,             // 0x08: code of 32 bits
    0xff, 0xff, 0, 0, 0, 0x9b, 0xaf, 0,             // 0x10: code of 64 bits
    0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0,             // 0x18: data
    // TABLE_POINTER: length less one, address.
    0x1f, 0x00, low(TABLE), high(TABLE), 0x0f, 0x00,
];

/// The image, ready to be written to a file.
pub(super) fn image() -> Vec<u8> {
    const HALT: u8 = 0xf4;
    let mut image = vec![HALT; SIZE];
    image[START..START + CODE.len()].copy_from_slice(&CODE);
    // A near jump counts from the instruction after it.
    let distance = (START as i32 - (RESET_VECTOR as i32 + 3)) as i16;
    let [low, high] = distance.to_le_bytes();
    image[RESET_VECTOR..RESET_VECTOR + 3].copy_from_slice(&[0xe9, low, high]);
    image
}

#[cfg(test)]
mod tests {
    use super::{
        CODE, COUNT_BYTES, COUNTING, IN_32_BITS, RESET_VECTOR, SIZE, START, TABLE, TABLE_POINTER,
        image,
    };

    #[test]
    fn the_reset_vector_jumps_to_the_code() {
        let image = image();
        assert_eq!(image.len(), SIZE);
        assert_eq!(image[RESET_VECTOR], 0xe9);
        let distance = i16::from_le_bytes([image[RESET_VECTOR + 1], image[RESET_VECTOR + 2]]);
        let target = (RESET_VECTOR + 3) as i32 + i32::from(distance);
        assert_eq!(target, START as i32);
        assert_eq!(image[START..START + CODE.len()], CODE);
    }

    /// What is named by address is where the names say.
    #[test]
    fn addresses_fit() {
        assert_eq!(CODE[IN_32_BITS..IN_32_BITS + 2], [0xb0, 0x18]);
        assert_eq!(CODE[COUNTING], 0xb9);
        assert_eq!(CODE[COUNTING + 1..COUNTING + 5], COUNT_BYTES);
        assert_eq!(CODE[TABLE + 8..TABLE + 10], [0xff, 0xff]);
        assert_eq!(CODE[TABLE_POINTER..TABLE_POINTER + 2], [0x1f, 0]);
        assert_eq!(START + CODE.len(), START + TABLE_POINTER + 6);
        // The short jump over the 64-bit part.
        let jump = CODE.windows(2).position(|two| two == [0x73, 0x54]).unwrap();
        assert_eq!(jump + 2 + 0x54, COUNTING);
    }
}
