//! What only a debugger or an emulator can do for the program, by Arm's semihosting: command line, log, exit status.
//!
//! A device in the field has none of it. There the choices are constants, the log goes nowhere or to a second UART, and the
//! end is a reset.

use core::panic::PanicInfo;

use cortex_m_rt::{ExceptionFrame, exception};

const WRITE0: u32 = 0x04;
const GET_COMMAND_LINE: u32 = 0x15;
const EXIT_EXTENDED: u32 = 0x20;
/// The reason for an exit: the program is done.
const APPLICATION_EXIT: u32 = 0x20026;

/// Status for a wrong command line.
const REFUSED: u32 = 2;
/// Status for everything that must not happen.
const FAILED: u32 = 1;

fn call(operation: u32, argument: *const u32) -> u32 {
    let result;
    // SAFETY: the host reads, and for `GET_COMMAND_LINE` writes, what the callers below pass, and nothing else.
    unsafe {
        core::arch::asm!("bkpt 0xab", inout("r0") operation => result, in("r1") argument, options(nostack, preserves_flags));
    }
    result
}

/// The command line; `None` when it is longer than `memory` or not UTF-8.
pub(crate) fn command_line(memory: &mut [u8]) -> Option<&str> {
    let mut block = [memory.as_mut_ptr() as u32, memory.len() as u32];
    if call(GET_COMMAND_LINE, block.as_mut_ptr()) != 0 {
        return None;
    }
    core::str::from_utf8(memory.get(..block[1] as usize)?).ok()
}

/// Says something to whoever watches.
pub(crate) fn say(what: &str) {
    // The host wants an end in the text itself.
    for piece in what.as_bytes().chunks(63) {
        let mut text = [0; 64];
        text[..piece.len()].copy_from_slice(piece);
        call(WRITE0, text.as_ptr().cast());
    }
}

/// Ends the run: all is well.
pub(crate) fn succeed() -> ! {
    exit(0)
}

/// Ends the run: the command line is wrong.
pub(crate) fn refuse(why: &str) -> ! {
    say("error: ");
    say(why);
    say("\n");
    exit(REFUSED)
}

/// Ends the run: something happened that must not.
pub(crate) fn fail(what: &str) -> ! {
    say("error: ");
    say(what);
    say("\n");
    exit(FAILED)
}

fn exit(status: u32) -> ! {
    let block = [APPLICATION_EXIT, status];
    loop {
        call(EXIT_EXTENDED, block.as_ptr());
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    say("panicked at ");
    say(info.location().map_or("an unknown place", |place| place.file()));
    say("\n");
    exit(FAILED)
}

#[exception]
unsafe fn HardFault(_: &ExceptionFrame) -> ! {
    say("hard fault\n");
    exit(FAILED)
}
