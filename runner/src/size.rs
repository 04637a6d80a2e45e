//! Amounts of memory: parsing `512MiB`, showing `1.5 GiB`, and asking the system for the peak.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// Text that is no amount of memory.
#[derive(Debug, PartialEq, Error)]
#[error("expected a number of bytes such as 536870912, 512MiB, 2G or 1.5GiB")]
pub struct NotAnAmount;

const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

impl FromStr for Bytes {
    type Err = NotAnAmount;

    /// `K`, `M`, `G` and `T` mean the same as `KiB`, `MiB`, `GiB` and `TiB`: powers of 1024.
    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        let text = text.trim();
        let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = (text[..split].trim(), text[split..].to_ascii_lowercase());
        let factor = match unit.as_str() {
            "" | "b" => 1,
            unit => {
                let known = |name: &str| {
                    let name = name.to_ascii_lowercase();
                    unit == name
                        || name.starts_with(unit) && unit.len() == 1
                        || unit == [&name[..1], "b"].concat()
                };
                UNITS.iter().find(|(name, _)| known(name)).ok_or(NotAnAmount)?.1
            }
        };
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(factor).map(Self).ok_or(NotAnAmount);
        }
        match number.parse::<f64>() {
            Ok(x) if x.is_finite() && x >= 0.0 && x * (factor as f64) < u64::MAX as f64 => {
                Ok(Self((x * (factor as f64)) as u64))
            }
            _ => Err(NotAnAmount),
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, size)| self.0 >= *size) {
            Some((name, size)) => write!(f, "{:.1} {name}", self.0 as f64 / *size as f64),
            None => write!(f, "{} B", self.0),
        }
    }
}

/// The largest resident set of this process so far, where the system tells.
#[must_use]
pub fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Memory that the system could give away now, where it tells.
#[must_use]
pub fn available_bytes() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_in_powers_of_1024() {
        let check = |text: &str, bytes| assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        check("4096", 4096);
        check("4k", 4096);
        check("512MiB", 512 << 20);
        check("512 mb", 512 << 20);
        check("1.5G", 3 << 29);
        for wrong in ["", "much", "-1", "1QiB", "1e400", "99999999999999T"] {
            assert_eq!(wrong.parse::<Bytes>(), Err(NotAnAmount), "{wrong}");
        }
    }

    #[test]
    fn amounts_are_shown_in_the_largest_unit_that_fits() {
        assert_eq!(Bytes(1023).to_string(), "1023 B");
        assert_eq!(Bytes(3 << 29).to_string(), "1.5 GiB");
    }
}
