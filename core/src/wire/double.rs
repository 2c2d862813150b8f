//! Numbers that are too large for a double: `serde_json` refuses them, so this scanner does too.

/// The least number that rounds to infinity as a double: 2^1024 - 2^970. It lies halfway between the largest double and
/// the power of two above it, and such a tie is rounded up.
const INFINITE: &[u8; 309] = b"\
    179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587207096330286416692\
    887910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270069855571366959622842\
    914819860834936475292719074168444365510704342711559699508093042880177904174497792";

/// Whether a JSON number is so large that it rounds to infinity as a double. The answer is exact. The tables of a real
/// conversion are not needed; they would be a good part of the program on a small device.
pub(super) fn overflows_a_double(number: &[u8]) -> bool {
    let (mantissa, exponent) = match number.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (number.get(..at), number.get(at + 1..)),
        None => (Some(number), None),
    };
    let mantissa = mantissa.unwrap_or(&[]);
    let whole = mantissa.iter().position(|byte| *byte == b'.').unwrap_or(mantissa.len());
    let whole = mantissa.iter().take(whole).filter(|byte| byte.is_ascii_digit()).count() as i64;
    let is_digit = |byte: &&u8| byte.is_ascii_digit();
    let zeros = mantissa.iter().filter(is_digit).take_while(|digit| **digit == b'0').count();
    let mut digits = mantissa.iter().filter(is_digit).skip(zeros).copied();
    if digits.clone().next().is_none() {
        return false;
    }
    // The number is 0.DIGITS times ten to this power. A line is far shorter than the bound on the exponent in
    // `exponent_of`.
    let power = exponent_of(exponent.unwrap_or(&[])) + whole - zeros as i64;
    let bound = INFINITE.len() as i64;
    if power != bound {
        return power > bound;
    }
    for bound in INFINITE {
        let digit = digits.next().unwrap_or(b'0');
        if digit != *bound {
            return digit > *bound;
        }
    }
    true
}

/// The value of an exponent. One beyond 2^40 counts as 2^40.
fn exponent_of(text: &[u8]) -> i64 {
    let bound = 1 << 40;
    let digits = text.iter().filter(|byte| byte.is_ascii_digit());
    let magnitude = digits.fold(0_i64, |sum, digit| (10 * sum + i64::from(digit - b'0')).min(bound));
    if text.first() == Some(&b'-') { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::String;

    #[test]
    fn numbers_overflow_a_double_where_the_standard_library_makes_them_infinite() {
        let bound = String::from_utf8(INFINITE.to_vec()).unwrap();
        let below = format!("{}1", &bound[..308]);
        let mut numbers = std::vec::Vec::new();
        for digits in [&*bound, &below, "1", "0", "0.0", "00", "9", "17976931348623157", "17976931348623158", "10000"] {
            for zeros in [0, 1, 5, 300, 308, 309, 310, 400] {
                for point in [0, 1, 2, 17, 300] {
                    for exponent in [
                        "",
                        "e0",
                        "e1",
                        "E+5",
                        "e-1",
                        "e-400",
                        "e308",
                        "e309",
                        "e292",
                        "e291",
                        "e-0",
                        "e99999999999999999999",
                    ] {
                        let (front, back) = digits.split_at(point.min(digits.len()));
                        let fraction = if back.is_empty() { String::new() } else { format!(".{back}") };
                        numbers.push(format!(
                            "{}{front}{}{fraction}{exponent}",
                            "0".repeat(zeros % 7),
                            "0".repeat(zeros)
                        ));
                        numbers.push(format!("-{front}{back}{}{exponent}", "0".repeat(zeros)));
                        numbers.push(format!("0.{}{digits}{exponent}", "0".repeat(zeros)).replacen("..", ".", 1));
                        numbers.push(format!("0.{}{digits}e{}", "0".repeat(zeros), 308 + zeros));
                        numbers.push(format!("0.{}{digits}e{}", "0".repeat(zeros), 309 + zeros));
                    }
                }
            }
        }
        let mut infinite = 0;
        for number in numbers {
            let Ok(double) = number.parse::<f64>() else { continue };
            infinite += u32::from(double.is_infinite());
            assert_eq!(overflows_a_double(number.as_bytes()), double.is_infinite(), "{number}");
        }
        assert!(infinite > 1_000, "{infinite}");
    }
}
