//! Times: stamps and durations as sensors write them, in whole microseconds, and stamps for people.
//!
//! Decimal digits are read as integers, so that `1655071198.444458` is exactly that.

use phalanx_core::calendar::{date, days};

const SECOND_US: i64 = 1_000_000;

/// Seconds with any number of decimals; what lies beyond microseconds is cut off.
pub(crate) fn seconds(field: &[u8]) -> Option<i64> {
    let (negative, digits) = match field {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, field),
    };
    let point = digits.iter().position(|byte| *byte == b'.').unwrap_or(digits.len());
    let (whole, fraction) = (&digits[..point], digits.get(point + 1..).unwrap_or_default());
    if whole.is_empty() || whole.len() > 12 {
        return exponent(field);
    }
    let mut value = 0i64;
    for byte in whole {
        if !byte.is_ascii_digit() {
            return exponent(field);
        }
        value = value * 10 + i64::from(byte - b'0');
    }
    let mut micros = 0i64;
    for place in 0..6 {
        let digit = match fraction.get(place) {
            Some(byte @ b'0'..=b'9') => i64::from(byte - b'0'),
            Some(_) => return exponent(field),
            None => 0,
        };
        micros = micros * 10 + digit;
    }
    if !fraction.iter().skip(6).all(u8::is_ascii_digit) {
        return exponent(field);
    }
    let total = value * SECOND_US + micros;
    Some(if negative { -total } else { total })
}

/// The rare forms, such as `1e-05`.
fn exponent(field: &[u8]) -> Option<i64> {
    seconds_f64(std::str::from_utf8(field).ok()?.parse().ok()?)
}

/// Seconds as a float, rounded to microseconds.
pub(crate) fn seconds_f64(seconds: f64) -> Option<i64> {
    // Whatever lies beyond 30,000 years is no time.
    (seconds.abs() < 1e12).then(|| (seconds * 1e6).round() as i64)
}

/// A date and a time of day: `2021-06-06T15:59:46.457984+0200`, also with `/` in the date, a space for the `T`,
/// `Z`, `+02:00`, or no zone at all, which is read as UTC.
pub(crate) fn stamp(field: &[u8]) -> Option<i64> {
    if field.len() < 19 {
        return None;
    }
    let number = |range: std::ops::Range<usize>| {
        field[range]
            .iter()
            .try_fold(0i64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let separators = matches!(
        (field[4], field[7], field[10], field[13], field[16]),
        (b'-', b'-', b'T' | b' ', b':', b':') | (b'/', b'/', b'T' | b' ', b':', b':')
    );
    let possible = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60;
    if !separators || !possible || second > 60 {
        return None;
    }
    let mut rest = &field[19..];
    let mut micros = 0;
    if let [b'.', decimals @ ..] = rest {
        let digits = decimals.iter().take_while(|byte| byte.is_ascii_digit()).count();
        for digit in decimals[..digits].iter().chain(b"000000").take(6) {
            micros = micros * 10 + i64::from(digit - b'0');
        }
        rest = &decimals[digits..];
    }
    let offset_minutes = match rest {
        [] | [b'Z'] => 0,
        [sign @ (b'+' | b'-'), h0, h1, tail @ ..] => {
            let (m0, m1) = match tail {
                [b':', m0, m1] | [m0, m1] => (m0, m1),
                _ => return None,
            };
            let digits = [*h0, *h1, *m0, *m1];
            if !digits.iter().all(u8::is_ascii_digit) {
                return None;
            }
            let [h0, h1, m0, m1] = digits.map(|digit| i64::from(digit - b'0'));
            let minutes = (h0 * 10 + h1) * 60 + m0 * 10 + m1;
            if *sign == b'+' { minutes } else { -minutes }
        }
        _ => return None,
    };
    let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute - offset_minutes) * 60 + second;
    Some(seconds * SECOND_US + micros)
}

/// A stamp for people: `2022-06-12 21:56:55.389612`, the time in UTC.
///
/// ```
/// assert_eq!(phalanx_capture::utc(1_655_071_015_389_612), "2022-06-12 21:56:55.389612");
/// ```
#[must_use]
pub fn utc(us: i64) -> String {
    let (year, month, day) = date(us.div_euclid(86_400 * SECOND_US));
    let of_day = us.rem_euclid(86_400 * SECOND_US);
    let (seconds, micros) = (of_day / SECOND_US, of_day % SECOND_US);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_for_people() {
        let check = |us: i64, expected: &str| {
            assert_eq!(utc(us), expected);
            assert_eq!(stamp(expected.as_bytes()), Some(us));
        };
        check(0, "1970-01-01 00:00:00.000000");
        check(-1, "1969-12-31 23:59:59.999999");
        check(951_782_400_500_000, "2000-02-29 00:00:00.500000");
        check(4_107_542_399_999_999, "2100-02-28 23:59:59.999999");
        // As far as the numbers go.
        assert!(utc(i64::MIN).starts_with("-290308-") && utc(i64::MAX).starts_with("294247-01-10"));
    }

    #[test]
    fn seconds_are_exact() {
        let check = |text: &str, expected| assert_eq!(seconds(text.as_bytes()), expected, "{text:?}");
        check("1655071198.444458", Some(1_655_071_198_444_458));
        check("0.000002", Some(2));
        check("-0.5", Some(-500_000));
        check("7", Some(7_000_000));
        check("7.", Some(7_000_000));
        check("0.0123456789", Some(12_345));
        check("1e-05", Some(10));
        check("1.5E3", Some(1_500_000_000));
        for text in ["", "-", ".", "x", "1.x", "1.0000001x", "1e30", "NaN", "inf", "1 2"] {
            check(text, None);
        }
    }

    #[test]
    fn stamps_of_sensors() {
        let check = |text: &str, expected| assert_eq!(stamp(text.as_bytes()), expected, "{text:?}");
        check("1970-01-01T00:00:00Z", Some(0));
        check("2021-06-06T15:59:46.457984+0200", Some(1_622_987_986_457_984));
        check("2021-06-06T15:59:46.457984+02:00", Some(1_622_987_986_457_984));
        check("2018/05/10 10:52:47.283479", Some(1_525_949_567_283_479));
        check("2000-02-29T00:00:00.5", Some(951_782_400_500_000));
        for text in ["", "2021", "2021-13-06T15:59:46Z", "2021-06-06T15:59:46+2", "2021-06-06x15:59:46"] {
            check(text, None);
        }
    }
}
