//! The runner with an allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::OsStr;
use std::fmt;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Parser as _;
use rumormill::options::Options;
use rumormill::process;

/// The allocator of the system, with counts of its calls.
pub struct Counting;

static ALLOCATED: AtomicU64 = AtomicU64::new(0);
static REALLOCATED: AtomicU64 = AtomicU64::new(0);
static FREED: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the allocator of the system as it is; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(&ALLOCATED, layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(&ALLOCATED, layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(&REALLOCATED, size);
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(&FREED, 0);
        unsafe { System.dealloc(at, layout) }
    }
}

fn count(what: &AtomicU64, bytes: usize) {
    what.fetch_add(1, Ordering::SeqCst);
    BYTES.fetch_add(bytes as u64, Ordering::SeqCst);
}

/// The calls of the allocator since the process began.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Counts([u64; 4]);

impl Counts {
    /// The length of the counts as the child sends them, in bytes.
    pub const BYTES: usize = 32;

    fn now() -> Self {
        Self([&ALLOCATED, &REALLOCATED, &FREED, &BYTES].map(|count| count.load(Ordering::SeqCst)))
    }

    fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        for (count, place) in self.0.iter().zip(bytes.chunks_exact_mut(8)) {
            place.copy_from_slice(&count.to_le_bytes());
        }
        bytes
    }

    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let mut counts = [0; 4];
        for (count, place) in counts.iter_mut().zip(bytes.chunks_exact(8)) {
            *count = u64::from_le_bytes(place.try_into().expect("chunks of eight"));
        }
        Self(counts)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [allocated, reallocated, freed, bytes] = self.0;
        write!(f, "{allocated} allocations, {reallocated} reallocations, {freed} frees, {bytes} bytes in all")
    }
}

/// Does what `main` of the runner does, beside a thread that sends the counts on request.
pub fn run(control: &OsStr) -> ExitCode {
    let mut control = UnixStream::connect(control).expect("the parent listens");
    std::thread::spawn(move || {
        let mut question = [0];
        while control.read_exact(&mut question).is_ok() && control.write_all(&Counts::now().to_bytes()).is_ok() {}
    });
    let options = Options::parse();
    let node = options.node::<rumormill_core::storage::Heap>().expect("choices within their bounds");
    let _log = options.start_log();
    process::run(node, options.max_line_bytes()).expect("the pipes work");
    ExitCode::SUCCESS
}
