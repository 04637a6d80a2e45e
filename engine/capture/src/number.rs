//! Decimal numbers from bytes.

use crate::{CellProblem, error::shown};

/// Exact in `f32`, as every power of ten up to 10^10 is; so is every number of up to seven digits.
const POWERS_OF_TEN: [f32; 8] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7];

/// Parses a finite number; white space around it does not count.
///
/// Up to seven digits with at most one point, which is nearly every field of a flow file, take a short cut that
/// is exact (Clinger 1990): both the digits and the power of ten are floats without error, so their quotient is
/// rounded once, as by the standard parser that reads everything else.
pub(crate) fn parse_f32(field: &[u8]) -> Result<f32, CellProblem> {
    match short(field) {
        Some(value) => Ok(value),
        None => parse_any(field.trim_ascii()),
    }
}

fn short(field: &[u8]) -> Option<f32> {
    let (mut digits, mut count, mut point) = (0u32, 0, None);
    for (i, byte) in field.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                digits = digits.wrapping_mul(10).wrapping_add(u32::from(byte - b'0'));
                count += 1;
            }
            b'.' if point.is_none() => point = Some(i),
            _ => return None,
        }
    }
    if !(1..=7).contains(&count) {
        return None;
    }
    let decimals = point.map_or(0, |point| field.len() - point - 1);
    Some(digits as f32 / POWERS_OF_TEN[decimals])
}

fn parse_any(field: &[u8]) -> Result<f32, CellProblem> {
    let text = std::str::from_utf8(field).map_err(|_| CellProblem::NotUtf8(shown(field)))?;
    let value: f32 = text.parse().map_err(|_| CellProblem::NotANumber(shown(field)))?;
    if value.is_finite() { Ok(value) } else { Err(CellProblem::NotFinite(shown(field))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_and_what_is_none() {
        let check = |field: &str, expected: Result<f32, CellProblem>| {
            assert_eq!(parse_f32(field.as_bytes()), expected, "{field:?}");
        };
        check("0", Ok(0.0));
        check(" 12.50\t", Ok(12.5));
        check(".5", Ok(0.5));
        check("5.", Ok(5.0));
        check("-1e-3", Ok(-0.001));
        check("1379963888", Ok(1_379_963_888.0));
        check("00000000001", Ok(1.0));
        for text in ["", " ", ".", "1.2.3", "0x10", "1,5", "tcp", "1 2"] {
            check(text, Err(CellProblem::NotANumber(text.trim().to_owned())));
        }
        for text in ["NaN", "inf", "-Infinity", "1e39"] {
            check(text, Err(CellProblem::NotFinite(text.to_owned())));
        }
        assert_eq!(parse_f32(b"1\xff"), Err(CellProblem::NotUtf8("1\u{fffd}".to_owned())));
    }

    proptest! {
        #[test]
        fn the_short_cut_is_the_standard_parser(text in "[0-9]{0,8}\\.?[0-9]{0,8}") {
            if let Some(value) = short(text.as_bytes()) {
                prop_assert_eq!(value.to_bits(), text.parse::<f32>().unwrap().to_bits());
            }
        }
    }
}
