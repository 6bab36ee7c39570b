//! Keeps what the C library holds of freed memory small.
//!
//! It keeps what was freed between pieces that are in use, and at the end of the heap of each thread that ever allocated
//! something; and the larger the pieces are that are freed, the more it keeps from then on. After a document of megabytes
//! has been taken apart and forgotten, that is most of what it took.

/// From this size on, a piece is taken from the system and given back by itself; the end of a heap is given back when it is
/// longer. Bytes; what the C library begins with.
#[cfg(target_env = "gnu")]
const LARGE: nix::libc::c_int = 128 << 10;

/// Lets the allocator give back large pieces always, also if many were freed before. To be called before there are
/// threads. Does nothing where the C library has no such setting.
pub fn keep_little() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: no other thread allocates yet, and both settings take any size. There is no safe call for them.
        unsafe {
            nix::libc::mallopt(nix::libc::M_MMAP_THRESHOLD, LARGE);
            nix::libc::mallopt(nix::libc::M_TRIM_THRESHOLD, LARGE);
        }
    }
}

/// Asks the allocator for what it does not use. Takes milliseconds after something large, and hardly any after nothing;
/// other threads wait for that if they allocate. Does nothing where the C library has no such call.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: it has no preconditions, and may be called by several threads at a time. There is no safe call for it.
        unsafe { nix::libc::malloc_trim(0) };
    }
}
