//! UART0 (a PL011). Bytes that are received wait in a ring until they are read. Bytes to send leave at once.
//!
//! The input is framed as in IBM's BSC: DLE EOT ends the transmission, SYN means nothing, and a DLE before a DLE or SYN
//! makes that an ordinary byte.

use core::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

use cortex_m::peripheral::NVIC;
use lm3s6965::{Interrupt, interrupt};
use rumormill_core::{Sink, SinkFull};

/// How many bytes can wait to be read.
const RING: usize = 256;

static BYTES: [AtomicU8; RING] = [const { AtomicU8::new(0) }; RING];
/// How many bytes were received. Only the interrupt writes it.
static RECEIVED: AtomicUsize = AtomicUsize::new(0);
/// How many bytes were read. Only the program writes it.
static READ: AtomicUsize = AtomicUsize::new(0);
/// The ring was full, so the interrupt is off.
static STOPPED: AtomicBool = AtomicBool::new(false);
const BASE: usize = 0x4000_c000;
/// The register of data, with flags about the byte that was received.
const DATA: *mut u32 = BASE as *mut u32;
const FLAGS: *mut u32 = (BASE + 0x18) as *mut u32;
const LINE_CONTROL: *mut u32 = (BASE + 0x2c) as *mut u32;
const CONTROL: *mut u32 = (BASE + 0x30) as *mut u32;
const INTERRUPT_MASK: *mut u32 = (BASE + 0x38) as *mut u32;
/// Run-mode clock gating, and its bit of UART0.
const CLOCK_GATING_1: *mut u32 = 0x400f_e104 as *mut u32;
const UART0: u32 = 1;

const RECEIVE_EMPTY: u32 = 1 << 4;
const TRANSMIT_EMPTY: u32 = 1 << 7;
/// Eight bits, FIFOs on. A byte that came before is lost, so a sender that does not wait for this side begins with a
/// SYN.
const EIGHT_BITS: u32 = 0b11 << 5 | 1 << 4;
/// How many bytes the FIFO for sending holds.
const FIFO: usize = 16;
/// The bits that enable UART, transmitter and receiver.
const ENABLED: u32 = 1 | 1 << 8 | 1 << 9;
/// The interrupts for received bytes, and for bytes that have waited in the FIFO for some time.
const RECEIVE: u32 = 1 << 4 | 1 << 6;

fn get(register: *const u32) -> u32 {
    // SAFETY: all addresses above are registers of this UART, or of the clock gating.
    unsafe { register.read_volatile() }
}

fn set(register: *mut u32, value: u32) {
    // SAFETY: as for `get`; none of them makes the hardware touch memory.
    unsafe { register.write_volatile(value) }
}

#[interrupt]
fn UART0() {
    let mut received = RECEIVED.load(Ordering::Relaxed);
    while get(FLAGS) & RECEIVE_EMPTY == 0 {
        if received.wrapping_sub(READ.load(Ordering::Acquire)) == RING {
            // `Uart::received` switches it on again.
            set(INTERRUPT_MASK, 0);
            STOPPED.store(true, Ordering::Release);
            break;
        }
        BYTES[received % RING].store(get(DATA) as u8, Ordering::Relaxed);
        received = received.wrapping_add(1);
        RECEIVED.store(received, Ordering::Release);
    }
}

/// The result of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Byte {
    /// A byte.
    Is(u8),
    /// There is no byte at present.
    NoneYet,
    /// The end of the transmission.
    End,
}

/// Data link escape: the next byte has another meaning.
const DLE: u8 = 0x10;
/// After a DLE, the end of the transmission.
const EOT: u8 = 0x04;
/// Synchronous idle: it means nothing.
const SYN: u8 = 0x16;

/// UART0.
pub(crate) struct Uart {
    escaped: bool,
    ended: bool,
}

impl Uart {
    pub(super) fn start(_: NVIC) -> Self {
        set(CLOCK_GATING_1, get(CLOCK_GATING_1) | UART0);
        set(LINE_CONTROL, EIGHT_BITS);
        set(CONTROL, ENABLED);
        set(INTERRUPT_MASK, RECEIVE);
        // SAFETY: the handler above shares nothing but atomics with the program.
        unsafe { NVIC::unmask(Interrupt::UART0) };
        Self { escaped: false, ended: false }
    }

    /// The next byte.
    pub(crate) fn read(&mut self) -> Byte {
        loop {
            if self.ended {
                return Byte::End;
            }
            let Some(byte) = self.received() else { return Byte::NoneYet };
            match (core::mem::take(&mut self.escaped), byte) {
                (false, DLE) => self.escaped = true,
                (false, SYN) => {}
                (true, EOT) => {
                    // Each further read gives the end again.
                    self.ended = true;
                    return Byte::End;
                }
                (false | true, byte) => return Byte::Is(byte),
            }
        }
    }

    fn received(&mut self) -> Option<u8> {
        let read = READ.load(Ordering::Relaxed);
        if RECEIVED.load(Ordering::Acquire) == read {
            return None;
        }
        let byte = BYTES[read % RING].load(Ordering::Relaxed);
        READ.store(read.wrapping_add(1), Ordering::Release);
        if STOPPED.swap(false, Ordering::AcqRel) {
            set(INTERRUPT_MASK, RECEIVE);
        }
        Some(byte)
    }

    /// Waits for any interrupt, if no byte was received.
    pub(crate) fn sleep(&self) {
        // An interrupt that comes after this check still wakes the core, and is handled afterwards.
        cortex_m::interrupt::free(|_| {
            if RECEIVED.load(Ordering::Relaxed) == READ.load(Ordering::Relaxed) {
                cortex_m::asm::wfi();
            }
        });
    }
}

impl Sink for Uart {
    fn put(&mut self, bytes: &[u8]) -> Result<(), SinkFull> {
        for some in bytes.chunks(FIFO) {
            while get(FLAGS) & TRANSMIT_EMPTY == 0 {}
            for byte in some {
                set(DATA, u32::from(*byte));
            }
        }
        Ok(())
    }
}
