//! Services that only a debugger or an emulator gives to the program, by Arm's semihosting: command line, log, exit
//! status.
//!
//! A device in the field has none of them. There the configuration is constant, the log goes nowhere or to a second
//! UART, and the end is a reset.

use core::panic::PanicInfo;

use cortex_m_rt::{ExceptionFrame, exception};

const WRITE0: u32 = 0x04;
const GET_COMMAND_LINE: u32 = 0x15;
const EXIT_EXTENDED: u32 = 0x20;
/// The code for a normal end of the program.
const APPLICATION_EXIT: u32 = 0x20026;

/// The status for a wrong command line.
const REFUSED: u32 = 2;
/// The status for a failure.
const FAILED: u32 = 1;

fn call(operation: u32, argument: *const u32) -> u32 {
    let result;
    // SAFETY: the host reads, and for `GET_COMMAND_LINE` writes, what the callers below pass, and nothing else.
    unsafe {
        core::arch::asm!("bkpt 0xab", inout("r0") operation => result, in("r1") argument, options(nostack, preserves_flags));
    }
    result
}

/// The command line; `None` if it is longer than `memory` or not UTF-8.
pub(crate) fn command_line(memory: &mut [u8]) -> Option<&str> {
    let mut block = [memory.as_mut_ptr() as u32, memory.len() as u32];
    if call(GET_COMMAND_LINE, block.as_mut_ptr()) != 0 {
        return None;
    }
    core::str::from_utf8(memory.get(..block[1] as usize)?).ok()
}

/// Writes a text to the log of the host.
pub(crate) fn say(what: &str) {
    const BYTES: usize = 63;
    for piece in what.as_bytes().chunks(BYTES) {
        // The host needs a zero at the end.
        let mut text = [0; BYTES + 1];
        text.iter_mut().zip(piece).for_each(|(to, from)| *to = *from);
        call(WRITE0, text.as_ptr().cast());
    }
}

/// Writes a number to the log of the host.
pub(crate) fn say_number(number: u32) {
    let mut rest = number;
    let mut text = [0; 10];
    let mut len = 0;
    for digit in text.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        len += 1;
        if rest == 0 {
            break;
        }
    }
    let digits = text.iter().rev().take(len).rev();
    digits.for_each(|digit| say(core::str::from_utf8(&[*digit]).unwrap_or("?")));
}

/// Ends the run with success.
pub(crate) fn succeed() -> ! {
    exit(0)
}

/// Ends the run because the command line is wrong.
pub(crate) fn refuse(why: &str) -> ! {
    say("error: ");
    say(why);
    say("\n");
    exit(REFUSED)
}

/// Ends the run with a failure.
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
    say(" line ");
    say_number(info.location().map_or(0, |place| place.line()));
    say("\n");
    exit(FAILED)
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    say("hard fault at address ");
    say_number(frame.pc());
    say("\n");
    exit(FAILED)
}

/// Causes a failure on purpose.
#[cfg(feature = "sabotage")]
pub(crate) fn sabotage(what: &str) -> ! {
    match what {
        "panic" => panic!("as was asked for"),
        "fault" => cortex_m::asm::udf(),
        "overflow" => {
            #[expect(unconditional_recursion)]
            fn deeper(at: &[u32; 64]) -> u32 {
                let further = core::hint::black_box([at[0] + 1; 64]);
                deeper(&further) + further[1]
            }
            say_number(deeper(&[0; 64]));
            fail("there is no end of the stack")
        }
        _ => refuse("--sabotage must be panic, fault or overflow"),
    }
}
