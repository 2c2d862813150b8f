//! The board: an LM3S6965 (Cortex-M3, 256 KiB of flash, 64 KiB of RAM), as QEMU's machine `lm3s6965evb` has it.

mod clock;
pub(crate) mod host;
mod uart;

pub(crate) use clock::Clock;
pub(crate) use uart::{Byte, Uart};

/// Starts UART and clock. `None` the second time.
pub(crate) fn start() -> Option<(Uart, Clock)> {
    let core = cortex_m::Peripherals::take()?;
    Some((Uart::start(core.NVIC), Clock::start(core.SYST)))
}

/// How often the firmware was started, as its loader counts in the last page of the flash; `None` if the loader does
/// not count.
pub(crate) fn starts() -> Option<u64> {
    unsafe extern "C" {
        static _starts: [u32; 2];
    }
    // SAFETY: two aligned words of flash, reserved in the memory map and never written by this program.
    let [low, high] = unsafe { core::ptr::read_volatile(&raw const _starts) };
    // Flash that was never written is all ones, or under QEMU all zeros.
    let count = u64::from(high) << 32 | u64::from(low);
    (count != 0 && count != u64::MAX).then_some(count)
}

/// A number that differs between boards: the address of the network interface, which the maker wrote into a register.
pub(crate) fn id() -> u64 {
    const USER_REGISTERS: *const [u32; 2] = 0x400f_e1e0 as *const [u32; 2];
    // SAFETY: both are registers that can be read without effect.
    let [low, high] = unsafe { core::ptr::read_volatile(USER_REGISTERS) };
    u64::from(high) << 24 | u64::from(low & 0x00ff_ffff)
}
